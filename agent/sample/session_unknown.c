/* SPDX-License-Identifier: Apache-2.0 */
/* No figure is null without a word: each that could not be had is counted under
 * its reason, with what would mend it. */
#include "agent/sample/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/memory/procfs.h"

/* Figures that cannot be had without knowing which pages are resident. */
static const struct figure {
	enum ht_record_id record;
	const char *field;
} of_pages[] = {
	{HT_RECORD_totals, "retained"},
	{HT_RECORD_totals, "trimmable"},
	{HT_RECORD_totals, "trimmable_private"},
	{HT_RECORD_totals, "pinned"},
	{HT_RECORD_totals, "heap_resident"},
	{HT_RECORD_totals, "mmapped_resident"},
	{HT_RECORD_totals, "non_malloc_anon"},
	{HT_RECORD_totals, "resident_free"},
	{HT_RECORD_totals, "used_pages_resident"},
	{HT_RECORD_totals, "free_swapped"},
	{HT_RECORD_totals, "arenas_holding"},
	{HT_RECORD_totals, "non_main_free_resident"},
	{HT_RECORD_fragmentation, "retained_ratio"},
	{HT_RECORD_fragmentation, "page_utilisation"},
	{HT_RECORD_fragmentation, "stuck_ratio"},
};

/* Figures that one file of /proc has: of the process's directory there, or
 * "/..." of the machine. */
static const struct {
	struct figure figure;
	const char *file;
} of_files[] = {
	{{HT_RECORD_head, "uid"}, "status"},
	{{HT_RECORD_process, "rss"}, "statm"},
	{{HT_RECORD_process, "swap"}, "status"},
	{{HT_RECORD_process, "rss_anon"}, "status"},
	{{HT_RECORD_process, "rss_file"}, "status"},
	{{HT_RECORD_process, "rss_shmem"}, "status"},
	{{HT_RECORD_limits, "mem_total"}, "/meminfo"},
	{{HT_RECORD_limits, "mem_available"}, "/meminfo"},
	{{HT_RECORD_limits, "swap_free"}, "/meminfo"},
	{{HT_RECORD_limits, "max_map_count"}, "/sys/vm/max_map_count"},
	{{HT_RECORD_process, "descriptors"}, "fd"},
};
/* Null is also no limit. */
static const char *const rlimits[] = {"rlimit_as", "rlimit_data",
				      "rlimit_nofile", "rlimit_stack",
				      "rlimit_memlock"};
static const char *const of_cgroup[] = {"cgroup_max", "cgroup_used"};
#define NAME_MAX_MORE 24 /* a record's name, and what stands around it */
#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))

static bool is_null(const struct ht_field *f, const void *record)
{
	const char *at = (const char *)record + f->offset;
	uint64_t value;
	double ratio;

	if (f->type == HT_T_TEXT || f->type == HT_T_TIME)
		return false;
	memcpy(&value, at, sizeof(value));
	memcpy(&ratio, at, sizeof(ratio));
	return f->type == HT_T_F64 ? isnan(ratio) : value == HT_UNKNOWN;
}

/* The row for this text; NULL without memory. */
static struct ht_unknown *row(struct ht_snapshot *s, enum ht_why why,
			      const char *text)
{
	struct ht_unknown *u;

	for (size_t i = 0; i < s->unknowns.n; i++)
		if (strcmp(s->unknowns.v[i].text, text) == 0)
			return &s->unknowns.v[i];
	u = ht_snapshot_add_unknown(s);
	if (!u)
		return NULL;
	u->reason = why;
	u->figures = 0;
	snprintf(u->text, sizeof(u->text), "%s", text);
	return u;
}

static void add(struct ht_snapshot *s, enum ht_why why, const char *text,
		enum ht_record_id id, const struct ht_field *f)
{
	struct ht_unknown *u = row(s, why, text);
	size_t used;

	if (!u)
		return;
	u->figures++;
	used = strlen(u->names);
	if (used + strlen(f->name) + NAME_MAX_MORE < sizeof(u->names))
		snprintf(u->names + used, sizeof(u->names) - used, "%s%s.%s",
			 used ? " " : "", ht_record_types[id].name, f->name);
}

/* Adds those fields of a record that are null; name NULL: any. */
static void add_null(struct ht_snapshot *s, enum ht_why why, const char *text,
		     enum ht_record_id id, const char *name)
{
	const struct ht_record_type *type = &ht_record_types[id];

	for (size_t i = 0; i < type->fields_count; i++) {
		const struct ht_field *f = &type->fields[i];

		if ((!name || strcmp(f->name, name) == 0) &&
		    is_null(f, ht_snapshot_single(s, id)))
			add(s, why, text, id, f);
	}
}

/* No heap of glibc's malloc was found: nothing of it is known. */
static void note_malloc(const struct ht_session *s)
{
	static const enum ht_record_id records[] = {
		HT_RECORD_params, HT_RECORD_totals, HT_RECORD_fragmentation,
		HT_RECORD_blocked};
	const char *allocator = s->target->located.libc.allocator;
	bool other = *allocator && strcmp(allocator, "unknown") != 0;
	char text[sizeof(((struct ht_unknown *)0)->text)];

	if (s->target->located.n > 0)
		return;
	if (other)
		snprintf(text, sizeof(text),
			 "malloc is %s, not glibc's: there are no such figures",
			 allocator);
	else
		snprintf(
			text, sizeof(text),
			"no malloc of glibc was found in the process (heaptide doctor %" PRIu64
			")",
			s->snapshot->head.pid);
	for (size_t i = 0; i < COUNT(records); i++)
		add_null(s->snapshot, other ? HT_WHY_ALLOCATOR : HT_WHY_LAYOUT,
			 text, records[i], NULL);
}

static void note_pages(const struct ht_session *s)
{
	const struct ht_target *t = s->target;
	enum ht_why why = t->pid ? HT_WHY_PAGEMAP : HT_WHY_CORE;
	const char *text =
		t->pid ? t->no_pages
		       : "a core file does not tell which pages were resident: measure the process";

	/* Where they are known, a null is a ratio to nothing. */
	if (s->snapshot->rss_causes.n > 0 || t->located.n == 0)
		return;
	if (!*text)
		text = "the page table of the process could not be read: it ended or was replaced meanwhile";
	for (size_t i = 0; i < COUNT(of_pages); i++)
		add_null(s->snapshot, why, text, of_pages[i].record,
			 of_pages[i].field);
}

/* What /proc says of a process and the machine, a core file does not. */
static void note_core(const struct ht_session *s)
{
	static const enum ht_record_id records[] = {
		HT_RECORD_head, HT_RECORD_process, HT_RECORD_limits};

	for (size_t i = 0; i < COUNT(records); i++)
		add_null(
			s->snapshot, HT_WHY_CORE,
			"a core file does not tell what /proc says of a process and of its limits: measure the process",
			records[i], NULL);
}

/* Of what a trim would return the machine gets a part that is unknown. */
static void note_private(const struct ht_session *s)
{
	const struct ht_totals *t = &s->snapshot->totals;
	enum ht_why why = HT_WHY_PAGEMAP;
	const char *text =
		"the page table of the process could not be read to its end: it ended or was replaced meanwhile";

	if (t->trimmable == HT_UNKNOWN || t->trimmable_private != HT_UNKNOWN)
		return;
	if (s->request->mode == HT_MODE_SNAPSHOT) {
		why = HT_WHY_COPY;
		text = "what malloc_trim(0) returns was counted in a copy, which shares every page of it: how much the machine would get is not seen there (--mode none)";
	} else if (!ht_session_may_read_private(s)) {
		why = HT_WHY_COST;
		text = "how much of trimmable no other process maps was not read: threads would stand still for it (mode = none)";
	}
	add_null(s->snapshot, why, text, HT_RECORD_totals, "trimmable_private");
}

static void note_file(const struct ht_session *s, enum ht_record_id id,
		      const char *field, const char *file)
{
	char text[sizeof(((struct ht_unknown *)0)->text)], pid[24] = "";

	if (*file != '/')
		snprintf(pid, sizeof(pid), "/%d/", (int)s->target->pid);
	snprintf(
		text, sizeof(text),
		"/proc%s%s could not be read, or does not say it (ProcSubset=, a mount over it, a security module)",
		pid, file);
	add_null(s->snapshot, HT_WHY_PROC, text, id, field);
}

static void note_cgroup(const struct ht_session *s, const char *why,
			const char *field)
{
	char text[sizeof(((struct ht_unknown *)0)->text)];

	snprintf(text, sizeof(text), "limits of its cgroups are unknown: %s",
		 why);
	if (*why)
		add_null(s->snapshot, HT_WHY_CGROUP, text, HT_RECORD_limits,
			 field);
}

static void note_files(const struct ht_session *s)
{
	for (size_t i = 0; i < COUNT(of_files); i++)
		note_file(s, of_files[i].figure.record,
			  of_files[i].figure.field, of_files[i].file);
}

static void note_limits(const struct ht_session *s)
{
	const struct ht_limits_unread *unread = &s->unread;

	for (size_t i = 0; unread->rlimits && i < COUNT(rlimits); i++)
		note_file(s, HT_RECORD_limits, rlimits[i], "limits");
	for (size_t i = 0; i < COUNT(of_cgroup); i++)
		note_cgroup(s, unread->memory, of_cgroup[i]);
	if (unread->threads)
		note_file(s, HT_RECORD_limits, "threads_max", unread->threads);
	else
		note_cgroup(s, unread->pids, "threads_max");
}

static void note_rollup(const struct ht_session *s)
{
	static const char *const of_rollup[] = {"pss", "uss", "anon_huge"};
	const struct ht_process *p = &s->snapshot->process;
	char text[sizeof(((struct ht_unknown *)0)->text)];
	enum ht_why why;

	if (!(s->request->flags & HT_WANT_PSS) || p->pss != HT_UNKNOWN ||
	    p->rss == HT_UNKNOWN)
		return;
	if (ht_session_may_roll_up(s))
		snprintf(text, sizeof(text),
			 "/proc/%d/smaps_rollup could not be read",
			 (int)s->target->pid);
	else
		snprintf(
			text, sizeof(text),
			"PSS and USS were not read: an mmap of the process would wait for it, up to %" PRIu64
			" ms (explain --pss)",
			ht_rollup_us(p->rss) / 1000);
	why = ht_session_may_roll_up(s) ? HT_WHY_PROC : HT_WHY_COST;
	for (size_t i = 0; i < COUNT(of_rollup); i++)
		add_null(s->snapshot, why, text, HT_RECORD_process,
			 of_rollup[i]);
}

/* What locate says of another allocator, and what all know of a core file, is
 * not said twice. */
static bool is_told(enum ht_why why)
{
	return why == HT_WHY_ALLOCATOR || why == HT_WHY_CORE;
}

/* What only a walk can tell, and a light look did not. */
static void note_light(const struct ht_session *s)
{
	static const struct figure of_walks[] = {
		{HT_RECORD_totals, "in_use_chunks"},
		{HT_RECORD_totals, "heap_resident"},
		{HT_RECORD_totals, "mmapped_resident"},
		{HT_RECORD_totals, "non_malloc_anon"},
		{HT_RECORD_totals, "used_pages_resident"},
		{HT_RECORD_fragmentation, "unusable_median"},
		{HT_RECORD_fragmentation, "unusable_p95"},
		{HT_RECORD_fragmentation, "retained_ratio"},
		{HT_RECORD_fragmentation, "page_utilisation"},
		{HT_RECORD_blocked, NULL},
	};

	if (s->snapshot->stop.look != HT_LOOK_LIGHT ||
	    s->target->located.n == 0 || s->snapshot->rss_causes.n == 0)
		return;
	for (size_t i = 0; i < COUNT(of_walks); i++)
		add_null(
			s->snapshot, HT_WHY_COST,
			"a light look reads what malloc keeps of what is free, not every chunk nor every page in use (--look full)",
			of_walks[i].record, of_walks[i].field);
}

void ht_session_note_unknown(const struct ht_session *s)
{
	struct ht_snapshot *snap = s->snapshot;

	note_malloc(s);
	note_light(s);
	note_pages(s);
	note_private(s);
	if (s->target->pid == 0) {
		note_core(s);
	} else {
		note_files(s);
		note_limits(s);
		note_rollup(s);
	}
	for (size_t i = 0; i < snap->unknowns.n; i++)
		if (!is_told((enum ht_why)snap->unknowns.v[i].reason))
			ht_snapshot_warn(snap, "%s", snap->unknowns.v[i].text);
}
