/* SPDX-License-Identifier: Apache-2.0 */
/* Trace: a recorded run of a labelled workload as a series, with what is true
 * at each moment. Lines are JSON as tests/workloads/wl.h writes them. */
#ifndef HT_TESTS_TRACE_H
#define HT_TESTS_TRACE_H

#include "analysis/verdict.h"

/* Labels as a set of bits, 1 << enum ht_label. */
struct ht_trace_phase {
	int64_t from_ns;
	unsigned now; /* acceptable until the next phase */
};

struct ht_trace {
	char name[64];
	enum ht_label label;
	unsigned accept, forbid;
	struct ht_trace_phase phases[16];
	size_t phases_n;
	struct ht_series series;
};

/* Every `every`-th sample from the first on, up to the truth line. Ends the
 * program with a message when the file cannot be read: a test without its data
 * has failed. */
void ht_trace_load(const char *path, size_t every, struct ht_trace *ret);
void ht_trace_fini(struct ht_trace *t);
/* What may be said at this time. */
unsigned ht_trace_now(const struct ht_trace *t, int64_t at_ns);
/* Calls `each` for every trace of a directory, in order of name. */
void ht_trace_each(const char *directory, size_t every,
		   void (*each)(const struct ht_trace *t, void *ctx),
		   void *ctx);

#endif
