/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Die: entries of debug information, by libdwarf, as far as lines are told by
 * them (lines.h): walking, attributes, ranges. What is not there, or of a form
 * that libdwarf cannot follow, is not there.
 */
#ifndef HT_AGENT_LIBC_DIE_H
#define HT_AGENT_LIBC_DIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>

/* NULL: the file has none. Borrows fd until closed. */
Dwarf_Debug ht_die_open(int fd);
void ht_die_close(Dwarf_Debug dbg);

/* Whether a call yielded something; its error object is freed. */
bool ht_die_fine(Dwarf_Debug dbg, int result, Dwarf_Error e);
/* The first entry in `of`, and the one behind `die`, which is freed; NULL: no
 * more. The caller frees what it keeps: ht_die_free. */
Dwarf_Die ht_die_child(Dwarf_Debug dbg, Dwarf_Die of);
Dwarf_Die ht_die_next(Dwarf_Debug dbg, Dwarf_Die die);
void ht_die_free(Dwarf_Debug dbg, Dwarf_Die die);
/* An entry by its offset in .debug_info, and the offset; NULL, 0: none. */
Dwarf_Die ht_die_at(Dwarf_Debug dbg, uint64_t offset);
uint64_t ht_die_offset(Dwarf_Debug dbg, Dwarf_Die die);
unsigned ht_die_tag(Dwarf_Debug dbg, Dwarf_Die die);

bool ht_die_number(Dwarf_Debug dbg, Dwarf_Die die, unsigned attribute,
		   uint64_t *ret);
/* shared: what dwz made of what several files had in common; NULL: not at hand,
 * and what is in it is not there. The text is borrowed, of either file. */
const char *ht_die_text(Dwarf_Debug dbg, Dwarf_Debug shared, Dwarf_Die die,
			unsigned attribute);
/* The entry that an attribute refers to, and the file that it is in, `dbg` or
 * `shared`; NULL. */
Dwarf_Die ht_die_follow(Dwarf_Debug dbg, Dwarf_Debug shared, Dwarf_Die die,
			unsigned attribute, Dwarf_Debug *ret_in);

/* Calls fn for each range of code of an entry; base: of its unit. */
typedef void (*ht_die_range_fn)(void *ctx, uint64_t low, uint64_t high);
void ht_die_ranges(Dwarf_Debug dbg, Dwarf_Die die, uint64_t base,
		   ht_die_range_fn fn, void *ctx);

#endif
