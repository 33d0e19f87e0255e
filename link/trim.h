/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trim: what an agent says of malloc_trim(0) in its target: the forecast, and,
 * when it was asked to have it called, what came of it. Beside the snapshot of
 * the same answer: the one before the call, or after it.
 */
#ifndef HT_LINK_TRIM_H
#define HT_LINK_TRIM_H

#include "schema/snapshot.h"

/* X(CONSTANT, "name"): why it was not called. The names are a contract. */
/* clang-format off */
#define HT_TRIM_REFUSALS(X)                                             \
	X(NONE, "")                                                     \
	X(I386, "i386")                                                 \
	X(ALLOCATOR, "allocator")                                       \
	X(SYMBOL, "symbol")                                             \
	X(DAMAGED, "damaged")                                           \
	X(UNKNOWN, "unknown")                                           \
	X(LOCKED, "locked")                                             \
	X(NOTHING, "nothing")                                           \
	X(HOLD, "hold")                                                 \
	X(SECCOMP, "seccomp")                                           \
	X(SHADOW_STACK, "shadow_stack")                                 \
	X(FORK, "fork")                                                 \
	X(ARENA_LOCKED, "arena_locked")                                 \
	X(STOPPED, "stopped")                                           \
	X(NO_SLEEPER, "no_sleeper")                                     \
	X(IN_MALLOC, "in_malloc")                                       \
	X(IN_LOADER, "in_loader")                                       \
	X(IN_HANDLER, "in_handler")                                     \
	X(UNWINDING, "unwinding")                                       \
	X(STACK, "stack")                                               \
	X(TRACED, "traced")                                             \
	X(SYSTEM, "system")                                             \
	X(ARENA_TOPS, "arena_tops")
/* clang-format on */
enum ht_trim_refusal {
#define HT_TRIM_REFUSAL(id, name) HT_TRIM_##id,
	HT_TRIM_REFUSALS(HT_TRIM_REFUSAL)
#undef HT_TRIM_REFUSAL
		HT_TRIM_REFUSAL_COUNT
};
extern const char *const ht_trim_refusals[HT_TRIM_REFUSAL_COUNT];

/* What the call costs on this machine, in nanoseconds, as measured by the agent
 * on pages of its own: for each chunk that it looks at, each of them that has
 * whole pages (one madvise), and each page that goes. */
struct ht_trim_cost {
	uint64_t chunk_ns, advise_ns, page_ns;
};

/* Figures not known are HT_UNKNOWN. Bytes and microseconds. */
struct ht_trim {
	uint64_t bytes;		/* forecast: what RSS loses */
	uint64_t machine_bytes; /* ... and the machine gains: without pages that
				   other processes share */
	uint64_t hold_us; /* ... the longest that an arena's lock is held */
	uint64_t call_us; /* ... the whole call */
	struct ht_trim_cost cost;
	uint64_t refusal;    /* enum ht_trim_refusal */
	uint64_t done;	     /* 1: it was called */
	uint64_t thread;     /* by this one */
	uint64_t stopped_us; /* which stood still for so long in all */
	uint64_t took_us;    /* HT_UNKNOWN: it was still at work at the end */
	uint64_t rss_before, rss_after; /* by the kernel, around the call */
	char why[400];			/* the refusal in words; "" */
};

void ht_trim_init(struct ht_trim *t);

/* Nanoseconds for which an arena (its index) is locked, by its bins (which
 * HT_WANT_BINS asks for) and its trimmable pages. HT_UNKNOWN: not known. */
uint64_t ht_trim_hold_ns(const struct ht_snapshot *s,
			 const struct ht_trim_cost *cost, uint64_t arena);
/* Fills bytes, machine_bytes, hold_us and call_us from the snapshot and the
 * cost. */
void ht_trim_forecast(const struct ht_snapshot *s, struct ht_trim *t);

#endif
