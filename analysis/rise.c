/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSS = anonymous + files + shared memory, and of what is anonymous malloc has
 * its arenas and mmapped chunks; what is left is outside malloc. So each part
 * is a difference of what one sample says, and their sum is RSS by
 * construction.
 */
#include "analysis/rise.h"

#include <math.h>
#include <stdio.h>

#include "analysis/needs.h"

#define PARTS 5

static struct ht_rise sample(const struct ht_series *s, size_t row)
{
#define OF(metric) ht_need_rows(s, HT_NEED_##metric, HT_STAT_MEDIAN)[row]
	struct ht_rise r = {.rss = OF(rss),
			    .retained = OF(retained),
			    .files = OF(rss_file),
			    .shared = OF(rss_shmem)};
	double malloc = OF(heap_resident) + OF(mmapped_resident);
#undef OF
	r.in_use = malloc - r.retained;
	r.outside = r.rss - r.files - r.shared - malloc;
	return r;
}

static bool asked(const struct ht_series *s, size_t row, int64_t from_ns,
		  int64_t to_ns)
{
	return s->time_ns[row] >= from_ns && s->time_ns[row] <= to_ns &&
	       !isnan(ht_need_rows(s, HT_NEED_rss, HT_STAT_MEDIAN)[row]);
}

void ht_rise(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
	     struct ht_rise *ret)
{
	size_t first = 0, end = s->rows;
	struct ht_rise a, b;

	*ret = (struct ht_rise){NAN, NAN, NAN, NAN, NAN, NAN};
	while (first < end && !asked(s, first, from_ns, to_ns))
		first++;
	while (end > first && !asked(s, end - 1, from_ns, to_ns))
		end--;
	if (end < first + 2)
		return;
	a = sample(s, first);
	b = sample(s, end - 1);
	ret->rss = b.rss - a.rss;
	ret->files = b.files - a.files;
	ret->shared = b.shared - a.shared;
	ret->retained = b.retained - a.retained;
	ret->in_use = b.in_use - a.in_use;
	ret->outside = b.outside - a.outside;
	if (isnan(ret->in_use) || isnan(ret->outside))
		ret->in_use = ret->retained = ret->outside = NAN;
}

/* --- as text ------------------------------------------------------------- */

static const struct unit {
	double bytes;
	const char *name;
} units[] = {{1073741824, "GiB"}, {1048576, "MiB"}, {1024, "KiB"}, {1, "B"}};

static const struct unit *unit_of(const double *v, size_t n)
{
	const struct unit *u = units;
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = fmax(most, fabs(v[i])); /* NaN loses */
	while (u->bytes > 1 && most < u->bytes)
		u++;
	return u;
}

/* Tenths that add up to those of the whole: the largest takes what rounding
 * leaves. */
static void round_parts(const double *v, double tenth, double all,
			double ret[PARTS])
{
	double sum = 0;
	size_t most = 0;

	for (size_t i = 0; i < PARTS; i++) {
		ret[i] = round(v[i] / tenth);
		sum += ret[i];
		if (fabs(v[i]) > fabs(v[most]))
			most = i;
	}
	if (!isnan(sum))
		ret[most] += all - sum;
}

void ht_rise_text(const struct ht_rise *r, char *ret, size_t size)
{
	static const char *const names[PARTS] = {
		"in use", "retained", "outside malloc", "files", "shared"};
	const double v[] = {r->in_use, r->retained, r->outside,
			    r->files,  r->shared,   r->rss};
	const struct unit *u = unit_of(v, PARTS + 1);
	double tenth = u->bytes > 1 ? u->bytes / 10 : 1, parts[PARTS];
	double all = round(r->rss / tenth), shown = u->bytes > 1 ? 10 : 1;
	int digits = u->bytes > 1;
	size_t used;

	ret[0] = '\0';
	if (isnan(r->rss))
		return;
	round_parts(v, tenth, all, parts);
	used = (size_t)snprintf(ret, size,
				"RSS %s %.*f %s:", all < 0 ? "fell" : "rose",
				digits, fabs(all) / shown, u->name);
	for (size_t i = 0; i < PARTS && used < size; i++)
		used += (size_t)snprintf(
			ret + used, size - used,
			isnan(parts[i]) ? "%s %s ?" : "%s %s %.*f %s",
			i ? "," : "", names[i], digits,
			(parts[i] == 0 ? 0 : parts[i]) / shown, u->name);
}
