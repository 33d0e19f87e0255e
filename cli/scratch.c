/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scratch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum ht_code ht_scratch_init(struct ht_scratch *ret, struct ht_err *err)
{
	const char *tmp = secure_getenv("TMPDIR") ?: "/tmp";
	int n = snprintf(ret->folder, sizeof(ret->folder), "%s/heaptide-XXXXXX",
			 tmp);

	if (n < 0 || (size_t)n >= sizeof(ret->folder) ||
	    !mkdtemp(ret->folder)) {
		ret->folder[0] = '\0';
		return ht_fail_sys(err, HT_SYS, errno,
				   "make a folder for the record in %s", tmp);
	}
	snprintf(ret->file, sizeof(ret->file), "%s/record.db", ret->folder);
	return HT_OK;
}

void ht_scratch_remove(const char *file)
{
	static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		int n = snprintf(path, sizeof(path), "%s%s", file, parts[i]);

		if (n > 0 && (size_t)n < sizeof(path))
			unlink(path);
	}
}

void ht_scratch_fini(struct ht_scratch *s)
{
	if (!*s->folder)
		return;
	ht_scratch_remove(s->file);
	rmdir(s->folder);
}
