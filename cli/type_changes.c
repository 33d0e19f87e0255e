/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/type_changes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/table.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define SHOWN 12

struct change {
	const char *name, *kind, *module;
	double bytes[2], chunks[2];
};

struct changes {
	struct change *v; /* what changed most first */
	size_t n;
};

static void changes_fini(struct changes *c)
{
	free(c->v);
}
#define AUTO_CHANGES HT_CLEANUP(changes_fini)

/* --- gathering ------------------------------------------------------------ */

enum ht_code ht_type_changes_read(struct ht_store *store, int64_t process_id,
				  const int64_t at_ns[2],
				  struct ht_type_looks *ret, struct ht_err *err)
{
	int64_t near[2] = {0};
	enum ht_code code = HT_OK;
	size_t last;

	*ret = (struct ht_type_looks){0};
	for (int i = 0; i < 2 && code == HT_OK; i++)
		code = ht_store_types_near(store, process_id, at_ns[i],
					   &near[i], err);
	if (code != HT_OK || near[0] >= near[1])
		return code;
	code = ht_store_types(store, process_id, near[0], near[1], ret, err);
	if (code != HT_OK || ret->n < 2)
		return code;
	last = ret->n - 1;
	ret->at_ns[1] = ret->at_ns[last];
	ret->bytes[1] = ret->bytes[last];
	ret->unknown[1] = ret->unknown[last];
	ret->others[1] = ret->others[last];
	for (size_t i = 0; i < ret->lines; i++) {
		ret->v[i].chunks[1] = ret->v[i].chunks[last];
		ret->v[i].bytes[1] = ret->v[i].bytes[last];
	}
	ret->n = 2;
	return HT_OK;
}

/* What a look without this type had of it. */
static double absent(const struct ht_type_looks *l)
{
	return l->others[l->n - 1] > 0 ? NAN : 0;
}

static struct ht_type_line *line_like(struct ht_type_looks *l,
				      const struct ht_type_line *t)
{
	for (size_t i = 0; i < l->lines; i++)
		if (!strcmp(l->v[i].name, t->name) &&
		    !strcmp(l->v[i].kind, t->kind) &&
		    !strcmp(l->v[i].module, t->module))
			return &l->v[i];
	return NULL;
}

/* The last look of one of two, as then (0) or now (1). */
static void join(struct ht_type_looks *to, const struct ht_type_looks l[2],
		 size_t side)
{
	const struct ht_type_looks *from = &l[side];
	const size_t last = from->n - 1;
	const double other = absent(&l[!side]);

	to->at_ns[side] = from->at_ns[last];
	to->bytes[side] = from->bytes[last];
	to->unknown[side] = from->unknown[last];
	to->others[side] = from->others[last];
	for (size_t i = 0; i < from->lines; i++) {
		struct ht_type_line *t = line_like(to, &from->v[i]);

		if (!t) {
			t = &to->v[to->lines++];
			*t = from->v[i];
			t->bytes[!side] = t->chunks[!side] = other;
		}
		t->bytes[side] = from->v[i].bytes[last];
		t->chunks[side] = from->v[i].chunks[last];
	}
}

enum ht_code
ht_type_changes_windows(struct ht_store *store, const int64_t process_id[2],
			const int64_t from_ns[2], const int64_t to_ns[2],
			struct ht_type_looks *ret, struct ht_err *err)
{
	HT_AUTO_TYPE_LOOKS struct ht_type_looks then = {0}, now = {0};
	struct ht_type_looks l[2];
	enum ht_code code = ht_store_types(store, process_id[0], from_ns[0],
					   to_ns[0], &then, err);

	*ret = (struct ht_type_looks){0};
	if (code == HT_OK)
		code = ht_store_types(store, process_id[1], from_ns[1],
				      to_ns[1], &now, err);
	if (code != HT_OK || !then.n || !now.n)
		return code;
	ret->v = calloc(then.lines + now.lines + 1, sizeof(*ret->v));
	if (!ret->v)
		return ht_fail(err, HT_NOMEM, "no memory for types");
	l[0] = then;
	l[1] = now;
	ret->n = 2;
	join(ret, l, 0);
	join(ret, l, 1);
	return HT_OK;
}

static double moved(const struct change *c)
{
	return c->bytes[1] - c->bytes[0];
}

static int most_first(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	double left = isnan(moved(x)) ? 0 : fabs(moved(x));
	double right = isnan(moved(y)) ? 0 : fabs(moved(y));

	if (left != right)
		return left < right ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* What did not change is none of them. */
static bool gather(const struct ht_type_looks *l, struct changes *c)
{
	c->v = calloc(l->lines + 2, sizeof(*c->v));
	for (size_t i = 0; c->v && i < l->lines; i++) {
		const struct ht_type_line *t = &l->v[i];

		c->v[c->n] = (struct change){t->name,
					     t->kind,
					     t->module,
					     {t->bytes[0], t->bytes[1]},
					     {t->chunks[0], t->chunks[1]}};
		c->n += moved(&c->v[c->n]) != 0 &&
			!(isnan(t->bytes[0]) && isnan(t->bytes[1]));
	}
	if (!c->v)
		return false;
	c->v[c->n] = (struct change){"other types",
				     "",
				     "",
				     {l->others[0], l->others[1]},
				     {NAN, NAN}};
	c->n += moved(&c->v[c->n]) != 0;
	c->v[c->n] = (struct change){"not known",
				     "",
				     "",
				     {l->unknown[0], l->unknown[1]},
				     {NAN, NAN}};
	c->n += moved(&c->v[c->n]) != 0;
	qsort(c->v, c->n, sizeof(*c->v), most_first);
	return true;
}

/* --- telling -------------------------------------------------------------- */

static json_t *change_json(const struct change *c)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		ht_text_json(c->name), "kind", ht_optional_text_json(c->kind),
		"module", ht_optional_text_json(c->module), "from",
		ht_real_json(c->bytes[0]), "to", ht_real_json(c->bytes[1]),
		"change", ht_real_json(moved(c)), "chunks",
		ht_real_json(c->chunks[1] - c->chunks[0]));
}

json_t *ht_type_changes_json(const struct ht_type_looks *l)
{
	AUTO_CHANGES struct changes c = {0};
	json_t *list;

	if (l->n != 2 || !gather(l, &c))
		return json_null();
	list = json_array();
	for (size_t i = 0; i < c.n; i++)
		json_array_append_new(list, change_json(&c.v[i]));
	return json_pack("{s:o, s:o, s:o}", "from", ht_time_json(l->at_ns[0]),
			 "to", ht_time_json(l->at_ns[1]), "list", list);
}

static void change_cells(struct ht_table *t, const struct change *c)
{
	double chunks = c->chunks[1] - c->chunks[0];
	char text[HT_NUMBER_TEXT];

	if (isnan(moved(c)))
		ht_table_text(t, "?");
	else
		ht_table_text(t, "%s%s", moved(c) < 0 ? "-" : "+",
			      ht_bytes_text((uint64_t)fabs(moved(c)), t->bytes,
					    text));
	if (isnan(chunks))
		ht_table_text(t, "?");
	else
		ht_table_text(t, "%+.0f", chunks);
}

static enum ht_code print_rows(const struct ht_cli *cli,
			       const struct changes *c, struct ht_err *err)
{
	static const struct ht_column columns[] = {{"type", false, 0, true},
						   {"kind", false, 2},
						   {"module", false, 3, true},
						   {"then", true},
						   {"now", true},
						   {"change", true},
						   {"chunks", true, 1}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code =
		ht_table_init(&cli->term, cli->opt.bytes, columns, 7, &t, err);

	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < c->n && i < SHOWN; i++) {
		ht_table_row(&t);
		ht_table_text(&t, "%s", c->v[i].name);
		ht_table_text(&t, "%s", c->v[i].kind);
		ht_table_text(&t, "%s", c->v[i].module);
		ht_table_real_size(&t, c->v[i].bytes[0]);
		ht_table_real_size(&t, c->v[i].bytes[1]);
		change_cells(&t, &c->v[i]);
	}
	return ht_table_print(&t, err);
}

enum ht_code ht_type_changes_print(const struct ht_cli *cli,
				   const struct ht_type_looks *l,
				   struct ht_err *err)
{
	AUTO_CHANGES struct changes c = {0};
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];

	if (l->n != 2)
		return HT_OK;
	if (!gather(l, &c))
		return ht_fail(err, HT_NOMEM, "no memory for types");
	ht_time_here_text(l->at_ns[0], from);
	ht_time_here_text(l->at_ns[1], to);
	putchar('\n');
	ht_paragraph(&cli->term, "", "By type, as of the looks of %s and %s%s",
		     from, to, c.n ? ":" : ": nothing changed");
	return c.n ? print_rows(cli, &c, err) : HT_OK;
}
