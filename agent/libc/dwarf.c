/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/dwarf.h"

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#include <string.h>

/* A type may be a typedef of a typedef ...; a hostile one may be a loop. */
#define TYPE_DEPTH   8
#define MEMBERS_MAX  256
#define CHILDREN_MAX 100000

static const struct {
	enum ht_place_id id;
	const char *name, *member;
} places[] = {
#define PLACE_ITEM(id, st, member) {HT_P_##id, st, member},
	HT_LAYOUT_PLACES(PLACE_ITEM)
#undef PLACE_ITEM
	/* 2.42+ names. */
	{HT_P_TCACHE_COUNTS, "tcache_perthread_struct", "num_slots"},
	{HT_P_PAR_TCACHE_BINS, "malloc_par", "tcache_small_bins"},
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static const char *const structs[HT_ROW_KINDS] = {
	[HT_ROW_ARENA] = "malloc_state",
	[HT_ROW_HEAP] = "_heap_info",
	[HT_ROW_PAR] = "malloc_par",
	[HT_ROW_TCACHE] = "tcache_perthread_struct",
};

/* The only calls whose arguments differ between the releases by date (up to
 * 20210528, whose header has no version) and those by number. */
#ifdef DW_LIBDWARF_VERSION_MAJOR
static int begin(int fd, Dwarf_Debug *ret, Dwarf_Error *e)
{
	return dwarf_init_b(fd, DW_GROUPNUMBER_ANY, NULL, NULL, ret, e);
}

static void finish(Dwarf_Debug dbg)
{
	dwarf_finish(dbg);
}
#else
static int begin(int fd, Dwarf_Debug *ret, Dwarf_Error *e)
{
	return dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL,
			    ret, e);
}

static void finish(Dwarf_Debug dbg)
{
	Dwarf_Error e = NULL;

	dwarf_finish(dbg, &e);
}
#endif

/* libdwarf hands out an error object whenever something is wrong; all that
 * matters here is that the thing is not there. */
static bool fine(Dwarf_Debug dbg, int result, Dwarf_Error e)
{
	if (result == DW_DLV_ERROR)
		dwarf_dealloc(dbg, e, DW_DLA_ERROR);
	return result == DW_DLV_OK;
}

static bool number(Dwarf_Debug dbg, Dwarf_Die die, Dwarf_Half name,
		   uint64_t *ret)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Unsigned u = 0;
	Dwarf_Signed s = 0;
	bool ok;

	if (!fine(dbg, dwarf_attr(die, name, &a, &e), e))
		return false;
	e = NULL;
	ok = fine(dbg, dwarf_formudata(a, &u, &e), e);
	e = NULL;
	if (!ok && fine(dbg, dwarf_formsdata(a, &s, &e), e) && s >= 0) {
		u = (Dwarf_Unsigned)s; /* DWARF 5's DW_FORM_implicit_const */
		ok = true;
	}
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
	if (ok)
		*ret = u;
	return ok;
}

/* Not in a file that dwz made of several: its offsets are no offsets of ours.
 */
static bool is_here(Dwarf_Debug dbg, Dwarf_Attribute a)
{
	Dwarf_Error e = NULL;
	Dwarf_Half form = 0;

	return fine(dbg, dwarf_whatform(a, &form, &e), e) &&
	       form != DW_FORM_GNU_ref_alt && form != DW_FORM_ref_sup4 &&
	       form != DW_FORM_ref_sup8 && form != DW_FORM_ref_sig8;
}

static Dwarf_Die follow_type(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Attribute a = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Off off = 0;
	Dwarf_Die type = NULL;
	bool ok;

	if (!fine(dbg, dwarf_attr(die, DW_AT_type, &a, &e), e))
		return NULL;
	e = NULL;
	ok = is_here(dbg, a) && fine(dbg, dwarf_global_formref(a, &off, &e), e);
	dwarf_dealloc(dbg, a, DW_DLA_ATTR);
	e = NULL;
	if (!ok || !fine(dbg, dwarf_offdie_b(dbg, off, 1, &type, &e), e))
		return NULL;
	return type;
}

/* The next sibling; frees die. NULL at the end. */
static Dwarf_Die next_sibling(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Die next = NULL;
	Dwarf_Error e = NULL;
	bool ok = fine(dbg, dwarf_siblingof_b(dbg, die, 1, &next, &e), e);

	dwarf_dealloc(dbg, die, DW_DLA_DIE);
	return ok ? next : NULL;
}

static Dwarf_Die first_child(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Die child = NULL;
	Dwarf_Error e = NULL;

	return fine(dbg, dwarf_child(die, &child, &e), e) ? child : NULL;
}

static Dwarf_Half tag_of(Dwarf_Debug dbg, Dwarf_Die die)
{
	Dwarf_Half tag = 0;
	Dwarf_Error e = NULL;

	return fine(dbg, dwarf_tag(die, &tag, &e), e) ? tag : 0;
}

/* Number of elements of an array type: the product of its subranges. */
static uint64_t array_count(Dwarf_Debug dbg, Dwarf_Die array)
{
	uint64_t count = 1, n;
	unsigned left = MEMBERS_MAX;

	for (Dwarf_Die d = first_child(dbg, array); d && left--;
	     d = next_sibling(dbg, d)) {
		if (tag_of(dbg, d) != DW_TAG_subrange_type)
			continue;
		if (number(dbg, d, DW_AT_count, &n))
			count *= n;
		else if (number(dbg, d, DW_AT_upper_bound, &n))
			count *= n + 1;
	}
	return count;
}

/* Bytes of the type of die; 0: unknown. */
static uint64_t type_size(Dwarf_Debug dbg, Dwarf_Die die, unsigned depth)
{
	Dwarf_Die type = depth ? follow_type(dbg, die) : NULL;
	uint64_t size = 0;

	if (!type)
		return 0;
	if (!number(dbg, type, DW_AT_byte_size, &size)) {
		size = type_size(dbg, type, depth - 1);
		if (tag_of(dbg, type) == DW_TAG_array_type)
			size *= array_count(dbg, type);
	}
	dwarf_dealloc(dbg, type, DW_DLA_DIE);
	return size;
}

static void read_member(Dwarf_Debug dbg, Dwarf_Die die, const char *of,
			struct ht_facts *ret)
{
	char *name = NULL;
	Dwarf_Error e = NULL;
	uint64_t offset, size;

	if (!fine(dbg, dwarf_diename(die, &name, &e), e) ||
	    !number(dbg, die, DW_AT_data_member_location, &offset))
		return;
	for (size_t i = 0; i < PLACES; i++) {
		if (strcmp(places[i].name, of) != 0 ||
		    strcmp(places[i].member, name) != 0)
			continue;
		size = type_size(dbg, die, TYPE_DEPTH);
		ret->dwarf_num_slots |= strcmp(name, "num_slots") == 0;
		if (offset < UINT16_MAX && size && size < UINT16_MAX)
			ret->dwarf[places[i].id] = (struct ht_place){
				(uint16_t)offset, (uint16_t)size};
	}
}

static bool read_struct(Dwarf_Debug dbg, Dwarf_Die die, struct ht_facts *ret)
{
	char *name = NULL;
	Dwarf_Error e = NULL;
	uint64_t size;

	if (tag_of(dbg, die) != DW_TAG_structure_type ||
	    !fine(dbg, dwarf_diename(die, &name, &e), e))
		return false;
	for (unsigned k = 0; k < HT_ROW_KINDS; k++) {
		unsigned left = MEMBERS_MAX;

		if (strcmp(structs[k], name) != 0 || ret->dwarf_size[k] ||
		    !number(dbg, die, DW_AT_byte_size, &size) ||
		    size >= UINT16_MAX)
			continue;
		ret->dwarf_size[k] = size;
		for (Dwarf_Die d = first_child(dbg, die); d && left--;
		     d = next_sibling(dbg, d))
			read_member(dbg, d, structs[k], ret);
		return true;
	}
	return false;
}

/* Reads the structs among a unit's children. True: malloc_state was there. */
static bool read_unit(Dwarf_Debug dbg, Dwarf_Off unit, struct ht_facts *ret)
{
	Dwarf_Die cu = NULL;
	Dwarf_Error e = NULL;
	unsigned left = CHILDREN_MAX, found = 0;

	if (!fine(dbg, dwarf_offdie_b(dbg, unit, 1, &cu, &e), e))
		return false;
	for (Dwarf_Die d = first_child(dbg, cu); d && left--;
	     d = next_sibling(dbg, d)) {
		found += read_struct(dbg, d, ret);
		if (found == HT_ROW_KINDS) {
			dwarf_dealloc(dbg, d, DW_DLA_DIE);
			break;
		}
	}
	dwarf_dealloc(dbg, cu, DW_DLA_DIE);
	return ret->dwarf_size[HT_ROW_ARENA] != 0;
}

/* All ranges of one unit are its code: hot part and cold parts lie apart, and
 * only the run around malloc itself is wanted. */
static void read_text(Dwarf_Debug dbg, Dwarf_Arange *all, Dwarf_Signed n,
		      Dwarf_Off unit, uint64_t address, struct ht_facts *ret)
{
	for (Dwarf_Signed i = 0; i < n; i++) {
		Dwarf_Unsigned segment, segment_size, length;
		Dwarf_Addr start;
		Dwarf_Off header, die;
		Dwarf_Error e = NULL;

		if (!fine(dbg, dwarf_get_cu_die_offset(all[i], &die, &e), e) ||
		    die != unit)
			continue;
		e = NULL;
		if (fine(dbg,
			 dwarf_get_arange_info_b(all[i], &segment,
						 &segment_size, &start, &length,
						 &header, &e),
			 e) &&
		    address - start < length) {
			ret->text_start = start;
			ret->text_end = start + length;
		}
	}
}

/* The unit that holds an address, by .debug_aranges: parsing every unit of a
 * libc would take a hundred times longer. */
static bool find_unit(Dwarf_Debug dbg, uint64_t address, Dwarf_Off *unit,
		      struct ht_facts *ret)
{
	Dwarf_Arange *all = NULL, one = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Error e = NULL;
	bool found;

	if (!fine(dbg, dwarf_get_aranges(dbg, &all, &n, &e), e))
		return false;
	e = NULL;
	found = fine(
		dbg,
		dwarf_get_arange(all, (Dwarf_Unsigned)n, address, &one, &e), e);
	e = NULL;
	found = found && fine(dbg, dwarf_get_cu_die_offset(one, unit, &e), e);
	if (found)
		read_text(dbg, all, n, *unit, address, ret);
	for (Dwarf_Signed i = 0; i < n; i++)
		dwarf_dealloc(dbg, all[i], DW_DLA_ARANGE);
	dwarf_dealloc(dbg, all, DW_DLA_LIST);
	return found;
}

enum ht_code ht_dwarf_read(int fd, uint64_t malloc_address,
			   struct ht_facts *ret, struct ht_err *err)
{
	Dwarf_Debug dbg = NULL;
	Dwarf_Error e = NULL;
	Dwarf_Off unit = 0;
	int r = begin(fd, &dbg, &e);
	bool found;

	if (r != DW_DLV_OK) {
		enum ht_code code = ht_fail(
			err, HT_UNSUPPORTED, "no debug information: %s",
			r == DW_DLV_ERROR ? dwarf_errmsg(e) : "not there");

		if (r == DW_DLV_ERROR)
			dwarf_dealloc(dbg, e, DW_DLA_ERROR);
		return code;
	}
	found = find_unit(dbg, malloc_address, &unit, ret) &&
		read_unit(dbg, unit, ret);
	finish(dbg);
	if (!found)
		return ht_fail(err, HT_UNSUPPORTED,
			       "no malloc_state in the debug information");
	return HT_OK;
}
