/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_malloc MODE: waits for ever, having printed "ADDRESS-OF-MALLOC
 * ADDRESS-OF-MALLOC_INFO":
 *   inside   in a signal handler that came while malloc wrote to the heap
 *   outside  in pause(), with what malloc left behind on the stack above
 */
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void say(void)
{
	printf("%p %p\n", (void *)(uintptr_t)malloc,
	       (void *)(uintptr_t)malloc_info);
	fflush(stdout);
}

static void on_fault(int sig)
{
	(void)sig;
	if (write(STDOUT_FILENO, "inside\n", 7) != 7)
		_exit(1);
	for (;;)
		pause();
}

/* malloc writes the size of the top chunk that remains: let it fault there. */
static void inside(void)
{
	const uintptr_t page = 4095;
	struct sigaction act = {.sa_handler = on_fault};
	char *heap = malloc(100000);
	uintptr_t top;

	heap[0] = 1;
	top = ((uintptr_t)heap + 100000 + page) & ~page;
	sigaction(SIGSEGV, &act, NULL);
	if (mprotect((void *)top, 4096, PROT_READ) < 0)
		_exit(1);
	for (int i = 0; i < 100; i++)
		*(char *volatile *)&heap = malloc(100);
}

__attribute__((noinline)) static void use_malloc(void)
{
	void *volatile p[100];

	for (int i = 0; i < 100; i++)
		p[i] = malloc(2000);
	for (int i = 0; i < 100; i++)
		free(p[i]);
}

__attribute__((noinline)) static void outside(void)
{
	volatile char left_behind[3000];

	__asm__ volatile("" : : "r"(left_behind) : "memory");
	if (write(STDOUT_FILENO, "outside\n", 8) != 8)
		_exit(1);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	say();
	if (argc > 1 && strcmp(argv[1], "inside") == 0)
		inside();
	use_malloc();
	outside();
}
