/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xstate: a system call made with every register that the processor has at a
 * known value, and which of them came back with another: general ones, the
 * carry flag, x87 with its control and status words, MXCSR, and, where the
 * machine has them, the halves of AVX and AVX-512 and its masks.
 */
#ifndef HT_TESTS_TARGETS_XSTATE_H
#define HT_TESTS_TARGETS_XSTATE_H

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XSTATE_MAX    16384
#define XSTATE_PARTS  8 /* x87 .. the upper sixteen of AVX-512 */
#define XSTATE_WANTED 0xe7u

struct xstate_call {
	uint64_t in[4], out[4];		/* rbx, r12, r13, r14 */
	uint64_t arg[6], arg_out[6];	/* rdi, rsi, rdx, r10, r8, r9 */
	uint64_t nr, result, parts;	/* parts: those of XSAVE */
	uint8_t *usual, *given, *found; /* areas of XSAVE */
	volatile uint8_t waiting; /* from right before to right after it */
	uint8_t carry;
};

static uint8_t xstate_area[3][XSTATE_MAX] __attribute__((aligned(64)));
static struct xstate_call xstate = {.usual = xstate_area[0],
				    .given = xstate_area[1],
				    .found = xstate_area[2]};
static const char *const xstate_name[XSTATE_PARTS] = {
	"x87 registers",
	"SSE registers",
	"AVX registers",
	"MPX",
	"MPX",
	"masks of AVX-512",
	"AVX-512's upper halves",
	"AVX-512's upper half of the registers"};
static struct {
	uint32_t at, size;
} xstate_part[XSTATE_PARTS];

/* False: the machine has no XSAVE. */
static bool xstate_init(void)
{
	uint32_t a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	xstate.parts = low & XSTATE_WANTED;
	for (unsigned i = 2; i < XSTATE_PARTS; i++) {
		__cpuid_count(0xd, i, a, b, c, d);
		if (xstate.parts >> i & 1 && b + a <= XSTATE_MAX)
			xstate_part[i].at = b, xstate_part[i].size = a;
	}
	return true;
}

static uint64_t xstate_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 32;
}

static void xstate_put(size_t at, uint64_t value, size_t size)
{
	memcpy(xstate.given + at, &value, size);
}

/* Everything of it is new each time. No exception is unmasked. */
static void xstate_fill(uint64_t seed)
{
	for (size_t i = 0; i < 4; i++)
		xstate.in[i] = xstate_next(&seed) << 32 | xstate_next(&seed);
	for (size_t i = 0; i < XSTATE_MAX; i += 4)
		xstate_put(i, xstate_next(&seed), 4);
	xstate_put(0, 0x37f | (xstate_next(&seed) & 0xc00), 2);
	xstate_put(2, xstate_next(&seed) & 0x7f3f & ~0x80u, 2);
	xstate_put(4, 0xff, 2); /* all eight are in use */
	memset(xstate.given + 6, 0, 18);
	xstate_put(24, 0x1f80 | (xstate_next(&seed) & 0xe03f), 4);
	memset(xstate.given + 512, 0, 64);
	xstate_put(512, xstate.parts, 8);
	memset(xstate.found, 0, XSTATE_MAX);
}

#define XSTATE_AT(member) [member] "i"(offsetof(struct xstate_call, member))

/* What the compiler has in them is put back before it looks. */
static void xstate_enter(void)
{
	register struct xstate_call *x __asm__("r15") = &xstate;

	__asm__ volatile("mov %c[parts](%%r15), %%eax\n"
			 "xor %%edx, %%edx\n"
			 "mov %c[usual](%%r15), %%rcx\n"
			 "xsave64 (%%rcx)\n"
			 "mov %c[given](%%r15), %%rcx\n"
			 "xrstor64 (%%rcx)\n"
			 "mov %c[in]+0(%%r15), %%rbx\n"
			 "mov %c[in]+8(%%r15), %%r12\n"
			 "mov %c[in]+16(%%r15), %%r13\n"
			 "mov %c[in]+24(%%r15), %%r14\n"
			 "mov %c[arg]+0(%%r15), %%rdi\n"
			 "mov %c[arg]+8(%%r15), %%rsi\n"
			 "mov %c[arg]+16(%%r15), %%rdx\n"
			 "mov %c[arg]+24(%%r15), %%r10\n"
			 "mov %c[arg]+32(%%r15), %%r8\n"
			 "mov %c[arg]+40(%%r15), %%r9\n"
			 "mov %c[nr](%%r15), %%rax\n"
			 "stc\n"
			 "movb $1, %c[waiting](%%r15)\n"
			 "syscall\n"
			 "movb $0, %c[waiting](%%r15)\n"
			 "setc %c[carry](%%r15)\n"
			 "mov %%rax, %c[result](%%r15)\n"
			 "mov %%rdi, %c[arg_out]+0(%%r15)\n"
			 "mov %%rsi, %c[arg_out]+8(%%r15)\n"
			 "mov %%rdx, %c[arg_out]+16(%%r15)\n"
			 "mov %%r10, %c[arg_out]+24(%%r15)\n"
			 "mov %%r8, %c[arg_out]+32(%%r15)\n"
			 "mov %%r9, %c[arg_out]+40(%%r15)\n"
			 "mov %%rbx, %c[out]+0(%%r15)\n"
			 "mov %%r12, %c[out]+8(%%r15)\n"
			 "mov %%r13, %c[out]+16(%%r15)\n"
			 "mov %%r14, %c[out]+24(%%r15)\n"
			 "mov %c[parts](%%r15), %%eax\n"
			 "xor %%edx, %%edx\n"
			 "mov %c[found](%%r15), %%rcx\n"
			 "xsave64 (%%rcx)\n"
			 "mov %c[usual](%%r15), %%rcx\n"
			 "xrstor64 (%%rcx)\n"
			 : "+r"(x)
			 : XSTATE_AT(in), XSTATE_AT(out), XSTATE_AT(arg),
			   XSTATE_AT(arg_out), XSTATE_AT(nr), XSTATE_AT(result),
			   XSTATE_AT(parts), XSTATE_AT(usual), XSTATE_AT(given),
			   XSTATE_AT(found), XSTATE_AT(waiting),
			   XSTATE_AT(carry)
			 : "rax", "rbx", "rcx", "rdx", "rdi", "rsi", "r8", "r9",
			   "r10", "r11", "r12", "r13", "r14", "cc", "memory");
}

static bool xstate_same(size_t at, size_t size)
{
	return memcmp(xstate.given + at, xstate.found + at, size) == 0;
}

/* The first that is not as it was before the call; NULL: all are. */
static const char *xstate_changed(void)
{
	if (memcmp(xstate.in, xstate.out, sizeof(xstate.in)) != 0)
		return "general registers";
	if (memcmp(xstate.arg, xstate.arg_out, sizeof(xstate.arg)) != 0)
		return "argument registers";
	if (!xstate.carry)
		return "flags";
	if (!xstate_same(0, 5))
		return "x87 control, status and tags";
	if (!xstate_same(24, 4))
		return "MXCSR";
	for (size_t i = 0; i < 8; i++)
		if (!xstate_same(32 + 16 * i, 10))
			return xstate_name[0];
	if (!xstate_same(160, 256))
		return xstate_name[1];
	for (size_t i = 2; i < XSTATE_PARTS; i++)
		if (!xstate_same(xstate_part[i].at, xstate_part[i].size))
			return xstate_name[i];
	return NULL;
}

/* As the kernel returns it. */
static long xstate_syscall(long nr, const long arg[6], uint64_t seed)
{
	xstate_fill(seed);
	xstate.nr = (uint64_t)nr;
	memcpy(xstate.arg, arg, sizeof(xstate.arg));
	xstate_enter();
	return (long)xstate.result;
}

#endif
