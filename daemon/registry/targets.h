/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: does a process belong to one. Pure but for what ht_proc_need_*
 * reads of the process. */
#ifndef HT_DAEMON_REGISTRY_TARGETS_H
#define HT_DAEMON_REGISTRY_TARGETS_H

#include "daemon/config/config.h"
#include "daemon/registry/procs.h"

enum ht_match {
	HT_MATCH_NO,
	/* All but the executable's path, which only its owner may read: measure
	 * it and ask again with the path that the agent saw. */
	HT_MATCH_MAYBE,
	HT_MATCH_YES,
};

enum ht_match ht_target_match(const struct ht_target_config *t,
			      struct ht_proc *p);
/* Settles a MAYBE. */
bool ht_target_match_exe(const struct ht_target_config *t, const char *exe);

#endif
