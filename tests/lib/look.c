/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/look.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/libc/locate.h"
#include "agent/self/helper.h"
#include "agent/stop/stop.h"
#include "agent/walk/walk.h"
#include "common/clock.h"
#include "link/request.h"

struct look {
	pid_t pid;
	struct ht_look *how;
	struct ht_maps maps;
	struct ht_reader reader;
	struct ht_pages_source pages;
	struct ht_located located;
	struct ht_stopped *stop;
	struct ht_thread_state *threads; /* kept when the stop is over */
	struct ht_roots *roots;
};

static enum ht_code prepare(struct look *l, struct ht_snapshot *ret,
			    struct ht_err *err)
{
	struct ht_locate_in in = {.pid = l->pid,
				  .maps = &l->maps,
				  .reader = &l->reader,
				  .use_debug_info = !l->how->no_symbols};
	enum ht_code code = ht_maps_read(l->pid, &l->maps, err);

	if (code == HT_OK)
		code = ht_reader_open_process(l->pid, 8, true, &l->reader, err);
	if (code == HT_OK)
		code = ht_pages_source_open(l->pid, &l->pages, err);
	if (code == HT_OK)
		code = ht_locate(&in, &l->located, ret, err);
	return code;
}

static enum ht_code let_go(struct look *l, struct ht_walk_in *in,
			   struct ht_err *err)
{
	l->threads = calloc(in->threads_n + 1, sizeof(*l->threads));
	if (!l->threads)
		return ht_fail(err, HT_NOMEM, "no memory for threads");
	memcpy(l->threads, in->threads, in->threads_n * sizeof(*l->threads));
	in->threads = l->threads;
	ht_stop_release(l->stop);
	l->stop = NULL;
	l->reader.beat = l->how->beat;
	return HT_OK;
}

/* Of all threads of this process, the helper's with them. */
static uint64_t cpu_ns(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * HT_NS_PER_S + (uint64_t)t.tv_nsec;
}

static enum ht_code walk(struct look *l, struct ht_walk_in *in,
			 struct ht_snapshot *ret, struct ht_err *err)
{
	int64_t start = ht_mono_ns();
	uint64_t cpu_start = cpu_ns();
	enum ht_code code;

	code = ht_locate_threads(&l->located, &l->reader, &l->maps, in->threads,
				 in->threads_n, err);
	if (code == HT_OK)
		code = ht_roots_read(in, &l->roots, err);
	if (code == HT_OK && l->how->moving)
		code = let_go(l, in, err);
	if (code == HT_OK)
		code = ht_walk(in, l->roots, ret, err);
	l->how->walk_ns = (uint64_t)(ht_mono_ns() - start);
	l->how->cpu_ns = cpu_ns() - cpu_start;
	return code;
}

static enum ht_code look(struct look *l, struct ht_snapshot *ret,
			 struct ht_err *err)
{
	struct ht_stop_limits limits = {.deadline_ns = ht_mono_ns() +
						       10 * HT_NS_PER_S};
	struct ht_walk_in in = {.located = &l->located,
				.reader = &l->reader,
				.pages = &l->pages,
				.maps = &l->maps,
				.moving = l->how->moving,
				.alone = l->how->alone,
				.light = l->how->light,
				.chunks_max = l->how->chunks_max,
				.pages_max = l->how->pages_max,
				.round = l->how->round,
				.slice_max = l->how->slice_max,
				.now_ns = ht_mono_ns(),
				.marks = l->how->marks,
				.want = HT_WANT_ALL,
				.tables_max = l->how->tables_max};
	enum ht_code code = prepare(l, ret, err);

	if (code != HT_OK)
		return code;
	code = ht_stop_all(l->pid, &limits, &l->reader, &l->stop, NULL, err);
	if (code != HT_OK)
		return code;
	ht_maps_fini(&l->maps);
	code = ht_maps_read(l->pid, &l->maps, err);
	in.threads = ht_stop_threads(l->stop, &in.threads_n);
	return code == HT_OK ? walk(l, &in, ret, err) : code;
}

enum ht_code ht_look(pid_t pid, struct ht_look *how, struct ht_snapshot *ret,
		     struct ht_err *err)
{
	struct look l = {.pid = pid, .how = how, .pages = {.pagemap_fd = -1}};
	enum ht_code code;

	ht_snapshot_init(ret);
	ht_helper_start();
	code = look(&l, ret, err);
	how->pause_ns = ht_stop_release(l.stop).pause_us * 1000;
	free(l.threads);
	ht_roots_fini(l.roots);
	ht_pages_source_close(&l.pages);
	ht_reader_close(&l.reader);
	ht_maps_fini(&l.maps);
	return code;
}
