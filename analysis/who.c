/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/who.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analysis/stats.h"
#include "analysis/thresholds.h"

void ht_wilson(double k, double n, double *ret_low, double *ret_high)
{
	double p = k / n, zz = HT_Z95 * HT_Z95;
	double centre = (p + zz / (2 * n)) / (1 + zz / n);
	double half = HT_Z95 / (1 + zz / n) *
		      sqrt(p * (1 - p) / n + zz / (4 * n * n));

	*ret_low = fmax(0, centre - half);
	*ret_high = fmin(1, centre + half);
}

#define CHUNK_STEP 16 /* of chunk sizes; no 32-bit process gets here */

/* --- sites ---------------------------------------------------------------- */

static bool few_freed(const struct ht_site *s)
{
	return (double)s->old_freed <= ht_t.who_freed * (double)s->old_samples;
}

/* Old chunks that stay. Where next to none was freed, those that are not known
 * were written late, and stay with the others. */
static double staying(const struct ht_site *s)
{
	return few_freed(s) ? (double)(s->old_samples - s->old_freed)
			    : (double)s->old_alive;
}

/* Whether what it takes stays as a rule. */
static bool stays(const struct ht_site *s)
{
	double low = 0, high;

	if (s->old_samples && staying(s) >= ht_t.who_alive)
		ht_wilson(staying(s), (double)s->old_samples, &low, &high);
	return low >= ht_t.who_stays;
}

static void survive(const struct ht_site *s, struct ht_who_site *w)
{
	double n = (double)s->old_samples, unused;

	w->survival = w->low = w->high = NAN;
	if (s->old_samples == 0)
		return;
	ht_wilson(staying(s), n, &w->low, &unused);
	ht_wilson(n - (double)s->old_freed, n, &unused, &w->high);
	w->survival = staying(s) / n;
}

static void say(struct ht_who_site *w, enum ht_leaking leaking, const char *why)
{
	w->leaking = leaking;
	w->why = why;
}

/* --- sizes ---------------------------------------------------------------- */

/* A size class: what it grew by, and what was seen in windows to stay in it. */
struct size {
	uint64_t max_size;
	double growth;	  /* bytes a second */
	double all, sure; /* sampled bytes that stay; of sites that keep what
			     they take */
};

struct sizes {
	struct size *v;
	size_t n;
	bool known; /* there were two walks */
	double growth;
};

static void sizes_fini(struct sizes *s)
{
	free(s->v);
}

static struct size *size_at(struct sizes *s, uint64_t max_size)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].max_size == max_size)
			return &s->v[i];
	s->v[s->n].max_size = max_size;
	return &s->v[s->n++];
}

static void add_walk(struct sizes *s, const struct ht_snapshot *walk,
		     double factor)
{
	for (size_t i = 0; i < walk->size_classes.n; i++) {
		const struct ht_size_class *c = &walk->size_classes.v[i];

		if (c->in_use_bytes == HT_UNKNOWN)
			continue;
		size_at(s, c->max_size)->growth +=
			factor * (double)c->in_use_bytes;
		s->growth += factor * (double)c->in_use_bytes;
	}
}

/* Sampled bytes that stay, of one size of a site. */
static double weight(const struct ht_site *site, const struct ht_site_size *s)
{
	double kept = few_freed(site) ? (double)(s->old_samples - s->old_freed)
				      : (double)s->old_alive;

	return s->old_samples ? (double)s->bytes * kept / (double)s->old_samples
			      : 0;
}

static bool sizes_make(const struct ht_who_in *in, struct sizes *ret)
{
	const struct ht_site_size_list *l = &in->seen->site_sizes;
	size_t most = l->n + (in->before ? in->before->size_classes.n : 0) +
		      (in->after ? in->after->size_classes.n : 0);

	*ret = (struct sizes){.growth = NAN};
	ret->v = calloc(most + 1, sizeof(*ret->v));
	if (!ret->v)
		return false;
	ret->known = in->before && in->after && in->seconds > 0 &&
		     in->before->size_classes.n > 0 &&
		     in->after->size_classes.n > 0;
	if (ret->known) {
		ret->growth = 0;
		add_walk(ret, in->before, -1 / in->seconds);
		add_walk(ret, in->after, 1 / in->seconds);
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct ht_site *site = &in->seen->sites.v[l->v[i].site];
		struct size *s = size_at(ret, l->v[i].max_size);

		s->all += weight(site, &l->v[i]);
		s->sure += stays(site) ? weight(site, &l->v[i]) : 0;
	}
	return true;
}

/* What a site has of the sizes that it takes. */
struct company {
	double growth; /* its part of what they grew by, bytes a second; NaN */
	double kept;   /* that windows saw it keep, bytes a second */
	double share;  /* of all that stays in those sizes */
};

/* realloc moves what it lets grow, so that next to nothing of it is seen again:
 * what it adds is then held against what the heap grows by. */
static bool is_moved(const struct ht_site *s)
{
	return 2 * s->moved > s->samples;
}

static void judge(const struct ht_site *s, const struct company *c,
		  struct ht_who_site *w)
{
	bool mixed =
		w->low >= ht_t.who_mixed_stay && c->share >= ht_t.who_mixed;

	w->confidence = NAN;
	if (s->old_samples == 0)
		say(w, HT_LEAKING_UNKNOWN, "seen too late to tell");
	else if (is_moved(s))
		say(w, HT_LEAKING_UNKNOWN,
		    "it lets chunks grow by realloc, which moves them: whether they stay cannot be told");
	else if (staying(s) < ht_t.who_alive && w->high < ht_t.who_gone)
		say(w, HT_LEAKING_NO, "what it takes is given back");
	else if (staying(s) < ht_t.who_alive)
		say(w, HT_LEAKING_UNKNOWN, "too few were seen to tell");
	else if (!stays(s) && !mixed)
		say(w, HT_LEAKING_NO, "most of what it takes is given back");
	else if (isnan(c->growth))
		say(w, HT_LEAKING_UNKNOWN,
		    "it stays; whether its sizes grow is not known");
	else if (c->growth <= 0 || c->kept > ht_t.who_too_much * c->growth)
		say(w, HT_LEAKING_NO,
		    "it stays, but its sizes do not grow by as much: others of them are given back (a cache, a queue)");
	else if (c->share < ht_t.who_share)
		say(w, HT_LEAKING_NO, "it stays, and is next to nothing");
	else
		say(w, HT_LEAKING_YES, "it stays, and its sizes grow");
	if (w->leaking == HT_LEAKING_YES)
		w->confidence = stays(s) ? w->low : (1 + w->low) / 4;
}

/* What a site was seen to add by the time that windows were open, bytes a
 * second. They see too few calls, never too many. */
static double added(const struct ht_who_in *in, const struct ht_site *s)
{
	const struct ht_windows *w = in->seen->windows.v;

	return in->seen->windows.n && w->armed_us != HT_UNKNOWN && w->armed_us
		       ? 1000000 * (double)s->bytes / (double)w->armed_us
		       : 0;
}

/* rest: what the heap grows by, bytes a second, and none that stays where it is
 * makes; among: what all that realloc lets grow more and more adds. */
static void judge_moved(const struct ht_who_in *in, const struct ht_site *s,
			double growth, double rest, double among,
			struct ht_who_site *w)
{
	double adds = added(in, s);

	if (rest <= 0 || adds > ht_t.who_too_much * rest) {
		say(w, HT_LEAKING_NO,
		    "it lets chunks grow by realloc, and the heap does not grow by as much: others of them are given back");
		return;
	}
	if (!s->growing || rest < ht_t.who_mixed * growth)
		return; /* not sure */
	if (adds < ht_t.who_share * rest)
		return;
	w->bytes_per_s = rest * adds / among;
	w->share_of_growth = fmin(1, w->bytes_per_s / growth);
	say(w, HT_LEAKING_YES,
	    "it lets chunks grow by realloc, larger and larger, and the heap grows by as much");
	w->confidence = ht_t.who_moved_sure;
}

/* What realloc moves is judged when the others are: by what they leave. */
static void judge_all_moved(const struct ht_who_in *in,
			    const struct ht_who_judged *j, double growth)
{
	double rest = growth, among = 0;

	if (isnan(growth))
		return;
	for (size_t i = 0; i < j->n; i++) {
		const struct ht_site *s = &in->seen->sites.v[j->v[i].site];

		if (j->v[i].leaking == HT_LEAKING_YES)
			rest -= j->v[i].bytes_per_s;
		if (is_moved(s) && s->growing)
			among += added(in, s);
	}
	for (size_t i = 0; i < j->n; i++) {
		const struct ht_site *s = &in->seen->sites.v[j->v[i].site];

		if (is_moved(s) && s->old_samples)
			judge_moved(in, s, growth, rest, among, &j->v[i]);
	}
}

/* --- what is written to all the time -------------------------------------- */

/* Of a site: what it takes and others' contents are found in later, and what
 * its sizes grow by that nobody is seen to keep, both in bytes a second. */
struct rewriting {
	double taken, rest;
};

static struct rewriting rewriting_of(const struct ht_who_in *in, size_t site,
				     struct sizes *sizes)
{
	const struct ht_site_size_list *l = &in->seen->site_sizes;
	const struct ht_windows *w = in->seen->windows.v;
	double seconds = in->seen->windows.n && w->armed_us != HT_UNKNOWN
				 ? (double)w->armed_us / 1000000
				 : 0;
	struct rewriting ret = {0};

	for (size_t i = 0; seconds > 0 && i < l->n; i++) {
		const struct ht_site_size *s = &l->v[i];
		const struct size *size;
		double kept;

		if (s->site != site || s->old_rewritten == 0)
			continue;
		size = size_at(sizes, s->max_size);
		kept = ht_t.who_too_much * size->all / seconds;
		if (size->growth <= kept)
			continue;
		ret.taken += (double)s->bytes * (double)s->old_rewritten /
			     (double)s->old_samples / seconds;
		ret.rest += size->growth - size->all / seconds;
	}
	return ret;
}

static uint64_t rewritten(const struct ht_who_in *in, size_t site)
{
	const struct ht_site_size_list *l = &in->seen->site_sizes;
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].site == site ? l->v[i].old_rewritten : 0;
	return n;
}

/* Nothing but contents says that its chunks were freed, its sizes grow, and no
 * more was taken than would make them grow so. */
static bool may_be_written_to(const struct ht_who_in *in,
			      const struct ht_who_site *w, struct sizes *sizes,
			      struct rewriting *ret)
{
	const struct ht_site *s = &in->seen->sites.v[w->site];
	uint64_t n = rewritten(in, w->site);

	*ret = rewriting_of(in, w->site, sizes);
	return w->leaking == HT_LEAKING_NO && (double)n >= ht_t.who_alive &&
	       (double)n >= ht_t.who_rewritten * (double)s->old_samples &&
	       ret->rest > 0 && ret->taken <= ret->rest / ht_t.who_stays &&
	       ret->taken * ht_t.who_too_much >= ret->rest * ht_t.who_mixed;
}

static bool have_a_size_in_common(const struct ht_who_in *in, size_t a,
				  size_t b)
{
	const struct ht_site_size_list *l = &in->seen->site_sizes;

	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->n; k++)
			if (l->v[i].site == a && l->v[k].site == b &&
			    l->v[i].max_size == l->v[k].max_size &&
			    l->v[i].old_rewritten && l->v[k].old_rewritten)
				return true;
	return false;
}

static void judge_rewritten(const struct ht_who_in *in, double growth,
			    bool alone, const struct rewriting *r,
			    struct ht_who_site *w)
{
	const struct ht_site *s = &in->seen->sites.v[w->site];
	double freed = (double)(s->old_freed - rewritten(in, w->site));
	double n = (double)s->old_samples, unused;

	ht_wilson(n - freed, n, &unused, &w->high);
	w->survival = NAN;
	w->low = 0;
	say(w, HT_LEAKING_UNKNOWN,
	    "its sizes grow and nobody is seen to keep them: its chunks are written to all the time, or given back");
	if (!alone)
		return;
	w->bytes_per_s = r->rest;
	w->share_of_growth = growth > 0 ? fmin(1, r->rest / growth) : NAN;
	say(w, HT_LEAKING_YES,
	    "its sizes grow by what it takes; its chunks are written to all the time, and none was seen to be given back");
	w->confidence = ht_t.who_moved_sure;
}

static void judge_all_rewritten(const struct ht_who_in *in,
				struct ht_who_judged *j, struct sizes *sizes)
{
	HT_AUTO_FREE struct rewriting *r = calloc(j->n + 1, sizeof(*r));
	HT_AUTO_FREE bool *may = calloc(j->n + 1, sizeof(*may));

	if (!r || !may || !sizes->known)
		return;
	for (size_t i = 0; i < j->n; i++)
		may[i] = may_be_written_to(in, &j->v[i], sizes, &r[i]);
	for (size_t i = 0; i < j->n; i++) {
		bool alone = true;

		for (size_t k = 0; may[i] && k < j->n; k++)
			if (k != i && may[k] &&
			    have_a_size_in_common(in, j->v[i].site,
						  j->v[k].site))
				alone = false;
		if (may[i])
			judge_rewritten(in, sizes->growth, alone, &r[i],
					&j->v[i]);
	}
}

static int by_guilt(const void *x, const void *y)
{
	static const int rank[] = {[HT_LEAKING_YES] = 0,
				   [HT_LEAKING_UNKNOWN] = 1,
				   [HT_LEAKING_NO] = 2};
	const struct ht_who_site *a = x, *b = y;
	double ga = isnan(a->bytes_per_s) ? 0 : a->bytes_per_s;
	double gb = isnan(b->bytes_per_s) ? 0 : b->bytes_per_s;

	if (a->leaking != b->leaking)
		return rank[a->leaking] - rank[b->leaking];
	if (ga != gb)
		return ga < gb ? 1 : -1;
	return (a->site > b->site) - (a->site < b->site);
}

/* Of the size, or of the next smaller one: malloc gives a chunk that is one
 * step too large, where what would be left is no chunk. */
static bool is_kept_surely(const struct sizes *s, const struct size *size)
{
	if (size->sure > 0)
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].sure > 0 &&
		    s->v[i].max_size + CHUNK_STEP == size->max_size)
			return true;
	return false;
}

/* Where some site is seen to keep what it takes, others of its sizes of which a
 * little seems to stay are not held for it: in their chunks may be its own. */
static struct company company_of(const struct ht_who_in *in, size_t site,
				 struct sizes *sizes)
{
	const struct ht_site_size_list *l = &in->seen->site_sizes;
	const struct ht_site *s = &in->seen->sites.v[site];
	const struct ht_windows *w = in->seen->windows.v;
	double seconds = in->seen->windows.n && w->armed_us != HT_UNKNOWN
				 ? (double)w->armed_us / 1000000
				 : 0;
	struct company c = {.growth = sizes->known ? 0 : NAN};
	double own = 0, all = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct size *size;
		double mine, here;

		if (l->v[i].site != site)
			continue;
		size = size_at(sizes, l->v[i].max_size);
		here = size->sure > 0 ? size->sure : size->all;
		mine = is_kept_surely(sizes, size) && !stays(s)
			       ? 0
			       : weight(s, &l->v[i]);
		own += mine;
		all += here;
		if (here > 0)
			c.growth += mine / here * size->growth;
	}
	c.kept = seconds > 0 ? own / seconds : 0;
	c.share = all > 0 ? own / all : 0;
	if (c.growth > sizes->growth && sizes->growth > 0)
		c.growth = sizes->growth;
	return c;
}

static void weigh(const struct ht_who_in *in, size_t site, struct sizes *sizes,
		  struct ht_who_site *w)
{
	const struct ht_site *s = &in->seen->sites.v[site];
	struct company c = company_of(in, site, sizes);

	w->site = site;
	survive(s, w);
	w->bytes_per_s = isnan(c.growth) ? NAN : fmax(c.growth, 0);
	w->share_of_growth = sizes->growth > 0
				     ? fmin(1, w->bytes_per_s / sizes->growth)
				     : NAN;
	judge(s, &c, w);
}

static bool is_sound(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->site_sizes.n; i++)
		if (s->site_sizes.v[i].site >= s->sites.n)
			return false;
	return true;
}

/* By who was the first to write to pages: that is what the heap grew by, not
 * who keeps it. */
static void judge_growth(const struct ht_who_in *in, struct ht_who_judged *j)
{
	const struct ht_windows *w = in->seen->windows.v;
	double seconds =
		w->armed_us == HT_UNKNOWN ? 0 : (double)w->armed_us / 1000000;
	double all = 0;

	for (size_t i = 0; i < j->n; i++)
		all += (double)in->seen->sites.v[i].bytes;
	for (size_t i = 0; i < j->n; i++) {
		double bytes = (double)in->seen->sites.v[i].bytes;
		j->v[i] = (struct ht_who_site){
			.site = i,
			.survival = NAN,
			.low = NAN,
			.high = NAN,
			.bytes_per_s = seconds > 0 ? bytes / seconds : NAN,
			.share_of_growth = all > 0 ? bytes / all : NAN,
			.leaking = HT_LEAKING_UNKNOWN,
			.confidence = NAN,
			.why = "it is the first to write to new pages of the heap; who keeps memory may be another, that lives on what is freed"};
	}
}

enum ht_code ht_who_judge(const struct ht_who_in *in, struct ht_who_judged *ret,
			  struct ht_err *err)
{
	HT_CLEANUP(sizes_fini) struct sizes sizes = {0};
	size_t n = in->seen->sites.n;

	*ret = (struct ht_who_judged){.growth = NAN};
	if (!is_sound(in->seen))
		return ht_fail(err, HT_PROTOCOL,
			       "sizes of a site that is none");
	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!ret->v || !sizes_make(in, &sizes))
		return ht_fail(err, HT_NOMEM, "no memory for %zu sites", n);
	ret->n = n;
	ret->growth = in->size && sizes.known
			      ? size_at(&sizes, in->size)->growth
			      : sizes.growth;
	if (in->seen->windows.n && in->seen->windows.v->way == HT_WAY_GROWTH) {
		judge_growth(in, ret);
		return HT_OK; /* the agent's order */
	}
	for (size_t i = 0; i < n; i++)
		weigh(in, i, &sizes, &ret->v[i]);
	judge_all_rewritten(in, ret, &sizes);
	judge_all_moved(in, ret, sizes.growth);
	if (n)
		qsort(ret->v, n, sizeof(*ret->v), by_guilt);
	return HT_OK;
}

void ht_who_judged_fini(struct ht_who_judged *j)
{
	free(j->v);
	*j = (struct ht_who_judged){0};
}
