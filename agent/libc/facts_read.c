/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/facts_read.h"

#include <string.h>
#include <unistd.h>

#include "agent/libc/dwarf.h"
#include "agent/libc/elf.h"
#include "agent/libc/facts_scan.h"
#include "agent/libc/runtime.h"
#include "common/cleanup.h"

/* malloc.o's static functions lie before the exported ones: the span was
 * 0x4000 to 0x5000 bytes in all builds looked at. What is exported before it
 * belongs to the file before: mq_receive() and others sleep there. */
#define STATIC_TEXT 0x5000u
/* All of malloc.o is smaller than this. */
#define TEXT_MAX   0x10000u
#define LOCALS_MAX 128
/* Read-only data is searched this far for texts. */
#define TEXTS_MAX (32u << 20)

static const char *const symbol_names[HT_SYMBOL_COUNT] = {
#define SYMBOL_NAME(id, name) [HT_S_##id] = name,
	HT_FACTS_SYMBOLS(SYMBOL_NAME)
#undef SYMBOL_NAME
};

/* Exported functions of malloc.o: they bound its code. */
static const char *const text_names[] = {
	"malloc",	 "free",	 "calloc",	   "realloc",
	"memalign",	 "valloc",	 "pvalloc",	   "malloc_trim",
	"mallinfo",	 "mallinfo2",	 "mallopt",	   "malloc_usable_size",
	"malloc_info",	 "malloc_stats", "posix_memalign", "__default_morecore",
	"aligned_alloc",
};

struct symbols {
	const struct ht_elf *elf;
	struct ht_facts *facts;
	uint64_t text_low, text_high; /* exported functions of malloc.o */
	uint64_t before;	      /* end of the exported one before them */
	uint64_t local[LOCALS_MAX];   /* static functions of malloc.c */
	unsigned locals;
	bool in_malloc_c; /* between its STT_FILE symbol and the next one */
};

/* --- symbols ------------------------------------------------------------- */

static bool is_thread_local(unsigned id)
{
	return id == HT_S_TCACHE || id == HT_S_THREAD_ARENA ||
	       id == HT_S_TSD_MALLOC || id == HT_S_ERRNO;
}

/* A static program may have a variable of its own called tcache: the type must
 * fit, and main_arena may have the size of a malloc_state. */
static bool symbol_fits(const struct symbols *s, unsigned id,
			const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	if (is_thread_local(id))
		return type == STT_TLS;
	if (id == HT_S_MAIN_ARENA)
		return type == STT_OBJECT &&
		       sym->st_size > 254u * s->elf->word &&
		       sym->st_size <= HT_FACTS_ARENA_MAX;
	if (id == HT_S_MP)
		return type == STT_OBJECT && sym->st_size > 5u * s->elf->word;
	return type != STT_TLS;
}

static void note_text(struct symbols *s, const char *name, const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	if (type == STT_FILE)
		s->in_malloc_c = strcmp(name, "malloc.c") == 0 ||
				 strcmp(name, "malloc.o") == 0;
	if (type != STT_FUNC)
		return;
	if (s->in_malloc_c && GELF_ST_BIND(sym->st_info) == STB_LOCAL &&
	    s->locals < LOCALS_MAX)
		s->local[s->locals++] = sym->st_value;
	for (size_t i = 0; i < sizeof(text_names) / sizeof(text_names[0]);
	     i++) {
		if (strcmp(text_names[i], name) != 0)
			continue;
		if (sym->st_value < s->text_low)
			s->text_low = sym->st_value;
		if (sym->st_value + sym->st_size > s->text_high)
			s->text_high = sym->st_value + sym->st_size;
	}
}

static void note_allocator(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct symbols *s = ctx;
	enum ht_allocator a = ht_allocator_of_symbol(name);

	(void)sym;
	if (a != HT_ALLOCATOR_UNKNOWN)
		s->facts->allocator = a;
	s->facts->runtimes |= ht_runtime_of_symbol(name);
}

static void note_symbol(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct symbols *s = ctx;

	for (unsigned i = 0; i < HT_SYMBOL_COUNT; i++)
		if (name[0] == symbol_names[i][0] &&
		    strcmp(name, symbol_names[i]) == 0 &&
		    symbol_fits(s, i, sym))
			s->facts->symbol[i] = (struct ht_facts_value){
				sym->st_value, sym->st_size, 1};
	note_text(s, name, sym);
	note_allocator(ctx, name, sym);
}

static void note_before(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct symbols *s = ctx;
	uint64_t end = sym->st_value + sym->st_size;

	(void)name;
	if (GELF_ST_TYPE(sym->st_info) == STT_FUNC &&
	    sym->st_value < s->text_low && end <= s->text_low &&
	    end > s->before)
		s->before = end;
}

/* Where malloc.o's code begins: at its first static function if the symbols
 * tell, else somewhere behind the function exported before it. */
static void bound_text(struct symbols *s, struct ht_facts *ret)
{
	uint64_t start = s->text_low;

	if (s->text_low >= s->text_high ||
	    s->text_high - s->text_low >= TEXT_MAX ||
	    s->text_low <= STATIC_TEXT)
		return;
	for (unsigned i = 0; i < s->locals; i++) /* cold parts lie elsewhere */
		if (s->local[i] < start &&
		    s->text_high - s->local[i] < TEXT_MAX)
			start = s->local[i];
	if (start == s->text_low) {
		ht_elf_symbols(s->elf, SHT_DYNSYM, note_before, s);
		start -= STATIC_TEXT;
		if (start < s->before)
			start = s->before;
	}
	ret->text_start = start;
	ret->text_end = s->text_high;
}

static void read_symbols(const struct ht_elf *e, const struct ht_elf *debug,
			 unsigned want, struct ht_facts *ret)
{
	struct symbols s = {.elf = e, .facts = ret, .text_low = UINT64_MAX};

	ht_elf_symbols(e, SHT_DYNSYM, note_symbol, &s);
	if (ret->symbol[HT_S_MALLOC].known)
		ret->flags |= HT_FACTS_MALLOC;
	if (!(want & HT_FACTS_NO_SYMTAB) &&
	    (ret->symbol[HT_S_MALLOC].known || want & HT_FACTS_IS_EXE))
		ht_elf_symbols(e, SHT_SYMTAB, note_symbol, &s);
	if (debug)
		ht_elf_symbols(debug, SHT_SYMTAB, note_symbol, &s);
	if ((want & HT_FACTS_IS_EXE) && !(e->flags & HT_FACTS_INTERP))
		ht_elf_symbols(e, SHT_SYMTAB, note_allocator, &s);
	bound_text(&s, ret);
}

/* --- identity ------------------------------------------------------------ */

static void copy_text(char *out, size_t out_len, const char *from,
		      size_t from_len)
{
	size_t n = strnlen(from, from_len);

	if (n >= out_len)
		n = out_len - 1;
	memset(out, 0, out_len);
	for (size_t i = 0; i < n; i++) /* only what is safe to print */
		out[i] = from[i] >= ' ' && from[i] < 127 ? from[i] : '?';
}

static void read_build_id(const struct ht_elf *e, struct ht_facts *ret)
{
	Elf_Scn *s = NULL;
	GElf_Shdr h;

	while ((s = ht_elf_section(e, s, SHT_NOTE, NULL, &h))) {
		Elf_Data *d = elf_getdata(s, NULL);
		size_t at = 0, name, desc, next;
		GElf_Nhdr n;

		while (d && (next = gelf_getnote(d, at, &n, &name, &desc))) {
			const char *bytes = d->d_buf;

			if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
			    memcmp(bytes + name, "GNU", 4) == 0 && n.n_descsz &&
			    n.n_descsz <= HT_BUILD_ID_MAX) {
				memcpy(ret->build_id, bytes + desc, n.n_descsz);
				ret->build_id_len = n.n_descsz;
				ret->build_id_vaddr =
					h.sh_addr ? h.sh_addr + desc : 0;
				return;
			}
			at = next;
		}
	}
}

static void read_debuglink(const struct ht_elf *e, struct ht_facts *ret)
{
	GElf_Shdr h;
	Elf_Scn *s = ht_elf_section(e, NULL, SHT_NULL, ".gnu_debuglink", &h);
	Elf_Data *d = s ? elf_getdata(s, NULL) : NULL;

	if (!d || d->d_size < 8)
		return;
	copy_text(ret->debuglink, sizeof(ret->debuglink), d->d_buf,
		  d->d_size - 4);
	memcpy(&ret->debuglink_crc, (const char *)d->d_buf + d->d_size - 4, 4);
}

void ht_facts_build(const struct ht_elf *e, struct ht_facts *ret)
{
	read_build_id(e, ret);
	read_debuglink(e, ret);
}

static void read_soname(const struct ht_elf *e, struct ht_facts *ret)
{
	GElf_Shdr h;
	Elf_Scn *s = ht_elf_section(e, NULL, SHT_DYNAMIC, NULL, &h);
	Elf_Data *d = s ? elf_getdata(s, NULL) : NULL;
	size_t n = d && h.sh_entsize ? d->d_size / h.sh_entsize : 0;
	GElf_Dyn dyn;

	for (size_t i = 0; i < n && gelf_getdyn(d, (int)i, &dyn); i++) {
		const char *name;

		if (dyn.d_tag != DT_SONAME)
			continue;
		name = elf_strptr(e->elf, h.sh_link, dyn.d_un.d_val);
		if (name)
			copy_text(ret->soname, sizeof(ret->soname), name,
				  sizeof(ret->soname));
	}
	if (strncmp(ret->soname, "ld-linux", 8) == 0)
		ret->flags |= HT_FACTS_LOADER;
}

/* --- texts --------------------------------------------------------------- */

/* "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36."
 */
static bool read_banner(const char *data, size_t len, struct ht_facts *ret)
{
	static const char head[] = "GNU C Library (";
	static const char mark[] = " release version ";
	const char *end = data + len;
	const char *at = memmem(data, len, head, sizeof(head) - 1);
	const char *version, *stop;

	if (!at)
		return false;
	ret->flags |= HT_FACTS_GLIBC;
	version = memmem(at, end - at < 256 ? (size_t)(end - at) : 256, mark,
			 sizeof(mark) - 1);
	if (!version)
		return true;
	version += sizeof(mark) - 1;
	stop = version;
	while (stop < end && stop - version < 40 &&
	       (*stop == '.' || (*stop >= '0' && *stop <= '9')))
		stop++;
	if (stop > version && stop[-1] == '.')
		stop--;
	copy_text(ret->banner, sizeof(ret->banner), version,
		  (size_t)(stop - version));
	return true;
}

/* Go puts its version behind a header: magic[14], word size, flags. */
static void read_go_version(const struct ht_elf *e, struct ht_facts *ret)
{
	GElf_Shdr h;
	Elf_Scn *s = ht_elf_section(e, NULL, SHT_NULL, ".go.buildinfo", &h);
	Elf_Data *d = s ? elf_getdata(s, NULL) : NULL;
	const uint8_t *p = d ? d->d_buf : NULL;

	if (!p || d->d_size < 48 || memcmp(p, "\xff Go buildinf:", 14) != 0)
		return;
	ret->allocator = HT_ALLOCATOR_GO;
	ret->runtimes |= UINT32_C(1) << HT_RUNTIME_GO;
	if ((p[15] & 2) && p[32] > 2 && p[32] < d->d_size - 33 &&
	    memcmp(p + 33, "go", 2) == 0)
		copy_text(ret->allocator_version,
			  sizeof(ret->allocator_version), (const char *)p + 35,
			  p[32] - 2u);
}

static void read_texts(const struct ht_elf *e, struct ht_facts *ret)
{
	for (unsigned i = 0; i < e->loads; i++) {
		const struct ht_facts_load *l = &e->load[i];
		size_t len = l->filesz < TEXTS_MAX ? l->filesz : TEXTS_MAX;
		const void *data =
			(l->flags & PF_W) ? NULL : ht_elf_at(e, l->vaddr, len);

		if (!data)
			continue;
		if (!(ret->flags & HT_FACTS_GLIBC))
			read_banner(data, len, ret);
		if (ret->allocator == HT_ALLOCATOR_UNKNOWN)
			ret->allocator = ht_allocator_of_text(data, len);
		if (ret->allocator != HT_ALLOCATOR_UNKNOWN &&
		    !ret->allocator_version[0])
			ht_allocator_version(ret->allocator, data, len,
					     ret->allocator_version,
					     sizeof(ret->allocator_version));
	}
}

/* --- the record ---------------------------------------------------------- */

/* Reads DWARF for the unit that malloc's address lies in. */
static void read_dwarf(int fd, struct ht_facts *ret)
{
	uint64_t start = ret->text_start, end = ret->text_end;

	if (ht_dwarf_read(fd, ret->symbol[HT_S_MALLOC].value, ret, NULL) ==
		    HT_OK &&
	    ht_facts_dwarf_fits(ret)) {
		ret->flags |= HT_FACTS_DWARF;
		return;
	}
	memset(ret->dwarf, 0, sizeof(ret->dwarf));
	memset(ret->dwarf_size, 0, sizeof(ret->dwarf_size));
	ret->text_start = start;
	ret->text_end = end;
}

static bool same_build(const struct ht_elf *debug, const struct ht_facts *f)
{
	struct ht_facts other = {0};

	read_build_id(debug, &other);
	return other.build_id_len == f->build_id_len &&
	       memcmp(other.build_id, f->build_id, f->build_id_len) == 0;
}

static void read_malloc(const struct ht_elf *e, int fd, int debug_fd,
			unsigned want, struct ht_facts *ret)
{
	HT_AUTO_ELF struct ht_elf debug = {0};
	bool has_debug =
		debug_fd >= 0 && ht_elf_open(debug_fd, &debug, NULL) == HT_OK;

	if (has_debug && (!same_build(&debug, ret) || debug.abi != e->abi)) {
		ret->flags |= HT_FACTS_DEBUG_MISMATCH;
		has_debug = false;
	}
	read_symbols(e, has_debug ? &debug : NULL, want, ret);
	if (!(ret->flags & HT_FACTS_MALLOC) && !(want & HT_FACTS_IS_EXE) &&
	    ret->allocator != HT_ALLOCATOR_JVM)
		return;
	read_texts(e, ret);
	read_go_version(e, ret);
	/* A dynamic program that brings its own malloc exports it: libc calls
	 * it too. */
	if (!(ret->flags & HT_FACTS_MALLOC) &&
	    (e->flags & HT_FACTS_INTERP || !(want & HT_FACTS_IS_EXE)))
		return;
	if (want & HT_FACTS_LIVE) {
		ret->flags |= HT_FACTS_COPIED;
		ht_facts_scan_live(e, ret);
		ht_facts_scan_tpoffs(e, ret);
		return;
	}
	ht_facts_scan_arenas(e, ret);
	if (!ret->arenas_n && !ret->symbol[HT_S_MAIN_ARENA].known)
		return;
	ht_facts_scan_pars(e, ret);
	ht_facts_scan_tpoffs(e, ret);
	if (has_debug)
		read_dwarf(debug_fd, ret);
	else if (!(want & HT_FACTS_NO_SYMTAB))
		read_dwarf(fd, ret);
	if (ht_facts_arena_described(ret))
		ret->flags |= HT_FACTS_SYMTAB;
}

enum ht_code ht_facts_read(int fd, int debug_fd, unsigned want,
			   struct ht_facts *ret, struct ht_err *err)
{
	HT_AUTO_ELF struct ht_elf e = {0};
	enum ht_code code = ht_elf_open(fd, &e, err);

	if (code != HT_OK)
		return code;
	memset(ret, 0, sizeof(*ret));
	ret->magic = HT_FACTS_MAGIC;
	ret->length = sizeof(*ret);
	ret->abi = e.abi;
	ret->word = e.word;
	ret->flags = e.flags;
	ret->loads_n = e.loads;
	memcpy(ret->load, e.load, sizeof(ret->load));
	ret->tls_vaddr = e.tls_vaddr;
	ret->tls_memsz = e.tls_memsz;
	ret->tls_align = e.tls_align;
	ht_facts_build(&e, ret);
	read_soname(&e, ret);
	read_malloc(&e, fd, debug_fd, want, ret);
	return HT_OK;
}
