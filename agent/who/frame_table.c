/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/frame_table.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define SHDRS_MAX   4096u
#define SECTION_MAX (64u << 20)
#define ROWS_MAX    (4u << 20)

/* How an address is written (DW_EH_PE_...): the size below, what it is relative
 * to above. */
#define SIZE_OF(enc)	 ((enc)&0x0fu)
#define RELATIVE_OF(enc) ((enc)&0x70u)
#define INDIRECT	 0x80u
#define ABSOLUTE	 0x00u
#define TO_ITSELF	 0x10u
#define NO_ENCODING	 0xffu

/* Bytes, and how far they are read. */
struct bytes {
	const uint8_t *v;
	size_t at, end;
};

static bool take(struct bytes *b, void *ret, size_t n)
{
	if (n > b->end - b->at)
		return false;
	memcpy(ret, b->v + b->at, n);
	b->at += n;
	return true;
}

static uint8_t byte(struct bytes *b)
{
	uint8_t v = 0;

	take(b, &v, sizeof(v));
	return v;
}

static void pass_leb(struct bytes *b)
{
	while (b->at < b->end && byte(b) & 0x80)
		;
}

/* An address of some encoding; false: one that is not for a table. */
static bool pointer(struct bytes *b, uint8_t enc, uint64_t address,
		    uint64_t *ret)
{
	uint64_t at = address + b->at, v = 0;
	unsigned size = SIZE_OF(enc);
	bool ok;

	if (enc & INDIRECT ||
	    (RELATIVE_OF(enc) != ABSOLUTE && RELATIVE_OF(enc) != TO_ITSELF))
		return false;
	if (size == 0x03 || size == 0x0b) {
		int32_t part = 0;

		ok = take(b, &part, sizeof(part));
		v = size == 0x0b ? (uint64_t)(int64_t)part : (uint32_t)part;
	} else {
		ok = (size == 0x00 || size == 0x04 || size == 0x0c) &&
		     take(b, &v, sizeof(v));
	}
	*ret = RELATIVE_OF(enc) == TO_ITSELF ? at + v : v;
	return ok;
}

/* An entry: where it begins, its id and what follows; false: no more. */
struct entry {
	size_t start;
	uint32_t id;
	size_t id_at;
	struct bytes rest;
};

static bool next_entry(struct bytes *b, struct entry *ret)
{
	uint32_t length = 0;

	ret->start = b->at;
	if (!take(b, &length, sizeof(length)) || length < sizeof(ret->id) ||
	    length > b->end - b->at)
		return false; /* its end, or one of 64 bits, which none writes
			       */
	ret->id_at = b->at;
	ret->rest = (struct bytes){b->v, b->at, b->at + length};
	take(&ret->rest, &ret->id, sizeof(ret->id));
	b->at += length;
	return true;
}

/* How the entries that refer to a common one write addresses. */
static uint8_t encoding_of(struct bytes *all, size_t at)
{
	struct bytes b = {all->v, at, all->end};
	uint8_t version, kind, encoding = NO_ENCODING;
	const char *augmentation;
	struct entry e;
	uint64_t none;

	if (at >= all->end || !next_entry(&b, &e) || e.id != 0)
		return NO_ENCODING;
	version = byte(&e.rest);
	augmentation = (const char *)e.rest.v + e.rest.at;
	if (!memchr(augmentation, 0, e.rest.end - e.rest.at))
		return NO_ENCODING;
	e.rest.at += strlen(augmentation) + 1;
	if (*augmentation == '\0')
		return 0; /* a plain address */
	if (*augmentation++ != 'z')
		return NO_ENCODING;
	pass_leb(&e.rest); /* alignments */
	pass_leb(&e.rest);
	if (version == 1)
		byte(&e.rest);
	else
		pass_leb(&e.rest); /* where the return address is */
	pass_leb(&e.rest);	   /* the length of what follows */
	encoding = 0;
	for (; *augmentation; augmentation++) {
		if (*augmentation == 'S' || *augmentation == 'B')
			continue;
		kind = byte(&e.rest);
		if (*augmentation == 'R')
			return kind;
		if (*augmentation == 'P' && kind != NO_ENCODING)
			pointer(&e.rest, kind & (uint8_t)~INDIRECT, 0, &none);
		else if (*augmentation != 'L' && *augmentation != 'P')
			return NO_ENCODING;
	}
	return encoding;
}

static bool add(struct ht_frame_table *t, size_t *room, uint64_t start,
		uint64_t entry)
{
	int64_t from = (int64_t)(start - t->base),
		to = (int64_t)(entry - t->base);
	struct ht_frame_row *more;

	if (from != (int32_t)from || to != (int32_t)to)
		return true; /* of nothing that lies here */
	if (t->n == *room) {
		*room = *room ? 2 * *room : 1024;
		more = *room <= ROWS_MAX
			       ? reallocarray(t->row, *room, sizeof(*more))
			       : NULL;
		if (!more)
			return false;
		t->row = more;
	}
	t->row[t->n++] = (struct ht_frame_row){(int32_t)from, (int32_t)to};
	return true;
}

static int by_start(const void *x, const void *y)
{
	const struct ht_frame_row *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

void ht_frame_table_parse(const uint8_t *bytes, size_t size, uint64_t address,
			  struct ht_frame_table *ret)
{
	struct bytes b = {bytes, 0, size};
	size_t common = SIZE_MAX, room = 0;
	uint8_t encoding = NO_ENCODING;
	struct entry e;

	*ret = (struct ht_frame_table){.base = address, .made = true};
	while (next_entry(&b, &e)) {
		uint64_t start = 0;

		if (e.id == 0 || e.id > e.id_at)
			continue;
		if (e.id_at - e.id != common) {
			common = e.id_at - e.id;
			encoding = encoding_of(&b, common);
		}
		if (encoding != NO_ENCODING &&
		    pointer(&e.rest, encoding, address, &start) && start &&
		    !add(ret, &room, start, address + e.start))
			break;
	}
	if (ret->n)
		qsort(ret->row, ret->n, sizeof(*ret->row), by_start);
}

/* --- the file ------------------------------------------------------------ */

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX - len &&
	       pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static bool is_named(int fd, const Elf64_Shdr *names, const Elf64_Shdr *s)
{
	static const char wanted[] = ".eh_frame";
	char name[sizeof(wanted)];

	return s->sh_name < names->sh_size &&
	       names->sh_offset <= INT64_MAX - names->sh_size &&
	       read_at(fd, name, sizeof(name), names->sh_offset + s->sh_name) &&
	       memcmp(name, wanted, sizeof(name)) == 0;
}

static bool find_section(int fd, Elf64_Shdr *ret)
{
	HT_AUTO_FREE Elf64_Shdr *all = NULL;
	Elf64_Ehdr h;

	if (fd < 0 || !read_at(fd, &h, sizeof(h), 0) ||
	    h.e_shentsize != sizeof(*all) || h.e_shnum > SHDRS_MAX ||
	    h.e_shstrndx >= h.e_shnum)
		return false;
	all = calloc(h.e_shnum, sizeof(*all));
	if (!all || !read_at(fd, all, h.e_shnum * sizeof(*all), h.e_shoff))
		return false;
	for (unsigned i = 0; i < h.e_shnum; i++)
		if (all[i].sh_flags & SHF_ALLOC && all[i].sh_size > 0 &&
		    all[i].sh_size <= SECTION_MAX &&
		    is_named(fd, &all[h.e_shstrndx], &all[i])) {
			*ret = all[i];
			return true;
		}
	return false;
}

void ht_frame_table_make(const struct ht_module *m, struct ht_frame_table *ret)
{
	HT_AUTO_FREE uint8_t *bytes = NULL;
	Elf64_Shdr s;

	*ret = (struct ht_frame_table){.made = true};
	if (!find_section(m->fd, &s))
		return;
	bytes = malloc(s.sh_size);
	if (bytes && read_at(m->fd, bytes, s.sh_size, s.sh_offset))
		ht_frame_table_parse(bytes, s.sh_size, m->bias + s.sh_addr,
				     ret);
}

void ht_frame_table_fini(struct ht_frame_table *t)
{
	free(t->row);
	*t = (struct ht_frame_table){0};
}
