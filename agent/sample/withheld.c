/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/withheld.h"

#include <inttypes.h>

#include "agent/self/pace.h"
#include "common/fnv.h"

void ht_withheld_heed(struct ht_target *t)
{

	t->vmflags.unread = false;
	if (t->pid == 0)
		return;
	t->vmflags.doubted = false;
	ht_reader_heed(t->reader, &t->vmflags);
	t->pages->vmflags = &t->vmflags;
}

static uint64_t sum_of(const struct ht_spans *s)
{
	return s->n ? ht_fnv(HT_FNV_BASIS, s->v, s->n * sizeof(*s->v)) : 0;
}

bool ht_withheld_learn(struct ht_target *t)
{
	struct ht_vmflags *f = &t->vmflags;
	uint64_t before = sum_of(&f->withheld);
	struct ht_maps maps = {0};
	struct ht_err err;
	enum ht_code code;

	if (t->pid == 0 || !f->doubted)
		return false;
	/* One file of all mappings, then all of it once more. */
	f->unread = ht_reader_is_late(t->reader) || t->pages->late;
	if (f->unread)
		return false;
	ht_pace();
	code = ht_maps_source_read(&t->maps, &maps, &err);
	if (code == HT_OK)
		code = ht_vmflags_read(t->pid, &maps, f->asked, f, &err);
	ht_maps_fini(&maps);
	ht_pace_lock();
	f->unread = code != HT_OK;
	return code == HT_OK && f->withheld.n && sum_of(&f->withheld) != before;
}

static uint64_t absent_of(const struct ht_target *t, const struct ht_span *at)
{
	struct ht_pages pages;
	uint64_t bytes;

	if (ht_pages_get(t->pages, at->start, at->end, &pages, NULL) != HT_OK)
		return 0;
	bytes = ht_pages_withheld(&pages, at->start, at->end);
	ht_pages_fini(&pages);
	return bytes;
}

void ht_withheld_warn(const struct ht_target *t, struct ht_snapshot *out)
{
	const struct ht_spans *spans = &t->vmflags.withheld;
	uint64_t bytes = 0;

	for (size_t i = 0; i < spans->n; i++)
		bytes += absent_of(t, &spans->v[i]);
	if (bytes)
		ht_snapshot_warn(
			out,
			"%" PRIu64
			" bytes were not read: their pages are absent and under userfaultfd, and only who handles its faults knows what they hold",
			bytes);
	if (spans->n && t->pages->late)
		ht_snapshot_warn(
			out,
			"the time limit was nearly over before all pages under userfaultfd were asked for: how many bytes of them were not read is unknown");
	if (t->vmflags.unread)
		ht_snapshot_warn(
			out,
			"some of malloc's memory is absent and was taken for zeros: smaps, which says whether it is under userfaultfd, was not read%s",
			t->pages->late ? " in time" : "");
}
