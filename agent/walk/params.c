/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mp_: malloc's parameters and counters. What cannot be is a finding and counts
 * as unknown, so that nothing is measured by it.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/walk/roots.h"

#define LENGTH_MAX (UINT64_C(1) << 47) /* of an address space */
#define AT_ONCE	   4096 /* threads that count a chunk before its maximum */

static const struct {
	enum ht_place_id place;
	size_t field; /* offset in struct ht_params */
	const char *name;
} params[] = {
#define PARAM(place, name)                                                     \
	{                                                                      \
		HT_P_PAR_##place, offsetof(struct ht_params, name), #name      \
	}
	PARAM(MMAP_THRESHOLD, mmap_threshold),
	PARAM(TRIM_THRESHOLD, trim_threshold),
	PARAM(TOP_PAD, top_pad),
	PARAM(N_MMAPS, n_mmaps),
	PARAM(MMAPPED_MEM, mmapped_mem),
	PARAM(MAX_N_MMAPS, max_n_mmaps),
	PARAM(N_MMAPS_MAX, n_mmaps_max),
	PARAM(NO_DYN_THRESHOLD, no_dyn_threshold),
	PARAM(ARENA_MAX, arena_max),
	PARAM(ARENA_TEST, arena_test),
	PARAM(TCACHE_COUNT, tcache_count),
	PARAM(TCACHE_MAX_BYTES, tcache_max_bytes),
	PARAM(SBRK_BASE, sbrk_base),
	PARAM(THP_PAGESIZE, thp_pagesize),
	PARAM(HP_PAGESIZE, hp_pagesize),
#undef PARAM
};
#define PARAMS (sizeof(params) / sizeof(params[0]))

/* Counters of mmapped chunks: no more than there ever were, no longer than all
 * memory. */
static void doubt_counters(struct ht_params *p)
{
	if (p->n_mmaps != HT_UNKNOWN && p->max_n_mmaps != HT_UNKNOWN &&
	    p->n_mmaps > p->max_n_mmaps + AT_ONCE)
		p->n_mmaps = HT_UNKNOWN;
	if (p->mmapped_mem > LENGTH_MAX)
		p->mmapped_mem = HT_UNKNOWN;
}

bool ht_params_read(struct ht_reader *reader, const struct ht_malloc *m,
		    struct ht_params *ret)
{
	uint8_t bytes[512] = {0};

	ht_record_clear(HT_RECORD_params, ret);
	if (m->mp == 0 || m->layout.sizeof_par > sizeof(bytes) ||
	    ht_reader_read(reader, m->mp, bytes, m->layout.sizeof_par, NULL) !=
		    HT_OK)
		return false;
	for (size_t i = 0; i < PARAMS; i++) {
		uint64_t value =
			ht_field_get(bytes, &m->layout, params[i].place);

		/* mallopt(M_TRIM_THRESHOLD, -1): a number like any other */
		if (value == HT_UNKNOWN && m->layout.at[params[i].place].size)
			value = HT_PARAM_OFF;
		memcpy((char *)ret + params[i].field, &value, sizeof(value));
	}
	doubt_counters(ret);
	return true;
}

void ht_params_renew(struct ht_reader *reader, struct ht_space *space)
{
	struct ht_params now;

	if (ht_params_read(reader, space->malloc, &now))
		space->params = now;
}

/* What this libc has, and is not known all the same. */
static void find_impossible(const struct ht_space *space,
			    struct ht_snapshot *notes)
{
	const struct ht_malloc *m = space->malloc;

	for (size_t i = 0; i < PARAMS; i++) {
		const struct ht_place *at = &m->layout.at[params[i].place];
		uint64_t value;

		memcpy(&value, (const char *)&space->params + params[i].field,
		       sizeof(value));
		if (at->size && value == HT_UNKNOWN)
			ht_walk_find(
				notes, "params", m->mp + at->offset, HT_UNKNOWN,
				"malloc's own %s (mp_) cannot be, and is not used",
				params[i].name);
	}
}

static bool is_mapped(const struct ht_walk_in *in, uint64_t address)
{
	return address == 0 || address == HT_UNKNOWN || !in->maps ||
	       ht_maps_at(in->maps, address);
}

void ht_params_begin(const struct ht_walk_in *in, struct ht_space *space,
		     struct ht_snapshot *notes)
{
	const uint64_t at = space->malloc->mp;
	bool known = ht_params_read(in->reader, space->malloc, &space->params);

	if (known && !is_mapped(in, space->params.sbrk_base))
		space->params.sbrk_base = HT_UNKNOWN;
	if (known)
		find_impossible(space, notes);
	else if (at == 0)
		ht_snapshot_warn(
			notes,
			"malloc's parameters (mp_) were not found: thresholds and counters are unknown");
	else
		ht_snapshot_warn(notes,
				 "malloc's parameters (mp_) at 0x%" PRIx64
				 " cannot be read",
				 at);
}

uint64_t ht_heap_max(const struct ht_space *space)
{
	uint64_t huge = space->params.hp_pagesize;

	if (space->malloc->layout.heap_max_follows_hp && huge != 0 &&
	    huge != HT_UNKNOWN && (huge & (huge - 1)) == 0 &&
	    huge < UINT64_C(1) << 40)
		return 4 * huge;
	return space->malloc->layout.heap_max;
}
