/* SPDX-License-Identifier: Apache-2.0 */
/* What is no fault: seasons, caches that fill, what stays level. */
#include "analysis/evidence_int.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"
#include "schema/metrics.h"

/* --- the harmless -------------------------------------------------------- */

void ht_tell_periodic(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "in use swings %s .. %s every %s, %.1f periods seen, troughs level",
	       B(ht_quantile(m->in_use.low, m->in_use.n, 0)),
	       B(ht_quantile(m->in_use.high, m->in_use.n, 1)),
	       ht_span(m->period).text, ht_span_of(t) / m->period);
	if (m->quiet.n)
		ht_quiet_line(t);
}

void ht_remedy_periodic(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (m->quiet.peak >= ht_t.peak_needs * m->quiet.heap)
		ht_remedy(
			t, NAN,
			"nothing to do: memory that is free between peaks is what the next peak needs");
	else
		ht_remedy(t, NAN, "nothing to do: it comes down again");
}

void ht_tell_slowing(const struct told *t)
{
	const struct ht_growth *g = &t->m->in_use_growth;

	ht_steady_line(t, "in use (floor)", g);
	ht_say(t->v,
	       "at this rate it levels off at about %s; if it is no cache that fills, it is a leak",
	       B(g->plateau));
}

void ht_remedy_slowing(const struct told *t)
{
	ht_remedy(t, NAN,
		  "wait and look again: a cache levels off, a leak does not");
}

void ht_tell_filling(const struct told *t)
{
	ht_steady_line(t, "what is written of in use", &t->m->written_growth);
	ht_say(t->v,
	       "in use %s -> %s, level now; when all of it is written and more is asked for, it is a leak",
	       B(ht_first_level(&t->m->in_use)),
	       B(ht_last_level(&t->m->in_use)));
}

void ht_remedy_filling(const struct told *t)
{
	ht_remedy(
		t, NAN,
		"wait and look again: a table fills up, a vector that doubles does not");
}

/* What a start-up is of, as the line begins. */
static struct ht_word started(const struct ht_start_up *u)
{
	struct ht_word w;

	if (!u->class)
		snprintf(w.text, sizeof(w.text), "%s",
			 u->need == HT_NEED_in_use ? "in use"
						   : "memory outside malloc");
	else if (u->class->max_size)
		snprintf(w.text, sizeof(w.text), "size class %" PRIu64,
			 u->class->max_size);
	else
		snprintf(w.text, sizeof(w.text), "mmapped chunks");
	return w;
}

void ht_tell_start_up(const struct told *t)
{
	const struct ht_start_up *u = t->m->start_up;

	ht_say(t->v,
	       "%s %s -> %s since it began: %zu of %zu lives of the program before it rose as far, and were level then, at %s or so",
	       started(u).text, B(u->first), B(u->now), u->repeat, u->lives,
	       B(u->level));
}

void ht_remedy_start_up(const struct told *t)
{
	ht_remedy(t, NAN,
		  "nothing to do: it starts as the lives before it did");
}

void ht_tell_warm(const struct told *t)
{
	ht_say(t->v, "in use %s -> %s, 80 %% of the way in %s, level now",
	       B(ht_points_begin(&t->m->in_use)),
	       B(ht_last_level(&t->m->in_use)),
	       ht_span(t->m->warm_seconds).text);
}

void ht_remedy_warm(const struct told *t)
{
	ht_remedy(t, NAN, "nothing to do: it filled and is level");
}

/* What has an inode and no page cache: rings, counters, frames of a device. */
static bool is_drivers(const char *name)
{
	static const char *const begins[] = {"anon_inode:", "/dev/",
					     "socket:", "/dmabuf", "/drm"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* RSS rose by pages of a file, this one: mostly nobody's memory, and no fault.
 * NULL: it did not. */
static const char *risen_file(const struct told *t, struct ht_bound *ret)
{
	const struct ht_rise *r = &t->v->rise;

	if (!(r->files >= ht_t.rise_bytes) ||
	    r->files < ht_t.file_share * r->rss)
		return NULL;
	ht_bound_file(&t->m->w, ret);
	return ret->most ? ret->most->name : NULL;
}

static void file_line(const struct told *t)
{
	struct ht_bound b;
	const char *file = risen_file(t, &b);

	if (!file)
		return;
	snprintf(t->v->culprit, sizeof(t->v->culprit), "the mapped file %.110s",
		 file);
	ht_and_kin(t->v, &b);
	if (is_drivers(file))
		ht_say(t->v,
		       "%s gained %s, memory of the kernel or of a driver that the process has mapped",
		       t->v->culprit, B(b.kin_told));
	else
		ht_say(t->v, "%s gained %s, pages of the page cache",
		       t->v->culprit, B(b.kin_told));
}

/* RSS rose outside malloc, and it is over: who that was all the same. */
static void outside_line(const struct told *t)
{
	const struct ht_rise *r = &t->v->rise;
	double rose = r->outside + r->shared;

	if (rose >= fmax(ht_t.rise_bytes, ht_t.retained_share * t->m->anon_now))
		ht_culprit_line(t);
}

/* What is left below a limit of many processes, and this one maps none of it.
 */
static void others_line(const struct told *t)
{
	const struct ht_measure *m = t->m;
	double taken = m->room_fell - fmax(0, t->v->rise.shared);
	double least = fmax(ht_t.retained_bytes,
			    ht_t.taken_share * (m->limit - m->anon_now));
	char name[160] = "";

	if (t->latest)
		ht_limit_name(t->latest, name, sizeof(name));
	if (!(taken >= least) || !name[0] || strncmp(name, "RLIMIT", 6) == 0)
		return;
	ht_say(t->v,
	       "what is left of %s fell by %s in the same time, and this process has mapped none of it: look at other processes, at files in tmpfs (/dev/shm, a container's /tmp), at sockets",
	       name, B(taken));
}

void ht_remedy_stable(const struct told *t)
{
	const struct ht_rise *r = &t->v->rise;
	struct ht_bound b;
	const char *file = risen_file(t, &b);

	if (file && is_drivers(file))
		ht_remedy(
			t, NAN,
			"that is no page cache: it stays until each is unmapped and its descriptor closed");
	else if (file)
		ht_remedy(
			t, NAN,
			"nothing to do: the kernel takes pages of files back when it needs memory (what was written to them goes to the disk first)");
	else if (r->rss - r->files >=
		 fmax(ht_t.retained_bytes,
		      ht_t.retained_share * t->m->anon_now))
		ht_remedy(
			t, NAN,
			"what rose did not go on rising: look again when it does");
	else
		ht_remedy(t, NAN, "nothing to do");
}

/* What is said of all that is calm, however it came to be. */
static void calm_lines(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (m->written_growth.kind == HT_GROWTH_SUSTAINED)
		ht_steady_line(
			t,
			"still takes memory, up to what is in use: what is written of it",
			&m->written_growth);
	if (m->quiet.n)
		ht_say(t->v,
		       "free inside malloc in quiet moments: %s, below what is worth a word (%s and %.0f %% of anonymous memory)",
		       B(m->quiet.retained), B(ht_t.retained_bytes),
		       100 * ht_t.retained_share);
	others_line(t);
	file_line(t);
	if (!t->v->culprit[0])
		outside_line(t);
}

void ht_tell_shift(const struct told *t)
{
	const struct ht_measure *m = t->m;
	char when[HT_TIME_TEXT];

	ht_time_here_text(t->v->since_ns, when);
	ht_say(t->v,
	       "one step: in use %s -> %s within %s at %s, flat before and after",
	       B(ht_points_begin(&m->in_use)), B(ht_last_level(&m->in_use)),
	       ht_span(m->warm_seconds).text, when);
	calm_lines(t);
}

static void level_line(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "in use %s -> %s, lowest %s, highest %s: no growth that lasts",
	       B(ht_first_level(&m->in_use)), B(ht_last_level(&m->in_use)),
	       B(ht_quantile(m->in_use.low, m->in_use.n, 0)),
	       B(ht_quantile(m->in_use.high, m->in_use.n, 1)));
}

void ht_tell_level(const struct told *t)
{
	level_line(t);
	calm_lines(t);
}

void ht_tell_load(const struct told *t)
{
	level_line(t);
	ht_say(t->v,
	       "it rises: as its load does, or for no longer than a day's load may; the same hour of tomorrow tells");
	calm_lines(t);
}

void ht_remedy_load(const struct told *t)
{
	struct ht_bound b;

	if (risen_file(t, &b))
		ht_remedy_stable(t);
	else
		ht_remedy(t, NAN, "ask again tomorrow at this hour");
}
