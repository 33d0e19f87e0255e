/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/elf.h"
#include "common/cleanup.h"

#define DEPTH_MAX     24	 /* of entries in entries */
#define ENTRIES_MAX   (8u << 20) /* of one unit */
#define FUNCTIONS_MAX (1u << 20)

/* --- what a file is ------------------------------------------------------ */

static bool has_section(Elf *elf, const char *name)
{
	size_t names;
	Elf_Scn *s = NULL;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((s = elf_nextscn(elf, s))) {
		GElf_Shdr h;
		const char *text;

		if (!gelf_getshdr(s, &h) || h.sh_type == SHT_NOBITS)
			continue;
		text = elf_strptr(elf, names, h.sh_name);
		if (text && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static uint32_t take_id(uint8_t to[HT_BUILD_ID_MAX], const void *id, ssize_t n)
{
	if (n <= 0 || n > HT_BUILD_ID_MAX)
		return 0;
	memcpy(to, id, (size_t)n);
	return (uint32_t)n;
}

/* The section's text and the identity behind it: libdw gives it of an open
 * Dwarf alone, for which it unpacks all sections. */
static void look_at_alt(Elf *elf, struct ht_lines_build *ret)
{
	size_t names;
	Elf_Scn *s = NULL;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return;
	while ((s = elf_nextscn(elf, s))) {
		GElf_Shdr h;
		const char *text = gelf_getshdr(s, &h)
					   ? elf_strptr(elf, names, h.sh_name)
					   : NULL;
		Elf_Data *d;
		size_t len;

		if (!text || strcmp(text, ".gnu_debugaltlink") != 0)
			continue;
		d = elf_rawdata(s, NULL);
		len = d && d->d_buf ? strnlen(d->d_buf, d->d_size) : 0;
		if (!len || len == d->d_size || len >= sizeof(ret->alt))
			return;
		memcpy(ret->alt, d->d_buf, len);
		ret->alt_id_len =
			take_id(ret->alt_id, (const char *)d->d_buf + len + 1,
				(ssize_t)(d->d_size - len - 1));
		return;
	}
}

void ht_lines_look(int fd, struct ht_lines_build *ret)
{
	const char *link;
	const void *id;
	GElf_Word crc;
	Elf *elf;

	memset(ret, 0, sizeof(*ret));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf)
		return;
	if (elf_kind(elf) == ELF_K_ELF) {
		ssize_t n = dwelf_elf_gnu_build_id(elf, &id);

		ret->id_len = take_id(ret->id, id, n);
		link = dwelf_elf_gnu_debuglink(elf, &crc);
		if (link && strlen(link) < sizeof(ret->debuglink))
			strcpy(ret->debuglink, link);
		look_at_alt(elf, ret);
		ret->described = has_section(elf, ".debug_info") ||
				 has_section(elf, ".zdebug_info");
	}
	elf_end(elf);
}

/* --- a unit's functions -------------------------------------------------- */

struct function {
	uint64_t low, high;
	Dwarf_Die die;
};

struct unit {
	Dwarf_Die die;
	bool open;
	Dwarf_Off at; /* of the unit that `function` is of */
	struct function *function;
	size_t n, room;
	unsigned entries; /* seen so far */
};

static void add_ranges(struct unit *u, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		struct function *more;

		if (low >= high)
			continue;
		if (u->n == u->room) {
			u->room = u->room ? 2 * u->room : 256;
			more = u->room <= FUNCTIONS_MAX
				       ? reallocarray(u->function, u->room,
						      sizeof(*more))
				       : NULL;
			if (!more) {
				u->room = u->n;
				return;
			}
			u->function = more;
		}
		u->function[u->n++] = (struct function){low, high, *die};
	}
}

/* All that have code, wherever they stand: in namespaces, classes, in one
 * another. */
static void collect(struct unit *u, Dwarf_Die *of, unsigned depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(of, &die) != 0)
		return;
	do {
		if (++u->entries > ENTRIES_MAX)
			return;
		if (dwarf_tag(&die) == DW_TAG_subprogram)
			add_ranges(u, &die);
		if (dwarf_haschildren(&die) > 0)
			collect(u, &die, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0);
}

static void open_unit(struct unit *u, const Dwarf_Die *die)
{
	Dwarf_Off at = dwarf_dieoffset((Dwarf_Die *)(uintptr_t)die);

	if (u->open && u->at == at)
		return;
	*u = (struct unit){.die = *die,
			   .open = true,
			   .at = at,
			   .function = u->function,
			   .room = u->room};
	collect(u, &u->die, 0);
}

/* The smallest that holds the address: one may stand in another. */
static bool function_at(const struct unit *u, uint64_t address, Dwarf_Die *ret)
{
	const struct function *best = NULL;

	for (size_t i = 0; i < u->n; i++) {
		const struct function *f = &u->function[i];

		if (address >= f->low && address < f->high &&
		    (!best || f->high - f->low < best->high - best->low))
			best = f;
	}
	if (best)
		*ret = best->die;
	return best != NULL;
}

/* --- an address ---------------------------------------------------------- */

/* What was inlined at an address, in an entry: through blocks. */
static bool inlined_at(Dwarf_Die *of, uint64_t address, unsigned depth,
		       Dwarf_Die *ret)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(of, &die) != 0)
		return false;
	do {
		int tag = dwarf_tag(&die);

		if ((tag != DW_TAG_inlined_subroutine &&
		     tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
		     tag != DW_TAG_catch_block) ||
		    dwarf_haspc(&die, address) <= 0)
			continue;
		if (tag != DW_TAG_inlined_subroutine)
			return inlined_at(&die, address, depth + 1, ret);
		*ret = die;
		return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

static const char *text_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute a;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &a));
}

static void name(struct ht_source *l, Dwarf_Die *die)
{
	const char *text = text_of(die, DW_AT_linkage_name);

	if (!text)
		text = text_of(die, DW_AT_MIPS_linkage_name);
	if (!text)
		text = text_of(die, DW_AT_name);
	snprintf(l->function, sizeof(l->function), "%s", text ? text : "");
}

/* The end of a long path says more. */
static void place(struct ht_source *l, const char *file, int line)
{
	size_t len = file ? strlen(file) : 0;

	if (len >= sizeof(l->file))
		file += len - sizeof(l->file) + 1;
	snprintf(l->file, sizeof(l->file), "%s", len ? file : "");
	l->line = line > 0 && len ? (uint64_t)line : HT_UNKNOWN;
}

static void place_of_address(struct ht_source *l, Dwarf_Die *unit,
			     uint64_t address)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address);
	int number = 0;

	place(l, line ? dwarf_linesrc(line, NULL, NULL) : NULL,
	      line && dwarf_lineno(line, &number) == 0 ? number : 0);
}

/* From where what is inlined is called. */
static void place_of_call(struct ht_source *l, Dwarf_Die *unit,
			  Dwarf_Die *inlined)
{
	Dwarf_Word file = 0, line = 0;
	Dwarf_Attribute a;
	Dwarf_Files *files;
	const char *text = NULL;
	size_t n;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &a), &file) ==
		    0 &&
	    dwarf_getsrcfiles(unit, &files, &n) == 0)
		text = dwarf_filesrc(files, file, NULL, NULL);
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &a), &line) !=
		    0 ||
	    line > INT32_MAX)
		line = 0;
	place(l, text, (int)line);
}

static bool tell(struct unit *u, uint32_t index, uint64_t address,
		 ht_lines_fn fn, void *ctx)
{
	struct ht_source l = {.index = index};
	Dwarf_Die chain[HT_LINES_INLINED_MAX];
	unsigned n = 1;

	place_of_address(&l, &u->die, address);
	if (!function_at(u, address, &chain[0]))
		return l.line == HT_UNKNOWN || fn(ctx, &l);
	while (n < HT_LINES_INLINED_MAX &&
	       inlined_at(&chain[n - 1], address, 0, &chain[n]))
		n++;
	while (n-- > 0) {
		l.inlined = n > 0;
		name(&l, &chain[n]);
		if (!fn(ctx, &l))
			return false;
		if (n > 0)
			place_of_call(&l, &u->die, &chain[n]);
	}
	return true;
}

/* --- units --------------------------------------------------------------- */

struct wanted {
	uint64_t address;
	uint32_t index;
	bool found;
	Dwarf_Die unit;
};

static int by_unit(const void *x, const void *y)
{
	struct wanted a = *(const struct wanted *)x;
	struct wanted b = *(const struct wanted *)y;
	Dwarf_Off at = a.found ? dwarf_dieoffset(&a.unit) : 0;
	Dwarf_Off bt = b.found ? dwarf_dieoffset(&b.unit) : 0;

	if (at != bt)
		return at < bt ? -1 : 1;
	return (a.index > b.index) - (a.index < b.index);
}

/* Not every compiler writes a table of which addresses are whose. */
static void search_units(Dwarf *dw, struct wanted *w, size_t n)
{
	Dwarf_Off at = 0, next;
	size_t header;

	while (dwarf_nextcu(dw, at, &next, &header, NULL, NULL, NULL) == 0 &&
	       next > at) {
		Dwarf_Die die;

		if (dwarf_offdie(dw, at + header, &die))
			for (size_t i = 0; i < n; i++)
				if (!w[i].found &&
				    dwarf_haspc(&die, w[i].address) > 0) {
					w[i].found = true;
					w[i].unit = die;
				}
		at = next;
	}
}

static void find_units(Dwarf *dw, struct wanted *w, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++) {
		w[i].found = dwarf_addrdie(dw, w[i].address, &w[i].unit) &&
			     dwarf_haspc(&w[i].unit, w[i].address) > 0;
		missing += !w[i].found;
	}
	if (missing)
		search_units(dw, w, n);
	qsort(w, n, sizeof(*w), by_unit);
}

enum ht_code ht_lines_find(int fd, int alt_fd, const uint64_t *address,
			   uint32_t n, ht_lines_fn fn, void *ctx,
			   struct ht_err *err)
{
	HT_AUTO_FREE struct wanted *w = calloc(n ? n : 1, sizeof(*w));
	Dwarf *dw = dwarf_begin(fd, DWARF_C_READ);
	Dwarf *alt = alt_fd >= 0 ? dwarf_begin(alt_fd, DWARF_C_READ) : NULL;
	struct unit unit = {0};
	bool go_on = dw && w;

	if (alt && dw)
		dwarf_setalt(dw, alt);
	for (uint32_t i = 0; go_on && i < n; i++)
		w[i] = (struct wanted){.address = address[i], .index = i};
	if (go_on)
		find_units(dw, w, n);
	for (uint32_t i = 0; go_on && i < n; i++) {
		if (!w[i].found)
			continue;
		open_unit(&unit, &w[i].unit);
		go_on = tell(&unit, w[i].index, w[i].address, fn, ctx);
	}
	free(unit.function);
	dwarf_end(dw);
	dwarf_end(alt);
	return dw && w ? HT_OK
		       : ht_fail(err, HT_UNSUPPORTED, "no debug information");
}
