/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a loaded ELF file's memory ends, .bss included: by the program headers
 * that are mapped with it. What lies behind is not the library's, even when the
 * kernel shows both as one mapping.
 */
#include "agent/arch/arch.h"
#include "agent/libc/image.h"

#include <elf.h>
#include <string.h>

#define HEADERS_MAX 64

struct load {
	uint64_t type, address, size;
};

static struct load take_header(const uint8_t *at, bool wide)
{
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (wide) {
		memcpy(&p64, at, sizeof(p64));
		return (struct load){p64.p_type, p64.p_vaddr, p64.p_memsz};
	}
	memcpy(&p32, at, sizeof(p32));
	return (struct load){p32.p_type, p32.p_vaddr, p32.p_memsz};
}

/* Where the program headers are, how many, how large each; false: no ELF. */
static bool find_headers(struct ht_reader *r, uint64_t start, bool *ret_wide,
			 uint64_t *ret_at, size_t *ret_n)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr e64;
		Elf32_Ehdr e32;
	} h;

	if (ht_reader_read(r, start, &h, sizeof(h), NULL) != HT_OK ||
	    memcmp(h.ident, ELFMAG, SELFMAG) != 0)
		return false;
	*ret_wide = h.ident[EI_CLASS] == ELFCLASS64;
	*ret_at = start + (*ret_wide ? h.e64.e_phoff : h.e32.e_phoff);
	*ret_n = *ret_wide ? h.e64.e_phnum : h.e32.e_phnum;
	return *ret_n > 0 && *ret_n <= HEADERS_MAX;
}

uint64_t ht_image_memory_end(struct ht_reader *r, uint64_t start)
{
	uint8_t bytes[HEADERS_MAX * sizeof(Elf64_Phdr)];
	uint64_t at, low = UINT64_MAX, high = 0;
	size_t n, each;
	bool wide;

	if (!find_headers(r, start, &wide, &at, &n))
		return 0;
	each = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (ht_reader_read(r, at, bytes, n * each, NULL) != HT_OK)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct load l = take_header(bytes + i * each, wide);

		if (l.type != PT_LOAD)
			continue;
		low = l.address < low ? l.address : low;
		high = l.address + l.size > high ? l.address + l.size : high;
	}
	if (high <= low)
		return 0;
	return (start + high - (low & ~(HT_PAGE_SIZE - 1)) + HT_PAGE_SIZE - 1) &
	       ~(HT_PAGE_SIZE - 1);
}
