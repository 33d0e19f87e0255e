/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/graph_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/chunk_text.h"
#include "common/demangle.h"

const char *ht_graph_chunks(const struct ht_snapshot *s, const char *type,
			    uint64_t max_size, char out[HT_GRAPH_NAME])
{
	char size[HT_CHUNK_TEXT], name[HT_GRAPH_NAME - HT_CHUNK_TEXT - 8];

	ht_chunk_text(max_size, s->head.arch, size);
	if (*type)
		snprintf(out, HT_GRAPH_NAME, "%s, %s",
			 ht_demangle(type, name, sizeof(name)), size);
	else
		snprintf(out, HT_GRAPH_NAME, "%s", size);
	return out;
}

static void name_variable(const struct ht_holder *h, const char *what,
			  char out[HT_GRAPH_NAME])
{
	const char *module = *h->module ? h->module : "?";
	char name[HT_GRAPH_NAME], more[24] = "";

	if (!*h->symbol) {
		snprintf(out, HT_GRAPH_NAME, "0x%" PRIx64 " (%s, %.100s)",
			 h->offset, what, module);
		return;
	}
	if (h->offset && h->offset != HT_UNKNOWN)
		snprintf(more, sizeof(more), "+%" PRIu64, h->offset);
	snprintf(out, HT_GRAPH_NAME, "%.160s%s (%s, %.100s)",
		 ht_demangle(h->symbol, name, sizeof(name)), more, what,
		 module);
}

static void name_threads(const struct ht_holder *h, char *out, size_t size)
{
	if (h->thread != HT_UNKNOWN)
		snprintf(out, size, "thread %" PRIu64, h->thread);
	else
		snprintf(out, size, "%" PRIu64 " threads", h->threads);
}

static void name_local(const struct ht_holder *h, char out[HT_GRAPH_NAME])
{
	char threads[40], what[64];

	name_threads(h, threads, sizeof(threads));
	snprintf(what, sizeof(what), "thread-local, %s", threads);
	if (*h->module)
		name_variable(h, what, out);
	else if (*h->symbol)
		snprintf(out, HT_GRAPH_NAME, "%.180s (%s)", h->symbol, what);
	else
		snprintf(out, HT_GRAPH_NAME, "thread-local variables of %s",
			 threads);
}

static void name_stack(const struct ht_holder *h, char out[HT_GRAPH_NAME])
{
	char thread[64], name[HT_GRAPH_NAME];

	snprintf(thread, sizeof(thread), "thread %" PRIu64 "%s%s%s", h->thread,
		 *h->thread_name ? " \"" : "", h->thread_name,
		 *h->thread_name ? "\"" : "");
	if (*h->function)
		snprintf(out, HT_GRAPH_NAME, "a local of %.160s (%s)",
			 ht_demangle_function(h->function, name, sizeof(name)),
			 thread);
	else if (*h->module && h->offset != HT_UNKNOWN)
		snprintf(out, HT_GRAPH_NAME,
			 "a local at %.100s+0x%" PRIx64 " (%s)", h->module,
			 h->offset, thread);
	else
		snprintf(out, HT_GRAPH_NAME, "the stack of %s", thread);
}

const char *ht_graph_holder(const struct ht_holder *h, char out[HT_GRAPH_NAME])
{
	switch (h->kind) {
	case HT_HOLDER_STATIC:
		name_variable(h, "static", out);
		break;
	case HT_HOLDER_STACK:
		name_stack(h, out);
		break;
	case HT_HOLDER_TLS:
		name_local(h, out);
		break;
	case HT_HOLDER_TABLE:
		snprintf(out, HT_GRAPH_NAME,
			 "chunks whose own holder is not sure");
		break;
	case HT_HOLDER_OUTSIDE:
		snprintf(out, HT_GRAPH_NAME,
			 "memory outside malloc (a runtime's own heap)");
		break;
	default:
		snprintf(out, HT_GRAPH_NAME, "not sure");
	}
	return out;
}

bool ht_graph_is_lost(const struct ht_holder *h)
{
	return h->kind == HT_HOLDER_NOBODY &&
	       strcmp(h->shape, HT_SHAPE_UNREACHED) == 0;
}

const struct ht_owned *ht_graph_owned(const struct ht_snapshot *s,
				      const struct ht_holder *h)
{
	return h->owned < s->owned.n ? &s->owned.v[h->owned] : NULL;
}

void ht_graph_sentence(const struct ht_snapshot *s, const struct ht_holder *h,
		       const struct ht_owned *o, const char *bytes,
		       char out[HT_GRAPH_SENTENCE])
{
	char what[HT_GRAPH_NAME], name[HT_GRAPH_NAME];
	bool lost = ht_graph_is_lost(h);

	snprintf(out, HT_GRAPH_SENTENCE, "%.0f %% of %s in %s: %s%s%s",
		 100 * h->share, bytes,
		 ht_graph_chunks(s, o->type, o->max_size, what), h->shape,
		 lost ? "" : ", by ", lost ? "" : ht_graph_holder(h, name));
}
