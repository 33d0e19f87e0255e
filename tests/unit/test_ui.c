/* SPDX-License-Identifier: Apache-2.0 */
/* UI: which addresses the live page has, and which names mean this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "daemon/http/ui.h"
#include "daemon/loop/listen.h"

static void every_address_means_one_thing_or_nothing(void **state)
{
	static const struct {
		const char *url;
		int64_t id;
		bool document;
	} rows[] = {
		{"/", 0, false},
		{"/index.json", 0, true},
		{"/p/1", 1, false},
		{"/p/1.json", 1, true},
		{"/p/123456789012345678.json", 123456789012345678, true},
		{"/p/1234567890123456789", -1, false},
		{"/p/0", -1, false},
		{"/p/007", -1, false},
		{"/p/", -1, false},
		{"/p/-1", -1, false},
		{"/p/+1", -1, false},
		{"/p/ 1", -1, false},
		{"/p/1 ", -1, false},
		{"/p/1.json.json", -1, false},
		{"/p/1/../2", -1, false},
		{"/p/../index.json", -1, false},
		{"/index.json?", -1, false},
		{"/now/1", -3, false},
		{"/now/1.json", -3, true},
		{"/now/7.json", -9, true},
		{"/now/0", -1, false},
		{"/now/", -1, false},
		{"/now/x.json", -1, false},
		{"/now/123456789012345678", -123456789012345680, false},
		{"//", -1, false},
		{"", -1, false},
		{"index.json", -1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool document = false;
		int64_t id = ht_ui_route(rows[i].url, &document);

		if (id != rows[i].id ||
		    (id >= 0 && document != rows[i].document))
			fail_msg("'%s' means %lld", rows[i].url, (long long)id);
	}
}

static void only_names_of_this_machine_are_its_own(void **state)
{
	static const char *const own[] = {
		"localhost",   "LocalHost:9748", "127.0.0.1", "127.0.0.1:9748",
		"127.1.2.3:1", "[::1]",		 "[::1]:9748"};
	static const char *const foreign[] = {"",
					      ":9748",
					      "evil.example",
					      "localhost.evil",
					      "127.0.0.1.evil",
					      "10.0.0.1:9748",
					      "[::2]",
					      "[::1",
					      "[::1]x",
					      "localhost:x",
					      "localhost:1:2",
					      "0.0.0.0",
					      "localhost@evil",
					      "127.1",
					      "2130706433",
					      " localhost",
					      "localhost ",
					      "[::ffff:10.0.0.1]",
					      "xlocalhost"};

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!ht_ui_is_own_host(own[i]))
			fail_msg("'%s' is this machine's own", own[i]);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		if (ht_ui_is_own_host(foreign[i]))
			fail_msg("'%s' is not this machine's own", foreign[i]);
}

static void a_listener_is_local_where_only_this_machine_reaches_it(void **state)
{
	(void)state;
	assert_true(ht_listen_is_local("127.0.0.1:9748"));
	assert_true(ht_listen_is_local("127.0.0.2:1"));
	assert_true(ht_listen_is_local("[::1]:9748"));
	assert_true(ht_listen_is_local("unix:/run/x"));
	assert_false(ht_listen_is_local("0.0.0.0:9748"));
	assert_false(ht_listen_is_local(":9748"));
	assert_false(ht_listen_is_local("[::]:9748"));
	assert_false(ht_listen_is_local("10.0.0.1:9748"));
	assert_false(ht_listen_is_local("none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_means_one_thing_or_nothing),
		cmocka_unit_test(only_names_of_this_machine_are_its_own),
		cmocka_unit_test(
			a_listener_is_local_where_only_this_machine_reaches_it),
	};

	return cmocka_run_group_tests_name("ui", tests, NULL, NULL);
}
