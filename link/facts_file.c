/* SPDX-License-Identifier: Apache-2.0 */
#include "link/facts_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* An agent's own descriptors are put in their places before this one. */
#define OUT_OF_THE_WAY 10

static int file = -1; /* one of a process, as long as it lives */

void ht_facts_file_make(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("facts", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return;
	if (ftruncate(fd, HT_FACTS_SIZE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		close(fd);
		return;
	}
	if (file >= 0)
		close(file);
	file = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	close(fd);
}

int ht_facts_file(void)
{
	return file;
}
