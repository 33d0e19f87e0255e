/* SPDX-License-Identifier: Apache-2.0 */
/* Columns, times and the zone as JSON. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "page/page_int.h"

#define ZONE_STEP_S (6 * 3600) /* no zone changes twice in that time */
#define ZONES_MAX   100

void ht_page_put(json_t **o, const char *key, json_t *value)
{
	if (*o && value && !json_object_set_new(*o, key, value))
		return;
	if (!*o)
		json_decref(value);
	json_decref(*o);
	*o = NULL;
}

static json_t *figure(double v)
{
	if (!isfinite(v))
		return json_null();
	if (v == floor(v) && fabs(v) < 0x1p53)
		return json_integer((json_int_t)v);
	return json_real(v);
}

json_t *ht_page_column(const double *value, size_t rows)
{
	json_t *list = json_array();

	for (size_t row = 0; list && row < rows; row++)
		if (json_array_append_new(list,
					  figure(value ? value[row] : NAN))) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

json_t *ht_page_times(const int64_t *time_ns, size_t rows)
{
	json_t *list = json_array();

	for (size_t row = 0; list && row < rows; row++) {
		int64_t ms = time_ns[row] / HT_NS_PER_MS;

		if (json_array_append_new(
			    list,
			    ms % 1000 ? json_real((double)ms / 1000)
				      : json_integer((json_int_t)ms / 1000))) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

json_t *ht_page_zone(int64_t from_ns, int64_t to_ns)
{
	json_t *list = json_array();
	time_t end = (time_t)(to_ns / HT_NS_PER_S) + ZONE_STEP_S;
	long known = LONG_MIN;

	for (time_t at = (time_t)(from_ns / HT_NS_PER_S);
	     list && at <= end && json_array_size(list) < ZONES_MAX;
	     at += ZONE_STEP_S) {
		struct tm tm;

		if (!localtime_r(&at, &tm) || tm.tm_gmtoff == known)
			continue;
		known = tm.tm_gmtoff;
		json_array_append_new(list,
				      json_pack("{s:I, s:I, s:s}", "from_s",
						(json_int_t)at, "offset_s",
						(json_int_t)tm.tm_gmtoff,
						"name", tm.tm_zone ?: ""));
	}
	return list;
}
