/* SPDX-License-Identifier: Apache-2.0 */
/* What grows outside malloc: by name, as far as mappings tell. */
#include "analysis/evidence_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/runtimes.h"
#include "analysis/thresholds.h"

/* glibc keeps stacks of threads that ended for the next one, up to so much of
 * them; what is more was never joined (nptl: stack_cache_maxsize). */
#define STACK_CACHE (40 * 1048576)

static const struct {
	const char *what;   /* without a name */
	const char *prefix; /* of its name; NULL: the name says nothing */
	const char *remedy;
} kinds[HT_MAPPING_KIND_COUNT] = {
	[HT_MAPPING_FILE_CLEAN] = {"mapped files", "the mapped file ",
				   "munmap() it or MADV_DONTNEED when done"},
	[HT_MAPPING_FILE_PRIVATE] =
		{"private file mappings",
		 "what is written to the private mapping of ",
		 "written pages of a private mapping are the process's own: map it shared, or only read it"},
	[HT_MAPPING_BSS] = {"static data", "static data of ",
			    "a static table is written further and further"},
	[HT_MAPPING_STACK] =
		{"the main thread's stack", NULL,
		 "look for deep recursion and large arrays on the stack"},
	[HT_MAPPING_THREAD_STACK] =
		{"stacks of threads", NULL,
		 "look for more threads than before, deep recursion, large arrays on stacks"},
	[HT_MAPPING_ANON] =
		{"anonymous mappings of its own", "",
		 "look for mmap() pools and other allocators; `heaptide map PID` lists them by size"},
	[HT_MAPPING_SHMEM] =
		{"shared memory (anonymous)", "shared memory ",
		 "who shares a segment holds the same pages: it counts once for the machine"},
	[HT_MAPPING_HUGETLB] = {"huge pages", "huge pages ",
				"look who maps the huge page pool"},
	[HT_MAPPING_BRK_OTHER] = {"memory below brk that is not malloc's", "",
				  "look who else calls sbrk()"},
	[HT_MAPPING_SPECIAL] = {"the kernel's mappings", NULL,
				"nothing of the program's"},
	[HT_MAPPING_ENDED_STACK] =
		{"stacks of threads that ended", NULL,
		 "pthread_join() or pthread_detach() each thread: until then its stack and thread block stay, two mappings each"},
};

static double last_known(const struct ht_window *w, const double *rows)
{
	for (size_t i = w->begin[w->n]; i-- > w->begin[0];)
		if (!isnan(rows[i]))
			return rows[i];
	return NAN;
}

/* How many stacks, and what that means. */
static void name_ended(const struct told *t, const struct ht_mapping_series *s,
		       char *ret, size_t size)
{
	double n = last_known(&t->m->w, s->count);
	double bytes = last_known(&t->m->w, s->size);

	if (bytes > STACK_CACHE + bytes / fmax(n, 1))
		snprintf(
			ret, size,
			"stacks of %.0f threads that ended and were never joined",
			n);
	else
		snprintf(
			ret, size,
			"stacks of %.0f threads that ended (glibc keeps up to 40 MiB of them for the next)",
			n);
}

/* A name that says no more than the kind does. */
static bool says_nothing(enum ht_mapping_kind kind, const char *name)
{
	return !name[0] || !kinds[kind].prefix || strcmp(name, "[heap]") == 0 ||
	       strcmp(name, "/dev/zero") == 0;
}

void ht_mapping_words(enum ht_mapping_kind kind, const char *name, char *ret,
		      size_t size)
{
	if (says_nothing(kind, name))
		snprintf(ret, size, "%s", kinds[kind].what);
	else
		snprintf(ret, size, "%s%.110s", kinds[kind].prefix, name);
}

static void name_mapping(const struct told *t,
			 const struct ht_mapping_series *s)
{
	char *to = t->v->culprit;
	size_t size = sizeof(t->v->culprit);

	if (s->kind == HT_MAPPING_ENDED_STACK)
		name_ended(t, s, to, size);
	else
		ht_mapping_words((enum ht_mapping_kind)s->kind, s->name, to,
				 size);
}

void ht_and_kin(struct ht_verdict *v, const struct ht_bound *b)
{
	size_t at = strlen(v->culprit);

	if (b->kin)
		snprintf(v->culprit + at, sizeof(v->culprit) - at,
			 " and %zu more", b->kin);
}

/* The mapping that gained most. */
void ht_culprit_line(const struct told *t)
{
	const struct ht_bound *b = &t->m->bound;

	if (!b->most || b->most->kind >= HT_MAPPING_KIND_COUNT)
		return;
	name_mapping(t, b->most);
	ht_and_kin(t->v, b);
	ht_say(t->v, "%s gained %s", t->v->culprit, B(b->kin_told));
}

/* What it fills, and when it is full. */
static void bound_line(const struct told *t)
{
	const struct ht_bound *b = &t->m->bound;
	double speed = t->m->outside_growth.slope;

	ht_say(t->v,
	       "%s of its %s are resident in this process: it ends there, %s from now, in about %s at this speed",
	       B(b->used), B(b->size), B(b->room),
	       speed > 0 ? ht_span(b->room / speed).text : "?");
}

/* What to do about the mapping that gained most. */
static const char *remedy_for(const struct ht_bound *b)
{
	const struct ht_mapping_series *s = b->most;
	bool known =
		s->kind == HT_MAPPING_ANON || s->kind == HT_MAPPING_BRK_OTHER;
	const char *own = known ? ht_runtime_advice(s->name) : NULL;

	if (s->kind == HT_MAPPING_BSS && b->kin && 2 * b->came > b->kin)
		return "each library that is loaded brings its own: look for dlopen() without dlclose()";
	return own ? own : kinds[s->kind].remedy;
}

void ht_tell_outside(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED)
		ht_lasting_lines(t, "memory outside malloc");
	else
		ht_steady_line(t, "memory outside malloc", &m->outside_growth);
	if (m->in_use.n)
		ht_say(t->v, "malloc's in use %s -> %s in the same time",
		       B(ht_first_level(&m->in_use)),
		       B(ht_last_level(&m->in_use)));
	else
		ht_say(t->v,
		       "glibc's malloc was not measured: another allocator serves the program, or its heap could not be read");
	ht_culprit_line(t);
}

/* Where to look for who takes it. */
static const char *look_at(const struct told *t)
{
	return t->v->culprit[0]
		       ? remedy_for(&t->m->bound)
		       : "look at stacks, own mmap() pools, an interpreter's heap, static tables, other allocators (`heaptide map PID` lists them)";
}

void ht_remedy_outside(const struct told *t)
{
	ht_remedy(t, NAN, "not malloc's%s%s: %s",
		  t->v->culprit[0] ? ", but " : "", t->v->culprit, look_at(t));
}

void ht_tell_bounded(const struct told *t)
{
	ht_tell_outside(t);
	bound_line(t);
}

void ht_remedy_bounded(const struct told *t)
{
	ht_remedy(t, NAN, "no leak: %s fills up and ends at its size (%s); %s",
		  t->v->culprit[0] ? t->v->culprit : "it", B(t->m->bound.size),
		  look_at(t));
}
