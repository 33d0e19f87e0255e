/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/table.h"

#include <sys/mman.h>

/* Below, what large pages would waste counts for more. */
#define LARGE_FROM ((size_t)4 << 20)

void *ht_table_new(size_t bytes, enum ht_table_use use)
{
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (table == MAP_FAILED)
		return NULL;
	if (use == HT_TABLE_ALL_OVER && bytes >= LARGE_FROM)
		madvise(table, bytes, MADV_HUGEPAGE); /* or small ones do */
	return table;
}

void ht_table_free(void *table, size_t bytes)
{
	if (table)
		munmap(table, bytes);
}
