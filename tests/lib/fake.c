/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Steele, Lea, Flood: splitmix64's finalizer as a hash of what it is for. */
static uint64_t noise(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15u + b;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A figure of thing `what` that changes in about one of `every` samples. */
static uint64_t level(uint64_t what, uint64_t n, uint64_t every, uint64_t range)
{
	uint64_t phase = noise(what, 1) % every;

	return noise(what, 2 + (n + phase) / every) % range;
}

static void fill_head(const struct fake *f, uint64_t n, struct ht_head *h)
{
	h->pid = f->pid;
	snprintf(h->comm, sizeof(h->comm), "fake%" PRIu64, f->pid);
	snprintf(h->exe, sizeof(h->exe), "/usr/bin/fake%" PRIu64, f->pid);
	h->started_at = f->start_ns - 60000000000;
	h->taken_at = f->start_ns + (int64_t)n * f->step_ns;
	snprintf(h->arch, sizeof(h->arch), "x86_64");
	snprintf(h->boot_id, sizeof(h->boot_id),
		 "00000000-0000-4000-8000-000000000001");
	h->start_ticks = 1000 + f->pid;
	h->exe_dev = 2049;
	h->exe_inode = 100 + f->pid;
	h->cpu_ns = n * 50000000;
	snprintf(h->cgroup, sizeof(h->cgroup), "/system.slice/fake.service");
	h->uid = 1000;
}

static void fill_libc(struct ht_libc *l)
{
	snprintf(l->version, sizeof(l->version), "2.36");
	snprintf(l->build_id, sizeof(l->build_id), "0123456789abcdef");
	snprintf(l->path, sizeof(l->path), "/lib/x86_64-linux-gnu/libc.so.6");
	snprintf(l->layout, sizeof(l->layout), "table");
	snprintf(l->located, sizeof(l->located), "symbol");
	snprintf(l->allocator, sizeof(l->allocator), "glibc");
	l->safe_linking = 1;
}

static void add_bin(struct ht_snapshot *s, uint64_t arena, uint64_t kind,
		    uint64_t index, uint64_t size, uint64_t chunks,
		    struct ht_arena *a)
{
	struct ht_bin *b;
	uint64_t *place[] = {&a->fastbin, &a->unsorted, &a->small, &a->large};

	if (chunks == 0)
		return;
	b = ht_snapshot_add_bin(s);
	if (!b)
		return;
	b->arena = arena;
	b->kind = kind;
	b->index = index;
	b->min_size = kind == HT_BIN_UNSORTED ? HT_UNKNOWN : size;
	b->max_size = kind == HT_BIN_UNSORTED ? HT_UNKNOWN : size;
	b->chunks = chunks;
	b->bytes = chunks * size;
	*place[kind] += b->bytes;
}

static void fill_bins(struct ht_snapshot *s, uint64_t arena, uint64_t n,
		      struct ht_arena *a)
{
	uint64_t seed = arena * 1000;

	for (uint64_t i = 0; i < 4; i++)
		add_bin(s, arena, HT_BIN_FAST, i, 32 + 16 * i,
			level(seed + i, n, 12, 6), a);
	add_bin(s, arena, HT_BIN_UNSORTED, 1, 304, level(seed + 9, n, 6, 5), a);
	for (uint64_t i = 2; i < 40; i += 2)
		add_bin(s, arena, HT_BIN_SMALL, i, 16 * i,
			level(seed + i, n, 20, 9), a);
	for (uint64_t i = 64; i < 84; i += 2)
		add_bin(s, arena, HT_BIN_LARGE, i, 1024 + 512 * (i - 64),
			level(seed + i, n, 30, 4), a);
}

/* After all but in_use is set: the sums. */
static void close_arena(struct ht_arena *a, struct ht_totals *t)
{
	a->free = a->tcache + a->fastbin + a->unsorted + a->small + a->large +
		  a->top;
	a->system = a->in_use + a->free + a->overhead;
	a->max_system = a->system + 4096;
	a->resident = a->system - a->system / 8;
	a->retained = a->resident > a->in_use ? a->resident - a->in_use : 0;
	a->resident_free = a->retained / 2;
	a->trimmable = a->retained / 4;
	a->pinned = a->retained / 8;
	t->system += a->system;
	t->max_system += a->max_system;
	t->in_use += a->in_use;
	t->in_use_chunks += a->in_use_chunks;
	t->free += a->free;
	t->tcache += a->tcache;
	t->fastbin += a->fastbin;
	t->unsorted += a->unsorted;
	t->small += a->small;
	t->large += a->large;
	t->top += a->top;
	t->overhead += a->overhead;
	t->heap_resident += a->resident;
	t->retained += a->retained;
	t->resident_free += a->resident_free;
	t->trimmable += a->trimmable;
	t->pinned += a->pinned;
}

static void fill_arena(const struct fake *f, struct ht_snapshot *s, uint64_t i,
		       uint64_t n)
{
	struct ht_arena *a = ht_snapshot_add_arena(s);
	struct ht_heap *heap = ht_snapshot_add_heap(s);
	bool busy = i % 3 == 0; /* the rest rests */

	if (!a || !heap)
		return;
	a->index = i;
	a->kind = i ? HT_ARENA_THREAD : HT_ARENA_MAIN;
	a->address = i ? 0x7f0000000030 + (i << 26) : 0x7ffff7e19c60;
	a->tcache = a->fastbin = a->unsorted = a->small = a->large = 0;
	fill_bins(s, i, busy ? n : 0, a);
	a->top = 1 << 17;
	a->overhead = 2200;
	a->in_use = (i == 0 ? n * f->leak : 0) + (1 << 20) +
		    (busy ? 16 * (noise(i, n) % 4096) : 0);
	a->in_use_chunks = a->in_use / 96;
	a->attached_threads = i < f->threads;
	a->uncertain_bytes = 0;
	a->contiguous = 1;
	a->space = 0;
	close_arena(a, &s->totals);
	heap->arena = i;
	heap->address = 0x7f0000000000 + (i << 26);
	heap->size = a->system;
	heap->resident = a->resident;
}

static void fill_classes(const struct fake *f, struct ht_snapshot *s,
			 uint64_t n)
{
	for (uint64_t i = 0; i < f->classes; i++) {
		struct ht_size_class *c = ht_snapshot_add_size_class(s);
		uint64_t every = i % 5 == 0 ? 1 : 40;

		if (!c)
			return;
		c->max_size = i < 65 ? 32 + 16 * i : 1040 + 256 * (i - 64);
		c->in_use_chunks = 100 + level(500 + i, n, every, 1000) +
				   (i == 7 ? n * f->leak / 144 : 0);
		c->in_use_bytes = c->in_use_chunks * c->max_size;
		c->free_chunks = level(700 + i, n, every, 50);
		c->free_bytes = c->free_chunks * c->max_size;
	}
}

static void fill_others(const struct fake *f, struct ht_snapshot *s, uint64_t n)
{
	for (uint64_t i = 0; i < f->threads; i++) {
		struct ht_thread *t = ht_snapshot_add_thread(s);

		if (!t)
			return;
		t->tid = f->pid + i;
		t->arena = i % f->arenas;
		t->tcache_chunks = level(900 + i, n, 15, 7);
		t->tcache_bytes = t->tcache_chunks * 48;
	}
	for (uint64_t i = 0; i < 6; i++) {
		struct ht_mapping *m = ht_snapshot_add_mapping(s);

		if (!m)
			return;
		m->kind = i;
		snprintf(m->name, sizeof(m->name), "%s", i ? "libx.so" : "");
		m->count = 1 + i;
		m->size = 1 << 20;
		m->resident = m->anonymous = 4096 * level(950 + i, n, 60, 99);
	}
}

static void fill_process(struct ht_snapshot *s)
{
	uint64_t shares[HT_CAUSE_COUNT] = {
		[HT_CAUSE_FILE] = 3 << 20,
		[HT_CAUSE_STACK] = 132 << 10,
		[HT_CAUSE_HEAP_IN_USE] =
			s->totals.heap_resident - s->totals.retained,
		[HT_CAUSE_TRIMMABLE] = s->totals.trimmable,
		[HT_CAUSE_SUB_PAGE] = s->totals.retained - s->totals.trimmable};

	s->process.rss = 0;
	for (uint64_t i = 0; i < HT_CAUSE_COUNT; i++) {
		struct ht_rss_cause *c = ht_snapshot_add_rss_cause(s);

		if (!c)
			return;
		c->cause = i;
		c->bytes = shares[i];
		s->process.rss += shares[i];
	}
	s->process.rss_file = 3 << 20;
	s->process.rss_anon = s->process.rss - s->process.rss_file;
	s->process.rss_shmem = s->process.swap = 0;
	s->process.vsz = s->totals.system + (256 << 20);
	s->process.writable_private = s->totals.system + (9 << 20);
}

/* Shares as an agent makes them: a quotient of two counts. */
static double share(uint64_t what, uint64_t n)
{
	return (double)(noise(what, n) % 1000) / 1009;
}

static void fill_fragmentation(struct ht_fragmentation *f,
			       const struct ht_totals *t, uint64_t n)
{
	f->external = share(4, n);
	f->retained_ratio = share(5, n);
	f->page_utilisation = share(6, n);
	f->stuck_ratio = share(7, n / 3);
	f->unusable_median = share(8, n / 20);
	f->unusable_p95 = 1;
	f->peak_overhead = 3 * share(9, n);
	f->largest_free = 1 << 17;
	f->free_runs = t->free - t->top;
	f->holes_lt_4k = f->free_runs / 2;
	f->holes_4k_64k = f->free_runs / 4;
	f->holes_64k_1m = f->free_runs - f->holes_lt_4k - f->holes_4k_64k;
	f->holes_ge_1m = 0;
	f->holes_lt_4k_count = 1 + noise(10, n) % 999;
	f->holes_4k_64k_count = level(11, n, 5, 99);
	f->holes_64k_1m_count = level(12, n, 50, 9);
	f->holes_ge_1m_count = 0;
}

static void fill_singles(const struct fake *f, struct ht_snapshot *s,
			 uint64_t n)
{
	s->process.minflt = n * 3;
	s->process.majflt = 0;
	s->process.threads = f->threads;
	s->stop.mode = HT_MODE_BOUNDED;
	s->stop.pause_us = 300 + noise(3, n) % 900;
	s->stop.attempts = 1;
	s->stop.threads = f->threads;
	s->stop.uncertain_bytes = 0;
	s->limits.mem_total = UINT64_C(16) << 30;
	s->limits.mem_available = (UINT64_C(12) << 30) - 4096 * n;
	s->limits.swap_free = 0;
	s->limits.cpus = 8;
	s->params.mmap_threshold = s->params.trim_threshold = 128 << 10;
	s->params.tcache_count = 7;
	s->params.sbrk_base = 0x555555559000;
	fill_fragmentation(&s->fragmentation, &s->totals, n);
	s->totals.arenas = f->arenas;
	s->totals.heaps = f->arenas - 1;
	s->totals.mmapped = s->totals.mmapped_chunks = 0;
	s->totals.mmapped_resident = 0;
	s->totals.non_malloc_anon = 4 << 20;
	s->totals.last_remainder = 0;
}

void fake_snapshot(const struct fake *f, uint64_t n, struct ht_snapshot *s)
{
	struct ht_totals *t = &s->totals;

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++)
		if (ht_record_is_list(id))
			ht_snapshot_cut(s, id, 0);
		else
			ht_record_clear(id, ht_snapshot_single(s, id));
	t->system = t->max_system = t->in_use = t->in_use_chunks = t->free = 0;
	t->tcache = t->fastbin = t->unsorted = t->small = t->large = 0;
	t->top = t->overhead = t->heap_resident = t->retained = 0;
	t->resident_free = t->trimmable = t->pinned = 0;
	fill_head(f, n, &s->head);
	fill_libc(&s->libc);
	for (uint64_t i = 0; i < f->arenas; i++)
		fill_arena(f, s, i, n);
	fill_classes(f, s, n);
	fill_others(f, s, n);
	fill_singles(f, s, n);
	fill_process(s);
}

/* --- comparison ---------------------------------------------------------- */

static const char *difference(enum ht_record_id id, size_t row, const char *a,
			      const char *b)
{
	const struct ht_record_type *type = &ht_record_types[id];
	static char text[128];

	for (size_t i = 0; i < type->fields_count; i++) {
		const struct ht_field *f = &type->fields[i];

		if (f->type == HT_T_TEXT
			    ? !strcmp(a + f->offset, b + f->offset)
			    : !memcmp(a + f->offset, b + f->offset, 8))
			continue;
		snprintf(text, sizeof(text), "%s[%zu].%s", type->name, row,
			 f->name);
		return text;
	}
	return NULL;
}

static bool is_skipped(int id, const int *skip)
{
	for (; skip && *skip >= 0; skip++)
		if (*skip == id)
			return true;
	return id == HT_RECORD_advice;
}

const char *snapshot_difference(struct ht_snapshot *a, struct ht_snapshot *b,
				const int *skip)
{
	static char text[128];

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		size_t n = ht_snapshot_count(a, id);

		if (is_skipped((int)id, skip))
			continue;
		if (n != ht_snapshot_count(b, id)) {
			snprintf(text, sizeof(text), "%s: %zu rows against %zu",
				 ht_record_types[id].name, n,
				 ht_snapshot_count(b, id));
			return text;
		}
		for (size_t row = 0; row < n; row++) {
			const char *found =
				difference(id, row, ht_snapshot_row(a, id, row),
					   ht_snapshot_row(b, id, row));

			if (found)
				return found;
		}
	}
	return NULL;
}

void allow_64th(uint64_t *want, uint64_t got)
{
	uint64_t apart = *want > got ? *want - got : got - *want;

	if (apart <= got / 64)
		*want = got;
}
