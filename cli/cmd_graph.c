/* SPDX-License-Identifier: Apache-2.0 */
/* `leaks`: what the chunks in use are to each other, of a frozen copy of a
 * process or of a core file. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/chunk_text.h"
#include "schema/snapshot_json.h"

/* A copy, or the core file. HT_USAGE: neither or both were named. */
static enum ht_code measure(struct ht_cli *cli, uint64_t flags,
			    struct ht_snapshot *ret, struct ht_err *err)
{
	pid_t pid = 0;
	enum ht_code code = HT_OK;

	if (!cli->opt.core == !cli->opt.args_n)
		return ht_fail(err, HT_USAGE,
			       "name either a PID or --core FILE");
	if (cli->opt.exe && !cli->opt.core)
		return ht_fail(err, HT_USAGE, "--exe goes with --core");
	if (!cli->opt.core)
		code = ht_target_pid(cli->opt.args[0], &pid, err);
	if (cli->opt.mode == HT_UNKNOWN)
		cli->opt.mode = HT_MODE_SNAPSHOT;
	if (code == HT_OK)
		code = ht_target_measure(cli, pid, flags | HT_WANT_CLASSES, ret,
					 err);
	if (code == HT_OK && !ht_show_has_heap(ret))
		return ht_show_no_heap(ret, err);
	if (code == HT_OK && ret->graphs.n == 0)
		return ht_fail(err, HT_PROTOCOL, "the agent sent no graph");
	return code;
}

static void print_warnings(const struct ht_cli *cli,
			   const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->warnings.n; i++) {
		fputs(i ? "  ! " : "\n  ! ", stdout);
		ht_wrap(&cli->term, 4, s->warnings.v[i].text);
	}
}

/* The head, the stop and the warnings of a snapshot: what every one of these
 * answers begins and ends with. */
static int add_head(json_t *top, const char *schema,
		    const struct ht_snapshot *s)
{
	json_t *head = ht_record_json(HT_RECORD_head, &s->head, NULL);
	json_t *warnings = json_array();
	int bad = json_object_set_new(top, "schema", json_string(schema));

	bad = bad ?: json_object_update_missing(top, head);
	bad = bad
		      ?: json_object_set_new(top, "stop",
					     ht_record_json(HT_RECORD_stop,
							    &s->stop, NULL));
	for (size_t i = 0; !bad && i < s->warnings.n; i++)
		bad = json_array_append_new(
			warnings, ht_text_json(s->warnings.v[i].text));
	bad = bad ?: json_object_set(top, "warnings", warnings);
	json_decref(head);
	json_decref(warnings);
	return bad;
}

/* --- leaks
 * -------------------------------------------------------------------- */

static json_t *leaks_json(const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	json_t *top = json_object(), *groups = json_array();
	int bad = add_head(top, "heaptide.leaks/1", s);

	bad = bad
		      ?: json_object_update_new(
				 top, ht_record_json(HT_RECORD_graph, g, NULL));
	for (size_t i = 0; !bad && i < s->leaks.n; i++)
		bad = json_array_append_new(
			groups,
			ht_record_json(HT_RECORD_leak, &s->leaks.v[i], NULL));
	bad = bad ?: json_object_set(top, "groups", groups);
	json_decref(groups);
	if (bad) {
		json_decref(top);
		return NULL;
	}
	return top;
}

static void print_leaks_answer(const struct ht_cli *cli,
			       const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	char leaked[HT_NUMBER_TEXT], chunks[HT_NUMBER_TEXT];
	char all[HT_NUMBER_TEXT], more[HT_NUMBER_TEXT];

	printf("%s%s, pid %" PRIu64 ": %s in %s chunks can be reached from "
	       "nowhere%s, of %s in use.\n",
	       ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
	       ht_show_bytes(cli, g->leaked_bytes, leaked),
	       ht_count_text(g->leaked_chunks, chunks),
	       ht_style_off(&cli->term), ht_show_bytes(cli, g->bytes, all));
	if (g->uncertain_bytes && g->uncertain_bytes != HT_UNKNOWN)
		printf("At most %s more: what only words lead to that may be "
		       "left over\n(on a stack, or where few chunks of their "
		       "kind have a pointer).\n",
		       ht_show_bytes(cli, g->uncertain_bytes, more));
}

static enum ht_code print_leaks(const struct ht_cli *cli,
				const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {{"at the head", false},
						   {"pieces", true},
						   {"chunks", true},
						   {"bytes", true},
						   {"share", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	const struct ht_graph *g = &s->graphs.v[0];
	enum ht_code code;

	print_leaks_answer(cli, s);
	if (s->leaks.n == 0) {
		print_warnings(cli, s);
		return HT_OK;
	}
	putchar('\n');
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 5, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < s->leaks.n; i++) {
		const struct ht_leak *l = &s->leaks.v[i];
		char size[HT_CHUNK_TEXT];

		ht_table_row(&t);
		ht_chunk_text(l->max_size, s->head.arch, size);
		if (*l->head_type)
			ht_table_text(&t, "%s, %s", l->head_type, size);
		else
			ht_table_text(&t, "%s", size);
		ht_table_count(&t, l->heads);
		ht_table_count(&t, l->chunks);
		ht_table_size(&t, l->bytes);
		ht_table_share(&t, l->bytes, g->leaked_bytes);
	}
	code = ht_table_print(&t, err);
	print_warnings(cli, s);
	return code;
}

enum ht_code ht_cmd_leaks(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = measure(cli, HT_WANT_LEAKS, &s, err);
	if (code != HT_OK)
		return code;
	return cli->opt.json ? ht_json_print(leaks_json(&s), err)
			     : print_leaks(cli, &s, err);
}
