/* SPDX-License-Identifier: Apache-2.0 */
/* Debug file: the separate debug information of a build. */
#ifndef HT_AGENT_LIBC_DEBUGFILE_H
#define HT_AGENT_LIBC_DEBUGFILE_H

#include <sys/types.h>

#include "agent/libc/facts.h"

/* Where to look besides here, and what for. fits: whether a file is of the same
 * build; NULL: the first that is there is taken, and whoever parses it checks
 * that. */
struct ht_debugfile_ask {
	pid_t pid;	  /* below its root, too; 0: no process */
	const char *root; /* below a folder, where pid is 0; NULL */
	bool (*fits)(void *ctx, int fd);
	void *ctx;
};

/* By build id in /usr/lib/debug, here and under the target's own root, in
 * debuginfod's cache; then by .gnu_debuglink beside `path`, there, and where
 * `fits` can tell, here.
 * Returns a descriptor, or -1: there is none. */
int ht_debugfile_open(const struct ht_debugfile_ask *ask, const char *path,
		      const struct ht_facts *f);
/* What dwz made of several, one of them the file `of`, which names it `name`:
 * by its name, absolute or from where `of` is, there and here; by its id. */
int ht_debugfile_shared(const struct ht_debugfile_ask *ask, int of,
			const char *name, const uint8_t *id, size_t id_len);

/* Build id as hex. */
void ht_build_id_text(const struct ht_facts *f,
		      char out[2 * HT_BUILD_ID_MAX + 1]);

#endif
