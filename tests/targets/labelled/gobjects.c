/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gobjects NAME: one structure of GLib, of 2000 objects of some 300 bytes, held
 * by a variable that is called as the structure is, with the_ before. Prints
 * "ready" and runs until it is ended.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 2000 };

struct object {
	long id;
	char text[290];
};

GList *the_glist;
GHashTable *the_ghash;
GPtrArray *the_garray;
GTree *the_gtree;
GQueue *the_gqueue;

static struct object *new_object(int i)
{
	struct object *o = g_malloc0(sizeof(*o));

	o->id = i;
	return o;
}

static gint compare(gconstpointer a, gconstpointer b)
{
	return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

static void glist(void)
{
	for (int i = 0; i < COUNT; i++)
		the_glist = g_list_prepend(the_glist, new_object(i));
}
static void ghash(void)
{
	the_ghash = g_hash_table_new(g_direct_hash, g_direct_equal);
	for (int i = 0; i < COUNT; i++)
		g_hash_table_insert(the_ghash, GINT_TO_POINTER(i + 1),
				    new_object(i));
}
static void garray(void)
{
	the_garray = g_ptr_array_new();
	for (int i = 0; i < COUNT; i++)
		g_ptr_array_add(the_garray, new_object(i));
}
static void gtree(void)
{
	the_gtree = g_tree_new(compare);
	for (int i = 0; i < COUNT; i++)
		g_tree_insert(the_gtree, GINT_TO_POINTER(i * 7919 % 100003),
			      new_object(i));
}
static void gqueue(void)
{
	the_gqueue = g_queue_new();
	for (int i = 0; i < COUNT; i++)
		g_queue_push_tail(the_gqueue, new_object(i));
}

static const struct {
	const char *name;
	void (*build)(void);
} known[] = {{"glist", glist},
	     {"ghash", ghash},
	     {"garray", garray},
	     {"gtree", gtree},
	     {"gqueue", gqueue}};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (argc > 1 && strcmp(known[i].name, argv[1]) == 0)
			known[i].build();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
