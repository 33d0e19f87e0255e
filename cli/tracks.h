/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks: the lines of one list over time (each bin, arena, size class or
 * thread), as `bins --since` and its like read and show them. */
#ifndef HT_CLI_TRACKS_H
#define HT_CLI_TRACKS_H

#include "cli/target.h"

enum ht_track_list {
	HT_TRACK_BINS,
	HT_TRACK_ARENAS,
	HT_TRACK_CLASSES,
	HT_TRACK_THREADS,
	HT_TRACK_LISTS
};

struct ht_track_kind {
	const char *list, *one; /* "bins", "bin" */
	const char *figures[HT_LINE_FIGURES], *units[HT_LINE_FIGURES];
	size_t figures_n;
};
extern const struct ht_track_kind ht_track_kinds[HT_TRACK_LISTS];

struct ht_track {
	uint64_t key[HT_LINE_KEYS]; /* as in schema/lines.h */
	uint64_t min_size, max_size, index;
	/* a row of the series each; NULL: nothing is known of it */
	const double *value[HT_LINE_FIGURES][HT_BANDS];
	double moved; /* highest - lowest median of the shown figure */
};

struct ht_tracks {
	enum ht_track_list list;
	const struct ht_track_kind *kind;
	struct ht_store_process process;
	struct ht_series series;
	struct ht_track *v; /* what moved most first */
	size_t n;
	size_t figure; /* that is shown */
};

void ht_tracks_fini(struct ht_tracks *t);
#define HT_AUTO_TRACKS HT_CLEANUP(ht_tracks_fini)

/* What the options ask for: window, --arena, --bin, --metric. HT_NODATA when
 * nothing of the list is known in the window. medians: the lowest and highest
 * are as the median, and are not read. ret: zeroed. */
enum ht_code ht_tracks_read(struct ht_cli *cli, enum ht_track_list list,
			    bool medians, struct ht_tracks *ret,
			    struct ht_err *err) HT_MUST_CHECK;

/* "small 5, 80 B", "arena 2", ... Returns out. */
#define HT_TRACK_NAME 48
const char *ht_track_name(const struct ht_tracks *t, const struct ht_track *k,
			  char out[HT_TRACK_NAME]);
/* heaptide.bins_series/1, arenas_series/1, ... */
enum ht_code ht_tracks_print_json(const struct ht_tracks *t,
				  struct ht_err *err) HT_MUST_CHECK;
/* One line a time and track. */
void ht_tracks_print_csv(const struct ht_tracks *t);
/* A heat map, or plots when there is one track. */
enum ht_code ht_tracks_print(const struct ht_cli *cli,
			     const struct ht_tracks *t,
			     struct ht_err *err) HT_MUST_CHECK;
/* All of it: `bins --since` and its like. */
enum ht_code ht_tracks_run(struct ht_cli *cli, enum ht_track_list list,
			   struct ht_err *err) HT_MUST_CHECK;

/* There are n arenas, and this is none of them: says so. */
enum ht_code ht_no_arena(uint64_t index, size_t n,
			 struct ht_err *err) HT_MUST_CHECK;

#endif
