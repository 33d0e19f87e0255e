/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dwarf: offsets of struct members and the code range of malloc.o, from a file
 * with debug information (DWARF 4 and 5, compressed or not). With die.h the
 * only files that know libdwarf, whose interface changed between versions.
 */
#ifndef HT_AGENT_LIBC_DWARF_H
#define HT_AGENT_LIBC_DWARF_H

#include "agent/libc/facts.h"

/* Fills dwarf[], dwarf_size[], text_start and text_end of ret from the
 * compilation unit that holds malloc_address. HT_UNSUPPORTED: the file has no
 * such unit, or no debug information. fd is borrowed. */
enum ht_code ht_dwarf_read(int fd, uint64_t malloc_address,
			   struct ht_facts *ret,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
