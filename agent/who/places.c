/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/libc/debugfile.h"
#include "agent/libc/image.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define OPENING_NS (5 * HT_NS_PER_S)
#define LINES_MAX  (64u << 10)

struct ht_place_of {
	int file;   /* with debug information: the module's own, or another;
		       -1: there is none */
	bool own;   /* `file` is ours to close */
	int shared; /* what dwz moved names of it to; -1 */
	char missing[128]; /* its name, where it was not found */
};

struct ht_place_at {
	uint64_t address;
	uint32_t first, n;
};

/* --- opening ------------------------------------------------------------- */

/* What a file is to be, to be taken. */
struct wanted {
	struct ht_places *p;
	int64_t until_ns;
	const uint8_t *id; /* of the build; where it has none: */
	size_t id_len;
	uint32_t sum;
	struct ht_lines_build build; /* of the one that was taken */
};

static bool is_wanted(void *ctx, int fd)
{
	struct wanted *w = ctx;
	struct ht_lines_build *b = &w->build;

	return ht_lines_role_look(&w->p->role, fd, w->id_len == 0, w->until_ns,
				  b, NULL) == HT_OK &&
	       b->described && b->id_len == w->id_len &&
	       (w->id_len ? memcmp(b->id, w->id, w->id_len) == 0
			  : b->sum == w->sum);
}

/* A file of its own for debug information, of the same build. */
static int open_separate(struct ht_debugfile_ask *ask, const char *path,
			 const struct ht_lines_build *b)
{
	HT_AUTO_FREE struct ht_facts *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->build_id_len = b->id_len;
	memcpy(f->build_id, b->id, b->id_len);
	snprintf(f->debuglink, sizeof(f->debuglink), "%.63s", b->debuglink);
	return ht_debugfile_open(ask, path, f);
}

/* What of it is in a file that others have a part in, too. */
static void open_shared(const struct ht_debugfile_ask *ask, struct wanted *w,
			const struct ht_lines_build *b, struct ht_place_of *of)
{
	if (of->file < 0 || !b->shared[0])
		return;
	w->id = b->shared_id;
	w->id_len = b->shared_id_len;
	of->shared =
		ht_debugfile_shared(ask, of->file, b->shared, w->id, w->id_len);
	if (of->shared < 0)
		snprintf(of->missing, sizeof(of->missing), "%.120s", b->shared);
}

static void open_one(struct ht_places *p, const struct ht_target *t,
		     const struct ht_image_at *image,
		     const struct ht_module *module, int64_t until_ns,
		     struct ht_place_of *of)
{
	struct wanted w = {.p = p, .until_ns = until_ns};
	struct ht_debugfile_ask ask = {t->pid, t->sysroot, is_wanted, &w};
	struct ht_lines_build own, found;

	if (ht_lines_role_look(&p->role, module->fd, false, until_ns, &own,
			       NULL) != HT_OK)
		return;
	found = own;
	if (own.described) {
		of->file = module->fd;
	} else {
		w.id = own.id;
		w.id_len = own.id_len;
		w.sum = own.link_sum;
		of->file = open_separate(&ask, image->path, &own);
		of->own = of->file >= 0;
		found = w.build;
	}
	open_shared(&ask, &w, &found, of);
}

static void open_all(struct ht_places *p, const struct ht_target *t,
		     const struct ht_images *images)
{
	int64_t until_ns = ht_mono_ns() + OPENING_NS;

	for (size_t i = 0; i < images->n; i++) {
		uint32_t m =
			ht_modules_at(p->modules, images->v[i].start, NULL);
		const struct ht_module *module = &p->modules->v[m];

		if (m == HT_MODULE_NONE || module->fd < 0 || p->of[m].file >= 0)
			continue;
		if (p->role.socket < 0 || ht_mono_ns() >= until_ns) {
			snprintf(
				p->trouble, sizeof(p->trouble),
				"%s and others behind it: it took too long to look for their debug information",
				module->name);
			return;
		}
		open_one(p, t, &images->v[i], module, until_ns, &p->of[m]);
	}
}

enum ht_code ht_places_begin(struct ht_places *p, const struct ht_target *t,
			     struct ht_err *err)
{
	HT_AUTO_IMAGES struct ht_images images = {0};
	struct ht_maps maps = {0};
	struct ht_locate_in in = {.pid = t->pid,
				  .reader = t->reader,
				  .exe_path = t->exe_path,
				  .sysroot = t->sysroot,
				  .maps = &maps};
	enum ht_code code;

	*p = HT_PLACES_NONE;
	p->modules = &t->modules;
	p->of = calloc(t->modules.n + 1, sizeof(*p->of));
	if (!p->of)
		return ht_fail(err, HT_NOMEM, "no memory for modules");
	for (size_t i = 0; i < t->modules.n; i++)
		p->of[i] = (struct ht_place_of){.file = -1, .shared = -1};
	code = ht_maps_read(t->pid, &maps, err);
	if (code == HT_OK)
		code = ht_images_find(&in, &images, err);
	if (code == HT_OK)
		code = ht_lines_role_start("/proc/self/exe", &p->role, err);
	if (code == HT_OK)
		open_all(p, t, &images);
	ht_maps_fini(&maps);
	return code;
}

void ht_places_fini(struct ht_places *p)
{
	ht_lines_role_stop(&p->role);
	for (size_t i = 0; p->of && i < p->modules->n; i++) {
		if (p->of[i].own)
			close(p->of[i].file);
		if (p->of[i].shared >= 0)
			close(p->of[i].shared);
	}
	free(p->of);
	free(p->at);
	free(p->line);
	*p = HT_PLACES_NONE;
}

/* --- finding ------------------------------------------------------------- */

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

static const struct ht_place_at *look_up(const struct ht_places *p,
					 uint64_t address)
{
	return p->at ? bsearch(&address, p->at, p->at_n, sizeof(*p->at),
			       by_number)
		     : NULL;
}

/* Addresses of calls in the sites that are new, each once. */
static uint64_t *addresses(const struct ht_places *p, const struct ht_stacks *s,
			   size_t *ret_n)
{
	size_t most = 0, n = 0, kept = 0;
	uint64_t *v;

	for (uint32_t i = p->sites; i < s->n; i++)
		most += s->v[i].n;
	v = calloc(most + 1, sizeof(*v));
	for (uint32_t i = p->sites; v && i < s->n; i++)
		for (unsigned k = 0; k < s->v[i].n; k++)
			if (!look_up(p, s->v[i].pc[k] - 1))
				v[n++] = s->v[i].pc[k] - 1;
	if (n)
		qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || v[i] != v[kept - 1])
			v[kept++] = v[i];
	*ret_n = kept;
	return v;
}

/* Those of one module that are asked for at once. */
struct asked {
	struct ht_places *p;
	struct ht_place_at *at; /* one for each address */
	unsigned unnamed;	/* inlined functions */
};

static bool take_line(void *ctx, const struct ht_source *l)
{
	struct asked *a = ctx;
	struct ht_places *p = a->p;
	struct ht_place_at *at = &a->at[l->index];
	struct ht_source *more;

	if (p->line_n == LINES_MAX || (at->n && at->first + at->n != p->line_n))
		return false;
	if (p->line_n == p->line_room) {
		size_t room = p->line_room ? 2 * p->line_room : 256;

		more = reallocarray(p->line, room, sizeof(*more));
		if (!more)
			return false;
		p->line = more;
		p->line_room = room;
	}
	a->unnamed += l->inlined && !l->function[0];
	if (at->n++ == 0)
		at->first = (uint32_t)p->line_n;
	p->line[p->line_n++] = *l;
	return true;
}

static void tell_unnamed(struct ht_places *p, uint32_t module, unsigned n)
{
	const char *missing = p->of[module].missing;

	if (n == 0 || p->trouble[0])
		return;
	snprintf(
		p->trouble, sizeof(p->trouble),
		*missing
			? "names of %u inlined functions of %.60s were moved by dwz to %.120s, which was not found"
			: "names of %u inlined functions of %.60s are of a form that cannot be read",
		n, p->modules->v[module].name, missing);
}

static void ask(struct ht_places *p, uint32_t module, struct ht_place_at *at,
		size_t n, int64_t until_ns)
{
	const struct ht_place_of *of = &p->of[module];
	uint64_t address[HT_LINES_AT_ONCE];
	struct asked a = {.p = p, .at = at};
	struct ht_err why = {0};

	for (size_t i = 0; i < n; i++)
		address[i] = at[i].address - p->modules->v[module].bias;
	if (p->role.socket < 0)
		return;
	if (ht_lines_role_find(&p->role, of->file, of->shared, address,
			       (uint32_t)n, until_ns, take_line, &a,
			       &why) == HT_OK)
		tell_unnamed(p, module, a.unnamed);
	else
		snprintf(p->trouble, sizeof(p->trouble), "%.100s: %.180s",
			 p->modules->v[module].name, why.msg);
}

/* Sorted addresses, module by module. */
static void ask_all(struct ht_places *p, struct ht_place_at *at, size_t n,
		    int64_t until_ns)
{
	for (size_t i = 0, end; i < n; i = end) {
		uint32_t m = ht_modules_at(p->modules, at[i].address, NULL);

		for (end = i + 1; end < n && end - i < HT_LINES_AT_ONCE; end++)
			if (ht_modules_at(p->modules, at[end].address, NULL) !=
			    m)
				break;
		if (m != HT_MODULE_NONE && p->of[m].file >= 0)
			ask(p, m, at + i, end - i, until_ns);
	}
}

void ht_places_find(struct ht_places *p, const struct ht_stacks *s,
		    int64_t until_ns)
{
	HT_AUTO_FREE uint64_t *v = NULL;
	struct ht_place_at *more;
	size_t n = 0;

	if (!p->of || p->sites == s->n)
		return;
	v = addresses(p, s, &n);
	more = v ? reallocarray(p->at, p->at_n + n + 1, sizeof(*more)) : NULL;
	if (!more)
		return;
	p->at = more;
	for (size_t i = 0; i < n; i++)
		more[p->at_n + i] = (struct ht_place_at){.address = v[i]};
	ask_all(p, more + p->at_n, n, until_ns);
	p->at_n += n;
	qsort(p->at, p->at_n, sizeof(*p->at), by_number);
	p->sites = s->n;
}

size_t ht_places_at(const struct ht_places *p, uint64_t pc,
		    const struct ht_source **ret)
{
	const struct ht_place_at *at = look_up(p, pc - 1);

	if (!at || at->n == 0)
		return 0;
	*ret = &p->line[at->first];
	return at->n;
}
