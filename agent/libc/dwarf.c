/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
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

static bool number(Dwarf_Die *die, unsigned name, uint64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Word u;

	if (dwarf_formudata(dwarf_attr(die, name, &a), &u) != 0)
		return false;
	*ret = u;
	return true;
}

static bool follow_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute a;

	return dwarf_formref_die(dwarf_attr(die, DW_AT_type, &a), ret) != NULL;
}

/* Number of elements of an array type: the product of its subranges. */
static uint64_t array_count(Dwarf_Die *array)
{
	uint64_t count = 1, n;
	unsigned left = MEMBERS_MAX;
	Dwarf_Die d;

	if (dwarf_child(array, &d) != 0)
		return count;
	do {
		if (dwarf_tag(&d) != DW_TAG_subrange_type)
			continue;
		if (number(&d, DW_AT_count, &n))
			count *= n;
		else if (number(&d, DW_AT_upper_bound, &n))
			count *= n + 1;
	} while (left-- && dwarf_siblingof(&d, &d) == 0);
	return count;
}

/* Bytes of the type of die; 0: unknown. */
static uint64_t type_size(Dwarf_Die *die, unsigned depth)
{
	Dwarf_Die type;
	uint64_t size = 0;

	if (!depth || !follow_type(die, &type))
		return 0;
	if (number(&type, DW_AT_byte_size, &size))
		return size;
	size = type_size(&type, depth - 1);
	return dwarf_tag(&type) == DW_TAG_array_type ? size * array_count(&type)
						     : size;
}

static void read_member(Dwarf_Die *die, const char *of, struct ht_facts *ret)
{
	const char *name = dwarf_diename(die);
	uint64_t offset, size;

	if (!name || !number(die, DW_AT_data_member_location, &offset))
		return;
	for (size_t i = 0; i < PLACES; i++) {
		if (strcmp(places[i].name, of) != 0 ||
		    strcmp(places[i].member, name) != 0)
			continue;
		size = type_size(die, TYPE_DEPTH);
		ret->dwarf_num_slots |= strcmp(name, "num_slots") == 0;
		if (offset < UINT16_MAX && size && size < UINT16_MAX)
			ret->dwarf[places[i].id] = (struct ht_place){
				(uint16_t)offset, (uint16_t)size};
	}
}

static void read_members(Dwarf_Die *die, const char *of, struct ht_facts *ret)
{
	unsigned left = MEMBERS_MAX;
	Dwarf_Die d;

	if (dwarf_child(die, &d) != 0)
		return;
	do
		read_member(&d, of, ret);
	while (left-- && dwarf_siblingof(&d, &d) == 0);
}

static bool read_struct(Dwarf_Die *die, struct ht_facts *ret)
{
	const char *name;
	uint64_t size;

	if (dwarf_tag(die) != DW_TAG_structure_type ||
	    !(name = dwarf_diename(die)))
		return false;
	for (unsigned k = 0; k < HT_ROW_KINDS; k++) {
		if (strcmp(structs[k], name) != 0 || ret->dwarf_size[k] ||
		    !number(die, DW_AT_byte_size, &size) || size >= UINT16_MAX)
			continue;
		ret->dwarf_size[k] = size;
		read_members(die, structs[k], ret);
		return true;
	}
	return false;
}

/* Reads the structs among a unit's children. True: malloc_state was there. */
static bool read_unit(Dwarf_Die *unit, struct ht_facts *ret)
{
	unsigned left = CHILDREN_MAX, found = 0;
	Dwarf_Die d;

	if (dwarf_child(unit, &d) != 0)
		return false;
	do
		found += read_struct(&d, ret);
	while (found < HT_ROW_KINDS && left-- && dwarf_siblingof(&d, &d) == 0);
	return ret->dwarf_size[HT_ROW_ARENA] != 0;
}

/* All ranges of one unit are its code: hot part and cold parts lie apart, and
 * only the run around malloc itself is wanted. */
static void read_text(Dwarf *dw, uint64_t address, struct ht_facts *ret)
{
	Dwarf_Aranges *all;
	Dwarf_Word length;
	Dwarf_Addr start;
	Dwarf_Off unit;
	size_t n;

	if (dwarf_getaranges(dw, &all, &n) != 0 ||
	    dwarf_getarangeinfo(dwarf_getarange_addr(all, address), &start,
				&length, &unit) != 0)
		return;
	ret->text_start = start;
	ret->text_end = start + length;
}

enum ht_code ht_dwarf_read(int fd, uint64_t malloc_address,
			   struct ht_facts *ret, struct ht_err *err)
{
	Dwarf *dw = dwarf_begin(fd, DWARF_C_READ);
	Dwarf_Die unit;
	bool found;

	if (!dw)
		return ht_fail(err, HT_UNSUPPORTED, "no debug information: %s",
			       dwarf_errmsg(-1));
	/* By .debug_aranges: parsing every unit of a libc would take a hundred
	 * times longer. */
	found = dwarf_addrdie(dw, malloc_address, &unit) != NULL;
	if (found)
		read_text(dw, malloc_address, ret);
	found = found && read_unit(&unit, ret);
	dwarf_end(dw);
	if (!found)
		return ht_fail(err, HT_UNSUPPORTED,
			       "no malloc_state in the debug information");
	return HT_OK;
}
