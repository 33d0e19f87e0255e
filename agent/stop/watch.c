/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/watch.h"

#include <stdlib.h>
#include <sys/syscall.h>

#include "agent/stop/tasks.h"
#include "agent/stop/tracee.h"

/* Of so many threads the counters are held open: a process of hundreds would
 * take more descriptors than we may have. */
#define HELD_OPEN 64

struct ht_watch {
	DIR *tasks;
	struct ht_tracee *held; /* all of them HT_TRACEE_WATCHED */
	struct ht_thread_state *threads;
	size_t n, capacity;
};

static bool grow(struct ht_watch *w)
{
	size_t capacity = w->capacity ? 2 * w->capacity : 8;
	void *held = reallocarray(w->held, capacity, sizeof(*w->held));
	void *threads;

	if (!held)
		return false;
	w->held = held;
	threads = reallocarray(w->threads, capacity, sizeof(*w->threads));
	if (!threads)
		return false;
	w->threads = threads;
	w->capacity = capacity;
	return true;
}

/* A parent in vfork sleeps in one of these until its child, which uses the same
 * memory, has let go of it. */
static bool lends_memory(const struct ht_sleep *sleep, unsigned word)
{
	return ht_vfork_call(sleep->nr, word) != HT_VFORK_NOT;
}

/* A main thread that ended before the others stays listed. */
static bool has_ended(DIR *tasks, pid_t tid)
{
	char state = ht_task_state(tasks, tid);

	return state == 0 || state == 'Z' || state == 'X';
}

/* A thread that is not listed would have been created by one that ran: the
 * counters tell. */
static enum ht_code add_all(struct ht_watch *w, pid_t pid,
			    struct ht_reader *reader, struct ht_err *err)
{
	pid_t tid;

	while ((tid = ht_tasks_next(w->tasks)) != 0) {
		struct ht_tracee *h;
		bool asleep;

		if (w->n == w->capacity && !grow(w))
			return ht_fail(err, HT_NOMEM,
				       "no memory for %zu threads", w->n);
		h = &w->held[w->n];
		asleep = (w->n < HELD_OPEN ? ht_tracee_watch_open
					   : ht_tracee_watch)(h, w->tasks, tid,
							      reader->word);
		/* one that has no stack is not asked for its state in vain */
		if ((!asleep || h->sleep.sp == 0) && has_ended(w->tasks, tid)) {
			ht_tracee_unwatch(h);
			continue;
		}
		if (!asleep || lends_memory(&h->sleep, reader->word)) {
			ht_tracee_unwatch(h);
			return ht_fail(err, HT_BUSY,
				       "process %d: thread %d runs", (int)pid,
				       (int)tid);
		}
		ht_tracee_find_pointer(h, reader);
		w->threads[w->n++] = ht_tracee_registers(h, reader->word);
	}
	return HT_OK;
}

enum ht_code ht_watch_begin(pid_t pid, struct ht_reader *reader,
			    struct ht_watch **ret, struct ht_err *err)
{
	struct ht_watch *w = calloc(1, sizeof(*w));
	enum ht_code code;

	if (!w)
		return ht_fail(err, HT_NOMEM, "no memory to watch process %d",
			       (int)pid);
	code = ht_tasks_open(pid, &w->tasks, err);
	if (code == HT_OK)
		code = add_all(w, pid, reader, err);
	if (code == HT_OK && !ht_watch_unbroken(w))
		code = ht_fail(err, HT_BUSY, "process %d: some thread ran",
			       (int)pid);
	if (code == HT_OK)
		*ret = w;
	else
		ht_watch_end(w);
	return code;
}

const struct ht_thread_state *ht_watch_threads(const struct ht_watch *w,
					       size_t *ret_n)
{
	*ret_n = w->n;
	return w->threads;
}

bool ht_watch_unbroken(const struct ht_watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (ht_tracee_woke(&w->held[i], w->tasks))
			return false;
	return w->n > 0;
}

void ht_watch_end(struct ht_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		ht_tracee_unwatch(&w->held[i]);
	if (w->tasks)
		closedir(w->tasks);
	free(w->held);
	free(w->threads);
	free(w);
}
