/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what was found in a graph of chunks: what they are, what holds
 * them. */
#ifndef HT_ANALYSIS_GRAPH_TEXT_H
#define HT_ANALYSIS_GRAPH_TEXT_H

#include "schema/snapshot.h"

#define HT_GRAPH_NAME	  320
#define HT_GRAPH_SENTENCE 900

/* "Session, 224 B chunks (malloc of 201 to 216 bytes)". Returns out. */
const char *ht_graph_chunks(const struct ht_snapshot *s, const char *type,
			    uint64_t max_size, char out[HT_GRAPH_NAME]);
/* "log (static, web)", "the stack of thread 12". Returns out. */
const char *ht_graph_holder(const struct ht_holder *h, char out[HT_GRAPH_NAME]);
/* Reachable from nowhere. */
bool ht_graph_is_lost(const struct ht_holder *h);
/* What it holds; NULL: nothing that is listed. */
const struct ht_owned *ht_graph_owned(const struct ht_snapshot *s,
				      const struct ht_holder *h);
/* "100 % of 9.0 MiB in 224 B chunks (malloc of 201 to 216 bytes): list, by log
 * (static, web)". o: ht_graph_owned() of h; bytes: as many as it has. */
void ht_graph_sentence(const struct ht_snapshot *s, const struct ht_holder *h,
		       const struct ht_owned *o, const char *bytes,
		       char out[HT_GRAPH_SENTENCE]);

#endif
