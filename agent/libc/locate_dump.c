/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dump: what a maintainer needs to add a libc that no layout fits. Files,
 * candidates, offsets, and the shape of libc's own data: small numbers as they
 * are, addresses within libc as offsets, everything else by kind only. No heap
 * content, no text of the program.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/libc/debugfile.h"
#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

#define SMALL_NUMBER (UINT64_C(1) << 25) /* thresholds reach 32 MiB */
#define DATA_MAX     (256u << 10)
#define HEAPS_SHOWN  4

struct dump {
	const struct ht_locate_in *in;
	struct ht_locate_cache *cache;
	FILE *out;
};

static const char *const symbol_names[HT_SYMBOL_COUNT] = {
#define SYMBOL_NAME(id, name) [HT_S_##id] = name,
	HT_FACTS_SYMBOLS(SYMBOL_NAME)
#undef SYMBOL_NAME
};

static void dump_hits(const struct dump *d, const char *what,
		      const struct ht_facts_hit *h, unsigned n)
{
	if (n == 0)
		fprintf(d->out, "  %s: no default image fits\n", what);
	for (unsigned i = 0; i < n; i++)
		fprintf(d->out, "  %s: 0x%" PRIx64 " as %s%s\n", what,
			h[i].vaddr, ht_layout_rows[h[i].row].name,
			h[i].tcache ? " with tcache" : "");
}

static void dump_facts(const struct dump *d, const struct ht_facts *x)
{
	for (unsigned i = 0; i < x->loads_n; i++)
		fprintf(d->out,
			"  segment 0x%" PRIx64 " file 0x%" PRIx64
			" memory 0x%" PRIx64 " flags %" PRIu64 "\n",
			x->load[i].vaddr, x->load[i].filesz, x->load[i].memsz,
			x->load[i].flags);
	for (unsigned i = 0; i < HT_SYMBOL_COUNT; i++)
		if (x->symbol[i].known)
			fprintf(d->out,
				"  symbol %s 0x%" PRIx64 " size %" PRIu64 "\n",
				symbol_names[i], x->symbol[i].value,
				x->symbol[i].size);
	dump_hits(d, "main_arena", x->arena, x->arenas_n);
	dump_hits(d, "mp_", x->par, x->pars_n);
	for (unsigned i = 0; i < HT_PLACE_COUNT; i++)
		if (x->dwarf[i].size)
			fprintf(d->out, "  dwarf %s at %u, %u bytes\n",
				ht_place_name(i), x->dwarf[i].offset,
				x->dwarf[i].size);
	for (unsigned k = 0; k < HT_ROW_KINDS; k++)
		if (x->dwarf_size[k])
			fprintf(d->out,
				"  dwarf struct %u: %" PRIu64 " bytes\n", k,
				x->dwarf_size[k]);
}

static const char *kind_of(const struct dump *d, const struct ht_vma *v)
{
	const char *path = ht_vma_path(d->in->maps, v);

	if (v->inode)
		return "a file's mapping";
	return path[0] == '[' ? path : "anonymous memory";
}

/* A word by its kind. base: what `at` is counted from. */
static void dump_word(const struct dump *d, const struct ht_found *f,
		      uint64_t base, uint64_t at, uint64_t v)
{
	const struct ht_vma *vma;

	if (v == 0)
		return;
	fprintf(d->out, "  +0x%" PRIx64 ": ", at - base);
	vma = ht_maps_at(d->in->maps, v);
	if (v < SMALL_NUMBER)
		fprintf(d->out, "0x%" PRIx64 "\n", v);
	else if (v >= f->at.start && v < f->end)
		fprintf(d->out, "-> +0x%" PRIx64 "\n", v - f->bias);
	else if (vma)
		fprintf(d->out, "-> %s +0x%" PRIx64 "\n", kind_of(d, vma),
			v - vma->start);
	else
		fprintf(d->out, "other\n");
}

/* libc's writable data as it is now. */
static void dump_data(const struct dump *d, const struct ht_found *f)
{
	const struct ht_facts *x = f->facts;

	for (unsigned i = 0; i < x->loads_n; i++) {
		const struct ht_facts_load *l = &x->load[i];
		uint64_t at = (f->bias + l->vaddr + x->word - 1) &
			      ~(uint64_t)(x->word - 1);
		uint64_t left = l->filesz < DATA_MAX ? l->filesz : DATA_MAX, v;

		if (!(l->flags & 2)) /* PF_W */
			continue;
		for (; left >= x->word; left -= x->word, at += x->word)
			if (ht_reader_word(d->in->reader, at, &v, NULL) ==
			    HT_OK)
				dump_word(d, f, f->bias, at, v);
	}
}

/* What libc's words hold that lead to its thread-local variables. */
static void dump_slots(const struct dump *d, const struct ht_found *f)
{
	const struct ht_facts *x = f->facts;

	for (unsigned i = 0; i < x->tpoffs_n; i++) {
		uint64_t word;

		if (ht_reader_word(d->in->reader, f->bias + x->tpoff[i].slot,
				   &word, NULL) == HT_OK)
			fprintf(d->out,
				"  thread-local slot 0x%" PRIx64
				" variable %" PRId64 " holds %" PRId64 "\n",
				x->tpoff[i].slot, x->tpoff[i].value,
				x->word == 4 ? (int64_t)(int32_t)word
					     : (int64_t)word);
	}
}

/* The heads of heaps: mappings whose first word points to an arena right behind
 * it. A heap_info and no more: chunks begin behind the arena. */
static void dump_heaps(const struct dump *d, const struct ht_found *f)
{
	const struct ht_maps *m = d->in->maps;
	unsigned word = f->facts->word, left = HEAPS_SHOWN;

	for (size_t i = 0; i < m->n && left; i++) {
		uint64_t start = m->v[i].start, v;

		if (m->v[i].inode || !(m->v[i].flags & HT_VMA_WRITE) ||
		    ht_reader_word(d->in->reader, start, &v, NULL) != HT_OK ||
		    v - start < 4u * word || v - start > 16u * word)
			continue;
		fprintf(d->out, "  heap_info, %" PRIu64 " bytes to its arena\n",
			v - start);
		left--;
		for (uint64_t at = start; at < v; at += word) {
			uint64_t w;

			if (ht_reader_word(d->in->reader, at, &w, NULL) ==
			    HT_OK)
				dump_word(d, f, start, at, w);
		}
	}
}

static void dump_verdict(const struct dump *d, const struct ht_found *f)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot notes;
	struct ht_err err = {0};
	struct ht_malloc m;
	enum ht_code code;

	ht_snapshot_init(&notes);
	code = ht_choose_malloc(d->in, f, &m, &notes, &err);
	if (code == HT_OK) {
		fprintf(d->out,
			"  layout %s, main_arena 0x%" PRIx64 ", mp_ 0x%" PRIx64
			"\n",
			m.layout.name, m.main_arena, m.mp);
		code = ht_locate_verify(&m, d->in->reader, &err);
	}
	fprintf(d->out, "  verdict: %s\n", code == HT_OK ? "fits" : err.msg);
	for (size_t i = 0; i < notes.warnings.n; i++)
		fprintf(d->out, "  note: %s\n", notes.warnings.v[i].text);
}

static void dump_image(const struct dump *d, const struct ht_image_at *at)
{
	const struct ht_facts *x = NULL;
	struct ht_err err = {0};
	struct ht_found f;
	char id[2 * HT_BUILD_ID_MAX + 1];

	fprintf(d->out, "image 0x%" PRIx64 " %s%s\n", at->start, at->path,
		at->exe ? " (the program)" : "");
	if (ht_cache_facts(d->cache, d->in, at, false, &x, &err) != HT_OK) {
		fprintf(d->out, "  cannot be read: %s\n", err.msg);
		return;
	}
	ht_build_id_text(x, id);
	fprintf(d->out,
		"  build id %s, soname %s, %u-byte words, flags 0x%x, allocator %s %s, glibc %s\n",
		id[0] ? id : "none", x->soname[0] ? x->soname : "none", x->word,
		x->flags, ht_allocator_name(x->allocator), x->allocator_version,
		x->banner[0] ? x->banner : "no banner");
	if (!x->arenas_n &&
	    !(x->flags & HT_FACTS_GLIBC && x->flags & HT_FACTS_MALLOC))
		return;
	if (d->in->use_debug_info &&
	    ht_cache_facts(d->cache, d->in, at, true, &x, &err) != HT_OK)
		fprintf(d->out, "  debug information: %s\n", err.msg);
	ht_place_image(at, x, &f);
	dump_facts(d, x);
	dump_slots(d, &f);
	dump_verdict(d, &f);
	dump_data(d, &f);
	dump_heaps(d, &f);
}

enum ht_code ht_locate_dump(const struct ht_locate_in *in, int fd,
			    struct ht_err *err)
{
	HT_AUTO_IMAGES struct ht_images images = {0};
	HT_AUTO_FILE FILE *out = NULL;
	struct dump d = {.in = in};
	enum ht_code code = ht_images_find(in, &images, err);
	int copy = code == HT_OK ? dup(fd) : -1;

	if (code != HT_OK)
		return code;
	out = copy >= 0 ? fdopen(copy, "w") : NULL;
	d.out = out;
	d.cache = in->cache ? in->cache : ht_locate_cache_new();
	if (!out || !d.cache)
		return ht_fail(err, HT_NOMEM, "dump of the layout");
	fprintf(out, "heaptide %s layout dump\n", HT_VERSION);
	for (size_t i = 0; i < images.n; i++)
		dump_image(&d, &images.v[i]);
	if (!in->cache)
		ht_locate_cache_free(d.cache);
	return HT_OK;
}
