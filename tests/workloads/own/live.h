/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - a live set of blocks that grows, shrinks and churns at random. */
#ifndef OWN_LIVE_H
#define OWN_LIVE_H
#include "../wl.h"

#define FORBID_LEAK                                                            \
	"STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|"          \
	"FRAGMENTATION"

struct live {
	void **p;
	unsigned *size;
	long n, max;
	unsigned lo, hi; /* sizes asked for, both included */
	int tag;
};

static void live_init(struct live *l, long max, unsigned lo, unsigned hi)
{
	/* mmap, not malloc: the book-keeping must not be in the heap */
	size_t len = (size_t)max * (sizeof(void *) + sizeof(unsigned));
	char *m = (char *)mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		_exit(3);
	memset(m, 0,
	       len); /* resident from the start: no growth outside malloc */
	memset(l, 0, sizeof(*l));
	l->p = (void **)m;
	l->size = (unsigned *)(m + (size_t)max * sizeof(void *));
	l->max = max;
	l->lo = lo;
	l->hi = hi;
}

static void live_add(struct live *l)
{
	unsigned z = (unsigned)wl_rng(l->lo, l->hi);

	if (l->n == l->max)
		return;
	l->size[l->n] = z;
	l->p[l->n++] = wl_touch(l->tag, z, 1);
}

static void live_drop(struct live *l, long i)
{
	wl_free(l->tag, l->p[i], l->size[i]);
	l->n--;
	l->p[i] = l->p[l->n];
	l->size[i] = l->size[l->n];
}

static void live_resize(struct live *l, long target)
{
	while (l->n < target && l->n < l->max)
		live_add(l);
	while (l->n > target && l->n > 0)
		live_drop(l, (long)(wl_rnd() % (uint64_t)l->n));
}

static void live_churn(struct live *l, long times)
{
	for (; times > 0 && l->n > 0; times--) {
		live_drop(l, (long)(wl_rnd() % (uint64_t)l->n));
		live_add(l);
	}
}

/* Runs 0..1. */
static double progress(long step)
{
	return (double)step / (double)WL.nsteps;
}
#endif
