/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/self/table.h"

#define SLOTS	     (1u << 16)
#define SLOTS_MAX    (SLOTS / 4 * 3)
#define UNKNOWN	     UINT16_MAX /* memo: asked for, and it is none */
#define FEW	     8	/* chunks: fewer with the same static are chance */
#define ADDRESS_BITS 48 /* no address of a program has more */
#define TOP_MAX	     (1 << 20) /* offset-to-top of a base class, at most */

static bool make_tables(struct ht_types *t)
{
	t->v = calloc(HT_TYPES_MAX, sizeof(*t->v));
	t->key = calloc(SLOTS, sizeof(*t->key));
	t->of = calloc(SLOTS, sizeof(*t->of));
	t->n = 1;
	return t->v && t->key && t->of;
}

enum ht_code ht_types_begin(struct ht_types *t, bool likes, struct ht_err *err)
{
	if (likes) {
		t->like_bytes = (size_t)t->nodes->count + 1;
		t->like = ht_table_new(t->like_bytes, HT_TABLE_ALL_OVER);
	}
	if (make_tables(t) && (t->like || !likes))
		return HT_OK;
	ht_types_fini(t);
	return ht_fail(err, HT_NOMEM, "no memory for types");
}

enum ht_code ht_types_beside(const struct ht_types *t, struct ht_reader *reader,
			     struct ht_types *ret, struct ht_err *err)
{
	*ret = *t;
	ret->reader = reader;
	ret->beside = true;
	if (make_tables(ret))
		return HT_OK;
	ht_types_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for types");
}

void ht_types_fini(struct ht_types *t)
{
	free(t->v);
	free(t->key);
	free(t->of);
	if (!t->beside)
		ht_table_free(t->like, t->like_bytes);
	*t = (struct ht_types){0};
}

bool ht_type_is_sure(const struct ht_type_info *t)
{
	return t->kind == HT_TYPE_CLASS || t->chunks >= FEW;
}

/* --- classes ------------------------------------------------------------- */

static bool words_at(const struct ht_types *t, uint64_t address,
		     uint64_t words[2])
{
	return ht_modules_read(t->modules, t->reader, address, words, 16) == 16;
}

static bool in_module(const struct ht_types *t, uint64_t address)
{
	return ht_modules_at(t->modules, address, NULL) != HT_MODULE_NONE;
}

/* The name in a std::type_info: as the ABI mangles types, '*' first where
 * addresses must not be compared. */
static bool type_name(const struct ht_types *t, uint64_t info,
		      char name[HT_TYPE_NAME])
{
	uint64_t words[2];
	char text[HT_TYPE_NAME] = "";
	const char *from = text;
	size_t got;

	if (info % 8 || !in_module(t, info) || !words_at(t, info, words) ||
	    !in_module(t, words[0]) || !in_module(t, words[1]))
		return false;
	got = ht_modules_read(t->modules, t->reader, words[1], text,
			      sizeof(text) - 1);
	text[got] = '\0';
	if (*from == '*')
		from++;
	if (!strchr("0123456789NSIZ", *from) || strlen(from) < 2 ||
	    strlen(text) == sizeof(text) - 1)
		return false;
	for (const char *c = from; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	snprintf(name, HT_TYPE_NAME, "%s", from);
	return true;
}

/* A type_info is an object of a class of the C++ runtime, which has one, too:
 * its name says that it is. */
static bool is_type_info(const struct ht_types *t, uint64_t info)
{
	char name[HT_TYPE_NAME];
	uint64_t table[2], before[2];

	return words_at(t, info, table) && table[0] >= 16 &&
	       words_at(t, table[0] - 16, before) && before[0] == 0 &&
	       type_name(t, before[1], name) &&
	       strncmp(name, "N10__cxxabiv1", 13) == 0;
}

static bool is_class(const struct ht_types *t, uint64_t table,
		     char name[HT_TYPE_NAME])
{
	uint64_t before[2];
	int64_t top;

	if (!words_at(t, table - 16, before))
		return false;
	top = (int64_t)before[0];
	return top <= 0 && top > -TOP_MAX && type_name(t, before[1], name) &&
	       is_type_info(t, before[1]);
}

/* --- statics ------------------------------------------------------------- */

/* Links of bins that were left over point into an arena; once a flag or a short
 * number was written over them, to a round address before it. */
static bool is_arena(const struct ht_types *t, uint64_t address)
{
	static const uint64_t over[] = {0, 0xff, 0xffff};

	for (size_t i = 0; i < t->located->n; i++) {
		uint64_t first = t->located->malloc[i].main_arena;
		uint64_t end =
			first + t->located->malloc[i].layout.sizeof_arena;

		for (size_t k = 0; k < sizeof(over) / sizeof(*over); k++)
			if ((address & over[k]) == 0 &&
			    address >= (first & ~over[k]) && address < end)
				return true;
	}
	return false;
}

static uint32_t new_type(struct ht_types *t, enum ht_type_kind kind,
			 unsigned word, uint64_t address)
{
	if (t->n == HT_TYPES_MAX)
		return HT_TYPE_NONE;
	t->v[t->n].kind = kind;
	t->v[t->n].word = word;
	t->v[t->n].address = address;
	return (uint32_t)t->n++;
}

static uint32_t classify(struct ht_types *t, uint64_t value, unsigned word)
{
	const struct ht_module_load *load;
	char name[HT_TYPE_NAME];
	uint32_t type;

	if (value % 8 ||
	    ht_modules_at(t->modules, value, &load) == HT_MODULE_NONE ||
	    load->exec || is_arena(t, value))
		return HT_TYPE_NONE;
	if (word == 0 && is_class(t, value, name)) {
		type = new_type(t, HT_TYPE_CLASS, word, value);
		if (type)
			memcpy(t->v[type].name, name, sizeof(name));
		return type;
	}
	/* What cannot be written as the file has it is no object: a text, as a
	 * rule. */
	return load->write ? new_type(t, HT_TYPE_STATIC, word, value)
			   : HT_TYPE_NONE;
}

/* Where the memo has a word, or has room for it; NULL: it is full there. */
static uint16_t *memo(struct ht_types *t, uint64_t value, unsigned word)
{
	uint64_t key = value << 2 | word;
	uint32_t i =
		(uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % SLOTS;

	for (unsigned tries = 0; tries < 64; tries++, i = (i + 1) % SLOTS) {
		if (t->key[i] && t->key[i] != key)
			continue;
		t->key[i] = key;
		return &t->of[i];
	}
	return NULL;
}

/* What the same word was before. */
static uint32_t recall(struct ht_types *t, uint64_t value, unsigned word)
{
	uint16_t *known = memo(t, value, word);

	if (!known) /* not worth another look */
		return HT_TYPE_NONE;
	if (!*known) {
		uint32_t type = classify(t, value, word);

		*known = type ? (uint16_t)type : UNKNOWN;
	}
	return *known == UNKNOWN ? HT_TYPE_NONE : *known;
}

static uint32_t join(struct ht_types *t, const struct ht_type_info *from)
{
	uint16_t *known = memo(t, from->address, from->word);
	uint32_t type;

	if (!known || *known == UNKNOWN)
		return HT_TYPE_NONE;
	type = *known ? *known
		      : new_type(t, from->kind, from->word, from->address);
	*known = type ? (uint16_t)type : UNKNOWN;
	if (!type)
		return HT_TYPE_NONE;
	t->v[type].chunks += from->chunks;
	memcpy(t->v[type].name, from->name, sizeof(from->name));
	return type;
}

uint16_t *ht_types_join(struct ht_types *t, const struct ht_types *second)
{
	uint16_t *name = calloc(second->n, sizeof(*name));

	for (size_t i = 1; name && i < second->n; i++)
		name[i] = (uint16_t)join(t, &second->v[i]);
	return name;
}

/* Texts are no addresses, and most addresses are of a heap between two modules.
 */
static bool may_be_module(struct ht_types *t, uint64_t value)
{
	const struct ht_modules *m = t->modules;

	if (m->n == 0 || value >> ADDRESS_BITS ||
	    value < m->v[0].load[0].start ||
	    value - t->gap.start < t->gap.end - t->gap.start)
		return false;
	if (ht_modules_at(m, value, NULL) != HT_MODULE_NONE)
		return true;
	t->gap = ht_modules_gap(m, value);
	return false;
}

/* Where a static that tells the type may be: at the start, behind a count of
 * references, behind that and the two links of a collector (CPython). */
static bool may_tell(const uint64_t *words, size_t n, unsigned k)
{
	if (k >= n)
		return false;
	return k != 3 || (words[2] > 0 && words[2] < UINT32_MAX);
}

uint32_t ht_types_of_words(struct ht_types *t, const uint64_t *words, size_t n)
{
	static const unsigned places[] = {0, 1, 3};

	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		unsigned k = places[i];
		uint32_t type =
			may_tell(words, n, k) && may_be_module(t, words[k])
				? recall(t, words[k], k)
				: HT_TYPE_NONE;

		if (type) {
			t->v[type].chunks++;
			return type;
		}
	}
	return HT_TYPE_NONE;
}

uint32_t ht_types_meet(struct ht_types *t, const struct ht_node *node,
		       const struct ht_node_words *words)
{
	if (t->like)
		ht_types_look(t, node, words);
	return words->any ? ht_types_of_words(t, words->v, words->n)
			  : HT_TYPE_NONE;
}
