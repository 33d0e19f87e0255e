/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate by content: for every release and word, and for the vendors' mixtures,
 * a program file is written whose data holds main_arena and mp_ as that release
 * leaves them, without symbols; what is found must be that release's layout.
 */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/libc/debugfile.h"
#include "agent/libc/facts_read.h"
#include "agent/libc/layout_role.h"
#include "agent/libc/locate_int.h"
#include "agent/memory/reader_image.h"

#define BASE	 0x400000u
#define TEXT_OFF 0x1000u /* the banner */
#define DATA_OFF 0x2000u
#define FILE_LEN 0x4000u
#define MP	 (DATA_OFF + 0x140u)
#define ARENA	 (DATA_OFF + 0x640u)
#define HEAP	 0x900000u

struct made {
	uint8_t bytes[FILE_LEN]; /* the file, and the memory */
	char path[64];
};

static void put(struct made *m, uint64_t off, uint64_t value, unsigned size)
{
	memcpy(m->bytes + off, &value, size);
}

static void put_at(struct made *m, uint64_t base, struct ht_place at,
		   uint64_t value)
{
	if (at.size)
		put(m, base + at.offset, value, at.size);
}

static void put_segment64(struct made *m, unsigned i, uint32_t flags,
			  uint64_t off, uint64_t len)
{
	Elf64_Phdr p = {.p_type = PT_LOAD,
			.p_flags = flags,
			.p_offset = off,
			.p_vaddr = BASE + off,
			.p_filesz = len,
			.p_memsz = len,
			.p_align = 0x1000};

	memcpy(m->bytes + sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static void put_segment32(struct made *m, unsigned i, uint32_t flags,
			  uint32_t off, uint32_t len)
{
	Elf32_Phdr p = {.p_type = PT_LOAD,
			.p_flags = flags,
			.p_offset = off,
			.p_vaddr = BASE + off,
			.p_filesz = len,
			.p_memsz = len,
			.p_align = 0x1000};

	memcpy(m->bytes + sizeof(Elf32_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static void put_headers(struct made *m, unsigned word)
{
	Elf64_Ehdr h64 = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64,
				      ELFDATA2LSB, EV_CURRENT},
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2};
	Elf32_Ehdr h32 = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32,
				      ELFDATA2LSB, EV_CURRENT},
			  .e_type = ET_EXEC,
			  .e_machine = EM_386,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(Elf32_Ehdr),
			  .e_ehsize = sizeof(Elf32_Ehdr),
			  .e_phentsize = sizeof(Elf32_Phdr),
			  .e_phnum = 2};

	if (word == 8) {
		memcpy(m->bytes, &h64, sizeof(h64));
		put_segment64(m, 0, PF_R | PF_X, 0, DATA_OFF);
		put_segment64(m, 1, PF_R | PF_W, DATA_OFF, FILE_LEN - DATA_OFF);
	} else {
		memcpy(m->bytes, &h32, sizeof(h32));
		put_segment32(m, 0, PF_R | PF_X, 0, DATA_OFF);
		put_segment32(m, 1, PF_R | PF_W, DATA_OFF, FILE_LEN - DATA_OFF);
	}
}

static void put_arena(struct made *m, const struct ht_layout *l, uint64_t off)
{
	put_at(m, off, l->at[HT_P_ARENA_NEXT], BASE + off);
	put_at(m, off, l->at[HT_P_ARENA_ATTACHED], 1);
}

static void put_par(struct made *m, const struct ht_layout *l, unsigned minor)
{
	bool new_cache = minor >= 43;

	put_at(m, MP, l->at[HT_P_PAR_TRIM_THRESHOLD], 0x20000);
	put_at(m, MP, l->at[HT_P_PAR_TOP_PAD], 0x20000);
	put_at(m, MP, l->at[HT_P_PAR_MMAP_THRESHOLD], 0x20000);
	put_at(m, MP, l->at[HT_P_PAR_ARENA_TEST], l->word == 8 ? 8 : 2);
	put_at(m, MP, l->at[HT_P_PAR_N_MMAPS_MAX], 0x10000);
	put_at(m, MP, l->at[HT_P_PAR_TCACHE_BINS], 64);
	put_at(m, MP, l->at[HT_P_PAR_TCACHE_MAX_BYTES],
	       new_cache ? (l->word == 8 ? 1041 : 1025)
			 : (l->word == 8 ? 1032 : 1020));
	put_at(m, MP, l->at[HT_P_PAR_TCACHE_COUNT], new_cache ? 16 : 7);
	if (minor == 43) /* thp_mode: not supported */
		put(m, MP + 5 * l->word, 3, 4);
}

static void make(struct made *m, const struct ht_layout *l, unsigned minor)
{
	memset(m, 0, sizeof(*m));
	put_headers(m, l->word);
	put_arena(m, l, ARENA);
	put_par(m, l, minor);
	snprintf((char *)m->bytes + TEXT_OFF, 128,
		 "GNU C Library (made) stable release version 2.%u.", minor);
}

static void write_file(struct made *m)
{
	int fd;

	strcpy(m->path, "/tmp/heaptide-locate-XXXXXX");
	fd = mkstemp(m->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, m->bytes, FILE_LEN), FILE_LEN);
	close(fd);
}

/* Locates in a "process" that has the file mapped and its data in memory. */
static enum ht_code locate(struct made *m, unsigned word,
			   struct ht_located *ret, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot notes;
	struct ht_image_part parts[] = {{BASE, m->bytes, FILE_LEN}};
	struct ht_image image = {parts, 1};
	struct ht_locate_in in = {0};
	struct ht_reader r = {0};
	struct ht_maps maps = {0};
	char text[512];
	enum ht_code code;
	int len = snprintf(text, sizeof(text),
			   "%08x-%08x r-xp 00000000 08:01 77 %s\n"
			   "%08x-%08x rw-p 00002000 08:01 77 %s\n"
			   "%08x-%08x rw-p 00000000 00:00 0 [heap]\n",
			   BASE, BASE + DATA_OFF, m->path, BASE + DATA_OFF,
			   BASE + FILE_LEN, m->path, HEAP, HEAP + 0x21000);

	ht_snapshot_init(&notes);
	assert_int_equal(ht_maps_parse(text, (size_t)len, &maps, err), HT_OK);
	ht_reader_open_image(&image, word, 1 << 30, &r);
	in.maps = &maps;
	in.reader = &r;
	code = ht_locate(&in, ret, &notes, err);
	ht_reader_close(&r);
	ht_maps_fini(&maps);
	unlink(m->path);
	return code;
}

/* A heap in use tells where sbrk_base is. */
static void use_heap(struct made *m, const struct ht_layout *l)
{
	put_at(m, MP, l->at[HT_P_PAR_SBRK_BASE], HEAP);
}

static void find(const struct ht_layout *l, unsigned minor, bool same_tcache)
{
	static struct ht_located found;
	struct ht_err err = {0};
	struct made m;

	make(&m, l, minor);
	write_file(&m);
	use_heap(&m, l);
	if (locate(&m, l->word, &found, &err) != HT_OK)
		fail_msg("%s: %s", l->name, err.msg);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.malloc[0].main_arena, BASE + ARENA);
	assert_int_equal(found.malloc[0].mp, BASE + MP);
	if (same_tcache)
		assert_string_equal(found.malloc[0].layout.name, l->name);
	else
		assert_memory_equal(
			found.malloc[0].layout.name, l->name,
			(size_t)(strstr(l->name, "tcache") - l->name));
	assert_string_equal(found.libc.allocator, "glibc");
	assert_string_equal(found.libc.located, "scan");
	assert_int_equal(found.malloc[0].brk_end, HEAP + 0x21000);
}

static void every_release_is_told_by_its_content(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		for (unsigned word = 4; word <= 8; word += 4) {
			struct ht_layout l;

			assert_int_equal(ht_layout_glibc(minor,
							 ht_abi_with_word(word),
							 &l, NULL),
					 HT_OK);
			find(&l, minor, true);
		}
}

/* The version says one thing, the structs another: the structs are right. (The
 * tcache of 2.28 and 2.29 is told later, by its chunk.) */
static void a_backport_is_told_by_its_content(void **state)
{
	static const struct {
		const char *vendor;
		unsigned minor, word;
		bool same_tcache;
	} cases[] = {
		{"rhel7", 17, 8, true},	       {"rhel7", 17, 4, true},
		{"rhel8", 28, 8, false},       {"photon3", 28, 8, true},
		{"2.26-branch", 26, 8, true},  {"2.28-branch", 28, 8, false},
		{"2.29-branch", 29, 8, false}, {"2.29-branch", 29, 4, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ht_layout l;

		assert_int_equal(
			ht_layout_vendor(cases[i].vendor,
					 ht_abi_with_word(cases[i].word), &l,
					 NULL),
			HT_OK);
		find(&l, cases[i].minor, cases[i].same_tcache);
	}
}

static enum ht_code locate_damaged(void (*damage)(struct made *,
						  const struct ht_layout *),
				   struct ht_err *err)
{
	static struct ht_located found;
	struct ht_layout l;
	struct made m;

	assert_int_equal(ht_layout_glibc(36, HT_ABI_X86_64, &l, NULL), HT_OK);
	make(&m, &l, 36);
	damage(&m, &l);
	write_file(&m);
	return locate(&m, 8, &found, err);
}

static void two_arenas(struct made *m, const struct ht_layout *l)
{
	put_arena(m, l, ARENA + 0xc00);
}

static void another_par(struct made *m, const struct ht_layout *l)
{
	put_at(m, MP, l->at[HT_P_PAR_N_MMAPS_MAX], 0);
	put(m, MP + 84, 0x10000, 4);
}

static void what_does_not_fit_is_refused_with_what_was_seen(void **state)
{
	struct ht_err err = {0};

	(void)state;
	assert_int_equal(locate_damaged(two_arenas, &err), HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "2 places look like main_arena"));
	assert_int_equal(locate_damaged(another_par, &err), HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "no layout of mp_"));
	assert_non_null(strstr(err.msg, "2.36"));
}

/* --- facts, and the role that reads them --------------------------------- */

static const char *libc_path(void)
{
	return "/lib/x86_64-linux-gnu/libc.so.6";
}

static void a_record_that_makes_no_sense_is_refused(void **state)
{
	static struct ht_facts good, bad;
	int fd = open(libc_path(), O_RDONLY);

	(void)state;
	assert_int_equal(ht_facts_read(fd, -1, 0, &good, NULL), HT_OK);
	close(fd);
	assert_int_equal(ht_facts_check(&good, NULL), HT_OK);
	assert_true(good.flags & HT_FACTS_GLIBC);
#define REFUSED(change)                                                        \
	do {                                                                   \
		bad = good;                                                    \
		bad.change;                                                    \
		assert_int_equal(ht_facts_check(&bad, NULL), HT_PROTOCOL);     \
	} while (0)
	REFUSED(magic = 0);
	REFUSED(length = 3);
	REFUSED(word = 5);
	REFUSED(loads_n = HT_FACTS_LOADS + 1);
	REFUSED(arenas_n = UINT32_MAX);
	REFUSED(pars_n = HT_FACTS_HITS + 1);
	REFUSED(tpoffs_n = HT_FACTS_TPOFFS + 1);
	REFUSED(build_id_len = 64);
	REFUSED(allocator = HT_ALLOCATOR_COUNT);
	REFUSED(arena[0].row = ht_layout_rows_n);
	REFUSED(par[0].row = 0);
	memset(good.soname, 'x', sizeof(good.soname));
	assert_int_equal(ht_facts_check(&good, NULL), HT_PROTOCOL);
}

/* Whatever part of the file is missing, nothing is read beyond it. */
static void a_cut_file_gives_less_or_an_error(void **state)
{
	char path[] = "/tmp/heaptide-cut-XXXXXX", buf[65536];
	int from = open(libc_path(), O_RDONLY), to = mkstemp(path);
	static struct ht_facts f;
	off_t size = 0;
	ssize_t n;

	(void)state;
	unlink(path);
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		assert_int_equal(write(to, buf, (size_t)n), n);
		size += n;
	}
	for (off_t cut = size; cut > 0; cut = cut * 3 / 4) {
		assert_int_equal(ftruncate(to, cut), 0);
		if (ht_facts_read(to, -1, HT_FACTS_IS_EXE, &f, NULL) == HT_OK)
			assert_int_equal(ht_facts_check(&f, NULL), HT_OK);
	}
	close(from);
	close(to);
}

/* libc6-dbg of this machine's libc. */
static void read_with_debug_file(struct ht_facts *ret)
{
	int fd = open(libc_path(), O_RDONLY), debug_fd;

	assert_int_equal(ht_facts_read(fd, -1, HT_FACTS_NO_SYMTAB, ret, NULL),
			 HT_OK);
	assert_false(ret->flags & (HT_FACTS_SYMTAB | HT_FACTS_DWARF));
	debug_fd = ht_debugfile_open(&(struct ht_debugfile_ask){0}, libc_path(),
				     ret);
	assert_true(debug_fd >= 0);
	assert_int_equal(ht_facts_read(fd, debug_fd, 0, ret, NULL), HT_OK);
	close(fd);
	close(debug_fd);
}

static void debug_information_agrees_with_the_table(void **state)
{
	static struct ht_facts f;
	struct ht_layout l;

	(void)state;
	read_with_debug_file(&f);
	assert_true(f.flags & HT_FACTS_DWARF);
	assert_true(f.flags & HT_FACTS_SYMTAB);
	assert_int_equal(ht_layout_glibc((unsigned)atoi(f.banner + 2),
					 HT_ABI_X86_64, &l, NULL),
			 HT_OK);
	for (unsigned i = 0; i < HT_PLACE_COUNT; i++) {
		assert_int_equal(f.dwarf[i].offset, l.at[i].offset);
		assert_int_equal(f.dwarf[i].size, l.at[i].size);
	}
	/* What the structure shows is what the symbols say. */
	assert_int_equal(f.arenas_n, 1);
	assert_int_equal(f.arena[0].vaddr, f.symbol[HT_S_MAIN_ARENA].value);
	assert_int_equal(f.pars_n, 1);
	assert_int_equal(f.par[0].vaddr, f.symbol[HT_S_MP].value);
}

/* Debug information is of this very build; a table is of a release. */
static void
where_they_disagree_debug_information_wins_and_it_is_said(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot notes;
	static struct ht_facts f;
	struct ht_locate_in in = {0};
	struct ht_found found = {.at.path = "libc", .facts = &f};
	struct ht_malloc m;

	(void)state;
	ht_snapshot_init(&notes);
	read_with_debug_file(&f);
	assert_int_equal(ht_choose_malloc(&in, &found, &m, &notes, NULL),
			 HT_OK);
	assert_int_equal(notes.warnings.n, 0);
	f.dwarf[HT_P_ARENA_TOP].offset += 8;
	assert_int_equal(ht_choose_malloc(&in, &found, &m, &notes, NULL),
			 HT_OK);
	assert_int_equal(m.layout.at[HT_P_ARENA_TOP].offset,
			 f.dwarf[HT_P_ARENA_TOP].offset);
	assert_int_equal(notes.warnings.n, 1);
	assert_non_null(strstr(notes.warnings.v[0].text, "malloc_state.top"));
}

static void a_debug_file_of_another_build_is_not_used(void **state)
{
	static struct ht_facts f;
	int fd = open(libc_path(), O_RDONLY);
	int other = open("/lib64/ld-linux-x86-64.so.2", O_RDONLY);

	(void)state;
	assert_int_equal(ht_facts_read(fd, other, 0, &f, NULL), HT_OK);
	assert_true(f.flags & HT_FACTS_DEBUG_MISMATCH);
	assert_false(f.flags & (HT_FACTS_SYMTAB | HT_FACTS_DWARF));
	assert_int_equal(f.arenas_n, 1);
	close(fd);
	close(other);
}

static void start_role(struct ht_layout_role *role)
{
	const char *build = getenv("HT_BUILD") ?: "build";
	char path[4096];

	snprintf(path, sizeof(path), "%s/heaptide-agent", build);
	assert_int_equal(ht_layout_role_start(path, role, NULL), HT_OK);
}

/* The number behind a key of /proc/PID/status, as text. */
static void status_of(pid_t pid, const char *key, char *out, size_t len)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	out[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			snprintf(out, len, "%s", strrchr(line, '\t') + 1);
	fclose(f);
	out[strcspn(out, "\n")] = 0;
}

static void the_role_reads_the_same_and_may_do_nothing_else(void **state)
{
	static struct ht_facts here, there;
	struct ht_layout_role role;
	char text[64];
	int fd = open(libc_path(), O_RDONLY);

	(void)state;
	start_role(&role);
	assert_int_equal(ht_layout_role_ask(&role, fd, -1, 0, &there, NULL),
			 HT_OK);
	assert_int_equal(ht_facts_read(fd, -1, 0, &here, NULL), HT_OK);
	assert_memory_equal(&here, &there, sizeof(here));
	status_of(role.pid, "CapEff:", text, sizeof(text));
	assert_string_equal(text, "0000000000000000");
	status_of(role.pid, "CapPrm:", text, sizeof(text));
	assert_string_equal(text, "0000000000000000");
	status_of(role.pid, "NoNewPrivs:", text, sizeof(text));
	assert_string_equal(text, "1");
#ifndef HT_ASAN
	status_of(role.pid, "Seccomp:", text, sizeof(text));
	assert_string_equal(text, "2");
#endif
	ht_layout_role_stop(&role);
	close(fd);
}

static void a_role_that_dies_is_an_error_not_a_hang(void **state)
{
	static struct ht_facts f;
	struct ht_layout_role role;
	struct ht_err err = {0};
	int fd = open(libc_path(), O_RDONLY);

	(void)state;
	start_role(&role);
	kill(role.pid, SIGKILL);
	assert_int_equal(ht_layout_role_ask(&role, fd, -1, 0, &f, &err),
			 HT_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "signal 9"));
	assert_int_equal(role.socket, -1);
	assert_int_equal(ht_layout_role_start("/nonexistent", &role, NULL),
			 HT_OK);
	assert_int_equal(ht_layout_role_ask(&role, fd, -1, 0, &f, &err),
			 HT_SYS);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_release_is_told_by_its_content),
		cmocka_unit_test(a_backport_is_told_by_its_content),
		cmocka_unit_test(
			what_does_not_fit_is_refused_with_what_was_seen),
		cmocka_unit_test(a_record_that_makes_no_sense_is_refused),
		cmocka_unit_test(debug_information_agrees_with_the_table),
		cmocka_unit_test(
			where_they_disagree_debug_information_wins_and_it_is_said),
		cmocka_unit_test(a_debug_file_of_another_build_is_not_used),
		cmocka_unit_test(a_cut_file_gives_less_or_an_error),
		cmocka_unit_test(
			the_role_reads_the_same_and_may_do_nothing_else),
		cmocka_unit_test(a_role_that_dies_is_an_error_not_a_hang),
	};

	return cmocka_run_group_tests_name("locate", tests, NULL, NULL);
}
