/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame table: where the unwinding information of each function is, of a file
 * that has no table of that (.eh_frame_hdr): what `gcc -static` links. By its
 * sections, which a stripped file has, too. The file is hostile.
 */
#ifndef HT_AGENT_WHO_FRAME_TABLE_H
#define HT_AGENT_WHO_FRAME_TABLE_H

#include "agent/graph/modules.h"
#include "agent/memory/frames.h"

struct ht_frame_table {
	struct ht_frame_row *row; /* sorted; owned */
	size_t n;
	uint64_t base; /* of what is in them */
	bool made;     /* or was tried: there may be none */
};

/* Of a module whose file is open; no rows: it has none that can be read. */
void ht_frame_table_make(const struct ht_module *m, struct ht_frame_table *ret);
/* The same of a section's bytes, at an address. Pure. */
void ht_frame_table_parse(const uint8_t *bytes, size_t size, uint64_t address,
			  struct ht_frame_table *ret);
void ht_frame_table_fini(struct ht_frame_table *t);

#endif
