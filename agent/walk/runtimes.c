/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes: Go reserves its heap from 0xc000000000 on (malloc.go,
 * arenaHints), and goroutines have their stacks there; V8's pages are 256 KiB,
 * aligned; Zend's chunks 2 MiB, aligned, its huge blocks begin so; Ruby's heap
 * pages 64 KiB, aligned, 16 KiB before 3.2; CPython's arenas 256 KiB, 1 MiB
 * from 3.10 on; mimalloc's segments and jemalloc's extents are aligned to their
 * slices and to huge pages; tcmalloc takes at least 1 MiB at a time.
 */
#include "agent/walk/runtimes.h"

#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)

static const struct shape {
	uint64_t aligned;  /* its start, bytes */
	uint64_t multiple; /* its size, bytes */
	uint64_t least;	   /* bytes */
	uint64_t from, to; /* addresses; 0: any */
} shapes[HT_RUNTIME_COUNT] = {
	[HT_RUNTIME_GO] = {1, 1, 1, UINT64_C(0xc000000000),
			   UINT64_C(0xe000000000)},
	[HT_RUNTIME_JVM] = {1, 1, 64 * KIB, 0, 0},
	[HT_RUNTIME_V8] = {256 * KIB, 1, 4 * KIB, 0, 0},
	[HT_RUNTIME_DOTNET] = {4 * KIB, 1, 64 * KIB, 0, 0},
	[HT_RUNTIME_PHP] = {2 * MIB, 1, 2 * MIB, 0, 0},
	[HT_RUNTIME_RUBY] = {16 * KIB, 16 * KIB, 16 * KIB, 0, 0},
	[HT_RUNTIME_CPYTHON] = {1, 256 * KIB, 256 * KIB, 0, 0},
	[HT_RUNTIME_MIMALLOC] = {64 * KIB, 1, 64 * KIB, 0, 0},
	[HT_RUNTIME_JEMALLOC] = {1, 1, 512 * KIB, 0, 0},
	[HT_RUNTIME_TCMALLOC] = {1, 1, 1 * MIB, 0, 0},
};

static bool in_range(const struct shape *s, const struct ht_vma *v)
{
	return s->to == 0 || (v->start >= s->from && v->end <= s->to);
}

/* The kernel joins neighbours: what is malloc's and was taken off may have lain
 * before the rest, and then the rest's end is its own. */
static bool aligned(const struct shape *s, const struct ht_vma *v,
		    uint64_t size)
{
	return v->start % s->aligned == 0 ||
	       (size != v->end - v->start && v->end % s->aligned == 0);
}

static bool fits(const struct shape *s, const struct ht_vma *v, uint64_t size)
{
	return aligned(s, v, size) && size % s->multiple == 0 &&
	       size >= s->least && in_range(s, v);
}

bool ht_runtimes_place(const struct ht_runtimes *r, const struct ht_vma *v)
{
	for (unsigned i = 0; i < HT_RUNTIME_COUNT; i++)
		if (r->present >> i & 1 && shapes[i].to &&
		    in_range(&shapes[i], v))
			return true;
	return false;
}

void ht_runtimes_find(const struct ht_walk_in *in, struct ht_runtimes *ret)
{
	uint32_t before = 0; /* the path of the mapping before, as its index */

	ret->present = in->located ? in->located->runtimes : 0;
	for (size_t i = 0; i < in->maps->n; i++) {
		const struct ht_vma *v = &in->maps->v[i];
		const char *path = ht_vma_path(in->maps, v), *slash;

		if (v->inode == 0 || v->path == before)
			continue;
		before = v->path;
		slash = strrchr(path, '/');
		ret->present |= ht_runtime_of_file(slash ? slash + 1 : path);
	}
}

const char *ht_runtime_name(const struct ht_runtimes *r,
			    const struct ht_maps *maps, const struct ht_vma *v,
			    uint64_t size)
{
	const char *path = ht_vma_path(maps, v);

	if (strncmp(path, "[anon", 5) == 0)
		return path;
	for (unsigned i = 0; i < HT_RUNTIME_COUNT; i++)
		if (r->present >> i & 1 && fits(&shapes[i], v, size))
			return ht_runtime_label((enum ht_runtime)i);
	return path;
}
