/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate, the order of things: every file with code is looked into once; those
 * with a main_arena become mallocs; those that define malloc without one are
 * other allocators; what is in use decides who serves the program.
 */
#include "agent/libc/locate.h"

#include <inttypes.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/debugfile.h"
#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

struct survey {
	const struct ht_locate_in *in;
	struct ht_locate_cache *cache;
	struct ht_snapshot *notes;
	struct ht_located *out;
	struct ht_found libc[HT_MALLOCS_MAX]; /* of out->malloc[i] */
	bool used[HT_MALLOCS_MAX];
	struct ht_found other; /* first that defines malloc without glibc's */
	struct ht_found exe;
	const struct ht_facts *jvm; /* NULL: no Java virtual machine */
	bool has_other, has_exe;
	char banner[64]; /* of the first glibc: libc_malloc_debug has none */
	struct ht_err refused; /* the first glibc that no layout fits */
};

/* --- images -------------------------------------------------------------- */

void ht_place_image(const struct ht_image_at *at, const struct ht_facts *x,
		    struct ht_found *ret)
{
	uint64_t high = 0;

	*ret = (struct ht_found){.at = *at, .facts = x};
	for (unsigned i = 0; i < x->loads_n; i++) {
		const struct ht_facts_load *l = &x->load[i];

		if (l->offset / HT_PAGE_SIZE == 0 && !ret->bias)
			ret->bias = at->start -
				    (l->vaddr & ~(uint64_t)(HT_PAGE_SIZE - 1));
		if (l->vaddr + l->memsz > high)
			high = l->vaddr + l->memsz;
	}
	ret->end = (ret->bias + high + HT_PAGE_SIZE - 1) &
		   ~(uint64_t)(HT_PAGE_SIZE - 1);
}

bool ht_is_same_build(const struct ht_locate_in *in, const struct ht_found *f)
{
	uint8_t mapped[HT_BUILD_ID_MAX];

	if (!f->facts->build_id_vaddr ||
	    ht_reader_read(in->reader, f->bias + f->facts->build_id_vaddr,
			   mapped, f->facts->build_id_len, NULL) != HT_OK)
		return true; /* nothing to compare with */
	return memcmp(mapped, f->facts->build_id, f->facts->build_id_len) == 0;
}

/* --- mallocs ------------------------------------------------------------- */

static bool is_used(const struct ht_locate_in *in, const struct ht_malloc *m)
{
	uint64_t system = 0, n_mmaps = 0;

	if (ht_member(in->reader, m->main_arena,
		      m->layout.at[HT_P_ARENA_SYSTEM_MEM], &system,
		      NULL) != HT_OK ||
	    (m->mp &&
	     ht_member(in->reader, m->mp, m->layout.at[HT_P_PAR_N_MMAPS],
		       &n_mmaps, NULL) != HT_OK))
		return false;
	return system != 0 || n_mmaps != 0;
}

static uint64_t find_brk_end(const struct ht_maps *m)
{
	uint64_t end = 0;

	for (size_t i = 0; i < m->n; i++)
		if (strcmp(ht_vma_path(m, &m->v[i]), "[heap]") == 0)
			end = m->v[i].end;
	return end;
}

static void describe_file(const struct ht_found *f, struct ht_libc *libc)
{
	char id[2 * HT_BUILD_ID_MAX + 1];

	ht_build_id_text(f->facts, id);
	snprintf(libc->build_id, sizeof(libc->build_id), "%s", id);
	snprintf(libc->path, sizeof(libc->path), "%s", f->at.path);
	if (f->facts->banner[0])
		snprintf(libc->version, sizeof(libc->version), "%s",
			 f->facts->banner);
}

static void describe_layout(const struct ht_found *f, const struct ht_layout *l,
			    struct ht_libc *libc)
{
	snprintf(libc->layout, sizeof(libc->layout), "%s",
		 f->facts->flags & HT_FACTS_DWARF ? "dwarf" : "table");
	snprintf(libc->located, sizeof(libc->located), "%s",
		 f->facts->flags & HT_FACTS_SYMTAB ? "symbol" : "scan");
	snprintf(libc->layout_name, sizeof(libc->layout_name), "%s", l->name);
}

/* A static program has glibc's banner only where it asks for the version. */
static void describe_version(const char *banner, const struct ht_layout *l,
			     struct ht_libc *libc)
{
	if (banner[0])
		snprintf(libc->version, sizeof(libc->version), "%s", banner);
	else if (l->from == l->to)
		snprintf(libc->version, sizeof(libc->version), "2.%u", l->from);
	else if (l->from < l->to)
		snprintf(libc->version, sizeof(libc->version), "2.%u to 2.%u",
			 l->from, l->to);
}

static void add_malloc(struct survey *s, const struct ht_found *plain)
{
	struct ht_found f = *plain;
	struct ht_malloc m;
	struct ht_err err = {0};
	enum ht_code code;

	if (s->out->n == HT_MALLOCS_MAX)
		return;
	if (s->in->use_debug_info &&
	    ht_cache_facts(s->cache, s->in, &f.at, true, &f.facts, NULL) !=
		    HT_OK)
		f.facts = plain->facts;
	if (f.facts->flags & HT_FACTS_COPIED)
		ht_snapshot_warn(
			s->notes, "%s: %s: malloc was found in memory alone",
			f.at.path,
			s->in->pid > 0
				? "the file is gone and the mapped one not ours to open (CAP_CHECKPOINT_RESTORE)"
				: "its file is not on this machine, or of another build");
	if (f.facts->flags & HT_FACTS_DEBUG_MISMATCH)
		ht_snapshot_warn(
			s->notes,
			"%s: its debug file is of another build and was not used",
			f.at.path);
	code = ht_choose_malloc(s->in, &f, &m, s->notes, &err);
	if (code == HT_OK)
		code = ht_locate_verify(&m, s->in->reader, &err);
	if (code != HT_OK) {
		if (s->refused.code == HT_OK)
			s->refused = err;
		return;
	}
	m.brk_end = find_brk_end(s->in->maps);
	ht_tls_prepare(s->in, &f, &m, &s->out->tls[s->out->n]);
	s->used[s->out->n] = is_used(s->in, &m);
	s->libc[s->out->n] = f;
	s->out->malloc[s->out->n++] = m;
}

static void look_into(struct survey *s, const struct ht_image_at *at)
{
	const struct ht_facts *x;
	struct ht_found f;
	struct ht_err err = {0};

	if (ht_cache_facts(s->cache, s->in, at, false, &x, &err) != HT_OK) {
		if (strstr(at->path, "libc"))
			s->refused = err;
		return;
	}
	ht_place_image(at, x, &f);
	if (!ht_is_same_build(s->in, &f)) {
		ht_snapshot_warn(
			s->notes,
			"%s: the file on disk is not the one that is mapped",
			at->path);
		return;
	}
	if (x->banner[0] && !s->banner[0])
		memcpy(s->banner, x->banner, sizeof(s->banner));
	s->out->runtimes |= x->runtimes;
	if (x->allocator == HT_ALLOCATOR_JVM)
		s->jvm = x;
	if (at->exe && !s->has_exe) {
		s->exe = f;
		s->has_exe = true;
	}
	if (x->arenas_n ||
	    (x->flags & HT_FACTS_GLIBC && x->flags & HT_FACTS_MALLOC)) {
		add_malloc(s, &f);
	} else if (x->flags & HT_FACTS_MALLOC &&
		   !(x->flags & HT_FACTS_LOADER) && !s->has_other) {
		s->other = f;
		s->has_other = true;
	}
}

/* --- who serves ---------------------------------------------------------- */

static void swap_mallocs(struct survey *s, size_t a, size_t b)
{
	struct ht_malloc m = s->out->malloc[a];
	struct ht_tls_search t = s->out->tls[a];
	struct ht_found f = s->libc[a];
	bool used = s->used[a];

	s->out->malloc[a] = s->out->malloc[b];
	s->out->tls[a] = s->out->tls[b];
	s->libc[a] = s->libc[b];
	s->used[a] = s->used[b];
	s->out->malloc[b] = m;
	s->out->tls[b] = t;
	s->libc[b] = f;
	s->used[b] = used;
}

static uint64_t arena_flags(const struct survey *s, size_t i)
{
	const struct ht_malloc *m = &s->out->malloc[i];
	uint64_t flags = 0;

	if (ht_member(s->in->reader, m->main_arena,
		      m->layout.at[HT_P_ARENA_FLAGS], &flags, NULL) != HT_OK)
		return 0;
	return flags;
}

/* The program's own malloc comes first: in use, and grown by brk (a second
 * libc never uses brk). Those nobody uses are left out. */
static void order_mallocs(struct survey *s)
{
	size_t best = 0, kept = 0;

	for (size_t i = 0; i < s->out->n; i++) {
		if (!s->used[i])
			continue;
		if (kept != i)
			swap_mallocs(s, kept, i);
		kept++;
	}
	if (kept == 0) { /* a process that has not allocated yet */
		s->out->n = s->out->n ? 1 : 0;
		return;
	}
	s->out->n = kept;
	for (size_t i = 1; i < kept; i++)
		if ((arena_flags(s, i) & 2) < (arena_flags(s, best) & 2))
			best = i;
	if (best)
		swap_mallocs(s, 0, best);
}

/* The version in a file's name ("libmimalloc.so.2.0"), where the allocator does
 * not say it itself. */
static const char *version_of(const struct ht_found *f)
{
	const char *so = strstr(f->at.path, ".so.");

	if (f->facts->allocator_version[0])
		return f->facts->allocator_version;
	return so && f->facts->allocator == HT_ALLOCATOR_MIMALLOC ? so + 4 : "";
}

static void name_allocator(const struct ht_found *f, struct ht_libc *libc)
{
	const char *base = strrchr(f->at.path, '/'), *version = version_of(f);

	if (f->facts->allocator == HT_ALLOCATOR_UNKNOWN)
		snprintf(libc->allocator, sizeof(libc->allocator),
			 "unknown (%.50s)", base ? base + 1 : f->at.path);
	else
		snprintf(libc->allocator, sizeof(libc->allocator), "%s%s%.20s",
			 ht_allocator_name(f->facts->allocator),
			 version[0] ? " " : "", version);
}

static const char *known_version(const struct ht_facts *x)
{
	return x->allocator_version[0] ? x->allocator_version
				       : "version unknown";
}

static void note_runtimes(struct survey *s)
{
	if (s->jvm)
		ht_snapshot_warn(
			s->notes,
			"a Java virtual machine (%s): its heap is anonymous memory outside malloc",
			known_version(s->jvm));
	if (s->has_exe && s->exe.facts->allocator == HT_ALLOCATOR_GO)
		ht_snapshot_warn(
			s->notes,
			"a Go program (%s): Go's own heap is anonymous memory outside malloc",
			known_version(s->exe.facts));
}

/* An allocator that is in the program itself shows by its texts alone. */
static bool exe_has_allocator(const struct survey *s)
{
	return s->has_exe && s->exe.facts->allocator != HT_ALLOCATOR_UNKNOWN &&
	       s->exe.facts->allocator != HT_ALLOCATOR_JVM;
}

static enum ht_code conclude(struct survey *s, struct ht_err *err)
{
	struct ht_libc *libc = &s->out->libc;
	bool used = s->out->n && s->used[0];
	const struct ht_found *other = s->has_other ? &s->other : NULL;

	if (!other && !used && exe_has_allocator(s))
		other = &s->exe;
	if (s->out->n == 0 && s->refused.code != HT_OK && !other) {
		/* Memory that no layout explains is a libc we do not know. */
		if (s->refused.code == HT_CORRUPT)
			s->refused.code = HT_UNSUPPORTED;
		if (err)
			*err = s->refused;
		return (enum ht_code)s->refused.code;
	}
	note_runtimes(s);
	if (other && !used) {
		s->out->n = 0;
		describe_file(other, libc);
		name_allocator(other, libc);
		ht_snapshot_warn(
			s->notes,
			"malloc is %s (%s), not glibc's: its heap is not measured, the process's figures are",
			libc->allocator, other->at.path);
		return HT_OK;
	}
	/* Each malloc has its file's facts; gcc's analyzer wants it said. */
	if (s->out->n == 0 || !s->libc[0].facts) {
		if (s->has_exe)
			describe_file(&s->exe, libc);
		snprintf(libc->allocator, sizeof(libc->allocator), "unknown");
		return HT_OK;
	}
	describe_file(&s->libc[0], libc);
	describe_version(s->banner, &s->out->malloc[0].layout, libc);
	if (s->out->malloc[0].safe_linking >= 0)
		libc->safe_linking = (uint64_t)s->out->malloc[0].safe_linking;
	describe_layout(&s->libc[0], &s->out->malloc[0].layout, libc);
	snprintf(libc->allocator, sizeof(libc->allocator), "glibc");
	if (other) {
		name_allocator(other, libc);
		ht_snapshot_warn(
			s->notes,
			"%s serves malloc (%s), and glibc's own heap is in use as well: both are counted, only glibc's is walked",
			libc->allocator, other->at.path);
	}
	return HT_OK;
}

enum ht_code ht_locate(const struct ht_locate_in *in, struct ht_located *ret,
		       struct ht_snapshot *notes, struct ht_err *err)
{
	HT_AUTO_IMAGES struct ht_images images = {0};
	HT_AUTO_FREE struct survey *s = calloc(1, sizeof(*s));
	enum ht_code code;

	if (!s)
		return ht_fail(err, HT_NOMEM, "locate");
	code = ht_images_find(in, &images, err);
	if (code != HT_OK)
		return code;
	s->in = in;
	s->notes = notes;
	s->out = ret;
	s->cache = in->cache ? in->cache : ht_locate_cache_new();
	if (!s->cache)
		return ht_fail(err, HT_NOMEM, "locate");
	memset(ret, 0, sizeof(*ret));
	ht_record_clear(HT_RECORD_libc, &ret->libc);
	for (size_t i = 0; i < images.n; i++)
		look_into(s, &images.v[i]);
	order_mallocs(s);
	code = conclude(s, err);
	if (!in->cache)
		ht_locate_cache_free(s->cache);
	return code;
}
