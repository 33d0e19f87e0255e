/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window: a short time in which calls of malloc in one process are seen. While
 * it is open, the kernel keeps a breakpoint on the first instruction of each
 * function, in the process's own copy of that page; it takes them away when the
 * link's descriptor is closed, by us or by our end.
 */
#ifndef HT_PROBE_WINDOW_H
#define HT_PROBE_WINDOW_H

#include <stdbool.h>

#include "link/probe.h"
#include "probe/program.h"

struct ht_kernel_window {
	struct ht_probe_open open;
	int fd[HT_PROBE_FILES];
	enum ht_probe_way way;
	struct ht_program_maps maps;
	int program;
	volatile struct ht_program_state *state; /* mapped */
	uint8_t *ring_data;			 /* mapped twice in a row */
	volatile uint64_t *ring_taken;
	const volatile uint64_t *ring_filled;
};

/* Loads what is needed. Takes the descriptors. HT_UNSUPPORTED: this kernel has
 * no such thing; HT_DENIED: it does not let us. */
enum ht_code ht_window_prepare(const struct ht_probe_open *o, const int *fds,
			       struct ht_kernel_window *ret,
			       struct ht_err *err) HT_MUST_CHECK;
/* Opens, waits, closes. done: filled but for its code and error. say: takes a
 * sample, while the window is open and after it; false: not now (while it is
 * open), or never more. */
enum ht_code
ht_window_run(struct ht_kernel_window *w, const struct ht_probe_window *q,
	      bool (*say)(const struct ht_probe_sample *s, bool open),
	      struct ht_probe_done *done, struct ht_err *err) HT_MUST_CHECK;

#endif
