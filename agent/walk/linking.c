/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safe-linking: whether this malloc mangles the links of tcache and fastbins
 * (2.32+, and vendors' older ones). Learnt from the first link that makes sense
 * in one of the two ways only.
 */
#include "agent/walk/roots.h"

static bool plausible(const struct ht_walk_in *in, const struct ht_layout *l,
		      uint64_t user)
{
	const struct ht_vma *v = ht_maps_at(in->maps, user);

	return user % l->align == 0 && v && v->flags & HT_VMA_WRITE;
}

void ht_linking_learn(const struct ht_walk_in *in, struct ht_space *space,
		      uint64_t place, uint64_t raw, unsigned to_user)
{
	const struct ht_layout *l = &space->malloc->layout;
	uint64_t next = raw ^ place >> 12;
	bool plain = raw == 0 || plausible(in, l, raw + to_user);
	bool mangled = next == 0 || plausible(in, l, next + to_user);

	if (plain == mangled)
		return;
	space->safe_linking = mangled;
	space->safe_linking_known = true;
}

/* Where no thread cache told: the first link of each fastbin. */
void ht_linking_learn_fastbins(const struct ht_walk_in *in,
			       struct ht_roots *roots)
{
	for (size_t i = 0; i < roots->arenas; i++) {
		const struct ht_arena_root *a = &roots->arena[i];
		struct ht_space *space = &roots->space[a->space];
		const struct ht_layout *l = &space->malloc->layout;
		unsigned header = ht_chunk_header(l);

		for (unsigned f = 0; f < l->fastbins; f++) {
			uint64_t place = a->fast[f] + header, raw;

			if (space->safe_linking_known || a->fast[f] == 0 ||
			    ht_reader_word(in->reader, place, &raw, NULL) !=
				    HT_OK)
				continue;
			ht_linking_learn(in, space, place, raw, header);
		}
	}
}
