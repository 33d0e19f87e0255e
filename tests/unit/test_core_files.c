/* SPDX-License-Identifier: Apache-2.0 */
/* Core files whose notes tell neither files nor descriptors: what lies in
 * memory does. A small i386 program and its library, made here word by word. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs four of the above */
#include <cmocka.h>

#include "agent/memory/core_files.h"
#include "agent/memory/core_threads.h"
#include "agent/memory/reader_image.h"

#define PAGE	4096u
#define LIBRARY 0x300000u
#define PROGRAM 0x400000u /* above its library */
#define LOADER	0x500000u /* the loader's list */
#define STACKS	0x600000u
#define DYNAMIC 0x200u

struct memory {
	uint8_t library[PAGE], program[PAGE], loader[PAGE], stacks[2 * PAGE];
	struct ht_image_part parts[4];
	struct ht_image image;
	struct ht_reader reader;
	struct ht_vma vmas[4];
	struct ht_maps maps;
};

static void put(uint8_t *page, size_t at, uint32_t value)
{
	memcpy(page + at, &value, sizeof(value));
}

static void make_elf(uint8_t *page, uint32_t debug)
{
	const Elf32_Ehdr head = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32},
		.e_phoff = sizeof(head),
		.e_phnum = 2};
	const Elf32_Phdr phdrs[2] = {
		{.p_type = PT_LOAD, .p_filesz = PAGE, .p_memsz = PAGE},
		{.p_type = PT_DYNAMIC, .p_vaddr = DYNAMIC}};

	memcpy(page, &head, sizeof(head));
	memcpy(page + sizeof(head), phdrs, sizeof(phdrs));
	put(page, DYNAMIC, DT_DEBUG);
	put(page, DYNAMIC + 4, debug);
}

/* struct link_map at LOADER + at. */
static void link_file(uint8_t *page, uint32_t at, uint32_t name, uint32_t file,
		      uint32_t next)
{
	put(page, at, file);
	put(page, at + 4, LOADER + name);
	put(page, at + 8, file + DYNAMIC);
	put(page, at + 12, LOADER + next);
}

static void make(struct memory *m)
{
	memset(m, 0, sizeof(*m));
	make_elf(m->library, 0);
	make_elf(m->program, LOADER);
	put(m->loader, 0, 1);		   /* r_version */
	put(m->loader, 4, LOADER + 0x100); /* r_map */
	link_file(m->loader, 0x100, 0x300, PROGRAM, 0x120);
	link_file(m->loader, 0x120, 0x310, LIBRARY, 0x100); /* a loop */
	strcpy((char *)m->loader + 0x310, "/lib/libc.so.6");
	strcpy((char *)m->loader + 0x340, "./prog");
	m->parts[0] = (struct ht_image_part){LIBRARY, m->library, PAGE};
	m->parts[1] = (struct ht_image_part){PROGRAM, m->program, PAGE};
	m->parts[2] = (struct ht_image_part){LOADER, m->loader, PAGE};
	m->parts[3] = (struct ht_image_part){STACKS, m->stacks, 2 * PAGE};
	m->image = (struct ht_image){m->parts, 4};
	ht_reader_open_image(&m->image, 4, UINT64_MAX, &m->reader);
	for (size_t i = 0; i < 4; i++)
		m->vmas[i] = (struct ht_vma){
			.start = m->parts[i].addr,
			.end = m->parts[i].addr + m->parts[i].len,
			.flags = HT_VMA_READ | (i > 1 ? HT_VMA_WRITE : 0)};
	m->maps = (struct ht_maps){.v = m->vmas, .n = 4};
}

static enum ht_code note_part(void *ctx, const struct ht_core_part *part,
			      struct ht_err *err)
{
	char *said = ctx;
	size_t used = strlen(said);

	(void)err;
	snprintf(said + used, 512 - used, "%llx-%llx %llx %s%s\n",
		 (unsigned long long)part->start, (unsigned long long)part->end,
		 (unsigned long long)part->offset, part->path,
		 part->exe ? " (program)" : "");
	return HT_OK;
}

static void files_are(struct memory *m, struct ht_core_auxv auxv,
		      const char *wanted)
{
	char said[512] = "";
	struct ht_err err;

	assert_int_equal(ht_core_files_find(&m->reader, &m->maps, &auxv,
					    "victim", note_part, said, &err),
			 HT_OK);
	assert_string_equal(said, wanted);
}

static void the_loaders_list_names_files_and_the_program(void **state)
{
	static struct memory m;

	(void)state;
	make(&m);
	files_are(&m, (struct ht_core_auxv){PROGRAM + 52, LOADER + 0x340},
		  "300000-301000 0 /lib/libc.so.6\n"
		  "400000-401000 0 /prog (program)\n");
	/* run by its loader: what was executed is not the program */
	files_are(&m, (struct ht_core_auxv){STACKS, LOADER + 0x340},
		  "300000-301000 0 /lib/libc.so.6\n"
		  "400000-401000 0 /victim (program)\n");
}

static void without_a_loader_what_was_executed_is_the_program(void **state)
{
	static struct memory m;

	(void)state;
	make(&m);
	put(m.program, DYNAMIC + 4, 0);
	files_are(&m, (struct ht_core_auxv){PROGRAM + 52, 0},
		  "400000-401000 0 /victim (program)\n");
	files_are(&m, (struct ht_core_auxv){0, 0}, "");
}

static void headers_that_lie_name_nothing(void **state)
{
	static struct memory m;

	(void)state;
	make(&m);
	put(m.program, 42, 0xffffffff); /* e_phentsize, e_phnum */
	put(m.loader, 4, 0x12345678);	/* r_map leads nowhere */
	files_are(&m, (struct ht_core_auxv){PROGRAM + 52, LOADER + 0x340}, "");
}

/* A thread control block at STACKS + at. */
static void control_block(struct memory *m, uint32_t at, uint32_t tid)
{
	put(m->stacks, at, STACKS + at);
	put(m->stacks, at + 8, STACKS + at);
	put(m->stacks, at + 0x68, tid);
}

static void threads_are_found_by_their_control_blocks(void **state)
{
	static struct memory m;
	struct ht_thread_state t[3] = {{.tid = 4711, .thread_pointer = 0x63},
				       {.tid = 4712, .thread_pointer = 0x63},
				       {.tid = 4713, .thread_pointer = 0x63}};

	(void)state;
	make(&m);
	control_block(&m, 0x340, 4712);
	control_block(&m, 0x1000, 4711);
	control_block(&m, 0x1400, 4799);      /* nobody's */
	put(m.stacks, 0x800, STACKS + 0x800); /* no `self` */
	put(m.stacks, 0x868, 4713);
	ht_core_threads_find(&m.reader, &m.maps, t, 3);
	assert_int_equal(t[0].thread_pointer, STACKS + 0x1000);
	assert_int_equal(t[1].thread_pointer, STACKS + 0x340);
	assert_int_equal(t[2].thread_pointer, 0);
}

static void a_thread_that_several_blocks_claim_is_not_found(void **state)
{
	static struct memory m;
	struct ht_thread_state t[2] = {{.tid = 4711}, {.tid = 4712}};

	(void)state;
	make(&m);
	control_block(&m, 0x340, 4711);
	control_block(&m, 0x800, 4712);
	control_block(&m, 0x1000, 4711);
	control_block(&m, 0x1800, 4711);
	ht_core_threads_find(&m.reader, &m.maps, t, 2);
	assert_int_equal(t[0].thread_pointer, 0);
	assert_int_equal(t[1].thread_pointer, STACKS + 0x800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loaders_list_names_files_and_the_program),
		cmocka_unit_test(
			without_a_loader_what_was_executed_is_the_program),
		cmocka_unit_test(headers_that_lie_name_nothing),
		cmocka_unit_test(threads_are_found_by_their_control_blocks),
		cmocka_unit_test(
			a_thread_that_several_blocks_claim_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
