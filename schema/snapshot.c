/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/snapshot.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every list has this shape; records differ in size only. */
struct any_list {
	void *v;
	size_t n, capacity;
};

static const size_t offsets[HT_RECORD_COUNT] = {
#define SINGLE_OFFSET(record, FIELDS, member)                                  \
	[HT_RECORD_##record] = offsetof(struct ht_snapshot, member),
	HT_SINGLE_RECORDS(SINGLE_OFFSET)
#define LIST_OFFSET(record, FIELDS, member)                                    \
	[HT_RECORD_##record] = offsetof(struct ht_snapshot, member),
		HT_LIST_RECORDS(LIST_OFFSET)};

bool ht_record_is_list(enum ht_record_id id)
{
	return id >= HT_RECORD_rss_cause;
}

void *ht_snapshot_single(struct ht_snapshot *s, enum ht_record_id id)
{
	return (char *)s + offsets[id];
}

static struct any_list *list_of(struct ht_snapshot *s, enum ht_record_id id)
{
	return (struct any_list *)(void *)((char *)s + offsets[id]);
}

size_t ht_snapshot_count(const struct ht_snapshot *s, enum ht_record_id id)
{
	const char *at = (const char *)s + offsets[id];

	if (!ht_record_is_list(id))
		return 1;
	return ((const struct any_list *)(const void *)at)->n;
}

void *ht_snapshot_row(struct ht_snapshot *s, enum ht_record_id id, size_t row)
{
	if (!ht_record_is_list(id))
		return ht_snapshot_single(s, id);
	return (char *)list_of(s, id)->v + row * ht_record_types[id].size;
}

void *ht_snapshot_add(struct ht_snapshot *s, enum ht_record_id id)
{
	struct any_list *list = list_of(s, id);
	size_t size = ht_record_types[id].size;
	void *row;

	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		void *grown = reallocarray(list->v, capacity, size);

		if (!grown)
			return NULL;
		list->v = grown;
		list->capacity = capacity;
	}
	row = (char *)list->v + list->n++ * size;
	ht_record_clear(id, row);
	return row;
}

void ht_snapshot_cut(struct ht_snapshot *s, enum ht_record_id id, size_t n)
{
	if (ht_record_is_list(id) && n < list_of(s, id)->n)
		list_of(s, id)->n = n;
}

static int copy_list(struct any_list *to, const void *rows, size_t n,
		     size_t size)
{
	if (n > to->capacity) {
		void *grown = reallocarray(to->v, n, size);

		if (!grown)
			return -1;
		to->v = grown;
		to->capacity = n;
	}
	if (n > 0)
		memcpy(to->v, rows, n * size);
	to->n = n;
	return 0;
}

bool ht_snapshot_append_list(struct ht_snapshot *to, struct ht_snapshot *from,
			     enum ht_record_id id)
{
	for (size_t i = 0; i < ht_snapshot_count(from, id); i++) {
		void *row = ht_snapshot_add(to, id);

		if (!row)
			return false;
		memcpy(row, ht_snapshot_row(from, id, i),
		       ht_record_types[id].size);
	}
	return true;
}

void ht_snapshot_swap_list(struct ht_snapshot *a, struct ht_snapshot *b,
			   enum ht_record_id id)
{
	struct any_list list = *list_of(a, id);

	*list_of(a, id) = *list_of(b, id);
	*list_of(b, id) = list;
}

void ht_snapshot_take_singles(struct ht_snapshot *to, struct ht_snapshot *from)
{
	for (enum ht_record_id id = 0; !ht_record_is_list(id); id++)
		memcpy(ht_snapshot_single(to, id), ht_snapshot_single(from, id),
		       ht_record_types[id].size);
}

int ht_snapshot_copy(struct ht_snapshot *to, const struct ht_snapshot *from)
{
	/* Row access is shared with writers, hence not const. */
	struct ht_snapshot *rows = (struct ht_snapshot *)(uintptr_t)from;

	ht_snapshot_take_singles(to, rows);
	for (enum ht_record_id id = HT_RECORD_rss_cause; id < HT_RECORD_COUNT;
	     id++)
		if (copy_list(list_of(to, id), list_of(rows, id)->v,
			      list_of(rows, id)->n,
			      ht_record_types[id].size) < 0) {
			ht_snapshot_fini(to);
			ht_snapshot_init(to);
			return -1;
		}
	return 0;
}

#define DEFINE_ADD(record, FIELDS, member)                                     \
	struct ht_##record *ht_snapshot_add_##record(struct ht_snapshot *s)    \
	{                                                                      \
		return ht_snapshot_add(s, HT_RECORD_##record);                 \
	}
HT_LIST_RECORDS(DEFINE_ADD)

void ht_snapshot_init(struct ht_snapshot *s)
{
	memset(s, 0, sizeof(*s));
	for (enum ht_record_id id = 0; !ht_record_is_list(id); id++)
		ht_record_clear(id, ht_snapshot_single(s, id));
}

void ht_snapshot_fini(struct ht_snapshot *s)
{
	for (enum ht_record_id id = HT_RECORD_rss_cause; id < HT_RECORD_COUNT;
	     id++) {
		struct any_list *list = list_of(s, id);

		free(list->v);
		*list = (struct any_list){0};
	}
}

uint64_t ht_snapshot_cause(const struct ht_snapshot *s, enum ht_cause cause)
{
	for (size_t i = 0; i < s->rss_causes.n; i++)
		if (s->rss_causes.v[i].cause == cause)
			return s->rss_causes.v[i].bytes;
	return HT_UNKNOWN;
}

uint64_t ht_snapshot_tops_kept(const struct ht_snapshot *s)
{
	uint64_t main_top = ht_snapshot_cause(s, HT_CAUSE_TOP_MAIN);
	uint64_t others = ht_snapshot_cause(s, HT_CAUSE_TOP_THREAD);

	return main_top == HT_UNKNOWN || others == HT_UNKNOWN
		       ? HT_UNKNOWN
		       : main_top + others;
}

void ht_snapshot_warn(struct ht_snapshot *s, const char *fmt, ...)
{
	struct ht_warning *w = ht_snapshot_add_warning(s);
	va_list ap;

	if (!w)
		return;
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

void ht_snapshot_find(struct ht_snapshot *s, const char *code, uint64_t address,
		      uint64_t arena, const char *fmt, ...)
{
	struct ht_finding *f = ht_snapshot_add_finding(s);
	va_list ap;

	if (!f)
		return;
	snprintf(f->code, sizeof(f->code), "%s", code);
	f->address = address;
	f->arena = arena;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* Sum of n figures; HT_UNKNOWN if one is. */
static uint64_t sum_known(const uint64_t *v, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i] == HT_UNKNOWN)
			return HT_UNKNOWN;
		sum += v[i];
	}
	return sum;
}

static enum ht_code check_equal(const char *what, uint64_t left, uint64_t right,
				struct ht_err *err)
{
	if (left == HT_UNKNOWN || right == HT_UNKNOWN || left == right)
		return HT_OK;
	return ht_fail(err, HT_BUG,
		       "%s: %" PRIu64 " against %" PRIu64
		       ", difference %" PRId64,
		       what, left, right, (int64_t)(left - right));
}

/* Equal but for at most `off` bytes; unknown off: anything goes. */
static bool within(uint64_t left, uint64_t right, uint64_t off)
{
	return off == HT_UNKNOWN || right == HT_UNKNOWN || left == HT_UNKNOWN ||
	       (left > right ? left - right : right - left) <= off;
}

static enum ht_code check_arena(const struct ht_arena *a, struct ht_err *err)
{
	const uint64_t places[] = {a->tcache, a->fastbin, a->unsorted,
				   a->small,  a->large,	  a->top};
	const uint64_t parts[] = {a->in_use, a->free, a->overhead};
	enum ht_code code;

	code = check_equal("free, and free by place", a->free,
			   sum_known(places, 6), err);
	if (code == HT_OK &&
	    !within(a->system, sum_known(parts, 3), a->uncertain_bytes))
		code = check_equal("system, and in use + free + overhead",
				   a->system, sum_known(parts, 3), err);
	if (code != HT_OK)
		ht_err_in(err, "arena %" PRIu64, a->index);
	return code;
}

enum ht_code ht_snapshot_check(const struct ht_snapshot *s, struct ht_err *err)
{
	uint64_t rss = 0;
	enum ht_code code;

	for (size_t i = 0; i < s->arenas.n; i++) {
		code = check_arena(&s->arenas.v[i], err);
		if (code != HT_OK)
			return code;
	}
	if (s->rss_causes.n == 0)
		return HT_OK;
	for (size_t i = 0; i < s->rss_causes.n; i++) {
		if (s->rss_causes.v[i].bytes == HT_UNKNOWN)
			return HT_OK;
		rss += s->rss_causes.v[i].bytes;
	}
	return check_equal("process.rss, and the sum of its causes",
			   s->process.rss, rss, err);
}
