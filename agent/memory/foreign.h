/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign: opening files that a target leads to: its program, libraries, what
 * they name as debug files. Their paths are the target's words, so they mean
 * what they mean below its root, whatever its symbolic links say; what they
 * lead to is looked at before it is opened (a device or FIFO does something
 * then), is a regular file of a file system with a disk's semantics (nothing of
 * /proc), and no larger than a library can be. A child does it: a file system
 * that does not answer (FUSE, NFS) holds that child alone, which is ended then.
 * One child opens all that is asked for with our privileges: a Python has forty
 * libraries, and a child for each is most of what the first look at it costs.
 */
#ifndef HT_AGENT_MEMORY_FOREIGN_H
#define HT_AGENT_MEMORY_FOREIGN_H

#include <stdbool.h>
#include <sys/types.h>

struct ht_foreign {
	pid_t pid;	  /* whose root path begins at; 0: ours */
	const char *root; /* a folder to begin at where pid is 0, or NULL */
	const char *path; /* NULL: link alone */
	const char *link; /* of /proc, to the very file ("/proc/1/exe"); NULL */
	bool plain;	  /* without CAP_DAC_READ_SEARCH */
};

/* A descriptor for reading, or -1 with errno: EINVAL no regular file, EFBIG too
 * large, ETIMEDOUT the file system does not answer. Before the sandbox. */
int ht_foreign_open(const struct ht_foreign *f);
/* Ends the child that waits for more to open; the next call begins another. */
void ht_foreign_end(void);

#endif
