/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdict: what a series means. Pure: the same series always gives the same
 * verdict. The method and its measured rates are in docs/verdicts.md, the
 * thresholds with their meaning in thresholds.def.
 */
#ifndef HT_ANALYSIS_VERDICT_H
#define HT_ANALYSIS_VERDICT_H

#include "analysis/rise.h"
#include "schema/series.h"

/* clang-format off */
#define HT_VERDICT_NAMES(X)                                             \
	X(INSUFFICIENT_DATA)                                            \
	X(LEAK)                                                         \
	X(POOL_GROWTH)                                                  \
	X(TOP_PINNED)                                                   \
	X(FRAGMENTATION)                                                \
	X(ARENA_PROLIFERATION)                                          \
	X(CACHE_WARMUP)                                                 \
	X(PERIODIC)                                                     \
	X(NON_MALLOC_GROWTH)                                            \
	X(STABLE)

/* Reasons: stable words in a verdict's `reason`. */
#define HT_REASONS(X)                                                   \
	X(YOUNG, "young_growth")                                        \
	X(BLIND, "residency_unknown")                                   \
	X(TOTAL, "in_use")                                              \
	X(CLASS, "size_class")                                          \
	X(WRITTEN, "written")                                           \
	X(SLOWING, "slowing")                                           \
	X(FILLING, "filling")                                           \
	X(WARM, "warm")                                                 \
	X(START_UP, "start_up")                                         \
	X(THREAD_CACHE, "thread_caches")                                \
	X(FASTBINS, "fastbins")                                         \
	X(TRIM, "trim_threshold")                                       \
	X(TOPS, "tops_kept")                                            \
	X(HOLES, "holes")                                               \
	X(SHIFT, "level_shift")                                         \
	X(LOAD, "load")                                                 \
	X(BOUNDED, "bounded")                                           \
	X(UNBOUNDED, "unbounded")
/* clang-format on */

enum ht_label {
#define HT_LABEL(name) HT_LABEL_##name,
	HT_VERDICT_NAMES(HT_LABEL)
#undef HT_LABEL
		HT_LABEL_COUNT
};
extern const char *const ht_label_names[HT_LABEL_COUNT];

enum ht_reason {
	HT_REASON_NONE, /* none, or `reason` says which data there is not */
#define HT_REASON(id, word) HT_REASON_##id,
	HT_REASONS(HT_REASON)
#undef HT_REASON
		HT_REASON_COUNT
};
extern const char *const ht_reason_names[HT_REASON_COUNT];

#define HT_EVIDENCE_MAX 12
struct ht_verdict {
	enum ht_label label;
	enum ht_label also[HT_LABEL_COUNT]; /* later matches, strongest first */
	size_t also_n;
	double confidence; /* 0..1 */
	int64_t from_ns, to_ns,
		since_ns; /* window; when it began, 0: unknown */
	size_t samples;
	enum ht_reason why; /* which rule of its label it was */
	char reason[64];    /* its stable word; empty: none */
	char evidence[HT_EVIDENCE_MAX][240];
	size_t evidence_n;
	uint32_t evidence_again; /* bit i: of line i other members tell as well
				  */
	char remedy[400];
	uint64_t remedy_bytes;	     /* HT_UNKNOWN: none */
	double slope_bytes_per_hour; /* NaN unless growing */
	/* When the nearest limit is reached, with the speed's 80 % interval;
	 * low 0: not growing, no limit or beyond a year; at, high 0: beyond it.
	 */
	int64_t eta_at_ns, eta_low_ns, eta_high_ns;
	uint64_t limit_bytes;	/* HT_UNKNOWN: none, or it is no bytes: */
	uint64_t limit_count;	/* mappings, threads or descriptors */
	char limit_name[128];	/* which one; empty: none, or not known */
	struct ht_rise rise;	/* of RSS over the window */
	uint64_t culprit_class; /* max_size; HT_UNKNOWN: none */
	char culprit[160];	/* class, arena, kind of mapping, or pin */
	uint64_t idle_floor;	/* lowest retained in the window */
	double period_s;	/* NaN: no season */
};

/* Judges the longest window that has enough data and agrees with the shortest
 * (1 h, 6 h, 24 h, 7 d, whole). now_ns: end of the window, usually the last
 * sample's time. latest: the newest snapshot, for the pin and the figures that
 * no series holds; may be NULL. */
void ht_verdict(const struct ht_series *s, int64_t now_ns,
		const struct ht_snapshot *latest, struct ht_verdict *ret);
/* The same over exactly [from, to]. */
void ht_verdict_window(const struct ht_series *s, int64_t from_ns,
		       int64_t to_ns, const struct ht_snapshot *latest,
		       struct ht_verdict *ret);

/* Is it about memory in use that grows? */
bool ht_verdict_grows(const struct ht_verdict *v);
/* "high", "medium", "low". */
const char *ht_confidence_word(double confidence);

#endif
