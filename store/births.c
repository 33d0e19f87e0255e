/* SPDX-License-Identifier: Apache-2.0 */
/* Births: an arena that was not there in the sample before, and more heaps than
 * ever, become events. */
#include "store/store_int.h"

#include <inttypes.h>

static bool has_arena(const struct ht_snapshot *s, uint64_t address)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].address == address)
			return true;
	return false;
}

/* One event, however many there are: a burst of threads makes hundreds. */
static enum ht_code note_arenas(struct ht_store *st,
				const struct ht_store_state *state,
				const struct ht_snapshot *last,
				const struct ht_snapshot *now,
				struct ht_err *err)
{
	uint64_t born = 0, address = 0;
	char text[96];

	for (size_t i = 0; i < now->arenas.n; i++) {
		if (has_arena(last, now->arenas.v[i].address))
			continue;
		address = now->arenas.v[i].address;
		born++;
	}
	if (born == 0)
		return HT_OK;
	if (born == 1)
		snprintf(text, sizeof(text),
			 "arena 0x%" PRIx64 " was made: %zu now", address,
			 now->arenas.n);
	else
		snprintf(text, sizeof(text),
			 "%" PRIu64 " arenas were made: %zu now", born,
			 now->arenas.n);
	return ht_store_event(st, state->process_id, now->head.taken_at,
			      "arena", text, err);
}

static enum ht_code note_heaps(struct ht_store *st,
			       struct ht_store_state *state,
			       const struct ht_snapshot *now,
			       struct ht_err *err)
{
	bool first = state->heaps_max == 0;
	size_t before = state->heaps_max;
	char text[96];

	if (now->heaps.n <= before)
		return HT_OK;
	state->heaps_max = now->heaps.n;
	if (first)
		return HT_OK;
	snprintf(text, sizeof(text), "%zu heaps, more than ever before (%zu)",
		 now->heaps.n, before);
	return ht_store_event(st, state->process_id, now->head.taken_at,
			      "heaps", text, err);
}

enum ht_code ht_store_note_births(struct ht_store *st,
				  struct ht_store_state *state,
				  const struct ht_snapshot *last,
				  const struct ht_snapshot *now,
				  struct ht_err *err)
{
	enum ht_code code = HT_OK;

	/* nothing is known of before: not a birth */
	if (last->arenas.n > 0 && now->arenas.n > 0)
		code = note_arenas(st, state, last, now, err);
	return code == HT_OK ? note_heaps(st, state, now, err) : code;
}
