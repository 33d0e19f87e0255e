/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and times as people write them. Declared in clock.h. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define DAY_S	   86400
#define LAST_S	   INT64_C(9214646400) /* 2262-01-01: int64_t holds its ns */
#define NUMBER_MAX 32

/* --- durations ----------------------------------------------------------- */

static const struct {
	const char *suffix;
	double ns;
} units[] = {
	{"us", 1e3},   {"ms", 1e6},   {"s", 1e9},     {"m", 60e9},
	{"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9},
};

/* Digits with at most one point at *at; moves behind them. */
static bool take_number(const char **at, double *ret)
{
	size_t n = strspn(*at, "0123456789.");
	char digits[NUMBER_MAX], *end;

	if (n == 0 || n >= sizeof(digits))
		return false;
	memcpy(digits, *at, n);
	digits[n] = '\0';
	*ret = strtod(digits, &end);
	*at += n;
	return end == digits + n;
}

static bool take_unit(const char **at, double *ret_ns)
{
	size_t n = strspn(*at, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].suffix) != n ||
		    strncmp(units[i].suffix, *at, n) != 0)
			continue;
		*at += n;
		*ret_ns = units[i].ns;
		return true;
	}
	return false;
}

int ht_duration_parse(const char *text, int64_t *ret_ns)
{
	double sum = 0, value, unit, last = 1e300;
	const char *at = text;

	do {
		if (!take_number(&at, &value))
			return -1;
		if (!*at && last > 1e299)
			unit = 1e9; /* a bare number */
		else if (!take_unit(&at, &unit) || unit >= last)
			return -1;
		last = unit;
		sum += value * unit;
	} while (*at);
	if (sum >= 9.2e18 || sum < 1)
		return -1;
	*ret_ns = (int64_t)sum;
	return 0;
}

/* --- times --------------------------------------------------------------- */

static int from_seconds(int64_t s, int64_t fraction_ns, int64_t *ret_ns)
{
	if (s < 0 || s >= LAST_S)
		return -1;
	*ret_ns = s * HT_NS_PER_S + fraction_ns;
	return 0;
}

/* Seconds since 1970 of what tm says in local time. */
static int64_t local_seconds(struct tm tm)
{
	tm.tm_isdst = -1;
	return mktime(&tm);
}

static bool local_now(int64_t now_ns, struct tm *ret)
{
	time_t s = (time_t)(now_ns / HT_NS_PER_S);

	return localtime_r(&s, ret) != NULL;
}

/* "12:00", "12:00:30", "12:00:30.25"; NULL: none, else behind it. */
static const char *take_clock(const char *text, struct tm *tm, int64_t *ret_ns)
{
	const char *rest = strptime(text, "%H:%M", tm);
	int64_t unit = HT_NS_PER_S;

	*ret_ns = 0;
	tm->tm_sec = 0;
	if (rest && *rest == ':')
		rest = strptime(rest, ":%S", tm);
	if (!rest || *rest != '.')
		return rest;
	if (!isdigit((unsigned char)*++rest))
		return NULL;
	for (; isdigit((unsigned char)*rest); rest++) {
		unit /= 10;
		*ret_ns += unit * (*rest - '0');
	}
	return rest;
}

/* "Z", "+02:00", "-0530"; NULL: none, else behind it. */
static const char *take_zone(const char *text, int64_t *ret_s)
{
	unsigned h = 0, m = 0;
	int n = 0;

	*ret_s = 0;
	if (*text == 'Z' || *text == 'z')
		return text + 1;
	if ((*text != '+' && *text != '-') ||
	    !isdigit((unsigned char)text[1]) ||
	    (sscanf(text + 1, "%2u:%2u%n", &h, &m, &n) != 2 &&
	     sscanf(text + 1, "%2u%2u%n", &h, &m, &n) != 2) ||
	    h > 23 || m > 59)
		return NULL;
	*ret_s = (int64_t)(h * 3600 + m * 60) * (*text == '-' ? -1 : 1);
	return text + 1 + n;
}

static int parse_date(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	int64_t fraction_ns = 0, offset_s = 0;

	if (rest && (*rest == 'T' || *rest == ' '))
		rest = take_clock(rest + 1, &tm, &fraction_ns);
	if (!rest)
		return -1;
	if (!*rest)
		return from_seconds(local_seconds(tm), fraction_ns, ret_ns);
	rest = take_zone(rest, &offset_s);
	if (!rest || *rest)
		return -1;
	return from_seconds(timegm(&tm) - offset_s, fraction_ns, ret_ns);
}

/* The last "18:00" that is not after now. */
static int parse_clock(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	struct tm tm;
	int64_t fraction_ns;
	const char *rest;

	if (!local_now(now_ns, &tm))
		return -1;
	rest = take_clock(text, &tm, &fraction_ns);
	if (!rest || *rest)
		return -1;
	if (from_seconds(local_seconds(tm), fraction_ns, ret_ns) < 0)
		return -1;
	if (*ret_ns <= now_ns)
		return 0;
	tm.tm_mday--;
	return from_seconds(local_seconds(tm), fraction_ns, ret_ns);
}

/* Where the day begins that is some days from today. */
static int parse_day(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	static const struct {
		const char *word;
		int days;
	} words[] = {{"today", 0}, {"yesterday", -1}, {"tomorrow", 1}};
	struct tm tm;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i].word) != 0 || !local_now(now_ns, &tm))
			continue;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_mday += words[i].days;
		return from_seconds(local_seconds(tm), 0, ret_ns);
	}
	return -1;
}

int ht_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ago;
	double s;

	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '@') {
		text++;
		if (!take_number(&text, &s) || *text || s >= (double)LAST_S)
			return -1;
		*ret_ns = (int64_t)(s * 1e9);
		return 0;
	}
	if (*text == '-') {
		if (ht_duration_parse(text + 1, &ago) < 0 || ago > now_ns)
			return -1;
		*ret_ns = now_ns - ago;
		return 0;
	}
	if (parse_day(text, now_ns, ret_ns) == 0 ||
	    parse_clock(text, now_ns, ret_ns) == 0)
		return 0;
	return parse_date(text, ret_ns);
}
