/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typing: when it is looked what the chunks of a process are (types = on), and
 * which type the looks say to grow. Pure: no clock, no I/O; times are
 * monotonic.
 */
#ifndef HT_DAEMON_PROCESS_TYPING_H
#define HT_DAEMON_PROCESS_TYPING_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/verdict_json.h"

struct ht_typing {
	int64_t asked_ns; /* 0: never */
	unsigned refused; /* times in a row since */
	bool asking;	  /* with what runs */
	bool news;	  /* what grew is in no alert yet */
	struct ht_held_by grown;
};

/* Whether it is to be asked with the next sample: the last time is `every_ns`
 * ago; what was refused is asked again after 10 s, 20 s, 40 s ..., a day at
 * most. Pure. */
bool ht_typing_due(const struct ht_typing *t, int64_t every_ns, int64_t now_ns);
/* Which type grows, where the verdict is about that; NULL: not known. Pure. */
const char *ht_typing_of(const struct ht_typing *t, const struct ht_verdict *v);

#endif
