/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide trim`: what malloc_trim(0) would return if the process called it
 * now, and what it would leave and why. Nothing is called. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "schema/snapshot_json.h"

/* Free and resident, and left by malloc_trim(0). */
static const struct {
	enum ht_cause cause;
	const char *why;
} leaves[] = {
	{HT_CAUSE_TOP_MAIN, "the last page of the main top"},
	{HT_CAUSE_TOP_THREAD,
	 "tops of other arenas: malloc_trim leaves them, free() shrinks them "
	 "from the trim threshold on"},
	{HT_CAUSE_TCACHE, "thread caches: malloc_trim does not empty them"},
	{HT_CAUSE_LOCKED, "locked in memory, or of the huge page pool"},
	{HT_CAUSE_SUB_PAGE, "pages that also hold bytes in use"},
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

static uint64_t after(uint64_t rss, uint64_t trimmable)
{
	if (rss == HT_UNKNOWN || trimmable == HT_UNKNOWN || trimmable > rss)
		return HT_UNKNOWN;
	return rss - trimmable;
}

static enum ht_code print_json(const struct ht_snapshot *s, struct ht_err *err)
{
	json_t *arenas = json_array(), *left = json_array();

	for (size_t i = 0; i < s->arenas.n; i++)
		json_array_append_new(
			arenas,
			json_pack("{s:o, s:o}", "index",
				  ht_u64_json(s->arenas.v[i].index),
				  "trimmable",
				  ht_u64_json(s->arenas.v[i].trimmable)));
	for (size_t i = 0; i < LEAVES; i++)
		json_array_append_new(left,
				      json_pack("{s:s, s:o}", "cause",
						ht_cause_names[leaves[i].cause],
						"bytes",
						ht_u64_json(ht_snapshot_cause(
							s, leaves[i].cause))));
	return ht_json_print(
		json_pack(
			"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			"schema", "heaptide.trim/1", "pid",
			ht_u64_json(s->head.pid), "taken_at",
			ht_time_json(s->head.taken_at), "rss",
			ht_u64_json(s->process.rss), "trimmable",
			ht_u64_json(s->totals.trimmable), "machine_gets",
			ht_u64_json(s->totals.trimmable_private), "rss_after",
			ht_u64_json(after(s->process.rss, s->totals.trimmable)),
			"arenas", arenas, "left", left),
		err);
}

static enum ht_code print_text(const struct ht_cli *cli,
			       const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"free, but it stays", false}, {"resident", true}};
	char trim[HT_NUMBER_TEXT], rss[HT_NUMBER_TEXT], left[HT_NUMBER_TEXT];
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	printf("%smalloc_trim(0) in %s, pid %" PRIu64 ", would return %s%s: "
	       "RSS %s -> %s\n\n",
	       ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
	       ht_show_bytes(cli, s->totals.trimmable, trim),
	       ht_style_off(&cli->term),
	       ht_show_bytes(cli, s->process.rss, rss),
	       ht_show_bytes(cli, after(s->process.rss, s->totals.trimmable),
			     left));
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 2, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < LEAVES; i++) {
		ht_table_row(&t);
		ht_table_text(&t, "%s", leaves[i].why);
		ht_table_size(&t, ht_snapshot_cause(s, leaves[i].cause));
	}
	code = ht_table_print(&t, err);
	if (code == HT_OK)
		puts("\nNothing was called. malloc_trim(0) holds each arena's "
		     "lock while it works, and what\nthe program needs again "
		     "is faulted in again.");
	return code;
}

enum ht_code ht_cmd_trim(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;
	pid_t pid;

	ht_snapshot_init(&s);
	code = ht_target_pid(cli->opt.args[0], &pid, err);
	if (code == HT_OK)
		code = ht_target_measure(cli, pid, HT_WANT_HEAPS, &s, err);
	if (code != HT_OK)
		return code;
	if (!ht_show_has_heap(&s))
		return ht_show_no_heap(&s, err);
	return cli->opt.json ? print_json(&s, err) : print_text(cli, &s, err);
}
