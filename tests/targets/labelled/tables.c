/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables NAME: 2000 chunks of 320 bytes in a structure whose nodes are of
 * several sizes, whose table looks like a node, or beside memory that was not
 * cleared. Prints "ready" and runs until it is ended.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known.h"

enum { COUNT = 2000, BUCKETS = 1024, LEVELS = 16, WORDS = 2 };

static unsigned seed = 12345;
static unsigned any(void)
{
	seed = seed * 1103515245u + 12345u;
	return seed >> 8;
}

static void *zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		abort();
	return p;
}

/* A hash table of short lists, whose table is a chunk like many: its first word
 * leads to a node as a node's does. */
struct entry {
	struct entry *next;
	char rest[304];
};
struct {
	size_t n;
	struct entry **bucket;
} the_entries;
static void chained(void)
{
	the_entries.n = BUCKETS;
	the_entries.bucket = zeroed(BUCKETS * sizeof(struct entry *));
	for (int i = 0; i < COUNT; i++) {
		struct entry *e = zeroed(sizeof(*e)),
			     **to = &the_entries.bucket[any() % BUCKETS];

		e->next = *to;
		*to = e;
	}
}

/* A skip list: most nodes have one link, and are of one size. */
struct skip {
	char rest[304];
	struct skip *next[];
};
struct skip *the_skip;
static void skip(void)
{
	struct skip *last[LEVELS];

	the_skip = zeroed(sizeof(*the_skip) + sizeof(last));
	for (int k = 0; k < LEVELS; k++)
		last[k] = the_skip;
	for (int i = 0; i < COUNT; i++) {
		int height = 1;

		while (height < LEVELS && any() % 4 == 0)
			height++;
		struct skip *s =
			zeroed(sizeof(*s) + (size_t)height * sizeof(s));

		for (int k = 0; k < height; k++) {
			last[k]->next[k] = s;
			last[k] = s;
		}
	}
}

/* Arrays of strings, of the size that the strings have. */
struct call {
	char **words;
	char rest[296];
};
struct call *the_calls[COUNT];
static void strings(void)
{
	for (int i = 0; i < COUNT; i++) {
		the_calls[i] = zeroed(sizeof(**the_calls));
		the_calls[i]->words = zeroed((WORDS + 1) * sizeof(char *));
		for (int k = 0; k < WORDS; k++) {
			the_calls[i]->words[k] = zeroed(20);
			snprintf(the_calls[i]->words[k], 20, "word %d of %d", k,
				 i);
		}
	}
}

/* A tree whose parent stands before its children, with a flag in it. */
struct rb {
	uintptr_t parent;
	struct rb *left, *right;
	unsigned key;
	char rest[280];
};
struct {
	struct rb *top;
} the_rb;
static void rb(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct rb *x = zeroed(sizeof(*x)), *up = NULL, **to;

		x->key = any();
		for (to = &the_rb.top; *to;) {
			up = *to;
			to = x->key < up->key ? &up->left : &up->right;
		}
		x->parent = (uintptr_t)up | (i & 1);
		*to = x;
	}
}

/* A cache: a doubly linked list of all, and lists of those in one bucket. */
struct used {
	struct used *before, *after, *beside;
	char rest[288];
};
struct cache {
	struct used ends;
	struct used *bucket[BUCKETS];
} * the_cache;
static void cache(void)
{
	the_cache = zeroed(sizeof(*the_cache));
	the_cache->ends.before = the_cache->ends.after = &the_cache->ends;
	for (int i = 0; i < COUNT; i++) {
		struct used *u = zeroed(sizeof(*u)),
			    **to = &the_cache->bucket[any() % BUCKETS];

		u->before = &the_cache->ends;
		u->after = the_cache->ends.after;
		u->after->before = the_cache->ends.after = u;
		u->beside = *to;
		*to = u;
	}
}

/* Half of them on a list, half one by one. */
struct entry *the_half, *the_others[COUNT / 2];
static void halves(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct entry *e = zeroed(sizeof(*e));

		if (i % 2) {
			e->next = the_half;
			the_half = e;
		} else {
			the_others[i / 2] = e;
		}
	}
}

/* A doubly linked list whose links stand behind something else. */
struct behind {
	void *what;
	struct behind *next, *prev;
	char rest[288];
} the_behind;
static void behind(void)
{
	the_behind.next = the_behind.prev = &the_behind;
	for (int i = 0; i < COUNT; i++) {
		struct behind *b = zeroed(sizeof(*b));

		b->next = &the_behind;
		b->prev = the_behind.prev;
		b->prev->next = the_behind.prev = b;
	}
}

/* Buffers with a length and a capacity, in C. */
struct buffer {
	char *bytes;
	size_t length, capacity;
};
struct buffer *the_buffers;
static void buffers(void)
{
	the_buffers = zeroed(COUNT * sizeof(*the_buffers));
	for (int i = 0; i < COUNT; i++) {
		struct buffer *b = &the_buffers[i];

		b->capacity = 311;
		b->bytes = zeroed(b->capacity + 1);
		b->length = (size_t)snprintf(b->bytes, b->capacity,
					     "words in buffer %d", i);
	}
}

/* Round numbers that are addresses in a heap below 4 GiB, of the middle of a
 * chunk each: chunks are as far apart as the numbers. */
enum { CODES = 60, ROUND = 65536 };
uintptr_t the_codes[CODES];
static void codes(void)
{
	uintptr_t first = 0;

	for (int i = 0; i < CODES; i++) {
		char *p = zeroed(ROUND - 16);

		if (i == 0 && (uintptr_t)p % ROUND == 0) {
			zeroed(16); /* what comes next is round no longer */
			p = zeroed(ROUND - 16);
		}
		if (i == 0)
			first = (uintptr_t)p / ROUND * ROUND;
		the_codes[i] = first + (uintptr_t)(i + 1) * ROUND;
	}
}

/* None, but what a stream's buffer was before led to some of them. */
static void stream(void)
{
	struct entry **was = malloc(4096);

	for (int i = 0; i < COUNT; i++) {
		struct entry *e = zeroed(sizeof(*e));

		if (was && i < 500)
			((struct entry *volatile *)was)[i] = e;
	}
	free(was);
}

static const struct known known[] = {{"chained", chained}, {"skip", skip},
				     {"strings", strings}, {"rb", rb},
				     {"cache", cache},	   {"halves", halves},
				     {"stream", stream},   {"behind", behind},
				     {"buffers", buffers}, {"codes", codes}};

int main(int argc, char **argv)
{
	build_and_stay(known, sizeof(known) / sizeof(*known),
		       argc > 1 ? argv[1] : NULL);
}
