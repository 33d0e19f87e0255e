/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/telling.h"

#include <stdlib.h>

#include "agent/self/table.h"

#define CODES_SHARE  16 /* of the memory that may be taken, each thread */
#define ROWS_SHARE   4
#define ADDRESS_BITS 48	   /* what a row has room for */
#define ARENAS_MAX   4096u /* with sums of their own */
#define SUM_BYTES    (HT_CODES * sizeof(struct ht_told_sum))

/* --- begin and end ------------------------------------------------------- */

/* Chunks lie where memory can be written and is no module's. */
static bool find_heaps(const struct ht_telling_in *in, struct ht_ranges *ret)
{
	bool ok = true;

	for (size_t i = 0; ok && i < in->maps->n; i++) {
		const struct ht_vma *v = &in->maps->v[i];
		struct ht_range *last = ret->n ? &ret->v[ret->n - 1] : NULL;

		if (!(v->flags & HT_VMA_WRITE) ||
		    ht_modules_at(in->modules, v->start, NULL) !=
			    HT_MODULE_NONE)
			continue;
		if (last && last->end == v->start)
			last->end = v->end;
		else
			ok = ht_ranges_add(ret, v->start, v->end);
	}
	return ok && ret->n && ret->v[ret->n - 1].end >> ADDRESS_BITS == 0;
}

static bool begin_by(struct ht_telling *t, unsigned i,
		     const struct ht_telling_in *in)
{
	struct ht_told_by *by = &t->by[i];
	struct ht_err err;

	by->heaps = &t->heaps;
	by->by_arena = in->by_arena;
	by->reader = ht_reader_twin(in->reader);
	if (i > 0)
		by->reader.beat = NULL; /* the first thread's */
	by->types = (struct ht_types){.modules = in->modules,
				      .reader = &by->reader,
				      .located = in->located};
	by->codes_max = t->codes_bytes / sizeof(*by->code);
	by->rows_max = t->rows_bytes / sizeof(*by->row);
	by->code = ht_table_new(t->codes_bytes, HT_TABLE_ALL_OVER);
	by->row = ht_table_new(t->rows_bytes, HT_TABLE_ALL_OVER);
	return by->code && by->row &&
	       ht_types_begin(&by->types, false, &err) == HT_OK;
}

static void end_by(struct ht_telling *t, struct ht_told_by *by)
{
	for (size_t i = 0; i < by->sums; i++)
		ht_table_free(by->sum[i], SUM_BYTES);
	free(by->sum);
	free(by->stretch);
	ht_table_free(by->code, t->codes_bytes);
	ht_table_free(by->row, t->rows_bytes);
	ht_types_fini(&by->types);
}

static void show(struct ht_teller *teller, const struct ht_gone_by *s);

struct ht_telling *ht_telling_begin(const struct ht_telling_in *in)
{
	struct ht_telling *t = calloc(1, sizeof(*t));
	bool ok = t && find_heaps(in, &t->heaps);

	if (ok) {
		/* Each of two threads may tell of all. */
		t->codes_bytes = (size_t)(in->memory_max / CODES_SHARE) + 8;
		t->rows_bytes = (size_t)(in->memory_max / ROWS_SHARE) + 8;
	}
	for (unsigned i = 0; ok && i < 2; i++) {
		t->teller[i] =
			(struct ht_teller){.show = show, .ctx = &t->by[i]};
		t->teller[i].chunk =
			calloc(HT_GONE_BY_MAX + 1, sizeof(*t->teller[i].chunk));
		ok = t->teller[i].chunk && begin_by(t, i, in);
	}
	if (ok)
		return t;
	ht_telling_end(t);
	return NULL;
}

void ht_telling_end(struct ht_telling *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < 2; i++)
		end_by(t, &t->by[i]);
	for (unsigned i = 0; i < 2; i++)
		free(t->teller[i].chunk);
	ht_ranges_fini(&t->heaps);
	free(t);
}

uint64_t ht_telling_bytes(const struct ht_telling *t)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; t && i < 2; i++)
		bytes += t->by[i].codes * sizeof(uint16_t);
	return bytes;
}

bool ht_telling_holds(const struct ht_telling *t, const struct ht_nodes *n)
{
	for (unsigned i = 0; i < 2; i++)
		if (t->teller[i].lost || t->by[i].lost)
			return false;
	for (size_t i = 0; i < n->n; i++) {
		const struct ht_range *r =
			ht_ranges_from(&t->heaps, n->span[i].start);

		if (!r || r->start > n->span[i].start ||
		    r->end < n->span[i].end)
			return false;
	}
	return true;
}

/* --- stretches ----------------------------------------------------------- */

static void begin_stretch(struct ht_told_by *t, const struct ht_gone_by *s)
{
	const struct ht_marked *m = s->marked;
	struct ht_told_stretch *last;

	if (t->stretches == t->capacity) {
		size_t n = t->capacity * 2 + 64;
		void *grown = reallocarray(t->stretch, n, sizeof(*last));

		t->lost = t->lost || !grown;
		if (!grown)
			return;
		t->stretch = grown;
		t->capacity = n;
	}
	t->stretch[t->stretches++] = (struct ht_told_stretch){
		.start = s->from, .code = t->codes, .row = t->rows};
	t->map = m->told;
	/* The other thread may have told of chunks in the word before. */
	t->from = ((s->from - m->first) >> m->shift) / 64 + 1;
}

static int by_start(const void *x, const void *y)
{
	const struct ht_told_stretch *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

struct ht_told_stretch *ht_telling_stretches(struct ht_telling *t,
					     size_t *ret_n)
{
	size_t all = t->by[0].stretches + t->by[1].stretches, n = 0;
	struct ht_told_stretch *v = calloc(all + 1, sizeof(*v));

	for (unsigned k = 0; v && k < 2; k++) {
		const struct ht_told_by *by = &t->by[k];

		for (size_t i = 0; i < by->stretches; i++) {
			bool end = i + 1 == by->stretches;
			struct ht_told_stretch *s = &v[n++];

			*s = by->stretch[i];
			s->by = k;
			s->codes = (end ? by->codes : by->stretch[i + 1].code) -
				   s->code;
			s->rows = (end ? by->rows : by->stretch[i + 1].row) -
				  s->row;
		}
	}
	if (v && n)
		qsort(v, n, sizeof(*v), by_start);
	*ret_n = n;
	return v;
}

/* --- what words say ------------------------------------------------------ */

bool ht_told_may_lead(struct ht_told_by *t, uint64_t value)
{
	const struct ht_range *r;

	if (value - t->last.start < t->last.end - t->last.start)
		return true;
	r = ht_ranges_from(t->heaps, value);
	if (!r || value < r->start)
		return false;
	t->last = *r;
	return true;
}

/* Most words are no address: four at a time are told to be none. */
static bool any_between(const uint64_t *w, size_t n, uint64_t low, uint64_t all)
{
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		if ((w[i] - low < all) | (w[i + 1] - low < all) |
		    (w[i + 2] - low < all) | (w[i + 3] - low < all))
			return true;
	for (; i < n; i++)
		if (w[i] - low < all)
			return true;
	return false;
}

typedef uint64_t two __attribute__((vector_size(16), aligned(8), may_alias));

/* Said by signs: of a comparison a compiler would make the branch. */
static inline two at_most(const uint64_t *w, size_t i, size_t last)
{
	const uint64_t to_last = last - i;

	return *(const two *)(w + i + (to_last & -(to_last >> 63)));
}

/* Most chunks have up to 16 words, and how many cannot be foretold: of these
 * the last two are looked at as often as it takes, without a branch. */
static inline bool all_zero(const uint64_t *w, size_t n)
{
	size_t last = n - 2;
	two sum;

	if (n < 2)
		return n == 0 || w[0] == 0;
	sum = *(const two *)w | at_most(w, 2, last) | at_most(w, 4, last) |
	      at_most(w, 6, last) | at_most(w, 8, last) | at_most(w, 10, last) |
	      at_most(w, 12, last) | at_most(w, 14, last);
	for (size_t i = 16; i < n; i += 2)
		sum |= at_most(w, i, last);
	return (sum[0] | sum[1]) == 0;
}

static unsigned code_of_some(struct ht_told_by *t, const uint64_t *w, size_t n)
{
	uint32_t type = ht_types_of_words(&t->types, w, n);
	bool text = ht_like_of_words(w, n) == HT_LIKE_TEXT;

	return type << 2 | (text ? HT_CODE_TEXT : HT_CODE_PLAIN);
}

unsigned ht_told_code(struct ht_told_by *t, const uint64_t *w, size_t n,
		      bool whole)
{
	if (!all_zero(w, n))
		return code_of_some(t, w, n);
	return whole ? HT_CODE_ZEROS : HT_CODE_PLAIN;
}

/* A row that is made. */
struct rowing {
	uint64_t *row, *last; /* NULL: none yet */
	size_t n;
};

static void put(struct rowing *r, uint64_t address, uint64_t how)
{
	r->last = &r->row[r->n++];
	*r->last = address << 16 | how;
}

static void put_reference(struct rowing *r, uint64_t address, size_t place)
{
	put(r, address, place < HT_REF_FAR ? place : HT_REF_FAR);
}

static void put_buffer(struct rowing *r, const uint64_t w[3])
{
	struct ht_buffer b = ht_buffer_of(w);

	if (!b.string && !b.vector)
		return;
	put(r, w[0], HT_ROW_BUFFER);
	r->row[r->n++] = b.string / 16 << 32 | b.vector / 16;
}

size_t ht_told_row(struct ht_told_by *t, uint64_t chunk, uint64_t size,
		   unsigned code, const uint64_t *w, size_t n, uint64_t *row)
{
	uint64_t low = t->heaps->v[0].start;
	uint64_t all = t->heaps->v[t->heaps->n - 1].end - low;
	struct rowing r = {.row = row, .n = 1};
	size_t kept = code >> 2 ? n : 4, leads = 0;

	if (!any_between(w, n, low, all))
		return 0;
	for (size_t k = 0; k < n; k++) {
		if (w[k] - low >= all || !ht_told_may_lead(t, w[k]))
			continue;
		leads++;
		if (k < kept)
			put_reference(&r, w[k], k);
		if (w[k] % 16 == 0 && k + 2 < n)
			put_buffer(&r, w + k);
	}
	/* Of what nothing names the first words tell, unless most do. */
	for (size_t k = kept; k < n && ht_is_array(leads, size); k++)
		if (w[k] - low < all && ht_told_may_lead(t, w[k]))
			put_reference(&r, w[k], k);
	row[0] = chunk << 16 | code;
	if (!r.last)
		return 0;
	*r.last |= HT_ROW_LAST;
	return r.n;
}

bool ht_row_next(const uint64_t *row, size_t *at, uint64_t *ret)
{
	if (*at && row[*at] & HT_ROW_LAST)
		return false;
	*at += *at && row[*at] & HT_ROW_BUFFER ? 2 : 1;
	*ret = row[*at];
	return true;
}

size_t ht_row_length(const uint64_t *row)
{
	uint64_t word;
	size_t at = 0;

	while (ht_row_next(row, &at, &word))
		;
	return at + (row[at] & HT_ROW_BUFFER ? 2 : 1);
}

/* --- the chunks of a block ----------------------------------------------- */

static struct ht_told_sum *sums_of(struct ht_told_by *t, uint64_t arena)
{
	size_t i = t->by_arena ? (size_t)arena : 0;

	if (i >= ARENAS_MAX)
		return NULL;
	if (i >= t->sums) {
		void *grown = reallocarray(t->sum, i + 1, sizeof(*t->sum));

		if (!grown)
			return NULL;
		t->sum = grown;
		while (t->sums <= i)
			t->sum[t->sums++] = NULL;
	}
	if (!t->sum[i])
		t->sum[i] = ht_table_new(SUM_BYTES, HT_TABLE_IN_TURN);
	return t->sum[i];
}

/* Whether the chunk's code is kept in what follows: else it has a row, or is
 * read again. */
static bool tell(struct ht_told_by *t, uint64_t chunk, uint64_t size,
		 const uint64_t *w, size_t n, unsigned *ret_code)
{
	unsigned code = code_of_some(t, w, n);
	size_t row;

	*ret_code = code;
	if (t->rows + HT_ROW_MAX(n) <= t->rows_max) {
		row = ht_told_row(t, chunk, size, code, w, n, t->row + t->rows);
		t->rows += row;
		return row == 0;
	}
	if (code >> 2)
		t->types.v[code >> 2].chunks--; /* when it is read again */
	return false;
}

/* Bits of one word of the map, and what is to be added up. */
struct telling_of {
	struct ht_told_sum *sum;
	struct ht_told_sum zeros;
	uint64_t word, bits;
};

static void put_bits(const struct ht_told_by *t, struct telling_of *o)
{
	uint64_t *map = (uint64_t *)(uintptr_t)t->map;

	if (o->bits)
		map[o->word] |= o->bits;
	o->bits = 0;
}

static void tell_chunk(struct ht_told_by *t, const struct ht_gone_by *s,
		       struct telling_of *o, uint64_t at, uint64_t size)
{
	const uint64_t *w = (const uint64_t *)(s->buf + (at + 16 - s->start));
	uint64_t unit = (at - s->marked->first) >> s->marked->shift;
	size_t n = (size_t)(size - 8) / 8;
	unsigned code = HT_CODE_ZEROS;

	if (unit / 64 < t->from || t->codes == t->codes_max)
		return;
	if (all_zero(w, n)) {
		o->zeros.chunks++;
		o->zeros.bytes += size;
	} else if (tell(t, at, size, w, n, &code)) {
		o->sum[code].chunks++;
		o->sum[code].bytes += size;
	} else {
		return;
	}
	if (unit / 64 != o->word) {
		put_bits(t, o);
		o->word = unit / 64;
	}
	o->bits |= UINT64_C(1) << unit % 64;
	t->code[t->codes++] = (uint16_t)code;
}

static void show(struct ht_teller *teller, const struct ht_gone_by *s)
{
	struct ht_told_by *t = teller->ctx;
	struct telling_of o = {.sum = sums_of(t, s->marked->arena)};

	if (t->map != s->marked->told || teller->anew)
		begin_stretch(t, s);
	teller->anew = false;
	t->lost = t->lost || !o.sum;
	for (size_t i = 0; i < s->n && !t->lost; i++)
		tell_chunk(t, s, &o, s->start + s->chunk[i].at,
			   s->chunk[i].size);
	put_bits(t, &o);
	if (o.sum) {
		o.sum[HT_CODE_ZEROS].chunks += o.zeros.chunks;
		o.sum[HT_CODE_ZEROS].bytes += o.zeros.bytes;
	}
}
