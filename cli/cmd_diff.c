/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide diff`: what changed between two moments of one process: totals,
 * chunk sizes, bins, arenas. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff_windows.h"
#include "cli/json.h"
#include "cli/service.h"
#include "cli/show.h"
#include "cli/site_changes.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/type_changes.h"
#include "common/clock.h"
#include "schema/metrics.h"
#include "schema/snapshot_json.h"

#define TOP 12

/* One thing then and now; a thing that is not there counts as 0. */
struct change {
	char name[48];
	uint64_t count[2], bytes[2];
};

struct changes {
	struct change *v;
	size_t n;
};

static void changes_fini(struct changes *c)
{
	free(c->v);
}
#define AUTO_CHANGES HT_CLEANUP(changes_fini)

static struct change *change_named(struct changes *c, const char *name)
{
	struct change *grown;

	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->v[i].name, name))
			return &c->v[i];
	}
	grown = reallocarray(c->v, c->n + 1, sizeof(*c->v));
	if (!grown)
		return NULL;
	c->v = grown;
	grown[c->n] = (struct change){.name = ""};
	snprintf(grown[c->n].name, sizeof(grown->name), "%s", name);
	return &grown[c->n++];
}

static bool add(struct changes *c, const char *name, int when, uint64_t count,
		uint64_t bytes)
{
	struct change *one = change_named(c, name);

	if (!one)
		return false;
	one->count[when] += count == HT_UNKNOWN ? 0 : count;
	one->bytes[when] += bytes == HT_UNKNOWN ? 0 : bytes;
	return true;
}

static bool gather_classes(const struct ht_snapshot *s, int when,
			   struct changes *c)
{
	bool fine = true;

	for (size_t i = 0; i < s->size_classes.n; i++) {
		const struct ht_size_class *k = &s->size_classes.v[i];
		char name[48];

		if (k->max_size == 0)
			snprintf(name, sizeof(name), "mmapped");
		else
			snprintf(name, sizeof(name), "%s%" PRIu64,
				 k->max_size > 1040 ? "<= " : "", k->max_size);
		fine &= add(c, name, when, k->in_use_chunks, k->in_use_bytes);
	}
	return fine;
}

static bool gather_bins(const struct ht_snapshot *s, int when,
			struct changes *c)
{
	bool fine = true;

	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];
		char name[48];

		if (b->kind >= HT_BIN_KIND_COUNT)
			continue;
		snprintf(name, sizeof(name), "%s %" PRIu64,
			 ht_bin_kind_names[b->kind], b->index);
		fine &= add(c, name, when, b->chunks, b->bytes);
	}
	return fine;
}

static bool gather_arenas(const struct ht_snapshot *s, int when,
			  struct changes *c)
{
	bool fine = true;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		char name[48];

		snprintf(name, sizeof(name), "0x%" PRIx64, a->address);
		fine &= add(c, name, when, a->in_use_chunks, a->in_use);
	}
	return fine;
}

static bool gather_totals(const struct ht_snapshot *s, int when,
			  struct changes *c)
{
	double values[HT_METRIC_COUNT];
	bool fine = true;

	ht_metrics_of(s, values);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++) {
		if (m != HT_M_limit && /* the machine's, not the process's */
		    !strcmp(ht_metric_infos[m].unit, "bytes"))
			fine &= add(c, ht_metric_infos[m].name, when, 0,
				    isnan(values[m]) ? HT_UNKNOWN
						     : (uint64_t)values[m]);
	}
	return fine;
}

static const struct part {
	const char *key, *title;
	bool (*gather)(const struct ht_snapshot *s, int when,
		       struct changes *c);
	bool counted;
} parts[] = {
	{"totals", "metric", gather_totals, false},
	{"size_classes", "chunk size, in use", gather_classes, true},
	{"bins", "bin", gather_bins, true},
	{"arenas", "arena, in use", gather_arenas, true},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int64_t delta(const uint64_t pair[2])
{
	return (int64_t)(pair[1] - pair[0]);
}

static int largest_first(const void *a, const void *b)
{
	int64_t x = llabs(delta(((const struct change *)a)->bytes));
	int64_t y = llabs(delta(((const struct change *)b)->bytes));

	return x == y ? 0 : x > y ? -1 : 1;
}

static void signed_size(struct ht_table *t, int64_t v)
{
	char text[HT_NUMBER_TEXT];

	ht_table_text(t, "%s%s",
		      v < 0   ? "-"
		      : v > 0 ? "+"
			      : "",
		      ht_bytes_text((uint64_t)llabs(v), t->bytes, text));
}

static enum ht_code print_part(const struct ht_cli *cli, const struct part *p,
			       const struct changes *c, struct ht_err *err)
{
	const struct ht_column columns[] = {{p->title, false},
					    {"then", true},
					    {"now", true},
					    {"change", true},
					    {p->counted ? "chunks" : "", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;
	size_t rows = 0;

	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 5, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < c->n && rows < TOP; i++) {
		const struct change *k = &c->v[i];

		if (!delta(k->bytes) && !delta(k->count))
			continue;
		rows++;
		ht_table_row(&t);
		ht_table_text(&t, "%s", k->name);
		ht_table_size(&t, k->bytes[0]);
		ht_table_size(&t, k->bytes[1]);
		signed_size(&t, delta(k->bytes));
		if (p->counted)
			ht_table_text(&t, "%+" PRId64, delta(k->count));
	}
	if (!rows)
		return HT_OK;
	putchar('\n');
	return ht_table_print(&t, err);
}

static json_t *part_json(const struct part *p, const struct changes *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct change *k = &c->v[i];
		json_t *o;

		if (!delta(k->bytes) && !delta(k->count))
			continue;
		o = json_pack("{s:s, s:I, s:I, s:I}", "name", k->name, "from",
			      (json_int_t)k->bytes[0], "to",
			      (json_int_t)k->bytes[1], "change",
			      (json_int_t)delta(k->bytes));
		if (p->counted)
			json_object_set_new(
				o, "chunks",
				json_integer((json_int_t)delta(k->count)));
		json_array_append_new(list, o);
	}
	return list;
}

static enum ht_code
print_changes(const struct ht_cli *cli, const struct ht_store_process *process,
	      struct ht_snapshot s[2], const struct ht_site_changes *sites,
	      const struct ht_type_looks *types, struct ht_err *err)
{
	static const char *const labels[2] = {"then", "now"};
	json_auto_t *o = ht_json_span("heaptide.diff/1", process,
				      (int64_t)s[0].head.taken_at,
				      (int64_t)s[1].head.taken_at);
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < PARTS; i++) {
		AUTO_CHANGES struct changes c = {0};

		if (!parts[i].gather(&s[0], 0, &c) ||
		    !parts[i].gather(&s[1], 1, &c))
			return ht_fail(err, HT_NOMEM, "out of memory");
		if (c.n)
			qsort(c.v, c.n, sizeof(*c.v), largest_first);
		if (cli->opt.json)
			json_object_set_new(o, parts[i].key,
					    part_json(&parts[i], &c));
		else
			code = print_part(cli, &parts[i], &c, err);
	}
	json_object_set_new(o, "sites", ht_site_changes_json(sites));
	json_object_set_new(o, "types", ht_type_changes_json(types));
	if (code == HT_OK && cli->opt.json)
		return ht_json_print(json_incref(o), err);
	if (code == HT_OK)
		code = ht_type_changes_print(cli, types, err);
	return code == HT_OK ? ht_site_changes_print(cli, sites, labels, err)
			     : code;
}

/* The two times asked for; the record's ends where they are left out. */
static enum ht_code moments(const struct ht_cli *cli,
			    const struct ht_store_process *p, int64_t ret[2],
			    struct ht_err *err)
{
	int64_t now_ns = ht_wall_ns();

	ret[0] = p->first_ns;
	ret[1] = p->last_ns;
	for (int i = 0; i < 2 && i + 1 < cli->opt.args_n; i++) {
		const char *word = cli->opt.args[1 + i];

		if (ht_moment_parse(word, now_ns, &ret[i]))
			return ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
					    "'%s' is no time", word);
		if (ret[i] < p->first_ns)
			ret[i] = p->first_ns;
	}
	if (ret[0] > ret[1] && cli->opt.args_n == 3)
		return ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
				    "%s is after %s", cli->opt.args[1],
				    cli->opt.args[2]);
	return HT_OK;
}

/* Nothing changed, because nothing was compared. */
static void tell_same(struct ht_cli *cli, const struct ht_store_process *p)
{
	char first[HT_TIME_TEXT], last[HT_TIME_TEXT];

	ht_time_here_text(p->first_ns, first);
	ht_time_here_text(p->last_ns, last);
	ht_tell(&cli->term,
		"both times mean one sample: the record goes from %s to %s",
		first, last);
}

/* Whose call stacks make it grow, as was known at a moment. */
static enum ht_code load_sites(struct ht_store *store, int64_t process_id,
			       int64_t at_ns, int side,
			       struct ht_site_changes *ret, struct ht_err *err)
{
	int64_t asked_ns;
	enum ht_code code =
		ht_store_who_before(store, process_id, at_ns, &asked_ns, err);

	return code == HT_OK && asked_ns
		       ? ht_site_changes_add(store, process_id, asked_ns,
					     asked_ns, side, ret, err)
		       : code;
}

static enum ht_code load(struct ht_cli *cli, struct ht_store_process *process,
			 struct ht_snapshot s[2], struct ht_site_changes *sites,
			 struct ht_type_looks *types, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	int64_t at[2];
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_service_one(store, cli->opt.args[0], process, err);
	if (code == HT_OK)
		code = moments(cli, process, at, err);
	for (int i = 0; code == HT_OK && i < 2; i++) {
		code = ht_store_snapshot_at(store, process->id, at[i], &s[i],
					    err);
		if (code == HT_OK)
			code = load_sites(store, process->id, at[i], i, sites,
					  err);
	}
	ht_site_changes_end(sites);
	if (code == HT_OK)
		code = ht_type_changes_read(store, process->id, at, types, err);
	if (code == HT_OK && s[0].head.taken_at == s[1].head.taken_at)
		tell_same(cli, process);
	return code;
}

enum ht_code ht_cmd_diff(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SITE_CHANGES struct ht_site_changes sites = {0};
	HT_AUTO_TYPE_LOOKS struct ht_type_looks types = {0};
	struct ht_snapshot s[2];
	struct ht_store_process process;
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];
	enum ht_code code;

	if (ht_diff_has_windows(&cli->opt))
		return ht_diff_windows(cli, err);
	ht_snapshot_init(&s[0]);
	ht_snapshot_init(&s[1]);
	code = load(cli, &process, s, &sites, &types, err);
	if (code == HT_OK && !cli->opt.json) {
		ht_time_here_text(s[0].head.taken_at, from);
		ht_time_here_text(s[1].head.taken_at, to);
		ht_paragraph(&cli->term, "",
			     "%s%s, pid %" PRIu64 ": %s -> %s%s",
			     ht_style(&cli->term, HT_BOLD), s[1].head.comm,
			     s[1].head.pid, from, to, ht_style_off(&cli->term));
	}
	if (code == HT_OK)
		code = print_changes(cli, &process, s, &sites, &types, err);
	ht_snapshot_fini(&s[0]);
	ht_snapshot_fini(&s[1]);
	return code;
}
