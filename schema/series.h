/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series: what was measured of one life of one process, over time. The input
 * of every verdict. Pure data: no clock, no I/O. Samples are in order of time;
 * times may be uneven. A rolled-up series has one row per bucket with four
 * statistics; a raw one has the same value in all four.
 */
#ifndef HT_SCHEMA_SERIES_H
#define HT_SCHEMA_SERIES_H

#include "schema/lines.h"
#include "schema/metrics.h"

enum ht_stat {
	HT_STAT_MIN,
	HT_STAT_P10,
	HT_STAT_MEDIAN,
	HT_STAT_MAX,
	HT_STAT_COUNT
};

/* One size class (max_size 0: mmapped chunks) over the same rows. */
struct ht_class_series {
	uint64_t max_size;
	double *bytes[HT_STAT_COUNT]; /* in use; NaN: unknown; rows columns */
	double *chunks;		      /* in use, median */
};

/* One kind of mapping outside malloc over the same rows. */
struct ht_mapping_series {
	uint64_t kind; /* enum ht_mapping_kind */
	char name[128];
	double *anonymous; /* anonymous + swapped bytes, median */
	double *count;
	double *size, *resident; /* bytes, median; NaN: not recorded */
};

struct ht_series {
	size_t rows, capacity;
	int64_t *time_ns; /* wall clock, made monotonic: see series.c */
	bool *cut;	  /* before this row: a gap, a trim, a suspend */
	double *metric[HT_METRIC_COUNT][HT_STAT_COUNT]; /* NaN: unknown */
	struct ht_class_series *classes;
	size_t classes_n;
	struct ht_mapping_series *mappings;
	size_t mappings_n;
	struct ht_list_line *lines; /* of the lists that were asked for */
	size_t lines_n, lines_capacity;
	bool *listed[HT_LINES_COUNT]; /* the row measured that list */
	uint32_t *line_slots;	      /* lines by their key: see lines.c */
	size_t line_slots_n;	      /* a power of two; 0: none */
	bool shared;		      /* see ht_series_share() */
	bool limited;		      /* see ht_series_limit() */
	bool wanted[HT_METRIC_COUNT];
	double *unknown; /* the column of all metrics that are not wanted */
	size_t class_at; /* where ht_series_class() found the last one */
	/* the same program before, the oldest first: borrowed; NULL: not asked
	 */
	const struct ht_series *earlier;
	size_t earlier_n;
	int64_t started_ns; /* start of the process, wall clock */
	int64_t step_ns;    /* rows stand for so much time; 0: samples */
	char target[128];
	uint64_t pid; /* 0: not known */
};

void ht_series_init(struct ht_series *s);
void ht_series_fini(struct ht_series *s);
#define HT_AUTO_SERIES HT_CLEANUP(ht_series_fini)

/* Before the first row: only the flagged metrics get columns of their own. The
 * others share one that stays unknown: it is read as usual, never written. */
void ht_series_limit(struct ht_series *s, const bool metrics[HT_METRIC_COUNT]);
/* Before the first row: the statistics of a figure share a column, which holds
 * the median: of samples, where they are all the same, and for who asks for no
 * other. */
void ht_series_share(struct ht_series *s);
/* Room for `rows` rows in all, so that adding them copies nothing. */
enum ht_code ht_series_reserve(struct ht_series *s, size_t rows,
			       struct ht_err *err) HT_MUST_CHECK;
/* The first row that is not before a time; the number of rows: there is none.
 */
size_t ht_series_row_at(const struct ht_series *s, int64_t time_ns);
/* Appends one row with all metrics unknown; HT_NOMEM. A time that is not later
 * than the last row's means that the wall clock stepped back: the rows before
 * are moved back by as much (and one usual interval), so that distances stay
 * true and the newest times are right; the row is marked as a cut, and so is
 * one after a gap (more than three times the interval before). */
enum ht_code ht_series_add_row(struct ht_series *s, int64_t time_ns,
			       struct ht_err *err) HT_MUST_CHECK;
/* All rows that are not flagged go; keep: one flag a row. A row stays marked as
 * a cut, takes over the mark of those that went before it, and becomes one
 * where it now comes after a gap. */
void ht_series_keep_rows(struct ht_series *s, const bool *keep);
/* The class's or mapping's columns, made when new; NULL when out of memory. */
struct ht_class_series *ht_series_class(struct ht_series *s, uint64_t max_size);
struct ht_mapping_series *ht_series_mapping(struct ht_series *s, uint64_t kind,
					    const char *name);
/* Appends what one snapshot says. */
enum ht_code ht_series_add_snapshot(struct ht_series *s,
				    const struct ht_snapshot *from,
				    struct ht_err *err) HT_MUST_CHECK;
/* The same of its size classes or mappings alone, into the last row. A class
 * that the snapshot does not list holds 0 bytes when it lists others. */
enum ht_code ht_series_put_classes(struct ht_series *s,
				   const struct ht_snapshot *from,
				   struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_series_put_mappings(struct ht_series *s,
				    const struct ht_snapshot *from,
				    struct ht_err *err) HT_MUST_CHECK;
/* Appends to ret one row that stands for the rows of s in [from, to]; none when
 * there are none. Its statistics are those of the rows' (nearest rank, so that
 * each was measured), its time that of the middle row. */
enum ht_code ht_series_bucket(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, struct ht_series *ret,
			      struct ht_err *err) HT_MUST_CHECK;
/* The same in parts, for who must not stand still: begin adds the row (none
 * when there are none: b->from == b->end), each some() makes up to n more of
 * its metrics, classes, mappings and lines, until it is made. s stays as it is
 * meanwhile. */
struct ht_series_bucket {
	size_t from, end; /* rows of s that it stands for */
	size_t made;
};
enum ht_code ht_series_bucket_begin(const struct ht_series *s, int64_t from_ns,
				    int64_t to_ns, struct ht_series *ret,
				    struct ht_series_bucket *b,
				    struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_series_bucket_some(const struct ht_series *s,
				   struct ht_series_bucket *b, size_t n,
				   struct ht_series *ret,
				   struct ht_err *err) HT_MUST_CHECK;
bool ht_series_bucket_made(const struct ht_series *s,
			   const struct ht_series_bucket *b);
/* Rows of s from `from_ns` (inclusive) to `to_ns`, reduced to at most `buckets`
 * equal-time buckets (0: as they are). */
enum ht_code ht_series_window(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, size_t buckets,
			      struct ht_series *ret,
			      struct ht_err *err) HT_MUST_CHECK;

/* --- lines of lists ------------------------------------------------------- */

/* The line's columns, made when new; NULL when out of memory. */
struct ht_list_line *ht_series_line(struct ht_series *s, enum ht_lines list,
				    const uint64_t key[HT_LINE_KEYS]);
/* What a snapshot's list says, into a row. `records`: 1 << id of those that it
 * measured; nothing happens when the list is not among them. */
enum ht_code ht_series_put_lines(struct ht_series *s, enum ht_lines list,
				 size_t row, const struct ht_snapshot *from,
				 uint64_t records,
				 struct ht_err *err) HT_MUST_CHECK;
/* Sets all lines of a list, in a row that measured it, to what a line has that
 * the list does not name. */
void ht_series_begin_lines(struct ht_series *s, enum ht_lines list, size_t row);
/* A line that came late was 0 in the rows before that listed others: says so in
 * its columns. For who reads them, and before they are reduced: after the last
 * row. */
void ht_series_fill_lines(struct ht_series *s);
/* The same of n lines from one on; how many are filled then. */
size_t ht_series_fill_some_lines(struct ht_series *s, size_t from, size_t n);

#endif
