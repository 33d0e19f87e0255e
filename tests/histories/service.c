/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/histories/service.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "tests/lib/made.h"

#define MIB	    0x1p20
#define HOUR	    3600.0
#define DAY	    86400.0
#define CLASSES_MAX 64
/* A Monday, midnight UTC. */
#define T0 INT64_C(1750032000)

struct one_class {
	uint64_t size;	/* 0: mmapped */
	double share;	/* of the level */
	double follows; /* part of it that follows the load */
	size_t tenant;
	double noise, wander, load; /* states */
	struct ht_class_series *series;
};

struct service {
	const struct ht_case *c;
	struct one_class class[CLASSES_MAX];
	size_t n, leaks_in, drift_from, drift_to, cached_in;
	double level, phase, load_noise, tenant_noise[3];
	double saw_phase, shift_at, lump, gap_at;
	/* of this life */
	double born, cache, leaked, outside, asked, high, work, faults;
	struct ht_life *life;
};

static const enum ht_metric metrics[] = {
	HT_M_in_use,
	HT_M_in_use_arena,
	HT_M_mmapped,
	HT_M_mmapped_resident,
	HT_M_retained,
	HT_M_trimmable,
	HT_M_heap_resident,
	HT_M_resident_free,
	HT_M_non_malloc_anon,
	HT_M_rss_anon,
	HT_M_rss_shmem,
	HT_M_swap,
	HT_M_limit,
	HT_M_arenas,
	HT_M_arenas_holding,
	HT_M_non_main_free_resident,
	HT_M_unattached_arenas,
	HT_M_tcache,
	HT_M_fastbin,
	HT_M_top,
	HT_M_trim_threshold,
	HT_M_blocked_4,
	HT_M_blocked_span,
	HT_M_system,
	HT_M_uncertain,
	HT_M_threads,
	HT_M_cpu_ns,
	HT_M_minflt,
};

static double between(double low, double high)
{
	return low + (high - low) * ht_made_uniform();
}

/* One step of noise with standard deviation 1 whose memory is `tau` long. */
static double wandered(double at, double step, double tau)
{
	double keep = exp(-step / tau);

	return keep * at + sqrt(1 - keep * keep) * ht_made_normal();
}

/* --- load: mean about 1 -------------------------------------------------- */

static bool is_weekend(double t)
{
	return (long)(t / DAY) % 7 >= 5;
}

static double smooth(double x) /* 0 below 0, 1 above 1 */
{
	x = fmax(0, fmin(1, x));
	return x * x * (3 - 2 * x);
}

static double office(double t)
{
	double hour = fmod(t, DAY) / HOUR;

	return smooth((hour - 6) / 3) * (1 - smooth((hour - 17) / 4));
}

static double wave(const struct service *s, double t)
{
	const struct ht_case *c = s->c;
	double week = c->weekend > 0 && is_weekend(t) ? c->weekend : 1, day;

	switch (c->load) {
	case LOAD_FLAT:
	case LOAD_WALK:
		return 1;
	case LOAD_OFFICE:
		day = 1 + c->swing * (2 * office(t) * week - 1);
		return day;
	default:
		day = 1 + c->swing * sin(2 * M_PI * t / DAY + s->phase);
		return week * day *
		       (1 + 0.1 * c->swing * sin(4 * M_PI * t / DAY));
	}
}

static double load_at(const struct service *s, double t)
{
	const struct ht_case *c = s->c;
	double load = wave(s, t);

	if (c->load == LOAD_WALK)
		load += c->swing * s->load_noise;
	else
		load *= 1 + 0.02 * s->load_noise;
	if (c->load == LOAD_TREND)
		load *= 1 + 0.15 * t / (7 * DAY);
	return fmax(0.02, load);
}

static double class_load(const struct service *s, const struct one_class *k,
			 double t, double load)
{
	const struct ht_case *c = s->c;

	switch (c->load) {
	case LOAD_TENANTS:
		return fmax(0.02,
			    wave(s, t + 7 * HOUR * (double)k->tenant) *
				    (1 + 0.05 * s->tenant_noise[k->tenant]));
	case LOAD_SATURATING:
		return k->tenant ? 1.2 * (1 - exp(-1.8 * load)) : load;
	case LOAD_LAGGING:
		return k->load; /* follows with its own delay */
	default:
		return load;
	}
}

/* --- a service ----------------------------------------------------------- */

static void make_classes(struct service *s)
{
	double sum = 0;

	s->n = s->c->classes < CLASSES_MAX - 1 ? s->c->classes
					       : CLASSES_MAX - 1;
	for (size_t i = 0; i < s->n; i++) {
		struct one_class *k = &s->class[i];

		k->size = i + 1 == s->n ? 0
					: 32 + 16 * (uint64_t)(i * (1 + i / 4));
		k->share = exp(1.2 * ht_made_normal());
		k->follows = s->c->load == LOAD_FLAT ? 0 : between(0.6, 1);
		if (ht_made_uniform() < 0.2)
			k->follows = between(0, 0.2); /* tables, code */
		k->tenant = (size_t)(3 * ht_made_uniform());
		k->wander = ht_made_normal();
		k->load = 1;
		sum += k->share;
	}
	for (size_t i = 0; i < s->n; i++)
		s->class[i].share /= sum;
	s->leaks_in = (size_t)((double)(s->n - 1) * ht_made_uniform());
	if (s->c->leak == LEAK_MMAPPED || s->c->leak == LEAK_DOUBLING)
		s->leaks_in = s->n - 1;
	s->drift_from = s->n / 4;
	s->drift_to = s->n - 2;
	s->cached_in = s->n / 2;
}

static void make_service(struct service *s, const struct ht_case *c,
			 uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	ht_made_seed(seed);
	s->level = c->level * between(0.8, 1.2);
	s->phase = 2 * M_PI * ht_made_uniform();
	s->saw_phase = ht_made_uniform();
	s->shift_at = between(0.15, 0.85) * c->days * DAY;
	s->gap_at = between(0.2, 0.8) * c->days * DAY;
	make_classes(s);
}

/* --- one moment ---------------------------------------------------------- */

static bool leaking(const struct service *s, double t)
{
	const struct ht_case *c = s->c;

	return c->leak != LEAK_NONE && t >= c->begin_day * DAY &&
	       (c->end_day <= 0 || t < c->end_day * DAY);
}

static void leak(struct service *s, double t, double step, double load)
{
	double rate = s->c->mb_h * MIB / HOUR, hour = fmod(t, DAY) / HOUR;

	if (!leaking(s, t))
		return;
	switch (s->c->leak) {
	case LEAK_REQUEST:
		s->leaked += rate * load * step;
		break;
	case LEAK_NIGHT:
		s->leaked += hour >= 2 && hour < 3 ? 24 * rate * step : 0;
		break;
	case LEAK_CONNECTION:
		if (ht_made_uniform() < step / (HOUR / 2))
			s->leaked -= rate * HOUR / 2 * log(ht_made_uniform());
		break;
	case LEAK_OUTSIDE:
		s->outside += rate * step;
		break;
	default:
		s->leaked += rate * step;
	}
	while (s->c->leak == LEAK_DOUBLING && s->asked < s->leaked)
		s->asked = fmax(16 * MIB, 2 * s->asked);
}

/* Bytes of class i that the load explains, then what else lives there. */
static double class_bytes(struct service *s, size_t i, double t, double load)
{
	struct one_class *k = &s->class[i];
	const struct ht_case *c = s->c;
	double age = t - s->born, own = s->level * k->share;
	double x =
		own * (1 - k->follows + k->follows * class_load(s, k, t, load));

	x *= 1 + c->noise * k->noise + c->wander * k->wander;
	x *= 1 - exp(-age / 300); /* it starts within minutes */
	if (i == s->cached_in)
		x += c->cache * s->level * s->cache;
	if (t >= s->shift_at && i == s->n / 3)
		x += c->shift * s->level;
	if (i == (s->n / 3 + 1) % s->n && c->saw > 0)
		x += c->saw * s->level *
		     fmod(s->saw_phase + t / (60 * c->saw_min), 1);
	if (i == 1 % s->n && fmod(t, DAY) >= 3 * HOUR &&
	    fmod(t, DAY) < 4 * HOUR)
		x += c->batch * s->level;
	if (i == s->drift_from)
		x += c->drift * s->level * (1 - t / (c->days * DAY));
	if (i == s->drift_to)
		x += c->drift * s->level * t / (c->days * DAY);
	if (i == s->n - 1)
		x += c->ratchet * s->level * exp(-age / (8 * HOUR));
	if (i == s->n - 2)
		x += c->ratchet * s->level * 0.97 *
		     (1 - exp(-age / (8 * HOUR)));
	if (c->leak == LEAK_SPREAD)
		x += (i + s->n - s->leaks_in) % s->n < 5 ? s->leaked / 5 : 0;
	else if (i == s->leaks_in)
		x += c->leak == LEAK_DOUBLING ? s->asked : s->leaked;
	return fmax(0, x);
}

static void put(struct ht_series *s, enum ht_metric m, double value)
{
	ht_made_put(s, m, floor(fmax(0, value)));
}

static void put_class(struct ht_series *s, struct one_class *k, double bytes)
{
	for (size_t j = 0; j < HT_STAT_COUNT; j++)
		k->series->bytes[j][s->rows - 1] = floor(bytes);
	k->series->chunks[s->rows - 1] =
		floor(bytes / (double)(k->size ? k->size : 262144));
}

static void put_process(struct service *s, double arena, double mapped,
			double load)
{
	struct ht_series *r = &s->life->raw;
	double keep = s->c->retained, heap, kept, written = mapped, outside;

	s->high = fmax(s->high, arena);
	heap = 1.02 * (arena + keep * (s->high - arena));
	kept = heap - arena;
	if (s->c->leak == LEAK_DOUBLING)
		written = mapped - s->asked + s->leaked;
	outside = 0.05 * s->level + s->outside;
	put(r, HT_M_in_use, arena + mapped);
	put(r, HT_M_in_use_arena, arena);
	put(r, HT_M_mmapped, mapped);
	put(r, HT_M_mmapped_resident, written);
	put(r, HT_M_heap_resident, heap);
	put(r, HT_M_retained, kept);
	put(r, HT_M_trimmable, 0.8 * kept);
	put(r, HT_M_resident_free, 0.85 * kept);
	put(r, HT_M_top, 0.1 * kept);
	put(r, HT_M_non_malloc_anon, outside);
	put(r, HT_M_rss_anon, heap + written + outside);
	put(r, HT_M_system, 1.05 * heap);
	put(r, HT_M_limit, s->life->limit);
	put(r, HT_M_arenas, 8);
	put(r, HT_M_arenas_holding, 2);
	put(r, HT_M_trim_threshold, 131072);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		if (isnan(r->metric[metrics[i]][HT_STAT_MEDIAN][r->rows - 1]) &&
		    metrics[i] != HT_M_threads && metrics[i] != HT_M_cpu_ns &&
		    metrics[i] != HT_M_minflt)
			put(r, metrics[i], 0);
	if (s->c->few)
		return;
	put(r, HT_M_threads, 8 + 16 * load);
	put(r, HT_M_cpu_ns, s->work * 1e9);
	put(r, HT_M_minflt, s->faults);
}

/* What moves between two samples. */
static void advance(struct service *s, double t, double step)
{
	double load;

	s->load_noise = wandered(s->load_noise, step,
				 s->c->load == LOAD_WALK ? 5 * HOUR : HOUR);
	for (size_t k = 0; k < 3; k++)
		s->tenant_noise[k] = wandered(s->tenant_noise[k], step, HOUR);
	load = load_at(s, t);
	for (size_t i = 0; i < s->n; i++) {
		struct one_class *k = &s->class[i];
		double delay = HOUR * (0.3 + (double)k->tenant);

		k->noise = wandered(k->noise, step, 600);
		k->wander = wandered(k->wander, step, 6 * HOUR);
		k->load += (load - k->load) * (1 - exp(-step / delay));
	}
	s->cache += (1 - s->cache) *
		    (s->c->cache_h > 0
			     ? 1 - exp(-step * load / (s->c->cache_h * HOUR))
			     : 0);
	s->work += 0.5 * load * step * (1 + 0.03 * ht_made_normal());
	s->faults += 200 * load * step * (1 + 0.1 * ht_made_normal());
	leak(s, t, step, load);
}

static void sample(struct service *s, double t, int64_t time_ns)
{
	double arena = 0, mapped = 0, load = load_at(s, t);
	struct ht_series *r = &s->life->raw;
	struct ht_err err;

	if (ht_series_add_row(r, time_ns, &err) != HT_OK)
		abort();
	for (size_t i = 0; i < s->n; i++) {
		struct one_class *k = &s->class[i];
		double bytes = class_bytes(s, i, t, load);

		put_class(r, k, bytes);
		*(k->size ? &arena : &mapped) += floor(bytes);
	}
	put_process(s, arena, mapped, load);
}

/* --- one life ------------------------------------------------------------ */

static void begin_life(struct service *s, struct ht_life *l, double born)
{
	bool wanted[HT_METRIC_COUNT] = {false};

	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		wanted[metrics[i]] = true;
	ht_series_init(&l->raw);
	ht_series_limit(&l->raw, wanted);
	l->raw.started_ns = (T0 + (int64_t)born) * HT_NS_PER_S;
	l->limit = 2.5 * s->level;
	s->life = l;
	s->born = born;
	s->cache = s->leaked = s->outside = s->asked = s->high = 0;
	s->work = s->faults = 0;
	for (size_t i = 0; i < s->n; i++)
		s->class[i].series = NULL;
}

static void find_series(struct service *s)
{
	for (size_t i = 0; i < s->n; i++)
		ht_series_class(&s->life->raw, s->class[i].size);
	for (size_t i = 0; i < s->n; i++) /* the array may have moved */
		s->class[i].series =
			ht_series_class(&s->life->raw, s->class[i].size);
}

static int64_t wall_ns(const struct service *s, double t)
{
	double clock = t >= s->gap_at ? s->c->clock_s : 0;

	return (int64_t)(((double)T0 + t + clock) * HT_NS_PER_S);
}

/* What leaks in an arena takes its part of pages with it. */
static double rate_of_heap(enum leak_kind k)
{
	return k == LEAK_MMAPPED || k == LEAK_OUTSIDE || k == LEAK_DOUBLING
		       ? 1
		       : 1.02;
}

static void set_truth(struct service *s, double from, double to)
{
	const struct ht_case *c = s->c;
	double begin = fmax(from, c->begin_day * DAY);
	double end = c->end_day > 0 ? c->end_day * DAY : INFINITY;

	s->life->leak_from = s->life->leak_to = INT64_MAX;
	s->life->leak_per_h = c->mb_h * MIB * rate_of_heap(c->leak);
	if (c->leak == LEAK_NONE || begin >= to)
		return;
	s->life->leak_from = wall_ns(s, begin);
	if (end < to)
		s->life->leak_to = wall_ns(s, end);
}

static void live(struct service *s, double from, double to)
{
	const struct ht_case *c = s->c;
	double t = from;

	find_series(s);
	set_truth(s, from, to);
	while (t < to) {
		double slow = c->rate_change > 0 && t > (from + to) / 2
				      ? c->rate_change
				      : 1;
		double step = c->step_s * slow * between(0.9, 1.1);

		advance(s, t, step);
		t += step;
		if (t >= s->gap_at && t < s->gap_at + c->gap_h * HOUR)
			continue;
		sample(s, t, wall_ns(s, t));
	}
}

void ht_service_run(const struct ht_case *c, uint64_t seed,
		    void (*each)(struct ht_life *life, void *ctx), void *ctx)
{
	double life = c->life_h > 0 ? c->life_h * HOUR : c->days * DAY;
	struct service s;

	make_service(&s, c, seed);
	for (double from = 0; from + 0.9 * life < c->days * DAY; from += life) {
		struct ht_life l;

		begin_life(&s, &l, from);
		live(&s, from, from + life);
		each(&l, ctx);
		ht_series_fini(&l.raw);
	}
}
