/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: whose turn is next of many, by time. Who comes, goes or gets another
 * time costs the logarithm of their number, who is first costs nothing, and
 * none of it needs memory: the links lie in what stands in line (a pairing
 * heap).
 */
#ifndef HT_DAEMON_PROCESS_TURNS_H
#define HT_DAEMON_PROCESS_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct ht_turn {
	int64_t at_ns;
	bool waits;		/* it stands in line */
	struct ht_turn *child;	/* the first of those that come after it */
	struct ht_turn *beside; /* the next of its parent's */
	struct ht_turn *before; /* whose child or beside it is; NULL: first */
};

struct ht_turns {
	struct ht_turn *first; /* NULL: nobody waits */
};

/* In line with this time; who stands there already moves. */
void ht_turns_put(struct ht_turns *t, struct ht_turn *turn, int64_t at_ns);
/* Out of it; who does not stand there stays out. */
void ht_turns_leave(struct ht_turns *t, struct ht_turn *turn);

#endif
