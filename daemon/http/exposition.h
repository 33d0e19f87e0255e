/* SPDX-License-Identifier: Apache-2.0 */
/* Exposition: the grammar of metrics text. Knows nothing of what is exposed. */
#ifndef HT_DAEMON_HTTP_EXPOSITION_H
#define HT_DAEMON_HTTP_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <stddef.h>

enum ht_exposition {
	HT_EXPOSITION_TEXT,	   /* Prometheus text format 0.0.4 */
	HT_EXPOSITION_OPENMETRICS, /* OpenMetrics 1.0.0 */
};

struct ht_text {
	FILE *out;
	enum ht_exposition format;
	const char *family; /* the one that is being written */
	bool counter;
};

enum ht_family_type { HT_GAUGE, HT_COUNTER, HT_HISTOGRAM };

/* name: without _total; its unit, if any, is its last word. */
void ht_text_family(struct ht_text *t, const char *name,
		    enum ht_family_type type, const char *help);
/* labels: as ht_labels made them, may be "". */
void ht_text_u64(struct ht_text *t, const char *labels, uint64_t v);
void ht_text_f64(struct ht_text *t, const char *labels, double v);
/* One histogram; bounds in micro-units, printed in units; n bounds, n + 1
 * counts, not cumulative. */
void ht_text_histogram(struct ht_text *t, const char *labels,
		       const uint64_t *bounds_us, const uint64_t *counts,
		       size_t n, uint64_t sum_us);
void ht_text_end(struct ht_text *t);

/* Appends name="value" to labels, escaped; cut at a whole label if too long. */
void ht_labels_add(char *labels, size_t len, const char *name,
		   const char *value);

#endif
