/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elf: a file's segments, sections and symbols by libelf, every offset checked
 * against the file. x86-64 and i386, little endian, nothing else.
 */
#ifndef HT_AGENT_LIBC_ELF_H
#define HT_AGENT_LIBC_ELF_H

#include <gelf.h>

#include "agent/libc/facts.h"

struct ht_elf {
	Elf *elf;
	const uint8_t *raw; /* the whole file, mapped by libelf */
	size_t size;
	enum ht_abi abi;
	unsigned word;	/* of it */
	unsigned type;	/* e_type */
	unsigned flags; /* HT_FACTS_DYN, HT_FACTS_INTERP */
	struct ht_facts_load load[HT_FACTS_LOADS];
	unsigned loads;
	uint64_t tls_vaddr, tls_memsz, tls_align;
};

/* Borrows fd until closed. HT_UNSUPPORTED: no ELF file of our machines. */
enum ht_code ht_elf_open(int fd, struct ht_elf *ret,
			 struct ht_err *err) HT_MUST_CHECK;
void ht_elf_close(struct ht_elf *e);
#define HT_AUTO_ELF HT_CLEANUP(ht_elf_close)

/* len bytes of the file image at a virtual address; NULL: not in the file. */
const void *ht_elf_at(const struct ht_elf *e, uint64_t vaddr, size_t len);
/* One word of the file image; false: not in the file. */
bool ht_elf_word(const struct ht_elf *e, uint64_t vaddr, uint64_t *ret);
/* Whether a segment with all these p_flags holds vaddr. */
bool ht_elf_in(const struct ht_elf *e, uint64_t vaddr, uint64_t flags);

/* Next section of a type (any: SHT_NULL) with this name (NULL: any) behind
 * `after` (NULL: the first). */
Elf_Scn *ht_elf_section(const struct ht_elf *e, Elf_Scn *after, unsigned type,
			const char *name, GElf_Shdr *ret);

/* Calls fn for each defined symbol of the tables of this type (SHT_DYNSYM or
 * SHT_SYMTAB). Returns how many there were. */
typedef void (*ht_elf_symbol_fn)(void *ctx, const char *name,
				 const GElf_Sym *sym);
size_t ht_elf_symbols(const struct ht_elf *e, unsigned type,
		      ht_elf_symbol_fn fn, void *ctx);

#endif
