/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/thread_pointer.h"

#include <string.h>

#include "agent/arch/arch.h"

#define DESCRIPTOR_ALIGN 16   /* of struct pthread; 64 in recent versions */
#define HEAD_WITHIN	 4096 /* robust_head is some 700 bytes into it */

static uint64_t word_at(const uint8_t *at, unsigned word)
{
	uint64_t v = 0;

	memcpy(&v, at, word);
	return v;
}

/* Offset into buf of the descriptor that says of itself that it lies at
 * base + offset; -1: none. The nearest to the end is the head's own. */
static int find_descriptor(const uint8_t *buf, int len, uint64_t base,
			   unsigned word)
{
	for (int at = len - len % DESCRIPTOR_ALIGN; at >= 0;
	     at -= DESCRIPTOR_ALIGN)
		if (at + 3 * (int)word <= len &&
		    word_at(buf + at, word) == base + (uint64_t)at &&
		    word_at(buf + at + 2 * word, word) == base + (uint64_t)at)
			return at;
	return -1;
}

uint64_t ht_thread_pointer(pid_t tid, struct ht_reader *reader)
{
	uint64_t head = ht_robust_head(tid, reader->word);
	uint8_t buf[HEAD_WITHIN];
	int at;

	if (head < HEAD_WITHIN)
		return 0;
	/* Two reads: the page below may not be mapped. */
	for (uint64_t end = head; end > head - HEAD_WITHIN;) {
		uint64_t base = (end - 1) & ~(uint64_t)(HEAD_WITHIN - 1);
		size_t len = (size_t)(end - base);

		if (ht_reader_some(reader, base, buf, len) < len)
			return 0;
		at = find_descriptor(buf, (int)len, base, reader->word);
		if (at >= 0)
			return base + (uint64_t)at;
		end = base;
	}
	return 0;
}
