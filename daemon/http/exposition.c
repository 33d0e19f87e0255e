/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const type_names[] = {"gauge", "counter", "histogram"};
static const char *const units[] = {"bytes", "seconds", "ratio"};

static const char *suffix_of(const struct ht_text *t)
{
	return t->counter ? "_total" : "";
}

/* The text format gives a counter's own name its type, OpenMetrics that of the
 * family without _total. */
void ht_text_family(struct ht_text *t, const char *name,
		    enum ht_family_type type, const char *help)
{
	const char *last = strrchr(name, '_');
	const char *suffix;

	t->family = name;
	t->counter = type == HT_COUNTER;
	suffix = t->format == HT_EXPOSITION_TEXT ? suffix_of(t) : "";
	fprintf(t->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help,
		name, suffix, type_names[type]);
	if (t->format != HT_EXPOSITION_OPENMETRICS || !last)
		return;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(last + 1, units[i]) == 0)
			fprintf(t->out, "# UNIT %s %s\n", name, units[i]);
	}
}

static void begin_line(struct ht_text *t, const char *suffix,
		       const char *labels)
{
	fputs(t->family, t->out);
	fputs(suffix, t->out);
	if (*labels) {
		fputc('{', t->out);
		fputs(labels, t->out);
		fputc('}', t->out);
	}
	fputc(' ', t->out);
}

/* A sample of 100 processes has some 10,000 numbers: printf would take most of
 * the time. */
static void put_u64(FILE *out, uint64_t v)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	fwrite(digits + at, 1, sizeof(digits) - at, out);
}

void ht_text_u64(struct ht_text *t, const char *labels, uint64_t v)
{
	begin_line(t, suffix_of(t), labels);
	put_u64(t->out, v);
	fputc('\n', t->out);
}

void ht_text_f64(struct ht_text *t, const char *labels, double v)
{
	begin_line(t, suffix_of(t), labels);
	if (isinf(v))
		fprintf(t->out, "%sInf\n", v < 0 ? "-" : "+");
	else
		fprintf(t->out, "%.12g\n", v);
}

void ht_text_histogram(struct ht_text *t, const char *labels,
		       const uint64_t *bounds_us, const uint64_t *counts,
		       size_t n, uint64_t sum_us)
{
	char with_le[512];
	uint64_t total = 0;

	for (size_t i = 0; i <= n; i++) {
		char le[32];

		total += counts[i];
		if (i < n)
			snprintf(le, sizeof(le), "%.9g",
				 (double)bounds_us[i] / 1e6);
		else
			strcpy(le, "+Inf");
		snprintf(with_le, sizeof(with_le), "%s", labels);
		ht_labels_add(with_le, sizeof(with_le), "le", le);
		begin_line(t, "_bucket", with_le);
		fprintf(t->out, "%" PRIu64 "\n", total);
	}
	begin_line(t, "_sum", labels);
	fprintf(t->out, "%.9g\n", (double)sum_us / 1e6);
	begin_line(t, "_count", labels);
	fprintf(t->out, "%" PRIu64 "\n", total);
}

void ht_text_end(struct ht_text *t)
{
	if (t->format == HT_EXPOSITION_OPENMETRICS)
		fputs("# EOF\n", t->out);
}

/* Names of processes and targets are any bytes: what is not printable ASCII
 * becomes '?', as the format wants UTF-8. */
void ht_labels_add(char *labels, size_t len, const char *name,
		   const char *value)
{
	size_t begin = strlen(labels);
	size_t at = begin + (size_t)snprintf(labels + begin, len - begin,
					     "%s%s=\"", begin ? "," : "", name);

	for (; *value && at + 4 < len; value++) {
		char c = *value;

		if (c == '"' || c == '\\')
			labels[at++] = '\\';
		if (c == '\n') {
			labels[at++] = '\\';
			c = 'n';
		}
		labels[at++] = c >= ' ' && c <= '~' ? c : '?';
	}
	if (*value || at + 2 > len) {
		labels[begin] = '\0';
		return;
	}
	labels[at++] = '"';
	labels[at] = '\0';
}
