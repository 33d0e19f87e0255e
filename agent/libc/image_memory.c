/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library whose file is gone (upgraded, and the mapped one not ours to open):
 * what the dynamic loader needs of it is mapped, and is copied from there.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "agent/libc/image.h"
#include "common/cleanup.h"

#define COPY_MAX    (UINT64_C(16) << 20) /* libc has 2 MiB */
#define SYMBOLS_MAX 65536u
/* Section headers that are made: none, .dynsym, .dynstr, relocations, notes. */
#define SECTIONS 5u

/* The copy: byte i is what the target has at start + i. */
struct copy {
	uint64_t start;
	uint64_t size; /* of the segments; section headers follow */
	uint8_t *bytes;
};

#define ELF(type)    Elf64_##type
#define CLASS(name)  name##_64
#define RELOCATION   ELF(Rela)
#define TAG_RELOC    DT_RELA
#define TAG_RELOC_SZ DT_RELASZ
#define SECTION_REL  SHT_RELA
#define TYPE_OF(i)   ELF64_ST_TYPE(i)
#include "agent/libc/image_class.h"
#undef ELF
#undef CLASS
#undef RELOCATION
#undef TAG_RELOC
#undef TAG_RELOC_SZ
#undef SECTION_REL
#undef TYPE_OF
#define ELF(type)    Elf32_##type
#define CLASS(name)  name##_32
#define RELOCATION   ELF(Rel)
#define TAG_RELOC    DT_REL
#define TAG_RELOC_SZ DT_RELSZ
#define SECTION_REL  SHT_REL
#define TYPE_OF(i)   ELF32_ST_TYPE(i)
#include "agent/libc/image_class.h"

/* A page that cannot be read (a hole between segments) stays zero. */
static void read_segments(struct ht_reader *r, const struct copy *c,
			  uint64_t from, uint64_t len)
{
	uint64_t end = from + len;

	while (from < end) {
		uint64_t n = ht_reader_some(r, c->start + from, c->bytes + from,
					    (size_t)(end - from));

		from = n ? from + n : (from | (HT_PAGE_SIZE - 1)) + 1;
	}
}

static enum ht_code copy_image(const struct ht_locate_in *in,
			       const struct ht_image_at *image, int fd,
			       struct ht_err *err)
{
	uint8_t head[HT_PAGE_SIZE] = {0};
	struct copy c = {.start = image->start};
	bool wide;
	enum ht_code code = ht_reader_read(in->reader, image->start, head,
					   HT_PAGE_SIZE, err);

	if (code != HT_OK)
		return code;
	wide = head[EI_CLASS] == ELFCLASS64;
	c.size = memcmp(head, ELFMAG, SELFMAG) != 0 ? 0
		 : wide				    ? size_of_64(head)
						    : size_of_32(head);
	if (c.size == 0 || c.size > COPY_MAX)
		return ht_fail(
			err, HT_UNSUPPORTED,
			"%s: its file is gone, and what is mapped of it makes no sense",
			image->path);
	if (ftruncate(fd, (off_t)(c.size + SECTIONS * sizeof(Elf64_Shdr))) != 0)
		return ht_fail(err, HT_NOMEM, "copy of %s", image->path);
	c.bytes = mmap(NULL, c.size + SECTIONS * sizeof(Elf64_Shdr),
		       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c.bytes == MAP_FAILED)
		return ht_fail(err, HT_NOMEM, "copy of %s", image->path);
	read_segments(in->reader, &c, 0, c.size);
	memcpy(c.bytes, head, c.size < HT_PAGE_SIZE ? c.size : HT_PAGE_SIZE);
	wide ? settle_64(&c) : settle_32(&c);
	munmap(c.bytes, c.size + SECTIONS * sizeof(Elf64_Shdr));
	return HT_OK;
}

enum ht_code ht_image_copy(const struct ht_locate_in *in,
			   const struct ht_image_at *image, int *ret_fd,
			   struct ht_err *err)
{
	HT_AUTO_FD int fd = memfd_create("image", MFD_CLOEXEC);
	enum ht_code code;

	if (fd < 0)
		return ht_fail(err, HT_NOMEM, "copy of %s", image->path);
	code = copy_image(in, image, fd, err);
	if (code != HT_OK)
		return code;
	*ret_fd = ht_take_fd(&fd);
	return HT_OK;
}
