/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/die.h"

#define RANGES_MAX 100000 /* of an entry */

/* The only calls whose arguments differ between the releases by date (up to
 * 20210528, whose header has no version) and those by number. */
#ifdef DW_LIBDWARF_VERSION_MAJOR
Dwarf_Debug ht_die_open(int fd)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Error e = NULL;
	int r = dwarf_init_b(fd, DW_GROUPNUMBER_ANY, NULL, NULL, &dbg, &e);

	if (r == DW_DLV_ERROR)
		dwarf_dealloc_error(dbg, e);
	return r == DW_DLV_OK ? dbg : NULL;
}

void ht_die_close(Dwarf_Debug dbg)
{
	dwarf_finish(dbg);
}

static void free_ranges(Dwarf_Debug dbg, Dwarf_Ranges *v, Dwarf_Signed n)
{
	dwarf_dealloc_ranges(dbg, v, n);
}
#else
Dwarf_Debug ht_die_open(int fd)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Error e = NULL;
	int r = dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL,
			     &dbg, &e);

	if (r == DW_DLV_ERROR)
		dwarf_dealloc(dbg, e, DW_DLA_ERROR);
	return r == DW_DLV_OK ? dbg : NULL;
}

void ht_die_close(Dwarf_Debug dbg)
{
	Dwarf_Error e = NULL;

	dwarf_finish(dbg, &e);
}

static void free_ranges(Dwarf_Debug dbg, Dwarf_Ranges *v, Dwarf_Signed n)
{
	dwarf_ranges_dealloc(dbg, v, n);
}
#endif

bool ht_die_fine(Dwarf_Debug dbg, int result, Dwarf_Error e)
{
	if (result == DW_DLV_ERROR)
		dwarf_dealloc(dbg, e, DW_DLA_ERROR);
	return result == DW_DLV_OK;
}

/* --- walking ------------------------------------------------------------- */

Dwarf_Die ht_die_child(Dwarf_Debug dbg, Dwarf_Die of)
{
	Dwarf_Die child = NULL;
	Dwarf_Error e = NULL;

	return ht_die_fine(dbg, dwarf_child(of, &child, &e), e) ? child : NULL;
}

void ht_die_free(Dwarf_Debug dbg, Dwarf_Die die)
{
	if (die)
		dwarf_dealloc(dbg, die, DW_DLA_DIE);
}

Dwarf_Die ht_die_next(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Die next = NULL;
	Dwarf_Error e = NULL;
	bool ok =
		ht_die_fine(dbg, dwarf_siblingof_b(dbg, die, 1, &next, &e), e);

	ht_die_free(dbg, die);
	return ok ? next : NULL;
}

Dwarf_Die ht_die_at(Dwarf_Debug dbg, uint64_t offset)
{
	Dwarf_Die die = NULL;
	Dwarf_Error e = NULL;

	return ht_die_fine(dbg, dwarf_offdie_b(dbg, offset, 1, &die, &e), e)
		       ? die
		       : NULL;
}

uint64_t ht_die_offset(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Off offset = 0;
	Dwarf_Error e = NULL;

	return ht_die_fine(dbg, dwarf_dieoffset(die, &offset, &e), e) ? offset
								      : 0;
}

unsigned ht_die_tag(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Half tag = 0;
	Dwarf_Error e = NULL;

	return ht_die_fine(dbg, dwarf_tag(die, &tag, &e), e) ? tag : 0;
}

/* --- attributes ---------------------------------------------------------- */

static bool attribute(Dwarf_Debug dbg, Dwarf_Die die, unsigned name,
		      Dwarf_Attribute *ret, Dwarf_Half *form)
{
	Dwarf_Error e = NULL;

	if (!ht_die_fine(dbg, dwarf_attr(die, (Dwarf_Half)name, ret, &e), e))
		return false;
	e = NULL;
	if (ht_die_fine(dbg, dwarf_whatform(*ret, form, &e), e))
		return true;
	dwarf_dealloc(dbg, *ret, DW_DLA_ATTR);
	return false;
}

/* In the file that dwz shared: as GNU has it, and as DWARF 5 has. */
static bool is_shared(Dwarf_Half form)
{
	return form == DW_FORM_GNU_strp_alt || form == DW_FORM_GNU_ref_alt ||
	       form == DW_FORM_strp_sup || form == DW_FORM_ref_sup4 ||
	       form == DW_FORM_ref_sup8;
}

bool ht_die_number(Dwarf_Debug dbg, Dwarf_Die die, unsigned name, uint64_t *ret)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Unsigned u = 0;
	Dwarf_Signed s = 0;
	Dwarf_Half form;
	bool ok;

	if (!attribute(dbg, die, name, &a, &form))
		return false;
	ok = ht_die_fine(dbg, dwarf_formudata(a, &u, &e), e);
	e = NULL;
	if (!ok && ht_die_fine(dbg, dwarf_formsdata(a, &s, &e), e) && s >= 0) {
		u = (Dwarf_Unsigned)s; /* DWARF 5's DW_FORM_implicit_const */
		ok = true;
	}
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
	if (ok)
		*ret = u;
	return ok;
}

/* What libdwarf calls tied it looks in for other things too (addresses of split
 * files): for this text alone. */
static bool shared_text(Dwarf_Debug dbg, Dwarf_Debug shared, Dwarf_Attribute a,
			char **ret)
{
	Dwarf_Error e = NULL;
	bool ok = ht_die_fine(dbg, dwarf_set_tied_dbg(dbg, shared, &e), e);

	e = NULL;
	ok = ok && ht_die_fine(dbg, dwarf_formstring(a, ret, &e), e);
	e = NULL;
	ht_die_fine(dbg, dwarf_set_tied_dbg(dbg, NULL, &e), e);
	return ok;
}

const char *ht_die_text(Dwarf_Debug dbg, Dwarf_Debug shared, Dwarf_Die die,
			unsigned name)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Half form;
	char *text = NULL;
	bool ok;

	if (!attribute(dbg, die, name, &a, &form))
		return NULL;
	if (is_shared(form))
		ok = shared && shared != dbg &&
		     shared_text(dbg, shared, a, &text);
	else
		ok = ht_die_fine(dbg, dwarf_formstring(a, &text, &e), e);
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
	return ok ? text : NULL;
}

Dwarf_Die ht_die_follow(Dwarf_Debug dbg, Dwarf_Debug shared, Dwarf_Die die,
			unsigned name, Dwarf_Debug *ret_in)
{
	Dwarf_Debug in;
	Dwarf_Attribute a = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Off offset = 0;
	Dwarf_Half form;
	bool ok;

	if (!attribute(dbg, die, name, &a, &form))
		return NULL;
	in = !is_shared(form) ? dbg : shared != dbg ? shared : NULL;
	ok = in && form != DW_FORM_ref_sig8 &&
	     ht_die_fine(dbg, dwarf_global_formref(a, &offset, &e), e);
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
	*ret_in = in;
	return ok ? ht_die_at(in, offset) : NULL;
}

/* --- ranges -------------------------------------------------------------- */

static void ranges_4(Dwarf_Debug dbg, Dwarf_Die die, uint64_t offset,
		     uint64_t base, ht_die_range_fn fn, void *ctx)
{
	Dwarf_Ranges *v = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Off real = 0;
	Dwarf_Unsigned bytes = 0;
	Dwarf_Error e = NULL;

	if (!ht_die_fine(dbg,
			 dwarf_get_ranges_b(dbg, offset, die, &real, &v, &n,
					    &bytes, &e),
			 e))
		return;
	for (Dwarf_Signed i = 0; i < n && i < RANGES_MAX; i++) {
		if (v[i].dwr_type == DW_RANGES_END)
			break;
		if (v[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = v[i].dwr_addr2;
		else
			fn(ctx, base + v[i].dwr_addr1, base + v[i].dwr_addr2);
	}
	free_ranges(dbg, v, n);
}

static void ranges_5(Dwarf_Debug dbg, Dwarf_Attribute a, Dwarf_Half form,
		     uint64_t value, ht_die_range_fn fn, void *ctx)
{
	Dwarf_Rnglists_Head head = NULL;
	Dwarf_Unsigned n = 0, at = 0;
	Dwarf_Error e = NULL;

	if (!ht_die_fine(dbg,
			 dwarf_rnglists_get_rle_head(a, form, value, &head, &n,
						     &at, &e),
			 e))
		return;
	for (Dwarf_Unsigned i = 0; i < n && i < RANGES_MAX; i++) {
		Dwarf_Unsigned raw1, raw2, low = 0, high = 0;
		Dwarf_Bool unavailable = 0;
		unsigned len, code = 0;

		e = NULL;
		if (!ht_die_fine(dbg,
				 dwarf_get_rnglists_entry_fields_a(
					 head, i, &len, &code, &raw1, &raw2,
					 &unavailable, &low, &high, &e),
				 e) ||
		    code == DW_RLE_end_of_list)
			break;
		if (!unavailable && code != DW_RLE_base_address &&
		    code != DW_RLE_base_addressx)
			fn(ctx, low, high);
	}
	dwarf_dealloc_rnglists_head(head);
}

static void listed_ranges(Dwarf_Debug dbg, Dwarf_Die die, uint64_t base,
			  ht_die_range_fn fn, void *ctx)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Half form, version = 0, size = 0;
	Dwarf_Error e = NULL;
	Dwarf_Off offset = 0;
	Dwarf_Unsigned index = 0;
	bool ok;

	if (!attribute(dbg, die, DW_AT_ranges, &a, &form))
		return;
	if (form == DW_FORM_rnglistx)
		ok = ht_die_fine(dbg, dwarf_formudata(a, &index, &e), e);
	else
		ok = ht_die_fine(dbg, dwarf_global_formref(a, &offset, &e), e);
	if (form != DW_FORM_rnglistx)
		index = offset;
	if (ok && dwarf_get_version_of_die(die, &version, &size) == DW_DLV_OK) {
		if (version >= 5)
			ranges_5(dbg, a, form, index, fn, ctx);
		else
			ranges_4(dbg, die, offset, base, fn, ctx);
	}
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
}

void ht_die_ranges(Dwarf_Debug dbg, Dwarf_Die die, uint64_t base,
		   ht_die_range_fn fn, void *ctx)
{
	enum Dwarf_Form_Class class = DW_FORM_CLASS_UNKNOWN;
	Dwarf_Addr low = 0, high = 0;
	Dwarf_Error e = NULL;
	Dwarf_Half form = 0;
	bool has_low = ht_die_fine(dbg, dwarf_lowpc(die, &low, &e), e);

	e = NULL;
	if (!has_low ||
	    !ht_die_fine(dbg, dwarf_highpc_b(die, &high, &form, &class, &e),
			 e)) {
		listed_ranges(dbg, die, base, fn, ctx);
		return;
	}
	if (class != DW_FORM_CLASS_ADDRESS)
		high += low;
	fn(ctx, low, high);
}
