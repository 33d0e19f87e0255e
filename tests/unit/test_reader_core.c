/* SPDX-License-Identifier: Apache-2.0 */
/* Core files, written here byte by byte, so that each lie is a few lines. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/reader_core.h"

#define BASE 0x7000000000ull
#define PAGE 4096ull

/* One writable page of 'A' mapped with a page behind it that the core leaves
 * out, one page of a file, one thread. */
struct small_core {
	Elf64_Ehdr header;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char name[8];
		uint8_t body[336];
	} status;
	struct {
		Elf64_Nhdr head;
		char name[8];
		uint64_t count, page, start, end, offset;
		char path[16];
	} __attribute__((packed)) files;
	uint8_t page[PAGE];
};

static void put_u64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static struct small_core sound_core(void)
{
	struct small_core c = {0};
	const int32_t tid = 4711;

	memcpy(c.header.e_ident, ELFMAG, SELFMAG);
	c.header.e_ident[EI_CLASS] = ELFCLASS64;
	c.header.e_ident[EI_DATA] = ELFDATA2LSB;
	c.header.e_ident[EI_VERSION] = EV_CURRENT;
	c.header.e_type = ET_CORE;
	c.header.e_machine = EM_X86_64;
	c.header.e_version = EV_CURRENT;
	c.header.e_ehsize = sizeof(c.header);
	c.header.e_phoff = offsetof(struct small_core, load);
	c.header.e_phentsize = sizeof(Elf64_Phdr);
	c.header.e_phnum = 2;
	c.load = (Elf64_Phdr){.p_type = PT_LOAD,
			      .p_flags = PF_R | PF_W,
			      .p_offset = offsetof(struct small_core, page),
			      .p_vaddr = BASE,
			      .p_filesz = PAGE,
			      .p_memsz = 2 * PAGE};
	c.note = (Elf64_Phdr){.p_type = PT_NOTE,
			      .p_offset = offsetof(struct small_core, status),
			      .p_filesz = sizeof(c.status) + sizeof(c.files)};
	c.status.head = (Elf64_Nhdr){5, sizeof(c.status.body), NT_PRSTATUS};
	memcpy(c.status.name, "CORE", 5);
	memcpy(c.status.body + 32, &tid, sizeof(tid));
	put_u64(c.status.body + 112 + 16 * 8, 0x1111); /* rip */
	put_u64(c.status.body + 112 + 19 * 8, 0x2222); /* rsp */
	put_u64(c.status.body + 112 + 21 * 8, 0x3333); /* fs_base */
	c.files.head = (Elf64_Nhdr){5, 5 * 8 + 16, NT_FILE};
	memcpy(c.files.name, "CORE", 5);
	c.files.count = 1;
	c.files.page = PAGE;
	c.files.start = BASE + 0x10000;
	c.files.end = BASE + 0x11000;
	c.files.offset = 3;
	memcpy(c.files.path, "/usr/bin/thing", 15);
	memset(c.page, 'A', sizeof(c.page));
	return c;
}

static enum ht_code open_bytes(const void *bytes, size_t n, struct ht_core *ret,
			       struct ht_err *err)
{
	char path[64];
	int fd = memfd_create("core", 0);
	enum ht_code code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	code = ht_core_open(path, ret, err);
	close(fd);
	return code;
}

static void a_core_gives_memory_mappings_and_registers(void **state)
{
	struct small_core c = sound_core();
	struct ht_err err;
	struct ht_core core;
	char bytes[16];

	(void)state;
	assert_int_equal(open_bytes(&c, sizeof(c), &core, &err), HT_OK);
	assert_int_equal(core.reader.word, 8);
	assert_int_equal(
		ht_reader_read(&core.reader, BASE + 100, bytes, 16, &err),
		HT_OK);
	assert_memory_equal(bytes, "AAAAAAAAAAAAAAAA", 16);
	assert_int_equal(core.threads_n, 1);
	assert_int_equal(core.threads[0].tid, 4711);
	assert_int_equal(core.threads[0].pc, 0x1111);
	assert_int_equal(core.threads[0].sp, 0x2222);
	assert_int_equal(core.threads[0].thread_pointer, 0x3333);
	assert_int_equal(core.maps.n, 2);
	assert_string_equal(ht_vma_path(&core.maps, &core.maps.v[1]),
			    "/usr/bin/thing");
	assert_int_equal(core.maps.v[1].offset, 3 * PAGE);
	assert_string_equal(core.exe, "/usr/bin/thing");
	ht_core_close(&core);
}

static void bytes_that_the_core_left_out_are_not_read_as_zero(void **state)
{
	struct small_core c = sound_core();
	struct ht_err err;
	struct ht_core core;
	char bytes[32];

	(void)state;
	assert_int_equal(open_bytes(&c, sizeof(c), &core, &err), HT_OK);
	assert_int_equal(
		ht_reader_some(&core.reader, BASE + PAGE - 8, bytes, 32), 8);
	assert_int_equal(
		ht_reader_read(&core.reader, BASE + PAGE, bytes, 8, &err),
		HT_FAULT);
	ht_core_close(&core);
}

static void a_truncated_core_opens_and_reads_what_is_there(void **state)
{
	struct small_core c = sound_core();
	struct ht_err err;
	struct ht_core core;
	char bytes[64];

	(void)state;
	assert_int_equal(open_bytes(&c, offsetof(struct small_core, page) + 10,
				    &core, &err),
			 HT_OK);
	assert_int_equal(ht_reader_some(&core.reader, BASE, bytes, 64), 10);
	ht_core_close(&core);
}

static void
every_shorter_file_is_refused_or_opened_and_never_crashes(void **state)
{
	struct small_core c = sound_core();
	struct ht_err err;
	struct ht_core core;

	(void)state;
	for (size_t n = 0; n < offsetof(struct small_core, page); n++)
		if (open_bytes(&c, n, &core, &err) == HT_OK)
			ht_core_close(&core);
	assert_int_not_equal(open_bytes(&c, 10, &core, &err), HT_OK);
}

static void lies_are_told_by_name(void **state)
{
	struct small_core program = sound_core(), files = sound_core(),
			  far = sound_core(), arm = sound_core();
	const struct {
		struct small_core *c;
		enum ht_code code;
		const char *says;
	} cases[] = {
		{&program, HT_UNSUPPORTED, "not an ELF core"},
		{&files, HT_CORRUPT, "list of mapped files"},
		{&far, HT_CORRUPT, "outside the file"},
		{&arm, HT_UNSUPPORTED, "machine type"},
	};

	(void)state;
	program.header.e_type = ET_DYN;
	files.files.count = 1000;
	far.load.p_offset = UINT64_MAX - 4096;
	arm.header.e_machine = EM_AARCH64;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_err err;
		struct ht_core core;

		assert_int_equal(open_bytes(cases[i].c, sizeof(*cases[i].c),
					    &core, &err),
				 cases[i].code);
		assert_non_null(strstr(err.msg, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_core_gives_memory_mappings_and_registers),
		cmocka_unit_test(
			bytes_that_the_core_left_out_are_not_read_as_zero),
		cmocka_unit_test(
			a_truncated_core_opens_and_reads_what_is_there),
		cmocka_unit_test(
			every_shorter_file_is_refused_or_opened_and_never_crashes),
		cmocka_unit_test(lies_are_told_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
