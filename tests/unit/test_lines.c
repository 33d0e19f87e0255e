/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines: of an instruction the functions are told that it was made of, with
 * file and line, by debug information, and by the confined process that reads
 * it as by ourselves. No file, however broken, leaves it without an answer.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/libc/lines_role.h"
#include "common/clock.h"

#define PATIENCE_NS (60 * HT_NS_PER_S)

static struct ht_source told[64];
static size_t told_n;

static bool take(void *ctx, const struct ht_source *l)
{
	(void)ctx;
	assert_true(told_n < sizeof(told) / sizeof(*told));
	told[told_n++] = *l;
	return true;
}

/* --- places -------------------------------------------------------------- */

static uint64_t at[2];
static int line_of_at, line_of_call;

/* Where this stands, wherever it is inlined. */
static inline __attribute__((always_inline)) uint64_t innermost(void)
{
	uint64_t here;

	line_of_at = __LINE__ + 1;
	__asm__ volatile("lea 0(%%rip), %0" : "=r"(here));
	return here - 1;
}

static inline __attribute__((always_inline)) uint64_t middle(void)
{
	line_of_call = __LINE__ + 1;
	return innermost();
}

static __attribute__((noinline)) void outermost(void)
{
	at[0] = middle();
}

static int own_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uint64_t *)ret = info->dlpi_addr;
	return 1; /* the first is the program */
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void are_all_three(void)
{
	static const char *const names[] = {"innermost", "middle", "outermost"};

	assert_int_equal(told_n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(told[i].function, names[i]);
		assert_int_equal(told[i].inlined, i < 2);
		assert_string_equal(base(told[i].file), "test_lines.c");
		assert_int_equal(told[i].index, 0);
	}
	assert_int_equal(told[0].line, line_of_at);
	assert_int_equal(told[1].line, line_of_call);
}

static int self(uint64_t address[1])
{
	uint64_t bias = 0;

	outermost();
	dl_iterate_phdr(own_bias, &bias);
	address[0] = at[0] - bias;
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static void what_was_inlined_is_told_from_the_inside_out(void **state)
{
	uint64_t address[1];
	int fd = self(address);

	(void)state;
	told_n = 0;
	assert_int_equal(ht_lines_find(fd, address, 1, take, NULL, NULL),
			 HT_OK);
	are_all_three();
	close(fd);
}

static void what_nothing_describes_has_no_line(void **state)
{
	uint64_t address[1];
	int fd = self(address);
	const uint64_t none[] = {1, UINT64_MAX - 5};

	(void)state;
	told_n = 0;
	assert_int_equal(ht_lines_find(fd, none, 2, take, NULL, NULL), HT_OK);
	assert_int_equal(told_n, 0);
	close(fd);
}

/* --- the role ------------------------------------------------------------ */

static void start(struct ht_lines_role *role)
{
	const char *build = getenv("HT_BUILD") ?: "build";
	char path[4096];

	snprintf(path, sizeof(path), "%s/heaptide-agent", build);
	assert_int_equal(ht_lines_role_start(path, role, NULL), HT_OK);
}

static void the_role_tells_the_same(void **state)
{
	struct ht_lines_role role;
	struct ht_lines_build build;
	uint64_t address[1];
	int fd = self(address);

	(void)state;
	start(&role);
	assert_int_equal(ht_lines_role_look(&role, fd,
					    ht_mono_ns() + PATIENCE_NS, &build,
					    NULL),
			 HT_OK);
	assert_true(build.described);
	assert_true(build.id_len > 0);
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, NULL),
			 HT_OK);
	are_all_three();
	ht_lines_role_stop(&role);
	assert_int_equal(role.socket, -1);
	close(fd);
}

static void a_file_that_is_none_is_told_and_the_role_goes_on(void **state)
{
	struct ht_lines_role role;
	struct ht_err err = {0};
	uint64_t address[1];
	int fd = self(address), none = memfd_create("none", MFD_CLOEXEC);

	(void)state;
	start(&role);
	assert_int_equal(ht_lines_role_find(&role, none, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, &err),
			 HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "cannot be parsed"));
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, NULL),
			 HT_OK);
	are_all_three();
	ht_lines_role_stop(&role);
	close(none);
	close(fd);
}

/* The sections of debug information in a file, of which some are broken. */
static size_t debug_sections(const uint8_t *file, Elf64_Shdr *ret, size_t most)
{
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
	const char *names = (const char *)file + s[h->e_shstrndx].sh_offset;
	size_t n = 0;

	for (unsigned i = 0; i < h->e_shnum && n < most; i++)
		if (strncmp(names + s[i].sh_name, ".debug_", 7) == 0)
			ret[n++] = s[i];
	return n;
}

#define BROKEN 60

/* Each is broken anew: a count that makes the library go through four billion
 * entries costs seconds, and would cost them in all that follow. */
static void break_section(uint8_t *file, const Elf64_Shdr *s, int bytes,
			  uint64_t *seed)
{
	for (int k = 0; k < bytes; k++) {
		*seed = *seed * UINT64_C(6364136223846793005) + 1;
		file[s->sh_offset + (*seed >> 20) % s->sh_size] ^=
			(uint8_t)(*seed >> 56);
	}
}

static void a_broken_file_takes_its_own_answer_and_no_other(void **state)
{
	struct ht_lines_role role;
	Elf64_Shdr s[32];
	uint64_t address[1], seed = 12345;
	int fd = self(address), copy = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;
	uint8_t *file;
	size_t n, size;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	assert_int_equal(ftruncate(copy, st.st_size), 0);
	file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
	assert_true(file != MAP_FAILED);
	assert_int_equal(pread(fd, file, size, 0), st.st_size);
	n = debug_sections(file, s, 32);
	assert_true(n >= 4);
	start(&role);
	for (int i = 0; i < BROKEN; i++) {
		assert_int_equal(pread(fd, file, size, 0), st.st_size);
		break_section(file, &s[(size_t)i % n], 1 + i * 4, &seed);
		told_n = 0;
		(void)!ht_lines_role_find(&role, copy, address, 1,
					  ht_mono_ns() + PATIENCE_NS, take,
					  NULL, NULL);
		assert_true(role.socket >= 0);
	}
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, NULL),
			 HT_OK);
	are_all_three();
	ht_lines_role_stop(&role);
	munmap(file, size);
	close(copy);
	close(fd);
}

static void a_role_that_was_killed_is_an_error_not_a_hang(void **state)
{
	struct ht_lines_role role;
	struct ht_err err = {0};
	uint64_t address[1];
	int fd = self(address);

	(void)state;
	start(&role);
	kill(role.pid, SIGKILL);
	assert_int_equal(ht_lines_role_find(&role, fd, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, &err),
			 HT_UNSUPPORTED);
	assert_int_equal(role.socket, -1);
	start(&role);
	kill(role.pid, SIGSTOP);
	assert_int_equal(ht_lines_role_find(&role, fd, address, 1,
					    ht_mono_ns() + 50 * HT_NS_PER_MS,
					    take, NULL, &err),
			 HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "too long"));
	assert_int_equal(role.socket, -1);
	close(fd);
}

static void the_role_may_do_nothing_else(void **state)
{
	struct ht_lines_role role;
	struct ht_lines_build build;
	char path[64], line[256];
	uint64_t address[1];
	int fd = self(address);
	bool none = false, filtered = false;
	FILE *f;

	(void)state;
	start(&role);
	assert_int_equal(ht_lines_role_look(&role, fd,
					    ht_mono_ns() + PATIENCE_NS, &build,
					    NULL),
			 HT_OK); /* it is locked up by now */
	snprintf(path, sizeof(path), "/proc/%d/status", (int)role.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		none |= strcmp(line, "CapPrm:\t0000000000000000\n") == 0;
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
	}
	fclose(f);
	assert_true(none);
#ifndef HT_ASAN
	assert_true(filtered);
#else
	(void)filtered;
#endif
	ht_lines_role_stop(&role);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_inlined_is_told_from_the_inside_out),
		cmocka_unit_test(what_nothing_describes_has_no_line),
		cmocka_unit_test(the_role_tells_the_same),
		cmocka_unit_test(
			a_file_that_is_none_is_told_and_the_role_goes_on),
		cmocka_unit_test(
			a_broken_file_takes_its_own_answer_and_no_other),
		cmocka_unit_test(a_role_that_was_killed_is_an_error_not_a_hang),
		cmocka_unit_test(the_role_may_do_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
