/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/registry/targets.h"

#include <fnmatch.h>
#include <string.h>

#include "common/log.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The kernel cuts comm at 15 bytes, so the program's own name counts too. */
static bool name_matches(const char *glob, struct ht_proc *p)
{
	if (fnmatch(glob, p->comm, 0) == 0)
		return true;
	if (strlen(p->comm) < 15)
		return false;
	ht_proc_need_cmdline(p);
	return fnmatch(glob, last_part(p->argv0), 0) == 0;
}

bool ht_target_match_exe(const struct ht_target_config *t, const char *exe)
{
	return !t->select.exe[0] ||
	       fnmatch(t->select.exe, exe, FNM_PATHNAME) == 0;
}

static enum ht_match exe_matches(const struct ht_target_config *t,
				 struct ht_proc *p)
{
	const char *name = last_part(t->select.exe);

	ht_proc_need_exe(p);
	if (p->exe[0])
		return ht_target_match_exe(t, p->exe) ? HT_MATCH_YES
						      : HT_MATCH_NO;
	ht_proc_need_cmdline(p);
	if (fnmatch(name, last_part(p->argv0), 0) == 0 ||
	    fnmatch(name, p->comm, 0) == 0 ||
	    (strlen(p->comm) == 15 && strncmp(name, p->comm, 15) == 0))
		return HT_MATCH_MAYBE;
	return HT_MATCH_NO;
}

static bool cmdline_matches(const struct ht_target_config *t, struct ht_proc *p)
{
	const struct ht_selectors *s = &t->select;
	enum ht_pattern_answer found;

	ht_proc_need_cmdline(p);
	found = ht_pattern_find(s->pattern, p->cmdline, strlen(p->cmdline));
	if (found == HT_PATTERN_UNDECIDED)
		ht_log(LOG_NOTICE,
		       "cmdline of target %s is too costly a pattern for pid %d: taken for no match; write it simpler",
		       t->name, (int)p->pid);
	return found == HT_PATTERN_YES;
}

enum ht_match ht_target_match(const struct ht_target_config *t,
			      struct ht_proc *p)
{
	const struct ht_selectors *s = &t->select;

	if (s->pid && s->pid != (uint64_t)p->pid)
		return HT_MATCH_NO;
	if (s->pid && s->start_ticks && s->start_ticks != p->start_ticks)
		return HT_MATCH_NO;
	if (s->name[0] && !name_matches(s->name, p))
		return HT_MATCH_NO;
	if (s->cmdline[0] && !cmdline_matches(t, p))
		return HT_MATCH_NO;
	if (s->unit[0] || s->cgroup[0]) {
		ht_proc_need_cgroup(p);
		if (s->unit[0] && fnmatch(s->unit, p->unit, 0) != 0)
			return HT_MATCH_NO;
		if (s->cgroup[0] && fnmatch(s->cgroup, p->cgroup, 0) != 0)
			return HT_MATCH_NO;
	}
	if (s->user[0]) {
		ht_proc_need_uid(p);
		if (p->uid != s->uid)
			return HT_MATCH_NO;
	}
	return s->exe[0] ? exe_matches(t, p) : HT_MATCH_YES;
}
