/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/modules.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/arch/arch.h"

#define PHDRS_MAX   64
#define NOTES_MAX   1024
#define SHDRS_MAX   4096
#define SYMS_MAX    (4u << 20) /* of one table */
#define AT_ONCE	    512	       /* symbols */
#define OBJECTS_MAX (1u << 20)

/* --- opening ------------------------------------------------------------- */

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX - len &&
	       pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* Headers as they are in the file, else as they are mapped. */
static bool read_header(const struct ht_locate_in *in,
			const struct ht_module *m, uint64_t start, void *buf,
			size_t len, uint64_t offset)
{
	if (m->fd >= 0)
		return read_at(m->fd, buf, len, offset);
	return ht_reader_read(in->reader, start + offset, buf, len, NULL) ==
	       HT_OK;
}

static void take_load(struct ht_module *m, const Elf64_Phdr *p, uint64_t bias)
{
	uint64_t start = bias + p->p_vaddr, end = start + p->p_memsz;

	if (p->p_type != PT_LOAD || m->loads == HT_MODULE_LOADS || end <= start)
		return;
	m->load[m->loads++] = (struct ht_module_load){
		.start = start,
		.end = (end + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1),
		.offset = p->p_offset,
		.filesz = p->p_filesz,
		.write = p->p_flags & PF_W,
		.exec = p->p_flags & PF_X};
}

/* The loads, where the first mapping has the file from its start on. */
static bool read_loads(const struct ht_locate_in *in, struct ht_module *m,
		       uint64_t start)
{
	Elf64_Phdr p[PHDRS_MAX];
	Elf64_Ehdr h;
	size_t n;

	if (!read_header(in, m, start, &h, sizeof(h), 0) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(*p))
		return false;
	n = h.e_phnum < PHDRS_MAX ? h.e_phnum : PHDRS_MAX;
	if (!read_header(in, m, start, p, n * sizeof(*p), h.e_phoff))
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_offset < HT_PAGE_SIZE) {
			m->bias = start - (p[i].p_vaddr & ~(HT_PAGE_SIZE - 1));
			break;
		}
	for (size_t i = 0; i < n; i++) {
		take_load(m, &p[i], m->bias);
		if (p[i].p_type == PT_TLS)
			m->tls = (struct ht_module_tls){.vaddr = p[i].p_vaddr,
							.filesz = p[i].p_filesz,
							.memsz = p[i].p_memsz,
							.align = p[i].p_align};
		if (p[i].p_type == PT_DYNAMIC)
			m->dynamic = m->bias + p[i].p_vaddr;
	}
	return m->loads > 0;
}

/* Whether a note is mapped as the file has it; what a core has left out is
 * taken to be. */
static bool is_same_note(const struct ht_locate_in *in,
			 const struct ht_module *m, uint64_t start,
			 const Elf64_Phdr *note)
{
	char mapped[NOTES_MAX], file[NOTES_MAX];
	size_t len = note->p_filesz < NOTES_MAX ? note->p_filesz : NOTES_MAX;

	return !read_at(m->fd, file, len, note->p_offset) ||
	       ht_reader_read(in->reader, start + note->p_offset, mapped, len,
			      NULL) != HT_OK ||
	       memcmp(mapped, file, len) == 0;
}

static bool is_elf(const Elf64_Ehdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0;
}

/* A core may be of another machine, whose files have the same names: notes (a
 * build id) and the header tell. What is no program or library has neither, and
 * may be shorter: a locale's files. */
static bool is_same_file(const struct ht_locate_in *in,
			 const struct ht_module *m, uint64_t start)
{
	Elf64_Phdr p[PHDRS_MAX];
	Elf64_Ehdr h, mapped;
	size_t n;

	if (ht_reader_read(in->reader, start, &mapped, sizeof(mapped), NULL) !=
	    HT_OK)
		return true;
	if (!read_at(m->fd, &h, sizeof(h), 0) || !is_elf(&h))
		return !is_elf(&mapped);
	n = h.e_phnum < PHDRS_MAX ? h.e_phnum : PHDRS_MAX;
	if (memcmp(h.e_ident, mapped.e_ident, EI_NIDENT) != 0 ||
	    h.e_phoff != mapped.e_phoff || h.e_phnum != mapped.e_phnum ||
	    h.e_entry != mapped.e_entry ||
	    !read_at(m->fd, p, n * sizeof(*p), h.e_phoff))
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i].p_type == PT_NOTE && p[i].p_offset < HT_PAGE_SIZE &&
		    !is_same_note(in, m, start, &p[i]))
			return false;
	return true;
}

static void open_file(const struct ht_locate_in *in,
		      const struct ht_image_at *image, struct ht_modules *all,
		      struct ht_module *m)
{
	m->fd = -1;
	if (ht_image_open(in, image, &m->fd, NULL) != HT_OK) {
		m->fd = -1;
	} else if (in->pid <= 0 && !is_same_file(in, m, image->start)) {
		close(m->fd);
		m->fd = -1;
		all->others++;
	}
}

static int by_start(const void *x, const void *y)
{
	const struct ht_module *a = x, *b = y;

	return (a->load[0].start > b->load[0].start) -
	       (a->load[0].start < b->load[0].start);
}

enum ht_code ht_modules_open(const struct ht_locate_in *in,
			     struct ht_modules *ret, struct ht_err *err)
{
	HT_AUTO_IMAGES struct ht_images images = {0};
	enum ht_code code = ht_images_find(in, &images, err);

	*ret = (struct ht_modules){0};
	if (code != HT_OK)
		return code;
	ret->v = calloc(images.n + 1, sizeof(*ret->v));
	if (!ret->v)
		return ht_fail(err, HT_NOMEM, "no memory for %zu modules",
			       images.n);
	for (size_t i = 0; i < images.n && ret->n < HT_MODULES_MAX; i++) {
		struct ht_module *m = &ret->v[ret->n];
		const char *slash = strrchr(images.v[i].path, '/');

		open_file(in, &images.v[i], ret, m);
		snprintf(m->name, sizeof(m->name), "%s",
			 slash ? slash + 1 : images.v[i].path);
		if (read_loads(in, m, images.v[i].start))
			ret->n++;
		else if (m->fd >= 0)
			close(m->fd);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_start);
	return HT_OK;
}

void ht_modules_close(struct ht_modules *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].fd >= 0)
			close(m->v[i].fd);
	free(m->v);
	*m = (struct ht_modules){0};
}

/* --- addresses ----------------------------------------------------------- */

/* How many modules begin at an address or before. */
static size_t begun_at(const struct ht_modules *m, uint64_t address)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->v[mid].load[0].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint32_t ht_modules_at(const struct ht_modules *m, uint64_t address,
		       const struct ht_module_load **ret_load)
{
	size_t begun = begun_at(m, address);

	if (begun == 0)
		return HT_MODULE_NONE;
	for (unsigned i = 0; i < m->v[begun - 1].loads; i++) {
		const struct ht_module_load *l = &m->v[begun - 1].load[i];

		if (address < l->start || address >= l->end)
			continue;
		if (ret_load)
			*ret_load = l;
		return (uint32_t)(begun - 1);
	}
	return HT_MODULE_NONE;
}

struct ht_range ht_modules_gap(const struct ht_modules *m, uint64_t address)
{
	size_t begun = begun_at(m, address);
	struct ht_range gap = {0, UINT64_MAX};

	if (begun < m->n)
		gap.end = m->v[begun].load[0].start;
	for (unsigned i = 0; begun && i < m->v[begun - 1].loads; i++) {
		uint64_t end = m->v[begun - 1].load[i].end;

		if (end > gap.start)
			gap.start = end;
	}
	return address >= gap.start ? gap : (struct ht_range){0};
}

size_t ht_modules_read(const struct ht_modules *m, struct ht_reader *r,
		       uint64_t address, void *buf, size_t len)
{
	size_t got = ht_reader_some(r, address, buf, len);

	return got > 0 ? got : ht_modules_file(m, address, buf, len);
}

size_t ht_modules_file(const struct ht_modules *m, uint64_t address, void *buf,
		       size_t len)
{
	const struct ht_module_load *l;
	uint32_t module = ht_modules_at(m, address, &l);
	ssize_t more;
	uint64_t in;

	if (module == HT_MODULE_NONE || m->v[module].fd < 0 || l->write)
		return 0;
	in = address - l->start;
	if (in >= l->filesz)
		return 0;
	if (len > l->filesz - in)
		len = (size_t)(l->filesz - in);
	if (l->offset > INT64_MAX - in)
		return 0;
	more = pread(m->v[module].fd, buf, len, (off_t)(l->offset + in));
	return more > 0 ? (size_t)more : 0;
}

/* --- names --------------------------------------------------------------- */

struct naming {
	const struct ht_module *m;
	void (*take)(struct naming *s, const Elf64_Sym *sym);
	struct ht_ranges *objects; /* of take_object, as is this: */
	uint64_t local;	  /* where thread-local ones are to lie; 0: nowhere */
	bool wants_local; /* of take_symbol: these, and no others */
	bool ok;
	const char *const *wanted; /* of take_function */
	uint64_t *found;
	struct ht_name *names; /* those of this module, sorted by offset */
	size_t n;
	uint64_t strings, strings_size; /* in the file */
};

/* A symbol of known extent wins over one without, the shorter over the longer:
 * it says more. */
static void offer(const struct naming *s, const Elf64_Sym *sym,
		  struct ht_name *n)
{
	uint64_t within = n->offset - sym->st_value;
	char text[sizeof(n->symbol)];
	ssize_t got;

	if (n->symbol[0] && n->symbol_size <= sym->st_size)
		return;
	if (sym->st_name >= s->strings_size)
		return;
	got = pread(s->m->fd, text, sizeof(text) - 1,
		    (off_t)(s->strings + sym->st_name));
	if (got <= 0)
		return;
	text[got] = '\0';
	if (!*text)
		return;
	memcpy(n->symbol, text, sizeof(text));
	n->symbol[sizeof(n->symbol) - 1] = '\0';
	n->within = within;
	n->symbol_size = sym->st_size;
}

static void take_symbol(struct naming *s, const Elf64_Sym *sym)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	size_t low = 0, high = s->n;

	if (sym->st_shndx == SHN_UNDEF || sym->st_size == 0 ||
	    (s->wants_local ? type != STT_TLS
			    : type != STT_OBJECT && type != STT_FUNC))
		return;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->names[mid].offset < sym->st_value)
			low = mid + 1;
		else
			high = mid;
	}
	for (;
	     low < s->n && s->names[low].offset - sym->st_value < sym->st_size;
	     low++)
		offer(s, sym, &s->names[low]);
}

static void take_object(struct naming *s, const Elf64_Sym *sym)
{
	bool local = s->local && ELF64_ST_TYPE(sym->st_info) == STT_TLS;
	uint64_t start = (local ? s->local : s->m->bias) + sym->st_value;

	if (sym->st_shndx == SHN_UNDEF || sym->st_size == 0 ||
	    (!local && ELF64_ST_TYPE(sym->st_info) != STT_OBJECT) ||
	    s->objects->n == OBJECTS_MAX || start + sym->st_size < start)
		return;
	s->ok = s->ok && ht_ranges_add(s->objects, start, start + sym->st_size);
}

static void take_function(struct naming *s, const Elf64_Sym *sym)
{
	char text[32];
	ssize_t got;

	if (sym->st_shndx == SHN_UNDEF || sym->st_value == 0 ||
	    ELF64_ST_TYPE(sym->st_info) != STT_FUNC ||
	    sym->st_name >= s->strings_size)
		return;
	got = pread(s->m->fd, text, sizeof(text) - 1,
		    (off_t)(s->strings + sym->st_name));
	text[got > 0 ? got : 0] = '\0';
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(text, s->wanted[i]) == 0)
			s->found[i] = s->m->bias + sym->st_value;
}

static void take_table(struct naming *s, const Elf64_Shdr *table,
		       const Elf64_Shdr *strings)
{
	uint64_t n = table->sh_size / sizeof(Elf64_Sym);
	Elf64_Sym sym[AT_ONCE];

	if (strings->sh_type != SHT_STRTAB ||
	    strings->sh_offset > INT64_MAX - strings->sh_size)
		return;
	s->strings = strings->sh_offset;
	s->strings_size = strings->sh_size;
	for (uint64_t i = 0; i < n && i < SYMS_MAX; i += AT_ONCE) {
		size_t some = n - i < AT_ONCE ? (size_t)(n - i) : AT_ONCE;

		if (!read_at(s->m->fd, sym, some * sizeof(*sym),
			     table->sh_offset + i * sizeof(*sym)))
			return;
		for (size_t k = 0; k < some; k++)
			s->take(s, &sym[k]);
	}
}

/* Both tables: a stripped file still has the dynamic one. */
static void read_tables(struct naming *s)
{
	struct {
		Elf64_Shdr v[SHDRS_MAX];
	} * all;
	Elf64_Ehdr h;
	size_t n;

	if (s->m->fd < 0 || !read_at(s->m->fd, &h, sizeof(h), 0) ||
	    h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shnum == 0)
		return;
	n = h.e_shnum < SHDRS_MAX ? h.e_shnum : SHDRS_MAX;
	all = malloc(sizeof(*all));
	if (all && read_at(s->m->fd, all->v, n * sizeof(*all->v), h.e_shoff))
		for (size_t i = 0; i < n; i++)
			if ((all->v[i].sh_type == SHT_SYMTAB ||
			     all->v[i].sh_type == SHT_DYNSYM) &&
			    all->v[i].sh_link < n)
				take_table(s, &all->v[i],
					   &all->v[all->v[i].sh_link]);
	free(all);
}

static int by_address(const void *x, const void *y)
{
	const struct ht_name *a = x, *b = y;

	return (a->address > b->address) - (a->address < b->address);
}

void ht_modules_name(const struct ht_modules *m, struct ht_name *names,
		     size_t n)
{
	if (n)
		qsort(names, n, sizeof(*names), by_address);
	for (size_t i = 0, end; i < n; i = end) {
		uint32_t module = ht_modules_at(m, names[i].address, NULL);
		struct naming s = {.names = &names[i]};

		for (end = i; end < n; end++) {
			struct ht_name *name = &names[end];

			if (ht_modules_at(m, name->address, NULL) != module)
				break;
			name->module = module;
			name->symbol[0] = '\0';
			name->within = 0;
			name->offset =
				module == HT_MODULE_NONE
					? 0
					: name->address - m->v[module].bias;
		}
		if (module == HT_MODULE_NONE)
			continue;
		s.m = &m->v[module];
		s.take = take_symbol;
		s.n = end - i;
		read_tables(&s);
	}
}

void ht_modules_name_local(const struct ht_modules *m, uint32_t module,
			   struct ht_name *names, size_t n)
{
	struct naming s = {.m = &m->v[module],
			   .take = take_symbol,
			   .names = names,
			   .wants_local = true,
			   .n = n};

	read_tables(&s);
}

void ht_modules_functions(const struct ht_modules *m, uint32_t module,
			  const char *const *names, size_t n, uint64_t *ret)
{
	struct naming s = {.m = &m->v[module],
			   .take = take_function,
			   .wanted = names,
			   .found = ret,
			   .n = n};

	memset(ret, 0, n * sizeof(*ret));
	read_tables(&s);
}

bool ht_modules_objects(const struct ht_modules *m, const uint64_t *local,
			struct ht_ranges *ret)
{
	struct naming s = {.take = take_object, .objects = ret, .ok = true};
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		s.m = &m->v[i];
		s.local = local[i];
		read_tables(&s);
	}
	ht_ranges_sort(ret);
	for (size_t i = 0; i < ret->n; i++) /* an alias says it again */
		if (kept == 0 || ret->v[i].start >= ret->v[kept - 1].end)
			ret->v[kept++] = ret->v[i];
	ret->n = kept;
	return s.ok;
}
