/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client: agents that answer, lie, hang and die. This program is its own fake
 * agent: started as `--pid N`, it plays role N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "link/client.h"
#include "tests/lib/fake.h"

extern char **environ;

enum role {
	ANSWERS = 1,
	SAYS_DENIED,
	EXITS_7,
	EXITS_0,
	SEGFAULTS,
	IS_KILLED,
	ALARMS,
	HANGS,
	HANGS_UP, /* closes the socket, lives on */
	TALKS_NONSENSE,
	FLOODS,		 /* progress without end */
	LOOKS_AROUND,	 /* tells its environment and descriptors */
	SEES_SIGNALS,	 /* tells whether a signal is ignored or blocked */
	IGNORES_THE_END, /* answers, then does not end */
	MISCOUNTS,	 /* a sum that does not close, and not a word of it */
	TELLS_MISCOUNT,	 /* the same, told as a finding */
};

static struct ht_err err;

/* --- the fake agent ------------------------------------------------------ */

enum { SOCKET = 3 };

static void answer(const char *note)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct fake f = FAKE_DEFAULT;

	ht_snapshot_init(&s);
	fake_snapshot(&f, 0, &s);
	if (note)
		ht_snapshot_warn(&s, "%s", note);
	(void)!ht_wire_send_progress(SOCKET, 1, 2, NULL);
	(void)!ht_wire_send_snapshot(SOCKET, &s, NULL);
}

static void miscount(bool tell)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct fake f = FAKE_DEFAULT;

	ht_snapshot_init(&s);
	fake_snapshot(&f, 0, &s);
	s.process.rss += 4096;
	if (tell)
		ht_snapshot_find(&s, HT_FINDING_SUMS, 0, 0, "a page too many");
	(void)!ht_wire_send_snapshot(SOCKET, &s, NULL);
}

static void die_of(int number)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(number, SIG_DFL);
	raise(number);
}

static void look_around(void)
{
	char note[200];
	size_t used = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			used += (size_t)snprintf(note + used,
						 sizeof(note) - used, "%s",
						 e->d_name);
	if (d)
		closedir(d);
	snprintf(note + used, sizeof(note) - used, "%s",
		 environ && environ[0] ? " environment" : " bare");
	answer(note);
}

static void see_signals(void)
{
	struct sigaction usr1;
	sigset_t blocked;

	sigaction(SIGUSR1, NULL, &usr1);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	answer(usr1.sa_handler == SIG_DFL && !sigismember(&blocked, SIGUSR2)
		       ? "fresh"
		       : "inherited");
}

static void flood(void)
{
	while (ht_wire_send_progress(SOCKET, 1, 2, NULL) == HT_OK)
		;
}

static int play(enum role role)
{
	struct ht_request r;
	struct ht_err denied = {HT_DENIED, HT_HINT_GROUP, EPERM, 0,
				"not yours"};

	if (ht_wire_receive_request(SOCKET, &r, NULL) != HT_OK)
		return 99;
	switch (role) {
	case ANSWERS:
		answer(NULL);
		return ht_wire_receive_request(SOCKET, &r, NULL) == HT_GONE
			       ? 0
			       : 98;
	case SAYS_DENIED:
		(void)!ht_wire_send_error(SOCKET, &denied, NULL);
		break;
	case EXITS_7:
		return 7;
	case EXITS_0:
		return 0;
	case SEGFAULTS:
		die_of(SIGSEGV);
		break;
	case IS_KILLED:
		die_of(SIGKILL);
		break;
	case ALARMS:
		die_of(SIGALRM);
		break;
	case HANGS_UP:
		close(SOCKET);
		pause();
		break;
	case TALKS_NONSENSE:
		(void)!write(SOCKET, "HTTP/1.1 200 OK\r\n\r\n", 19);
		pause();
		break;
	case FLOODS:
		flood();
		break;
	case LOOKS_AROUND:
		look_around();
		break;
	case SEES_SIGNALS:
		see_signals();
		break;
	case IGNORES_THE_END:
		answer(NULL);
		pause();
		break;
	case MISCOUNTS:
	case TELLS_MISCOUNT:
		miscount(role == TELLS_MISCOUNT);
		break;
	case HANGS:
		pause();
		break;
	}
	return 0;
}

/* --- the parent ---------------------------------------------------------- */

static struct ht_client start(enum role role)
{
	struct ht_client c;

	if (ht_client_start("/proc/self/exe", (pid_t)role, NULL, &c, &err) !=
	    HT_OK)
		fail_msg("start: %s", err.msg);
	return c;
}

static enum ht_code sample(enum role role, struct ht_snapshot *into)
{
	HT_AUTO_CLIENT struct ht_client c = start(role);
	struct ht_request r = HT_REQUEST_DEFAULT;

	r.timeout_ms = 10000;
	memset(&err, 0, sizeof(err));
	return ht_client_sample(&c, &r, into, NULL, NULL, &err);
}

static void an_answer_is_taken_whole(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got, want;
	struct fake f = FAKE_DEFAULT;

	(void)state;
	ht_snapshot_init(&got);
	ht_snapshot_init(&want);
	fake_snapshot(&f, 0, &want);
	assert_int_equal(sample(ANSWERS, &got), HT_OK);
	assert_null(snapshot_difference(&want, &got, NULL));
}

static void an_agent_answers_again_and_ends_with_its_socket(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	struct ht_request r = HT_REQUEST_DEFAULT;
	struct ht_client c = start(ANSWERS);
	pid_t pid = c.agent_pid;

	(void)state;
	ht_snapshot_init(&got);
	assert_int_equal(ht_client_sample(&c, &r, &got, NULL, NULL, &err),
			 HT_OK);
	ht_client_stop(&c);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	ht_client_stop(&c);				   /* harmless */
}

static const struct {
	const char *why;
	enum role role;
	enum ht_code code;
	const char *says;
} deaths[] = {
	{"its own error is handed on", SAYS_DENIED, HT_DENIED, "not yours"},
	{"a status", EXITS_7, HT_BUG, "status 7"},
	{"an end without an answer", EXITS_0, HT_PROTOCOL, "status 0"},
	{"a crash", SEGFAULTS, HT_BUG, "Segmentation fault"},
	{"the oom killer", IS_KILLED, HT_SYS, "out-of-memory"},
	{"its own alarm", ALARMS, HT_TIMEOUT, "alarm"},
	{"a closed socket", HANGS_UP, HT_PROTOCOL, "closed its socket"},
	{"another protocol", TALKS_NONSENSE, HT_PROTOCOL, "magic"},
	{"a sum that does not close", MISCOUNTS, HT_PROTOCOL,
	 "difference 4096"},
};

static void what_became_of_an_agent_is_told_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot got;

		ht_snapshot_init(&got);
		if (sample(deaths[i].role, &got) != deaths[i].code ||
		    !strstr(err.msg, deaths[i].says))
			fail_msg("%s: %s: %s", deaths[i].why,
				 ht_code_label(err.code), err.msg);
	}
}

static void a_sum_that_does_not_close_is_taken_when_it_is_told(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got;

	(void)state;
	ht_snapshot_init(&got);
	assert_int_equal(sample(TELLS_MISCOUNT, &got), HT_OK);
	assert_string_equal(got.findings.v[got.findings.n - 1].text,
			    "a page too many");
}

static void an_agent_that_is_late_is_ended_at_its_deadline(void **state)
{
	static const enum role late[] = {HANGS, FLOODS};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot got;
		HT_AUTO_CLIENT struct ht_client c = start(late[i]);
		struct ht_request r = HT_REQUEST_DEFAULT;
		int64_t begin_ns = ht_mono_ns();

		ht_snapshot_init(&got);
		r.timeout_ms = 100;
		assert_int_equal(
			ht_client_sample(&c, &r, &got, NULL, NULL, &err),
			HT_TIMEOUT);
		assert_true(ht_mono_ns() - begin_ns < 8 * HT_NS_PER_S);
	}
}

static void one_that_does_not_end_is_ended(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	struct ht_request r = HT_REQUEST_DEFAULT;
	struct ht_client c = start(IGNORES_THE_END);
	pid_t pid = c.agent_pid;

	(void)state;
	ht_snapshot_init(&got);
	assert_int_equal(ht_client_sample(&c, &r, &got, NULL, NULL, &err),
			 HT_OK);
	ht_client_stop(&c);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void an_agent_gets_one_socket_and_no_environment(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	int extra = open("/dev/null", O_RDONLY); /* not close-on-exec */

	(void)state;
	ht_snapshot_init(&got);
	assert_int_equal(sample(LOOKS_AROUND, &got), HT_OK);
	assert_string_equal(got.warnings.v[0].text, "0123 bare");
	close(extra);
}

static void an_agent_starts_with_fresh_signals(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot got;
	sigset_t block, old;

	(void)state;
	ht_snapshot_init(&got);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR2);
	sigprocmask(SIG_BLOCK, &block, &old);
	assert_int_equal(sample(SEES_SIGNALS, &got), HT_OK);
	assert_string_equal(got.warnings.v[0].text, "fresh");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void an_agent_that_is_not_there_is_named(void **state)
{
	struct ht_client c;
	char path[256];

	(void)state;
	assert_int_equal(
		ht_client_start("/nonexistent/agent", 1, NULL, &c, &err),
		HT_SYS);
	assert_non_null(strstr(err.msg, "/nonexistent/agent"));
	ht_client_stop(&c);
	setenv("HEAPTIDE_AGENT", "/nonexistent/agent", 1);
	assert_int_equal(ht_client_find_agent(path, sizeof(path), &err),
			 HT_SYS);
	assert_non_null(strstr(err.msg, "HEAPTIDE_AGENT"));
	setenv("HEAPTIDE_AGENT", "/bin/true", 1);
	assert_int_equal(ht_client_find_agent(path, sizeof(path), &err), HT_OK);
	assert_string_equal(path, "/bin/true");
	unsetenv("HEAPTIDE_AGENT");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_taken_whole),
		cmocka_unit_test(
			an_agent_answers_again_and_ends_with_its_socket),
		cmocka_unit_test(what_became_of_an_agent_is_told_in_words),
		cmocka_unit_test(
			an_agent_that_is_late_is_ended_at_its_deadline),
		cmocka_unit_test(
			a_sum_that_does_not_close_is_taken_when_it_is_told),
		cmocka_unit_test(one_that_does_not_end_is_ended),
		cmocka_unit_test(an_agent_gets_one_socket_and_no_environment),
		cmocka_unit_test(an_agent_starts_with_fresh_signals),
		cmocka_unit_test(an_agent_that_is_not_there_is_named),
	};

	if (argc == 3 && !strcmp(argv[1], "--pid"))
		return play((enum role)atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
