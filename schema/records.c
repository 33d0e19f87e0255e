/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/records.h"

#include <math.h>
#include <string.h>

#define NAME_ITEM(c, s) s,
const char *const ht_mode_names[] = {HT_MODE_NAMES(NAME_ITEM)};
const char *const ht_arena_kind_names[] = {HT_ARENA_KIND_NAMES(NAME_ITEM)};
const char *const ht_bin_kind_names[] = {HT_BIN_KIND_NAMES(NAME_ITEM)};
const char *const ht_cause_names[] = {HT_CAUSE_NAMES(NAME_ITEM)};
const char *const ht_mapping_kind_names[] = {HT_MAPPING_KIND_NAMES(NAME_ITEM)};
const char *const ht_why_names[] = {HT_WHY_NAMES(NAME_ITEM)};
const char *const ht_type_kind_names[] = {HT_TYPE_KIND_NAMES(NAME_ITEM)};
const char *const ht_holder_kind_names[] = {HT_HOLDER_KIND_NAMES(NAME_ITEM)};
const char *const ht_way_names[] = {HT_WAY_NAMES(NAME_ITEM)};
const char *const ht_look_names[] = {HT_LOOK_NAMES(NAME_ITEM)};
const char *const ht_how_names[] = {HT_HOW_NAMES(NAME_ITEM)};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define NAMES_U64(arg)	NULL, 0
#define NAMES_HEX(arg)	NULL, 0
#define NAMES_BOOL(arg) NULL, 0
#define NAMES_TIME(arg) NULL, 0
#define NAMES_F64(arg)	NULL, 0
#define NAMES_TEXT(arg) NULL, 0
#define NAMES_ENUM(arg) arg, COUNT(arg)

/* A field's offset needs its struct's name, which a list does not carry: each
 * record has its own F_ macro that adds it. */
#define FIELD_IN(record, type, name, arg, doc)                                 \
	FIELD_ROW(record, type, name, doc, NAMES_##type(arg))
#define FIELD_ROW(record, type, name, doc, ...)                                \
	FIELD_ROW_(record, type, name, doc, __VA_ARGS__)
#define FIELD_ROW_(record, type, name, doc, names, names_count)                \
	{#name,                                                                \
	 doc,                                                                  \
	 names,                                                                \
	 offsetof(struct ht_##record, name),                                   \
	 sizeof(((struct ht_##record *)0)->name),                              \
	 names_count,                                                          \
	 HT_T_##type},

#define F_head(...)	     FIELD_IN(head, __VA_ARGS__)
#define F_libc(...)	     FIELD_IN(libc, __VA_ARGS__)
#define F_stop(...)	     FIELD_IN(stop, __VA_ARGS__)
#define F_process(...)	     FIELD_IN(process, __VA_ARGS__)
#define F_limits(...)	     FIELD_IN(limits, __VA_ARGS__)
#define F_params(...)	     FIELD_IN(params, __VA_ARGS__)
#define F_totals(...)	     FIELD_IN(totals, __VA_ARGS__)
#define F_fragmentation(...) FIELD_IN(fragmentation, __VA_ARGS__)
#define F_blocked(...)	     FIELD_IN(blocked, __VA_ARGS__)
#define F_rss_cause(...)     FIELD_IN(rss_cause, __VA_ARGS__)
#define F_arena(...)	     FIELD_IN(arena, __VA_ARGS__)
#define F_heap(...)	     FIELD_IN(heap, __VA_ARGS__)
#define F_bin(...)	     FIELD_IN(bin, __VA_ARGS__)
#define F_thread(...)	     FIELD_IN(thread, __VA_ARGS__)
#define F_size_class(...)    FIELD_IN(size_class, __VA_ARGS__)
#define F_mapping(...)	     FIELD_IN(mapping, __VA_ARGS__)
#define F_advice(...)	     FIELD_IN(advice, __VA_ARGS__)
#define F_warning(...)	     FIELD_IN(warning, __VA_ARGS__)
#define F_finding(...)	     FIELD_IN(finding, __VA_ARGS__)
#define F_unknown(...)	     FIELD_IN(unknown, __VA_ARGS__)
#define F_graph(...)	     FIELD_IN(graph, __VA_ARGS__)
#define F_leak(...)	     FIELD_IN(leak, __VA_ARGS__)
#define F_chunk_type(...)    FIELD_IN(chunk_type, __VA_ARGS__)
#define F_owned(...)	     FIELD_IN(owned, __VA_ARGS__)
#define F_holder(...)	     FIELD_IN(holder, __VA_ARGS__)
#define F_link(...)	     FIELD_IN(link, __VA_ARGS__)
#define F_windows(...)	     FIELD_IN(windows, __VA_ARGS__)
#define F_site(...)	     FIELD_IN(site, __VA_ARGS__)
#define F_stack_frame(...)   FIELD_IN(stack_frame, __VA_ARGS__)
#define F_site_size(...)     FIELD_IN(site_size, __VA_ARGS__)
#define F_quality(...)	     FIELD_IN(quality, __VA_ARGS__)

#define FIELD_TABLE(record, FIELDS, member)                                    \
	static const struct ht_field record##_fields[] = {FIELDS(F_##record)};
HT_SINGLE_RECORDS(FIELD_TABLE)
HT_LIST_RECORDS(FIELD_TABLE)

/* Every field unknown; text is empty, a time 0. */
#define BLANK_U64(name)		    .name = HT_UNKNOWN,
#define BLANK_HEX(name)		    .name = HT_UNKNOWN,
#define BLANK_BOOL(name)	    .name = HT_UNKNOWN,
#define BLANK_ENUM(name)	    .name = HT_UNKNOWN,
#define BLANK_F64(name)		    .name = NAN,
#define BLANK_TIME(name)	    .name = 0,
#define BLANK_TEXT(name)	    .name = "",
#define BLANK(type, name, arg, doc) BLANK_##type(name)
#define BLANK_RECORD(record, FIELDS, member)                                   \
	static const struct ht_##record record##_blank = {FIELDS(BLANK)};
HT_SINGLE_RECORDS(BLANK_RECORD)
HT_LIST_RECORDS(BLANK_RECORD)

#define RECORD_ROW(record, FIELDS, member)                                     \
	[HT_RECORD_##record] = {#record, record##_fields, &record##_blank,     \
				COUNT(record##_fields),                        \
				sizeof(struct ht_##record)},
const struct ht_record_type ht_record_types[HT_RECORD_COUNT] = {
	HT_SINGLE_RECORDS(RECORD_ROW) HT_LIST_RECORDS(RECORD_ROW)};

void ht_record_clear(enum ht_record_id id, void *record)
{
	const struct ht_record_type *type = &ht_record_types[id];

	memcpy(record, type->blank, type->size);
}
