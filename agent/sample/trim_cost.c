/* SPDX-License-Identifier: Apache-2.0 */
/* What a call of malloc_trim costs on this machine. */
#include <sys/mman.h>

#include "agent/arch/arch.h"
#include "agent/sample/trim.h"
#include "common/clock.h"

/* A chunk is met by its header: a miss of the cache and of the TLB, or some. */
#define CHUNK_NS 200u
#define PAGES	 512u
#define TRIES	 3

static void touch(uint8_t *at)
{
	for (size_t i = 0; i < PAGES; i++)
		((volatile uint8_t *)at)[i * HT_PAGE_SIZE] = 1;
}

/* Nanoseconds to give PAGES pages back, `at_once` by each call. */
static uint64_t give_back(uint8_t *at, size_t at_once)
{
	int64_t from;

	touch(at);
	from = ht_mono_ns();
	for (size_t i = 0; i < PAGES; i += at_once)
		madvise(at + i * HT_PAGE_SIZE, at_once * HT_PAGE_SIZE,
			MADV_DONTNEED);
	return (uint64_t)(ht_mono_ns() - from);
}

static uint64_t least(uint8_t *at, size_t at_once)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t ns = give_back(at, at_once);

		if (ns < best)
			best = ns;
	}
	return best;
}

void ht_trim_measure(struct ht_trim_cost *ret)
{
	const size_t size = PAGES * HT_PAGE_SIZE;
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t apart, together;

	*ret = (struct ht_trim_cost){HT_UNKNOWN, HT_UNKNOWN, HT_UNKNOWN};
	if (at == MAP_FAILED)
		return;
	madvise(at, size, MADV_NOHUGEPAGE);
	together = least(at, PAGES);
	apart = least(at, 1);
	munmap(at, size);
	ret->chunk_ns = CHUNK_NS;
	ret->page_ns = together / PAGES + 1;
	ret->advise_ns = apart > together ? (apart - together) / PAGES + 1 : 1;
}
