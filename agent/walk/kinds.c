/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/kinds.h"

#include <string.h>

#include "agent/libc/image.h"

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

void ht_kinds_begin(struct ht_kinds *k, const struct ht_walk_in *in)
{
	*k = (struct ht_kinds){.in = in};
	ht_runtimes_find(in, &k->runtimes);
}

/* --- stacks -------------------------------------------------------------- */

/* Stacks of threads are anonymous: known by where the threads are. A thread
 * without registers is asleep: its control block lies in its stack's mapping.
 */
static bool holds_thread(const struct ht_kinds *k, const struct ht_vma *v)
{
	for (size_t i = 0; i < k->in->threads_n; i++) {
		const struct ht_thread_state *t = &k->in->threads[i];
		uint64_t at = t->sp ? t->sp : i > 0 ? t->thread_pointer : 0;

		if (at >= v->start && at < v->end)
			return true;
	}
	return false;
}

/* glibc's struct pthread begins with tcbhead_t, whose first and third word
 * point to it; it lies at the end of the thread's stack, less than so far from
 * it, aligned to 64 bytes (nptl/allocatestack.c; TCB_ALIGNMENT). */
#define BLOCK_MAX   8192u
#define BLOCK_ALIGN 64u

static bool is_block(const unsigned char *at, uint64_t address, unsigned word)
{
	uint64_t tcb = 0, self = 0;

	memcpy(&tcb, at, word);
	memcpy(&self, at + 2 * (size_t)word, word);
	return tcb == address && self == address;
}

static bool block_at(const struct ht_kinds *k, uint64_t address)
{
	unsigned char at[24];

	return ht_reader_read(k->in->reader, address, at,
			      3 * (size_t)k->in->reader->word, NULL) == HT_OK &&
	       is_block(at, address, k->in->reader->word);
}

static bool holds_block(struct ht_kinds *k, const struct ht_vma *v)
{
	unsigned char end[BLOCK_MAX];
	uint64_t from = v->end - BLOCK_MAX;

	if (k->block_below_end)
		return block_at(k, v->end - k->block_below_end);
	if (ht_reader_read(k->in->reader, from, end, sizeof(end), NULL) !=
	    HT_OK)
		return false;
	for (size_t at = BLOCK_MAX - BLOCK_ALIGN; at > 0; at -= BLOCK_ALIGN) {
		if (!is_block(end + at, from + at, k->in->reader->word))
			continue;
		k->block_below_end = BLOCK_MAX - at;
		return true;
	}
	return false;
}

/* A stack that no thread is on: of a thread that ended. glibc caches up to
 * 40 MiB of those; what is more belongs to threads that were never joined. Its
 * guard lies right below it (allocate_stack). */
static bool is_ended_stack(struct ht_kinds *k, size_t i)
{
	const struct ht_vma *v = &k->in->maps->v[i];
	const uint32_t access = HT_VMA_READ | HT_VMA_WRITE | HT_VMA_EXEC;

	return i > 0 && v[-1].end == v->start && !(v[-1].flags & access) &&
	       (v->flags & access) == (HT_VMA_READ | HT_VMA_WRITE) &&
	       v->end - v->start >= BLOCK_MAX && holds_block(k, v);
}

/* --- files --------------------------------------------------------------- */

static enum ht_mapping_kind kind_of_file(const struct ht_vma *v,
					 const char *path)
{
	static const char *const shared_memory[] = {"/memfd:", "/dev/zero",
						    "/SYSV", "/dev/shm/"};

	if (starts(path, "/anon_hugepage") || starts(path, "/dev/hugepages/"))
		return HT_MAPPING_HUGETLB;
	for (size_t i = 0; i < 4; i++)
		if (starts(path, shared_memory[i]))
			return HT_MAPPING_SHMEM;
	return v->flags & HT_VMA_WRITE && !(v->flags & HT_VMA_SHARED)
		       ? HT_MAPPING_FILE_PRIVATE
		       : HT_MAPPING_FILE_CLEAN;
}

/* Start of the load of a file that the mapping i belongs to. */
static uint64_t load_start(const struct ht_maps *maps, size_t i)
{
	uint64_t inode = maps->v[i].inode, dev = maps->v[i].dev;

	while (i > 0 && maps->v[i].offset != 0 &&
	       maps->v[i - 1].inode == inode && maps->v[i - 1].dev == dev)
		i--;
	return maps->v[i].start;
}

/* Anonymous memory right behind a file's mapping is that library's .bss, as far
 * as its program headers say. */
static bool is_bss(const struct ht_kinds *k, size_t i,
		   const struct ht_kind *before)
{
	const struct ht_vma *v = &k->in->maps->v[i];

	return before && v[-1].end == v->start && v[-1].inode != 0 &&
	       v->flags & HT_VMA_WRITE &&
	       (before->kind == HT_MAPPING_FILE_PRIVATE ||
		before->kind == HT_MAPPING_FILE_CLEAN) &&
	       v->end <= ht_image_memory_end(k->in->reader,
					     load_start(k->in->maps, i - 1));
}

/* --- the kind, and the name ---------------------------------------------- */

static enum ht_mapping_kind kind_of(struct ht_kinds *k, size_t i,
				    const struct ht_kind *before)
{
	const struct ht_vma *v = &k->in->maps->v[i];
	const char *path = ht_vma_path(k->in->maps, v);

	if (starts(path, "[stack"))
		return HT_MAPPING_STACK;
	if (strcmp(path, "[heap]") == 0)
		return HT_MAPPING_BRK_OTHER;
	if (v->inode != 0 || path[0] == '/')
		return kind_of_file(v, path);
	if (path[0] == '[' && !starts(path, "[anon"))
		return HT_MAPPING_SPECIAL;
	if (v->flags & HT_VMA_SHARED)
		return HT_MAPPING_SHMEM;
	if (holds_thread(k, v) && !ht_runtimes_place(&k->runtimes, v))
		return HT_MAPPING_THREAD_STACK;
	if (is_bss(k, i, before))
		return HT_MAPPING_BSS;
	return is_ended_stack(k, i) ? HT_MAPPING_ENDED_STACK : HT_MAPPING_ANON;
}

void ht_kind_of(struct ht_kinds *k, size_t i, const struct ht_kind *before,
		struct ht_kind *ret)
{
	const struct ht_vma *v = &k->in->maps->v[i];
	const char *name = ht_vma_path(k->in->maps, v);

	ret->kind = kind_of(k, i, before);
	if (ret->kind == HT_MAPPING_BSS)
		name = before->name;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
}

void ht_kind_name(const struct ht_kinds *k, size_t i, uint64_t size,
		  struct ht_kind *kind)
{
	/* tcmalloc asks sbrk() first */
	if (kind->kind == HT_MAPPING_BRK_OTHER &&
	    k->runtimes.present >> HT_RUNTIME_TCMALLOC & 1)
		snprintf(kind->name, sizeof(kind->name), "%s",
			 ht_runtime_label(HT_RUNTIME_TCMALLOC));
	if (kind->kind == HT_MAPPING_ANON)
		snprintf(kind->name, sizeof(kind->name), "%s",
			 ht_runtime_name(&k->runtimes, k->in->maps,
					 &k->in->maps->v[i], size));
}
