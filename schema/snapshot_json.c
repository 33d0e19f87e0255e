/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/snapshot_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/line.h"

/* --- values -------------------------------------------------------------- */

json_t *ht_text_json(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *p = (const unsigned char *)text;
	HT_AUTO_FREE char *safe = malloc(strlen(text) * 3 + 1);
	char *to = safe;

	if (!safe)
		return NULL;
	while (*p) {
		size_t n = ht_utf8_length(p);

		if (n) {
			memcpy(to, p, n);
			to += n;
			p += n;
		} else {
			memcpy(to, replacement, 3);
			to += 3;
			p++;
		}
	}
	return json_stringn_nocheck(safe, (size_t)(to - safe));
}

json_t *ht_real_json(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *ht_optional_text_json(const char *text)
{
	return *text ? ht_text_json(text) : json_null();
}

json_t *ht_u64_json(uint64_t v)
{
	if (v == HT_UNKNOWN)
		return json_null();
	return v <= INT64_MAX ? json_integer((json_int_t)v)
			      : json_real((double)v);
}

json_t *ht_time_json(int64_t wall_ns)
{
	char text[HT_TIME_TEXT];

	if (wall_ns == 0)
		return json_null();
	ht_time_text(wall_ns, text);
	return json_string_nocheck(text);
}

static json_t *hex_json(uint64_t v)
{
	char text[24];

	if (v == HT_UNKNOWN)
		return json_null();
	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return json_string_nocheck(text);
}

static json_t *real_json(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

/* A value out of its table can only come from a newer writer: not known. */
static json_t *enum_json(const struct ht_field *f, uint64_t v)
{
	return v < f->names_count ? json_string_nocheck(f->names[v])
				  : json_null();
}

json_t *ht_field_json(const struct ht_field *f, const void *record)
{
	const char *at = (const char *)record + f->offset;
	uint64_t bits;
	int64_t time;
	double real;

	if (f->type == HT_T_TEXT)
		return *at ? ht_text_json(at) : json_null();
	memcpy(&bits, at, sizeof(bits));
	memcpy(&time, at, sizeof(time));
	memcpy(&real, at, sizeof(real));
	switch ((enum ht_type)f->type) {
	case HT_T_HEX:
		return hex_json(bits);
	case HT_T_BOOL:
		return bits == HT_UNKNOWN ? json_null() : json_boolean(bits);
	case HT_T_ENUM:
		return enum_json(f, bits);
	case HT_T_TIME:
		return ht_time_json(time);
	case HT_T_F64:
		return real_json(real);
	case HT_T_U64:
	case HT_T_TEXT:
		break;
	}
	return ht_u64_json(bits);
}

/* --- records ------------------------------------------------------------- */

static int add_fields(json_t *object, enum ht_record_id id, const void *record,
		      const char *skip)
{
	const struct ht_record_type *type = &ht_record_types[id];

	for (size_t i = 0; i < type->fields_count; i++) {
		const struct ht_field *f = &type->fields[i];

		if (skip && !strcmp(f->name, skip))
			continue;
		if (json_object_set_new(object, f->name,
					ht_field_json(f, record)) < 0)
			return -1;
	}
	return 0;
}

json_t *ht_record_json(enum ht_record_id id, const void *record,
		       const char *skip)
{
	json_t *object = json_object();

	if (object && add_fields(object, id, record, skip) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *list_json(struct ht_snapshot *s, enum ht_record_id id)
{
	json_t *list = json_array();

	for (size_t row = 0; list && row < ht_snapshot_count(s, id); row++)
		if (json_array_append_new(
			    list,
			    ht_record_json(id, ht_snapshot_row(s, id, row),
					   NULL)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *warnings_json(const struct ht_snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->warnings.n; i++)
		if (json_array_append_new(
			    list, ht_text_json(s->warnings.v[i].text)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* --- arenas with what belongs to them ------------------------------------ */

static json_t *pin_json(const struct ht_arena *a)
{
	if (a->pin_address == HT_UNKNOWN)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "address", hex_json(a->pin_address),
			 "size", ht_u64_json(a->pin_size), "holds",
			 ht_u64_json(a->pin_holds));
}

/* The contract has the pin as one object; the record has three fields. */
static json_t *arena_json(const struct ht_arena *a)
{
	json_t *object = ht_record_json(HT_RECORD_arena, a, NULL);

	if (!object)
		return NULL;
	json_object_del(object, "pin_address");
	json_object_del(object, "pin_size");
	json_object_del(object, "pin_holds");
	if (json_object_set_new(object, "heaps", json_array()) < 0 ||
	    json_object_set_new(object, "bins", json_array()) < 0 ||
	    json_object_set_new(object, "pin", pin_json(a)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Position of the arena with this index: the index itself but in odd rings. */
static size_t arena_position(const struct ht_snapshot *s, uint64_t index)
{
	if (index < s->arenas.n && s->arenas.v[index].index == index)
		return index;
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].index == index)
			return i;
	return SIZE_MAX;
}

static int nest(const struct ht_snapshot *s, json_t *arenas, const char *key,
		enum ht_record_id id, uint64_t arena, const void *record)
{
	size_t at = arena_position(s, arena);
	json_t *object;

	if (at == SIZE_MAX)
		return 0; /* a row of no arena has no place in this form */
	object = json_array_get(arenas, at);
	return json_array_append_new(json_object_get(object, key),
				     ht_record_json(id, record, "arena"));
}

static json_t *arenas_json(const struct ht_snapshot *s)
{
	json_t *list = json_array();
	int bad = list ? 0 : -1;

	for (size_t i = 0; !bad && i < s->arenas.n; i++)
		bad = json_array_append_new(list, arena_json(&s->arenas.v[i]));
	for (size_t i = 0; !bad && i < s->heaps.n; i++)
		bad = nest(s, list, "heaps", HT_RECORD_heap,
			   s->heaps.v[i].arena, &s->heaps.v[i]);
	for (size_t i = 0; !bad && i < s->bins.n; i++)
		bad = nest(s, list, "bins", HT_RECORD_bin, s->bins.v[i].arena,
			   &s->bins.v[i]);
	if (bad) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* --- the whole ----------------------------------------------------------- */

static const struct {
	const char *key;
	enum ht_record_id id;
} singles[] =
	{
		{"libc", HT_RECORD_libc},
		{"stop", HT_RECORD_stop},
		{"process", HT_RECORD_process},
		{"limits", HT_RECORD_limits},
		{"params", HT_RECORD_params},
		{"totals", HT_RECORD_totals},
		{"fragmentation", HT_RECORD_fragmentation},
		{"blocked", HT_RECORD_blocked},
},
  lists[] = {
	  {"rss_breakdown", HT_RECORD_rss_cause},
	  {"threads", HT_RECORD_thread},
	  {"size_classes", HT_RECORD_size_class},
	  {"mappings", HT_RECORD_mapping},
	  {"advice", HT_RECORD_advice},
	  {"findings", HT_RECORD_finding},
	  {"unknown", HT_RECORD_unknown},
	  {"quality", HT_RECORD_quality},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

json_t *ht_snapshot_json(const struct ht_snapshot *s)
{
	/* Row access is shared with writers, hence not const; nothing is
	 * changed. */
	struct ht_snapshot *rows = (struct ht_snapshot *)(uintptr_t)s;
	json_t *top = json_object();
	int bad;

	bad = json_object_set_new(top, "schema",
				  json_string(HT_SNAPSHOT_SCHEMA));
	bad = bad
		      ?: json_object_set_new(
				 top, "target",
				 ht_optional_text_json(s->head.comm));
	bad = bad ?: add_fields(top, HT_RECORD_head, &s->head, NULL);
	for (size_t i = 0; !bad && i < COUNT(singles); i++)
		bad = json_object_set_new(
			top, singles[i].key,
			ht_record_json(singles[i].id,
				       ht_snapshot_single(rows, singles[i].id),
				       NULL));
	bad = bad ?: json_object_set_new(top, "arenas", arenas_json(s));
	for (size_t i = 0; !bad && i < COUNT(lists); i++)
		bad = json_object_set_new(top, lists[i].key,
					  list_json(rows, lists[i].id));
	bad = bad ?: json_object_set_new(top, "warnings", warnings_json(s));
	if (bad) {
		json_decref(top);
		return NULL;
	}
	return top;
}
