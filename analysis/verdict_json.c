/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/verdict_json.h"

#include <math.h>

#include "schema/snapshot_json.h"

static json_t *evidence_json(const struct ht_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->evidence_n; i++)
		json_array_append_new(list, ht_text_json(v->evidence[i]));
	return list;
}

/* Which lines of it other members tell as well: what shows those leaves them
 * out. */
static json_t *again_json(const struct ht_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->evidence_n; i++)
		if (v->evidence_again >> i & 1)
			json_array_append_new(list,
					      json_integer((json_int_t)i));
	return list;
}

static json_t *also_json(const struct ht_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->also_n; i++)
		json_array_append_new(list,
				      json_string(ht_label_names[v->also[i]]));
	return list;
}

/* Bytes are whole: what is unknown is null, and the parts add up. */
static json_t *whole(double bytes)
{
	return isnan(bytes) ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *rise_json(const struct ht_rise *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "rss", whole(r->rss),
			 "in_use", whole(r->in_use), "retained",
			 whole(r->retained), "outside_malloc",
			 whole(r->outside), "files", whole(r->files), "shared",
			 whole(r->shared));
}

static json_t *held_by_json(const struct ht_held_by *h)
{
	return h && h->at_ns
		       ? json_pack("{s:o, s:o}", "time", ht_time_json(h->at_ns),
				   "text", ht_text_json(h->text))
		       : json_null();
}

json_t *ht_verdict_json(const struct ht_verdict *v, const char *target,
			uint64_t pid, const struct ht_traced *traced)
{
	json_t *o = json_object();
	const struct {
		const char *key;
		json_t *value;
	} members[] = {
		{"schema", json_string(HT_VERDICT_SCHEMA)},
		{"target", ht_text_json(target)},
		{"pid", ht_u64_json(pid)},
		{"from", ht_time_json(v->from_ns)},
		{"to", ht_time_json(v->to_ns)},
		{"samples", json_integer((json_int_t)v->samples)},
		{"verdict", json_string(ht_label_names[v->label])},
		{"also", also_json(v)},
		{"confidence", ht_real_json(v->confidence)},
		{"confidence_word",
		 json_string(ht_confidence_word(v->confidence))},
		{"since", ht_time_json(v->since_ns)},
		{"reason", ht_optional_text_json(v->reason)},
		{"evidence", evidence_json(v)},
		{"evidence_again", again_json(v)},
		{"culprit", ht_optional_text_json(v->culprit)},
		{"culprit_class", ht_u64_json(v->culprit_class)},
		{"held_by", held_by_json(traced ? &traced->held : NULL)},
		{"made_by", held_by_json(traced ? &traced->made : NULL)},
		{"grown_type",
		 held_by_json(traced && ht_verdict_grows(v) ? &traced->grown
							    : NULL)},
		{"remedy", ht_optional_text_json(v->remedy)},
		{"remedy_bytes", ht_u64_json(v->remedy_bytes)},
		{"idle_floor", ht_u64_json(v->idle_floor)},
		{"slope_bytes_per_hour", ht_real_json(v->slope_bytes_per_hour)},
		{"period_s", ht_real_json(v->period_s)},
		{"limit_bytes", ht_u64_json(v->limit_bytes)},
		{"limit_count", ht_u64_json(v->limit_count)},
		{"limit_name", ht_optional_text_json(v->limit_name)},
		{"rss_rise", rise_json(&v->rise)},
		{"eta_limit_at", ht_time_json(v->eta_at_ns)},
		{"eta_limit_earliest", ht_time_json(v->eta_low_ns)},
		{"eta_limit_latest", ht_time_json(v->eta_high_ns)},
		/* Added by whoever has read more than one process's series. */
		{"pin", json_null()},
		{"family", json_null()},
	};
	bool failed = !o;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		failed |= json_object_set_new(o, members[i].key,
					      members[i].value) != 0;
	if (!failed)
		return o;
	json_decref(o);
	return NULL;
}
