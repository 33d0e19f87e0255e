/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions: those of a file without symbols, as its unwinding information
 * has them, which of them call each other, and which refer to a text. The file
 * is hostile: all that comes of it is a guess for who can check it.
 */
#ifndef HT_AGENT_WHO_FUNCTIONS_H
#define HT_AGENT_WHO_FUNCTIONS_H

#include "agent/who/frame_table.h"

#define HT_FUNCTION_NONE UINT32_MAX

/* A call, or a jump, from one function to the begin of another. */
struct ht_functions_edge {
	uint32_t from, to;
	bool call;
};

struct ht_functions {
	struct ht_frame_table table; /* a row is a function; owned */
	uint8_t *bytes;		     /* the module's code; owned */
	uint64_t address;
	size_t size;
	struct ht_functions_edge *edge; /* by the place in the code; owned */
	size_t edges;
};

/* false: it has no functions that can be told, is too large, or there is no
 * memory. ht_functions_fini() in any case. */
bool ht_functions_read(const struct ht_module *m, struct ht_functions *ret);
/* The same of bytes, with a table, both given away. */
bool ht_functions_scan(struct ht_functions *c);
void ht_functions_fini(struct ht_functions *c);

uint64_t ht_functions_address(const struct ht_functions *c, uint32_t function);
/* The next function from `from` on that refers to the text, which the module
 * has once, as a whole; HT_FUNCTION_NONE. */
uint32_t ht_functions_refers_to(const struct ht_functions *c, uint64_t address,
				uint32_t from);
bool ht_functions_has_product(const struct ht_functions *c, uint32_t function);
/* Where a text lies, zero before and behind it, among what a module does not
 * run; 0: nowhere, or at several places. */
uint64_t ht_functions_text(const struct ht_module *m, const char *text);

#endif
