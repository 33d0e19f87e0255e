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
#include <sys/wait.h>
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
	assert_int_equal(ht_lines_find(fd, -1, address, 1, take, NULL, NULL),
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
	assert_int_equal(ht_lines_find(fd, -1, none, 2, take, NULL, NULL),
			 HT_OK);
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
	assert_int_equal(ht_lines_role_look(&role, fd, false,
					    ht_mono_ns() + PATIENCE_NS, &build,
					    NULL),
			 HT_OK);
	assert_true(build.described);
	assert_true(build.id_len > 0);
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, -1, address, 1,
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
	assert_int_equal(ht_lines_role_find(&role, none, -1, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, &err),
			 HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "cannot be parsed"));
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, -1, address, 1,
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

/* A file with debug information, mapped to be broken, and what it was. */
struct breakable {
	int fd, whole;
	uint8_t *file;
	size_t size, n;
	Elf64_Shdr section[32];
};

static struct breakable breakable(int whole)
{
	struct breakable b = {.whole = whole,
			      .fd = memfd_create("copy", MFD_CLOEXEC)};
	struct stat st;

	assert_int_equal(fstat(whole, &st), 0);
	b.size = (size_t)st.st_size;
	assert_int_equal(ftruncate(b.fd, st.st_size), 0);
	b.file =
		mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, b.fd, 0);
	assert_true(b.file != MAP_FAILED);
	assert_int_equal(pread(whole, b.file, b.size, 0), st.st_size);
	b.n = debug_sections(b.file, b.section, 32);
	assert_true(b.n >= 4);
	return b;
}

static void break_anew(struct breakable *b, int i, uint64_t *seed)
{
	assert_int_equal(pread(b->whole, b->file, b->size, 0), b->size);
	break_section(b->file, &b->section[(size_t)i % b->n], 1 + i * 4, seed);
}

static void unmap(struct breakable *b)
{
	munmap(b->file, b->size);
	close(b->fd);
}

/* All that its parts are broken to is answered, or refused, and at the end all
 * is told. */
static void are_told_whatever_is_broken(int fd, int shared, bool break_shared,
					uint64_t address[1])
{
	struct breakable b = breakable(break_shared ? shared : fd);
	struct ht_lines_role role;
	uint64_t seed = 12345;

	start(&role);
	for (int i = 0; i < BROKEN; i++) {
		break_anew(&b, i, &seed);
		told_n = 0;
		(void)!ht_lines_role_find(&role, break_shared ? fd : b.fd,
					  break_shared ? b.fd : shared, address,
					  1, ht_mono_ns() + PATIENCE_NS, take,
					  NULL, NULL);
		assert_true(role.socket >= 0);
	}
	told_n = 0;
	assert_int_equal(ht_lines_role_find(&role, fd, shared, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, NULL),
			 HT_OK);
	are_all_three();
	ht_lines_role_stop(&role);
	unmap(&b);
}

static void a_broken_file_takes_its_own_answer_and_no_other(void **state)
{
	uint64_t address[1];
	int fd = self(address);

	(void)state;
	are_told_whatever_is_broken(fd, -1, false, address);
	close(fd);
}

/* --- a file that several share ------------------------------------------- */

/* This program twice, of which dwz made a third. */
static int shared_of_two(int *ret_shared)
{
	static const char *const commands =
		"cd \"$0\" && cp \"$1\" one && cp one two && dwz -m shared -M ../no/shared one two";
	char folder[] = "/tmp/heaptide-lines-XXXXXX", self_path[64],
	     path[sizeof(folder) + 8];
	int status = -1, fd;
	pid_t pid;

	assert_non_null(mkdtemp(folder));
	snprintf(self_path, sizeof(self_path), "/proc/%d/exe", (int)getpid());
	pid = fork();
	if (pid == 0) {
		execlp("sh", "sh", "-c", commands, folder, self_path, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snprintf(path, sizeof(path), "%s/shared", folder);
	*ret_shared = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	snprintf(path, sizeof(path), "%s/two", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/one", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	rmdir(folder);
	assert_true(fd >= 0 && *ret_shared >= 0);
	return fd;
}

static void names_are_told_of_the_file_that_dwz_moved_them_to(void **state)
{
	struct ht_lines_build of_one, of_shared;
	uint64_t address[1];
	int fd, shared;

	(void)state;
	close(self(address));
	fd = shared_of_two(&shared);
	ht_lines_look(fd, false, &of_one);
	ht_lines_look(shared, false, &of_shared);
	assert_string_equal(of_one.shared, "../no/shared");
	assert_true(of_shared.described);
	assert_int_equal(of_one.shared_id_len, of_shared.id_len);
	assert_memory_equal(of_one.shared_id, of_shared.id, of_shared.id_len);
	told_n = 0;
	assert_int_equal(
		ht_lines_find(fd, shared, address, 1, take, NULL, NULL), HT_OK);
	are_all_three();
	/* Without it there are the functions still. */
	told_n = 0;
	assert_int_equal(ht_lines_find(fd, -1, address, 1, take, NULL, NULL),
			 HT_OK);
	assert_int_equal(told_n, 3);
	assert_true(told[0].inlined && told[1].inlined && !told[2].inlined);
	assert_string_equal(told[0].function, "");
	close(fd);
	close(shared);
}

static void nor_does_a_shared_file_that_is_broken(void **state)
{
	uint64_t address[1];
	int fd, shared;

	(void)state;
	close(self(address));
	fd = shared_of_two(&shared);
	are_told_whatever_is_broken(fd, shared, true, address);
	close(fd);
	close(shared);
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
	assert_int_equal(ht_lines_role_find(&role, fd, -1, address, 1,
					    ht_mono_ns() + PATIENCE_NS, take,
					    NULL, &err),
			 HT_UNSUPPORTED);
	assert_int_equal(role.socket, -1);
	start(&role);
	kill(role.pid, SIGSTOP);
	assert_int_equal(ht_lines_role_find(&role, fd, -1, address, 1,
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
	assert_int_equal(ht_lines_role_look(&role, fd, false,
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
		cmocka_unit_test(
			names_are_told_of_the_file_that_dwz_moved_them_to),
		cmocka_unit_test(nor_does_a_shared_file_that_is_broken),
		cmocka_unit_test(a_role_that_was_killed_is_an_error_not_a_hang),
		cmocka_unit_test(the_role_may_do_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
