/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/window.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "probe/bpf.h"
#include "probe/perf.h"

#define RING_BYTES    (16u << 20)
#define ARGS_MAX      4096
#define LOOK_EVERY_NS (HT_NS_PER_MS / 2)
/* Calls that come while the links are being closed wait for us anyhow: so many
 * of them are samples, too. */
#define WHILE_CLOSING 700
#define FIFO_PRIORITY 50
#define MAPPABLE      (1u << 10) /* BPF_F_MMAPABLE */
#define BUSY_BIT      (1u << 31) /* of a record in the ring: being written */
#define DISCARD_BIT   (1u << 30)
#define RECORD_HEADER 8u

static const struct {
	uint32_t attach, flags;
	const char *since;
} ways[HT_PROBE_WAYS] = {
	[HT_PROBE_SESSION] = {HT_BPF_UPROBE_SESSION, 0, "6.13"},
	[HT_PROBE_MULTI] = {HT_BPF_UPROBE_MULTI, HT_BPF_RETURN, "6.6"},
	[HT_PROBE_PERF] = {0, 0, "5.15"},
};

/* --- preparing ----------------------------------------------------------- */

static enum ht_code refused(int number, const char *what, struct ht_err *err)
{
	if (number == EPERM || number == EACCES)
		return ht_fail_sys(
			err, HT_DENIED, number,
			"%s: heaptide-probe needs CAP_BPF and CAP_PERFMON",
			what);
	if (number == ENOSYS)
		return ht_fail_sys(
			err, HT_UNSUPPORTED, number,
			"%s: this kernel has no bpf(2), or a filter forbids it",
			what);
	return ht_fail_sys(err, HT_SYS, number, "%s", what);
}

static enum ht_code make_maps(struct ht_kernel_window *w, struct ht_err *err)
{
	w->maps.state = ht_bpf_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t),
				   sizeof(*w->state), 1, MAPPABLE);
	if (w->maps.state < 0)
		return refused(errno, "make a map in the kernel", err);
	w->maps.ring = ht_bpf_map(HT_BPF_MAP_RING, 0, 0, RING_BYTES, 0);
	if (w->maps.ring < 0)
		return refused(errno, "make a ring in the kernel", err);
	w->maps.args = ht_bpf_map(BPF_MAP_TYPE_LRU_HASH, sizeof(uint64_t),
				  2 * sizeof(uint64_t), ARGS_MAX, 0);
	if (w->maps.args < 0)
		return refused(errno, "make a table in the kernel", err);
	return HT_OK;
}

static void *map_fd(int fd, size_t size, int protection, off_t offset)
{
	void *p = mmap(NULL, size, protection, MAP_SHARED, fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

/* The ring: a page that we write, a page that the kernel writes, and the data
 * twice in a row, so that no record is ever in two pieces. */
static enum ht_code map_them(struct ht_kernel_window *w, struct ht_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *filled;

	w->state = map_fd(w->maps.state, page, PROT_READ | PROT_WRITE, 0);
	w->ring_taken = map_fd(w->maps.ring, page, PROT_READ | PROT_WRITE, 0);
	filled = map_fd(w->maps.ring, page + 2 * RING_BYTES, PROT_READ,
			(off_t)page);
	if (!w->state || !w->ring_taken || !filled)
		return ht_fail_sys(err, HT_SYS, errno,
				   "map the ring of samples");
	w->ring_filled = (const volatile uint64_t *)(const void *)filled;
	w->ring_data = filled + page;
	return HT_OK;
}

/* The links of one window, to be closed as soon as possible. */
struct links {
	int fd[2 * HT_PROBE_POINTS]; /* events of perf: two each */
	size_t n;
};

static void close_links(struct links *l)
{
	while (l->n > 0)
		close(l->fd[--l->n]);
}

/* Where the result is stored is known at the entry alone. */
static bool is_seen(const struct ht_kernel_window *w,
		    const struct ht_probe_point *p)
{
	return w->way == HT_PROBE_SESSION || p->kind != HT_PROBE_SIZE_3;
}

static uint64_t cookie_of(const struct ht_probe_point *p)
{
	return p->address | (uint64_t)p->kind << HT_PROGRAM_KIND_SHIFT;
}

/* All points in one file are one link: closing several takes the kernel as
 * many grace periods, and all that while the others are still there. */
static int link_file(const struct ht_kernel_window *w, uint32_t file)
{
	uint64_t offsets[HT_PROBE_POINTS], cookies[HT_PROBE_POINTS];
	char path[32];
	struct ht_bpf_link l = {.program = w->program,
				.attach = ways[w->way].attach,
				.flags = ways[w->way].flags,
				.path = path,
				.offsets = offsets,
				.cookies = cookies,
				.pid = (pid_t)w->open.pid};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd[file]);
	for (uint32_t i = 0; i < w->open.points; i++) {
		const struct ht_probe_point *p = &w->open.point[i];

		if (p->file != file || !is_seen(w, p))
			continue;
		offsets[l.n] = p->offset;
		cookies[l.n++] = cookie_of(p);
	}
	if (l.n == 0) {
		errno = ENOENT;
		return -1;
	}
	return ht_bpf_link(&l);
}

static bool fail_links(struct links *l)
{
	int number = errno;

	close_links(l);
	errno = number;
	return false;
}

/* Each point is an event of its own. */
static bool open_events(const struct ht_kernel_window *w, struct links *ret)
{
	for (uint32_t i = 0; i < w->open.points; i++) {
		const struct ht_probe_point *p = &w->open.point[i];
		char path[32];
		const struct ht_perf_event e = {.type = w->open.events,
						.program = w->program,
						.path = path,
						.offset = p->offset,
						.cookie = cookie_of(p),
						.pid = (pid_t)w->open.pid};

		if (!is_seen(w, p))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 w->fd[p->file]);
		if (ht_perf_open(&e, &ret->fd[ret->n]) < 0)
			return fail_links(ret);
		ret->n += 2;
	}
	return ret->n > 0;
}

static bool open_links(const struct ht_kernel_window *w, struct links *ret)
{
	ret->n = 0;
	if (w->way == HT_PROBE_PERF)
		return open_events(w, ret);
	for (uint32_t i = 0; i < w->open.files; i++) {
		int fd = link_file(w, i);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return fail_links(ret);
		ret->fd[ret->n++] = fd;
	}
	return ret->n > 0;
}

static enum ht_code load(struct ht_kernel_window *w, enum ht_probe_way way,
			 struct ht_err *err)
{
	static char log[65536];
	struct bpf_insn insn[HT_PROGRAM_MAX];
	size_t n = ht_program_make(way, &w->maps, insn);
	const char *last;

	w->way = way;
	w->program = ht_bpf_program(insn, n, ways[way].attach, NULL, 0);
	if (w->program >= 0)
		return HT_OK;
	if (errno == EPERM)
		return refused(errno, "load a program into the kernel", err);
	ht_bpf_program(insn, n, ways[way].attach, log, sizeof(log));
	log[strcspn(log, "\0")] = '\0';
	last = strrchr(log, '\n');
	while (last && last > log &&
	       (last[1] == '\0' || !strncmp(last + 1, "processed", 9)))
		last = memrchr(log, '\n', (size_t)(last - log));
	return ht_fail_sys(
		err, HT_UNSUPPORTED, errno,
		"the kernel takes no such program (uprobe links are there since Linux %s): %.100s",
		ways[way].since, last ? last + 1 : log);
}

/* Whether links of this kind are to be had: there is no question that says it
 * but to open one, on nobody's code: ours, where it can never be run. */
static enum ht_code prepare_way(struct ht_kernel_window *w,
				enum ht_probe_way way, struct ht_err *err)
{
	static const uint64_t nowhere;
	const struct ht_bpf_link l = {.attach = ways[way].attach,
				      .flags = ways[way].flags,
				      .path = "/proc/self/exe/none",
				      .offsets = &nowhere,
				      .cookies = &nowhere,
				      .n = 1};
	struct ht_bpf_link mine = l;
	const struct ht_perf_event e = {.type = w->open.events, .path = l.path};
	enum ht_code code = load(w, way, err);
	int fd[2];

	if (code != HT_OK)
		return code;
	mine.program = w->program;
	/* A kernel that knows them looks for the file, and there is none. */
	if ((way == HT_PROBE_PERF ? ht_perf_open(&e, fd) : ht_bpf_link(&mine)) <
		    0 &&
	    (errno == ENOENT || errno == ENOTDIR))
		return HT_OK;
	if (way == HT_PROBE_PERF && (errno == EACCES || errno == EPERM))
		code = ht_fail_sys(
			err, HT_DENIED, errno,
			"open an event of perf: before Linux 6.6 heaptide-probe needs CAP_SYS_ADMIN, too");
	close(w->program);
	w->program = -1;
	if (code != HT_OK)
		return code;
	return ht_fail(
		err, HT_UNSUPPORTED,
		"this kernel has no links of uprobes: they are there since Linux %s",
		ways[way].since);
}

enum ht_code ht_window_prepare(const struct ht_probe_open *o, const int *fds,
			       struct ht_kernel_window *ret, struct ht_err *err)
{
	enum ht_code code;

	memset(ret, 0, sizeof(*ret));
	ret->open = *o;
	ret->program = -1;
	memcpy(ret->fd, fds, sizeof(ret->fd));
	code = make_maps(ret, err);
	if (code == HT_OK)
		code = map_them(ret, err);
	if (code != HT_OK)
		return code;
	if (o->way != HT_PROBE_BEST)
		return prepare_way(ret, (enum ht_probe_way)o->way, err);
	code = HT_UNSUPPORTED;
	for (int way = 0; way < HT_PROBE_WAYS && code == HT_UNSUPPORTED; way++)
		code = prepare_way(ret, (enum ht_probe_way)way, err);
	return code;
}

/* --- a window ------------------------------------------------------------ */

/* Where it is refused, opening and closing take longer on a busy machine. */
static void hurry(bool on)
{
	const struct sched_param p = {.sched_priority = on ? FIFO_PRIORITY : 0};

	sched_setscheduler(
		0, (on ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, &p);
}

/* The next sample in the ring, which stays there; NULL: there is none. The
 * kernel writes on meanwhile. */
static const struct ht_probe_sample *next_sample(struct ht_kernel_window *w,
						 uint64_t *ret_behind)
{
	uint64_t taken = *w->ring_taken;

	while (taken < __atomic_load_n(w->ring_filled, __ATOMIC_ACQUIRE)) {
		const uint8_t *at = w->ring_data + taken % RING_BYTES;
		uint32_t head = __atomic_load_n(
			(const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
		uint32_t len = head & ~(BUSY_BIT | DISCARD_BIT);

		if (head & BUSY_BIT)
			return NULL;
		taken += (len + RECORD_HEADER + 7) & ~UINT64_C(7);
		*ret_behind = taken;
		if (!(head & DISCARD_BIT) &&
		    len == sizeof(struct ht_probe_sample))
			return (const void *)(at + RECORD_HEADER);
		__atomic_store_n(w->ring_taken, taken, __ATOMIC_RELEASE);
	}
	return NULL;
}

static bool drain(struct ht_kernel_window *w,
		  bool (*say)(const struct ht_probe_sample *s, bool open),
		  bool open)
{
	const struct ht_probe_sample *s;
	uint64_t behind;

	while ((s = next_sample(w, &behind))) {
		if (say && !say(s, open))
			return false;
		__atomic_store_n(w->ring_taken, behind, __ATOMIC_RELEASE);
	}
	return true;
}

/* What is seen is told at once: whoever follows a chunk wants its contents
 * before it can be another's. */
static void
wait_for_end(struct ht_kernel_window *w, const struct ht_probe_window *q,
	     bool (*say)(const struct ht_probe_sample *s, bool open),
	     int64_t since)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};

	while (w->state->hits < q->max_hits && w->state->lost == 0 &&
	       ht_mono_ns() - since <
		       (int64_t)q->max_us * HT_NS_PER_US - LOOK_EVERY_NS) {
		nanosleep(&pause, NULL);
		drain(w, say, true);
	}
}

static void begin(struct ht_kernel_window *w, const struct ht_probe_window *q)
{
	drain(w, NULL, false); /* what nobody asked for */
	w->state->min_size = q->min_size;
	w->state->max_size = q->max_size;
	w->state->max_hits = q->max_hits + WHILE_CLOSING;
	w->state->hits = w->state->chosen = w->state->lost = 0;
}

enum ht_code
ht_window_run(struct ht_kernel_window *w, const struct ht_probe_window *q,
	      bool (*say)(const struct ht_probe_sample *s, bool open),
	      struct ht_probe_done *done, struct ht_err *err)
{
	struct links links;
	int64_t since;
	bool open;
	int number;

	begin(w, q);
	hurry(true);
	since = ht_mono_ns();
	open = open_links(w, &links);
	number = errno;
	if (open) {
		wait_for_end(w, q, say, since);
		close_links(&links);
	}
	done->armed_us = (uint64_t)(ht_mono_ns() - since) / HT_NS_PER_US;
	hurry(false);
	if (!open && number == ESRCH)
		return ht_fail(err, HT_GONE, "process %u ended", w->open.pid);
	if (!open)
		return refused(number, "open a window on malloc", err);
	done->hits = w->state->hits;
	done->chosen = w->state->chosen;
	done->lost = w->state->lost;
	return drain(w, say, false)
		       ? HT_OK
		       : ht_fail(err, HT_GONE, "the agent listens no more");
}
