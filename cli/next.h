/* SPDX-License-Identifier: Apache-2.0 */
/* Next: what to type after a verdict. Pure. */
#ifndef HT_CLI_NEXT_H
#define HT_CLI_NEXT_H

#include "analysis/verdict.h"

struct ht_next_ask {
	const struct ht_verdict *verdict;
	uint64_t pid;
	bool alive;	  /* as far as is known */
	bool trimmable;	  /* malloc_trim(0) is among the remedies */
	bool owners_told; /* who holds it was looked at already */
	bool no_heap;	  /* glibc's was not found: more time does not help */
	const char *db;	  /* the record to go on with; NULL: none */
};

#define HT_NEXT_MAX 8
struct ht_next {
	char type[400];	  /* word for word, as a shell takes it */
	const char *why;  /* what it tells or does */
	const char *cost; /* what it does to the process; "": nothing */
	bool stops;	  /* threads of the process */
};

/* The commands that carry on from this verdict, the most telling first; none
 * that needs the process where it has ended. Returns how many. */
size_t ht_next(const struct ht_next_ask *ask, struct ht_next ret[HT_NEXT_MAX]);

/* A word as a POSIX shell reads it back: in quotes where it has to be. What
 * does not fit is cut. Returns out. */
const char *ht_shell_word(const char *word, char *out, size_t len);

#endif
