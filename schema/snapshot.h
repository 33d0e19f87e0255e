/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot: one look at one process. Made by the agent, sent over the wire,
 * stored, judged and printed; nothing in it is heap content: counts, sizes,
 * addresses and names only.
 *
 * Two sums close, and ht_snapshot_check() proves it:
 *   arena.system == arena.in_use + arena.free + arena.overhead  (each arena,
 *                   but for its uncertain_bytes)
 *   arena.free   == tcache + fastbin + unsorted + small + large + top
 *   sum of rss_causes[].bytes == process.rss
 */
#ifndef HT_SCHEMA_SNAPSHOT_H
#define HT_SCHEMA_SNAPSHOT_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "schema/records.h"

/* A growing array of one record type. Owned by the snapshot. */
#define HT_LIST_OF(record, FIELDS, member)                                     \
	struct ht_##record##_list {                                            \
		struct ht_##record *v;                                         \
		size_t n, capacity;                                            \
	};
HT_LIST_RECORDS(HT_LIST_OF)

struct ht_snapshot {
#define HT_SINGLE_MEMBER(record, FIELDS, member) struct ht_##record member;
	HT_SINGLE_RECORDS(HT_SINGLE_MEMBER)
#undef HT_SINGLE_MEMBER
#define HT_LIST_MEMBER(record, FIELDS, member) struct ht_##record##_list member;
	HT_LIST_RECORDS(HT_LIST_MEMBER)
#undef HT_LIST_MEMBER
};

/* All unknown, all lists empty. */
void ht_snapshot_init(struct ht_snapshot *s);
/* Frees the lists; init again before reuse. */
void ht_snapshot_fini(struct ht_snapshot *s);
#define HT_AUTO_SNAPSHOT HT_CLEANUP(ht_snapshot_fini)

/* Appends a cleared record; NULL when out of memory. Borrowed: valid until the
 * next append to the same list. Typed: ht_snapshot_add_arena(s) and so on. */
#define HT_DECLARE_ADD(record, FIELDS, member)                                 \
	struct ht_##record *ht_snapshot_add_##record(struct ht_snapshot *s);
HT_LIST_RECORDS(HT_DECLARE_ADD)

/* Generic access for wire, JSON and store: where record `id` (the row-th of a
 * list) lies. */
bool ht_record_is_list(enum ht_record_id id);
void *ht_snapshot_single(struct ht_snapshot *s, enum ht_record_id id);
size_t ht_snapshot_count(const struct ht_snapshot *s, enum ht_record_id id);
void *ht_snapshot_row(struct ht_snapshot *s, enum ht_record_id id, size_t row);
void *ht_snapshot_add(struct ht_snapshot *s, enum ht_record_id id);
/* Shortens a list to its first n rows. */
void ht_snapshot_cut(struct ht_snapshot *s, enum ht_record_id id, size_t n);
/* Makes `to` (initialised) equal to `from`. -1: out of memory, `to` is empty.
 */
int ht_snapshot_copy(struct ht_snapshot *to, const struct ht_snapshot *from);
/* Appends the rows of one list. false: out of memory, some may be missing. */
bool ht_snapshot_append_list(struct ht_snapshot *to, struct ht_snapshot *from,
			     enum ht_record_id id);
/* Exchanges one list of a and b. */
void ht_snapshot_swap_list(struct ht_snapshot *a, struct ht_snapshot *b,
			   enum ht_record_id id);
/* Copies all records that are no lists. */
void ht_snapshot_take_singles(struct ht_snapshot *to, struct ht_snapshot *from);

/* Appends a warning; silently dropped when out of memory (the figure that is
 * missing is null all the same). */
void ht_snapshot_warn(struct ht_snapshot *s, const char *fmt, ...)
	HT_PRINTF(2, 3);
/* Appends a finding. arena: index or HT_UNKNOWN. */
void ht_snapshot_find(struct ht_snapshot *s, const char *code, uint64_t address,
		      uint64_t arena, const char *fmt, ...) HT_PRINTF(5, 6);

/* Resident bytes of one cause; HT_UNKNOWN where the causes were not counted. */
uint64_t ht_snapshot_cause(const struct ht_snapshot *s, enum ht_cause cause);
/* Resident in tops, and left there by malloc_trim(0): causes top_main and
 * top_thread; HT_UNKNOWN as above. */
uint64_t ht_snapshot_tops_kept(const struct ht_snapshot *s);

/* Code of the finding by which an agent tells that a sum does not close. */
#define HT_FINDING_SUMS "sums"

/* Checks the sums above. HT_BUG names the first that does not close and by how
 * much; unknown figures are left out. */
enum ht_code ht_snapshot_check(const struct ht_snapshot *s,
			       struct ht_err *err) HT_MUST_CHECK;

/* For how long a process's mmap, munmap and brk wait while its PSS is read, in
 * microseconds: the kernel holds the mmap lock while it walks every page table
 * (measured: 6.5 ms a GiB). */
static inline uint64_t ht_rollup_us(uint64_t rss)
{
	return rss >> 17; /* 8 ms a GiB */
}

#endif
