/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_int.h"

#include <string.h>

static void clear(struct ht_store_state *state)
{
	if (!state->process_id)
		return; /* leaves untouched pages untouched */
	ht_snapshot_fini(&state->last);
	memset(state, 0, sizeof(*state));
}

struct ht_store_state *ht_store_state(struct ht_store *st, int64_t process_id)
{
	struct ht_store_state *oldest = &st->states[0];

	for (size_t i = 0; i < HT_STORE_STATES; i++) {
		struct ht_store_state *state = &st->states[i];

		if (state->process_id == process_id) {
			state->used = ++st->tick;
			return state;
		}
		if (state->used < oldest->used)
			oldest = state;
	}
	clear(oldest);
	oldest->process_id = process_id;
	oldest->used = ++st->tick;
	ht_snapshot_init(&oldest->last);
	return oldest;
}

void ht_store_forget(struct ht_store *st, int64_t process_id)
{
	for (size_t i = 0; st->states && i < HT_STORE_STATES; i++)
		if (st->states[i].process_id == process_id)
			clear(&st->states[i]);
}

void ht_store_forget_all(struct ht_store *st)
{
	ht_store_roll_stop(st);
	for (size_t i = 0; st->states && i < HT_STORE_STATES; i++)
		clear(&st->states[i]);
}
