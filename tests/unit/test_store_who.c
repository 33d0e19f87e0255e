/* SPDX-License-Identifier: Apache-2.0 */
/* Store: the call stacks that make a leak, and what changed in them between two
 * times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/site_changes.h"
#include "common/clock.h"
#include "store/store_int.h"
#include "store/who.h"
#include "tests/lib/store.h"

#define S    HT_NS_PER_S
#define HOUR (3600 * S)

static const struct fake made = {7, 1, 1, 4, 0, FAKE_T0, 3600 * S};
static struct ht_store *st;
static struct ht_snapshot seen;

static void add_frame(uint64_t site, const char *function, uint64_t offset)
{
	struct ht_stack_frame *f = ht_snapshot_add_stack_frame(&seen);

	f->site = site;
	f->offset = offset;
	f->within = 3;
	f->line = offset == 16 ? 21 : HT_UNKNOWN;
	f->inlined = offset == 16 ? 1 : HT_UNKNOWN;
	snprintf(f->function, sizeof(f->function), "%s", function);
	snprintf(f->module, sizeof(f->module), "web");
	snprintf(f->file, sizeof(f->file), "%s",
		 offset == 16 ? "session.cc" : "");
}

static struct ht_store_site site_of(size_t row, const char *name, uint64_t n,
				    uint64_t alive, double bytes_per_s)
{
	return (struct ht_store_site){.name = name,
				      .row = row,
				      .seen = {.samples = n,
					       .alive = alive,
					       .freed = n - alive,
					       .bytes = 64 * n,
					       .whole = 1},
				      .survival = (double)alive / (double)n,
				      .low = NAN,
				      .high = 1,
				      .bytes_per_s = bytes_per_s,
				      .share_of_growth = NAN,
				      .confidence = .9,
				      .leaking = alive == n ? 1 : -1};
}

static void ask(int64_t at_ns, uint64_t max_size,
		const struct ht_store_site *sites, size_t n)
{
	const struct ht_store_who who = {.at_ns = at_ns,
					 .max_size = max_size,
					 .windows = {.way = HT_WAY_UPROBE_MULTI,
						     .windows = 40,
						     .samples = 23,
						     .followed_us = 60000000},
					 .growth = 1000};

	assert_ok(ht_store_add_who(st, 1, &who, &seen, sites, n, &err));
}

static int begin(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	if (fresh(state))
		return -1;
	ht_snapshot_init(&s);
	fake_snapshot(&made, 0, &s);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(ht_store_add(st, "web", &s, NULL, &err));
	ht_snapshot_init(&seen);
	add_frame(0, "_Znwm", 0x10000);
	add_frame(1, "busy", 0x20);
	add_frame(0, "open_session", 16);
	add_frame(0, "", 0x40);
	return 0;
}

static int end(void **state)
{
	ht_store_close(st);
	ht_snapshot_fini(&seen);
	return clean(state);
}

static int64_t count(const char *sql)
{
	int64_t n = -1;
	bool row;

	assert_ok(ht_store_number(st, sql, 0, 0, &n, &row, &err));
	return n;
}

static struct {
	unsigned answers, sites;
	struct ht_store_who who;
	struct ht_store_site site;
} got;

static int take(void *ctx, const struct ht_store_who *who,
		const struct ht_store_site *site)
{
	(void)ctx;
	got.answers += who->at_ns != got.who.at_ns;
	got.who = *who;
	if (site && got.sites++ == 0)
		got.site = *site;
	return 0;
}

static void what_was_seen_comes_back(void **state)
{
	const struct ht_store_site sites[] = {
		site_of(0, "open_session < web+0x40", 23, 23, 900),
		site_of(1, "busy", 500, 2, 0)};
	HT_AUTO_SNAPSHOT struct ht_snapshot stack;

	(void)state;
	ask(FAKE_T0, 224, sites, 2);
	memset(&got, 0, sizeof(got));
	assert_ok(ht_store_sites(st, 1, 0, INT64_MAX, take, NULL, &err));
	assert_int_equal(got.answers, 1);
	assert_int_equal(got.sites, 2);
	assert_int_equal(got.who.max_size, 224);
	assert_int_equal(got.who.windows.way, HT_WAY_UPROBE_MULTI);
	assert_int_equal(got.who.windows.followed_us, 60000000);
	assert_true(got.who.windows.cut == HT_UNKNOWN);
	assert_int_equal(got.site.seen.alive, 23);
	assert_int_equal(got.site.seen.bytes, 64 * 23);
	assert_int_equal(got.site.leaking, 1);
	assert_true(isnan(got.site.low) && isnan(got.site.share_of_growth));
	assert_true(fabs(got.site.bytes_per_s - 900) < 1e-9);

	ht_snapshot_init(&stack);
	assert_ok(ht_store_stack(st, got.site.stack_id, &stack, &err));
	assert_int_equal(stack.stack_frames.n, 3);
	assert_string_equal(stack.stack_frames.v[0].function, "_Znwm");
	assert_string_equal(stack.stack_frames.v[1].file, "session.cc");
	assert_int_equal(stack.stack_frames.v[1].line, 21);
	assert_int_equal(stack.stack_frames.v[1].inlined, 1);
	assert_string_equal(stack.stack_frames.v[2].function, "");
	assert_true(stack.stack_frames.v[2].line == HT_UNKNOWN);
}

static void a_stack_is_kept_once_and_goes_with_its_last_answer(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	const struct ht_store_site one = site_of(0, "a", 3, 3, 10);
	const struct ht_store_site other = site_of(1, "busy", 3, 3, 10);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	bool done = false;

	(void)state;
	ask(FAKE_T0, 0, &one, 1);
	ask(FAKE_T0 + 4 * HOUR, 0, &other, 1);
	ask(FAKE_T0 + 5 * HOUR, 0, &other, 1);
	assert_int_equal(count("SELECT count(*) FROM stack"), 2);
	assert_int_equal(count("SELECT count(*) FROM stack_frame"), 4);
	assert_int_equal(count("SELECT count(*) FROM site"), 3);
	/* The process goes on; answers are kept as long as events. */
	policy.hour_s = 2 * 3600;
	ht_snapshot_init(&s);
	fake_snapshot(&made, 5, &s);
	assert_ok(ht_store_add(st, "web", &s, NULL, &err));
	for (int i = 0; i < 1000 && !done; i++)
		assert_ok(ht_store_maintain(st, &policy, FAKE_T0 + 5 * HOUR,
					    HT_STORE_SLICE_NS, &done, &err));
	assert_true(done);
	assert_int_equal(count("SELECT count(*) FROM who"), 2);
	assert_int_equal(count("SELECT count(*) FROM site"), 2);
	assert_int_equal(count("SELECT count(*) FROM stack"), 1);
	assert_int_equal(count("SELECT count(*) FROM stack_frame"), 1);
}

static void an_answer_that_names_nobody_is_one(void **state)
{
	(void)state;
	ask(FAKE_T0, 0, NULL, 0);
	memset(&got, 0, sizeof(got));
	assert_ok(ht_store_sites(st, 1, 0, INT64_MAX, take, NULL, &err));
	assert_int_equal(got.answers, 1);
	assert_int_equal(got.sites, 0);
}

static const struct ht_site_change *named(const struct ht_site_changes *c,
					  const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].name, name) == 0)
			return &c->v[i];
	fail_msg("no site %s", name);
	abort(); /* fail_msg() has ended the test */
}

/* Two answers in the first window (classes 224 and 64), two in the second (224
 * alone). */
static void sites_are_compared_by_name(void **state)
{
	const struct ht_store_site first[] = {site_of(0, "open", 20, 20, 1000),
					      site_of(0, "open", 10, 10, 200),
					      site_of(1, "gone", 50, 50, 300)};
	const struct ht_store_site small[] = {site_of(1, "small", 9, 9, 70)};
	const struct ht_store_site more[] = {site_of(0, "open", 40, 40, 3000)};
	const struct ht_store_site less[] = {site_of(0, "open", 40, 39, 1000)};
	HT_AUTO_SITE_CHANGES struct ht_site_changes c = {0};
	const struct ht_site_change *one;
	json_t *json;

	(void)state;
	ask(FAKE_T0, 224, first, 3);
	ask(FAKE_T0 + S, 64, small, 1);
	ask(FAKE_T0 + HOUR, 224, more, 1);
	ask(FAKE_T0 + HOUR + S, 224, less, 1);
	assert_ok(ht_site_changes_add(st, 1, 0, FAKE_T0 + S, 0, &c, &err));
	assert_ok(ht_site_changes_add(st, 1, FAKE_T0 + HOUR, INT64_MAX, 1, &c,
				      &err));
	ht_site_changes_end(&c);
	assert_int_equal(c.n, 3);
	one = &c.v[0]; /* what changed most: two stacks of it are one site */
	assert_string_equal(one->name, "open");
	assert_true(fabs(one->side[0].bytes_per_s - 1200) < 1e-9);
	assert_true(fabs(one->side[1].bytes_per_s - 2000) < 1e-9);
	assert_int_equal(one->side[0].samples, 30);
	assert_int_equal(one->side[1].alive, 79);
	assert_int_equal(one->side[0].leaking, 1);
	assert_int_equal(one->side[1].leaking, -1); /* as the newest says */
	one = named(&c, "gone"); /* looked for, and not seen */
	assert_true(one->side[1].bytes_per_s == 0);
	one = named(&c, "small"); /* nobody looked for its class */
	assert_true(isnan(one->side[1].bytes_per_s));
	json = ht_site_changes_json(&c);
	assert_int_equal(json_array_size(json), 3);
	assert_true(fabs(json_real_value(json_object_get(
				 json_array_get(json, 0), "change")) -
			 800) < 1e-9);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_seen_comes_back, begin,
						end),
		cmocka_unit_test_setup_teardown(
			a_stack_is_kept_once_and_goes_with_its_last_answer,
			begin, end),
		cmocka_unit_test_setup_teardown(
			an_answer_that_names_nobody_is_one, begin, end),
		cmocka_unit_test_setup_teardown(sites_are_compared_by_name,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
