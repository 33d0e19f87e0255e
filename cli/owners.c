/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owners.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/graph.h"
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

json_t *ht_owners_json(const struct ht_snapshot *s)
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

static void print_chain(const struct ht_cli *cli, const struct ht_snapshot *s,
			uint64_t holder)
{
	char what[HT_GRAPH_NAME], count[HT_NUMBER_TEXT];

	for (size_t i = 0; i < s->links.n; i++) {
		char at[32] = "";

		const struct ht_link *l = &s->links.v[i];

		if (l->holder != holder)
			continue;
		if (l->offset != HT_UNKNOWN)
			snprintf(at, sizeof(at), ", at +%" PRIu64, l->offset);
		ht_paragraph(&cli->term, "      ", "through %s of %s %s%s",
			     l->shape[0] ? l->shape : "a field",
			     ht_count_text(l->chunks, count),
			     ht_graph_chunks(s, l->type, l->max_size, what),
			     at);
	}
}

static void print_holder(const struct ht_cli *cli, const struct ht_snapshot *s,
			 size_t i)
{
	const struct ht_holder *h = &s->holders.v[i];
	char chunks[HT_NUMBER_TEXT], bytes[HT_NUMBER_TEXT];
	char name[HT_GRAPH_NAME], lead[32];

	snprintf(lead, sizeof(lead), "  %5.1f %%  ", 100 * h->share);
	ht_show_bytes(cli, h->bytes, bytes);
	ht_count_text(h->chunks, chunks);
	if (ht_graph_is_lost(h)) {
		ht_paragraph(&cli->term, lead, "%s: %s in %s chunks", h->shape,
			     bytes, chunks);
		return;
	}
	ht_paragraph(&cli->term, lead, "%s, %s in %s chunks, by %s%s%s",
		     h->shape, bytes, chunks, ht_style(&cli->term, HT_BOLD),
		     ht_graph_holder(h, name), ht_style_off(&cli->term));
	if (h->retained_bytes != HT_UNKNOWN)
		ht_paragraph(&cli->term, "      ",
			     "%s can be reached by it alone",
			     ht_show_bytes(cli, h->retained_bytes, bytes));
	print_chain(cli, s, i);
}

static void print_retained(const struct ht_cli *cli, const struct ht_owned *o)
{
	char all[HT_NUMBER_TEXT], most[HT_NUMBER_TEXT];

	if (o->retained_bytes == HT_UNKNOWN)
		return;
	ht_paragraph(
		&cli->term, "  ",
		"%s can be reached through them alone, their own included; through one of them at most %s.",
		ht_show_bytes(cli, o->retained_bytes, all),
		ht_show_bytes(cli, o->most_retained_bytes, most));
}

void ht_owners_print(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	char what[HT_GRAPH_NAME], count[HT_NUMBER_TEXT], bytes[HT_NUMBER_TEXT];

	for (size_t k = 0; k < s->owned.n; k++) {
		const struct ht_owned *o = &s->owned.v[k];
		double held = 0;

		if (k)
			putchar('\n');
		ht_paragraph(&cli->term, "", "%s%s %s: %s%s",
			     ht_style(&cli->term, HT_BOLD),
			     ht_count_text(o->chunks, count),
			     ht_graph_chunks(s, o->type, o->max_size, what),
			     ht_show_bytes(cli, o->bytes, bytes),
			     ht_style_off(&cli->term));
		print_retained(cli, o);
		for (size_t i = 0; i < s->holders.n; i++)
			if (s->holders.v[i].owned == k) {
				print_holder(cli, s, i);
				held += s->holders.v[i].share;
			}
		if (held < 0.995)
			printf("  %5.1f %%  not sure\n", 100 * (1 - held));
	}
	if (s->owned.n == 0)
		puts("No chunk in use is of that size.");
}
