/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stdio: the buffers of the target's streams. They hold what was read or is to
 * be written, and in front of that whatever their memory held before: a table
 * that was freed, as a rule, whose words still lead to what was in it. Nothing
 * is held by them.
 *
 * A stream proves itself by the number at its start and its two ends.
 */
#ifndef HT_AGENT_GRAPH_STDIO_H
#define HT_AGENT_GRAPH_STDIO_H

#include "agent/graph/groups.h"
#include "agent/graph/modules.h"
#include "agent/libc/locate.h"

#define HT_STREAMS_MAX 1024

struct ht_streams {
	uint64_t buffer[HT_STREAMS_MAX]; /* addresses */
	size_t n;
};

/* Words that may be the begin of a stream: notes its buffer. */
void ht_streams_meet(struct ht_streams *s, const uint64_t *words, size_t n);
/* Looks for them among the variables of the modules that have a malloc. */
void ht_streams_find(struct ht_streams *s, const struct ht_modules *m,
		     const struct ht_located *located, struct ht_reader *r);
/* Gives the chunks that are buffers groups of their own, of which nobody is
 * held (ht_group.holds_none). */
void ht_streams_part(const struct ht_streams *s, const struct ht_nodes *nodes,
		     struct ht_groups *g);

#endif
