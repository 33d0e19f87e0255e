/* SPDX-License-Identifier: Apache-2.0 */
/* Prober: the agent's end of heaptide-probe (link/probe.h), a child with rights
 * that the agent has not. What comes from it is checked like all else. */
#ifndef HT_AGENT_WHO_PROBER_H
#define HT_AGENT_WHO_PROBER_H

#include <sys/types.h>

#include "link/probe.h"

struct ht_prober {
	pid_t pid;  /* 0: none */
	int socket; /* -1: none */
	enum ht_probe_way way;
};
#define HT_PROBER_NONE ((struct ht_prober){.socket = -1})

/* heaptide-probe, beside this program. */
enum ht_code ht_prober_path(char *path, size_t size,
			    struct ht_err *err) HT_MUST_CHECK;
/* Starts the program `path`, hands it the files; before the sandbox. An error
 * is the probe's own, or says why it could not be started. */
enum ht_code ht_prober_start(const char *path, const struct ht_probe_open *o,
			     const int fds[HT_PROBE_FILES],
			     struct ht_prober *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Opens a window; each: called with what it saw, when it is closed. done: the
 * figures. */
enum ht_code
ht_prober_window(struct ht_prober *p, const struct ht_probe_window *q,
		 void (*each)(void *ctx, const struct ht_probe_sample *s),
		 void *ctx, struct ht_probe_done *done,
		 struct ht_err *err) HT_MUST_CHECK;
/* Ends it; safe twice. */
void ht_prober_stop(struct ht_prober *p);

#endif
