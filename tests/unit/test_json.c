/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: the contract's keys, null for what is not known, valid UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>

#include "schema/snapshot_json.h"
#include "tests/lib/fake.h"

static json_t *fake_json(void)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct fake f = FAKE_DEFAULT;
	json_t *json;

	ht_snapshot_init(&s);
	fake_snapshot(&f, 1, &s);
	ht_snapshot_warn(&s, "a warning");
	s.arenas.v[2].pin_address = 0x7f0000001000;
	s.arenas.v[2].pin_size = 32;
	s.arenas.v[2].pin_holds = 4096;
	json = ht_snapshot_json(&s);
	assert_non_null(json);
	return json;
}

/* The contract: an object's keys, which are only ever added. */
static const struct {
	const char *at, *keys;
} contract[] = {
	{"", "schema pid comm exe started_at taken_at arch libc stop process "
	     "params totals fragmentation rss_breakdown arenas threads "
	     "size_classes advice warnings"},
	{"libc", "version build_id path layout located allocator"},
	{"stop", "mode pause_us attempts threads uncertain_bytes"},
	{"process", "vsz rss pss uss swap writable_private rss_anon rss_file "
		    "minflt majflt threads"},
	{"params", "mmap_threshold trim_threshold top_pad n_mmaps mmapped_mem "
		   "max_n_mmaps no_dyn_threshold arena_max arena_test "
		   "tcache_count tcache_max_bytes sbrk_base"},
	{"totals", "arenas heaps system max_system in_use in_use_chunks free "
		   "tcache fastbin unsorted small large last_remainder top "
		   "overhead mmapped mmapped_chunks retained trimmable pinned"},
	{"fragmentation", "external retained_ratio largest_free"},
	{"rss_breakdown", "cause bytes"},
	{"arenas", "index kind address system max_system in_use free top "
		   "trimmable attached_threads heaps bins pin"},
	{"threads", "tid arena tcache_chunks tcache_bytes"},
	{"size_classes", "max_size in_use_chunks in_use_bytes free_chunks "
			 "free_bytes"},
};

/* Strict as a parser elsewhere: what is printed is parsed again. */
static json_t *again(json_t *json)
{
	char *text = json_dumps(json, 0);
	json_t *parsed;

	assert_non_null(text);
	parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(parsed);
	free(text);
	json_decref(json);
	return parsed;
}

static void every_key_of_the_contract_is_there(void **state)
{
	json_t *json = again(fake_json());

	(void)state;
	for (size_t i = 0; i < sizeof(contract) / sizeof(contract[0]); i++) {
		json_t *at = contract[i].at[0]
				     ? json_object_get(json, contract[i].at)
				     : json;
		char keys[400], *save = NULL;

		if (json_is_array(at))
			at = json_array_get(at, 0);
		snprintf(keys, sizeof(keys), "%s", contract[i].keys);
		for (char *key = strtok_r(keys, " ", &save); key;
		     key = strtok_r(NULL, " ", &save))
			if (!json_object_get(at, key))
				fail_msg("%s.%s", contract[i].at, key);
	}
	assert_string_equal(json_string_value(json_object_get(json, "schema")),
			    "heaptide.snapshot/1");
	json_decref(json);
}

static void values_have_their_forms(void **state)
{
	json_t *json = again(fake_json());
	json_t *arena = json_array_get(json_object_get(json, "arenas"), 2);
	json_int_t holds = 0;

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(json, "taken_at")),
		"2025-06-15T15:06:50.000Z");
	assert_string_equal(
		json_string_value(json_object_get(arena, "address")),
		"0x7f0008000030");
	assert_string_equal(json_string_value(json_object_get(arena, "kind")),
			    "thread");
	assert_int_equal(
		json_unpack(arena, "{s:{s:I}}", "pin", "holds", &holds), 0);
	assert_int_equal(holds, 4096);
	assert_null(json_object_get(arena, "pin_holds"));
	assert_true(json_array_size(json_object_get(arena, "bins")) > 0);
	assert_int_equal(json_array_size(json_object_get(arena, "heaps")), 1);
	assert_null(json_object_get(
		json_array_get(json_object_get(arena, "bins"), 0), "arena"));
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(json, "warnings"), 0)),
			    "a warning");
	json_decref(json);
}

/* Every leaf of `at` but those under the key "schema" is null. */
static void assert_nulls(json_t *at, const char *key)
{
	const char *k;
	json_t *v;
	size_t i;

	if (json_is_object(at)) {
		json_object_foreach(at, k, v) assert_nulls(v, k);
	} else if (json_is_array(at)) {
		json_array_foreach(at, i, v) assert_nulls(v, key);
	} else if (strcmp(key, "schema") != 0 && !json_is_null(at)) {
		fail_msg("%s is not null", key);
	}
}

static void what_is_not_known_is_null_everywhere(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	json_t *json;

	(void)state;
	ht_snapshot_init(&s);
	for (enum ht_record_id id = HT_RECORD_rss_cause; id < HT_RECORD_COUNT;
	     id++)
		if (id != HT_RECORD_warning)
			assert_non_null(ht_snapshot_add(&s, id));
	json = again(ht_snapshot_json(&s));
	assert_nulls(json, "");
	json_decref(json);
}

static const struct {
	const char *why, *raw, *safe;
} texts[] = {
	{"plain", "abc", "abc"},
	{"two bytes", "caf\xc3\xa9", "caf\xc3\xa9"},
	{"four bytes", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	{"cut in the middle", "caf\xc3", "caf\xef\xbf\xbd"},
	{"latin-1", "caf\xe9s", "caf\xef\xbf\xbds"},
	{"overlong", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
	{"a surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"beyond Unicode", "\xf5\x80\x80\x80",
	 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

static void text_of_any_origin_becomes_valid_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = ht_text_json(texts[i].raw);

		assert_non_null(json);
		if (strcmp(json_string_value(json), texts[i].safe) != 0)
			fail_msg("%s: %s", texts[i].why,
				 json_string_value(json));
		json_decref(json);
	}
}

static void a_figure_above_63_bits_stays_positive(void **state)
{
	json_t *json = ht_u64_json(UINT64_C(1) << 63);

	(void)state;
	assert_true(json_is_real(json) && json_real_value(json) > 9e18);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_the_contract_is_there),
		cmocka_unit_test(values_have_their_forms),
		cmocka_unit_test(what_is_not_known_is_null_everywhere),
		cmocka_unit_test(text_of_any_origin_becomes_valid_utf8),
		cmocka_unit_test(a_figure_above_63_bits_stays_positive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
