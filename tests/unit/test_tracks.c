/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks: a daemon looks at bins and their like once a minute, at the rest each
 * second. What lies between two looks is not unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/capture.h"
#include "tests/lib/fake.h"
#include "tests/lib/store.h"

#define S HT_NS_PER_S
enum { SAMPLES = 20 * 60, EVERY = 60, GONE_FROM = 300, GONE_TO = 900 };

static const struct fake made = {7, 3, 4, 8, 4096, FAKE_T0, S};

/* Twenty minutes; in ten of them an arena is not there. */
static void write_history(void)
{
	HT_AUTO_STORE struct ht_store *st = NULL;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = 0; n < SAMPLES; n++) {
		fake_snapshot(&made, n, &s);
		if (n % EVERY) /* as the agent leaves them out */
			s.bins.n = s.size_classes.n = s.threads.n = 0;
		if (n >= GONE_FROM && n < GONE_TO)
			s.arenas.n--;
		assert_ok(ht_store_add(st, "made", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
}

/* As people type it. */
static char *shown(const char *list, const char *form)
{
	const char *const words[] = {"heaptide",   list, "made",
				     "--db",	   path, "--since",
				     "2020-01-01", form};
	enum { WORDS = sizeof(words) / sizeof(*words) };
	char word[WORDS][100], *argv[WORDS + 1] = {NULL};

	for (size_t i = 0; i < WORDS; i++) {
		snprintf(word[i], sizeof(word[i]), "%s", words[i]);
		argv[i] = word[i];
	}
	capture_begin();
	assert_int_equal(ht_cli_main(WORDS, argv), 0);
	return capture_end();
}

/* Between its frame and its end at the right: lines that begin a track. */
static size_t count_in_map(char *text, char sign)
{
	size_t seen = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *frame = strchr(line, '|');

		for (; frame && *frame; frame++)
			seen += *frame == sign;
	}
	return seen;
}

static void a_time_between_two_looks_is_not_unknown(void **state)
{
	static const char *const lists[] = {"bins", "classes", "threads"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *text = shown(lists[i], "--ascii");

		assert_non_null(strchr(text, '|'));
		assert_int_equal(count_in_map(text, '?'), 0);
		free(text);
	}
}

static void what_was_not_there_is_nothing_and_not_unknown(void **state)
{
	char *text = shown("arenas", "--ascii");

	(void)state;
	assert_int_equal(count_in_map(text, '?'), 0);
	free(text);
}

static void data_have_the_looks_and_no_others(void **state)
{
	json_t *o, *bin;
	char *text = shown("bins", "--json");
	size_t i;

	(void)state;
	o = json_loads(text, 0, NULL);
	free(text);
	assert_int_equal(json_array_size(json_object_get(o, "times")),
			 SAMPLES / EVERY);
	json_array_foreach(json_object_get(o, "bins"), i, bin)
		assert_int_equal(json_array_size(json_object_get(bin, "bytes")),
				 SAMPLES / EVERY);
	assert_true(i > 10);
	json_decref(o);
}

static int make(void **state)
{
	if (fresh(state) != 0)
		return -1;
	setenv("LC_ALL", "C", 1);
	setenv("COLUMNS", "100", 1);
	write_history();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_between_two_looks_is_not_unknown),
		cmocka_unit_test(what_was_not_there_is_nothing_and_not_unknown),
		cmocka_unit_test(data_have_the_looks_and_no_others),
	};

	return cmocka_run_group_tests_name("tracks", tests, make, clean);
}
