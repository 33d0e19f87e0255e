/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/faults.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "common/clock.h"

#define PAGE	   4096u
#define DATA_PAGES 32u /* a power of two; some fifteen samples */
#define DATA_BYTES (DATA_PAGES * PAGE)

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

	t->tid = tid;
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

static bool take(const struct ht_faults *g, const uint8_t *data, uint64_t at,
		 const struct perf_event_header *head,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done)
{
	static uint8_t bytes[RECORD_MAX];
	static struct ht_probe_sample sample;
	uint64_t lost[2]; /* an id, and how many */

	if (head->type == PERF_RECORD_LOST &&
	    head->size >= sizeof(*head) + sizeof(lost)) {
		copy_out(data, at + sizeof(*head), lost, sizeof(lost));
		done->hits += lost[1];
		done->lost += lost[1];
	}
	if (head->type != PERF_RECORD_SAMPLE || head->size > sizeof(bytes))
		return true;
	done->hits++;
	copy_out(data, at, bytes, head->size);
	if (!make_sample(bytes, head->size, g->pid, &sample))
		return true;
	done->chosen++;
	return say(&sample, false);
}

/* false: nobody listens. */
static bool drain(const struct ht_faults *g, const struct ht_faults_thread *t,
		  bool (*say)(const struct ht_probe_sample *s, bool open),
		  struct ht_probe_done *done)
{
	struct perf_event_mmap_page *page = (void *)t->ring;
	uint64_t end = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = page->data_tail;
	bool heard = true;

	while (heard && at < end) {
		struct perf_event_header head;

		copy_out(t->ring + PAGE, at, &head, sizeof(head));
		if (head.size < sizeof(head))
			break;
		heard = take(g, t->ring + PAGE, at, &head, say, done);
		at += head.size;
	}
	__atomic_store_n(&page->data_tail, end, __ATOMIC_RELEASE);
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
	int64_t now;

	for (size_t i = 0; i < g->n; i++)
		if (!drain(g, &g->thread[i], say, done))
			return ht_fail(err, HT_GONE,
				       "the agent listens no more");
	follow_threads(g, q);
	done->threads = (uint32_t)g->n;
	now = ht_mono_ns();
	done->armed_us = (uint64_t)(now - g->since_ns) / HT_NS_PER_US;
	g->since_ns = now;
	return HT_OK;
}
