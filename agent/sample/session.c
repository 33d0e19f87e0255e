/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/session.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/memory/procfs.h"
#include "agent/sample/withheld.h"
#include "agent/self/guard.h"
#include "agent/self/pace.h"
#include "common/clock.h"
#include "common/line.h"

static enum ht_code (*const modes[HT_MODE_COUNT])(struct ht_session *s,
						  struct ht_err *err) = {
	[HT_MODE_NONE] = ht_session_none,
	[HT_MODE_BOUNDED] = ht_session_bounded,
	[HT_MODE_EXACT] = ht_session_exact,
	[HT_MODE_SNAPSHOT] = ht_session_snapshot,
	[HT_MODE_CORE] = ht_session_core, /* refuses: the target is alive */
};

/* What locate had to say belongs into every snapshot of this target. Commands
 * in it name the process, where it lives. */
static void copy_notes(struct ht_snapshot *to, const struct ht_target *t)
{
	const struct ht_snapshot *notes = &t->notes;
	char number[16], text[sizeof(notes->warnings.v->text)];

	snprintf(number, sizeof(number), "%d", (int)t->pid);
	for (size_t i = 0; i < notes->warnings.n; i++)
		ht_snapshot_warn(to, "%s",
				 ht_line_put(notes->warnings.v[i].text, "PID",
					     t->pid ? number : "PID", text,
					     sizeof(text)));
}

void ht_session_clean(struct ht_session *s)
{
	struct ht_snapshot *snap = s->snapshot;
	const struct ht_head head = snap->head;
	const struct ht_process process = snap->process;
	const struct ht_limits limits = snap->limits;

	ht_snapshot_fini(snap);
	ht_snapshot_init(snap);
	snap->head = head;
	snap->process = process;
	snap->limits = limits;
	snap->libc = s->target->located.libc;
	copy_notes(snap, s->target);
}

/* PSS is no reason to let the target wait for longer than a stop may. */
bool ht_session_may_roll_up(const struct ht_session *s)
{
	uint64_t rss = s->snapshot->process.rss;

	if (s->request->flags & HT_PSS_ANYHOW)
		return true;
	return s->request->flags & HT_WANT_PSS && rss != HT_UNKNOWN &&
	       ht_rollup_us(rss) <= s->request->max_pause_us;
}

bool ht_session_may_read_private(const struct ht_session *s)
{
	return s->request->mode == HT_MODE_NONE ||
	       s->request->flags & (HT_WANT_PSS | HT_WANT_HEAPS);
}

/* Nothing tells which pages may be read, either (reader_process.c). */
static void warn_touched(const struct ht_session *s)
{
	if (s->target->pid != 0 && !ht_pages_source_known(s->target->pages))
		ht_snapshot_warn(
			s->snapshot,
			"pages that were never touched may have become resident by this look, swapped ones come back");
}

static uint64_t known_or_0(uint64_t v)
{
	return v == HT_UNKNOWN ? 0 : v;
}

/* Which mappings malloc_trim would find refusing: read here, outside any stop,
 * since smaps takes its time. */
static enum ht_code note_refusing(struct ht_session *s, struct ht_err *err)
{
	struct ht_target *t = s->target;
	struct ht_process *p = &s->snapshot->process;
	struct ht_maps maps = {0};
	struct ht_err why;
	enum ht_code code;

	s->refusing = known_or_0(p->locked) + known_or_0(p->huge_pool);
	s->refusing_known = true;
	/* A look that stops nothing reads them itself, once. */
	if (s->request->mode == HT_MODE_NONE &&
	    ht_vmflags_settled(&t->vmflags, s->refusing))
		return HT_OK;
	code = ht_maps_source_read(&t->maps, &maps, err);
	if (code != HT_OK)
		return code;
	ht_pace();
	ht_procfs_mappings(&maps, p);
	s->refusing_known = ht_vmflags_read(t->pid, &maps, s->refusing,
					    &t->vmflags, &why) == HT_OK;
	ht_maps_fini(&maps);
	return HT_OK;
}

static void warn_refusing(const struct ht_session *s)
{
	if (s->target->pid && !s->refusing_known)
		ht_snapshot_warn(
			s->snapshot,
			"%" PRIu64
			" bytes are locked or of the huge page pool, and smaps, which says where, could not be read: malloc_trim(0) may return less",
			s->refusing);
}

/* What stands still looks calm. */
static void warn_stopped(const struct ht_session *s)
{
	if (s->stopped)
		ht_snapshot_warn(
			s->snapshot,
			"the process is stopped (by SIGSTOP or job control): nothing of it runs, or changes, until kill -CONT %d",
			(int)s->target->pid);
}

/* The process as a whole, before any stop. */
static enum ht_code describe_process(struct ht_session *s, struct ht_err *err)
{
	struct ht_target *t = s->target;
	struct ht_snapshot *snap = s->snapshot;
	struct ht_proc_texts texts;
	enum ht_code code;

	ht_proc_texts_begin(&texts, t->pid, &t->kept);
	code = ht_target_same(t, &texts, err);
	if (code == HT_OK)
		code = ht_procfs_head(&texts, &snap->head, err);
	ht_pace();
	if (code == HT_OK)
		code = ht_procfs_process(&texts, &snap->process, err);
	if (code == HT_OK)
		code = note_refusing(s, err);
	s->stopped = code == HT_OK && ht_procfs_stopped(&texts);
	ht_pace();
	if (code == HT_OK && ht_session_may_roll_up(s))
		ht_procfs_rollup(t->pid, &snap->process);
	ht_pace();
	ht_procfs_limits(&texts, &t->mounts, &snap->limits, &s->unread);
	ht_pace();
	return code;
}

/* Of a process that runs the newest chunks lie beyond what was read. */
static enum ht_code refuse_graph(const struct ht_session *s, bool core,
				 struct ht_err *err)
{
	if (!(s->request->flags & HT_WANT_GRAPH) || core ||
	    s->request->mode == HT_MODE_SNAPSHOT)
		return HT_OK;
	return ht_fail(
		err, HT_USAGE,
		"what holds a chunk can be told of a frozen copy or a core file only: in mode %s chains break where the process writes, and what lives looks leaked",
		ht_mode_names[s->request->mode]);
}

/* Of a process that ends amid a look memory cannot be read, and what was there
 * does not add up. */
static bool may_be_its_end(const struct ht_session *s, enum ht_code code)
{
	return code == HT_OK ? s->snapshot->findings.n > 0
			     : code != HT_BUSY && code != HT_TIMEOUT;
}

/* Pages are asked about until there is just time left to tell what is known.
 * Which mappings refuse is asked first: all else comes behind it. */
static void limit_pages(struct ht_session *s, int64_t now)
{
	const int64_t until = ht_guard_until_ns();

	ht_pages_source_limit(s->target->pages,
			      until ? until - (until - now) / 10 : 0);
	s->target->vmflags.until_ns = until ? now + (until - now) / 4 : 0;
}

enum ht_code ht_session_sample(struct ht_session *s, struct ht_err *err)
{
	struct ht_target *t = s->target;
	bool core = t->pid == 0;
	uint64_t read_before = t->reader->bytes_read;
	int64_t begin = ht_mono_ns();
	enum ht_code code;

	limit_pages(s, begin);
	ht_withheld_heed(s->target);
	code = refuse_graph(s, core, err);
	if (code == HT_OK && !core)
		code = describe_process(s, err);
	if (code != HT_OK && ht_target_has_ended(t))
		return ht_target_fail_ended(t, err);
	if (code != HT_OK)
		return code;
	t->vmflags.until_ns = t->pages->deadline_ns;
	snprintf(s->snapshot->head.arch, sizeof(s->snapshot->head.arch), "%s",
		 ht_abi_name(ht_abi_with_word(t->reader->word)));
	ht_session_clean(s);
	code = core ? ht_session_core(s, err) : modes[s->request->mode](s, err);
	if (ht_target_was_replaced(t))
		return ht_target_fail_replaced(t, err);
	if (may_be_its_end(s, code) && ht_target_has_ended(t))
		return ht_target_fail_ended(t, err);
	if (code != HT_OK)
		return code;
	s->snapshot->stop.walk_us =
		(uint64_t)((ht_mono_ns() - begin) / HT_NS_PER_US);
	s->snapshot->stop.bytes_read = t->reader->bytes_read - read_before;
	ht_session_note_unknown(s);
	warn_touched(s);
	warn_refusing(s);
	ht_withheld_warn(t, s->snapshot);
	warn_stopped(s);
	return HT_OK;
}
