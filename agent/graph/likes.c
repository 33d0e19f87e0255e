/* SPDX-License-Identifier: Apache-2.0 */
/* Likes: what a chunk looks like where nothing names it: by its own words, by
 * what words of others say of it, by its references. */
#include "agent/graph/types.h"
#include "agent/self/pace.h"

#define SAID_STRING  0x80u /* in like: {pointer, length, capacity} fits */
#define LOOKED_AT    32	   /* words of a chunk that are looked at */
#define CLIMB_MAX    6	   /* parents that are asked */
#define STRING_LEAST 16	   /* libstdc++ keeps up to 15 bytes in the object */
/* Larger ones are arrays, whose first elements may lead to each other's. */
#define NODE_MOST 16384

/* --- what it looks like -------------------------------------------------- */

/* A byte of printable ASCII, or of white space. */
static const bool is_printed[256] = {
	['\t'] = true, ['\n'] = true, ['\r'] = true, [' ' ... '~'] = true};

/* How many bytes follow the first of a character of UTF-8 that is not ASCII;
 * -1: it is none. */
static int follow(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return -1;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* Characters from the start on, to a NUL or to the end of what was looked at;
 * more of them than a pointer has bytes. */
static bool is_text(const uint64_t *words, size_t n)
{
	const uint64_t ones = UINT64_MAX / 0xff, tops = ones << 7;
	const unsigned char *c = (const unsigned char *)words;
	size_t i, size = n * 8;
	int more = 0;

	if (n == 0 || ((words[0] - ones) & ~words[0] & tops))
		return false; /* a NUL in the first eight, as in most */
	for (i = 0; i < size && c[i]; i++) {
		if (more > 0 && (c[i] & 0xc0) == 0x80)
			more--;
		else if (more > 0 ||
			 (!is_printed[c[i]] && (more = follow(c[i])) < 0))
			return false;
	}
	return more == 0 || i == size;
}

/* Both threads say something of any node: what is said of one is a least
 * number and a bit, and so the same in whatever order. */
static void say(struct ht_types *t, uint32_t node, enum ht_look_like like,
		unsigned said)
{
	uint8_t old = __atomic_load_n(&t->like[node], __ATOMIC_RELAXED), new;

	do {
		unsigned was = old & ~SAID_STRING;

		new = (uint8_t)(old | said);
		if (like != HT_LIKE_NOTHING &&
		    (was == HT_LIKE_NOTHING || was > like))
			new = (uint8_t)(like | (new &SAID_STRING));
	} while (new != old && !__atomic_compare_exchange_n(
				       &t->like[node], &old, new, true,
				       __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* The first in the list is the surest. */
void ht_types_note(struct ht_types *t, uint32_t node, enum ht_look_like like)
{
	say(t, node, like, 0);
}

/* Two numbers behind a pointer may fit by chance: what is called a string must
 * be text as well. */
void ht_types_settle_string(struct ht_types *t, uint32_t node)
{
	bool said = t->like[node] & SAID_STRING;

	t->like[node] &= (uint8_t)~SAID_STRING;
	if (said && t->like[node] == HT_LIKE_TEXT)
		t->like[node] = HT_LIKE_STRING;
}

/* The chunk that malloc gives for so many bytes. */
static uint64_t chunk_for(uint64_t bytes)
{
	uint64_t size = (bytes + 8 + 15) & ~UINT64_C(15);

	return size < 32 ? 32 : size;
}

struct ht_buffer ht_buffer_of(const uint64_t w[3])
{
	struct ht_buffer b = {0};

	if (w[1] <= w[2] && w[2] >= STRING_LEAST - 1 && w[2] < UINT32_MAX)
		b.string = chunk_for(w[2] + 1);
	if (w[0] < w[1] && w[1] <= w[2] && w[2] - w[0] < UINT32_MAX)
		b.vector = chunk_for(w[2] - w[0]);
	return b;
}

void ht_types_say_buffer(struct ht_types *t, uint64_t address,
			 const struct ht_buffer *b)
{
	struct ht_node node;

	if (!ht_nodes_starts(t->nodes, address, &node) || node.mmapped)
		return;
	/* A remainder too small to be a chunk stays with it. */
	if (b->string && node.size - b->string <= 16)
		say(t, node.id, HT_LIKE_NOTHING, SAID_STRING);
	else if (b->vector && node.size - b->vector <= 16)
		ht_types_note(t, node.id, HT_LIKE_VECTOR);
}

enum ht_look_like ht_like_of_words(const uint64_t *words, size_t n)
{
	return is_text(words, n < LOOKED_AT ? n : LOOKED_AT) ? HT_LIKE_TEXT
							     : HT_LIKE_NOTHING;
}

void ht_types_look(struct ht_types *t, const struct ht_node *node,
		   const struct ht_node_words *words)
{
	uint64_t low = t->nodes->low, all = t->nodes->high - low;
	size_t size = (size_t)(node->end - node->user) / 8;
	size_t n = words->n < size ? words->n : size;
	const uint64_t *w = words->v;

	if (words->any)
		ht_types_note(t, node->id, ht_like_of_words(w, n));
	else if (n == size)
		ht_types_note(t, node->id, HT_LIKE_ZEROS);
	for (size_t i = 0; words->leads && i + 2 < n; i++) {
		struct ht_buffer b;

		if (w[i] - low >= all || w[i] % 16 != 0)
			continue;
		b = ht_buffer_of(w + i);
		if (b.string || b.vector)
			ht_types_say_buffer(t, w[i], &b);
	}
}

/* --- what references tell ------------------------------------------------ */

/* What a node leads to lies anywhere: each table is asked for a while before
 * the one that it leads to. Inlined by force: what only asks has no effect that
 * the compiler would keep it for. */
#define FAR   48
#define NEAR  24
#define FIRST 4 /* references of one node: an array has millions */
static inline __attribute__((always_inline)) void fetch(const struct ht_refs *r,
							uint32_t i)
{
	uint32_t end = r->first[i + 1], k = r->first[i];

	if (end > k + FIRST)
		end = k + FIRST;
	for (; k < end && k + FAR < r->n; k++) {
		uint32_t near = r->first[r->to[k + NEAR]];

		__builtin_prefetch(&r->first[r->to[k + FAR]]);
		__builtin_prefetch(&r->to[near]);
		__builtin_prefetch(&r->at[near]);
	}
}

/* Whether node has a reference to the start of `to` at one of these words. */
static bool leads(const struct ht_refs *r, uint32_t node, uint32_t to,
		  unsigned from, unsigned last)
{
	for (uint32_t k = r->first[node]; k < r->first[node + 1]; k++) {
		unsigned at = r->at[k] & HT_REF_PLACE;

		if (at > last)
			return false;
		if (at >= from && r->to[k] == to)
			return true;
	}
	return false;
}

/* The node at a word of this one, or HT_NODE_NONE. */
static uint32_t at_word(const struct ht_refs *r, uint32_t node, unsigned word)
{
	for (uint32_t k = r->first[node]; k < r->first[node + 1]; k++) {
		unsigned at = r->at[k] & HT_REF_PLACE;

		if (at >= word)
			return at == word ? r->to[k] : HT_NODE_NONE;
	}
	return HT_NODE_NONE;
}

/* Nodes of one tree are of one size, but for a remainder. */
static bool is_alike(const struct ht_types *t, uint32_t a, uint32_t b)
{
	uint64_t x = ht_nodes_get(t->nodes, a).size;
	uint64_t y = ht_nodes_get(t->nodes, b).size;

	return (x > y ? x - y : y - x) <= 16;
}

/* Whether it leads to the start of `to` at this word. */
static bool leads_at(const struct ht_refs *r, uint32_t node, unsigned word,
		     uint32_t to)
{
	for (uint32_t k = r->first[node]; k < r->first[node + 1]; k++)
		if (r->at[k] == word)
			return r->to[k] == to;
	return false;
}

/* Both to what malloc returned: a tree's header may lie in the object that has
 * the tree. */
static bool starts_lead_back(const struct ht_refs *r, uint32_t i, unsigned word,
			     unsigned by)
{
	for (uint32_t k = r->first[i]; k < r->first[i + 1]; k++)
		if (r->at[k] == word)
			return leads_at(r, r->to[k], by, i);
	return false;
}

static bool leads_back(const struct ht_refs *r, uint32_t i, unsigned word,
		       unsigned by)
{
	uint32_t to = at_word(r, i, word);

	return to != HT_NODE_NONE && leads(r, to, i, by, by);
}

/* Trees whose parent stands at `up`, behind or before left and right. A child
 * whose parent leads back may by itself be a list's: then the node, its parent,
 * or that one's must have two places for children, of which the second leads
 * down to one that leads back; where the parent stands last, a list's nodes
 * with one word in front look the same, but for the first of the two. */
static bool in_tree(const struct ht_types *t, const struct ht_refs *r,
		    uint32_t i, unsigned up)
{
	unsigned left = up == 2 ? 0 : up + 1, second = left + 1;

	for (unsigned step = 0; step < CLIMB_MAX; step++) {
		uint32_t right = at_word(r, i, second);
		uint32_t parent = at_word(r, i, up);

		if (right != HT_NODE_NONE && leads(r, right, i, up, up) &&
		    right != at_word(r, i, left) && is_alike(t, right, i) &&
		    (up != 2 || leads_back(r, i, left, up)))
			return true;
		if (parent == HT_NODE_NONE || !is_alike(t, parent, i) ||
		    !leads(r, parent, i, left, second))
			return false;
		i = parent;
	}
	return false;
}

/* Next's link back leads to it: {next, previous}, {previous, next}; behind one
 * word of something else previous' link forth, too, as a child's and its
 * parent's would, and none amid anything. */
static bool in_list(const struct ht_refs *r, uint32_t i)
{
	return leads_back(r, i, 0, 1) || leads_back(r, i, 1, 0) ||
	       (starts_lead_back(r, i, 1, 2) && starts_lead_back(r, i, 2, 1));
}

/* Trees of libstdc++ (a colour, parent, left, right), of libc++ (left, right,
 * parent), of others (parent, left, right). */
static enum ht_look_like node_like(const struct ht_types *t,
				   const struct ht_refs *r, uint32_t i)
{
	for (unsigned up = 0; up <= 2; up++)
		if (in_tree(t, r, i, up))
			return HT_LIKE_TREE_NODE;
	return in_list(r, i) ? HT_LIKE_LIST_NODE : HT_LIKE_NOTHING;
}

static void hold(struct ht_types *t, const struct ht_refs *r, uint32_t i)
{
	for (uint32_t k = r->first[i]; k < r->first[i + 1]; k++)
		if (!(r->at[k] & HT_REF_INSIDE))
			ht_types_note(t, r->to[k], HT_LIKE_HELD);
}

void ht_types_settle_node(struct ht_types *t, const struct ht_refs *r,
			  uint32_t i, bool named, bool array)
{
	enum ht_look_like like;

	ht_types_settle_string(t, i);
	if (r->first[i] == r->first[i + 1] && !array) /* leads nowhere */
		return;
	fetch(r, i);
	if (named) {
		hold(t, r, i);
		return;
	}
	like = node_like(t, r, i);
	if (like && ht_nodes_get(t->nodes, i).size <= NODE_MOST)
		ht_types_note(t, i, like);
	else if (array)
		ht_types_note(t, i, HT_LIKE_ARRAY);
}

/* Of what has no size in common each has its own. */
static bool is_array(const struct ht_types *t, const struct ht_refs *r,
		     const struct ht_group *group, uint32_t i)
{
	uint32_t n = r->first[i + 1] - r->first[i];
	uint64_t size = group->max_size;

	if (n >= 4 && (size == 0 || size > HT_EXACT_MAX))
		size = ht_nodes_get(t->nodes, i).size;
	return ht_is_array(n, size);
}

static bool is_named(const struct ht_types *t, const struct ht_groups *g,
		     uint32_t i)
{
	uint32_t type = g->v[g->of[i]].type;

	return type && ht_type_is_sure(&t->v[type]);
}

void ht_types_settle(struct ht_types *t, const struct ht_refs *r,
		     const struct ht_groups *g)
{
	unsigned steps = 0;

	for (uint32_t i = 0; t->like && i < t->nodes->count; i++) {
		ht_pace_short_step(&steps);
		ht_types_settle_node(t, r, i, is_named(t, g, i),
				     is_array(t, r, &g->v[g->of[i]], i));
	}
}
