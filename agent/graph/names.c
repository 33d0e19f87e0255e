/* SPDX-License-Identifier: Apache-2.0 */
/* Names: what symbol tables call the objects that rows speak of. Asked for
 * once, for all of them: a table is read from its begin to its end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/graph_int.h"
#include "agent/memory/proc_texts.h"

static bool is_wanted(const struct ht_type_info *t)
{
	return t->kind == HT_TYPE_STATIC && ht_type_is_sure(t);
}

static const struct ht_name *find(const struct ht_name *names, size_t n,
				  uint64_t address)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (names[mid].address < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && names[low].address == address ? &names[low] : NULL;
}

static const char *module_name(const struct ht_graph_all *g, uint32_t module)
{
	return module < g->in->modules->n ? g->in->modules->v[module].name : "";
}

static void name_type(const struct ht_graph_all *g, struct ht_type_info *t,
		      const struct ht_name *name)
{
	if (!name->symbol[0])
		snprintf(t->name, sizeof(t->name), "%s+0x%" PRIx64,
			 module_name(g, name->module), name->offset);
	else if (name->within == 0 || strncmp(name->symbol, "_ZTV", 4) == 0)
		snprintf(t->name, sizeof(t->name), "%.199s", name->symbol);
	else
		snprintf(t->name, sizeof(t->name), "%.170s+%" PRIu64,
			 name->symbol, name->within);
}

enum ht_code ht_names_of_types(struct ht_graph_all *g, struct ht_err *err)
{
	struct ht_name *names = calloc(g->types.n, sizeof(*names));
	size_t n = 0;

	if (!names)
		return ht_fail(err, HT_NOMEM, "no memory for names");
	for (size_t i = 1; i < g->types.n; i++)
		if (is_wanted(&g->types.v[i]))
			names[n++].address = g->types.v[i].address;
	ht_modules_name(g->in->modules, names, n);
	for (size_t i = 1; i < g->types.n; i++) {
		struct ht_type_info *t = &g->types.v[i];
		const struct ht_name *name =
			is_wanted(t) ? find(names, n, t->address) : NULL;

		if (name)
			name_type(g, t, name);
	}
	free(names);
	return HT_OK;
}

/* Of what a function has. */
static void name_local_of(const struct ht_graph_all *g, struct ht_holder *h,
			  const struct ht_name *name)
{
	snprintf(h->function, sizeof(h->function), "%.159s", name->symbol);
	snprintf(h->module, sizeof(h->module), "%s",
		 module_name(g, name->module));
	h->offset = name->symbol[0] || !*h->module ? HT_UNKNOWN : name->offset;
}

static void name_thread(pid_t pid, struct ht_holder *h)
{
	char path[64], text[HT_PROC_TEXT_MAX];
	size_t n;

	if (pid == 0 || h->thread == HT_UNKNOWN)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu64 "/comm", (int)pid,
		 h->thread);
	if (!ht_proc_read_text(path, text))
		return;
	n = strlen(text); /* the name may have line ends, too */
	snprintf(h->thread_name, sizeof(h->thread_name), "%.*s",
		 (int)(n && text[n - 1] == '\n' ? n - 1 : n), text);
}

static void name_holder(const struct ht_graph_all *g, struct ht_holder *h,
			const struct ht_name *name)
{
	if (h->kind == HT_HOLDER_STACK) {
		name_local_of(g, h, name);
		return;
	}
	snprintf(h->symbol, sizeof(h->symbol), "%.159s", name->symbol);
	snprintf(h->module, sizeof(h->module), "%s",
		 module_name(g, name->module));
	h->offset = name->symbol[0] ? name->within : name->offset;
}

/* What a thread has set under a key has no other name. */
static void name_key(struct ht_holder *h, uint64_t offset)
{
	int key = ht_tls_key(offset);

	if (key >= 0)
		snprintf(h->symbol, sizeof(h->symbol), "pthread key %d", key);
	h->offset = key >= 0 ? 0 : HT_UNKNOWN;
}

/* Of a thread-local variable: the module, and where it is in that's. */
static void place_local(const struct ht_graph_all *g, struct ht_holder *h,
			struct ht_name *ret)
{
	const struct ht_tls_block *b = ht_tls_at(&g->tls, h->offset);

	ret->module = HT_MODULE_NONE;
	if (!b)
		h->offset = HT_UNKNOWN;
	else if (b->module == g->tls.keys)
		name_key(h, h->offset - b->start);
	else {
		ret->module = b->module;
		ret->offset = h->offset - b->start;
	}
}

static void name_local(const struct ht_graph_all *g, struct ht_holder *h)
{
	struct ht_name name = {0};

	place_local(g, h, &name);
	if (name.module == HT_MODULE_NONE)
		return;
	ht_modules_name_local(g->in->modules, name.module, &name, 1);
	name_holder(g, h, &name);
}

static void name_locals(struct ht_graph_all *g)
{
	struct ht_snapshot *s = g->out;

	for (size_t i = 0; i < s->holders.n; i++)
		if (s->holders.v[i].kind == HT_HOLDER_TLS)
			name_local(g, &s->holders.v[i]);
}

/* What a symbol table may name. */
static bool has_address(const struct ht_holder *h)
{
	return h->kind == HT_HOLDER_STATIC ||
	       (h->kind == HT_HOLDER_STACK && h->offset != HT_UNKNOWN);
}

enum ht_code ht_names_of_holders(struct ht_graph_all *g, struct ht_err *err)
{
	struct ht_snapshot *s = g->out;
	struct ht_name *names = calloc(s->holders.n + 1, sizeof(*names));
	size_t n = 0;

	if (!names)
		return ht_fail(err, HT_NOMEM, "no memory for names");
	for (size_t i = 0; i < s->holders.n; i++)
		if (has_address(&s->holders.v[i]))
			names[n++].address = s->holders.v[i].offset;
	ht_modules_name(g->in->modules, names, n);
	for (size_t i = 0; i < s->holders.n; i++) {
		struct ht_holder *h = &s->holders.v[i];
		const struct ht_name *name =
			has_address(h) ? find(names, n, h->offset) : NULL;

		if (name)
			name_holder(g, h, name);
		if (h->kind == HT_HOLDER_STACK)
			name_thread(g->in->pid, h);
	}
	free(names);
	name_locals(g);
	return HT_OK;
}

void ht_types_name(const struct ht_graph_all *g, uint32_t type, char *out,
		   size_t size)
{
	const struct ht_type_info *t = &g->types.v[type];

	out[0] = '\0';
	if (type != HT_TYPE_NONE && ht_type_is_sure(t))
		snprintf(out, size, "%s", t->name);
}
