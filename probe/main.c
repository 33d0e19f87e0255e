/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heaptide-probe: sees calls of malloc in one process for a short time. A child
 * of heaptide-agent, which speaks to it over descriptor 3 (link/probe.h) and
 * hands it the files that malloc is in; it opens nothing itself.
 * Crash-only: whatever ends it, the kernel takes its breakpoints away.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/passing.h"
#include "probe/confine.h"
#include "probe/faults.h"
#include "probe/window.h"

static const char usage[] =
	"Usage: heaptide-probe\n"
	"Sees calls of malloc in one process. It is started by heaptide-agent,\n"
	"which speaks to it over a socket on descriptor 3; by itself it does\n"
	"nothing. To find who allocates use 'heaptide who PID'.\n"
	"\n"
	"      --help        this text\n"
	"      --version     the version\n";

static bool receive(void *message, size_t size, int fds[HT_PROBE_FILES],
		    size_t *fds_n)
{
	return ht_pass_receive(HT_PROBE_SOCKET, 0, message, size, fds,
			       HT_PROBE_FILES, fds_n);
}

static bool say(const void *message, size_t size)
{
	ssize_t n;

	do
		n = send(HT_PROBE_SOCKET, message, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

static bool is_sound_open(const struct ht_probe_open *o, size_t fds)
{
	if (o->magic == HT_PROBE_MAGIC && o->way == HT_PROBE_GROWTH)
		return fds == 0;
	if (o->magic != HT_PROBE_MAGIC || o->files != fds || fds == 0 ||
	    o->points == 0 || o->points > HT_PROBE_POINTS ||
	    o->way > HT_PROBE_BEST)
		return false;
	for (uint32_t i = 0; i < o->points; i++)
		if (o->point[i].file >= fds ||
		    o->point[i].kind >= HT_PROBE_KINDS ||
		    o->point[i].address >> HT_PROGRAM_KIND_SHIFT)
			return false;
	return true;
}

static bool is_sound_window(const struct ht_probe_window *q)
{
	return q->magic == HT_PROBE_MAGIC &&
	       q->max_us <= HT_PROBE_WINDOW_MAX_US &&
	       q->max_hits <= HT_PROBE_HITS_MAX &&
	       q->threads <= HT_PROBE_THREADS;
}

/* While a window is open nobody is waited for. */
static bool say_sample(const struct ht_probe_sample *s, bool open)
{
	return open ? send(HT_PROBE_SOCKET, s, sizeof(*s),
			   MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*s)
		    : say(s, sizeof(*s));
}

/* One of the two. */
struct ways {
	uint32_t way;
	struct ht_kernel_window window;
	struct ht_faults growth;
};

static enum ht_code prepare(const struct ht_probe_open *o, const int *fds,
			    struct ways *ret, struct ht_err *err)
{
	enum ht_code code;

	ret->way = o->way;
	if (o->way == HT_PROBE_GROWTH)
		return ht_faults_begin((pid_t)o->pid, &ret->growth, err);
	code = ht_window_prepare(o, fds, &ret->window, err);
	ret->way = ret->window.way;
	return code;
}

/* Answers one request for a window. */
static bool answer(struct ways *w, const struct ht_probe_window *q)
{
	struct ht_probe_done done = {.magic = HT_PROBE_MAGIC, .way = w->way};

	done.code = w->way == HT_PROBE_GROWTH
			    ? ht_faults_window(&w->growth, q, say_sample, &done,
					       &done.err)
			    : ht_window_run(&w->window, q, say_sample, &done,
					    &done.err);
	return say(&done, sizeof(done)) && done.code == HT_OK;
}

static int serve(void)
{
	struct ht_probe_done ready = {.magic = HT_PROBE_MAGIC};
	struct ht_probe_window q = {0};
	struct ht_probe_open o = {0};
	static struct ways ways;
	int fds[HT_PROBE_FILES] = {-1, -1, -1, -1};
	size_t n;

	if (!receive(&o, sizeof(o), fds, &n) || !is_sound_open(&o, n))
		return 1;
	ready.code = prepare(&o, fds, &ways, &ready.err);
	ready.way = ways.way;
	if (ready.code == HT_OK)
		ready.code = ht_confine_settle(ways.way, &ready.err);
	if (!say(&ready, sizeof(ready)) || ready.code != HT_OK)
		return 0;
	while (receive(&q, sizeof(q), fds, &n))
		if (n > 0 || !is_sound_window(&q) || !answer(&ways, &q))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct ht_probe_done refused = {.magic = HT_PROBE_MAGIC};
	struct stat st;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("heaptide-probe " HT_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc != 1 || fstat(HT_PROBE_SOCKET, &st) != 0 ||
	    !S_ISSOCK(st.st_mode)) {
		fputs(usage, stderr);
		return 2;
	}
	refused.code = ht_confine(&refused.err);
	if (refused.code == HT_OK)
		return serve();
	say(&refused, sizeof(refused));
	return 1;
}
