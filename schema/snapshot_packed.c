/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/snapshot_packed.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"
#include "schema/bytes.h"

/* Most bytes that a record of this type takes: no text is longer than its
 * field. */
static size_t most_of(const struct ht_record_type *type)
{
	return type->size + type->fields_count * (size_t)HT_BYTES_NUMBER;
}

/* Unknown, which is the largest of all, becomes 0. */
static uint8_t *put_field(uint8_t *at, const struct ht_field *f,
			  const char *record)
{
	uint64_t v;

	if (f->type == HT_T_TEXT) {
		size_t n = strnlen(record + f->offset, f->size);

		at = ht_bytes_put_at(at, n);
		memcpy(at, record + f->offset, n);
		return at + n;
	}
	memcpy(&v, record + f->offset, sizeof(v));
	return ht_bytes_put_at(at, v + 1);
}

static void put_row(struct ht_bytes_out *o, const struct ht_record_type *type,
		    const char *record)
{
	uint8_t *at = ht_bytes_room(o, most_of(type));

	if (!at)
		return;
	for (size_t i = 0; i < type->fields_count; i++)
		at = put_field(at, &type->fields[i], record);
	o->n = (size_t)(at - o->bytes);
}

static void get_field(struct ht_bytes_in *in, const struct ht_field *f,
		      char *record)
{
	uint64_t v = ht_bytes_get_number(in);

	if (f->type == HT_T_TEXT) {
		HT_ASSERT(v <= f->size);
		ht_bytes_get(in, record + f->offset, v);
		return;
	}
	v--;
	memcpy(record + f->offset, &v, sizeof(v));
}

/* Into room that the next one is likely to fit in, too. */
static bool keep(const struct ht_bytes_out *o, struct ht_snapshot_packed *ret)
{
	const size_t wanted = o->n + o->n / 32 + 32;

	if (o->n > ret->capacity || ret->capacity > wanted + wanted / 8) {
		uint8_t *fitting = realloc(ret->bytes, wanted);

		if (!fitting)
			return false;
		ret->bytes = fitting;
		ret->capacity = wanted;
	}
	memcpy(ret->bytes, o->bytes, o->n);
	ret->n = o->n;
	return true;
}

enum ht_code ht_snapshot_pack(const struct ht_snapshot *s,
			      struct ht_snapshot_packed *ret,
			      struct ht_err *err)
{
	/* Row access is shared with writers, hence not const. */
	struct ht_snapshot *from = (struct ht_snapshot *)(uintptr_t)s;
	struct ht_bytes_out o = {0};
	bool kept;

	ht_bytes_room(&o, ret->n); /* it is hardly ever longer than before */
	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		const size_t rows = ht_snapshot_count(from, id);

		ht_bytes_put_number(&o, rows);
		for (size_t row = 0; row < rows; row++)
			put_row(&o, &ht_record_types[id],
				ht_snapshot_row(from, id, row));
	}
	kept = !o.bad && keep(&o, ret);
	free(o.bytes);
	if (kept)
		return HT_OK;
	ht_snapshot_packed_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for a snapshot");
}

enum ht_code ht_snapshot_unpack(const struct ht_snapshot_packed *p,
				struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_bytes_in in = {p->bytes, p->bytes + p->n};

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		const struct ht_record_type *type = &ht_record_types[id];
		size_t rows = p->bytes ? ht_bytes_get_number(&in) : 0;

		ht_snapshot_cut(ret, id, 0);
		if (!ht_record_is_list(id))
			ht_record_clear(id, ht_snapshot_single(ret, id));
		for (size_t row = 0; row < rows; row++) {
			char *to = ht_record_is_list(id)
					   ? ht_snapshot_add(ret, id)
					   : ht_snapshot_single(ret, id);

			if (!to)
				return ht_fail(err, HT_NOMEM,
					       "no memory for a snapshot");
			for (size_t i = 0; i < type->fields_count; i++)
				get_field(&in, &type->fields[i], to);
		}
	}
	return HT_OK;
}

void ht_snapshot_packed_fini(struct ht_snapshot_packed *p)
{
	free(p->bytes);
	*p = (struct ht_snapshot_packed){0};
}
