/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structures NAME [STALE]: one structure of 2000 chunks of 300 bytes, held in a
 * way that a C program does. STALE: before it is built a table of recycled
 * chunks is left with words that will point amid it.
 * Prints "ready" and runs until it is ended.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "labelled/known.h"

enum { COUNT = 2000, BUCKETS = 512, SLOTS = 400 };

struct node {
	struct node *next, *prev, *left, *right, *parent;
	void *payload;
	char rest[252];
};
struct link {
	struct link *next;
};
struct embedded {
	char before[64];
	struct link link;
	char after[228];
};

/* Global, for the compiler drops what nobody reads. */
struct node *the_list, *the_dlist, *the_ring, *the_tree, *the_objects;
struct node *the_buckets[BUCKETS];
struct node **the_table;
struct link *the_links;
struct server {
	char name[100];
	struct node *clients;
} * the_server;
void *the_slots[SLOTS];
uintptr_t the_numbers[SLOTS];
struct registry {
	char name[60];
	struct server *server;
} * the_registry;
__thread struct node *the_own;

static struct node *new_node(void)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

static struct node *chain(int back)
{
	struct node *first = NULL;

	for (int i = 0; i < COUNT; i++) {
		struct node *n = new_node();

		n->next = first;
		if (first && back)
			first->prev = n;
		first = n;
	}
	return first;
}

static struct node *grow(int n, struct node *parent)
{
	struct node *t = n ? new_node() : NULL;

	if (!t)
		return NULL;
	t->parent = parent;
	t->left = grow((n - 1) / 2, t);
	t->right = grow(n - 1 - (n - 1) / 2, t);
	return t;
}

static void list(void)
{
	the_list = chain(0);
}
static void dlist(void)
{
	the_dlist = chain(1);
}
static void ring(void)
{
	struct node *last = the_ring = chain(0);

	while (last->next)
		last = last->next;
	last->next = the_ring;
}
static void tree(void)
{
	the_tree = grow(COUNT, NULL);
}
static void hash(void)
{
	for (uint32_t i = 0; i < COUNT; i++) {
		struct node **bucket =
			&the_buckets[i * 2654435761u >> 16 & (BUCKETS - 1)];
		struct node *n = new_node();

		n->next = *bucket;
		*bucket = n;
	}
}
static void table(void)
{
	the_table = calloc(COUNT, sizeof(*the_table));
	for (int i = 0; i < COUNT; i++)
		the_table[i] = new_node();
}
static void intrusive(void)
{
	for (int i = 0; i < COUNT; i++) {
		struct embedded *e = calloc(1, sizeof(*e));

		e->link.next = the_links;
		the_links = &e->link;
	}
}
static void in_struct(void)
{
	the_server = calloc(1, sizeof(*the_server));
	the_server->clients = chain(0);
}
/* Objects one of a kind, of sizes that many other chunks have. */
static void alone(int back)
{
	static void *other[COUNT];

	for (int i = 0; i < COUNT; i++) {
		other[i] = calloc(1, 40 + (size_t)i % 12 * 8);
		if (i % 3 == 0)
			memcpy((char *)other[i] + i % 5 * 8,
			       &other[i * 7 % (i + 1)], sizeof(void *));
	}
	the_registry = calloc(1, sizeof(*the_registry));
	the_registry->server = calloc(1, sizeof(*the_registry->server));
	the_registry->server->clients = chain(back);
}
static void single(void)
{
	alone(0);
}
static void dsingle(void)
{
	alone(1);
}
/* Numbers that look like addresses amid chunks. */
static void numbers(void)
{
	struct node *n;
	int i = 0;

	in_struct();
	for (n = the_server->clients; n && i < SLOTS; n = n->next, i++)
		the_numbers[i] = (uintptr_t)n->rest;
}
static void payload(void)
{
	/* nodes of a list, each with an object of its own */
	for (int i = 0; i < COUNT; i++) {
		struct {
			void *next, *object;
			char key[24];
		} *n = calloc(1, sizeof(*n));

		n->next = the_objects;
		n->object = new_node();
		the_objects = (struct node *)n;
	}
}
static void own(void)
{
	the_own = chain(0);
}
static void lost(void)
{
	uintptr_t gone = (uintptr_t)chain(0);

	__asm__ volatile("" : : "r"(gone));
}

static const struct known known[] = {{"list", list},
				     {"dlist", dlist},
				     {"ring", ring},
				     {"tree", tree},
				     {"hash", hash},
				     {"table", table},
				     {"intrusive", intrusive},
				     {"struct", in_struct},
				     {"numbers", numbers},
				     {"single", single},
				     {"dsingle", dsingle},
				     {"payload", payload},
				     {"own", own},
				     {"lost", lost}};

/* Slots in use whose words were left over from a list of the same addresses. */
static void leave_stale(void)
{
	struct node *all[COUNT];

	for (int i = 0; i < COUNT; i++)
		all[i] = new_node();
	for (int i = 0; i < SLOTS; i++) {
		the_slots[i] = calloc(1, 500);
		if (i % 2)
			memcpy((char *)the_slots[i] + i % 60 * 8,
			       &all[i * 4 % COUNT], sizeof(void *));
	}
	for (int i = 0; i < COUNT; i++)
		free(all[i]);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		leave_stale();
	build_and_stay(known, sizeof(known) / sizeof(*known),
		       argc > 1 ? argv[1] : NULL);
}
