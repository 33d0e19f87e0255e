/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ht_time_text(int64_t wall_ns, char out[HT_TIME_TEXT])
{
	int64_t ms = wall_ns / HT_NS_PER_MS;
	time_t s = (time_t)(ms / 1000);
	int rest = (int)(ms % 1000);
	struct tm tm;
	size_t used;

	if (rest < 0) {
		rest += 1000;
		s--;
	}
	if (!gmtime_r(&s, &tm))
		memset(&tm, 0, sizeof(tm));
	used = strftime(out, HT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + used, HT_TIME_TEXT - used, ".%03dZ", rest);
}

static const struct {
	const char *suffix;
	double ns;
} units[] = {
	{"", 1e9},     {"us", 1e3},    {"ms", 1e6},
	{"s", 1e9},    {"m", 60e9},    {"min", 60e9},
	{"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9},
};

int ht_duration_parse(const char *text, int64_t *ret_ns)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !(value > 0))
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (value * units[i].ns >= 9e18 || value * units[i].ns < 1)
			return -1;
		*ret_ns = (int64_t)(value * units[i].ns);
		return 0;
	}
	return -1;
}

static int parse_rfc3339(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	double fraction = 0;
	long offset_s = 0;
	time_t s;

	if (!rest)
		return -1;
	if (*rest == 'T' || *rest == ' ') {
		rest = strptime(rest + 1, "%H:%M", &tm);
		if (rest && *rest == ':')
			rest = strptime(rest, ":%S", &tm);
		if (!rest)
			return -1;
		if (*rest == '.') {
			char *end;

			fraction = strtod(rest, &end);
			rest = end;
		}
	}
	if (*rest == 'Z') {
		rest++;
	} else if (*rest == '+' || *rest == '-') {
		int h = 0, m = 0, n = 0;

		if (sscanf(rest + 1, "%2d:%2d%n", &h, &m, &n) != 2)
			return -1;
		offset_s = (*rest == '-' ? -1L : 1L) * (h * 3600L + m * 60L);
		rest += 1 + n;
	}
	if (*rest)
		return -1;
	s = timegm(&tm);
	*ret_ns = ((int64_t)s - offset_s) * HT_NS_PER_S +
		  (int64_t)(fraction * 1e9);
	return 0;
}

int ht_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ago;
	char *end;

	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '@') {
		double s = strtod(text + 1, &end);

		if (end == text + 1 || *end || fabs(s) > 9e9)
			return -1;
		*ret_ns = (int64_t)(s * 1e9);
		return 0;
	}
	if (*text == '-') {
		if (ht_duration_parse(text + 1, &ago) < 0)
			return -1;
		*ret_ns = now_ns - ago;
		return 0;
	}
	return parse_rfc3339(text, ret_ns);
}

void ht_duration_text(int64_t ns, char *out, size_t len)
{
	int64_t s = ns / HT_NS_PER_S;

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
