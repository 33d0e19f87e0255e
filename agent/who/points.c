/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/points.h"

#include <string.h>

#include "agent/who/unnamed.h"

/* endbr64: the kernel executes it out of line, which takes three times as long
 * as the instruction behind it. */
static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};

static const char *const names[] = {
	"malloc",   "calloc",	      "realloc", "aligned_alloc",
	"memalign", "posix_memalign", "valloc",	 "pvalloc"};
#define NAMES (sizeof(names) / sizeof(names[0]))
static const enum ht_probe_kind kinds[NAMES] = {
	HT_PROBE_SIZE_1, HT_PROBE_PRODUCT, HT_PROBE_REALLOC, HT_PROBE_SIZE_2,
	HT_PROBE_SIZE_2, HT_PROBE_SIZE_3,  HT_PROBE_SIZE_1,  HT_PROBE_SIZE_1};

static bool has_point(const struct ht_probe_open *o, uint64_t address)
{
	for (uint32_t i = 0; i < o->points; i++)
		if (o->point[i].address == address)
			return true;
	return false;
}

/* A function's first instruction that is worth a breakpoint; false: it does not
 * lie in code of the file. */
static bool add_point(const struct ht_modules *m, uint64_t address,
		      enum ht_probe_kind kind, struct ht_probe_open *o)
{
	const struct ht_module_load *l;
	uint8_t code[sizeof(endbr64)];

	if (ht_modules_at(m, address, &l) == HT_MODULE_NONE || !l->exec ||
	    ht_modules_file(m, address, code, sizeof(code)) < sizeof(code))
		return false;
	if (memcmp(code, endbr64, sizeof(code)) == 0)
		address += sizeof(code);
	if (has_point(o, address) || o->points == HT_PROBE_POINTS)
		return true;
	o->point[o->points++] = (struct ht_probe_point){
		.offset = address - l->start + l->offset,
		.address = address,
		.file = o->files,
		.kind = kind};
	return true;
}

static enum ht_code refuse_target(const struct ht_target *t, struct ht_err *err)
{
	if (t->reader->word != sizeof(uint64_t))
		return ht_fail_hint(
			err, HT_UNSUPPORTED, HT_HINT_NONE,
			"process %d is a 32-bit program: calls of malloc are seen in 64-bit ones only",
			(int)t->pid);
	if (t->located.n == 0)
		return ht_fail_hint(
			err, HT_UNSUPPORTED, HT_HINT_PROCESS_ONLY,
			"process %d does not use glibc's malloc (%s): who allocates cannot be told",
			(int)t->pid, t->located.libc.allocator);
	return HT_OK;
}

/* Why no point was found in the file that serves malloc. */
static enum ht_code refuse_file(const struct ht_target *t, struct ht_err *err)
{
	uint32_t m = ht_modules_at(&t->modules, t->located.malloc[0].main_arena,
				   NULL);

	if (m == HT_MODULE_NONE)
		return ht_fail(err, HT_SYS,
			       "process %d: malloc's file was not found",
			       (int)t->pid);
	if (t->modules.v[m].fd < 0)
		return ht_fail_hint(
			err, HT_DENIED, HT_HINT_ROOT_OR_RESTART,
			"process %d: its %s cannot be opened (deleted, replaced, or not ours to read)",
			(int)t->pid, t->modules.v[m].name);
	return ht_fail_hint(
		err, HT_UNSUPPORTED, HT_HINT_NONE,
		"process %d: neither a symbol of %s nor how its code is built says where malloc is (a static program that was stripped)",
		(int)t->pid, t->modules.v[m].name);
}

/* Where no symbol tells. */
static void add_unnamed(const struct ht_modules *m, uint32_t module,
			struct ht_probe_open *o)
{
	struct ht_unnamed u;

	if (!ht_unnamed_find(&m->v[module], &u))
		return;
	add_point(m, u.malloc, HT_PROBE_SIZE_1, o);
	if (u.calloc)
		add_point(m, u.calloc, HT_PROBE_PRODUCT, o);
	if (u.realloc)
		add_point(m, u.realloc, HT_PROBE_REALLOC, o);
	if (u.memalign)
		add_point(m, u.memalign, HT_PROBE_SIZE_2, o);
}

enum ht_code ht_points_find(const struct ht_target *t,
			    struct ht_probe_open *ret, int fds[HT_PROBE_FILES],
			    bool *unnamed, struct ht_err *err)
{
	const struct ht_modules *m = &t->modules;
	enum ht_code code = refuse_target(t, err);

	*ret = (struct ht_probe_open){.magic = HT_PROBE_MAGIC,
				      .pid = (uint32_t)t->pid,
				      .way = HT_PROBE_BEST};
	*unnamed = false;
	for (size_t i = 0; code == HT_OK && i < t->located.n; i++) {
		uint32_t module =
			ht_modules_at(m, t->located.malloc[i].main_arena, NULL);
		uint32_t before = ret->points;
		uint64_t at[NAMES];

		if (module == HT_MODULE_NONE || m->v[module].fd < 0 ||
		    ret->files == HT_PROBE_FILES)
			continue;
		ht_modules_functions(m, module, names, NAMES, at);
		for (size_t k = 0; k < NAMES; k++)
			if (at[k])
				add_point(m, at[k], kinds[k], ret);
		if (ret->points == before) {
			add_unnamed(m, module, ret);
			*unnamed |= ret->points > before;
		}
		if (ret->points > before)
			fds[ret->files++] = m->v[module].fd;
	}
	if (code == HT_OK && ret->points == 0)
		return refuse_file(t, err);
	return code;
}
