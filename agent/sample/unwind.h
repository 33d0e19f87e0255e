/* SPDX-License-Identifier: Apache-2.0 */
/* Unwind: call stacks of stopped threads, by libunwind over our reader. */
#ifndef HT_AGENT_SAMPLE_UNWIND_H
#define HT_AGENT_SAMPLE_UNWIND_H

#include "agent/libc/locate.h"
#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"

/* Whether the thread's pc, or a return address on its upper stack, lies in
 * malloc's code: its lists may be half-changed. Unknown counts as inside when
 * the pc is in libc and cannot be unwound. */
bool ht_unwind_in_malloc(const struct ht_thread_state *t,
			 const struct ht_located *located,
			 struct ht_reader *reader, const struct ht_maps *maps);

#define HT_FRAMES_MAX 64
/* Return addresses, innermost first. Number of frames, 0 when none. */
size_t ht_unwind_stack(const struct ht_thread_state *t,
		       struct ht_reader *reader, const struct ht_maps *maps,
		       uint64_t ret[HT_FRAMES_MAX]);

#endif
