/* SPDX-License-Identifier: Apache-2.0 */
/* `owners`: what holds the chunks of a size, or of the largest, of a frozen
 * copy or a core file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/demangle.h"
#include "cli/graph.h"
#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "link/request.h"
#include "schema/snapshot_json.h"

/* --- JSON ---------------------------------------------------------------- */

/* Puts the rows of one list into the array `key` of the row of another that
 * their field `of` names; the field itself goes. */
static int nest(json_t *into, json_t *rows, const char *of, const char *key)
{
	json_t *row;
	size_t i;
	int bad = 0;

	json_array_foreach(into, i, row) bad =
		bad ?: json_object_set_new(row, key, json_array());
	json_array_foreach(rows, i, row)
	{
		json_int_t at = json_integer_value(json_object_get(row, of));
		json_t *to = at < 0 ? NULL : json_array_get(into, (size_t)at);

		json_object_del(row, of);
		if (to && !bad)
			bad = json_array_append(json_object_get(to, key), row);
	}
	return bad;
}

static json_t *owners_json(const struct ht_snapshot *s)
{
	json_t *top = ht_graph_json("heaptide.owners/1", s);
	json_t *classes = ht_graph_rows(s, HT_RECORD_owned, NULL);
	json_t *holders = ht_graph_rows(s, HT_RECORD_holder, NULL);
	json_t *links = ht_graph_rows(s, HT_RECORD_link, NULL);
	int bad = top && classes && holders && links ? 0 : -1;

	bad = bad ?: nest(holders, links, "holder", "chain");
	bad = bad ?: nest(classes, holders, "owned", "holders");
	bad = bad ?: json_object_set(top, "classes", classes);
	json_decref(classes);
	json_decref(holders);
	json_decref(links);
	if (!bad)
		return top;
	json_decref(top);
	return NULL;
}

/* --- words --------------------------------------------------------------- */

static void print_holder_name(const struct ht_holder *h)
{
	char name[HT_GRAPH_NAME];

	switch (h->kind) {
	case HT_HOLDER_STATIC:
		if (*h->symbol)
			printf("%s",
			       ht_demangle(h->symbol, name, sizeof(name)));
		else
			printf("0x%" PRIx64, h->offset);
		if (*h->symbol && h->offset && h->offset != HT_UNKNOWN)
			printf("+%" PRIu64, h->offset);
		printf(" (static, %s)", *h->module ? h->module : "?");
		break;
	case HT_HOLDER_STACK:
		printf("the stack of thread %" PRIu64, h->thread);
		break;
	case HT_HOLDER_TLS:
		printf("thread-local variables of thread %" PRIu64, h->thread);
		break;
	case HT_HOLDER_TABLE:
		fputs("chunks whose own holder is not sure", stdout);
		break;
	default:
		fputs("not sure", stdout);
	}
}

static void print_chain(const struct ht_snapshot *s, uint64_t holder)
{
	char what[HT_GRAPH_NAME], count[HT_NUMBER_TEXT];

	for (size_t i = 0; i < s->links.n; i++) {
		const struct ht_link *l = &s->links.v[i];

		if (l->holder != holder)
			continue;
		printf("      through %s of %s %s",
		       l->shape[0] ? l->shape : "a field",
		       ht_count_text(l->chunks, count),
		       ht_graph_chunks(s, l->type, l->max_size, what));
		if (l->offset != HT_UNKNOWN)
			printf(", at +%" PRIu64, l->offset);
		putchar('\n');
	}
}

static void print_holder(const struct ht_cli *cli, const struct ht_snapshot *s,
			 size_t i)
{
	const struct ht_holder *h = &s->holders.v[i];
	char chunks[HT_NUMBER_TEXT], bytes[HT_NUMBER_TEXT];

	if (h->kind == HT_HOLDER_NOBODY &&
	    strcmp(h->shape, HT_SHAPE_UNREACHED) == 0) {
		printf("  %5.1f %%  %s: %s in %s chunks\n", 100 * h->share,
		       h->shape, ht_show_bytes(cli, h->bytes, bytes),
		       ht_count_text(h->chunks, chunks));
		return;
	}
	printf("  %5.1f %%  %s, %s in %s chunks, by ", 100 * h->share, h->shape,
	       ht_show_bytes(cli, h->bytes, bytes),
	       ht_count_text(h->chunks, chunks));
	fputs(ht_style(&cli->term, HT_BOLD), stdout);
	print_holder_name(h);
	puts(ht_style_off(&cli->term));
	print_chain(s, i);
}

static void print_owners(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	char what[HT_GRAPH_NAME], count[HT_NUMBER_TEXT], bytes[HT_NUMBER_TEXT];

	for (size_t k = 0; k < s->owneds.n; k++) {
		const struct ht_owned *o = &s->owneds.v[k];
		double held = 0;

		printf("%s%s%s %s: %s%s\n", k ? "\n" : "",
		       ht_style(&cli->term, HT_BOLD),
		       ht_count_text(o->chunks, count),
		       ht_graph_chunks(s, o->type, o->max_size, what),
		       ht_show_bytes(cli, o->bytes, bytes),
		       ht_style_off(&cli->term));
		for (size_t i = 0; i < s->holders.n; i++)
			if (s->holders.v[i].owned == k) {
				print_holder(cli, s, i);
				held += s->holders.v[i].share;
			}
		if (held < 0.995)
			printf("  %5.1f %%  not sure\n", 100 * (1 - held));
	}
	if (s->owneds.n == 0)
		puts("No chunk in use is of that size.");
	ht_graph_warnings(cli, s);
}

enum ht_code ht_cmd_owners(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_graph_look(cli, HT_WANT_OWNERS, &s, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_json_print(owners_json(&s), err);
	print_owners(cli, &s);
	return HT_OK;
}
