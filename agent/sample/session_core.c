/* SPDX-License-Identifier: Apache-2.0 */
/* Core: an ELF core file; everything is at rest, nothing is known of pages. */
#include <stdio.h>

#include "agent/sample/look.h"

enum ht_code ht_session_core(struct ht_session *s, struct ht_err *err)
{
	struct ht_core *core = &s->target->core;
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code = HT_OK;

	if (s->target->pid != 0)
		return ht_fail(err, HT_USAGE,
			       "mode core is for core files, process %d runs",
			       (int)s->target->pid);
	ht_look_begin(&l, s);
	l.in.maps = &core->maps;
	l.in.threads = core->threads;
	l.in.threads_n = core->threads_n;
	l.attempts = 1;
	if (s->target->located.n > 0)
		code = ht_locate_threads(&s->target->located, &core->reader,
					 &core->maps, core->threads,
					 core->threads_n, err);
	if (code == HT_OK)
		code = ht_roots_read(&l.in, &l.roots, err);
	if (code == HT_OK)
		code = ht_look_walk_in_time(&l, err);
	if (code != HT_OK)
		return code;
	s->snapshot->head.pid = core->pid;
	snprintf(s->snapshot->head.comm, sizeof(s->snapshot->head.comm), "%s",
		 core->comm);
	snprintf(s->snapshot->head.exe, sizeof(s->snapshot->head.exe), "%s",
		 core->exe);
	l.inside_malloc = ht_roots_in_flux(l.roots);
	ht_look_report(&l);
	s->snapshot->stop.mode = HT_MODE_CORE;
	return HT_OK;
}
