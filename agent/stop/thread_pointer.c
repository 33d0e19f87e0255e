/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/thread_pointer.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTOR_ALIGN     16	  /* of struct pthread; 64 in recent versions */
#define HEAD_WITHIN	     4096 /* robust_head is some 700 bytes into it */
#define I386_GET_ROBUST_LIST 312

/* A 32-bit thread's head is known to the 32-bit system call only, which takes
 * pointers below 4 GiB. */
static uint64_t robust_head_32(pid_t tid)
{
	uint64_t head = 0;
	long ret;
	uint32_t *out = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (out == MAP_FAILED)
		return 0;
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"((long)I386_GET_ROBUST_LIST), "b"((long)tid),
			   "c"(&out[0]), "d"(&out[1])
			 : "memory", "r8", "r9", "r10", "r11");
	if (ret == 0)
		head = out[0];
	munmap(out, 4096);
	return head;
}

static uint64_t robust_head(pid_t tid, unsigned word)
{
	void *head = NULL;
	size_t len;

	if (word == 4)
		return robust_head_32(tid);
	if (syscall(SYS_get_robust_list, tid, &head, &len) < 0)
		return 0;
	return (uint64_t)(uintptr_t)head;
}

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
	uint64_t head = robust_head(tid, reader->word);
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
