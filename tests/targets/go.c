/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CFLAGS: -O1 -nostdlib -static -fno-stack-protector
 *
 * What every Go program has: no libc, .go.buildinfo, and a heap of its own that
 * it took of the kernel at 0xc000000000, with the stacks of goroutines in it.
 * Says "ready" on such a stack, waits for its input's end.
 */
__attribute__((section(".go.buildinfo"), used,
	       aligned(16))) static const char info[64] =
	"\xff Go buildinf:"
	"\x08\x02"
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	"\x08"
	"go1.22.5";
static long call(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "+a"(n)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return n;
}
#define HEAP ((volatile char *)0xc000000000)
#define SIZE (4L << 20)

__attribute__((used, noreturn)) static void goroutine(void)
{
	char c;

	call(1, 1, (long)"ready\n", 6, 0, 0, 0);
	call(0, 0, (long)&c, 1, 0, 0, 0);
	for (;;)
		call(231, 0, 0, 0, 0, 0, 0);
}
__attribute__((noreturn)) void _start(void)
{
	call(9, (long)HEAP, SIZE, 3, 0x100022, -1, 0); /* MAP_FIXED_NOREPLACE */
	for (long i = 0; i < SIZE; i += 4096)
		HEAP[i] = 1;
	__asm__ volatile("mov %0, %%rsp\n\tcall goroutine"
			 :
			 : "r"(HEAP + SIZE / 2)
			 : "memory");
	__builtin_unreachable();
}
