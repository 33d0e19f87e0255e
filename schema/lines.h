/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines: what a list of a snapshot says of one bin, arena, size class or
 * thread, over the rows of a series. One table (lines.c) names the lists, their
 * keys and figures; the store's tables and JSON have the same names.
 */
#ifndef HT_SCHEMA_LINES_H
#define HT_SCHEMA_LINES_H

#include "schema/snapshot.h"

enum ht_lines {
	HT_LINES_BINS,	     /* all arenas together */
	HT_LINES_ARENA_BINS, /* bins of each arena */
	HT_LINES_ARENAS,
	HT_LINES_FREE_CLASSES, /* free chunks by size */
	HT_LINES_THREADS,
	HT_LINES_COUNT
};

enum { HT_LINE_KEYS = 3, HT_LINE_FIGURES = 7 };

/* A rolled-up row has the lowest, the median and the highest of its samples;
 * a sample the same in all three. */
enum ht_envelope { HT_LOW, HT_MIDDLE, HT_HIGH, HT_BANDS };

struct ht_line_kind {
	const char *name;
	enum ht_record_id record;
	uint64_t records; /* 1 << id of all that it is made from */
	const char *keys[HT_LINE_KEYS];
	const char *figures[HT_LINE_FIGURES];
	const char *units[HT_LINE_FIGURES];
	size_t keys_n, figures_n;
	bool zero; /* what the list does not name holds 0; else: is not there */
};
extern const struct ht_line_kind ht_line_kinds[HT_LINES_COUNT];

struct ht_list_line {
	enum ht_lines list;
	/* bins: arena (its address; 0: all), enum ht_bin_kind, index; arenas:
	 * address; size classes: max_size; threads: tid */
	uint64_t key[HT_LINE_KEYS];
	uint64_t min_size, max_size;		  /* chunk sizes of a bin */
	double *value[HT_LINE_FIGURES][HT_BANDS]; /* NaN: unknown */
};

#endif
