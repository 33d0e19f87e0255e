/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/faults.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "common/clock.h"

#define PAGE	   4096u
#define DATA_PAGES 32u /* a power of two; some fifteen samples */
#define DATA_BYTES (DATA_PAGES * PAGE)
#define AIMED_AT   12u /* samples, at most, of a window as long as they get */
#define FULL_NS	   (600 * HT_NS_PER_MS)
#define PERIOD_MAX 1000000u

/* As the kernel writes it, for what open_events asks for; the stack follows. */
struct record {
	struct perf_event_header head;
	uint32_t pid, tid;
	uint64_t time, address;
	uint64_t abi, regs[HT_PERF_REGS];
	uint64_t stack_size;
};

/* ... and behind the stack, how much of it could be read. */
#define RECORD_MAX (sizeof(struct record) + HT_PROBE_STACK + sizeof(uint64_t))

static enum ht_code refused(int number, struct ht_err *err)
{
	if (number == EPERM || number == EACCES)
		return ht_fail_sys(
			err, HT_DENIED, number,
			"see page faults: kernel.perf_event_paranoid must be 2 or less, or heaptide-probe needs CAP_PERFMON");
	if (number == ESRCH)
		return ht_fail(err, HT_GONE, "the process ended");
	return ht_fail_sys(err, HT_UNSUPPORTED, number, "see page faults");
}

static int open_event(pid_t tid)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
			       PERF_SAMPLE_ADDR | PERF_SAMPLE_REGS_USER |
			       PERF_SAMPLE_STACK_USER,
		.sample_regs_user = HT_PERF_REGS_MASK,
		.sample_stack_user = HT_PROBE_STACK,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return (int)syscall(SYS_perf_event_open, &a, tid, -1, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

/* 0, or the number of the error. */
static int add(struct ht_faults *g, pid_t tid)
{
	struct ht_faults_thread *t = &g->thread[g->n];
	void *ring;
	int number;

	*t = (struct ht_faults_thread){.tid = tid, .period = 1, .before = 1};
	t->fd = open_event(tid);
	if (t->fd < 0)
		return errno;
	ring = mmap(NULL, PAGE + DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    t->fd, 0);
	if (ring == MAP_FAILED) {
		number = errno;
		close(t->fd);
		return number;
	}
	t->ring = ring;
	g->n++;
	return 0;
}

static void drop(struct ht_faults *g, size_t i)
{
	munmap(g->thread[i].ring, PAGE + DATA_BYTES);
	close(g->thread[i].fd);
	g->thread[i] = g->thread[--g->n];
}

enum ht_code ht_faults_begin(pid_t pid, struct ht_faults *ret,
			     struct ht_err *err)
{
	int number;

	memset(ret, 0, sizeof(*ret));
	ret->pid = pid;
	ret->since_ns = ht_mono_ns();
	number = add(ret, pid);
	return number ? refused(number, err) : HT_OK;
}

/* --- what was seen ------------------------------------------------------- */

static void copy_out(const uint8_t *data, uint64_t at, void *to, size_t n)
{
	size_t from = at % DATA_BYTES, first = DATA_BYTES - from;

	if (first > n)
		first = n;
	memcpy(to, data + from, first);
	memcpy((uint8_t *)to + first, data, n - first);
}

/* false: it is none that can be used. */
static bool make_sample(const uint8_t *bytes, size_t n, pid_t pid,
			struct ht_probe_sample *ret)
{
	struct record r;
	uint64_t len;

	if (n != RECORD_MAX)
		return false;
	memcpy(&r, bytes, sizeof(r));
	memcpy(&len, bytes + n - sizeof(len), sizeof(len));
	if (r.abi != PERF_SAMPLE_REGS_ABI_64 || r.pid != (uint32_t)pid ||
	    r.stack_size != HT_PROBE_STACK || len > HT_PROBE_STACK)
		return false;
	*ret = (struct ht_probe_sample){
		.magic = HT_PROBE_MAGIC,
		.kind = HT_PROBE_TOUCH,
		.time_ns = r.time,
		.address = r.address,
		.task = (uint64_t)r.pid << 32 | r.tid,
		.stack_len = len,
		.regs = {r.regs[HT_PERF_PC], r.regs[HT_PERF_SP],
			 r.regs[HT_PERF_FRAME]},
	};
	memcpy(ret->stack, bytes + sizeof(r), (size_t)len);
	return true;
}

/* A thread's ring, from what was not read yet to its end. */
struct unread {
	const uint8_t *data;
	uint64_t at, end;
	struct perf_event_header head; /* of the record at `at` */
};

static struct unread unread(const struct ht_faults_thread *t)
{
	const struct perf_event_mmap_page *page = (const void *)t->ring;

	return (struct unread){
		.data = t->ring + PAGE,
		.at = page->data_tail,
		.end = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE)};
}

static bool next_record(struct unread *u)
{
	u->at += u->head.size;
	if (u->at >= u->end)
		return false;
	copy_out(u->data, u->at, &u->head, sizeof(u->head));
	return u->head.size >= sizeof(u->head);
}

/* How many samples there are. */
static uint64_t samples_in(struct unread u)
{
	uint64_t n = 0;

	while (next_record(&u))
		n += u.head.type == PERF_RECORD_SAMPLE;
	return n;
}

/* What was lost is told by the next record that has room, a window later. */
static void take_lost(const struct ht_faults_thread *t, const struct unread *u,
		      struct ht_probe_done *done)
{
	uint64_t lost[2]; /* an id, and how many */

	if (u->head.size < sizeof(u->head) + sizeof(lost))
		return;
	copy_out(u->data, u->at + sizeof(u->head), lost, sizeof(lost));
	done->lost += lost[1] * t->before;
}

static bool take(const struct ht_faults *g, const struct unread *u,
		 uint64_t weight,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done)
{
	static uint8_t bytes[RECORD_MAX];
	static struct ht_probe_sample sample;

	if (u->head.size > sizeof(bytes))
		return true;
	copy_out(u->data, u->at, bytes, u->head.size);
	if (!make_sample(bytes, u->head.size, g->pid, &sample))
		return true;
	sample.weight = weight;
	done->chosen++;
	return say(&sample, false);
}

/* Faults since the last window. */
static uint64_t count_faults(struct ht_faults_thread *t)
{
	uint64_t before = t->count;

	if (read(t->fd, &t->count, sizeof(t->count)) != sizeof(t->count))
		t->count = before;
	return t->count - before;
}

static bool is_prime(uint64_t n)
{
	for (uint64_t d = 3; d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return n % 2 != 0;
}

/* What a program does may have a period of its own, of some few faults: a prime
 * has none in common with it. It stays while it will do: where counting begins
 * anew it begins where the program woke up. */
uint64_t ht_faults_period(const uint64_t peak[HT_FAULTS_PEAKS], uint64_t now)
{
	uint64_t most = 0, period;

	for (unsigned i = 0; i < HT_FAULTS_PEAKS; i++)
		if (peak[i] > most)
			most = peak[i];
	period = most / AIMED_AT;
	if (period < 2)
		return 1;
	if (period > PERIOD_MAX)
		period = PERIOD_MAX;
	if (now > 1 && now >= period && now <= 2 * period)
		return now;
	period = (period + period / 3) | 1;
	while (!is_prime(period))
		period += 2;
	return period;
}

/* Of a short window, as many as there would be in a longer one. */
static uint64_t in_full(uint64_t faults, int64_t window_ns)
{
	return window_ns >= FULL_NS || window_ns <= 0
		       ? faults
		       : faults * (uint64_t)(FULL_NS / window_ns);
}

/* Its samples, of which each stands for as many of its faults. false: nobody
 * listens. */
static bool drain(const struct ht_faults *g, struct ht_faults_thread *t,
		  int64_t window_ns,
		  bool (*say)(const struct ht_probe_sample *s, bool open),
		  struct ht_probe_done *done)
{
	struct perf_event_mmap_page *page = (void *)t->ring;
	struct unread u = unread(t);
	uint64_t faults = count_faults(t), all = faults + t->carried;
	uint64_t n = samples_in(u), i = 0;
	bool heard = true;

	while (heard && next_record(&u)) {
		if (u.head.type == PERF_RECORD_LOST)
			take_lost(t, &u, done);
		if (u.head.type != PERF_RECORD_SAMPLE)
			continue;
		heard = take(g, &u, all * (i + 1) / n - all * i / n, say, done);
		i++;
	}
	__atomic_store_n(&page->data_tail, u.end, __ATOMIC_RELEASE);
	t->carried = n ? 0 : all;
	t->peak[t->windows++ % HT_FAULTS_PEAKS] = in_full(faults, window_ns);
	done->hits += faults;
	return heard;
}

/* Between two windows: nothing comes while a ring is emptied. */
static bool turn(const struct ht_faults *g, struct ht_faults_thread *t,
		 int64_t window_ns,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done, bool pause)
{
	bool heard;

	ioctl(t->fd, PERF_EVENT_IOC_DISABLE, 0);
	heard = drain(g, t, window_ns, say, done);
	if (pause)
		return heard;
	t->before = t->period;
	t->period = ht_faults_period(t->peak, t->period);
	if (t->period != t->before)
		ioctl(t->fd, PERF_EVENT_IOC_PERIOD, &t->period);
	ioctl(t->fd, PERF_EVENT_IOC_ENABLE, 0);
	return heard;
}

/* --- threads ------------------------------------------------------------- */

static bool is_among(pid_t tid, const struct ht_probe_window *q)
{
	for (uint32_t i = 0; i < q->threads; i++)
		if (q->thread[i] == (uint32_t)tid)
			return true;
	return false;
}

static bool is_known(const struct ht_faults *g, pid_t tid)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->thread[i].tid == tid)
			return true;
	return false;
}

/* Those that ended make room for those that are new. What refuses a thread (it
 * ended, memory for rings) refuses that one alone. */
static void follow_threads(struct ht_faults *g, const struct ht_probe_window *q)
{
	for (size_t i = g->n; i-- > 0;)
		if (!is_among(g->thread[i].tid, q))
			drop(g, i);
	for (uint32_t i = 0; i < q->threads && g->n < HT_PROBE_THREADS; i++)
		if (!is_known(g, (pid_t)q->thread[i]) &&
		    add(g, (pid_t)q->thread[i]) != 0)
			continue;
}

enum ht_code
ht_faults_window(struct ht_faults *g, const struct ht_probe_window *q,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done, struct ht_err *err)
{
	int64_t now = ht_mono_ns(), window_ns = now - g->since_ns;
	bool pause = q->max_us == 0;

	for (size_t i = 0; i < g->n; i++)
		if (!turn(g, &g->thread[i], window_ns, say, done, pause))
			return ht_fail(err, HT_GONE,
				       "the agent listens no more");
	if (!pause)
		follow_threads(g, q);
	done->threads = (uint32_t)g->n;
	if (!g->paused)
		done->armed_us = (uint64_t)window_ns / HT_NS_PER_US;
	if (done->lost > done->hits)
		done->lost = done->hits;
	g->since_ns = now;
	g->paused = pause;
	return HT_OK;
}
