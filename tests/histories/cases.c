/* SPDX-License-Identifier: Apache-2.0 */
/* The made services. What is accepted at the end is what an operator would not
 * call wrong; LEAK and NON_MALLOC_GROWTH are wrong wherever nothing leaks. */
#include "tests/histories/service.h"

/* A case repeats a kind with other figures. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define GIB 0x1p30
#define CALM                                                                   \
	(LABEL(STABLE) | LABEL(PERIODIC) | LABEL(CACHE_WARMUP) |               \
	 LABEL(POOL_GROWTH) | LABEL(FRAGMENTATION))
#define YOUNG (CALM | LABEL(INSUFFICIENT_DATA))
#define LEAKS LABEL(LEAK)

/* Of most services: a minute's samples over a week, 2 GiB, 20 classes. */
#define WEEK                                                                   \
	.days = 7, .step_s = 60, .level = 2 * GIB, .classes = 20,              \
	.noise = 0.01, .wander = 0.01, .retained = 0.3
#define DAY_NIGHT WEEK, .load = LOAD_DAY, .swing = 0.3
#define OFFICE	  WEEK, .load = LOAD_OFFICE, .swing = 0.5, .weekend = 0.2
#define LEAKING(kind, rate)                                                    \
	.leak = LEAK_##kind, .mb_h = (rate), .strict = LEAKS, .accept = LEAKS
#define IS(name) .strict = LABEL(name), .accept = CALM

const struct ht_case ht_cases[] = {
	/* --- nothing leaks */
	{"flat", WEEK, IS(STABLE)},
	{"flat, few classes", WEEK, .classes = 4, IS(STABLE)},
	{"flat, wandering classes", WEEK, .wander = 0.05, IS(STABLE)},
	{"day and night", DAY_NIGHT, IS(PERIODIC)},
	{"day and night, only the heap is known", DAY_NIGHT, .few = true,
	 .classes = 3, IS(PERIODIC)},
	{"day and night, +-60 %", DAY_NIGHT, .swing = 0.6, IS(PERIODIC)},
	{"day and night, 60 classes", DAY_NIGHT, .classes = 60, IS(PERIODIC)},
	{"day and night, every 5 min", DAY_NIGHT, .step_s = 300, IS(PERIODIC)},
	{"day and night, every 10 s", DAY_NIGHT, .days = 3, .step_s = 10,
	 IS(PERIODIC)},
	{"day and night, rough", DAY_NIGHT, .wander = 0.06, IS(PERIODIC)},
	{"office hours", OFFICE, IS(PERIODIC)},
	{"weekends", DAY_NIGHT, .weekend = 0.6, IS(PERIODIC)},
	{"tenants", DAY_NIGHT, .load = LOAD_TENANTS, IS(PERIODIC)},
	{"tenants, +-60 %", DAY_NIGHT, .load = LOAD_TENANTS, .swing = 0.6,
	 IS(PERIODIC)},
	{"saturating", DAY_NIGHT, .load = LOAD_SATURATING, .swing = 0.5,
	 IS(PERIODIC)},
	{"lagging", DAY_NIGHT, .load = LOAD_LAGGING, .swing = 0.4,
	 IS(PERIODIC)},
	{"load grows 15 % a week", DAY_NIGHT, .load = LOAD_TREND, IS(PERIODIC)},
	{"wandering load", WEEK, .load = LOAD_WALK, .swing = 0.15, IS(STABLE)},
	{"cache fills in hours", DAY_NIGHT, .cache = 0.4, .cache_h = 4,
	 IS(PERIODIC)},
	{"cache fills in a day", DAY_NIGHT, .cache = 0.4, .cache_h = 18,
	 IS(PERIODIC)},
	{"flat, cache fills in a day", WEEK, .cache = 0.5, .cache_h = 18,
	 IS(CACHE_WARMUP)},
	{"nightly batch", WEEK, .batch = 0.6, IS(PERIODIC)},
	{"nightly batch over day and night", DAY_NIGHT, .batch = 0.4,
	 IS(PERIODIC)},
	{"sawtooth of 40 min", WEEK, .saw = 0.15, .saw_min = 40, IS(STABLE)},
	{"sawtooth of 11 h", WEEK, .saw = 0.2, .saw_min = 660, IS(PERIODIC)},
	{"a step", WEEK, .shift = 0.15, IS(STABLE)},
	{"a step over day and night", DAY_NIGHT, .shift = 0.2, IS(PERIODIC)},
	{"mmap threshold's ratchet", WEEK, .ratchet = 0.25, IS(STABLE)},
	{"ratchet over day and night", DAY_NIGHT, .ratchet = 0.25,
	 IS(PERIODIC)},
	{"sizes drift", WEEK, .drift = 0.15, IS(STABLE)},
	{"sizes drift over day and night", DAY_NIGHT, .drift = 0.15,
	 IS(PERIODIC)},
	{"much retained", DAY_NIGHT, .retained = 1, .swing = 0.5, IS(PERIODIC)},
	{"deploy every 8 h", DAY_NIGHT, .life_h = 8, .strict = LABEL(STABLE),
	 .accept = YOUNG},
	{"deploy every 8 h, cache", DAY_NIGHT, .life_h = 8, .cache = 0.2,
	 .cache_h = 2, .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every 8 h, tenants", DAY_NIGHT, .load = LOAD_TENANTS,
	 .life_h = 8, .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every 8 h, cache of 18 h", DAY_NIGHT, .life_h = 8,
	 .cache = 0.4, .cache_h = 18, .strict = LABEL(CACHE_WARMUP),
	 .accept = YOUNG},
	{"deploy every 8 h, office hours", OFFICE, .life_h = 8,
	 .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every 8 h, rough", DAY_NIGHT, .life_h = 8, .wander = 0.06,
	 .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every 8 h, lagging", DAY_NIGHT, .load = LOAD_LAGGING,
	 .swing = 0.4, .life_h = 8, .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every 5 h, saturating", DAY_NIGHT, .load = LOAD_SATURATING,
	 .swing = 0.5, .life_h = 5, .strict = LABEL(STABLE), .accept = YOUNG},
	{"deploy every day, cache of 18 h", DAY_NIGHT, .life_h = 24,
	 .cache = 0.4, .cache_h = 18, IS(PERIODIC)},
	{"deploy every day", OFFICE, .life_h = 24, IS(STABLE)},
	{"gap of 9 h", DAY_NIGHT, .gap_h = 9, IS(PERIODIC)},
	{"clock set back 20 min", DAY_NIGHT, .clock_s = -1200, IS(PERIODIC)},
	{"clock set forward 2 h", DAY_NIGHT, .clock_s = 7200, IS(PERIODIC)},
	{"sampled five times slower half way", DAY_NIGHT, .rate_change = 5,
	 IS(PERIODIC)},
	{"day and night for 30 days", DAY_NIGHT, .days = 30, .step_s = 300,
	 IS(PERIODIC)},
	{"small and flat", WEEK, .level = 0.1 * GIB, IS(STABLE)},
	/* --- leaks */
	{"10 MB/h, flat", WEEK, LEAKING(TIME, 10)},
	{"10 MB/h, day and night", DAY_NIGHT, LEAKING(TIME, 10)},
	{"10 MB/h, day and night, few known", DAY_NIGHT, .few = true,
	 .classes = 3, LEAKING(TIME, 10)},
	{"10 MB/h, tenants", DAY_NIGHT, .load = LOAD_TENANTS,
	 LEAKING(TIME, 10)},
	{"10 MB/h, lagging", DAY_NIGHT, .load = LOAD_LAGGING,
	 LEAKING(TIME, 10)},
	{"10 MB/h, office hours", OFFICE, LEAKING(TIME, 10)},
	{"10 MB/h a request, day and night", DAY_NIGHT, LEAKING(REQUEST, 10)},
	{"10 MB/h a request, office", OFFICE, LEAKING(REQUEST, 10)},
	{"10 MB/h by night", DAY_NIGHT, LEAKING(NIGHT, 10)},
	{"10 MB/h by connection", DAY_NIGHT, LEAKING(CONNECTION, 10)},
	{"10 MB/h mmapped", DAY_NIGHT, LEAKING(MMAPPED, 10)},
	{"10 MB/h over five classes", DAY_NIGHT, LEAKING(SPREAD, 10)},
	{"10 MB/h from day 3 on", DAY_NIGHT, .begin_day = 3, LEAKING(TIME, 10)},
	{"10 MB/h from day 3 on, flat", WEEK, .begin_day = 3,
	 LEAKING(TIME, 10)},
	{"10 MB/h on day 2 only", DAY_NIGHT, .begin_day = 1, .end_day = 2,
	 .leak = LEAK_TIME, .mb_h = 10, IS(PERIODIC)},
	{"10 MB/h from day 25 of 30", DAY_NIGHT, .days = 30, .step_s = 300,
	 .begin_day = 25, LEAKING(TIME, 10)},
	{"10 MB/h after a step", DAY_NIGHT, .shift = 0.2, LEAKING(TIME, 10)},
	{"10 MB/h beside a cache", DAY_NIGHT, .cache = 0.3, .cache_h = 10,
	 LEAKING(TIME, 10)},
	{"10 MB/h under batches", DAY_NIGHT, .batch = 0.4, LEAKING(TIME, 10)},
	{"10 MB/h while sizes drift", DAY_NIGHT, .drift = 0.05,
	 LEAKING(TIME, 10)},
	{"10 MB/h, doubling", WEEK, LEAKING(DOUBLING, 10)},
	{"10 MB/h outside malloc", DAY_NIGHT, .leak = LEAK_OUTSIDE, .mb_h = 10,
	 .strict = LABEL(NON_MALLOC_GROWTH),
	 .accept = LABEL(NON_MALLOC_GROWTH)},
	{"40 MB/h in lives of 8 h", DAY_NIGHT, .life_h = 8, LEAKING(TIME, 40)},
	{"10 MB/h in lives of 8 h", DAY_NIGHT, .life_h = 8, LEAKING(TIME, 10)},
	{"40 MB/h in lives of 8 h, mended on day 5", DAY_NIGHT, .life_h = 8,
	 .end_day = 5, .leak = LEAK_TIME, .mb_h = 40,
	 .strict = LABEL(STABLE) | LEAKS, .accept = YOUNG | LEAKS},
	{"20 MB/h outside malloc in lives of 8 h", DAY_NIGHT, .life_h = 8,
	 .leak = LEAK_OUTSIDE, .mb_h = 20, .strict = LABEL(NON_MALLOC_GROWTH),
	 .accept = LABEL(NON_MALLOC_GROWTH)},
	{"10 MB/h in lives of a day", DAY_NIGHT, .life_h = 24,
	 LEAKING(TIME, 10)},
	{"2 MB/h, flat", WEEK, LEAKING(TIME, 2)},
	{"2 MB/h, day and night", DAY_NIGHT, LEAKING(TIME, 2)},
	{"2 MB/h a request, office", OFFICE, LEAKING(REQUEST, 2)},
	{"0.5 MB/h, flat", WEEK, LEAKING(TIME, 0.5)},
	{"0.5 MB/h, day and night", DAY_NIGHT, LEAKING(TIME, 0.5)},
	{"1 MB/h of 100 MB, day and night", DAY_NIGHT, .level = 0.1 * GIB,
	 LEAKING(TIME, 1)},
};
const size_t ht_cases_n = sizeof(ht_cases) / sizeof(ht_cases[0]);
