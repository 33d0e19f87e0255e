/* SPDX-License-Identifier: Apache-2.0 */
/* Points: where in a target's files the functions begin that give memory: of
 * each glibc in it, by the symbols of the very file that is mapped, or where it
 * has none by its code (agent/who/unnamed.h). */
#ifndef HT_AGENT_WHO_POINTS_H
#define HT_AGENT_WHO_POINTS_H

#include "agent/sample/target.h"
#include "link/probe.h"

/* The target is located, its modules are open. fds: borrowed from them, as many
 * as ret->files. unnamed: some were not found by symbols. HT_UNSUPPORTED,
 * HT_DENIED: none can be found, and why. */
enum ht_code ht_points_find(const struct ht_target *t,
			    struct ht_probe_open *ret, int fds[HT_PROBE_FILES],
			    bool *unnamed, struct ht_err *err) HT_MUST_CHECK;

#endif
