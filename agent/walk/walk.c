/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/walk/census.h"
#include "agent/walk/heaps.h"
#include "agent/walk/light.h"
#include "agent/walk/marks.h"
#include "agent/walk/round.h"
#include "agent/walk/sound.h"
#include "agent/walk/walk.h"
#include "common/invariant.h"

#define PAGES_MAX (UINT64_C(4) << 30)

static int by_chunk(const void *x, const void *y)
{
	const struct ht_cached *a = x, *b = y;

	return (a->chunk > b->chunk) - (a->chunk < b->chunk);
}

/* A chunk can be in one cache only. */
static void check_cached(struct ht_walk *w)
{
	struct ht_roots *r = w->roots;
	size_t kept = 0;

	if (r->cached_n)
		qsort(r->cached, r->cached_n, sizeof(*r->cached), by_chunk);
	for (size_t i = 0; i < r->cached_n; i++) {
		if (!w->in->light)
			r->cached[i].size = 0; /* until it is met */
		if (kept && r->cached[kept - 1].chunk == r->cached[i].chunk) {
			ht_walk_find(w->out, "tcache_twice", r->cached[i].chunk,
				     HT_UNKNOWN,
				     "a chunk that is cached twice");
			continue;
		}
		r->cached[kept++] = r->cached[i];
	}
	r->cached_n = kept;
	HT_ASSERT(ht_cached_sound(r));
	if (r->cached_cut)
		ht_snapshot_warn(
			w->out,
			"more than %u cached chunks: the rest counts as in use",
			HT_CACHED_MAX);
}

/* A cached chunk that the pass did not meet is none. */
static void check_met(struct ht_walk *w)
{
	uint64_t lost = 0, first = 0;

	for (size_t i = 0; i < w->roots->cached_n; i++)
		if (w->roots->cached[i].size == 0 && lost++ == 0)
			first = w->roots->cached[i].chunk;
	if (lost && !w->unread)
		ht_walk_find(
			w->out, "tcache_lost", first, HT_UNKNOWN,
			"%llu cached chunks are no chunks in use of any heap, this one first",
			(unsigned long long)lost);
}

/* Threads, findings and warnings that the roots brought. */
static bool take_notes(struct ht_walk *w)
{
	const struct ht_snapshot *notes = &w->roots->notes;
	bool ok = true;

	for (size_t i = 0;
	     ok && w->in->want & HT_WANT_THREADS && i < notes->threads.n; i++) {
		struct ht_thread *t = ht_snapshot_add_thread(w->out);

		ok = t;
		if (t)
			*t = notes->threads.v[i];
	}
	for (size_t i = 0; i < notes->warnings.n; i++)
		ht_snapshot_warn(w->out, "%s", notes->warnings.v[i].text);
	if (w->roots->swapped > 0)
		ht_snapshot_warn(
			w->out,
			"%llu of malloc's own structures were not read: they are %s",
			(unsigned long long)w->roots->swapped,
			w->in->reader->withheld_reads
				? "absent and under userfaultfd, and are not asked for"
				: "swapped out, and stay so");
	if ((w->in->moving || w->roots->swapped) &&
	    ht_tcache_unread_n(w->roots) > 0)
		ht_snapshot_warn(
			w->out,
			"%zu threads: their caches could not be read and count as in use",
			ht_tcache_unread_n(w->roots));
	/* Those of a target that stood still then, if not now. */
	for (size_t i = 0;
	     i < notes->findings.n && (!w->in->moving || w->in->rested); i++) {
		const struct ht_finding *f = &notes->findings.v[i];

		ht_snapshot_find(w->out, f->code, f->address, f->arena, "%s",
				 f->text);
	}
	return ok;
}

/* Where no list told, the version does: 2.32 and later mangle links (some
 * vendors' older ones too, so that an older version proves nothing). */
static void tell_linking(struct ht_walk *w)
{
	struct ht_libc *libc = &w->out->libc;
	unsigned minor = 0;

	if (w->roots->spaces == 0)
		return;
	if (w->roots->space[0].safe_linking_known)
		libc->safe_linking = w->roots->space[0].safe_linking;
	else if (sscanf(libc->version, "2.%u", &minor) == 1 && minor >= 32)
		libc->safe_linking = true;
}

static bool is_spread(const struct ht_walk *w, uint64_t arena)
{
	return arena >= w->roots->arenas ||
	       !ht_arena_contiguous(&w->roots->arena[arena]);
}

/* Segments of several libcs were dealt out by guess: what does not fit then is
 * no damage, but uncertain. */
static void doubt_spread(struct ht_walk *w)
{
	struct ht_snapshot *s = w->out;
	size_t kept = 0;

	if (w->census.spread < 2)
		return;
	for (size_t i = 0; i < s->findings.n; i++)
		if (!is_spread(w, s->findings.v[i].arena))
			s->findings.v[kept++] = s->findings.v[i];
	if (!w->census.guessed && kept == s->findings.n)
		return; /* each had all of its own beside its top */
	ht_snapshot_cut(s, HT_RECORD_finding, kept);
	for (size_t i = 0; i < w->roots->arenas; i++)
		if (w->roots->arena[i].main && is_spread(w, i))
			s->stop.uncertain_bytes += w->roots->arena[i].system;
	ht_snapshot_warn(
		s,
		"%u mallocs have memory side by side in mappings, and nothing says whose it is: some may be counted for another one",
		w->census.spread);
}

/* What thread caches hold is not in use. */
static enum ht_code end_marks(const struct ht_walk *w, struct ht_err *err)
{
	struct ht_marks *m = w->in->marks;

	if (!m)
		return HT_OK;
	for (size_t i = 0; i < w->roots->cached_n; i++)
		if (w->roots->cached[i].size)
			ht_marks_drop(m, w->roots->cached[i].chunk);
	return ht_marks_end(m, &w->census.mmapped)
		       ? HT_OK
		       : ht_fail(err, HT_NOMEM, "no memory for chunks");
}

static enum ht_code walk_all(struct ht_walk *w, struct ht_err *err)
{
	enum ht_code code = ht_census_take(w, err);

	ht_round_begin(w->in);
	if (code == HT_OK)
		code = ht_arenas_walk(w, err);
	if (code != HT_OK)
		return code;
	if (!w->in->light)
		check_met(w);
	code = end_marks(w, err);
	if (code == HT_OK)
		code = w->sparse ? ht_rss_of_free(w, err) : ht_rss(w, err);
	ht_census_warn(w);
	return code == HT_OK ? ht_totals(w, err) : code;
}

bool ht_walk_rested(const struct ht_walk_in *in)
{
	if (ht_walk_is_late(in) || ht_reader_is_late(in->reader))
		return false;
	return !in->moving || (in->rested && in->rested(in->rested_ctx));
}

/* What did not add up of a heap that moved is no damage. */
static void doubt_moved(struct ht_walk *w, size_t before)
{
	if (w->out->findings.n > before && !ht_walk_rested(w->in))
		ht_snapshot_cut(w->out, HT_RECORD_finding, before);
}

/* A figure that cannot be is told, not sent as if it were right. */
static void check_sums(struct ht_walk *w)
{
	struct ht_err why;

	if (ht_snapshot_check(w->out, &why) != HT_OK)
		ht_snapshot_find(w->out, HT_FINDING_SUMS, 0, 0, "%s", why.msg);
}

/* Whether there is more than each page of it could be asked for. */
static bool is_sparse(const struct ht_walk *w)
{
	uint64_t most = w->in->pages_max ?: PAGES_MAX;
	uint64_t rss = w->out->process.rss;

	return w->in->light &&
	       (w->total > most || (rss != HT_UNKNOWN && rss > most));
}

enum ht_code ht_walk(const struct ht_walk_in *in, struct ht_roots *roots,
		     struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_walk *w = calloc(1, sizeof(*w));
	uint64_t read_before = in->reader->bytes_read;
	size_t found_before = 0;
	enum ht_code code;

	if (!w)
		return ht_fail(err, HT_NOMEM, "no memory for a walk");
	w->in = in;
	w->roots = roots;
	w->out = ret;
	w->total = ht_roots_walk_bytes(roots);
	w->sparse = is_sparse(w);
	code = ht_view_init(&w->window, in->reader, w->total, err);
	if (code == HT_OK && !take_notes(w))
		code = ht_fail(err, HT_NOMEM, "no memory for threads");
	if (code == HT_OK) {
		found_before = ret->findings.n;
		check_cached(w);
		tell_linking(w);
		code = walk_all(w, err);
	}
	if (code == HT_OK && in->light)
		ht_light_tell(w);
	if (code == HT_OK) {
		doubt_moved(w, found_before);
		check_sums(w);
	}
	if (code == HT_OK)
		doubt_spread(w);
	if (code == HT_OK)
		ret->stop.bytes_read = in->reader->bytes_read - read_before;
	ht_view_fini(&w->window);
	ht_census_fini(&w->census);
	ht_ranges_fini(&w->arenas);
	ht_ranges_fini(&w->foreign);
	ht_ranges_fini(&w->grown);
	free(w);
	return code;
}
