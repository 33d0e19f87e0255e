/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types: what a chunk is, told by what it begins with and by who points to it.
 *
 *   class      its first word is a vtable: the type_info before that names it,
 *              also in a stripped program (Itanium C++ ABI, 2.9.5)
 *   static     one of its first words points to an object of a module that many
 *              of its kind share: a table of methods, a type object
 *   string, container   it is as long as what a {pointer, length, capacity} or
 *              {begin, end, capacity} in another chunk says
 *   node, array, text, zeros   by its words
 *   held       none of these, but a class or static points to its start
 *
 * What is not sure is not named.
 */
#ifndef HT_AGENT_GRAPH_TYPES_H
#define HT_AGENT_GRAPH_TYPES_H

#include "agent/graph/groups.h"
#include "agent/graph/modules.h"
#include "agent/libc/locate.h"
#include "schema/records.h"

#define HT_TYPES_MAX 16384u
#define HT_TYPE_NAME 200

struct ht_type_info {
	enum ht_type_kind kind;	 /* CLASS or STATIC */
	unsigned word;		 /* which word of the chunk says so */
	uint64_t address;	 /* vtable's address point, or the static */
	uint64_t chunks;	 /* that have it */
	char name[HT_TYPE_NAME]; /* CLASS: as in the type_info, mangled */
};

/* What a chunk looks like where nothing names it. */
enum ht_look_like {
	HT_LIKE_NOTHING,
	HT_LIKE_STRING,
	HT_LIKE_VECTOR,
	HT_LIKE_TREE_NODE,
	HT_LIKE_LIST_NODE,
	HT_LIKE_ARRAY,
	HT_LIKE_TEXT,
	HT_LIKE_ZEROS,
	HT_LIKE_HELD,
	HT_LIKES
};

struct ht_types {
	const struct ht_modules *modules; /* borrowed, as are these */
	struct ht_reader *reader;
	const struct ht_located *located;
	const struct ht_nodes *nodes;
	struct ht_type_info *v; /* [0]: none */
	size_t n;
	uint64_t *key;	     /* memo: words seen, and what they are */
	struct ht_range gap; /* between modules, where the last word led */
	uint16_t *of;
	uint8_t *like; /* of each node; or NULL: not wanted */
	size_t like_bytes;
	bool beside; /* like is another's */
};

enum ht_code ht_types_begin(struct ht_types *t, bool likes,
			    struct ht_err *err) HT_MUST_CHECK;
/* Types of its own for a second thread, which reads by a reader of its own. */
enum ht_code ht_types_beside(const struct ht_types *t, struct ht_reader *reader,
			     struct ht_types *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* The second thread's become t's. What each of them is called there, to be
 * freed by the caller; NULL: no memory. */
uint16_t *ht_types_join(struct ht_types *t, const struct ht_types *second);
void ht_types_fini(struct ht_types *t);
/* The number of its type by its first words; HT_TYPE_NONE. Notes what it looks
 * like, and what its words say of others. */
uint32_t ht_types_meet(struct ht_types *t, const struct ht_node *node,
		       const struct ht_node_words *words);
/* The same of words alone, and of no node. */
uint32_t ht_types_of_words(struct ht_types *t, const uint64_t *words, size_t n);

/* --- likes.c ------------------------------------------------------------- */

/* Text, or nothing: of words of which one is not 0. */
enum ht_look_like ht_like_of_words(const uint64_t *words, size_t n);
/* How large a chunk is that a word leads to, by the two behind it: when they
 * are a string's length and capacity, and when they are a vector's ends. 0:
 * they are not. */
struct ht_buffer {
	uint64_t string, vector;
};
struct ht_buffer ht_buffer_of(const uint64_t w[3]);
/* Notes it of the chunk that begins for its owner at this address, if there is
 * one, and it is as large. */
void ht_types_say_buffer(struct ht_types *t, uint64_t address,
			 const struct ht_buffer *b);
/* What a node's words look like, and what they say of others. */
void ht_types_look(struct ht_types *t, const struct ht_node *node,
		   const struct ht_node_words *words);
/* The first in the list of likes is the surest, and stays. */
void ht_types_note(struct ht_types *t, uint32_t node, enum ht_look_like like);
/* Two numbers behind a pointer may fit by chance: what is called a string must
 * be text as well. */
void ht_types_settle_string(struct ht_types *t, uint32_t node);
/* Whether so many references are most of the words of a chunk. */
static inline bool ht_is_array(uint64_t references, uint64_t size)
{
	return references >= 4 && references * 8 * 4 >= size * 3;
}
/* What only its references tell of one node: which is named by its first words,
 * and which is an array if it is nothing else. */
void ht_types_settle_node(struct ht_types *t, const struct ht_refs *r,
			  uint32_t i, bool named, bool array);
/* Of all: what only references tell: nodes, arrays, what is held by a named
 * one. */
void ht_types_settle(struct ht_types *t, const struct ht_refs *r,
		     const struct ht_groups *g);
/* Whether so many have it that it is no chance. */
bool ht_type_is_sure(const struct ht_type_info *t);

#endif
