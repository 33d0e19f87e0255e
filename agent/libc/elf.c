/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/elf.h"

#include <string.h>

#include "common/cleanup.h"

static enum ht_code read_segments(struct ht_elf *e, struct ht_err *err)
{
	size_t n = 0;

	if (elf_getphdrnum(e->elf, &n) != 0)
		return ht_fail(err, HT_UNSUPPORTED, "no program headers: %s",
			       elf_errmsg(-1));
	for (size_t i = 0; i < n && i < 4096; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(e->elf, (int)i, &p))
			break;
		if (p.p_type == PT_INTERP)
			e->flags |= HT_FACTS_INTERP;
		if (p.p_type == PT_TLS) {
			e->tls_vaddr = p.p_vaddr;
			e->tls_memsz = p.p_memsz;
			e->tls_align = p.p_align ? p.p_align : 1;
		}
		/* What is beyond the file's end is not there to be searched. */
		if (p.p_offset > e->size)
			p.p_filesz = 0;
		else if (p.p_filesz > e->size - p.p_offset)
			p.p_filesz = e->size - p.p_offset;
		if (p.p_type == PT_LOAD && e->loads < HT_FACTS_LOADS)
			e->load[e->loads++] = (struct ht_facts_load){
				p.p_vaddr, p.p_offset, p.p_filesz, p.p_memsz,
				p.p_flags};
	}
	return HT_OK;
}

static enum ht_code read_header(struct ht_elf *e, struct ht_err *err)
{
	GElf_Ehdr h;

	if (elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h))
		return ht_fail(err, HT_UNSUPPORTED, "not an ELF file");
	if (h.e_ident[EI_DATA] != ELFDATA2LSB)
		return ht_fail(err, HT_UNSUPPORTED, "big-endian ELF file");
	e->abi = ht_abi_of(h.e_machine, h.e_ident[EI_CLASS]);
	e->word = ht_abi_word(e->abi);
	if (e->abi == HT_ABI_NONE)
		return ht_fail(err, HT_UNSUPPORTED,
			       "ELF machine %u, class %u: only %s are known",
			       h.e_machine, h.e_ident[EI_CLASS], ht_abi_names);
	e->type = h.e_type;
	if (h.e_type == ET_DYN)
		e->flags |= HT_FACTS_DYN;
	return HT_OK;
}

enum ht_code ht_elf_open(int fd, struct ht_elf *ret, struct ht_err *err)
{
	HT_AUTO_ELF struct ht_elf e = {0};
	enum ht_code code;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return ht_fail(err, HT_BUG, "libelf: %s", elf_errmsg(-1));
	e.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!e.elf)
		return ht_fail(err, HT_UNSUPPORTED, "no ELF file: %s",
			       elf_errmsg(-1));
	e.raw = (const uint8_t *)elf_rawfile(e.elf, &e.size);
	if (!e.raw)
		return ht_fail(err, HT_UNSUPPORTED, "ELF file: %s",
			       elf_errmsg(-1));
	code = read_header(&e, err);
	if (code == HT_OK)
		code = read_segments(&e, err);
	if (code != HT_OK)
		return code;
	*ret = e;
	e.elf = NULL;
	return HT_OK;
}

void ht_elf_close(struct ht_elf *e)
{
	if (e->elf)
		elf_end(e->elf);
	e->elf = NULL;
}

const void *ht_elf_at(const struct ht_elf *e, uint64_t vaddr, size_t len)
{
	for (unsigned i = 0; i < e->loads; i++) {
		const struct ht_facts_load *l = &e->load[i];
		uint64_t in = vaddr - l->vaddr;

		if (vaddr < l->vaddr || in > l->filesz || len > l->filesz - in)
			continue;
		if (l->offset > e->size || in > e->size - l->offset ||
		    len > e->size - l->offset - in)
			return NULL;
		return e->raw + l->offset + in;
	}
	return NULL;
}

bool ht_elf_word(const struct ht_elf *e, uint64_t vaddr, uint64_t *ret)
{
	const void *p = ht_elf_at(e, vaddr, e->word);
	uint64_t value = 0;

	if (!p)
		return false;
	memcpy(&value, p, e->word);
	*ret = value;
	return true;
}

bool ht_elf_in(const struct ht_elf *e, uint64_t vaddr, uint64_t flags)
{
	for (unsigned i = 0; i < e->loads; i++)
		if (vaddr - e->load[i].vaddr < e->load[i].memsz &&
		    (e->load[i].flags & flags) == flags)
			return true;
	return false;
}

Elf_Scn *ht_elf_section(const struct ht_elf *e, Elf_Scn *after, unsigned type,
			const char *name, GElf_Shdr *ret)
{
	size_t strings = 0;
	Elf_Scn *s = after;

	if (elf_getshdrstrndx(e->elf, &strings) != 0)
		return NULL;
	while ((s = elf_nextscn(e->elf, s))) {
		const char *n;

		if (!gelf_getshdr(s, ret) ||
		    (type != SHT_NULL && ret->sh_type != type))
			continue;
		if (!name)
			return s;
		n = elf_strptr(e->elf, strings, ret->sh_name);
		if (n && strcmp(n, name) == 0)
			return s;
	}
	return NULL;
}

size_t ht_elf_symbols(const struct ht_elf *e, unsigned type,
		      ht_elf_symbol_fn fn, void *ctx)
{
	Elf_Scn *s = NULL;
	GElf_Shdr h;
	size_t seen = 0;

	while ((s = ht_elf_section(e, s, type, NULL, &h))) {
		Elf_Data *d = elf_getdata(s, NULL);
		size_t n = d && h.sh_entsize ? d->d_size / h.sh_entsize : 0;

		for (size_t i = 1; i < n; i++) {
			GElf_Sym sym;
			const char *name;

			if (!gelf_getsym(d, (int)i, &sym) ||
			    sym.st_shndx == SHN_UNDEF)
				continue;
			name = elf_strptr(e->elf, h.sh_link, sym.st_name);
			if (name)
				fn(ctx, name, &sym);
			seen++;
		}
	}
	return seen;
}
