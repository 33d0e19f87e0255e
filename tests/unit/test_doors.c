/* SPDX-License-Identifier: Apache-2.0 */
/* What people and strangers hand in: times, names, files, patterns. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/line.h"
#include "common/log.h"
#include "common/near.h"
#include "daemon/config/config.h"
#include "daemon/loop/listen.h"
#include "store/store.h"

/* --- times --------------------------------------------------------------- */

static void durations_are_read_as_they_are_printed(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* 0: refused */
	} rows[] = {
		{"90", 90 * HT_NS_PER_S},
		{"1.5s", 1500 * HT_NS_PER_MS},
		{"250ms", 250 * HT_NS_PER_MS},
		{"1h30m", 5400 * HT_NS_PER_S},
		{"2m05s", 125 * HT_NS_PER_S},
		{"1d23h", 47 * 3600 * HT_NS_PER_S},
		{"1w2d", 9 * 86400 * HT_NS_PER_S},
		{"30m1h", 0}, /* from the largest on */
		{"5m5m", 0},
		{"1h30", 0}, /* minutes or seconds? */
		{"", 0},
		{"0", 0},
		{"-5s", 0},
		{"inf", 0},
		{"nan", 0},
		{"0x10", 0},
		{"1e3", 0},
		{"1..5s", 0},
		{"300y", 0},
		{"99999999999999d", 0},
		{"9223372036854775807w", 0},
	};
	char text[64];
	int64_t ns, again;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ns = 0;
		if (ht_duration_parse(rows[i].text, &ns) != 0)
			ns = 0;
		if (ns != rows[i].ns)
			fail_msg("'%s' is read as %lld", rows[i].text,
				 (long long)ns);
	}
	assert_int_equal(ht_duration_parse(".99995", &ns), 0);
	ht_duration_text(ns, text, sizeof(text));
	assert_string_equal(text, "1s");
	for (ns = HT_NS_PER_US; ns < INT64_C(3000000000000000000); ns *= 3) {
		ht_duration_text(ns, text, sizeof(text));
		if (ht_duration_parse(text, &again) != 0)
			fail_msg("'%s' is printed and not read", text);
	}
}

static void durations_that_round_up_are_said_in_the_next_unit(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{999999, "999us"},	{1000000, "1ms"},
		{1234567, "1.23ms"},	{9996000, "10ms"},
		{999499999, "999ms"},	{999500000, "1s"},
		{999999999, "1s"},	{59949999999, "59.9s"},
		{59950000000, "1m00s"}, {59999999999, "1m00s"},
		{60000000000, "1m00s"}, {3599999999999, "59m59s"},
	};
	char text[64];
	int64_t again;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ht_duration_text(rows[i].ns, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(ht_duration_parse(text, &again), 0);
	}
}

static void times_are_read_in_every_form_people_write(void **state)
{
	const int64_t now = INT64_C(1769860800) * HT_NS_PER_S; /* 12:00 UTC */
	static const struct {
		const char *text;
		int64_t s; /* -1: refused */
	} rows[] = {
		{"now", 1769860800},
		{"@5", 5},
		{"-1h30m", 1769860800 - 5400},
		{"2026-01-31T12:00:00Z", 1769860800},
		{"2026-01-31 13:00+01:00", 1769860800},
		{"2026-01-31 13:00:00.000+0100", 1769860800},
		{"2026-01-31", 1769860800 - 7 * 3600}, /* New York's */
		{"2026-01-31 07:00", 1769860800},
		{"06:30", 1769860800 - 1800},
		{"07:00", 1769860800},
		{"18:00", 1769860800 - 13 * 3600}, /* yesterday evening */
		{"today", 1769860800 - 7 * 3600},
		{"yesterday", 1769860800 - 31 * 3600},
		{"tomorrow", 1769860800 + 17 * 3600},
		{"2261-12-31", INT64_C(9214578000)},
		{"2262-12-31", -1},
		{"9999-12-31T23:59:59Z", -1},
		{"1969-12-31T00:00:00Z", -1},
		{"-300w99999999999d", -1},
		{"-100w99999d", -1},
		{"@9e99", -1},
		{"@99999999999999999999", -1},
		{"2026-01-31T12:00:00+99:99", -1},
		{"2026-01-31T12:00:00.", -1},
		{"2026-13-31", -1},
		{"25:00", -1},
		{"18:00x", -1},
		{"", -1},
		{"sometime", -1},
	};
	int64_t ns;

	(void)state;
	setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ns = -HT_NS_PER_S;
		if (ht_time_parse(rows[i].text, now, &ns) != 0)
			ns = -HT_NS_PER_S;
		if (ns / HT_NS_PER_S != rows[i].s)
			fail_msg("'%s' is read as %lld", rows[i].text,
				 (long long)(ns / HT_NS_PER_S));
	}
	unsetenv("TZ");
}

/* --- names --------------------------------------------------------------- */

static void a_strangers_name_stays_on_its_line(void **state)
{
	static const char *const rows[][2] = {
		{"plain", "plain"},
		{"x\n<0>boom", "x\\n<0>boom"},
		{"a\tb\r", "a\\tb\\r"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"}, /* a terminal's CSI */
		{"bad \xff\xc3", "bad \\xff\\xc3"},
		{"\x7f", "\\x7f"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(ht_line_escape(rows[i][0], out, sizeof(out)),
				 strlen(rows[i][1]));
		assert_string_equal(out, rows[i][1]);
	}
	assert_int_equal(ht_line_escape("ab\ncd", out, 4), 2);
	assert_string_equal(out, "ab"); /* no half of an escape */
	assert_int_equal(ht_line_escape("a\xc3\xa9", out, 3), 1);
}

static void a_word_is_put_in_where_it_stands_whole(void **state)
{
	static const char *const rows[][2] = {
		{"PID", "42"},
		{"ls -l /proc/PID/fd, jcmd PID x",
		 "ls -l /proc/42/fd, jcmd 42 x"},
		{"`map PID`", "`map 42`"},
		{"PIDS and RAPID", "PIDS and RAPID"},
		{"", ""},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
			ht_line_put(rows[i][0], "PID", "42", out, sizeof(out)),
			rows[i][1]);
	assert_string_equal(ht_line_put("a PID", "PID", "12345", out, 5),
			    "a 12");
	assert_string_equal(ht_line_put("PID PID", "PID", "12345", out, 9),
			    "12345 12");
}

/* What ht_log writes of one message, in a child whose stderr we read. */
static size_t logged(const char *name, char *out, size_t len)
{
	int ends[2];
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		setenv("JOURNAL_STREAM", "1:1", 1);
		ht_log_init("test", LOG_INFO);
		ht_log(LOG_NOTICE, "watching (%s)", name);
		_exit(0);
	}
	close(ends[1]);
	waitpid(pid, NULL, 0);
	n = read(ends[0], out, len - 1);
	close(ends[0]);
	assert_true(n > 0);
	out[n] = '\0';
	return (size_t)n;
}

static void what_reaches_the_log_is_one_line_at_its_own_priority(void **state)
{
	char out[8192], long_name[5000];

	(void)state;
	logged("x\n<0>boom", out, sizeof(out));
	assert_string_equal(out, "<5>watching (x\\n<0>boom)\n");
	memset(long_name, '\n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	logged(long_name, out, sizeof(out));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static const char *word_at(const void *ctx, size_t i)
{
	return ((const char *const *)ctx)[i];
}

static void a_mistyped_word_is_guessed_and_a_strange_one_is_not(void **state)
{
	static const char *const words[] = {"trimmable", "verdict", "version",
					    "rss", NULL};
	char text[HT_NEAR_TEXT];

	(void)state;
	assert_string_equal(ht_near("trimable", word_at, words), "trimmable");
	assert_string_equal(ht_near("verd", word_at, words), "verdict");
	assert_null(ht_near("ver", word_at, words)); /* two begin so */
	assert_null(ht_near("zzz", word_at, words));
	assert_null(ht_near("", word_at, words));
	assert_string_equal(ht_near_text("rss", text), "; did you mean 'rss'?");
	assert_string_equal(ht_near_text(NULL, text), "");
}

static void an_error_may_say_better_than_its_code_what_to_do(void **state)
{
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_fail(&err, HT_USAGE, "x"), HT_USAGE);
	assert_string_equal(ht_err_hint(&err), ht_code_hint(HT_USAGE));
	assert_int_equal(ht_fail_hint(&err, HT_USAGE, HT_HINT_GROUP, "x"),
			 HT_USAGE);
	assert_non_null(strstr(ht_err_hint(&err), "group"));
	assert_int_equal(ht_hint_find(ht_err_hint(&err)), HT_HINT_GROUP);
	err.hint = 9999; /* as from a hostile peer */
	assert_string_equal(ht_err_hint(&err), ht_code_hint(HT_USAGE));
}

/* --- files --------------------------------------------------------------- */

static char dir[] = "/tmp/heaptide-doors-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	struct ht_store *store;
	struct ht_config c;
	struct ht_err err;
	char fifo[64];
	const char *const paths[] = {dir, fifo, "/dev/zero", "/dev/tty"};
	int fd;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(20); /* an open of the FIFO would wait for ever */
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		assert_int_equal(ht_file_open(paths[i], 0, HT_STORE, &fd, &err),
				 HT_STORE);
		assert_non_null(strstr(err.msg, ", not a file"));
		assert_int_equal(ht_config_load(paths[i], &c, &err), HT_CONFIG);
		assert_non_null(strstr(err.msg, ", not a file"));
		ht_config_fini(&c);
		for (int mode = HT_STORE_READ; mode <= HT_STORE_WRITE; mode++) {
			assert_int_equal(ht_store_open(paths[i],
						       (enum ht_store_mode)mode,
						       &store, &err),
					 HT_STORE);
			assert_non_null(strstr(err.msg, ", not a file"));
		}
	}
	alarm(0);
	unlink(fifo);
}

static void a_file_is_opened_up_to_its_bound(void **state)
{
	char path[64];
	struct ht_err err;
	FILE *f;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("0123456789", f);
	fclose(f);
	assert_int_equal(ht_file_open(path, 10, HT_CONFIG, &fd, &err), HT_OK);
	close(fd);
	assert_int_equal(ht_file_open(path, 9, HT_CONFIG, &fd, &err),
			 HT_CONFIG);
	assert_non_null(strstr(err.msg, "larger than"));
	unlink(path);
	assert_int_equal(ht_file_open(path, 10, HT_CONFIG, &fd, &err),
			 HT_CONFIG);
	assert_int_not_equal(err.os_errno, 0);
}

static void a_socket_path_that_is_no_socket_stays(void **state)
{
	char path[64], target[64];
	struct ht_err err;
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/control", dir);
	snprintf(target, sizeof(target), "%s/precious", dir);
	close(open(target, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(ht_listen_unix(path, 0600, NULL, &fd, &err),
			 HT_CONFIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(target, path), 0);
	assert_int_equal(ht_listen_unix(path, 0600, NULL, &fd, &err),
			 HT_CONFIG);
	ht_listen_end(path);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	/* one that a daemon left behind is taken over */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ht_listen_unix(path, 0600, NULL, &fd, &err),
				 HT_OK);
		close(fd);
	}
	ht_listen_end(path);
	assert_int_not_equal(stat(path, &st), 0);
}

/* --- patterns ------------------------------------------------------------ */

static void patterns_find_what_extended_expressions_find(void **state)
{
	static const struct {
		const char *pattern, *text;
		enum ht_pattern_answer answer;
	} rows[] = {
		{"java.*web", "/usr/bin/java -jar web.jar", HT_PATTERN_YES},
		{"^java", "/usr/bin/java", HT_PATTERN_NO},
		{"jar$", "java -jar web.jar", HT_PATTERN_YES},
		{"a{2,3}b", "caab", HT_PATTERN_YES},
		{"(x|y)+z", "wxyz", HT_PATTERN_YES},
		{"[[:digit:]]{4}", "port 8080", HT_PATTERN_YES},
		{"[^a-z ]", "only words", HT_PATTERN_NO},
		{"a.b", "a\nb", HT_PATTERN_YES},
		{"", "anything", HT_PATTERN_YES},
		{"\\.conf", "x.conf", HT_PATTERN_YES},
		{"x#y", "x#y", HT_PATTERN_YES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ht_pattern *p;
		struct ht_err err;

		if (ht_pattern_compile(rows[i].pattern, &p, &err) != HT_OK)
			fail_msg("%s", err.msg);
		if (ht_pattern_find(p, rows[i].text, strlen(rows[i].text)) !=
		    rows[i].answer)
			fail_msg("'%s' in '%s'", rows[i].pattern, rows[i].text);
		ht_pattern_free(p);
	}
}

static void a_pattern_that_is_wrong_says_where(void **state)
{
	static const char *const wrong[] = {"(",       "a)|(b",		"[a",
					    "(a)\\1",  "(?<n>a)\\k<n>", "*",
					    "\\Qabc(", "(?x)a #"};
	struct ht_pattern *p = NULL;
	struct ht_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		if (ht_pattern_compile(wrong[i], &p, &err) == HT_OK)
			fail_msg("'%s' is taken", wrong[i]);
		assert_non_null(strstr(err.msg, wrong[i]));
	}
}

/* Repetition bombs, backtracking and look-ahead, over text made for them:
 * without a bound they take hours, and gigabytes. */
static void no_pattern_holds_the_loop_or_memory(void **state)
{
	static const char *const bombs[] = {
		"((((a{1,255}){1,255}){1,255}){1,255})",
		"((((a{1,255}){1,255}){1,255}){1,255}",
		"(((a{1,99}){1,99}){1,99})z",
		"(a{1,250}){1,250}z",
		"(a*)*z",
		"(a|aa)+z",
		"(.*)a(.*)a(.*)a(.*)az",
		"((a?){30}a{30}){20}z",
		"(?=.*z)(?=.*y)a",
		"(?:(?=.*z|a)a)*z",
		"(?R)?z",
		"(?:(?:(?:a?){60}){60})z",
	};
	char text[4096];
	struct rusage before, after;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "zyzyz", 5);
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		struct ht_pattern *p;
		struct ht_err err;

		if (ht_pattern_compile(bombs[i], &p, &err) != HT_OK)
			continue;
		ht_pattern_find(p, text + 5, sizeof(text) - 5);
		ht_pattern_find(p, text, sizeof(text));
		ht_pattern_free(p);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_is_put_in_where_it_stands_whole),
		cmocka_unit_test(durations_are_read_as_they_are_printed),
		cmocka_unit_test(
			durations_that_round_up_are_said_in_the_next_unit),
		cmocka_unit_test(times_are_read_in_every_form_people_write),
		cmocka_unit_test(a_strangers_name_stays_on_its_line),
		cmocka_unit_test(
			what_reaches_the_log_is_one_line_at_its_own_priority),
		cmocka_unit_test(
			a_mistyped_word_is_guessed_and_a_strange_one_is_not),
		cmocka_unit_test(
			an_error_may_say_better_than_its_code_what_to_do),
		cmocka_unit_test(what_is_no_file_is_refused_at_once),
		cmocka_unit_test(a_file_is_opened_up_to_its_bound),
		cmocka_unit_test(a_socket_path_that_is_no_socket_stays),
		cmocka_unit_test(patterns_find_what_extended_expressions_find),
		cmocka_unit_test(a_pattern_that_is_wrong_says_where),
		cmocka_unit_test(no_pattern_holds_the_loop_or_memory),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
