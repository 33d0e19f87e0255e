/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slice of upkeep is made of steps. What a step costs depends on the process
 * (its arenas, its bins) and on the machine (twice as much beside a busy
 * neighbour), so it is measured: a step takes as many rows as lately cost what
 * its kind aims at, and none is begun that would not be over in time.
 */
#include "store/store_int.h"

#include "common/clock.h"

#define US 1000

/* Rows of a step: samples, lines, buckets, figures, pages. */
static const struct {
	size_t least, most;
	int64_t aim_ns;
} kinds[HT_STEP_COUNT] = {
	[HT_STEP_READ] = {1, 1, 300 * US},
	[HT_STEP_FILL] = {8, 128, 300 * US},
	[HT_STEP_FORGET] = {1, 1, 300 * US},
	[HT_STEP_MINUTES] = {1, 10, 300 * US},
	[HT_STEP_BEGIN] = {1, 1, 300 * US},
	[HT_STEP_REDUCE] = {4, 32, 300 * US},
	[HT_STEP_WRITE] = {4, 32, 300 * US},
	[HT_STEP_DROP] = {1, 8, 300 * US},
	[HT_STEP_WHOLE] = {1, 1, 300 * US},
	[HT_STEP_TOLD] = {8, 128, 300 * US},
	[HT_STEP_VACUUM] = {4, 32, 300 * US},
	[HT_STEP_CHECKPOINT] = {64, 400, 2000 * US},
};

void ht_slice_begin(struct ht_store *st, int64_t budget_ns)
{
	st->slice.end_ns = ht_mono_ns() + budget_ns;
	st->slice.step_ns = ht_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

size_t ht_slice_rows(const struct ht_store *st, enum ht_step kind)
{
	return st->slice.pace[kind].rows ?: kinds[kind].most;
}

/* What is dear halves at once; what is cheap grows again bit by bit. */
static size_t next_rows(const struct ht_step_pace *p, enum ht_step kind)
{
	size_t least = kinds[kind].least, most = kinds[kind].most;
	size_t rows = p->rows;

	if (p->cost_ns > kinds[kind].aim_ns)
		rows /= 2;
	else if (p->cost_ns < kinds[kind].aim_ns / 2)
		rows += rows / 4 + 1;
	return rows < least ? least : rows > most ? most : rows;
}

void ht_slice_step(struct ht_store *st, enum ht_step kind)
{
	struct ht_step_pace *p = &st->slice.pace[kind];
	const int64_t now_ns = ht_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int64_t cost_ns = now_ns - st->slice.step_ns;
	size_t rows;

	st->slice.step_ns = now_ns;
	st->slice.kind = kind;
	p->cost_ns -= p->cost_ns / 16; /* the dearest is forgotten slowly */
	if (cost_ns > p->cost_ns)
		p->cost_ns = cost_ns;
	if (!p->rows)
		p->rows = kinds[kind].most;
	rows = next_rows(p, kind);
	p->cost_ns = p->cost_ns * (int64_t)rows / (int64_t)p->rows;
	p->rows = rows;
}

bool ht_slice_fits(struct ht_store *st, enum ht_step kind)
{
	st->slice.kind = kind;
	return ht_mono_ns() + st->slice.pace[kind].cost_ns < st->slice.end_ns;
}

bool ht_slice_goes_on(struct ht_store *st)
{
	return ht_slice_fits(st, st->slice.kind);
}
