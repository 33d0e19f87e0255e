/* SPDX-License-Identifier: Apache-2.0 */
/* Sound: the invariants of what the stages of the walk make, for HT_ASSERT.
 * They take as long as the tables are long. */
#ifndef HT_AGENT_WALK_SOUND_H
#define HT_AGENT_WALK_SOUND_H

#include "agent/walk/segments.h"

/* Segments rise and do not overlap; their chunks begin within them, at
 * positions that rise likewise; only one that is there holds the top. */
bool ht_extent_sound(const struct ht_extent *x);
/* Records rise by position within what the segments have, directories lead to
 * them, free chunks have a size, and what is in a fastbin says in which. */
bool ht_links_sound(const struct ht_links *l);
/* Chunks of thread caches rise, each stands once. */
bool ht_cached_sound(const struct ht_roots *r);

#endif
