/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/reader_image.h"

#include <string.h>

static size_t image_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct ht_image *image = ctx;

	for (size_t i = 0; i < image->n; i++) {
		const struct ht_image_part *p = &image->parts[i];
		uint64_t skip = addr - p->addr;

		if (addr < p->addr || skip >= p->len)
			continue;
		if (len > p->len - skip)
			len = (size_t)(p->len - skip);
		memcpy(buf, (const char *)p->bytes + skip, len);
		return len;
	}
	return 0;
}

static const struct ht_reader_ops image_ops = {
	.name = "image",
	.read = image_read,
};

void ht_reader_open_image(struct ht_image *image, unsigned word,
			  uint64_t budget, struct ht_reader *ret)
{
	*ret = (struct ht_reader){&image_ops, image, word, 0, budget};
}
