/* SPDX-License-Identifier: Apache-2.0 */
/* What seccomp filters, of our own writing and libseccomp's, say of calls. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/stop/filter.h"

#define LOAD(member)                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
		 offsetof(struct seccomp_data, member))
#define RETURN(action)	 BPF_STMT(BPF_RET | BPF_K, action)
#define IF(how, k, t, f) BPF_JUMP(BPF_JMP | (how) | BPF_K, k, t, f)
#define ALLOW		 RETURN(SECCOMP_RET_ALLOW)
#define KILL		 RETURN(SECCOMP_RET_KILL_PROCESS)

static const struct ht_filter_call brk_call = {"brk", SYS_brk, 0, {0}};
static const struct ht_filter_call madvise_call = {
	"madvise", SYS_madvise, 4, {[2] = MADV_DONTNEED}};

#define SAYS(program, call, wanted)                                            \
	assert_int_equal(                                                      \
		ht_filter_allows(program,                                      \
				 sizeof(program) / sizeof(*(program)), call),  \
		wanted)

static void only_allow_is_allowed(void **state)
{
	static const uint32_t others[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
		SECCOMP_RET_TRAP,	  SECCOMP_RET_ERRNO | 1,
		SECCOMP_RET_TRACE,	  SECCOMP_RET_LOG,
		SECCOMP_RET_USER_NOTIF,	  0x12340000};
	const struct sock_filter allow[] = {ALLOW};

	(void)state;
	SAYS(allow, &brk_call, true);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		const struct sock_filter v[] = {RETURN(others[i])};

		SAYS(v, &brk_call, false);
	}
}

static void a_call_is_known_by_number_and_architecture(void **state)
{
	const struct sock_filter by_nr[] = {
		LOAD(nr), IF(BPF_JEQ, SYS_brk, 0, 1), ALLOW, KILL};
	const struct sock_filter foreign[] = {
		LOAD(arch), IF(BPF_JEQ, AUDIT_ARCH_AARCH64, 0, 1), ALLOW, KILL};

	(void)state;
	SAYS(by_nr, &brk_call, true);
	SAYS(by_nr, &madvise_call, false);
	SAYS(foreign, &brk_call, false);
}

static void an_argument_that_is_known_decides(void **state)
{
	const struct sock_filter v[] = {
		LOAD(args[2]), IF(BPF_JEQ, MADV_DONTNEED, 0, 1), ALLOW, KILL};
	const struct sock_filter upper[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2]) + 4),
		IF(BPF_JEQ, 0, 0, 1), ALLOW, KILL};
	struct ht_filter_call other = madvise_call;

	(void)state;
	SAYS(v, &madvise_call, true);
	SAYS(upper, &madvise_call, true);
	other.arg[2] = MADV_FREE;
	SAYS(v, &other, false);
	other = madvise_call;
	other.known = 0;
	SAYS(v, &other, false);
}

/* An address, a length, where it is called from: any may come. */
static void one_that_is_not_known_must_not_matter(void **state)
{
	const struct sock_filter by_length[] = {
		LOAD(args[1]), IF(BPF_JGT, 4096, 1, 0), ALLOW, KILL};
	const struct sock_filter no_matter[] = {LOAD(args[1]),
						IF(BPF_JGT, 4096, 0, 0), ALLOW};
	const struct sock_filter by_place[] = {
		LOAD(instruction_pointer), IF(BPF_JSET, 1, 1, 0), ALLOW, KILL};
	const struct sock_filter kept[] = {
		LOAD(args[0]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_LD | BPF_IMM, 7),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
		ALLOW,
		KILL};

	(void)state;
	SAYS(by_length, &madvise_call, false);
	SAYS(no_matter, &madvise_call, true);
	SAYS(by_place, &madvise_call, false);
	SAYS(kept, &madvise_call, false);
}

static void what_is_calculated_is_known(void **state)
{
	const struct sock_filter v[] = {
		LOAD(args[2]),				/* 4 */
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4), /* 64 */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 14), /* 50 */
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),	 /* 114 */
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2),	 /* 57 */
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 0x100),
		IF(BPF_JEQ, 313, 0, 1),
		ALLOW,
		KILL};
	const struct sock_filter by_a[] = {
		BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_A, 0)};
	const struct sock_filter by_zero[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALLOW};

	(void)state;
	SAYS(v, &madvise_call, true);
	SAYS(by_a, &madvise_call, true);
	SAYS(by_zero, &madvise_call, false);
}

static void no_program_leads_astray(void **state)
{
	const struct sock_filter endless[] = {LOAD(nr)};
	const struct sock_filter far[] = {IF(BPF_JEQ, 1, 200, 200)};
	const struct sock_filter wild[] = {
		BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), ALLOW};
	const struct sock_filter memory[] = {BPF_STMT(BPF_ST, 16), ALLOW};
	struct sock_filter many[2 * 40 + 1];

	(void)state;
	SAYS(endless, &brk_call, false);
	SAYS(far, &brk_call, false);
	SAYS(wild, &brk_call, false);
	SAYS(memory, &brk_call, false);
	assert_false(ht_filter_allows(NULL, 0, &brk_call));
	/* 2^40 ways through it */
	for (size_t i = 0; i < 40; i++) {
		many[2 * i] = (struct sock_filter)LOAD(args[0]);
		many[2 * i + 1] =
			(struct sock_filter)IF(BPF_JSET, 1u << (i % 32), 0, 0);
	}
	many[80] = (struct sock_filter)ALLOW;
	SAYS(many, &brk_call, false);
}

/* --- libseccomp's -------------------------------------------------------- */

static size_t exported(scmp_filter_ctx c, struct sock_filter *v, size_t n)
{
	int fd = memfd_create("filter", 0);
	ssize_t size;

	assert_int_equal(seccomp_export_bpf(c, fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	size = read(fd, v, n * sizeof(*v));
	assert_true(size > 0);
	close(fd);
	return (size_t)size / sizeof(*v);
}

/* In a row, and as a tree of comparisons. */
static void a_list_of_calls_is_understood(void **state)
{
	struct sock_filter *v = calloc(HT_FILTER_MAX, sizeof(*v));

	(void)state;
	for (unsigned optimize = 1; optimize < 3; optimize++) {
		scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(1));
		size_t n;

		seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, optimize);
		for (int nr = 0; nr < 300; nr++)
			if (nr != SYS_brk && nr != SYS_madvise)
				(void)seccomp_rule_add(c, SCMP_ACT_ALLOW, nr,
						       0);
		assert_int_equal(
			seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(madvise),
					 1,
					 SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED)),
			0);
		n = exported(c, v, HT_FILTER_MAX);
		assert_true(ht_filter_allows(v, n, &madvise_call));
		assert_false(ht_filter_allows(v, n, &brk_call));
		seccomp_release(c);
	}
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_allow_is_allowed),
		cmocka_unit_test(a_call_is_known_by_number_and_architecture),
		cmocka_unit_test(an_argument_that_is_known_decides),
		cmocka_unit_test(one_that_is_not_known_must_not_matter),
		cmocka_unit_test(what_is_calculated_is_known),
		cmocka_unit_test(no_program_leads_astray),
		cmocka_unit_test(a_list_of_calls_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
