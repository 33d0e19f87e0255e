/* SPDX-License-Identifier: Apache-2.0 */
/* Debug file: the separate debug information of a build. */
#ifndef HT_AGENT_LIBC_DEBUGFILE_H
#define HT_AGENT_LIBC_DEBUGFILE_H

#include <sys/types.h>

#include "agent/libc/facts.h"

/* By build id in /usr/lib/debug, here and under the target's own root, in
 * debuginfod's cache; then by .gnu_debuglink beside `path`. Returns a
 * descriptor, or -1: there is none. pid 0: no target root. Whether it is of the
 * same build is checked by whoever parses it. */
int ht_debugfile_open(pid_t pid, const char *root, const char *path,
		      const struct ht_facts *f);

/* Build id as hex. */
void ht_build_id_text(const struct ht_facts *f,
		      char out[2 * HT_BUILD_ID_MAX + 1]);

#endif
