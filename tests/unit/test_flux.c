/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 240 s
 *
 * Heaps in flux (targets/flux.c): whatever a program's threads do to its heap,
 * no default look calls it damaged, its sums close, and what it says is in use
 * is what the program has, but for the bytes told as uncertain. HT_FLUX_LOOKS:
 * looks at each (4); HT_FLUX_TEST: rows by a part of their name.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/agent.h"
#include "tests/lib/target.h"

#define TIMEOUT_MS 60000

struct row {
	const char *name;
	const char *threads, *kinds[4];
	const char *set[2][2]; /* of its environment: name, value */
};

static const struct row rows[] = {
	{"realloc of all sizes", "8", {"realloc"}, {{NULL}}},
	{"sixty-four threads in one arena",
	 "64",
	 {"realloc"},
	 {{"GLIBC_TUNABLES", "glibc.malloc.arena_max=1"}}},
	{"mappings that mremap moves", "8", {"mremap"}, {{NULL}}},
	{"arenas made and left", "8", {"arenas"}, {{NULL}}},
	{"brk moved by the program", "1", {"brk"}, {{NULL}}},
	{"a top used up and given back", "8", {"top"}, {{NULL}}},
	{"malloc_trim in a loop", "8", {"trim", "realloc"}, {{NULL}}},
	{"forks and programs", "4", {"fork", "exec"}, {{NULL}}},
	{"thresholds of mmap that flip", "8", {"threshold"}, {{NULL}}},
	{"memalign", "8", {"memalign"}, {{NULL}}},
	{"mappings beside it", "4", {"maps", "mremap", "memalign"}, {{NULL}}},
	{"all in one arena",
	 "4",
	 {"realloc", "mremap", "top", "trim"},
	 {{"GLIBC_TUNABLES", "glibc.malloc.arena_max=1"}}},
	{"all", "2", {"arenas", "threshold", "memalign", "fork"}, {{NULL}}},
	{"no thread caches",
	 "8",
	 {"realloc", "arenas"},
	 {{"GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"}}},
	{"large thread caches",
	 "8",
	 {"realloc", "arenas"},
	 {{"GLIBC_TUNABLES",
	   "glibc.malloc.tcache_count=1000:glibc.malloc.tcache_max=1032"}}},
	{"memory that is perturbed",
	 "8",
	 {"realloc"},
	 {{"MALLOC_PERTURB_", "165"}}},
	{"a debugging malloc",
	 "8",
	 {"realloc", "memalign", "arenas"},
	 {{"LD_PRELOAD", "libc_malloc_debug.so.0"}}},
	{"a malloc that checks each block",
	 "8",
	 {"realloc", "memalign", "arenas", "top"},
	 {{"LD_PRELOAD", "libc_malloc_debug.so.0"}, {"MALLOC_CHECK_", "3"}}},
	{"a malloc that checks and perturbs",
	 "4",
	 {"realloc", "mremap", "threshold", "maps"},
	 {{"LD_PRELOAD", "libc_malloc_debug.so.0"},
	  {"GLIBC_TUNABLES", "glibc.malloc.check=3:glibc.malloc.perturb=165"}}},
	/* It holds a list of all blocks without a lock: for one thread. */
	{"mcheck",
	 "1",
	 {"mcheck", "realloc"},
	 {{"LD_PRELOAD", "libc_malloc_debug.so.0"}}},
};

static unsigned looks;

static uint64_t not_settled(const struct ht_snapshot *s)
{
	uint64_t open = 0;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		uint64_t sum = a->in_use + a->free + a->overhead;

		open += sum > a->system ? sum - a->system : a->system - sum;
	}
	return open;
}

static unsigned wrong; /* looks */

__attribute__((format(printf, 2, 3))) static void
is_wrong(const struct ht_snapshot *s, const char *how, ...)
{
	va_list args;
	char text[512];

	va_start(args, how);
	vsnprintf(text, sizeof(text), how, args);
	va_end(args);
	print_message("[  WRONG   ] %s\n", text);
	for (size_t i = 0; i < s->warnings.n; i++)
		print_message("             %s\n", s->warnings.v[i].text);
	wrong++;
}

static void check_look(const struct ht_snapshot *s, const char *name,
		       uint64_t low, uint64_t high)
{
	uint64_t in_use = s->totals.in_use, doubt = s->stop.uncertain_bytes;
	struct ht_err err;

	if (ht_snapshot_check(s, &err) != HT_OK)
		is_wrong(s, "%s: %s", name, err.msg);
	if (s->findings.n > 0)
		is_wrong(s, "%s: %s", name, s->findings.v[0].text);
	if (not_settled(s) > doubt)
		is_wrong(s,
			 "%s: %" PRIu64 " bytes do not add up, %" PRIu64
			 " are said to be uncertain",
			 name, not_settled(s), doubt);
	if (in_use + doubt < low || in_use > high + doubt)
		is_wrong(s,
			 "%s: in use %" PRIu64 ", not %" PRIu64 " to %" PRIu64
			 ", uncertain %" PRIu64,
			 name, in_use, low, high, doubt);
}

static uint64_t look(struct ht_client *c, const char *name, bool lightly,
		     uint64_t low, uint64_t high)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_err err = {0};

	request.timeout_ms = TIMEOUT_MS;
	if (lightly)
		request.flags |= HT_LOOK_LIGHTLY;
	request.slice_max = 4 << 20;
	ht_snapshot_init(&s);
	if (ht_client_sample(c, &request, &s, NULL, NULL, &err) != HT_OK)
		fail_msg("%s: %s", name, err.msg);
	check_look(&s, name, low, high);
	return s.stop.uncertain_bytes;
}

static void look_at(const struct row *row)
{
	HT_AUTO_CLIENT struct ht_client c = HT_CLIENT_NONE;
	struct program p;
	uint64_t low, high, most = 0;
	char line[80];

	for (size_t i = 0; i < 2 && row->set[i][0]; i++)
		setenv(row->set[i][0], row->set[i][1], 1);
	p = program_start("flux", row->threads, row->kinds[0], row->kinds[1],
			  row->kinds[2], row->kinds[3], NULL);
	for (size_t i = 0; i < 2 && row->set[i][0]; i++)
		unsetenv(row->set[i][0]);
	assert_true(program_line(&p, line, sizeof(line), 80000));
	assert_int_equal(
		sscanf(line, "ready %" SCNu64 " %" SCNu64, &low, &high), 2);
	c = agent_start(p.pid);
	for (unsigned i = 0; i < looks; i++) {
		uint64_t doubt = look(&c, row->name, i % 3 == 2, low, high);

		most = doubt > most ? doubt : most;
	}
	ht_client_stop(&c);
	assert_true(process_runs_free(p.pid, 5000));
	print_message("[   NOTE   ] %s: %u looks, uncertain at most %" PRIu64
		      " bytes of %" PRIu64 "\n",
		      row->name, looks, most, high);
	program_end(&p);
}

static void no_heap_in_flux_is_called_damaged(void **state)
{
	const char *only = getenv("HT_FLUX_TEST") ?: "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strstr(rows[i].name, only))
			look_at(&rows[i]);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_heap_in_flux_is_called_damaged),
	};

	looks = (unsigned)atoi(getenv("HT_FLUX_LOOKS") ?: "4");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
