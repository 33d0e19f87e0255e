/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/snapshot_packed.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"
#include "schema/bytes.h"

/* Unknown, which is the largest of all, becomes 0. */
static void put_field(struct ht_bytes_out *o, const struct ht_field *f,
		      const char *record)
{
	uint64_t v;

	if (f->type == HT_T_TEXT) {
		size_t n = strnlen(record + f->offset, f->size);

		ht_bytes_put_number(o, n);
		ht_bytes_put(o, record + f->offset, n);
		return;
	}
	memcpy(&v, record + f->offset, sizeof(v));
	ht_bytes_put_number(o, v + 1);
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

/* Room that the next one is likely to fit in, too; much more is given back. */
static void fit(struct ht_bytes_out *o)
{
	const size_t wanted = o->n + o->n / 32 + 32;
	uint8_t *fitting = NULL;

	if (o->capacity > wanted + wanted / 8)
		fitting = realloc(o->bytes, wanted);
	if (!fitting)
		return;
	o->bytes = fitting;
	o->capacity = wanted;
}

enum ht_code ht_snapshot_pack(const struct ht_snapshot *s,
			      struct ht_snapshot_packed *ret,
			      struct ht_err *err)
{
	/* Row access is shared with writers, hence not const. */
	struct ht_snapshot *from = (struct ht_snapshot *)(uintptr_t)s;
	struct ht_bytes_out o = {.bytes = ret->bytes,
				 .capacity = ret->capacity};

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		const struct ht_record_type *type = &ht_record_types[id];
		const size_t rows = ht_snapshot_count(from, id);

		ht_bytes_put_number(&o, rows);
		for (size_t row = 0; row < rows; row++)
			for (size_t i = 0; i < type->fields_count; i++)
				put_field(&o, &type->fields[i],
					  ht_snapshot_row(from, id, row));
	}
	*ret = (struct ht_snapshot_packed){0};
	if (o.bad) {
		free(o.bytes);
		return ht_fail(err, HT_NOMEM, "no memory for a snapshot");
	}
	fit(&o);
	*ret = (struct ht_snapshot_packed){o.bytes, o.n, o.capacity};
	return HT_OK;
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
