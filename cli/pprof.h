/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pprof: the sites of `heaptide who` as a profile.proto, gzipped, which pprof,
 * speedscope, Grafana Pyroscope and others read. Format: proto/profile.proto of
 * the project google/pprof.
 */
#ifndef HT_CLI_PPROF_H
#define HT_CLI_PPROF_H

#include "cli/who.h"

/* Writes path. Sample types, by the names of heap profiles: alloc_objects and
 * alloc_space (chunks that were seen to be taken, their bytes), inuse_objects
 * and inuse_space (of them, those alive; the default). They are samples: no
 * factor makes totals of them. Label "leaking": yes, no or unknown. HT_NOMEM;
 * HT_SYS: it cannot be written. */
enum ht_code ht_pprof_write(const struct ht_who_told *w, const char *path,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
