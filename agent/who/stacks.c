/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/stacks.h"

#include <string.h>

#include "agent/memory/frames.h"
#include "agent/memory/thread_state.h"
#include "common/cleanup.h"

enum ht_code ht_stacks_begin(const struct ht_modules *m, struct ht_reader *r,
			     struct ht_stacks *ret, struct ht_err *err)
{
	*ret = (struct ht_stacks){.modules = m, .reader = r};
	ret->v = calloc(HT_SITES_MAX, sizeof(*ret->v));
	ret->table = calloc(m->n + 1, sizeof(*ret->table));
	return ret->v && ret->table
		       ? HT_OK
		       : ht_fail(err, HT_NOMEM, "no memory for stacks");
}

void ht_stacks_fini(struct ht_stacks *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	for (size_t i = 0; s->table && i < s->modules->n; i++)
		ht_frame_table_fini(&s->table[i]);
	free(s->table);
	free(s->v);
	*s = (struct ht_stacks){0};
}

/* --- what unwinding sees ------------------------------------------------- */

/* The stack as it was, and files; no memory that may have changed since. */
struct view {
	const struct ht_stacks *stacks;
	const struct ht_maps *maps;
	const struct ht_probe_sample *sample;
};

static size_t read_view(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct view *v = ctx;
	uint64_t in = addr - v->sample->regs.sp;
	const struct ht_vma *vma;
	size_t got;

	if (in < v->sample->stack_len) {
		if (len > v->sample->stack_len - in)
			len = (size_t)(v->sample->stack_len - in);
		memcpy(buf, v->sample->stack + in, len);
		return len;
	}
	got = ht_modules_file(v->stacks->modules, addr, buf, len);
	if (got > 0)
		return got;
	/* A module's data: where its personality routines are. Not the stacks,
	 * which are others by now. */
	vma = ht_maps_at(v->maps, addr);
	if (!vma ||
	    (vma->flags & HT_VMA_WRITE &&
	     ht_modules_at(v->stacks->modules, addr, NULL) == HT_MODULE_NONE))
		return 0;
	return ht_reader_some(v->stacks->reader, addr, buf, len);
}

static const struct ht_reader_ops view_ops = {.name = "sampled stack",
					      .read = read_view};

/* Made when it is asked for: of most files never. */
static bool find_table(void *ctx, uint64_t pc, struct ht_frames_table *ret)
{
	struct ht_stacks *s = ctx;
	uint32_t m = ht_modules_at(s->modules, pc, NULL);
	struct ht_frame_table *t;

	if (m == HT_MODULE_NONE)
		return false;
	t = &s->table[m];
	if (!t->made)
		ht_frame_table_make(&s->modules->v[m], t);
	*ret = (struct ht_frames_table){t->base, t->row, t->n};
	return t->n > 0;
}

struct unwinding {
	struct ht_site_stack *site;
	uint64_t sp;
};

static bool take_frame(void *ctx, const struct ht_call_frame *f)
{
	struct unwinding *u = ctx;
	struct ht_site_stack *s = u->site;
	/* A frame's caller is where its return address stood, below its sp. */
	uint64_t at = f->sp - sizeof(uint64_t) - u->sp;

	s->pc[s->n] = f->pc;
	s->at[s->n++] = at < UINT32_MAX ? (uint32_t)at : UINT32_MAX;
	return s->n < HT_STACK_FRAMES_MAX;
}

static bool pass_frame(void *ctx, const struct ht_call_frame *f)
{
	(void)ctx;
	(void)f;
	return true;
}

static void unwind(struct ht_stacks *s, const struct ht_maps *maps,
		   const struct ht_probe_sample *sample,
		   struct ht_site_stack *ret)
{
	const struct view view = {s, maps, sample};
	struct ht_reader reader = {.ops = &view_ops,
				   .ctx = (void *)(uintptr_t)&view,
				   .word = sizeof(uint64_t),
				   .bytes_left = UINT64_MAX};
	const struct ht_thread_state at = {.pc = sample->regs.pc,
					   .sp = sample->regs.sp,
					   .frame = sample->regs.frame,
					   .registers = true};
	struct unwinding u = {ret, sample->regs.sp};
	const struct ht_frames_aid aid = {find_table, s};

	/* A frame that nothing describes is guessed at, and may end a stack. */
	ret->whole =
		ht_frames_each(&at, &reader, maps, &aid, take_frame, &u) &&
		ht_frames_surely(&at, &reader, maps, &aid, pass_frame, NULL);
	s->unwound++;
}

/* --- sites --------------------------------------------------------------- */

/* Whether the return addresses of a site stand in this stack, where its own
 * stood. Those of a site whose end was out of reach say too little. */
static bool stands_in(const struct ht_site_stack *s,
		      const struct ht_probe_sample *sample)
{
	if (s->n == 0 || !s->whole || s->pc[0] != sample->regs.pc)
		return false;
	for (unsigned i = 1; i < s->n; i++) {
		uint64_t word;

		if ((uint64_t)s->at[i] + sizeof(word) > sample->stack_len)
			return false;
		memcpy(&word, sample->stack + s->at[i], sizeof(word));
		if (word != s->pc[i])
			return false;
	}
	return true;
}

static bool is_same(const struct ht_site_stack *a,
		    const struct ht_site_stack *b)
{
	return a->n == b->n && a->whole == b->whole &&
	       memcmp(a->pc, b->pc, a->n * sizeof(a->pc[0])) == 0;
}

uint32_t ht_stacks_site(struct ht_stacks *s, const struct ht_maps *maps,
			const struct ht_probe_sample *sample)
{
	struct ht_site_stack found = {0};

	for (uint32_t i = 0; i < s->n; i++)
		if (stands_in(&s->v[i], sample))
			return i;
	unwind(s, maps, sample, &found);
	for (uint32_t i = 0; i < s->n; i++)
		if (is_same(&s->v[i], &found))
			return i;
	if (s->n == HT_SITES_MAX)
		return HT_SITE_NONE;
	s->v[s->n] = found;
	return s->n++;
}

/* --- names --------------------------------------------------------------- */

/* A return address is behind the call, perhaps in the next function. */
static uint64_t call_of(uint64_t pc)
{
	return pc - 1;
}

static void take_name(struct ht_site_stack *s, const struct ht_name *names,
		      size_t n)
{
	s->name = calloc(s->n ? s->n : 1, sizeof(*s->name));
	for (unsigned i = 0; s->name && i < s->n; i++) {
		size_t low = 0, high = n;

		while (low < high) {
			size_t mid = low + (high - low) / 2;

			if (names[mid].address < call_of(s->pc[i]))
				low = mid + 1;
			else
				high = mid;
		}
		if (low < n && names[low].address == call_of(s->pc[i]))
			s->name[i] = names[low];
	}
}

/* All that are new at once: naming reads symbol tables from end to end. */
void ht_stacks_name(struct ht_stacks *s)
{
	HT_AUTO_FREE struct ht_name *names = NULL;
	size_t n = 0;

	for (uint32_t i = s->named; i < s->n; i++)
		n += s->v[i].n;
	if (n == 0)
		return;
	names = calloc(n, sizeof(*names));
	if (!names)
		return;
	n = 0;
	for (uint32_t i = s->named; i < s->n; i++)
		for (unsigned k = 0; k < s->v[i].n; k++)
			names[n++].address = call_of(s->v[i].pc[k]);
	ht_modules_name(s->modules, names, n);
	for (; s->named < s->n; s->named++)
		take_name(&s->v[s->named], names, n);
}
