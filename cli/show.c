/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

#define BAR_WIDTH 16

/* What keeps each page, in the order in which people ask. */
static const struct {
	enum ht_cause cause;
	const char *what, *why; /* why: of 39 columns, 80 have them beside */
} causes[] = {
	{HT_CAUSE_HEAP_IN_USE, "heap, in use", "the program holds it"},
	{HT_CAUSE_MMAPPED_CHUNKS, "mmapped chunks",
	 "held; free() returns it at once"},
	{HT_CAUSE_TRIMMABLE, "free, trimmable",
	 "malloc_trim(0) returns it, free() not"},
	{HT_CAUSE_LOCKED, "free, locked",
	 "mlock() or huge page pool: no madvise()"},
	{HT_CAUSE_TOP_MAIN, "free, main top",
	 "below trim_threshold, or within top_pad"},
	{HT_CAUSE_TOP_THREAD, "free, other tops",
	 "free() shrinks it; malloc_trim() never"},
	{HT_CAUSE_TCACHE, "free, thread caches",
	 "free() and malloc_trim() leave it there"},
	{HT_CAUSE_SUB_PAGE, "free, part of a page",
	 "the page also holds bytes in use"},
	{HT_CAUSE_HEAP_OVERHEAD, "heap, overhead", "malloc's own headers"},
	{HT_CAUSE_ANON_OTHER, "outside malloc",
	 "anonymous memory that is not malloc's"},
	{HT_CAUSE_STACK, "stacks", "threads' stacks"},
	{HT_CAUSE_SHMEM, "shared memory", "shared with other processes"},
	{HT_CAUSE_FILE, "files", "program, libraries and mapped files"},
};

void ht_show_title(const struct ht_cli *cli, const char *title)
{
	printf("\n%s%s%s\n", ht_style(&cli->term, HT_BOLD), title,
	       ht_style_off(&cli->term));
}

const char *ht_show_bytes(const struct ht_cli *cli, uint64_t bytes, char *out)
{
	return ht_bytes_text(bytes, cli->opt.bytes, out);
}

bool ht_show_has_heap(const struct ht_snapshot *s)
{
	return s->arenas.n > 0;
}

enum ht_code ht_show_no_heap(const struct ht_snapshot *s, struct ht_err *err)
{
	/* Another allocator that was recognised needs no layout of ours. */
	bool other = *s->libc.allocator &&
		     strcmp(s->libc.allocator, "unknown") != 0 &&
		     strncmp(s->libc.allocator, "glibc", 5) != 0;

	return ht_fail_hint(err, HT_UNSUPPORTED,
			    other ? HT_HINT_PROCESS_ONLY : HT_HINT_CODE,
			    "the heap of %s, pid %" PRIu64
			    ", was not measured: malloc is %s",
			    s->head.comm, s->head.pid,
			    *s->libc.allocator ? s->libc.allocator
					       : "not a glibc that is known");
}

enum ht_code ht_show_damage(const struct ht_snapshot *s, struct ht_err *err)
{
	const struct ht_finding *first = s->findings.v;

	if (s->findings.n == 0)
		return HT_OK;
	return ht_fail_at(err, HT_CORRUPT, first->address,
			  "the heap of %s, pid %" PRIu64
			  ", is damaged at 0x%" PRIx64 ": %s",
			  s->head.comm, s->head.pid, first->address,
			  first->text);
}

const char *ht_show_bar(const struct ht_cli *cli, uint64_t part, uint64_t whole,
			int width, char *out, size_t len)
{
	static const char *const eighth[] = {"",       "\u258f", "\u258e",
					     "\u258d", "\u258c", "\u258b",
					     "\u258a", "\u2589", "\u2588"};
	size_t used = 0;
	int eighths;

	out[0] = '\0';
	if (part == HT_UNKNOWN || whole == HT_UNKNOWN || !whole)
		return out;
	eighths = (int)((double)part / (double)whole * width * 8 + 0.5);
	if (eighths > width * 8)
		eighths = width * 8;
	for (; eighths > 0; eighths -= 8) {
		const char *cell = eighth[eighths < 8 ? eighths : 8];

		if (!cli->term.utf8)
			cell = eighths >= 4 ? "#" : "";
		used += (size_t)snprintf(out + used, len - used, "%s", cell);
	}
	return out;
}

static void cause_row(const struct ht_cli *cli, struct ht_table *t,
		      const char *what, uint64_t bytes, uint64_t rss,
		      const char *why)
{
	char bar[BAR_WIDTH * 4];

	ht_table_row(t);
	ht_table_text(t, "%s", what);
	ht_table_size(t, bytes);
	ht_table_share(t, bytes, rss);
	ht_table_text(
		t, "%s",
		ht_show_bar(cli, bytes, rss, BAR_WIDTH, bar, sizeof(bar)));
	ht_table_text(t, "%s", why);
}

/* How many causes keep more than this one, or as much and stand before it. */
static size_t rank_of(const struct ht_snapshot *s, size_t one)
{
	uint64_t bytes = ht_snapshot_cause(s, causes[one].cause);
	size_t before = 0;

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		uint64_t other = ht_snapshot_cause(s, causes[i].cause);

		before += other != HT_UNKNOWN &&
			  (other > bytes || (other == bytes && i < one));
	}
	return before;
}

/* What is left out for max_rows is one row: the rows add up to RSS. */
enum ht_code ht_show_rss(const struct ht_cli *cli, const struct ht_snapshot *s,
			 size_t max_rows, struct ht_err *err)
{
	static const struct ht_column columns[] = {{"RSS by cause", false},
						   {"resident", true},
						   {"share", true},
						   {"", false, 2},
						   {"why it stays", false, 1}};
	HT_AUTO_TABLE struct ht_table t = {0};
	uint64_t rss = s->process.rss, others = 0;
	enum ht_code code;

	if (!s->rss_causes.n)
		return HT_OK;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 5, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		uint64_t bytes = ht_snapshot_cause(s, causes[i].cause);

		if (bytes == 0)
			continue;
		if (max_rows && bytes != HT_UNKNOWN &&
		    rank_of(s, i) >= max_rows)
			others += bytes;
		else
			cause_row(cli, &t, causes[i].what, bytes, rss,
				  causes[i].why);
	}
	if (others)
		cause_row(cli, &t, "the others", others, rss, "");
	ht_table_row(&t);
	ht_table_text(&t, "RSS");
	ht_table_size(&t, rss);
	ht_table_share(&t, rss, rss);
	return ht_table_print(&t, err);
}

enum ht_code ht_show_places(const struct ht_cli *cli,
			    const struct ht_snapshot *s, size_t max_rows,
			    struct ht_err *err)
{
	static const struct ht_column columns[] = {{"free by place", false},
						   {"chunks", true},
						   {"bytes", true},
						   {"share", true}};
	const struct ht_totals *sum = &s->totals;
	uint64_t binned[HT_BIN_KIND_COUNT] = {0};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	(void)max_rows;
	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];

		if (b->kind < HT_BIN_KIND_COUNT && b->chunks != HT_UNKNOWN)
			binned[b->kind] += b->chunks;
	}
	const struct {
		const char *name;
		uint64_t chunks, bytes;
	} places[] = {
		{"thread caches", sum->tcache_chunks, sum->tcache},
		{"fastbins", sum->fastbin_chunks, sum->fastbin},
		{"unsorted bins", binned[HT_BIN_UNSORTED], sum->unsorted},
		{"small bins", binned[HT_BIN_SMALL], sum->small},
		{"large bins", binned[HT_BIN_LARGE], sum->large},
		{"top chunks", sum->arenas, sum->top},
	};

	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 4, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ht_table_row(&t);
		ht_table_text(&t, "%s", places[i].name);
		ht_table_count(&t, places[i].chunks);
		ht_table_size(&t, places[i].bytes);
		ht_table_share(&t, places[i].bytes, sum->free);
	}
	ht_table_row(&t);
	ht_table_text(&t, "free");
	ht_table_text(&t, "%s", "");
	ht_table_size(&t, sum->free);
	return ht_table_print(&t, err);
}
