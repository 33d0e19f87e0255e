/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_int.h"

#include <string.h>

static void clear(struct ht_store_state *state)
{
	if (!state->process_id)
		return; /* leaves untouched pages untouched */
	ht_snapshot_packed_fini(&state->last);
	memset(state, 0, sizeof(*state));
}

/* Processes have their numbers one after the other: those of a thousand targets
 * spread over the sets evenly. Where a set is full, the one that was not asked
 * for for the longest time makes room; it is read from the database again. */
static struct ht_store_state *set_of(const struct ht_store *st,
				     int64_t process_id)
{
	return &st->states[(uint64_t)process_id % HT_STORE_SETS *
			   HT_STORE_WAYS];
}

struct ht_store_state *ht_store_state(struct ht_store *st, int64_t process_id)
{
	struct ht_store_state *set = set_of(st, process_id), *oldest = set;

	for (size_t i = 0; i < HT_STORE_WAYS; i++) {
		if (set[i].process_id == process_id) {
			set[i].used = ++st->tick;
			return &set[i];
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	clear(oldest);
	oldest->process_id = process_id;
	oldest->used = ++st->tick;
	return oldest;
}

struct ht_store_state *ht_store_state_known(struct ht_store *st,
					    int64_t process_id)
{
	struct ht_store_state *set = st->states ? set_of(st, process_id) : NULL;

	for (size_t i = 0; set && i < HT_STORE_WAYS; i++)
		if (set[i].process_id == process_id)
			return &set[i];
	return NULL;
}

struct ht_store_state *ht_store_state_hint(struct ht_store *st, uint64_t pid)
{
	return &st->states[st->by_pid[pid % HT_STORE_STATES]];
}

void ht_store_state_note(struct ht_store *st, const struct ht_store_state *s)
{
	st->by_pid[s->pid % HT_STORE_STATES] = (uint16_t)(s - st->states);
}

void ht_store_states_doubt(struct ht_store *st)
{
	for (size_t i = 0; st->states && i < HT_STORE_STATES; i++)
		if (st->states[i].process_id)
			st->states[i].moved_id = 0;
}

void ht_store_forget(struct ht_store *st, int64_t process_id)
{
	struct ht_store_state *state = ht_store_state_known(st, process_id);

	if (state)
		clear(state);
}

void ht_store_forget_all(struct ht_store *st)
{
	st->added_id = 0; /* it may be undone, and its number another's */
	ht_store_roll_stop(st);
	ht_store_past_forget_all(st);
	for (size_t i = 0; st->states && i < HT_STORE_STATES; i++)
		clear(&st->states[i]);
}
