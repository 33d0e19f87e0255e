/* SPDX-License-Identifier: Apache-2.0 */
/* Time as int64_t nanoseconds: enough until the year 2262, signed so that
 * differences are safe. */
#ifndef HT_COMMON_CLOCK_H
#define HT_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HT_NS_PER_US INT64_C(1000)
#define HT_NS_PER_MS INT64_C(1000000)
#define HT_NS_PER_S  INT64_C(1000000000)

static inline int64_t ht_clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * HT_NS_PER_S + t.tv_nsec;
}

static inline int64_t ht_mono_ns(void)
{
	return ht_clock_ns(CLOCK_MONOTONIC);
}

static inline int64_t ht_wall_ns(void)
{
	return ht_clock_ns(CLOCK_REALTIME);
}

#define HT_TIME_TEXT 32
/* RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.123Z". */
void ht_time_text(int64_t wall_ns, char out[HT_TIME_TEXT]);

/* The same in local time, which ht_time_parse() takes as well:
 * "2026-01-31T13:00:00.123+01:00"; "...Z" where that is UTC. For people; what
 * programs read is UTC. */
void ht_time_here_text(int64_t wall_ns, char out[HT_TIME_TEXT]);

/* What people write for a time: clock_parse.c. */

/* "250ms", "1s", "90m", "24h", "7d", plain seconds, or several parts from the
 * largest on, as ht_duration_text() prints them: "1h30m" -> nanoseconds.
 * Returns 0, or -1 when the text is no duration, not above zero or longer than
 * 292 years. */
int ht_duration_parse(const char *text, int64_t *ret_ns);

/* "now", "@SECONDS", "-2h" (relative to now_ns), RFC 3339, and in local time
 * what names no zone: "2026-01-31 12:00", "2026-01-31", "18:00" (the last one
 * that is not after now_ns), "today", "yesterday", "tomorrow" (their
 * beginning). Returns 0, or -1 when the text is no time or one before 1970 or
 * after 2261. */
int ht_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

/* Shortest of "850us", "1.2ms", "3.4s", "5m", "2h10m", "3d4h". */
void ht_duration_text(int64_t ns, char *out, size_t len);

#endif
