/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to the milliseconds; what follows them is the zone. */
static char *put_time(int64_t wall_ns,
		      struct tm *split(const time_t *s, struct tm *tm),
		      struct tm *tm, char out[HT_TIME_TEXT])
{
	int64_t ms = wall_ns / HT_NS_PER_MS;
	time_t s = (time_t)(ms / 1000);
	int rest = (int)(ms % 1000);
	size_t used;

	if (rest < 0) {
		rest += 1000;
		s--;
	}
	if (!split(&s, tm))
		memset(tm, 0, sizeof(*tm));
	used = strftime(out, HT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", tm);
	snprintf(out + used, HT_TIME_TEXT - used, ".%03d", rest);
	return out + strlen(out);
}

void ht_time_text(int64_t wall_ns, char out[HT_TIME_TEXT])
{
	struct tm tm;

	strcpy(put_time(wall_ns, gmtime_r, &tm, out), "Z");
}

void ht_time_here_text(int64_t wall_ns, char out[HT_TIME_TEXT])
{
	struct tm tm;
	char *zone = put_time(wall_ns, localtime_r, &tm, out);
	long minutes = labs(tm.tm_gmtoff) / 60;

	if (minutes == 0)
		strcpy(zone, "Z");
	else
		snprintf(zone, (size_t)(out + HT_TIME_TEXT - zone),
			 "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+',
			 minutes / 60, minutes % 60);
}

/* Rounded to three digits, as %.3g prints it. */
static int64_t three_digits(int64_t ns)
{
	int64_t step = 1;

	while (ns / step >= 1000)
		step *= 10;
	return (ns + step / 2) / step * step;
}

/* What rounds up to the next unit is said in it: never "1e+03ms". */
void ht_duration_text(int64_t ns, char *out, size_t len)
{
	int64_t s;

	if (ns >= HT_NS_PER_MS && ns < 60 * HT_NS_PER_S)
		ns = three_digits(ns);
	s = ns / HT_NS_PER_S;
	if (ns < HT_NS_PER_MS)
		snprintf(out, len, "%" PRId64 "us", ns / HT_NS_PER_US);
	else if (ns < HT_NS_PER_S)
		snprintf(out, len, "%.3gms", (double)ns / 1e6);
	else if (s < 60)
		snprintf(out, len, "%.3gs", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(out, len, "%" PRId64 "m%02" PRId64 "s", s / 60,
			 s % 60);
	else if (s < 86400)
		snprintf(out, len, "%" PRId64 "h%02" PRId64 "m", s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, len, "%" PRId64 "d%02" PRId64 "h", s / 86400,
			 s / 3600 % 24);
}
