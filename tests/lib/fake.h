/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake: snapshots of a process that never was, for the store's tests and
 * benches. The same numbers for the same arguments; sums close as they do in
 * real ones. Between two neighbours most rows are equal, as in life: a part of
 * the bins, classes and arenas moves, the rest rests.
 */
#ifndef HT_TESTS_FAKE_H
#define HT_TESTS_FAKE_H

#include "schema/snapshot.h"

struct fake {
	uint64_t pid;
	size_t arenas, threads, classes;
	uint64_t leak;	  /* bytes in use grow by this each sample */
	int64_t start_ns; /* of the first sample */
	int64_t step_ns;  /* between samples */
};

#define FAKE_T0 INT64_C(1750000000000000000)
#define FAKE_DEFAULT                                                           \
	((struct fake){4711, 10, 12, 90, 65536, FAKE_T0, 10000000000})

/* The n-th snapshot, from 0. `s` is initialised by the caller; emptied first.
 */
void fake_snapshot(const struct fake *f, uint64_t n, struct ht_snapshot *s);

/* Of a figure that may differ by a 64th: within, *want becomes it. */
void allow_64th(uint64_t *want, uint64_t got);
/* First difference between two snapshots as "record[row].field"; NULL: equal.
 * Lists are compared in order. Advice and the last record ids given in `skip`
 * (ended by -1) are left out. Static buffer. */
const char *snapshot_difference(struct ht_snapshot *a, struct ht_snapshot *b,
				const int *skip);

#endif
