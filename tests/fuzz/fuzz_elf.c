/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile ELF and DWARF: what the layout role does with a file that a target
 * mapped, and with a debug file. The record that comes out must pass its check.
 * First byte: which of the role's ways; the rest: the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/libc/facts_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ht_facts f;
	unsigned want = size ? data[0] & 3u : 0; /* enum ht_facts_want */
	bool as_debug = size && data[0] & 4;
	int fd;

	if (size < 2)
		return 0;
	if (data[0] & 8)
		want |= HT_FACTS_LIVE;
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	if (ht_facts_read(fd, as_debug ? fd : -1, want, &f, NULL) == HT_OK &&
	    ht_facts_check(&f, NULL) != HT_OK)
		abort();
	close(fd);
	return 0;
}
