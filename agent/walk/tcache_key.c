/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of cached chunks: the second word of each, by which free() knows one
 * that is freed twice. All have the same: a random word of their libc's
 * (2.34+), or the address of their cache (2.29 to 2.33, told as HT_KEY_OWN).
 * Which word it is is told by how many agree; what differs was written by
 * somebody else, after the chunk was freed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "agent/walk/roots.h"

/* So many have the key for each that has another, and as many at least. */
#define AGREE 8

/* Before it the word is what the program left there. RHEL's 2.28 has one. */
static bool has_keys(const struct ht_space *space, const char *version,
		     uint64_t key)
{
	unsigned minor = 0;

	if (space->malloc->layout.tcache == HT_TCACHE_NONE ||
	    sscanf(version, "2.%u", &minor) != 1)
		return false;
	return minor >= 34 || key == HT_KEY_OWN;
}

void ht_keys_note(struct ht_keys *k, uint64_t key, uint64_t entry)
{
	k->n++;
	for (size_t i = 0; i < k->kinds; i++)
		if (k->v[i].key == key) {
			k->v[i].n++;
			return;
		}
	if (k->kinds < HT_KEYS_MAX)
		k->v[k->kinds++] = (struct ht_key_kind){key, entry, 1};
}

void ht_keys_check(const struct ht_space *space, const char *version,
		   struct ht_snapshot *notes)
{
	const struct ht_keys *k = &space->keys;
	const struct ht_key_kind *most = k->v;

	for (size_t i = 1; i < k->kinds; i++)
		if (k->v[i].n > most->n)
			most = &k->v[i];
	if (most->n < AGREE || k->n - most->n > most->n / AGREE ||
	    !has_keys(space, version, most->key))
		return;
	for (const struct ht_key_kind *o = k->v; o < k->v + k->kinds; o++)
		if (o != most)
			ht_walk_find(
				notes, "tcache_key", o->first, HT_UNKNOWN,
				"%" PRIu64
				" cached chunks have another key than all others, this one first: they were written to after they were freed",
				o->n);
}
