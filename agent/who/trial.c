/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/memory/maps.h"
#include "agent/who/prober.h"
#include "common/cleanup.h"

#define WINDOW_US    200000
#define CHILD_S	     20 /* it is killed long before */
#define DYING_MS     200
#define STATUS_BYTES 8192

/* The filter of each thread is its own; that of the main one stands for all:
 * filters are set at the start, or for all threads. */
bool ht_trial_is_due(pid_t pid)
{
	char path[48], text[STATUS_BYTES];
	const char *line;
	HT_AUTO_FD int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	text[n] = '\0';
	line = strstr(text, "\nSeccomp:");
	return line && strtol(line + sizeof("\nSeccomp:") - 1, NULL, 10) != 0;
}

/* Looks like malloc: returns an address behind a word that may be read. */
static __attribute__((noinline)) void *give(size_t size)
{
	static uint64_t chunk[8];

	__asm__ volatile("" : "+r"(size) : : "memory");
	return &chunk[2];
}

/* Kills for every system call but the end. */
static bool strict_filter(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog p = {sizeof(f) / sizeof(*f), f};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0;
}

/* The child: calls, with pauses that need no system call. */
static void call_for_ever(bool (*filter)(void))
{
	alarm(CHILD_S);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!filter())
		_exit(1);
	for (;;) {
		give(1);
		for (volatile unsigned i = 0; i < 1000000; i++)
			;
	}
}

/* Where `give` is in our own file. */
static enum ht_code find_point(pid_t pid, struct ht_probe_open *ret,
			       struct ht_err *err)
{
	uint64_t address = (uintptr_t)give;
	struct ht_maps maps = {0};
	enum ht_code code = ht_maps_read(getpid(), &maps, err);
	const struct ht_vma *v =
		code == HT_OK ? ht_maps_at(&maps, address) : NULL;

	*ret = (struct ht_probe_open){.magic = HT_PROBE_MAGIC,
				      .pid = (uint32_t)pid,
				      .way = HT_PROBE_BEST,
				      .files = 1,
				      .points = 1};
	if (v)
		ret->point[0] = (struct ht_probe_point){
			.offset = address - v->start + v->offset,
			.address = address};
	else if (code == HT_OK)
		code = ht_fail(err, HT_BUG, "our own code is not mapped");
	ht_maps_fini(&maps);
	return code;
}

static void count(void *ctx, const struct ht_probe_sample *s)
{
	(void)s;
	++*(unsigned *)ctx;
}

static enum ht_code look_at(pid_t child, const char *probe, unsigned *ret,
			    struct ht_err *err)
{
	const struct ht_probe_window q = {.magic = HT_PROBE_MAGIC,
					  .max_size = UINT64_MAX,
					  .max_hits = 10,
					  .max_us = WINDOW_US};
	HT_AUTO_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const int fds[HT_PROBE_FILES] = {self};
	struct ht_prober prober = HT_PROBER_NONE;
	struct ht_probe_done done;
	struct ht_probe_open o;
	enum ht_code code;

	if (self < 0)
		return ht_fail_sys(err, HT_SYS, errno, "/proc/self/exe");
	code = find_point(child, &o, err);
	if (code == HT_OK)
		code = ht_prober_start(probe, &o, fds, &prober, err);
	if (code == HT_OK)
		code = ht_prober_window(&prober, &q, count, ret, &done, err);
	ht_prober_stop(&prober);
	return code;
}

enum ht_code ht_trial(const char *probe, bool (*filter)(void),
		      struct ht_err *err)
{
	unsigned seen = 0;
	enum ht_code code;
	int status = 0;
	pid_t child, ended;

	child = fork();
	if (child < 0)
		return ht_fail_sys(err, HT_SYS, errno, "fork for a trial");
	if (child == 0)
		call_for_ever(filter ?: strict_filter);
	code = look_at(child, probe, &seen, err);
	ended = waitpid(child, &status, WNOHANG);
	for (int i = 0; ended == 0 && seen == 0 && i < DYING_MS; i++) {
		usleep(1000);
		ended = waitpid(child, &status, WNOHANG);
	}
	if (ended == 0) {
		kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (ended != 0)
		return ht_fail_hint(
			err, HT_REFUSED, HT_HINT_PROBE,
			"the process has a seccomp filter, and on this kernel whoever returns from a function that is looked at is killed by one (mended in later ones of its line)");
	if (code == HT_OK && seen == 0)
		return ht_fail_hint(
			err, HT_REFUSED, HT_HINT_PROBE,
			"the process has a seccomp filter, and whether it would outlive being looked at could not be tried: no call was seen");
	return code;
}
