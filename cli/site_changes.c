/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/site_changes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "schema/snapshot_json.h"

#define SHOWN 12

void ht_site_changes_fini(struct ht_site_changes *c)
{
	free(c->v);
	*c = (struct ht_site_changes){0};
}

/* --- gathering ------------------------------------------------------------ */

static struct ht_site_change *change_of(struct ht_site_changes *c,
					const char *name, uint64_t asked)
{
	struct ht_site_change *grown;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].name, name) == 0)
			return &c->v[i];
	grown = reallocarray(c->v, c->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	c->v = grown;
	grown[c->n] = (struct ht_site_change){
		.asked = asked, .side = {{.leaking = -1}, {.leaking = -1}}};
	snprintf(grown[c->n].name, sizeof(grown->name), "%s", name);
	return &grown[c->n++];
}

static bool asked_about(const struct ht_site_answers *a, uint64_t size)
{
	for (size_t i = 0; i < a->sizes; i++)
		if (a->size[i] == size)
			return true;
	return a->all;
}

static void note_answer(struct ht_site_answers *a,
			const struct ht_store_who *who)
{
	if (a->n && a->at_ns == who->at_ns)
		return;
	a->n++;
	a->at_ns = who->at_ns;
	a->all |= who->max_size == 0;
	if (!asked_about(a, who->max_size) && a->sizes < HT_SITE_SIZES)
		a->size[a->sizes++] = who->max_size;
}

struct adding {
	struct ht_site_changes *to;
	int side;
	bool failed;
};

static int add_site(void *ctx, const struct ht_store_who *who,
		    const struct ht_store_site *site)
{
	struct adding *a = ctx;
	struct ht_site_change *one;
	struct ht_site_side *s;

	note_answer(&a->to->answers[a->side], who);
	if (!site)
		return 0;
	one = change_of(a->to, site->name, who->max_size);
	if (!one) {
		a->failed = true;
		return 1;
	}
	s = &one->side[a->side];
	s->bytes_per_s += site->bytes_per_s; /* NaN: it stays so */
	s->samples += site->seen.samples;
	s->alive += site->seen.alive;
	s->freed += site->seen.freed;
	/* Several stacks of these functions are one site. */
	if (s->at_ns != who->at_ns) {
		s->seen++;
		s->leaking = site->leaking;
	} else if (site->leaking > s->leaking) {
		s->leaking = site->leaking;
	}
	s->at_ns = who->at_ns;
	return 0;
}

enum ht_code ht_site_changes_add(struct ht_store *store, int64_t process_id,
				 int64_t from_ns, int64_t to_ns, int side,
				 struct ht_site_changes *ret,
				 struct ht_err *err)
{
	struct adding a = {.to = ret, .side = side};
	enum ht_code code = ht_store_sites(store, process_id, from_ns, to_ns,
					   add_site, &a, err);

	if (code == HT_OK && a.failed)
		return ht_fail(err, HT_NOMEM, "no memory for the sites");
	return code;
}

/* --- order ---------------------------------------------------------------- */

static double known(double v)
{
	return isnan(v) ? 0 : v;
}

static double change(const struct ht_site_change *c)
{
	return c->side[1].bytes_per_s - c->side[0].bytes_per_s;
}

static int largest_first(const void *x, const void *y)
{
	const struct ht_site_change *a = x, *b = y;
	double ca = fabs(known(a->side[1].bytes_per_s) -
			 known(a->side[0].bytes_per_s));
	double cb = fabs(known(b->side[1].bytes_per_s) -
			 known(b->side[0].bytes_per_s));

	if (ca != cb)
		return ca < cb ? 1 : -1;
	return strcmp(a->name, b->name);
}

void ht_site_changes_end(struct ht_site_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		for (int k = 0; k < 2; k++) {
			struct ht_site_side *s = &c->v[i].side[k];
			const struct ht_site_answers *a = &c->answers[k];

			if (s->seen)
				s->bytes_per_s /= s->seen;
			else if (!asked_about(a, c->v[i].asked))
				s->bytes_per_s = NAN;
		}
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), largest_first);
}

/* --- telling -------------------------------------------------------------- */

static json_t *side_json(const struct ht_site_side *s)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o}", "bytes_per_s",
		ht_real_json(s->bytes_per_s), "samples",
		ht_u64_json(s->samples), "alive", ht_u64_json(s->alive),
		"freed", ht_u64_json(s->freed), "leaking",
		s->leaking < 0 ? json_null() : json_boolean(s->leaking));
}

json_t *ht_site_changes_json(const struct ht_site_changes *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct ht_site_change *k = &c->v[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o}", "name",
					ht_text_json(k->name), "from",
					side_json(&k->side[0]), "to",
					side_json(&k->side[1]), "change",
					ht_real_json(change(k))));
	}
	return list;
}

static void rate_cell(struct ht_table *t, double v, bool sign)
{
	char text[HT_NUMBER_TEXT];

	if (isnan(v))
		ht_table_text(t, "?");
	else
		ht_table_text(t, "%s%s/s",
			      v <= -0.5		 ? "-"
			      : sign && v >= 0.5 ? "+"
						 : "",
			      ht_bytes_text((uint64_t)llround(fabs(v)),
					    t->bytes, text));
}

static void alive_cell(struct ht_table *t, const struct ht_site_side *s)
{
	if (s->seen)
		ht_table_text(t, "%" PRIu64 " of %" PRIu64, s->alive,
			      s->samples);
	else
		ht_table_text(t, "-");
}

enum ht_code ht_site_changes_print(const struct ht_cli *cli,
				   const struct ht_site_changes *c,
				   const char *const labels[2],
				   struct ht_err *err)
{
	const struct ht_column columns[] = {
		{"call stack, makes it grow by", false, 0, true},
		{labels[0], true},
		{labels[1], true},
		{"change", true},
		{"alive then", true, 1},
		{"alive now", true, 1}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code =
		ht_table_init(&cli->term, cli->opt.bytes, columns, 6, &t, err);
	size_t shown = 0;

	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < c->n && shown < SHOWN; i++) {
		const struct ht_site_change *k = &c->v[i];

		if (known(k->side[0].bytes_per_s) < 1 &&
		    known(k->side[1].bytes_per_s) < 1)
			continue;
		shown++;
		ht_table_row(&t);
		ht_table_text(&t, "%s", k->name);
		rate_cell(&t, k->side[0].bytes_per_s, false);
		rate_cell(&t, k->side[1].bytes_per_s, false);
		rate_cell(&t, change(k), true);
		alive_cell(&t, &k->side[0]);
		alive_cell(&t, &k->side[1]);
	}
	if (!shown)
		return HT_OK;
	putchar('\n');
	return ht_table_print(&t, err);
}
