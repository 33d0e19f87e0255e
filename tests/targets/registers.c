/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers: keeps patterns in general and vector registers, and prints
 * "changed" should one ever differ. A line of input is answered by "intact".
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Behind the code, and not code: must not be taken for it. */
__attribute__((used)) static const unsigned char no_code[] = {
	0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x0f, 0x05, 0xc3};

/* Some 20 ms with nothing but registers in use; what they hold afterwards. */
static int hold_on(void)
{
	const uint64_t pattern[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	uint64_t vector[2] = {0, 0}, general = 0;

	__asm__ volatile("movups (%[p]), %%xmm9\n"
			 "mov (%[p]), %%r14\n"
			 "mov $30000000, %%r13\n"
			 "1: dec %%r13\n"
			 "jnz 1b\n"
			 "movups %%xmm9, (%[v])\n"
			 "mov %%r14, %[g]\n"
			 : [g] "=r"(general)
			 : [p] "r"(pattern), [v] "r"(vector)
			 : "xmm9", "r13", "r14", "cc", "memory");
	return vector[0] == pattern[0] && vector[1] == pattern[1] &&
	       general == pattern[0];
}

int main(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];
	void *block = malloc(1000);

	dprintf(STDOUT_FILENO, "ready\n");
	for (;;) {
		if (!hold_on())
			dprintf(STDOUT_FILENO, "changed\n");
		if (poll(&in, 1, 0) > 0) {
			if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
				break;
			dprintf(STDOUT_FILENO, "intact\n");
		}
	}
	free(block);
	return 0;
}
