/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/told.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/arch/arch.h"
#include "agent/self/pace.h"
#include "agent/self/table.h"

#define ARRAY	    0x8000u		 /* in met */
#define SAMPLE_FROM ((uint64_t)1 << 20)	 /* bytes of a chunk */
#define SAMPLES	    64			 /* pages of it */
#define SAMPLE_NEAR 3			 /* percent: too near to tell */
#define ARRAY_LEAST 75			 /* percent: as ht_is_array */
#define NEAR	    (UINT64_C(16) << 10) /* bytes from one to the next */
#define DROPPED	    ((size_t)1 << 20)	 /* bytes of rows at a time */

/* --- word by word of the maps -------------------------------------------- */

/* Where in order of addresses we are. */
struct going {
	struct ht_told *t;
	const struct ht_node_span *span;
	size_t word;
	uint64_t used, told; /* bits of this word of the maps */
	uint32_t id;	     /* of its first node */
	/* What was told, one behind the other */
	size_t stretch, code, codes; /* codes of the stretch gone by */
	size_t row_stretch, row;     /* words of its rows gone by */
	const uint64_t *dropped; /* rows of the stretch before this; or NULL */
	size_t met;
};

typedef void word_fn(struct going *g, void *ctx);

/* Stretches whose codes all went by lie behind. */
static void skip_stretches(struct going *g)
{
	const struct ht_told *t = g->t;

	while (g->stretch < t->stretches &&
	       g->code == t->stretch[g->stretch].codes) {
		g->stretch++;
		g->code = 0;
	}
	g->codes = g->stretch < t->stretches ? t->stretch[g->stretch].codes : 0;
}

/* The code of the k-th told of this word. */
static unsigned code_at(const struct going *g, uint32_t k)
{
	const struct ht_told *t = g->t;
	size_t i = g->stretch, at = g->code + k;
	unsigned code;

	while (i < t->stretches && at >= t->stretch[i].codes)
		at -= t->stretch[i++].codes;
	if (i == t->stretches)
		return HT_CODE_PLAIN;
	code = t->telling->by[t->stretch[i].by].code[t->stretch[i].code + at];
	return t->stretch[i].by == 0
		       ? code
		       : (unsigned)t->type_of[code >> 2] << 2 | (code & 3);
}

static void go_by(struct going *g)
{
	size_t n = ht_ones(g->told);

	g->id += g->used == g->told ? (uint32_t)n : ht_ones(g->used);
	if (g->code + n < g->codes) {
		g->code += n;
		return;
	}
	while (n > 0 && g->stretch < g->t->stretches) {
		size_t left = g->t->stretch[g->stretch].codes - g->code;
		size_t some = n < left ? n : left;

		g->code += some;
		n -= some;
		skip_stretches(g);
	}
}

/* all: not only those where a node was not told of, or what was told is none.
 */
static void each_word(struct ht_told *t, bool all, word_fn *fn, void *ctx)
{
	struct going g = {.t = t};
	unsigned steps = 0;

	skip_stretches(&g);
	for (size_t i = 0; i < t->nodes->n; i++) {
		const struct ht_marked *m = t->nodes->span[i].marked;
		size_t words = m ? (size_t)((m->units + 63) / 64) : 1;

		g.span = &t->nodes->span[i];
		for (g.word = 0; g.word < words; g.word++) {
			ht_pace_short_step(&steps);
			g.used = m ? m->used[g.word] : 1;
			g.told = m && m->told ? m->told[g.word] : 0;
			if (!(g.used | g.told))
				continue;
			if (all || g.used != g.told)
				fn(&g, ctx);
			go_by(&g);
		}
	}
}

/* The node, or what was taken for one, at a bit of the word. */
static struct ht_node node_at(const struct going *g, unsigned bit)
{
	struct ht_node node = {0};
	uint64_t below = (UINT64_C(1) << bit) - 1;

	ht_nodes_describe(g->t->nodes, g->span, g->word * 64 + bit,
			  g->id + ht_ones(g->used & below), &node);
	return node;
}

static unsigned told_code(const struct going *g, unsigned bit)
{
	return code_at(g, ht_ones(g->told & ((UINT64_C(1) << bit) - 1)));
}

/* --- what leads somewhere ------------------------------------------------- */

struct meeting {
	struct ht_refs_feed *feed;
	struct ht_told_by *by; /* by which the rest is read */
};

/* Whether a row has most of a chunk's words, and they lead to others. */
static bool row_is_array(const struct ht_told *t, const struct ht_node *node,
			 const uint64_t *row)
{
	uint64_t address[HT_NODES_AT_ONCE], count = 0, word;
	size_t n = 0, at = 0, most = 0;

	while (ht_row_next(row, &at, &word))
		most += !(word & HT_ROW_BUFFER);
	if (!ht_is_array(most, node->size))
		return false;
	for (at = 0; ht_row_next(row, &at, &word);) {
		if (word & HT_ROW_BUFFER)
			continue;
		address[n++] = word >> 16;
		if (n == HT_NODES_AT_ONCE) {
			count += ht_nodes_count(t->nodes, address, n, node->id);
			n = 0;
		}
	}
	count += ht_nodes_count(t->nodes, address, n, node->id);
	return ht_is_array(count, node->size);
}

/* type: of all. */
static void meet_row(const struct ht_told *t, const struct meeting *m,
		     const struct ht_node *node, const uint64_t *row,
		     uint32_t type)
{
	uint64_t word;
	size_t at = 0;

	while (ht_row_next(row, &at, &word)) {
		struct ht_buffer b;

		if (!(word & HT_ROW_BUFFER)) {
			if (type || (word & HT_REF_PLACE) < 4)
				ht_refs_feed(m->feed, node->id, word >> 16,
					     word & HT_REF_PLACE);
			continue;
		}
		b.string = row[at + 1] >> 32 << 4;
		b.vector = (row[at + 1] & UINT32_MAX) << 4;
		ht_types_say_buffer(t->types, word >> 16, &b);
	}
}

static enum ht_look_like like_of(unsigned code)
{
	static const enum ht_look_like likes[] = {
		HT_LIKE_NOTHING, HT_LIKE_TEXT, HT_LIKE_ZEROS, HT_LIKE_NOTHING};

	return likes[code & 3];
}

static void put_met(struct ht_told *t, uint32_t type, bool array)
{
	t->met[t->mets++] = (uint16_t)(type | (array ? ARRAY : 0));
}

/* --- what was not told ---------------------------------------------------- */

/* Words of [at, end) that may be addresses in nodes: those of a typed one are
 * its references, of others the count says whether it is an array. */
struct rest {
	struct ht_told *t;
	struct meeting *m;
	const struct ht_node *node;
	bool typed;
	uint64_t leads, all; /* words */
};

static void see_rest(struct rest *r, uint64_t at, const uint64_t *w, size_t n)
{
	uint64_t address[HT_NODES_AT_ONCE];
	size_t k = 0;

	r->all += n;
	for (size_t i = 0; i < n; i++) {
		if (!ht_told_may_lead(r->m->by, w[i]))
			continue;
		if (r->typed)
			ht_refs_feed(r->m->feed, r->node->id, w[i],
				     (at - r->node->user) / 8 + i);
		address[k++] = w[i];
		if (k == HT_NODES_AT_ONCE) {
			r->leads += ht_nodes_count(r->t->nodes, address, k,
						   r->node->id);
			k = 0;
		}
	}
	r->leads += ht_nodes_count(r->t->nodes, address, k, r->node->id);
}

/* Words from an address on: of chunks that lie side by side they are read
 * together. Returns how many. */
static size_t read_words(struct ht_told *t, uint64_t address, uint64_t end,
			 uint64_t **ret)
{
	uint64_t bytes = end - address, want = bytes;
	bool near = address >= t->at &&
		    (address < t->at_end || address - t->at_end < NEAR);

	if (address < t->at || end > t->at_end) {
		if (near || want > HT_REFS_WINDOW)
			want = HT_REFS_WINDOW;
		ht_pace();
		t->at = address;
		t->at_end = address + ht_reader_some(t->reader, address,
						     t->window, (size_t)want);
	}
	*ret = t->window + (address - t->at) / 8;
	return (size_t)((end < t->at_end ? end : t->at_end) - address) / 8;
}

static void read_rest(struct rest *r, uint64_t at, uint64_t end)
{
	while (at + 8 <= end) {
		uint64_t *w;
		size_t n = read_words(r->t, at, end, &w);

		if (n == 0) {
			uint64_t to = (at | (HT_PAGE_SIZE - 1)) + 1;

			r->t->refs->unread += (to < end ? to : end) - at;
			at = to;
			continue;
		}
		see_rest(r, at, w, n);
		at += n * 8;
	}
}

/* Pages all over it, as many as tell. false: it is too near to say. */
static bool sample(struct rest *r, bool *ret_array)
{
	const struct ht_node *node = r->node;
	uint64_t step = node->size / SAMPLES & ~(uint64_t)(HT_PAGE_SIZE - 1);
	uint64_t share;

	for (uint64_t i = 0; i < SAMPLES; i++)
		read_rest(r, node->user + i * step,
			  node->user + i * step + HT_PAGE_SIZE);
	share = r->all ? r->leads * 100 / r->all : 0;
	*ret_array = share > ARRAY_LEAST;
	return share < ARRAY_LEAST - SAMPLE_NEAR ||
	       share > ARRAY_LEAST + SAMPLE_NEAR;
}

/* What lies behind the first words, which have a row. */
static bool meet_rest(struct ht_told *t, struct meeting *m,
		      const struct ht_node *node, size_t n, bool typed)
{
	struct rest r = {.t = t, .m = m, .node = node, .typed = typed};
	bool array;

	if (!typed && node->size >= SAMPLE_FROM && sample(&r, &array))
		return array;
	if (!typed)
		n = 0; /* counted from the start */
	r.leads = r.all = 0;
	read_rest(&r, node->user + n * 8, node->end);
	return ht_is_array(r.leads, node->size);
}

static void meet_again(struct ht_told *t, struct meeting *m,
		       const struct ht_node *node)
{
	uint64_t all = node->end - node->user, *w;
	size_t n = read_words(t, node->user, node->end, &w), row;
	bool whole = n == all / 8, array = false;
	unsigned code = n ? ht_told_code(m->by, w, n, whole) : HT_CODE_PLAIN;

	ht_types_note(t->types, node->id, like_of(code));
	row = ht_told_row(m->by, node->chunk, node->size, code, w, n, t->row);
	if (row) {
		array = whole && row_is_array(t, node, t->row);
		meet_row(t, m, node, t->row, code >> 2);
	}
	if (!whole)
		array = meet_rest(t, m, node, n, code >> 2);
	put_met(t, code >> 2, array);
}

/* --- all that must be looked at ------------------------------------------- */

static uint32_t name_of(const struct ht_told *t,
			const struct ht_told_stretch *s, unsigned code)
{
	return s->by == 0 ? code >> 2 : t->type_of[code >> 2];
}

/* What was gone by makes room for references. */
static void drop_rows(struct going *g, const uint64_t *to)
{
	uintptr_t from, end = (uintptr_t)to & ~(uintptr_t)(HT_PAGE_SIZE - 1);

	if (!g->dropped)
		g->dropped = to;
	from = ((uintptr_t)g->dropped + HT_PAGE_SIZE - 1) &
	       ~(uintptr_t)(HT_PAGE_SIZE - 1);
	if (end < from + DROPPED)
		return;
	madvise((void *)from, end - from, MADV_DONTNEED);
	g->dropped = (const uint64_t *)end;
}

/* The row of this chunk, if it has one: those before it are of chunks that are
 * in no bin after all, and count no more. */
static const uint64_t *row_of(struct going *g, uint64_t chunk,
			      uint32_t *ret_type)
{
	struct ht_told *t = g->t;

	while (g->row_stretch < t->stretches) {
		const struct ht_told_stretch *s = &t->stretch[g->row_stretch];
		const uint64_t *row =
			t->telling->by[s->by].row + s->row + g->row;
		uint32_t type;

		if (g->row == s->rows) {
			g->row_stretch++;
			g->row = 0;
			g->dropped = NULL;
			continue;
		}
		if (row[0] >> 16 > chunk)
			return NULL;
		drop_rows(g, row);
		g->row += ht_row_length(row);
		type = name_of(t, s, row[0] & 0xffff);
		if (row[0] >> 16 == chunk) {
			*ret_type = type;
			return row;
		}
		t->types->v[type].chunks -= type != HT_TYPE_NONE;
	}
	return NULL;
}

static void meet_word(struct going *g, void *ctx)
{
	struct ht_told *t = g->t;
	struct meeting *m = ctx;

	for (uint64_t b = g->told & ~g->used; b; b &= b - 1) {
		unsigned code = told_code(g, (unsigned)__builtin_ctzll(b));

		t->types->v[code >> 2].chunks -= code >> 2 != HT_TYPE_NONE;
	}
	for (uint64_t b = g->used & ~g->told; b; b &= b - 1) {
		struct ht_node node = node_at(g, (unsigned)__builtin_ctzll(b));
		uint32_t type = HT_TYPE_NONE;
		const uint64_t *row = row_of(g, node.chunk, &type);

		if (!row) {
			meet_again(t, m, &node);
			continue;
		}
		ht_types_note(t->types, node.id, like_of(row[0] & 3));
		meet_row(t, m, &node, row, type);
		put_met(t, type, row_is_array(t, &node, row));
	}
}

/* One list of types from two: the first thread's goes on as that of all. */
static bool join_types(struct ht_told *t)
{
	struct ht_told_by *first = &t->telling->by[0];

	*t->types = first->types;
	first->types = (struct ht_types){0};
	t->types->nodes = t->nodes;
	t->types->reader = t->reader;
	t->type_of = ht_types_join(t->types, &t->telling->by[1].types);
	return t->type_of;
}

static bool begin(struct ht_told *t)
{
	t->stretch = ht_telling_stretches(t->telling, &t->stretches);
	if (!t->stretch || !join_types(t))
		return false;
	ht_reader_add(t->reader, &t->telling->by[0].reader);
	ht_reader_add(t->reader, &t->telling->by[1].reader);
	t->types->like_bytes = (size_t)t->nodes->count + 8;
	t->types->like = ht_table_new(t->types->like_bytes, HT_TABLE_ALL_OVER);
	t->row = malloc(HT_ROW_MAX(HT_REFS_WINDOW / 8) * sizeof(*t->row));
	t->window = malloc(HT_REFS_WINDOW);
	t->met_bytes = ((size_t)t->nodes->count + 1) * sizeof(*t->met);
	t->met = ht_table_new(t->met_bytes, HT_TABLE_IN_TURN);
	return t->types->like && t->row && t->window && t->met;
}

enum ht_code ht_told_meet(struct ht_told *t, const struct ht_refs_in *in,
			  struct ht_err *err)
{
	struct meeting m = {0};
	struct ht_told_by rest;

	if (!begin(t))
		return ht_fail(err, HT_NOMEM, "no memory for types");
	m.feed = ht_refs_feed_begin(in, t->refs, err);
	if (!m.feed)
		return HT_NOMEM;
	/* What is read again gets its type where all have theirs. */
	rest = (struct ht_told_by){.heaps = &t->telling->heaps,
				   .types = *t->types};
	m.by = &rest;
	each_word(t, false, meet_word, &m);
	*t->types = rest.types;
	ht_refs_feed_end(m.feed);
	return HT_OK;
}

void ht_told_fini(struct ht_told *t)
{
	free(t->stretch);
	free(t->type_of);
	free(t->row);
	free(t->window);
	ht_table_free(t->met, t->met_bytes);
	*t = (struct ht_told){0};
}

/* --- what references tell ------------------------------------------------- */

static bool is_sure(const struct ht_told *t, uint32_t type)
{
	return type && ht_type_is_sure(&t->types->v[type]);
}

static void settle_word(struct going *g, void *ctx)
{
	struct ht_told *t = g->t;
	size_t *met = ctx;

	for (uint64_t b = g->used & ~g->told; b; b &= b - 1) {
		uint16_t one = t->met[(*met)++];
		uint64_t below = (b & -b) - 1;

		ht_types_settle_node(t->types, t->refs,
				     g->id + ht_ones(g->used & below),
				     is_sure(t, one & ~ARRAY), one & ARRAY);
	}
}

void ht_told_settle(struct ht_told *t)
{
	size_t met = 0;

	each_word(t, false, settle_word, &met);
}

/* --- sums ----------------------------------------------------------------- */

struct summing {
	ht_told_fn *fn;
	void *ctx;
	size_t met;
};

static void say_sum(const struct ht_told *t, const struct summing *s,
		    uint64_t arena, unsigned code, int64_t chunks,
		    int64_t bytes)
{
	uint32_t type = code >> 2;

	if (is_sure(t, type))
		s->fn(s->ctx, arena, type, HT_LIKE_NOTHING, chunks, bytes);
	else
		s->fn(s->ctx, arena, HT_TYPE_NONE, like_of(code), chunks,
		      bytes);
}

/* What was told, as it was told. */
static void sum_codes(const struct ht_told *t, const struct summing *s)
{
	for (unsigned k = 0; k < 2; k++) {
		const struct ht_told_by *by = &t->telling->by[k];

		for (size_t a = 0; a < by->sums; a++)
			for (unsigned c = 0; by->sum[a] && c < HT_CODES; c++) {
				const struct ht_told_sum *one = &by->sum[a][c];
				unsigned type = c >> 2;

				if (!one->chunks)
					continue;
				type = k ? t->type_of[type] : type;
				say_sum(t, s, a, type << 2 | (c & 3),
					(int64_t)one->chunks,
					(int64_t)one->bytes);
			}
	}
}

/* Of what was told some is called otherwise now. */
static void change(const struct ht_told *t, const struct summing *s,
		   const struct ht_node *node, unsigned code)
{
	if (is_sure(t, code >> 2))
		return;
	ht_types_note(t->types, node->id, like_of(code));
	ht_types_settle_string(t->types, node->id);
	say_sum(t, s, node->arena, code, -1, -(int64_t)node->size);
	s->fn(s->ctx, node->arena, HT_TYPE_NONE, t->types->like[node->id], 1,
	      (int64_t)node->size);
}

static void sum_met(const struct ht_told *t, struct summing *s,
		    const struct ht_node *node)
{
	uint32_t type = t->met[s->met++] & ~ARRAY;
	bool sure = is_sure(t, type);

	s->fn(s->ctx, node->arena, sure ? type : HT_TYPE_NONE,
	      sure ? HT_LIKE_NOTHING : t->types->like[node->id], 1,
	      (int64_t)node->size);
}

/* Whether any of so many likes says something. */
static bool any_like(const struct ht_told *t, uint32_t id, uint32_t n)
{
	uint64_t some;

	for (uint32_t i = 0; i < n; i += 8) {
		memcpy(&some, t->types->like + id + i, 8);
		if (n - i < 8)
			some &= (UINT64_C(1) << (n - i) * 8) - 1;
		if (some)
			return true;
	}
	return false;
}

static void sum_word(struct going *g, void *ctx)
{
	struct ht_told *t = g->t;
	struct summing *s = ctx;
	uint64_t look = g->used ^ g->told;

	if (any_like(t, g->id, ht_ones(g->used)))
		look |= g->used;
	for (; look; look &= look - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(look);
		bool used = g->used >> bit & 1, told = g->told >> bit & 1;
		struct ht_node node = node_at(g, bit);

		if (!told)
			sum_met(t, s, &node);
		else if (!used)
			say_sum(t, s, node.arena, told_code(g, bit), -1,
				-(int64_t)node.size);
		else if (t->types->like[node.id])
			change(t, s, &node, told_code(g, bit));
	}
}

void ht_told_sum(struct ht_told *t, ht_told_fn *fn, void *ctx)
{
	struct summing s = {.fn = fn, .ctx = ctx};

	sum_codes(t, &s);
	each_word(t, true, sum_word, &s);
}
