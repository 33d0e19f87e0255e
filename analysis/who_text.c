/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/who_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/demangle.h"

#define TOLD	  2 /* sites */
#define FUNCTIONS 3 /* of a site */

struct line {
	char *v;
	size_t n;
};

static __attribute__((format(printf, 2, 3))) void add(struct line *l,
						      const char *form, ...)
{
	va_list args;
	int n;

	if (l->n >= HT_HELD_BY_TEXT)
		return;
	va_start(args, form);
	n = vsnprintf(l->v + l->n, HT_HELD_BY_TEXT - l->n, form, args);
	va_end(args);
	l->n += n > 0 ? (size_t)n : 0;
}

/* Nobody is to blame for being malloc's C++ name. */
static bool is_allocator(const struct ht_stack_frame *f)
{
	return strncmp(f->function, "_Znw", 4) == 0 ||
	       strncmp(f->function, "_Zna", 4) == 0;
}

static void add_frame(struct line *l, const struct ht_stack_frame *f,
		      const char *quote)
{
	char name[160];

	if (*f->function)
		add(l, "%s%s%s", quote,
		    ht_demangle_function(f->function, name, sizeof(name)),
		    quote);
	else
		add(l, "%s%s+0x%" PRIx64 "%s", quote,
		    *f->module ? f->module : "?", f->offset, quote);
}

/* The innermost functions; the first one's frame, or NULL. */
static const struct ht_stack_frame *add_functions(struct line *l,
						  const struct ht_snapshot *s,
						  size_t site,
						  const char *quote)
{
	const struct ht_stack_frame *first = NULL;
	unsigned told = 0;

	for (size_t i = 0; i < s->stack_frames.n && told < FUNCTIONS; i++) {
		const struct ht_stack_frame *f = &s->stack_frames.v[i];

		if (f->site != site || (!first && is_allocator(f)))
			continue;
		if (told++)
			add(l, " < ");
		add_frame(l, f, quote);
		first = first ? first : f;
	}
	return first;
}

/* The innermost functions, and the line of the first. */
static void add_stack(struct line *l, const struct ht_snapshot *s, size_t site)
{
	const struct ht_stack_frame *first = add_functions(l, s, site, "`");

	if (first && *first->file && first->line != HT_UNKNOWN) {
		const char *slash = strrchr(first->file, '/');

		add(l, " (%s:%" PRIu64 ")", slash ? slash + 1 : first->file,
		    first->line);
	}
}

static void add_site(struct line *l, const struct ht_snapshot *seen,
		     const struct ht_who_site *w, const char *after)
{
	const struct ht_site *s = &seen->sites.v[w->site];

	add_stack(l, seen, w->site);
	if (isnan(w->survival))
		add(l, ", which writes to its chunks all the time, seen for %s",
		    after);
	else
		add(l, ", %" PRIu64 " of %" PRIu64 " chunks alive after %s",
		    s->old_alive, s->old_samples, after);
	if (!isnan(w->share_of_growth))
		add(l, ", %.0f %% of the growth", 100 * w->share_of_growth);
}

/* Who takes new pages: what stays is not known by it. */
static void add_growers(struct line *l, const struct ht_snapshot *seen,
			const struct ht_who_judged *j, const char *after)
{
	if (j->n == 0) {
		add(l, "not known: no page of the heap was new in %s", after);
		return;
	}
	add(l, "not known; first to write to new pages of the heap, in %s: ",
	    after);
	for (size_t i = 0; i < j->n && i < TOLD; i++) {
		if (i > 0)
			add(l, "; ");
		add_stack(l, seen, j->v[i].site);
		if (!isnan(j->v[i].share_of_growth))
			add(l, ", %.0f %% of them",
			    100 * j->v[i].share_of_growth);
	}
}

void ht_who_text(const struct ht_snapshot *seen, const struct ht_who_judged *j,
		 char out[HT_HELD_BY_TEXT])
{
	const struct ht_windows *w = seen->windows.v;
	struct line l = {.v = out};
	char after[32];
	unsigned told = 0;

	*out = '\0';
	ht_duration_text(
		seen->windows.n ? (int64_t)w->followed_us * HT_NS_PER_US : 0,
		after, sizeof(after));
	if (seen->windows.n && w->way == HT_WAY_GROWTH) {
		add_growers(&l, seen, j, after);
		return;
	}
	for (size_t i = 0; i < j->n && told < TOLD; i++) {
		if (j->v[i].leaking != HT_LEAKING_YES)
			continue;
		if (told++)
			add(&l, "; ");
		add_site(&l, seen, &j->v[i], after);
	}
	if (!told)
		add(&l,
		    "not sure: of %zu call stacks, %" PRIu64
		    " chunks in %s, none was seen whose chunks stay while their sizes grow",
		    j->n, seen->windows.n ? w->samples : 0, after);
}

void ht_who_site_name(const struct ht_snapshot *seen, size_t site,
		      char out[HT_HELD_BY_TEXT])
{
	struct line l = {.v = out};

	*out = '\0';
	if (!add_functions(&l, seen, site, ""))
		add(&l, "?");
}
