/* SPDX-License-Identifier: Apache-2.0 */
/* Page: the documents of a made history, held to the snapshots that it was made
 * of, and the HTML around them, whatever a process is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "page/page.h"
#include "tests/lib/open_store.h"

#define SAMPLES 40
#define UNREAD	7 /* the sample whose heap was not measured */
#define NAME	"</script><script>x</script><!--\"'&\342\200\250\033[2J"

static const struct fake made = {7, 3, 4, 8, 4096, FAKE_T0, 10 * HT_NS_PER_S};

static int64_t at(uint64_t n)
{
	return made.start_ns + (int64_t)n * made.step_ns;
}

static void make(uint64_t n, struct ht_snapshot *s)
{
	fake_snapshot(&made, n, s);
	if (n == UNREAD)
		ht_record_clear(HT_RECORD_totals, &s->totals);
}

static int record(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	if (fresh_open(state) != 0)
		return -1;
	ht_snapshot_init(&s);
	for (uint64_t n = 0; n < SAMPLES; n++) {
		make(n, &s);
		assert_ok(ht_store_add(st, NAME, &s, NULL, &err));
	}
	return 0;
}

static json_t *document_of(const struct ht_page_ask *ask)
{
	HT_AUTO_PAGE struct ht_page page;
	struct ht_store_process process;
	json_t *document;

	ht_page_init(&page);
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_ok(ht_page_read(st, &process, ask, &page, &err));
	document = ht_page_json(&page);
	assert_non_null(document);
	return document;
}

static const json_t *named(const json_t *list, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (!strcmp(json_string_value(json_object_get(item, "name")),
			    name))
			return json_object_get(item, "values");
	}
	fail_msg("no %s", name);
	return NULL;
}

static void every_row_has_the_figures_that_were_measured(void **state)
{
	const struct ht_page_ask all = {0};
	json_t *document = document_of(&all);
	const json_t *metrics = json_object_get(document, "metrics");
	const json_t *times = json_object_get(document, "times_s");
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	ht_snapshot_init(&s);
	assert_int_equal(json_array_size(times), SAMPLES);
	for (uint64_t n = 0; n < SAMPLES; n++) {
		const json_t *in_use =
			json_array_get(named(metrics, "in_use"), n);
		const json_t *rss = json_array_get(named(metrics, "rss"), n);

		make(n, &s);
		assert_int_equal(json_number_value(json_array_get(times, n)),
				 at(n) / HT_NS_PER_S);
		assert_int_equal(json_integer_value(rss), s.process.rss);
		if (n == UNREAD)
			assert_true(json_is_null(in_use));
		else
			assert_int_equal(json_integer_value(in_use),
					 s.totals.in_use + s.totals.mmapped);
	}
	json_decref(document);
}

static void the_causes_add_up_to_rss_in_each_row(void **state)
{
	const struct ht_page_ask all = {0};
	json_t *document = document_of(&all);
	const json_t *rss = named(json_object_get(document, "metrics"), "rss");
	const json_t *bands = json_object_get(document, "rss_by_cause");

	(void)state;
	assert_int_equal(json_array_size(bands), 6);
	for (size_t row = 0; row < SAMPLES; row++) {
		json_int_t sum = 0;
		json_t *band;
		size_t b;

		json_array_foreach(bands, b, band) sum += json_integer_value(
			json_array_get(json_object_get(band, "values"), row));
		assert_int_equal(sum,
				 json_integer_value(json_array_get(rss, row)));
	}
	json_decref(document);
}

static void a_window_has_its_own_rows_and_no_others(void **state)
{
	const struct ht_page_ask part = {.since_ns = at(10),
					 .until_ns = at(19)};
	const struct ht_page_ask later = {.since_ns = at(SAMPLES + 10)};
	json_t *document = document_of(&part);
	HT_AUTO_PAGE struct ht_page page;
	struct ht_store_process process;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(document, "times_s")),
			 10);
	json_decref(document);
	ht_page_init(&page);
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_int_equal(ht_page_read(st, &process, &later, &page, &err),
			 HT_NODATA);
}

static void rows_are_as_few_as_was_asked_for(void **state)
{
	const struct ht_page_ask few = {.rows = 12};
	json_t *document;
	size_t n;

	(void)state;
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES) + 7200 * HT_NS_PER_S);
	document = document_of(&few);
	n = json_array_size(json_object_get(document, "times_s"));
	assert_in_range(n, 1, 12);
	json_decref(document);
}

static void the_zone_is_told_with_its_changes(void **state)
{
	/* 2025-10-26, the end of summer time in the middle of Europe */
	const int64_t day = INT64_C(86400) * HT_NS_PER_S;
	const struct fake f = {
		8, 1, 1, 4, 0, INT64_C(1761350400000000000), 10 * HT_NS_PER_S};
	const struct ht_page_ask all = {0};
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	HT_AUTO_PAGE struct ht_page page;
	struct ht_store_process process;
	json_t *document, *zone;

	(void)state;
	ht_snapshot_init(&s);
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (uint64_t n = 0; n < 3; n++) {
		fake_snapshot(&f, n, &s);
		s.head.taken_at = f.start_ns + (int64_t)n * day;
		assert_ok(ht_store_add(st, "zoned", &s, NULL, &err));
	}
	ht_page_init(&page);
	assert_ok(ht_store_find(st, "zoned", &process, &err));
	assert_ok(ht_page_read(st, &process, &all, &page, &err));
	document = ht_page_json(&page);
	zone = json_object_get(document, "zone");
	assert_int_equal(json_array_size(zone), 2);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(zone, 0), "offset_s")),
			 7200);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(zone, 1), "offset_s")),
			 3600);
	json_decref(document);
	unsetenv("TZ");
	tzset();
}

static json_t *index_of(int64_t budget_ns)
{
	const struct ht_page_index_ask ask = {.budget_ns = budget_ns};
	json_t *index = NULL;

	assert_ok(ht_page_index(st, &ask, &index, &err));
	return index;
}

static const json_t *verdict_in(const json_t *index)
{
	return json_object_get(
		json_array_get(json_object_get(index, "targets"), 0),
		"verdict");
}

static void an_index_judges_while_its_budget_lasts(void **state)
{
	json_t *judged = index_of(60 * HT_NS_PER_S), *unjudged = index_of(0);

	(void)state;
	assert_true(json_is_object(verdict_in(judged)));
	assert_true(json_is_null(verdict_in(unjudged)));
	assert_int_equal(
		json_array_size(json_object_get(
			json_array_get(json_object_get(judged, "targets"), 0),
			"in_use_over_time")),
		SAMPLES);
	json_decref(judged);
	json_decref(unjudged);
}

static void an_index_takes_the_recorded_verdict_unless_it_is_stale(void **state)
{
	struct ht_store_process process;
	json_t *index;

	(void)state;
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_ok(ht_store_add_verdict(
		st, process.id, at(SAMPLES) - 86400 * HT_NS_PER_S, 0, "LEAK",
		0.9, "{\"verdict\":\"OLD\"}", &err));
	index = index_of(0);
	assert_true(json_is_null(verdict_in(index)));
	json_decref(index);
	assert_ok(ht_store_add_verdict(st, process.id, at(SAMPLES), 0, "LEAK",
				       0.9, "{\"verdict\":\"LEAK\"}", &err));
	index = index_of(0);
	assert_string_equal(json_string_value(json_object_get(verdict_in(index),
							      "verdict")),
			    "LEAK");
	json_decref(index);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* The whole page; its document is read back from it. */
static char *page_text(const char *poll, json_t **ret_document)
{
	const struct ht_page_ask all = {0};
	HT_AUTO_PAGE struct ht_page page;
	struct ht_page_frame frame = {
		.title = NAME, .poll = poll, .still = &page};
	struct ht_store_process process;
	json_t *document;
	char *text = NULL, *data;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	ht_page_init(&page);
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_ok(ht_page_read(st, &process, &all, &page, &err));
	document = ht_page_json(&page);
	frame.document = document;
	assert_ok(ht_page_write(to, &frame, &err));
	fclose(to);
	json_decref(document);
	data = strchr(strstr(text, "id=\"document\""), '>') + 1;
	*ret_document = json_loadb(
		data, (size_t)(strstr(data, "</script>") - data), 0, NULL);
	assert_non_null(*ret_document);
	return text;
}

/* Unread figures are all ones inside. */
static void what_no_look_read_is_no_number_on_the_page(void **state)
{
	const struct ht_page_ask all = {0};
	HT_AUTO_PAGE struct ht_page page;
	struct ht_page_frame frame = {.title = NAME, .still = &page};
	struct ht_store_process process;
	struct ht_size_class *c;
	json_t *document;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	ht_page_init(&page);
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_ok(ht_page_read(st, &process, &all, &page, &err));
	c = ht_snapshot_add_size_class(&page.judged.latest);
	*c = (struct ht_size_class){.max_size = 48,
				    .in_use_chunks = 7,
				    .in_use_bytes = UINT64_C(1) << 40,
				    .free_chunks = HT_UNKNOWN,
				    .free_bytes = HT_UNKNOWN};
	document = ht_page_json(&page);
	frame.document = document;
	assert_ok(ht_page_write(to, &frame, &err));
	fclose(to);
	json_decref(document);
	assert_non_null(strstr(text, "<td>48</td><td>7</td>"));
	assert_null(strstr(text, "18446744073709551615"));
	free(text);
}

static void no_name_gets_out_of_the_document(void **state)
{
	json_t *document;
	char *text = page_text(NULL, &document);

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(document, "target")), NAME);
	assert_int_equal(count(text, "</script>"), 2);
	assert_int_equal(count(text, "<script"), 2);
	assert_int_equal(count(text, "<!--"), 0);
	assert_int_equal(count(text, "data-poll=\""), 0);
	assert_int_equal(count(text, "connect-src"), 0);
	json_decref(document);
	free(text);
}

static void a_page_that_polls_may_reach_where_it_came_from_only(void **state)
{
	char policy[HT_PAGE_POLICY_TEXT];
	json_t *document;
	char *text = page_text("a\"b", &document);

	(void)state;
	assert_non_null(strstr(text, "data-poll=\"a&quot;b\""));
	assert_non_null(strstr(text, ht_page_policy(true, policy)));
	assert_non_null(strstr(policy, "connect-src 'self';"));
	assert_non_null(
		strstr(policy, "default-src 'none'; script-src 'sha256-"));
	assert_null(strstr(policy, "unsafe"));
	json_decref(document);
	free(text);
}

static void a_chart_that_was_asked_for_is_in_the_document(void **state)
{
	const struct ht_page_ask all = {0};
	HT_AUTO_PAGE struct ht_page page;
	struct ht_store_process process;
	double *value = calloc(SAMPLES, sizeof(*value));
	json_t *document, *asked;

	(void)state;
	value[1] = NAN;
	value[2] = 0.25;
	ht_page_init(&page);
	assert_ok(ht_store_find(st, NAME, &process, &err));
	assert_ok(ht_page_read(st, &process, &all, &page, &err));
	assert_true(ht_page_add(&page, "a / b", "a share", "ratio", value));
	document = ht_page_json(&page);
	asked = json_object_get(document, "asked");
	assert_true(json_is_null(json_array_get(named(asked, "a / b"), 1)));
	assert_true(json_real_value(json_array_get(named(asked, "a / b"), 2)) ==
		    0.25);
	json_decref(document);
}

int main(void)
{
#define PAGE_TEST(f) cmocka_unit_test_setup_teardown(f, record, close_clean)
	const struct CMUnitTest tests[] = {
		PAGE_TEST(every_row_has_the_figures_that_were_measured),
		PAGE_TEST(the_causes_add_up_to_rss_in_each_row),
		PAGE_TEST(a_window_has_its_own_rows_and_no_others),
		PAGE_TEST(rows_are_as_few_as_was_asked_for),
		PAGE_TEST(the_zone_is_told_with_its_changes),
		PAGE_TEST(an_index_judges_while_its_budget_lasts),
		PAGE_TEST(
			an_index_takes_the_recorded_verdict_unless_it_is_stale),
		PAGE_TEST(what_no_look_read_is_no_number_on_the_page),
		PAGE_TEST(no_name_gets_out_of_the_document),
		PAGE_TEST(a_page_that_polls_may_reach_where_it_came_from_only),
		PAGE_TEST(a_chart_that_was_asked_for_is_in_the_document),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
