/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/schedule.h"

#include <unistd.h>

#include "common/clock.h"

#define RATIO_WINDOW_S 1200.0
#define PROCESSORS_NS  (60 * HT_NS_PER_S)

void ht_schedule_init(struct ht_schedule *s, int64_t now_ns)
{
	*s = (struct ht_schedule){
		.due_ns = now_ns,
		.counted_ns = now_ns,
	};
}

void ht_schedule_begin(struct ht_schedule *s, int64_t now_ns)
{
	if (now_ns > s->due_ns)
		s->waited_ns = now_ns - s->due_ns;
	s->begun_ns = now_ns;
}

/* Both sums are halved together, so that the ratio forgets. */
static void count(struct ht_schedule *s, int64_t now_ns, double stopped_s)
{
	s->watched_s += (double)(now_ns - s->counted_ns) / 1e9;
	s->stopped_s += stopped_s;
	s->counted_ns = now_ns;
	if (s->watched_s > RATIO_WINDOW_S) {
		s->watched_s /= 2;
		s->stopped_s /= 2;
	}
}

/* A pause owns the time after it in which no other may come, so that the first
 * sample does not show a ratio that never was allowed. */
double ht_schedule_stop_ratio(const struct ht_schedule *s, int64_t now_ns)
{
	int64_t end_ns = now_ns > s->free_ns ? now_ns : s->free_ns;
	double watched_s =
		s->watched_s + (double)(end_ns - s->counted_ns) / 1e9;

	return watched_s > 0 ? s->stopped_s / watched_s : 0;
}

static int64_t capped_until_ns(const struct ht_schedule *s)
{
	return s->free_ns > s->rest_ns ? s->free_ns : s->rest_ns;
}

/* What will not change by itself soon. */
static bool hopeless(enum ht_code code)
{
	return code == HT_UNSUPPORTED || code == HT_DENIED ||
	       code == HT_REFUSED;
}

static int64_t backoff_ns(const struct ht_target_config *t, uint32_t failures)
{
	int64_t wait_ns = t->interval_ns;

	/* the first failure costs nothing: the next sample comes as planned */
	for (uint32_t i = 1; i < failures && wait_ns < t->backoff_max_ns; i++)
		wait_ns *= 2;
	if (wait_ns > t->backoff_max_ns && t->backoff_max_ns > t->interval_ns)
		wait_ns = t->backoff_max_ns;
	return wait_ns;
}

/* The C library opens a file of /sys each time it is asked; processors come
 * and go hardly ever: once a minute will do. */
static double processors(int64_t now_ns)
{
	static int64_t asked_ns;
	static long n;

	if (n <= 0 || now_ns - asked_ns > PROCESSORS_NS) {
		n = sysconf(_SC_NPROCESSORS_ONLN);
		asked_ns = now_ns;
	}
	return n > 0 ? (double)n : 1;
}

/* What it took is charged to both caps. */
static void charge(struct ht_schedule *s, const struct ht_target_config *t,
		   int64_t now_ns, int64_t pause_ns, int64_t cpu_ns)
{
	double cpus = processors(now_ns);

	s->ended_ns = now_ns;
	s->waited_ns = 0;
	s->rest_ns =
		s->begun_ns + (int64_t)((double)cpu_ns / t->cpu_cap / cpus);
	s->free_ns = now_ns + (int64_t)((double)pause_ns / t->stop_cap);
	count(s, now_ns, (double)pause_ns / 1e9);
}

void ht_schedule_again(struct ht_schedule *s, const struct ht_target_config *t,
		       int64_t now_ns, int64_t cpu_ns)
{
	charge(s, t, now_ns, t->max_pause_ns, cpu_ns);
	s->due_ns = now_ns > capped_until_ns(s) ? now_ns : capped_until_ns(s);
}

void ht_schedule_end(struct ht_schedule *s, const struct ht_target_config *t,
		     int64_t now_ns, enum ht_code code, uint64_t pause_us,
		     int64_t cpu_ns, double chance)
{
	int64_t pause_ns =
		pause_us == HT_UNKNOWN
			? (t->mode == HT_MODE_NONE ? 0 : t->max_pause_ns)
			: (int64_t)pause_us * HT_NS_PER_US;
	double factor = 1 + t->jitter * (2 * chance - 1);
	int64_t wait_ns = t->interval_ns;

	charge(s, t, now_ns, pause_ns, cpu_ns);
	s->failures = code == HT_OK ? 0 : s->failures + 1;
	s->state = HT_SCHEDULE_OK;
	if (hopeless(code)) {
		s->state = HT_SCHEDULE_REFUSED;
		wait_ns = t->backoff_max_ns;
	} else if (code != HT_OK) {
		s->state = HT_SCHEDULE_BACKOFF;
		wait_ns = backoff_ns(t, s->failures);
	}
	s->due_ns = s->begun_ns + (int64_t)((double)wait_ns * factor);
	if (s->due_ns < now_ns) /* it took longer than its interval */
		s->due_ns = now_ns + t->interval_ns / 2;
	if (s->due_ns < capped_until_ns(s)) {
		s->due_ns = capped_until_ns(s);
		if (s->state == HT_SCHEDULE_OK)
			s->state = HT_SCHEDULE_CAPPED;
	}
}

double ht_schedule_gap(const struct ht_schedule *s,
		       const struct ht_target_config *t, int64_t measured_ns,
		       int64_t now_ns)
{
	int64_t since_ns = capped_until_ns(s), tried_ns = now_ns;

	if (since_ns < measured_ns)
		since_ns = measured_ns;
	/* what waits for its turn was not tried */
	if (s->begun_ns <= s->ended_ns && tried_ns > s->due_ns)
		tried_ns = s->due_ns;
	tried_ns -= s->waited_ns;
	return tried_ns > since_ns
		       ? (double)(tried_ns - since_ns) / (double)t->interval_ns
		       : 0;
}

void ht_schedule_soonest(struct ht_schedule *s, int64_t now_ns)
{
	int64_t soonest_ns = now_ns > s->free_ns ? now_ns : s->free_ns;

	if (s->due_ns > soonest_ns)
		s->due_ns = soonest_ns;
}

const char *ht_schedule_state_name(enum ht_schedule_state state)
{
	static const char *const names[] = {"waiting", "ok", "backoff",
					    "capped", "refused"};

	return names[state];
}
