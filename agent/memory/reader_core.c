/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/reader_core.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/memory/core_files.h"
#include "agent/memory/core_threads.h"
#include "common/cleanup.h"

#define FILES_MAX 1000000u

struct segment {
	uint64_t start, memory_end; /* [start, memory_end): mapped */
	uint64_t file_end;	    /* [start, file_end): bytes in the core */
	uint64_t offset;
};

/* What the reader keeps while it is open. Segments are sorted by address. */
struct core_ctx {
	int fd;
	struct segment *segments;
	size_t n;
};

/* While opening: growing arrays and what the notes say. */
struct opening {
	int fd;
	Elf *elf;
	unsigned word;
	uint64_t file_size;
	struct core_ctx *ctx;
	struct ht_core *core;
	size_t vmas_capacity, text_used, text_capacity;
	struct ht_core_auxv auxv;
	bool files, tls; /* notes that were there */
};

/* --- reading ------------------------------------------------------------- */

static const struct segment *segment_at(const struct core_ctx *ctx,
					uint64_t addr)
{
	size_t low = 0, high = ctx->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ctx->segments[middle].memory_end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ctx->n && ctx->segments[low].start <= addr
		       ? &ctx->segments[low]
		       : NULL;
}

static size_t read_segment(const struct core_ctx *ctx, const struct segment *s,
			   uint64_t addr, uint8_t *buf, size_t len)
{
	size_t want = s->file_end > addr ? (size_t)(s->file_end - addr) : 0;
	size_t done = 0;

	want = want < len ? want : len;
	while (done < want) {
		ssize_t got =
			pread(ctx->fd, buf + done, want - done,
			      (off_t)(s->offset + (addr - s->start) + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

static size_t core_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	const struct core_ctx *ctx = opaque;
	size_t done = 0;

	while (done < len) {
		const struct segment *s = segment_at(ctx, addr + done);
		size_t got;

		if (!s)
			break;
		got = read_segment(ctx, s, addr + done, (uint8_t *)buf + done,
				   len - done);
		if (got == 0)
			break;
		done += got;
	}
	if (done < len)
		errno = EFAULT;
	return done;
}

static void core_close(void *opaque)
{
	struct core_ctx *ctx = opaque;

	if (ctx->fd >= 0)
		close(ctx->fd);
	free(ctx->segments);
	free(ctx);
}

static const struct ht_reader_ops core_ops = {
	.name = "core", .read = core_read, .close = core_close};

/* --- mappings ------------------------------------------------------------ */

static struct ht_vma *add_vma(struct opening *o)
{
	struct ht_maps *m = &o->core->maps;

	if (m->n == o->vmas_capacity) {
		size_t capacity = m->n ? m->n * 2 : 64;
		struct ht_vma *v = reallocarray(m->v, capacity, sizeof(*v));

		if (!v)
			return NULL;
		m->v = v;
		o->vmas_capacity = capacity;
	}
	m->v[m->n] = (struct ht_vma){0};
	return &m->v[m->n++];
}

/* Index of the text in maps.text; 0, the empty text, when out of memory. */
static uint32_t add_text(struct opening *o, const char *text, size_t n)
{
	struct ht_maps *m = &o->core->maps;
	uint32_t at = (uint32_t)o->text_used;

	if (o->text_used + n + 1 > o->text_capacity) {
		size_t capacity = (o->text_used + n + 1) * 2;
		char *grown = realloc(m->text, capacity);

		if (!grown)
			return 0;
		m->text = grown;
		o->text_capacity = capacity;
	}
	memcpy(m->text + at, text, n);
	m->text[at + n] = '\0';
	o->text_used += n + 1;
	return at;
}

/* The same for a path that may have been named before: a file's mappings shall
 * have one number. */
static uint32_t text_of(struct opening *o, const char *path, size_t n)
{
	const struct ht_maps *m = &o->core->maps;

	for (size_t i = 0; i < m->n; i++) {
		const char *known = m->text ? m->text + m->v[i].path : "";

		if (m->v[i].path && strlen(known) == n &&
		    !memcmp(known, path, n))
			return m->v[i].path;
	}
	return add_text(o, path, n);
}

static enum ht_code add_load(struct opening *o, const GElf_Phdr *p,
			     struct ht_err *err)
{
	struct core_ctx *ctx = o->ctx;
	uint64_t end = p->p_vaddr + p->p_memsz;
	uint64_t held = p->p_filesz < p->p_memsz ? p->p_filesz : p->p_memsz;
	struct ht_vma *vma;

	if (p->p_memsz == 0)
		return HT_OK;
	if (end < p->p_vaddr || p->p_offset > o->file_size)
		return ht_fail_at(err, HT_CORRUPT, p->p_vaddr,
				  "a segment lies outside the file");
	if (ctx->n > 0 && ctx->segments[ctx->n - 1].memory_end > p->p_vaddr)
		return ht_fail_at(err, HT_CORRUPT, p->p_vaddr,
				  "segments are not in order of address");
	if (held > o->file_size - p->p_offset)
		held = o->file_size -
		       p->p_offset; /* truncated: read what is there */
	vma = add_vma(o);
	if (!vma)
		return ht_fail(err, HT_NOMEM, "no memory for the mappings");
	vma->start = p->p_vaddr;
	vma->end = end;
	vma->flags = (p->p_flags & PF_R ? HT_VMA_READ : 0u) |
		     (p->p_flags & PF_W ? HT_VMA_WRITE : 0u) |
		     (p->p_flags & PF_X ? HT_VMA_EXEC : 0u);
	ctx->segments[ctx->n++] = (struct segment){
		p->p_vaddr, end, p->p_vaddr + held, p->p_offset};
	return HT_OK;
}

/* Names the mapping, or adds one that the core left out: unchanged text, so
 * it is taken for code. */
static enum ht_code name_range(struct opening *o, uint64_t start, uint64_t end,
			       uint64_t offset, const char *path, size_t n,
			       struct ht_err *err)
{
	struct ht_maps *m = &o->core->maps;
	uint32_t text = text_of(o, path, n);
	bool covered = false;

	for (size_t i = 0; i < m->n; i++) {
		struct ht_vma *v = &m->v[i];

		if (v->start < start || v->start >= end)
			continue;
		covered = covered || v->start == start;
		v->path = text;
		v->offset = offset + (v->start - start);
		v->inode = 1 +
			   text; /* a core does not say: one file, one number */
	}
	if (!covered && end > start) {
		struct ht_vma *v = add_vma(o);

		if (!v)
			return ht_fail(err, HT_NOMEM,
				       "no memory for the mappings");
		*v = (struct ht_vma){.start = start,
				     .end = end,
				     .offset = offset,
				     .inode = 1 + text,
				     .flags = HT_VMA_READ | HT_VMA_EXEC,
				     .path = text};
	}
	return HT_OK;
}

static int by_start(const void *a, const void *b)
{
	const struct ht_vma *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Entries added by name_range may reach into the next mapping. */
static void settle_maps(struct ht_maps *m)
{
	if (m->n) /* a core may have no memory at all */
		qsort(m->v, m->n, sizeof(*m->v), by_start);
	for (size_t i = 0; i + 1 < m->n; i++)
		if (m->v[i].end > m->v[i + 1].start)
			m->v[i].end = m->v[i + 1].start;
}

/* --- notes --------------------------------------------------------------- */

static uint64_t word_at(const struct opening *o, const uint8_t *at)
{
	uint64_t wide;
	uint32_t narrow;

	if (o->word == 8) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static enum ht_code take_prstatus(struct opening *o, const uint8_t *at,
				  size_t n, struct ht_err *err)
{
	const struct ht_core_notes *l = ht_core_notes(o->word);
	struct ht_core *core = o->core;
	struct ht_thread_state *t;
	int32_t tid;

	if (n < l->size_min)
		return ht_fail(err, HT_CORRUPT, "a thread's note of %zu bytes",
			       n);
	t = reallocarray(core->threads, core->threads_n + 1, sizeof(*t));
	if (!t)
		return ht_fail(err, HT_NOMEM, "no memory for the threads");
	core->threads = t;
	t += core->threads_n++;
	memcpy(&tid, at + l->pid, sizeof(tid));
	*t = (struct ht_thread_state){
		.tid = tid,
		.pc = word_at(o, at + l->regs + l->pc * o->word),
		.sp = word_at(o, at + l->regs + l->sp * o->word),
		.thread_pointer = word_at(o, at + l->regs + l->base * o->word),
		.registers = true,
		.whole = l->general};
	for (size_t i = 0; t->whole && i < HT_GENERAL_REGISTERS; i++)
		t->general[i] = word_at(o, at + l->regs + i * o->word);
	return HT_OK;
}

/* The note follows its thread's NT_PRSTATUS. */
static void take_tls(struct opening *o, const uint8_t *at, size_t n)
{
	struct ht_core *core = o->core;

	if (core->threads_n == 0)
		return;
	o->tls = true;
	ht_core_tls(at, n, &core->threads[core->threads_n - 1].thread_pointer);
}

static void take_prpsinfo(struct opening *o, const uint8_t *at, size_t n)
{
	const struct ht_core_notes *l = ht_core_notes(o->word);
	int32_t value;

	if (n < l->ps_name + 16)
		return;
	memcpy(&value, at + l->ps_pid, sizeof(value));
	o->core->pid = (uint64_t)(uint32_t)value;
	memcpy(o->core->comm, at + l->ps_name, 16);
}

/* NT_FILE: count and page size; count times start, end, page offset; names. */
static enum ht_code take_files(struct opening *o, const uint8_t *at, size_t n,
			       struct ht_err *err)
{
	const size_t w = o->word;
	uint64_t count = n >= 2 * w ? word_at(o, at) : 0;
	uint64_t page = n >= 2 * w ? word_at(o, at + w) : 0;
	const char *name, *end = (const char *)at + n;

	if (count > FILES_MAX || n < 2 * w || (n - 2 * w) / (3 * w) < count)
		return ht_fail(err, HT_CORRUPT,
			       "the list of mapped files is cut");
	name = (const char *)at + 2 * w + count * 3 * w;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *row = at + 2 * w + i * 3 * w;
		size_t length = strnlen(name, (size_t)(end - name));
		enum ht_code code;

		if (name + length >= end)
			return ht_fail(err, HT_CORRUPT,
				       "a mapped file's name is cut");
		code = name_range(o, word_at(o, row), word_at(o, row + w),
				  word_at(o, row + 2 * w) * page, name, length,
				  err);
		if (code != HT_OK)
			return code;
		if (i ==
		    0) /* the executable lies lowest, or is named by --exe */
			snprintf(o->core->exe, sizeof(o->core->exe), "%s",
				 name);
		name += length + 1;
	}
	return HT_OK;
}

static void take_auxv(struct opening *o, const uint8_t *at, size_t n)
{
	const size_t w = o->word;

	for (size_t i = 0; i + 2 * w <= n; i += 2 * w) {
		const uint64_t type = word_at(o, at + i);

		if (type == AT_PHDR)
			o->auxv.phdr = word_at(o, at + i + w);
		else if (type == AT_EXECFN)
			o->auxv.execfn = word_at(o, at + i + w);
	}
}

static enum ht_code take_note(struct opening *o, uint32_t type,
			      const uint8_t *at, size_t n, struct ht_err *err)
{
	switch (type) {
	case NT_PRSTATUS:
		return take_prstatus(o, at, n, err);
	case NT_FILE:
		o->files = true;
		return take_files(o, at, n, err);
	case NT_PRPSINFO:
		take_prpsinfo(o, at, n);
		return HT_OK;
	case NT_AUXV:
		take_auxv(o, at, n);
		return HT_OK;
	default:
		if (type == ht_core_tls_note(o->word))
			take_tls(o, at, n);
		return HT_OK;
	}
}

static enum ht_code take_notes(struct opening *o, const GElf_Phdr *p,
			       struct ht_err *err)
{
	Elf_Data *data = elf_getdata_rawchunk(o->elf, (int64_t)p->p_offset,
					      p->p_filesz, ELF_T_NHDR);
	size_t at = 0, next, name, body;
	GElf_Nhdr note;

	if (!data)
		return ht_fail(err, HT_CORRUPT, "notes: %s", elf_errmsg(-1));
	while ((next = gelf_getnote(data, at, &note, &name, &body)) > 0) {
		enum ht_code code = take_note(
			o, note.n_type, (const uint8_t *)data->d_buf + body,
			note.n_descsz, err);

		if (code != HT_OK)
			return code;
		at = next;
	}
	return HT_OK;
}

/* --- opening ------------------------------------------------------------- */

/* Mappings first, notes after: notes name mappings. */
static enum ht_code take_headers(struct opening *o, size_t n,
				 struct ht_err *err)
{
	static const uint32_t order[] = {PT_LOAD, PT_NOTE};

	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			enum ht_code code = HT_OK;
			GElf_Phdr p;

			if (!gelf_getphdr(o->elf, (int)i, &p))
				return ht_fail(err, HT_CORRUPT,
					       "program header %zu: %s", i,
					       elf_errmsg(-1));
			if (p.p_type != order[pass])
				continue;
			code = p.p_type == PT_LOAD ? add_load(o, &p, err)
						   : take_notes(o, &p, err);
			if (code != HT_OK)
				return code;
		}
	}
	return HT_OK;
}

static enum ht_code take_elf(struct opening *o, struct ht_err *err)
{
	GElf_Ehdr header;
	size_t n;
	enum ht_code code;

	if (!o->elf || elf_kind(o->elf) != ELF_K_ELF ||
	    !gelf_getehdr(o->elf, &header) || header.e_type != ET_CORE)
		return ht_fail(err, HT_UNSUPPORTED, "not an ELF core file");
	o->word = ht_abi_word(
		ht_abi_of(header.e_machine, header.e_ident[EI_CLASS]));
	if (!o->word)
		return ht_fail(err, HT_UNSUPPORTED,
			       "a core of machine type %u; %s are known",
			       header.e_machine, ht_abi_names);
	if (elf_getphdrnum(o->elf, &n) < 0 || n == 0)
		return ht_fail(err, HT_CORRUPT, "no program headers");
	o->ctx->segments = reallocarray(NULL, n, sizeof(*o->ctx->segments));
	if (!o->ctx->segments || add_text(o, "", 0) != 0 || !o->core->maps.text)
		return ht_fail(err, HT_NOMEM, "no memory for %zu segments", n);
	code = take_headers(o, n, err);
	if (code != HT_OK)
		return code;
	settle_maps(&o->core->maps);
	return HT_OK;
}

static enum ht_code name_part(void *ctx, const struct ht_core_part *part,
			      struct ht_err *err)
{
	struct opening *o = ctx;
	struct ht_core *core = o->core;

	if (part->exe && part->offset == 0) {
		core->exe_start = part->start;
		snprintf(core->exe, sizeof(core->exe), "%s", part->path);
	}
	return name_range(o, part->start, part->end, part->offset, part->path,
			  strlen(part->path), err);
}

/* What notes that are not there would have said, from memory. */
static enum ht_code take_memory(struct opening *o, struct ht_err *err)
{
	struct ht_core *core = o->core;
	enum ht_code code = HT_OK;

	if (!o->files)
		code = ht_core_files_find(&core->reader, &core->maps, &o->auxv,
					  core->comm, name_part, o, err);
	settle_maps(&core->maps);
	if (o->word == 4 && !o->tls)
		ht_core_threads_find(&core->reader, &core->maps, core->threads,
				     core->threads_n);
	return code;
}

enum ht_code ht_core_open(const char *path, struct ht_core *ret,
			  struct ht_err *err)
{
	HT_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct core_ctx *ctx = calloc(1, sizeof(*ctx));
	struct opening o = {.ctx = ctx, .core = ret};
	struct stat st;
	enum ht_code code;

	*ret = (struct ht_core){0};
	ht_pages_source_none(&ret->pages);
	if (!ctx)
		return ht_fail(err, HT_NOMEM, "no memory to open %s", path);
	ctx->fd = -1;
	ret->reader.ops = &core_ops; /* from here on ht_core_close frees all */
	ret->reader.ctx = ctx;
	if (fd < 0 || fstat(fd, &st) < 0) {
		code = ht_fail_sys(err, errno == ENOENT ? HT_GONE : HT_DENIED,
				   errno, "open the core file %s", path);
		ht_core_close(ret);
		return code;
	}
	elf_version(EV_CURRENT);
	o.file_size = (uint64_t)st.st_size;
	o.elf = elf_begin(fd, ELF_C_READ, NULL);
	code = take_elf(&o, err);
	elf_end(o.elf);
	if (code != HT_OK) {
		ht_err_in(err, "%s", path);
		ht_core_close(ret);
		return code;
	}
	ctx->fd = ht_take_fd(&fd);
	ret->reader.word = o.word;
	ret->reader.bytes_left = UINT64_MAX;
	code = take_memory(&o, err);
	if (code != HT_OK)
		ht_core_close(ret);
	return code;
}

void ht_core_close(struct ht_core *c)
{
	if (c->reader.ops)
		c->reader.ops->close(c->reader.ctx);
	ht_maps_fini(&c->maps);
	free(c->threads);
	*c = (struct ht_core){0};
	ht_pages_source_none(&c->pages);
}
