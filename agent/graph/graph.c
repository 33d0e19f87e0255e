/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/graph_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "agent/graph/stdio.h"
#include "agent/self/helper.h"
#include "link/request.h"

/* What a chunk is, its own words tell. */
static bool asks_who_holds(const struct ht_graph_in *in)
{
	return in->want & (HT_WANT_LEAKS | HT_WANT_OWNERS);
}

/* --- what is whose ------------------------------------------------------- */

/* Segments with their headers, mmapped chunks, and the structs of the main
 * arenas: what those name is free. */
static bool find_own(struct ht_graph_all *g)
{
	const struct ht_marks *m = g->in->marks;
	const struct ht_located *l = g->in->located;
	bool ok = true;

	for (size_t i = 0; ok && i < m->n; i++)
		ok = ht_ranges_add(&g->own, m->segment[i].start,
				   m->segment[i].end);
	for (size_t i = 0; ok && i < m->mmapped.n; i++)
		ok = ht_ranges_add(&g->own, m->mmapped.v[i].start,
				   m->mmapped.v[i].end);
	for (size_t i = 0; ok && i < l->n; i++)
		ok = ht_ranges_add(&g->own, l->malloc[i].main_arena,
				   l->malloc[i].main_arena +
					   l->malloc[i].layout.sizeof_arena);
	ht_ranges_sort(&g->own);
	return ok;
}

static enum ht_code find_anchors(struct ht_graph_all *g, struct ht_err *err)
{
	const struct ht_anchors_in in = {
		.stacks = {.maps = g->in->maps,
			   .threads = g->in->threads,
			   .threads_n = g->in->threads_n,
			   .reader = g->in->reader},
		.tls = &g->tls,
		.arenas = &g->own};
	enum ht_code code;

	if (!find_own(g))
		return ht_fail(err, HT_NOMEM, "no memory for segments");
	code = ht_tls_find(g->in->modules, g->in->reader, g->in->threads,
			   g->in->threads_n, &g->tls, err);
	return code == HT_OK ? ht_anchors_find(&in, &g->anchors, err) : code;
}

/* --- nodes and references ------------------------------------------------ */

/* What the nodes of one thread are. */
struct meeting {
	struct ht_groups *groups;
	struct ht_types *types;
	struct ht_streams streams;
};

static void meet(void *ctx, const struct ht_node *node,
		 const struct ht_node_words *words)
{
	struct meeting *m = ctx;

	ht_streams_meet(&m->streams, words->v, words->n);
	ht_groups_add(m->groups, node, ht_types_meet(m->types, node, words));
}

/* What is left for the references when all else has its share. */
static size_t refs_max(const struct ht_graph_all *g)
{
	uint64_t taken = g->in->marks->bytes + g->nodes.bytes +
			 ht_telling_bytes(g->in->telling);
	/* queue, groups, two maps of what was seen */
	uint64_t each = sizeof(uint32_t) + sizeof(uint16_t) + 1;

	taken += g->nodes.count * each + (UINT64_C(32) << 20);
	return g->in->memory_max > taken ? (size_t)(g->in->memory_max - taken)
					 : 0;
}

/* The second thread's tables, and its reader. */
struct beside {
	struct ht_groups groups;
	struct ht_types types;
	struct ht_reader reader;
	struct meeting meeting;
};

static enum ht_code begin_beside(struct ht_graph_all *g, struct beside *b,
				 struct ht_err *err)
{
	enum ht_code code;

	b->reader = ht_reader_twin(g->in->reader);
	b->reader.beat = NULL; /* the first thread's */
	b->meeting.groups = &b->groups;
	b->meeting.types = &b->types;
	code = ht_groups_beside(&g->groups, &b->groups, err);
	if (code == HT_OK)
		code = ht_types_beside(&g->types, &b->reader, &b->types, err);
	return code;
}

static enum ht_code join(struct ht_graph_all *g, const struct beside *b,
			 struct ht_err *err)
{
	uint16_t *type = ht_types_join(&g->types, &b->types);
	bool ok = type && ht_groups_join(&g->groups, &b->groups, type,
					 g->refs.second, g->nodes.count);

	free(type);
	ht_reader_add(g->in->reader, &b->reader);
	return ok ? HT_OK : ht_fail(err, HT_NOMEM, "no memory for types");
}

static void part_streams(struct ht_graph_all *g, struct ht_streams *first,
			 const struct ht_streams *second)
{
	ht_streams_find(first, g->in->modules, g->in->located, g->in->reader);
	ht_streams_part(first, &g->nodes, &g->groups);
	ht_streams_part(second, &g->nodes, &g->groups);
}

static enum ht_code begin_meeting(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code = ht_groups_begin(g->nodes.count, &g->groups, err);

	g->types = (struct ht_types){.modules = g->in->modules,
				     .reader = g->in->reader,
				     .located = g->in->located,
				     .nodes = &g->nodes};
	if (code == HT_OK)
		code = ht_types_begin(&g->types, g->in->want & HT_WANT_TYPES,
				      err);
	return code;
}

static enum ht_code make_refs(struct ht_graph_all *g, struct ht_err *err)
{
	struct meeting meeting = {.groups = &g->groups, .types = &g->types};
	struct beside second = {0};
	enum ht_code code = begin_meeting(g, err);

	g->scan = (struct ht_refs_in){.nodes = &g->nodes,
				      .reader = g->in->reader,
				      .bytes_max = refs_max(g),
				      .window = malloc(HT_REFS_WINDOW),
				      .pages = g->in->pages,
				      .each = meet,
				      .each_ctx = &meeting,
				      .second_ctx = &second.meeting,
				      .progress = g->in->progress,
				      .progress_ctx = g->in->progress_ctx};
	if (code == HT_OK && !g->scan.window)
		code = ht_fail(err, HT_NOMEM, "no memory for a window");
	if (code == HT_OK)
		code = begin_beside(g, &second, err);
	if (code == HT_OK)
		code = ht_refs_make(&g->scan, &g->refs, err);
	if (code == HT_OK)
		code = join(g, &second, err);
	if (code == HT_OK && asks_who_holds(g->in))
		part_streams(g, &meeting.streams, &second.meeting.streams);
	if (code == HT_OK)
		code = ht_names_of_types(g, err);
	g->scan.each = NULL; /* all are met */
	ht_groups_fini(&second.groups);
	ht_types_fini(&second.types);
	return code;
}

/* What chunks are was told as the walk went by, and no byte is read again but
 * of what was not. */
static bool is_told(const struct ht_graph_all *g)
{
	return g->in->telling && !asks_who_holds(g->in) &&
	       g->in->want & HT_WANT_TYPES &&
	       ht_telling_holds(g->in->telling, &g->nodes);
}

static enum ht_code take_told(struct ht_graph_all *g, struct ht_err *err)
{
	const struct ht_refs_in in = {.nodes = &g->nodes,
				      .bytes_max = refs_max(g)};
	enum ht_code code;

	g->told = (struct ht_told){.telling = g->in->telling,
				   .nodes = &g->nodes,
				   .reader = g->in->reader,
				   .types = &g->types,
				   .refs = &g->refs};
	code = ht_told_meet(&g->told, &in, err);
	if (code == HT_OK)
		code = ht_names_of_types(g, err);
	if (code == HT_OK)
		ht_told_settle(&g->told);
	return code;
}

/* Types alone need none. */
static enum ht_code make_fields(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code =
		asks_who_holds(g->in)
			? ht_fields_make(&g->nodes, &g->refs, &g->groups,
					 &g->fields, err)
			: HT_OK;

	if (code == HT_OK)
		ht_types_settle(&g->types, &g->refs, &g->groups);
	return code;
}

/* --- from the anchors ---------------------------------------------------- */

struct rooting {
	struct ht_graph_all *g;
	uint32_t anchor;
	bool sure;
};

static void add_root(void *ctx, uint32_t from, uint64_t place, uint32_t to,
		     enum ht_node_where where)
{
	const struct rooting *r = ctx;
	struct ht_graph_all *g = r->g;

	(void)from;
	g->all_roots++;
	if (g->roots < HT_ROOTS_MAX)
		g->root[g->roots++] =
			(struct ht_root_ref){.place = place & INT64_MAX,
					     .inside = where != HT_NODE_START,
					     .anchor = r->anchor,
					     .to = to};
	ht_reach_add(&g->reach, to);
	if (r->sure && where != HT_NODE_EDGE)
		ht_reach_add(&g->sure, to);
}

static void root_registers(struct ht_graph_all *g)
{
	for (size_t i = 0; i < g->in->threads_n; i++) {
		const struct ht_thread_state *t = &g->in->threads[i];
		struct rooting r = {g, (uint32_t)(g->anchors.n + i), true};

		for (unsigned k = 0; t->whole && k < HT_GENERAL_REGISTERS;
		     k++) {
			enum ht_node_where where;
			uint32_t to =
				ht_nodes_at(&g->nodes, t->general[k], &where);

			if (to != HT_NODE_NONE)
				add_root(&r, HT_NODE_NONE, k, to, where);
		}
	}
}

static enum ht_code root_all(struct ht_graph_all *g, struct ht_err *err)
{
	g->root = calloc(HT_ROOTS_MAX, sizeof(*g->root));
	if (!g->root)
		return ht_fail(err, HT_NOMEM, "no memory for roots");
	for (size_t i = 0; i < g->anchors.n; i++) {
		const struct ht_anchor *a = &g->anchors.v[i];
		struct rooting r = {g, (uint32_t)i,
				    a->kind == HT_ANCHOR_STATIC ||
					    a->kind == HT_ANCHOR_TLS};

		ht_refs_scan(&g->scan, a->start, a->end, add_root, &r,
			     &g->unread);
	}
	root_registers(g);
	return HT_OK;
}

static void reach_by_any(void *ctx)
{
	struct ht_graph_all *g = ctx;
	const struct ht_reach_in in = {
		.nodes = &g->nodes, .refs = &g->refs, .scan = &g->scan};

	ht_reach_run(&in, &g->reach);
}

static void reach_by_regular(struct ht_graph_all *g)
{
	const struct ht_reach_in in = {.nodes = &g->nodes,
				       .refs = &g->refs,
				       .scan = &g->scan,
				       .groups = &g->groups,
				       .fields = &g->fields};

	ht_reach_run(&in, &g->sure);
}

static enum ht_code begin_reach(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code = find_anchors(g, err);

	if (code == HT_OK)
		code = ht_reach_begin(g->nodes.count, &g->reach, err);
	if (code == HT_OK)
		code = ht_reach_begin(g->nodes.count, &g->sure, err);
	if (code == HT_OK)
		code = root_all(g, err);
	return code;
}

/* By any word the helper goes through the graph, while the fields are made. It
 * reads nothing: where references found no room one thread does all. */
static enum ht_code reach_and_fields(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code = begin_reach(g, err);
	bool helped;

	if (code != HT_OK)
		return code;
	helped = g->refs.kept == UINT32_MAX && ht_helper_run(reach_by_any, g);
	if (!helped)
		reach_by_any(g);
	code = make_fields(g, err);
	if (code == HT_OK && g->in->want & HT_WANT_LEAKS)
		reach_by_regular(g);
	if (helped)
		ht_helper_wait();
	return code;
}

static enum ht_code make_all(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code = make_refs(g, err);

	if (code != HT_OK)
		return code;
	return asks_who_holds(g->in) ? reach_and_fields(g, err)
				     : make_fields(g, err);
}

/* --- what is said of it -------------------------------------------------- */

/* The walk has counted the same chunks in its own way. */
static void hold_to_walk(struct ht_graph_all *g, uint64_t chunks,
			 uint64_t bytes)
{
	const struct ht_totals *t = &g->out->totals;
	uint64_t mapped =
		t->mmapped_chunks == HT_UNKNOWN ? 0 : t->mmapped_chunks;
	uint64_t length = t->mmapped == HT_UNKNOWN ? 0 : t->mmapped;

	if (t->in_use_chunks == HT_UNKNOWN ||
	    (chunks == t->in_use_chunks + mapped &&
	     bytes == t->in_use + length))
		return;
	ht_snapshot_warn(
		g->out,
		"%" PRIu64 " chunks of %" PRIu64
		" bytes were looked at one by one, %" PRIu64 " of %" PRIu64
		" were counted: the difference is not settled",
		chunks, bytes, t->in_use_chunks + mapped, t->in_use + length);
}

static void warn(struct ht_graph_all *g)
{
	if (g->anchors.unknown)
		ht_snapshot_warn(
			g->out,
			"the registers of %zu threads could not be read: as many chunks as they have may be held by them alone",
			g->anchors.unknown);
	if (g->in->modules->others)
		ht_snapshot_warn(
			g->out,
			"%u files of the core are not those that are here under their names, and name nothing: --sysroot names a folder that has them",
			g->in->modules->others);
	if (g->unread)
		ht_snapshot_warn(
			g->out,
			"%" PRIu64
			" bytes that may hold pointers could not be read: what only they lead to counts as leaked",
			g->unread);
	if (g->refs.kept != UINT32_MAX)
		ht_snapshot_warn(
			g->out,
			"the references of %u of %u chunks found no room and were read again, which is slower: --max-memory gives more",
			g->nodes.count - g->refs.kept, g->nodes.count);
}

static enum ht_code describe(struct ht_graph_all *g, struct ht_err *err)
{
	struct ht_graph *row = ht_snapshot_add_graph(g->out);

	if (!row)
		return ht_fail(err, HT_NOMEM, "no memory for rows");
	for (size_t i = 0; i < g->groups.n; i++) {
		g->chunks += g->groups.v[i].chunks;
		g->bytes += g->groups.v[i].bytes;
	}
	if (!g->told.telling) /* which keeps only those that tell a type */
		row->references = g->refs.n;
	if (asks_who_holds(g->in))
		row->root_references = g->all_roots;
	row->unread_bytes = g->refs.unread;
	g->unread += g->refs.unread;
	return HT_OK;
}

static void sum_up(struct ht_graph_all *g)
{
	struct ht_graph *row = &g->out->graphs.v[0];

	row->chunks = g->chunks;
	row->bytes = g->bytes;
	hold_to_walk(g, row->chunks, row->bytes);
}

static enum ht_code report(struct ht_graph_all *g, struct ht_err *err)
{
	enum ht_code code = describe(g, err);

	if (code == HT_OK && g->in->want & HT_WANT_LEAKS)
		code = ht_leaks_report(g, err);
	if (code == HT_OK && g->in->want & HT_WANT_TYPES)
		code = ht_types_report(g, err);
	if (code == HT_OK && g->in->want & HT_WANT_OWNERS)
		code = ht_owners_report(g, err);
	if (code == HT_OK && g->in->want & HT_WANT_OWNERS)
		code = ht_names_of_holders(g, err);
	if (code == HT_OK)
		sum_up(g);
	return code;
}

static void fini(struct ht_graph_all *g)
{
	ht_told_fini(&g->told);
	ht_types_fini(&g->types);
	ht_ranges_fini(&g->own);
	ht_ranges_fini(&g->objects);
	ht_nodes_fini(&g->nodes);
	ht_refs_fini(&g->refs);
	ht_groups_fini(&g->groups);
	ht_fields_fini(&g->fields);
	ht_anchors_fini(&g->anchors);
	ht_tls_fini(&g->tls);
	ht_locals_fini(&g->locals);
	ht_reach_fini(&g->reach);
	ht_reach_fini(&g->sure);
	free(g->root);
	free(g->scan.window);
	free(g);
}

enum ht_code ht_graph_measure(const struct ht_graph_in *in,
			      struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_graph_all *g;
	enum ht_code code;

	if (in->reader->word != 8)
		return ht_fail(
			err, HT_UNSUPPORTED,
			"what holds a chunk is known of 64-bit programs only");
	if (in->marks->full)
		return ht_fail(
			err, HT_NOMEM,
			"the heap is too large for the memory that may be taken: --max-memory gives more");
	g = calloc(1, sizeof(*g));
	if (!g)
		return ht_fail(err, HT_NOMEM, "no memory for a graph");
	g->in = in;
	g->out = ret;
	g->locals = (struct ht_locals){.modules = in->modules,
				       .maps = in->maps,
				       .reader = in->reader,
				       .threads = in->threads,
				       .threads_n = in->threads_n};
	code = ht_nodes_make(in->marks, &g->nodes, err);
	if (code == HT_OK)
		code = is_told(g) ? take_told(g, err) : make_all(g, err);
	if (code == HT_OK)
		code = report(g, err);
	if (code == HT_OK)
		warn(g);
	fini(g);
	return code;
}
