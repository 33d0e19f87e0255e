/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/core_files.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "common/cleanup.h"

#define HEADERS_MAX 64
#define PARTS_MAX   16
#define IMAGES_MAX  1024
#define DYNAMIC_MAX 512
#define LINKS_MAX   4096
#define NAME_MAX_   256

struct image {
	uint64_t start;
	uint64_t dynamic; /* address of PT_DYNAMIC; 0: none */
	uint64_t debug;	  /* what DT_DEBUG points to; 0: not the program */
	struct ht_core_part part[PARTS_MAX];
	size_t n;
	char path[NAME_MAX_];
};

struct images {
	struct ht_reader *r;
	struct image *v;
	size_t n;
};

/* --- ELF headers in memory ----------------------------------------------- */

static Elf64_Phdr wide_header(const uint8_t *at, bool wide)
{
	Elf64_Phdr p;
	Elf32_Phdr n;

	if (wide) {
		memcpy(&p, at, sizeof(p));
		return p;
	}
	memcpy(&n, at, sizeof(n));
	return (Elf64_Phdr){.p_type = n.p_type,
			    .p_offset = n.p_offset,
			    .p_vaddr = n.p_vaddr,
			    .p_filesz = n.p_filesz,
			    .p_memsz = n.p_memsz};
}

/* Where program headers lie and how many; 0: no ELF file of this class. */
static size_t headers_at(struct ht_reader *r, uint64_t start, uint64_t *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} h;
	const bool wide = r->word == 8;
	const size_t size = wide ? sizeof(h.e64) : sizeof(h.e32);
	size_t n;

	if (ht_reader_some(r, start, &h, size) != size ||
	    memcmp(h.ident, ELFMAG, SELFMAG) != 0 ||
	    h.ident[EI_CLASS] != (wide ? ELFCLASS64 : ELFCLASS32))
		return 0;
	n = wide ? h.e64.e_phnum : h.e32.e_phnum;
	*ret = start + (wide ? h.e64.e_phoff : h.e32.e_phoff);
	return n <= HEADERS_MAX ? n : 0;
}

static void add_part(struct image *image, uint64_t bias, const Elf64_Phdr *p)
{
	if (image->n == PARTS_MAX || p->p_filesz == 0)
		return;
	image->part[image->n++] = (struct ht_core_part){
		.start = (bias + p->p_vaddr) & ~(HT_PAGE_SIZE - 1),
		.end = (bias + p->p_vaddr + p->p_filesz + HT_PAGE_SIZE - 1) &
		       ~(HT_PAGE_SIZE - 1),
		.offset = p->p_offset & ~(HT_PAGE_SIZE - 1)};
}

/* DT_DEBUG: the loader puts the address of its struct r_debug there, in the
 * program alone. */
static uint64_t find_debug(struct ht_reader *r, uint64_t dynamic)
{
	uint64_t tag = 1, value;

	for (unsigned i = 0; i < DYNAMIC_MAX && tag != DT_NULL; i++) {
		const uint64_t at = dynamic + i * 2 * r->word;

		if (ht_reader_word(r, at, &tag, NULL) != HT_OK ||
		    ht_reader_word(r, at + r->word, &value, NULL) != HT_OK)
			return 0;
		if (tag == DT_DEBUG)
			return value;
	}
	return 0;
}

/* False: no loaded ELF file begins there. */
static bool read_image(struct ht_reader *r, uint64_t start, struct image *ret)
{
	uint8_t bytes[HEADERS_MAX * sizeof(Elf64_Phdr)];
	const bool wide = r->word == 8;
	const size_t each = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t at = 0, bias = 0;
	size_t n = headers_at(r, start, &at);
	bool placed = false;

	*ret = (struct image){.start = start};
	if (n == 0 || ht_reader_some(r, at, bytes, n * each) != n * each)
		return false;
	for (size_t i = 0; i < n; i++) {
		const Elf64_Phdr p = wide_header(bytes + i * each, wide);

		if (p.p_type == PT_LOAD && !placed &&
		    p.p_offset / HT_PAGE_SIZE == 0) {
			bias = start - (p.p_vaddr & ~(HT_PAGE_SIZE - 1));
			placed = true;
		}
		if (p.p_type == PT_LOAD && placed)
			add_part(ret, bias, &p);
		if (p.p_type == PT_DYNAMIC)
			ret->dynamic = p.p_vaddr; /* of the file, until below */
	}
	if (ret->dynamic) {
		ret->dynamic += bias;
		ret->debug = find_debug(r, ret->dynamic);
	}
	return ret->n > 0;
}

static enum ht_code read_images(struct images *all, const struct ht_maps *m,
				struct ht_err *err)
{
	all->v = calloc(IMAGES_MAX, sizeof(*all->v));
	if (!all->v)
		return ht_fail(err, HT_NOMEM, "no memory for the files");
	for (size_t i = 0; i < m->n && all->n < IMAGES_MAX; i++)
		if (read_image(all->r, m->v[i].start, &all->v[all->n]))
			all->n++;
	return HT_OK;
}

/* --- names --------------------------------------------------------------- */

static void read_text(struct ht_reader *r, uint64_t at, char ret[NAME_MAX_])
{
	size_t n = at ? ht_reader_some(r, at, ret, NAME_MAX_ - 1) : 0;

	ret[n] = '\0';
	ret[strnlen(ret, n)] = '\0';
}

/* struct r_debug: version, then the first link_map; that: load address, name,
 * dynamic section, next. All in words. */
static void name_libraries(struct images *all, uint64_t debug)
{
	const unsigned w = all->r->word;
	uint64_t at, name, dynamic;
	bool more = ht_reader_word(all->r, debug + w, &at, NULL) == HT_OK;

	for (unsigned left = LINKS_MAX; more && at && left; left--) {
		more = ht_reader_word(all->r, at + w, &name, NULL) == HT_OK &&
		       ht_reader_word(all->r, at + 2 * w, &dynamic, NULL) ==
			       HT_OK &&
		       ht_reader_word(all->r, at + 3 * w, &at, NULL) == HT_OK;
		for (size_t i = 0; more && i < all->n; i++)
			if (all->v[i].dynamic && all->v[i].dynamic == dynamic &&
			    !all->v[i].path[0])
				read_text(all->r, name, all->v[i].path);
	}
}

static bool holds(const struct image *image, uint64_t address)
{
	for (size_t i = 0; i < image->n; i++)
		if (address >= image->part[i].start &&
		    address < image->part[i].end)
			return true;
	return false;
}

/* The program: what the loader works for, else what was executed. */
static struct image *find_program(const struct images *all,
				  const struct ht_core_auxv *auxv)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].debug)
			return &all->v[i];
	for (size_t i = 0; i < all->n; i++)
		if (auxv->phdr && holds(&all->v[i], auxv->phdr))
			return &all->v[i];
	return NULL;
}

static void name_program(const struct images *all, struct image *program,
			 const struct ht_core_auxv *auxv, const char *comm)
{
	char name[NAME_MAX_];
	const char *base;

	read_text(all->r, auxv->execfn, name);
	if (!name[0] || !holds(program, auxv->phdr)) /* run by its loader */
		snprintf(name, sizeof(name), "%s", comm);
	base = name[0] == '/' ? name : strrchr(name, '/');
	snprintf(program->path, sizeof(program->path), "%s%.250s",
		 base ? "" : "/", base ?: name);
}

enum ht_code ht_core_files_find(struct ht_reader *r, const struct ht_maps *m,
				const struct ht_core_auxv *auxv,
				const char *comm, ht_core_part_fn *tell,
				void *ctx, struct ht_err *err)
{
	struct images all = {.r = r};
	enum ht_code code = read_images(&all, m, err);
	struct image *program = code == HT_OK ? find_program(&all, auxv) : NULL;

	if (program && program->debug)
		name_libraries(&all, program->debug);
	if (program)
		name_program(&all, program, auxv, comm);
	for (size_t i = 0; i < all.n && code == HT_OK; i++) {
		struct image *image = &all.v[i];

		for (size_t k = 0;
		     image->path[0] == '/' && k < image->n && code == HT_OK;
		     k++) {
			image->part[k].path = image->path;
			image->part[k].exe = image == program;
			code = tell(ctx, &image->part[k], err);
		}
	}
	free(all.v);
	return code;
}
