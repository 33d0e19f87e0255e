/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile core files: the input is the file. It is refused, or what it says is
 * in order: mappings by address, none twice, each thread with an end to its
 * registers, and reads of its memory that end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/memory/reader_core.h"

#define READ_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct ht_core *c, size_t size)
{
	static uint8_t buf[READ_MAX];

	for (size_t i = 0; i < c->maps.n; i++) {
		const struct ht_vma *v = &c->maps.v[i];
		uint64_t len = v->end - v->start;

		if (v->start >= v->end ||
		    (i > 0 && v->start < c->maps.v[i - 1].end))
			abort();
		len = len < sizeof(buf) ? len : sizeof(buf);
		if (ht_reader_some(&c->reader, v->start, buf, len) > len)
			abort();
		if (strlen(ht_vma_path(&c->maps, v)) > size)
			abort();
	}
	if (memchr(c->comm, 0, sizeof(c->comm)) == NULL ||
	    memchr(c->exe, 0, sizeof(c->exe)) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_core core;
	struct ht_err err;
	char path[64];
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (ht_core_open(path, &core, &err) == HT_OK) {
		read_all(&core, size);
		ht_core_close(&core);
	}
	close(fd);
	return 0;
}
