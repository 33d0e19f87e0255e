/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For image_memory.c only, once for each ELF class: the copied segments become
 * a file that libelf reads. Addresses are made those of the target, so that
 * the load bias is 0; section headers are made from PT_DYNAMIC and PT_NOTE, for
 * the real ones were never mapped.
 */

/* Bytes from the first to the end of the last segment's file part; 0: these are
 * no program headers. */
static uint64_t CLASS(size_of)(const uint8_t *head)
{
	ELF(Ehdr) e;
	uint64_t size = 0;

	memcpy(&e, head, sizeof(e));
	if (e.e_phentsize != sizeof(ELF(Phdr)) || e.e_phoff > HT_PAGE_SIZE ||
	    e.e_phnum > (HT_PAGE_SIZE - e.e_phoff) / sizeof(ELF(Phdr)))
		return 0;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		ELF(Phdr) p;
		uint64_t end;

		memcpy(&p, head + e.e_phoff + i * sizeof(p), sizeof(p));
		end = (uint64_t)p.p_vaddr + p.p_filesz;
		if (p.p_type == PT_LOAD && end > size)
			size = end;
		if (p.p_type == PT_LOAD && end < p.p_vaddr)
			return 0;
	}
	if (size < e.e_phoff + e.e_phnum * sizeof(ELF(Phdr)))
		return 0;
	return (size + 15) & ~UINT64_C(15);
}

/* A section of the copy; empty where it would lie outside. */
static ELF(Shdr) CLASS(section)(const struct copy *c, uint32_t type,
				uint64_t at, uint64_t size, uint64_t entry)
{
	ELF(Shdr) s = {0};

	/* The loader has put addresses in the place of offsets. */
	if (at >= c->start)
		at -= c->start;
	if (at == 0 || at >= c->size || size > c->size - at)
		return s;
	s.sh_type = type;
	s.sh_flags = SHF_ALLOC;
	s.sh_addr = (__typeof__(s.sh_addr))(c->start + at);
	s.sh_offset = (__typeof__(s.sh_offset))at;
	s.sh_size = (__typeof__(s.sh_size))size;
	s.sh_entsize = (__typeof__(s.sh_entsize))entry;
	s.sh_addralign = 1;
	return s;
}

struct CLASS(dynamic) {
	uint64_t symbols, strings, strings_size, relocs, relocs_size;
};

static void CLASS(read_dynamic)(const struct copy *c, const ELF(Phdr) * p,
				struct CLASS(dynamic) * ret)
{
	uint64_t left = p->p_filesz / sizeof(ELF(Dyn));
	const uint8_t *at;
	ELF(Dyn) d;

	if (p->p_vaddr >= c->size || p->p_filesz > c->size - p->p_vaddr)
		return;
	at = c->bytes + p->p_vaddr;
	for (; left; left--, at += sizeof(d)) {
		memcpy(&d, at, sizeof(d));
		if (d.d_tag == DT_SYMTAB)
			ret->symbols = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRTAB)
			ret->strings = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			ret->strings_size = d.d_un.d_val;
		else if (d.d_tag == TAG_RELOC)
			ret->relocs = d.d_un.d_ptr;
		else if (d.d_tag == TAG_RELOC_SZ)
			ret->relocs_size = d.d_un.d_val;
	}
}

static void CLASS(move_symbols)(const struct copy *c, const ELF(Shdr) * s)
{
	uint8_t *at = c->bytes + s->sh_offset;

	for (uint64_t n = s->sh_size / sizeof(ELF(Sym)); n; n--) {
		ELF(Sym) y;

		memcpy(&y, at, sizeof(y));
		if (y.st_shndx != SHN_UNDEF && y.st_shndx != SHN_ABS &&
		    TYPE_OF(y.st_info) != STT_TLS)
			y.st_value += (__typeof__(y.st_value))c->start;
		memcpy(at, &y, sizeof(y));
		at += sizeof(y);
	}
}

static void CLASS(move_relocations)(const struct copy *c, const ELF(Shdr) * s)
{
	uint8_t *at = c->bytes + s->sh_offset;

	for (uint64_t n = s->sh_size / sizeof(RELOCATION); n; n--) {
		RELOCATION r;

		memcpy(&r, at, sizeof(r));
		r.r_offset += (__typeof__(r.r_offset))c->start;
		memcpy(at, &r, sizeof(r));
		at += sizeof(r);
	}
}

/* .dynstr follows .dynsym in every linker's output: the number of symbols is
 * written nowhere else but in the hash tables. */
static void CLASS(make_sections)(const struct copy *c,
				 const struct CLASS(dynamic) * d, ELF(Shdr) * s)
{
	uint64_t n = d->strings > d->symbols
			     ? (d->strings - d->symbols) / sizeof(ELF(Sym))
			     : 0;

	if (n > SYMBOLS_MAX)
		n = SYMBOLS_MAX;
	s[1] = CLASS(section)(c, SHT_DYNSYM, d->symbols, n * sizeof(ELF(Sym)),
			      sizeof(ELF(Sym)));
	s[1].sh_link = 2;
	s[2] = CLASS(section)(c, SHT_STRTAB, d->strings, d->strings_size, 0);
	s[3] = CLASS(section)(c, SECTION_REL, d->relocs, d->relocs_size,
			      sizeof(RELOCATION));
	s[3].sh_link = 1;
	if (s[1].sh_type)
		CLASS(move_symbols)(c, &s[1]);
	if (s[3].sh_type)
		CLASS(move_relocations)(c, &s[3]);
}

static void CLASS(settle)(const struct copy *c)
{
	struct CLASS(dynamic) dynamic = {0};
	ELF(Shdr) s[SECTIONS] = {0};
	ELF(Ehdr) e;

	memcpy(&e, c->bytes, sizeof(e));
	for (unsigned i = 0; i < e.e_phnum; i++) {
		uint8_t *at = c->bytes + e.e_phoff + i * sizeof(ELF(Phdr));
		ELF(Phdr) p;

		memcpy(&p, at, sizeof(p));
		if (p.p_type == PT_DYNAMIC)
			CLASS(read_dynamic)(c, &p, &dynamic);
		if (p.p_type == PT_NOTE && s[4].sh_type == SHT_NULL)
			s[4] = CLASS(section)(c, SHT_NOTE, p.p_vaddr,
					      p.p_filesz, 0);
		p.p_offset = p.p_vaddr;
		p.p_vaddr += (__typeof__(p.p_vaddr))c->start;
		memcpy(at, &p, sizeof(p));
	}
	CLASS(make_sections)(c, &dynamic, s);
	e.e_shoff = (__typeof__(e.e_shoff))c->size;
	e.e_shnum = SECTIONS;
	e.e_shentsize = sizeof(ELF(Shdr));
	e.e_shstrndx = 0;
	memcpy(c->bytes, &e, sizeof(e));
	memcpy(c->bytes + c->size, s, sizeof(s));
}
