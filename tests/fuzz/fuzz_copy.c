/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile memory where a library is mapped whose file is gone: first byte: the
 * width; the rest: what the target has from the library's start on. Whatever is
 * copied must be readable as a file, and its record must pass its check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/libc/facts_read.h"
#include "agent/libc/image.h"
#include "agent/memory/reader_image.h"

#define START 0x10000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ht_facts f;
	struct ht_image_part part = {START, data + 1, size - 1};
	struct ht_image memory = {&part, 1};
	const struct ht_image_at image = {.start = START, .path = "/lib/gone"};
	struct ht_locate_in in = {0};
	struct ht_reader reader;
	int fd = -1;

	if (size < 2)
		return 0;
	ht_reader_open_image(&memory, data[0] & 1 ? 8 : 4, 1 << 30, &reader);
	in.reader = &reader;
	if (ht_image_copy(&in, &image, &fd, NULL) != HT_OK)
		return 0;
	if (ht_facts_read(fd, -1, HT_FACTS_LIVE, &f, NULL) == HT_OK &&
	    ht_facts_check(&f, NULL) != HT_OK)
		abort();
	close(fd);
	return 0;
}
