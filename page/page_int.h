/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the page room, for its own files only. */
#ifndef HT_PAGE_PAGE_INT_H
#define HT_PAGE_PAGE_INT_H

#include "page/page.h"

/* json_object_set_new() of a value that may be NULL; what fails makes *o NULL,
 * which the next call takes. */
void ht_page_put(json_t **o, const char *key, json_t *value);
/* Figures as an array: whole ones as integers, null where it is unknown. */
json_t *ht_page_column(const double *value, size_t rows);
/* Times as seconds since 1970, to the millisecond. */
json_t *ht_page_times(const int64_t *time_ns, size_t rows);
/* Where the local zone's offset to UTC changes in [from, to]. */
json_t *ht_page_zone(int64_t from_ns, int64_t to_ns);
/* Size classes, bins, arenas and threads over time, what moved most first, as
 * members of *o. */
void ht_page_put_lists(json_t **o, const struct ht_series *s);

/* The call stacks that were seen to make it grow, as of a time (0: now): NULL
 * where nobody was asked. *ret is the caller's. */
enum ht_code ht_page_sites(struct ht_store *store, int64_t process_id,
			   int64_t at_ns, json_t **ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* What the chunks were in the looks of [from, to], type by type, what grew most
 * first: NULL where it was never looked. *ret is the caller's. */
enum ht_code ht_page_types(struct ht_store *store, int64_t process_id,
			   int64_t from_ns, int64_t to_ns, json_t **ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* RSS split from the metrics that every sample has; what is left of RSS is
 * outside malloc, so that the sum is exact. */
enum ht_page_band {
	HT_BAND_FILES,
	HT_BAND_OUTSIDE,
	HT_BAND_MMAPPED,
	HT_BAND_HELD,
	HT_BAND_KEPT,
	HT_BAND_TRIMMABLE,
	HT_PAGE_BANDS
};
extern const char *const ht_page_band_names[HT_PAGE_BANDS];
/* HT_PAGE_BANDS columns of s->rows values, one after the other, freed by the
 * caller; NaN where RSS is unknown. NULL: out of memory. */
double *ht_page_bands(const struct ht_series *s);

/* What the page says without script. */
enum ht_code ht_page_still(FILE *to, const struct ht_page *p,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
