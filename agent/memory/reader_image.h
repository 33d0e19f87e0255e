/* SPDX-License-Identifier: Apache-2.0 */
/* A byte image as a reader: pieces of memory at chosen addresses, for tests and
 * fuzzing. */
#ifndef HT_AGENT_MEMORY_READER_IMAGE_H
#define HT_AGENT_MEMORY_READER_IMAGE_H

#include "agent/memory/reader.h"

struct ht_image_part {
	uint64_t addr;
	const void *bytes; /* borrowed */
	size_t len;
};

/* Borrowed by the reader until it is closed. Parts may overlap: the first one
 * wins. */
struct ht_image {
	const struct ht_image_part *parts;
	size_t n;
};

/* word: 8 or 4. budget: bytes that may be read in all. */
void ht_reader_open_image(struct ht_image *image, unsigned word,
			  uint64_t budget, struct ht_reader *ret);

#endif
