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

/* "250ms", "1s", "90m", "24h", "7d" or plain seconds -> nanoseconds.
 * Returns 0, or -1 when the text is no duration or not above zero. */
int ht_duration_parse(const char *text, int64_t *ret_ns);

/* RFC 3339, "@SECONDS", "-2h" (relative to now_ns) or "now".
 * Returns 0, or -1 when the text is no time. */
int ht_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

/* Shortest of "850us", "1.2ms", "3.4s", "5m", "2h10m", "3d4h". */
void ht_duration_text(int64_t ns, char *out, size_t len);

#endif
