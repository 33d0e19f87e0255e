/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: the call frames of one stopped x86-64 thread, by libunwind with our
 * reader and mappings behind its accessors: it sees nothing of the target that
 * the reader does not give, and follows .eh_frame_hdr as the target has it in
 * memory.
 */
#ifndef HT_AGENT_MEMORY_FRAMES_H
#define HT_AGENT_MEMORY_FRAMES_H

#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"

/* Of a file that has no .eh_frame_hdr a table may be had elsewhere: of each
 * function where it starts and where the entry that describes it is, both from
 * `base` on, sorted. It is borrowed until the walk ends. */
struct ht_frame_row {
	int32_t start, entry;
};
struct ht_frames_table {
	uint64_t base;
	const struct ht_frame_row *row;
	size_t n;
};
struct ht_frames_aid {
	bool (*table)(void *ctx, uint64_t pc, struct ht_frames_table *ret);
	void *ctx;
};

struct ht_call_frame {
	uint64_t pc, sp;
	bool called; /* pc is where a call comes back to */
	/* Where on the stack its callees keep what it has in a register, in
	 * the order of thread_state.h; 0: it is there still. */
	uint64_t saved[HT_SAVED_REGISTERS];
};
/* false: no more. */
typedef bool ht_call_frame_fn(void *ctx, const struct ht_call_frame *f);

/* Innermost first, the thread's own pc included. Ends where unwinding does, or
 * leads to what is no code, after HT_FRAMES_LIMIT at the latest. Returns
 * whether the outermost frame was reached. aid: NULL where there is none. */
#define HT_FRAMES_LIMIT 128
bool ht_frames_each(const struct ht_thread_state *t, struct ht_reader *reader,
		    const struct ht_maps *maps, const struct ht_frames_aid *aid,
		    ht_call_frame_fn *each, void *ctx);

/* The same, and false as well where some frame on the way, the outermost too,
 * is described by no unwinding information and so would be guessed at. */
bool ht_frames_surely(const struct ht_thread_state *t, struct ht_reader *reader,
		      const struct ht_maps *maps,
		      const struct ht_frames_aid *aid, ht_call_frame_fn *each,
		      void *ctx);

/* libunwind's own start, a pipe among it: to be done before a seccomp filter
 * forbids it. */
void ht_frames_prepare(void);

#endif
