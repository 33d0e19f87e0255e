/* SPDX-License-Identifier: Apache-2.0 */
/*
 * various NAME: 2000 objects of 320 bytes in a structure that C programs bring
 * themselves, and 100 chunks of 448 bytes that nothing leads to. Prints "ready"
 * and runs until it is ended.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known.h"

enum { COUNT = 2000, LOST = 100 };

static unsigned seed = 2463534242u;
static unsigned any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

static void *zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		abort();
	return p;
}

/* What they keep: numbers, and a short text. */
struct object {
	unsigned id, flags;
	double weight;
	char name[40];
	unsigned char rest[248];
};
static struct object *object(unsigned id)
{
	struct object *o = zeroed(sizeof(*o));

	o->id = id;
	o->flags = any();
	o->weight = any() / 3.0;
	snprintf(o->name, sizeof(o->name), "object %u", id);
	return o;
}

/* A radix tree, four bits at a step. */
struct radix {
	unsigned used;
	struct radix *child[16];
	struct object *value;
};
struct radix *the_radix;
static void radix(void)
{
	the_radix = zeroed(sizeof(*the_radix));
	for (int i = 0; i < COUNT; i++) {
		unsigned key = any() & 0xffff;
		struct radix *n = the_radix;

		for (int s = 12; s >= 0; s -= 4) {
			struct radix **to = &n->child[key >> s & 15];

			if (!*to) {
				*to = zeroed(sizeof(**to));
				n->used++;
			}
			n = *to;
		}
		if (n->value)
			i--;
		else
			n->value = object(key);
	}
}

/* A ring of what waits, and where it begins and ends. */
struct {
	size_t head, tail, capacity;
	struct object **slot;
} the_queue;
static void queue(void)
{
	the_queue.capacity = 4096;
	the_queue.slot = zeroed(4096 * sizeof(*the_queue.slot));
	the_queue.head = the_queue.tail = 3000;
	for (unsigned i = 0; i < COUNT; i++)
		the_queue.slot[the_queue.tail++ % 4096] = object(i);
}

/* A B-tree whose nodes have values and children, no parent. */
enum { KEYS = 15 };
struct btree {
	unsigned keys, leaf;
	unsigned key[KEYS];
	struct object *value[KEYS];
	struct btree *child[KEYS + 1];
};
struct btree *the_btree;
static void split(struct btree *up, unsigned i)
{
	struct btree *l = up->child[i], *r = zeroed(sizeof(*r));

	r->leaf = l->leaf;
	r->keys = KEYS / 2;
	memcpy(r->key, l->key + KEYS / 2 + 1, sizeof(unsigned) * (KEYS / 2));
	memcpy(r->value, l->value + KEYS / 2 + 1, sizeof(void *) * (KEYS / 2));
	memcpy(r->child, l->child + KEYS / 2 + 1,
	       sizeof(void *) * (KEYS / 2 + 1));
	l->keys = KEYS / 2;
	memmove(up->key + i + 1, up->key + i,
		sizeof(unsigned) * (up->keys - i));
	memmove(up->value + i + 1, up->value + i,
		sizeof(void *) * (up->keys - i));
	memmove(up->child + i + 2, up->child + i + 1,
		sizeof(void *) * (up->keys - i));
	up->key[i] = l->key[KEYS / 2];
	up->value[i] = l->value[KEYS / 2];
	up->child[i + 1] = r;
	up->keys++;
}
static void insert(struct btree *n, unsigned key)
{
	unsigned i = 0;

	while (i < n->keys && n->key[i] < key)
		i++;
	if (!n->leaf && n->child[i]->keys == KEYS) {
		split(n, i);
		i += n->key[i] < key;
	}
	if (!n->leaf) {
		insert(n->child[i], key);
		return;
	}
	memmove(n->key + i + 1, n->key + i, sizeof(unsigned) * (n->keys - i));
	memmove(n->value + i + 1, n->value + i, sizeof(void *) * (n->keys - i));
	n->key[i] = key;
	n->value[i] = object(key);
	n->keys++;
}
static void btree(void)
{
	the_btree = zeroed(sizeof(*the_btree));
	the_btree->leaf = 1;
	for (int i = 0; i < COUNT; i++) {
		if (the_btree->keys == KEYS) {
			struct btree *top = zeroed(sizeof(*top));

			top->child[0] = the_btree;
			the_btree = top;
			split(top, 0);
		}
		insert(the_btree, any());
	}
}

/* An AVL tree whose links lie amid the objects. */
struct avl {
	struct avl *child[2], *up;
	int balance;
};
struct indexed {
	char name[64];
	struct avl by_key;
	unsigned key;
	char rest[204];
};
struct avl *the_avl;
static unsigned key_of(const struct avl *a)
{
	return ((const struct indexed *)(const void *)((const char *)a -
						       offsetof(struct indexed,
								by_key)))
		->key;
}
static void avl(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct indexed *x = zeroed(sizeof(*x));
		struct avl **to = &the_avl, *up = NULL;

		x->key = any();
		snprintf(x->name, sizeof(x->name), "row %u", x->key);
		for (; *to; to = &up->child[x->key > key_of(up)])
			up = *to;
		x->by_key.up = up;
		x->by_key.balance = (int)(any() % 3) - 1;
		*to = &x->by_key;
	}
}

/* A skip list whose towers are chunks of their own. */
struct tower {
	struct object *value;
	unsigned height;
	struct tower **next;
};
struct tower the_towers;
static void towers(void)
{
	struct tower *last[12];

	the_towers.next = zeroed(12 * sizeof(struct tower *));
	for (int k = 0; k < 12; k++)
		last[k] = &the_towers;
	for (unsigned i = 0; i < COUNT; i++) {
		struct tower *t = zeroed(sizeof(*t));

		t->height = 1;
		while (t->height < 12 && any() % 2)
			t->height++;
		t->value = object(i);
		t->next = zeroed(t->height * sizeof(struct tower *));
		for (unsigned k = 0; k < t->height; k++) {
			last[k]->next[k] = t;
			last[k] = t;
		}
	}
}

/* Objects in blocks that an allocator of its own cuts up. */
struct block {
	struct block *next;
	size_t used;
	char bytes[304];
};
struct {
	struct block *blocks;
	char *free;
} the_arena;
static void arena(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct block *b = zeroed(sizeof(*b));

		b->next = the_arena.blocks;
		the_arena.blocks = b;
		the_arena.free = b->bytes + 240;
		while (b->used < 240) { /* pieces that lead to each other */
			char **piece = (char **)(void *)(b->bytes + b->used);

			piece[0] = b->bytes + (b->used + 96) % 240 / 48 * 48;
			piece[1] = (char *)(uintptr_t)any();
			b->used += 48;
		}
	}
}

/* Open addressing, keys beside pointers, a third of it in use. */
struct slot {
	uint64_t key;
	struct object *value;
};
struct {
	struct slot *slot;
	size_t n, mask;
} the_map;
static void map(void)
{
	the_map.mask = 8191;
	the_map.slot = zeroed(8192 * sizeof(struct slot));
	for (; the_map.n < COUNT; the_map.n++) {
		size_t i = any();

		while (the_map.slot[i & the_map.mask].value)
			i++;
		the_map.slot[i & the_map.mask] =
			(struct slot){(uint64_t)any() << 32 | any(),
				      object((unsigned)the_map.n)};
	}
}

/* A cache: entries apart from objects, in a table and in order of use. */
struct entry {
	struct entry *beside, *newer, *older;
	struct object *value;
	uint64_t hash;
};
struct {
	struct entry **bucket;
	struct entry *newest, *oldest;
} the_lru;
static void lru(void)
{
	the_lru.bucket = zeroed(1024 * sizeof(struct entry *));
	for (unsigned i = 0; i < COUNT; i++) {
		struct entry *e = zeroed(sizeof(*e)), **to;

		e->hash = any();
		e->value = object(i);
		to = &the_lru.bucket[e->hash % 1024];
		e->beside = *to;
		*to = e;
		e->older = the_lru.newest;
		if (e->older)
			e->older->newer = e;
		else
			the_lru.oldest = e;
		the_lru.newest = e;
	}
}

/* A table of two levels, most of it empty. */
struct object **the_pages[64];
static void pages(void)
{
	for (int i = 0; i < COUNT;) {
		unsigned at = any() % 16384;
		struct object ***page = &the_pages[at / 256];

		if (!*page)
			*page = zeroed(256 * sizeof(struct object *));
		if ((*page)[at % 256])
			continue;
		(*page)[at % 256] = object(at);
		i++;
	}
}

/* A network: each has an array of some of the others, and there is one array of
 * all. */
struct vertex {
	struct vertex **edge;
	unsigned edges;
	char rest[300];
};
struct vertex **the_vertices;
static void network(void)
{
	the_vertices = zeroed(COUNT * sizeof(*the_vertices));
	for (int i = 0; i < COUNT; i++)
		the_vertices[i] = zeroed(sizeof(**the_vertices));
	for (int i = 0; i < COUNT; i++) {
		struct vertex *v = the_vertices[i];

		v->edges = 2 + any() % 6;
		v->edge = zeroed(v->edges * sizeof(struct vertex *));
		for (unsigned k = 0; k < v->edges; k++)
			v->edge[k] = the_vertices[any() % COUNT];
	}
}

/* A heap of what is due next, by pointers that move. */
struct {
	struct timer {
		double due;
		size_t place;
		char rest[296];
	} * *v;
	size_t n, room;
} the_timers;
static void timers(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct timer *t = zeroed(sizeof(*t));
		size_t at = the_timers.n++;

		if (at == the_timers.room) {
			the_timers.room = the_timers.room * 2 + 16;
			the_timers.v = realloc(the_timers.v,
					       the_timers.room * sizeof(t));
			if (!the_timers.v)
				abort();
		}
		t->due = any();
		for (; at && the_timers.v[(at - 1) / 2]->due > t->due;
		     at = (at - 1) / 2) {
			the_timers.v[at] = the_timers.v[(at - 1) / 2];
			the_timers.v[at]->place = at;
		}
		the_timers.v[at] = t;
		t->place = at;
	}
}

/* Nothing leads to these. */
static __attribute__((noinline)) void lose(void)
{
	for (int i = 0; i < LOST; i++) {
		unsigned *p = zeroed(440);

		p[0] = any();
		__asm__ volatile("" : : "r"(p) : "memory");
	}
}

static const struct known known[] = {
	{"radix", radix},     {"queue", queue},	  {"btree", btree},
	{"avl", avl},	      {"towers", towers}, {"arena", arena},
	{"map", map},	      {"lru", lru},	  {"pages", pages},
	{"network", network}, {"timers", timers}};

int main(int argc, char **argv)
{
	lose();
	build_and_stay(known, sizeof(known) / sizeof(*known),
		       argc > 1 ? argv[1] : NULL);
}
