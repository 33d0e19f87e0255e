/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines: which function, file and line an instruction was made of, and which
 * functions were inlined there, by a file's debug information (DWARF 2 to 5,
 * compressed or not), by libdwarf. What dwz moved to a file that several share
 * (.gnu_debugaltlink, .debug_sup) is read there, where that is at hand.
 *
 * The files are hostile: they are parsed in a process of its own
 * (lines_role.h).
 */
#ifndef HT_AGENT_LIBC_LINES_H
#define HT_AGENT_LIBC_LINES_H

#include "agent/libc/facts.h"
#include "schema/records.h"

#define HT_LINES_INLINED_MAX                                                   \
	16		     /* functions at one instruction, the one that     \
				holds them all among them */
#define HT_LINES_AT_ONCE 512 /* addresses */

struct ht_source {
	uint32_t index;	    /* of the address that was asked for */
	uint32_t inlined;   /* 1: no function of its own there */
	uint64_t line;	    /* HT_UNKNOWN */
	char function[256]; /* as the linker calls it, else the source; "" */
	char file[256];	    /* "": not known */
};

/* What a file is, for whoever looks for its debug information. */
struct ht_lines_build {
	uint32_t described; /* has debug information itself */
	uint32_t id_len;
	uint8_t id[HT_BUILD_ID_MAX];
	char debuglink[64]; /* "": none */
	uint32_t link_sum;  /* of the file that it names */
	uint32_t sum;	    /* of this one, where it was asked for: gdb's CRC */
	uint32_t shared_id_len;
	uint8_t shared_id[HT_BUILD_ID_MAX];
	char shared[512]; /* what dwz moved names to; "": no such file */
};

void ht_lines_look(int fd, bool sum, struct ht_lines_build *ret);

/* Calls fn for each function at each of n addresses of the file (no load
 * bias), the innermost first; nothing for those that nothing describes.
 * HT_UNSUPPORTED: no debug information. Both files are borrowed; shared: what
 * dwz moved names to, or -1: those in it are not told. */
typedef bool (*ht_lines_fn)(void *ctx, const struct ht_source *line);
enum ht_code ht_lines_find(int fd, int shared, const uint64_t *address,
			   uint32_t n, ht_lines_fn fn, void *ctx,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
