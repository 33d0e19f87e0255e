/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/map_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/map_changes.h"
#include "cli/service.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define PIN_WORTH (UINT64_C(1) << 20) /* bytes it holds */

static const char *const part_names[HT_MAP_PARTS] = {"heaps", "mappings"};

struct map_diff {
	struct ht_store_process process;
	struct ht_snapshot s[2];
	struct ht_map_changes part[HT_MAP_PARTS];
};

static void map_diff_fini(struct map_diff *d)
{
	for (int i = 0; i < 2; i++)
		ht_snapshot_fini(&d->s[i]);
	for (int p = 0; p < HT_MAP_PARTS; p++)
		ht_map_changes_fini(&d->part[p]);
}

/* --- the two moments ------------------------------------------------------ */

static enum ht_code read_moments(struct ht_cli *cli, struct map_diff *d,
				 struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	int64_t at[2] = {cli->opt.against_ns,
			 cli->opt.at_ns ? cli->opt.at_ns : INT64_MAX};
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (at[0] > at[1]) {
		at[0] = cli->opt.at_ns;
		at[1] = cli->opt.against_ns;
	}
	if (code == HT_OK)
		code = ht_service_one(store, cli->opt.args[0], &d->process,
				      err);
	for (int i = 0; i < 2 && code == HT_OK; i++) {
		if (at[i] < d->process.first_ns)
			at[i] = d->process.first_ns;
		code = ht_store_snapshot_at(store, d->process.id, at[i],
					    &d->s[i], err);
	}
	return code;
}

static void tell_same(struct ht_cli *cli, const struct map_diff *d)
{
	char first[HT_TIME_TEXT], last[HT_TIME_TEXT];

	if (d->s[0].head.taken_at != d->s[1].head.taken_at)
		return;
	ht_time_here_text(d->process.first_ns, first);
	ht_time_here_text(d->process.last_ns, last);
	ht_tell(&cli->term,
		"both times mean one sample: the record goes from %s to %s",
		first, last);
}

static void tell_unmeasured(struct ht_cli *cli, const struct map_diff *d,
			    enum ht_map_part part)
{
	const struct ht_map_changes *c = &d->part[part];
	char at[HT_TIME_TEXT];

	for (int i = 0; i < 2; i++) {
		if (c->measured[i])
			continue;
		ht_time_here_text(d->s[i].head.taken_at, at);
		ht_tell(&cli->term,
			"no %s are recorded as of %s: they cannot be compared",
			part_names[part], at);
	}
}

static enum ht_code load(struct ht_cli *cli, struct map_diff *d,
			 struct ht_err *err)
{
	uint64_t arena = cli->opt.arena;
	enum ht_code code = read_moments(cli, d, err);

	if (code != HT_OK)
		return code;
	if (arena != HT_UNKNOWN && d->s[1].arenas.n == 0)
		return ht_fail(err, HT_NODATA,
			       "no arenas of %s, pid %" PRIu64
			       ", are recorded as of then",
			       d->process.comm, d->process.pid);
	if (arena != HT_UNKNOWN && arena >= d->s[1].arenas.n)
		return ht_fail(err, HT_USAGE,
			       "there is no arena %" PRIu64 ": 0 to %zu are",
			       arena, d->s[1].arenas.n - 1);
	tell_same(cli, d);
	for (int p = 0; p < HT_MAP_PARTS && code == HT_OK; p++) {
		code = ht_map_compare(d->s, (enum ht_map_part)p, arena,
				      &d->part[p], err);
		if (code == HT_OK)
			tell_unmeasured(cli, d, (enum ht_map_part)p);
	}
	return code;
}

/* --- JSON ----------------------------------------------------------------- */

static json_t *moment_json(const struct ht_map_change *c, int i, bool counted)
{
	json_t *o;

	if (!c->there[i])
		return json_null();
	o = json_object();
	if (counted)
		json_object_set_new(o, "count", ht_u64_json(c->count[i]));
	json_object_set_new(o, "size", ht_u64_json(c->size[i]));
	json_object_set_new(o, "resident", ht_u64_json(c->resident[i]));
	return o;
}

static json_t *hex_json(uint64_t v)
{
	return v == HT_UNKNOWN ? json_null() : json_sprintf("0x%" PRIx64, v);
}

static void put_moments(json_t *o, const struct ht_map_change *c, bool counted)
{
	int64_t grown;

	json_object_set_new(o, "from", moment_json(c, 0, counted));
	json_object_set_new(o, "to", moment_json(c, 1, counted));
	json_object_set_new(o, "change",
			    ht_map_grown(c, &grown) ? json_integer(grown)
						    : json_null());
}

static json_t *row_json(const struct ht_map_change *c, enum ht_map_part part)
{
	json_t *o = json_object();

	if (part == HT_MAP_HEAPS) {
		json_object_set_new(o, "address", hex_json(c->address));
		json_object_set_new(o, "arena", ht_u64_json(c->arena));
	} else {
		json_object_set_new(
			o, "kind",
			c->kind < HT_MAPPING_KIND_COUNT
				? json_string(ht_mapping_kind_names[c->kind])
				: json_null());
		json_object_set_new(o, "name", ht_optional_text_json(c->name));
	}
	put_moments(o, c, part == HT_MAP_MAPPINGS);
	return o;
}

/* null where a moment did not measure them. */
static json_t *part_json(const struct map_diff *d, enum ht_map_part part)
{
	const struct ht_map_changes *c = &d->part[part];
	json_t *o, *list;

	if (!c->measured[0] || !c->measured[1])
		return json_null();
	o = json_object();
	list = json_array();
	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(list, row_json(&c->v[i], part));
	json_object_set_new(o, "changed", list);
	json_object_set_new(o, "same", json_integer((json_int_t)c->same));
	put_moments(o, &c->sum, true);
	return o;
}

static json_t *pin_json(const struct ht_arena *a)
{
	if (!a || a->pin_address == HT_UNKNOWN)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "address", hex_json(a->pin_address),
			 "size", ht_u64_json(a->pin_size), "holds",
			 ht_u64_json(a->pin_holds));
}

/* An arena is never given back: those of the later moment are all. */
static const struct ht_arena *pinned_arena(const struct ht_cli *cli,
					   const struct map_diff *d, size_t i,
					   const struct ht_arena **ret_then)
{
	const struct ht_arena *now = &d->s[1].arenas.v[i];
	const struct ht_arena *then = ht_map_arena_at(&d->s[0], now->address);

	*ret_then = then;
	if (cli->opt.arena != HT_UNKNOWN && now->index != cli->opt.arena)
		return NULL;
	return now->pin_address != HT_UNKNOWN ||
			       (then && then->pin_address != HT_UNKNOWN)
		       ? now
		       : NULL;
}

static bool same_pin(const struct ht_arena *then, const struct ht_arena *now)
{
	return then && then->pin_address != HT_UNKNOWN &&
	       then->pin_address == now->pin_address &&
	       then->pin_size == now->pin_size;
}

static json_t *pins_json(const struct ht_cli *cli, const struct map_diff *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->s[1].arenas.n; i++) {
		const struct ht_arena *then, *now;

		now = pinned_arena(cli, d, i, &then);
		if (now)
			json_array_append_new(
				list,
				json_pack("{s:o, s:o, s:o, s:o, s:b}", "arena",
					  ht_u64_json(now->index),
					  "arena_address",
					  hex_json(now->address), "from",
					  pin_json(then), "to", pin_json(now),
					  "same_chunk", same_pin(then, now)));
	}
	return list;
}

static enum ht_code print_json(const struct ht_cli *cli,
			       const struct map_diff *d, struct ht_err *err)
{
	const struct ht_store_process *p = &d->process;

	return ht_json_print(
		json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			  "schema", "heaptide.map_diff/1", "process",
			  (json_int_t)p->id, "target",
			  ht_text_json(ht_process_name(p)), "pid",
			  ht_u64_json(p->pid), "comm", ht_text_json(p->comm),
			  "from", ht_time_json(d->s[0].head.taken_at), "to",
			  ht_time_json(d->s[1].head.taken_at), "heaps",
			  part_json(d, HT_MAP_HEAPS), "mappings",
			  part_json(d, HT_MAP_MAPPINGS), "pins",
			  pins_json(cli, d)),
		err);
}

/* --- text ----------------------------------------------------------------- */

static void csv_value(uint64_t v)
{
	if (v == HT_UNKNOWN)
		putchar(',');
	else
		printf(",%" PRIu64, v);
}

static void print_csv(const struct ht_map_changes *c)
{
	puts("address,arena,size_from,size_to,resident_from,resident_to");
	for (size_t i = 0; i < c->n; i++) {
		const struct ht_map_change *k = &c->v[i];

		printf("\"0x%" PRIx64 "\"", k->address);
		csv_value(k->arena);
		for (int m = 0; m < 2; m++)
			csv_value(k->there[m] ? k->size[m] : HT_UNKNOWN);
		for (int m = 0; m < 2; m++)
			csv_value(k->there[m] ? k->resident[m] : HT_UNKNOWN);
		putchar('\n');
	}
}

/* "" where it was not there. */
static void moment_cell(struct ht_table *t, bool there, uint64_t v)
{
	if (there)
		ht_table_size(t, v);
	else
		ht_table_text(t, "-");
}

static void change_cell(struct ht_table *t, const struct ht_map_change *c)
{
	char text[HT_NUMBER_TEXT];
	int64_t grown;

	if (!ht_map_grown(c, &grown))
		ht_table_text(t, "?");
	else
		ht_table_text(
			t, "%s%s",
			grown < 0   ? "-"
			: grown > 0 ? "+"
				    : "",
			ht_bytes_text((uint64_t)llabs(grown), t->bytes, text));
}

static void figure_cells(struct ht_table *t, const struct ht_map_change *c)
{
	for (int m = 0; m < 2; m++)
		moment_cell(t, c->there[m], c->size[m]);
	for (int m = 0; m < 2; m++)
		moment_cell(t, c->there[m], c->resident[m]);
	change_cell(t, c);
}

static void name_cells(struct ht_table *t, const struct ht_map_change *c,
		       enum ht_map_part part)
{
	if (part == HT_MAP_HEAPS) {
		ht_table_text(t, "0x%" PRIx64, c->address);
		ht_table_count(t, c->arena);
		return;
	}
	ht_table_text(t, "%s",
		      c->kind < HT_MAPPING_KIND_COUNT
			      ? ht_mapping_kind_names[c->kind]
			      : "?");
	ht_table_text(t, "%s", c->name);
}

static enum ht_code print_part(const struct ht_cli *cli,
			       const struct map_diff *d, enum ht_map_part part,
			       struct ht_err *err)
{
	const struct ht_map_changes *c = &d->part[part];
	const struct ht_column columns[] = {
		{part == HT_MAP_HEAPS ? "heap" : "outside malloc", false},
		{part == HT_MAP_HEAPS ? "arena" : "name", part == HT_MAP_HEAPS,
		 0, part != HT_MAP_HEAPS},
		{"size then", true, 2},
		{"now", true, 2},
		{"resident then", true, 1},
		{"now", true},
		{"change", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	if (!c->measured[0] || !c->measured[1])
		return HT_OK;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 7, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < c->n; i++) {
		ht_table_row(&t);
		name_cells(&t, &c->v[i], part);
		figure_cells(&t, &c->v[i]);
	}
	ht_table_row(&t);
	ht_table_text(&t, "all %s", part_names[part]);
	ht_table_text(&t, "%s", "");
	figure_cells(&t, &c->sum);
	putchar('\n');
	code = ht_table_print(&t, err);
	if (code == HT_OK && c->same)
		printf("(with %zu that did not change)\n", c->same);
	return code;
}

static void pin_cells(struct ht_table *t, const struct ht_arena *a)
{
	if (a && a->pin_address != HT_UNKNOWN) {
		ht_table_text(t, "0x%" PRIx64, a->pin_address);
		ht_table_size(t, a->pin_holds);
	} else {
		ht_table_text(t, "-");
		ht_table_text(t, "-");
	}
}

static bool worth_telling(const struct ht_arena *a)
{
	return a && a->pin_holds != HT_UNKNOWN && a->pin_holds >= PIN_WORTH;
}

static enum ht_code print_pins(const struct ht_cli *cli,
			       const struct map_diff *d, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"arena", true}, {"pin then", true, 2}, {"held", true, 1},
		{"now", true},	 {"holds", true},	{"", false}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code =
		ht_table_init(&cli->term, cli->opt.bytes, columns, 6, &t, err);
	bool any = false;

	for (size_t i = 0; code == HT_OK && i < d->s[1].arenas.n; i++) {
		const struct ht_arena *then, *now;

		now = pinned_arena(cli, d, i, &then);
		if (!now || !(worth_telling(now) || worth_telling(then)))
			continue;
		any = true;
		ht_table_row(&t);
		ht_table_count(&t, now->index);
		pin_cells(&t, then);
		pin_cells(&t, now);
		ht_table_text(&t, "%s",
			      same_pin(then, now) ? "the same chunk" : "");
	}
	if (code != HT_OK || !any)
		return code;
	putchar('\n');
	return ht_table_print(&t, err);
}

static enum ht_code print_text(const struct ht_cli *cli,
			       const struct map_diff *d, struct ht_err *err)
{
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];
	enum ht_code code = HT_OK;

	ht_time_here_text(d->s[0].head.taken_at, from);
	ht_time_here_text(d->s[1].head.taken_at, to);
	ht_paragraph(&cli->term, "", "%s%s, pid %" PRIu64 ": %s -> %s%s",
		     ht_style(&cli->term, HT_BOLD), d->process.comm,
		     d->process.pid, from, to, ht_style_off(&cli->term));
	for (int p = 0; p < HT_MAP_PARTS && code == HT_OK; p++)
		code = print_part(cli, d, (enum ht_map_part)p, err);
	return code == HT_OK ? print_pins(cli, d, err) : code;
}

enum ht_code ht_map_diff(struct ht_cli *cli, struct ht_err *err)
{
	HT_CLEANUP(map_diff_fini) struct map_diff d = {0};
	enum ht_code code;

	ht_snapshot_init(&d.s[0]);
	ht_snapshot_init(&d.s[1]);
	code = load(cli, &d, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return print_json(cli, &d, err);
	if (cli->opt.csv) {
		print_csv(&d.part[HT_MAP_HEAPS]);
		return HT_OK;
	}
	return print_text(cli, &d, err);
}
