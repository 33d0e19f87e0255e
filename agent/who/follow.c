/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/follow.h"

#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"

#define SLOTS	 (4 * HT_FOLLOWED_MAX) /* a power of two */
#define AT_ONCE	 128u
#define WORD	 8u
#define COMPARED 64u

/* Of one whose contents alone say that it was freed. */
#define AGAIN_MAX 16u

/* A value in so many, at two looks, that is no address. */
#define KEY_CHUNKS   3u
#define KEY_LEAST    (UINT64_C(1) << 47)
#define REWRITTEN_AT 1024u

/* By realloc, between two looks; what is more is no chunk's header. */
#define GROWS_BY 16u

enum ht_code ht_follow_begin(struct ht_following *ret, struct ht_err *err)
{
	*ret = (struct ht_following){0};
	ret->v = calloc(HT_FOLLOWED_MAX, sizeof(*ret->v));
	ret->slot = calloc(SLOTS, sizeof(*ret->slot));
	if (ret->v && ret->slot)
		return HT_OK;
	ht_follow_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory to follow chunks");
}

void ht_follow_fini(struct ht_following *f)
{
	free(f->v);
	free(f->slot);
	*f = (struct ht_following){0};
}

/* There are four slots for each that can be: one is always free. */
static uint32_t *slot_of(const struct ht_following *f, uint64_t address)
{
	uint64_t at = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (;; at++) {
		uint32_t *s = &f->slot[at % SLOTS];

		if (*s == 0 || f->v[*s - 1].address == address)
			return s;
	}
}

static bool is_over(const struct ht_followed *c)
{
	return c->fate == HT_FATE_FREED || c->fate == HT_FATE_MOVED;
}

static void end(struct ht_followed *c)
{
	c->fate = c->grows ? HT_FATE_MOVED : HT_FATE_FREED;
}

struct ht_followed *ht_follow_at(struct ht_following *f, uint64_t address)
{
	uint32_t i = *slot_of(f, address);

	return i && !is_over(&f->v[i - 1]) ? &f->v[i - 1] : NULL;
}

void ht_follow_print(struct ht_followed *c, struct ht_reader *r)
{
	uint64_t words =
		((c->header & ~HT_SIZE_FLAGS) - HT_CHUNK64_HEADER) / WORD;

	c->words = words < HT_PRINT_WORDS ? (uint32_t)words : HT_PRINT_WORDS;
	ht_reader_some(r, c->address, c->word, c->words * WORD);
}

bool ht_follow_add(struct ht_following *f, const struct ht_followed *chunk)
{
	struct ht_followed *before = ht_follow_at(f, chunk->address);
	uint32_t last = *slot_of(f, chunk->address);
	struct ht_followed *c;

	if (before)
		end(before);
	if (last)
		f->v[last - 1].rewritten = false;
	if (f->n == HT_FOLLOWED_MAX)
		return false;
	c = &f->v[f->n++];
	*c = *chunk;
	c->fate = HT_FATE_NEW;
	*slot_of(f, c->address) = f->n;
	return true;
}

/* A link that a bin left behind: the same before and after, whoever has the
 * chunk. */
static bool is_bins(const struct ht_located *l, uint64_t word)
{
	for (size_t i = 0; i < l->n; i++)
		if (word >= l->malloc[i].image_start &&
		    word < l->malloc[i].image_end)
			return true;
	return false;
}

/* Whether all words from the third on are as before; has: any is not 0. */
static bool rest_is_same(const struct ht_followed *c, const uint64_t *word,
			 bool *has)
{
	*has = false;
	for (uint32_t i = 2; i < c->words; i++) {
		if (c->word[i] != word[i])
			return false;
		*has |= word[i] != 0;
	}
	return true;
}

/* Whether it is free, or another, whatever it holds. */
static bool is_another(const struct ht_followed *c, uint64_t header,
		       uint64_t next)
{
	uint64_t size = header & ~HT_SIZE_FLAGS;
	uint64_t before = c->header & ~HT_SIZE_FLAGS;

	return size < before ||
	       (header & HT_IS_MMAPPED) != (c->header & HT_IS_MMAPPED) ||
	       (!(header & HT_IS_MMAPPED) && size == before &&
		!(next & HT_PREV_INUSE));
}

enum ht_fate ht_follow_judge(const struct ht_followed *c, uint64_t header,
			     const uint64_t word[HT_PRINT_WORDS], uint64_t next,
			     const struct ht_located *l)
{
	bool has, rest = rest_is_same(c, word, &has);
	bool first, second;

	if (is_another(c, header, next))
		return HT_FATE_FREED;
	first = word[0] == c->word[0] && !is_bins(l, word[0]);
	second = word[1] == c->word[1] && !is_bins(l, word[1]);
	/* One that realloc let grow where it is has all that it had. */
	if ((header & ~HT_SIZE_FLAGS) != (c->header & ~HT_SIZE_FLAGS))
		return first && second && rest &&
				       (header & ~HT_SIZE_FLAGS) <=
					       GROWS_BY * (c->header &
							   ~HT_SIZE_FLAGS)
			       ? HT_FATE_ALIVE
			       : HT_FATE_FREED;
	if ((first && c->own[0]) || (second && c->own[1]) ||
	    (first && second && rest))
		return HT_FATE_ALIVE;
	if (first || second || (rest && has))
		return HT_FATE_UNKNOWN;
	return HT_FATE_FREED;
}

/* Among the latest of its site. */
static bool is_own(const struct ht_following *f, const struct ht_followed *c,
		   unsigned word)
{
	unsigned compared = 0;

	if (c->word[word] == 0)
		return false;
	for (uint32_t i = f->n; i-- > 0 && compared < COMPARED;) {
		const struct ht_followed *other = &f->v[i];

		if (other == c || other->site != c->site ||
		    other->fate == HT_FATE_NEW)
			continue;
		if (other->word[word] == c->word[word])
			return false;
		compared++;
	}
	return compared > 0;
}

/* A chunk, as it is read: its header and words, and the next one's header. */
struct reading {
	struct ht_followed *chunk;
	uint64_t now[1 + HT_PRINT_WORDS];
	uint64_t next;
};

/* The next chunk's header, as far as it matters and can be read. */
static uint64_t next_of(const struct reading *k, const struct ht_piece *next)
{
	return k->chunk->header & HT_IS_MMAPPED || !next->ok ? HT_PREV_INUSE
							     : k->next;
}

/* Other contents are all that says that it was freed. */
static bool is_rewritten(const struct ht_following *f, const struct reading *k,
			 const struct ht_piece *own,
			 const struct ht_piece *next)
{
	return own->ok && !is_another(k->chunk, k->now[0], next_of(k, next)) &&
	       (f->key == 0 || k->now[2] != f->key);
}

static void see(const struct ht_following *f, const struct reading *k,
		const struct ht_piece *own, const struct ht_piece *next,
		const struct ht_located *l)
{
	struct ht_followed *c = k->chunk;

	if (!own->ok) { /* swapped out it is still there */
		c->fate = own->swapped ? HT_FATE_UNKNOWN : HT_FATE_FREED;
		return;
	}
	if (c->fate != HT_FATE_NEW) {
		c->fate = ht_follow_judge(c, k->now[0], k->now + 1,
					  next_of(k, next), l);
		if (c->fate != HT_FATE_FREED) /* realloc let it grow */
			c->header = k->now[0];
		if (c->shaky && c->fate == HT_FATE_ALIVE)
			c->fate = HT_FATE_UNKNOWN;
		return;
	}
	c->shaky = c->word[0] != k->now[1] && c->word[1] != k->now[2];
	memcpy(c->word, k->now + 1, sizeof(c->word));
	for (unsigned i = 0; i < 2; i++)
		c->own[i] = is_own(f, c, i);
	c->fate =
		(k->now[0] & ~HT_SIZE_FLAGS) >= (c->header & ~HT_SIZE_FLAGS) &&
				next_of(k, next) & HT_PREV_INUSE
			? HT_FATE_ALIVE
			: HT_FATE_FREED;
}

static void settle(const struct ht_following *f, const struct reading *k,
		   const struct ht_piece *own, const struct ht_piece *next,
		   const struct ht_located *l)
{
	struct ht_followed *c = k->chunk;
	bool over = is_over(c), is_new = c->fate == HT_FATE_NEW;

	if (over) {
		c->again++;
		c->rewritten = own->swapped || is_rewritten(f, k, own, next);
		return;
	}
	see(f, k, own, next, l);
	if (c->fate != HT_FATE_FREED)
		return;
	c->rewritten = !is_new && is_rewritten(f, k, own, next);
	end(c);
}

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

/* What many of those that seem to be freed have in their second word, at two
 * looks: what an owner writes into all that he keeps is another then. */
static void learn_key(struct ht_following *f, uint64_t *second, size_t n)
{
	size_t most = 0;
	uint64_t value = 0;

	if (f->key || n == 0)
		return;
	qsort(second, n, sizeof(*second), by_number);
	for (size_t i = 0, from = 0; i < n; i++) {
		if (second[i] != second[from])
			from = i;
		if (i - from + 1 > most) {
			most = i - from + 1;
			value = second[i];
		}
	}
	if (most < KEY_CHUNKS)
		return;
	if (value == f->key_perhaps)
		f->key = value;
	f->key_perhaps = value;
}

/* second: of those that are rewritten, what may be the tcache's key. */
static void look_at(const struct ht_following *f, struct reading *looks,
		    size_t n, struct ht_reader *r, const struct ht_located *l,
		    uint64_t second[REWRITTEN_AT], size_t *second_n)
{
	struct ht_piece pieces[2 * AT_ONCE];

	for (size_t i = 0; i < n; i++) {
		const struct ht_followed *c = looks[i].chunk;
		uint64_t size = c->header & ~HT_SIZE_FLAGS;

		memset(looks[i].now, 0, sizeof(looks[i].now));
		pieces[2 * i] = (struct ht_piece){
			.addr = c->address - HT_CHUNK64_HEADER,
			.buf = looks[i].now,
			.len = HT_CHUNK64_HEADER + c->words * WORD};
		pieces[2 * i + 1] = (struct ht_piece){
			.addr = c->address - HT_CHUNK64_HEADER + size,
			.buf = &looks[i].next,
			.len = WORD};
		/* Behind an mapping of its own there is nothing of malloc's. */
		if (c->header & HT_IS_MMAPPED)
			pieces[2 * i + 1].addr = c->address - HT_CHUNK64_HEADER;
	}
	ht_reader_batch(r, pieces, 2 * n);
	for (size_t i = 0; i < n; i++) {
		settle(f, &looks[i], &pieces[2 * i], &pieces[2 * i + 1], l);
		if (looks[i].chunk->rewritten && pieces[2 * i].ok &&
		    looks[i].now[2] >= KEY_LEAST && *second_n < REWRITTEN_AT)
			second[(*second_n)++] = looks[i].now[2];
	}
}

static bool is_looked_at(const struct ht_followed *c)
{
	return !is_over(c) || (c->rewritten && c->again < AGAIN_MAX);
}

void ht_follow_look(struct ht_following *f, struct ht_reader *r,
		    const struct ht_located *l)
{
	struct reading looks[AT_ONCE];
	uint64_t second[REWRITTEN_AT];
	size_t n = 0, second_n = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		if (!is_looked_at(&f->v[i]))
			continue;
		looks[n++].chunk = &f->v[i];
		if (n == AT_ONCE) {
			look_at(f, looks, n, r, l, second, &second_n);
			n = 0;
		}
	}
	if (n > 0)
		look_at(f, looks, n, r, l, second, &second_n);
	learn_key(f, second, second_n);
}

void ht_follow_doubt(struct ht_following *f, const bool *grows, uint32_t n)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct ht_followed *c = &f->v[i];

		if (c->fate == HT_FATE_FREED && c->site < n && grows[c->site])
			c->fate = HT_FATE_MOVED;
	}
}
