/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/record_types.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

#define EVERY_NS   (60 * HT_NS_PER_S)
#define MEMORY_MAX (UINT64_C(128) << 20) /* of the agent, for the graph */

struct ht_record_types ht_record_types_of(const struct ht_options *o)
{
	struct ht_record_types t = {.every_ns = o->types_every_ns};

	if (o->types && !t.every_ns)
		t.every_ns = EVERY_NS;
	return t;
}

bool ht_record_types_due(const struct ht_record_types *t, int64_t now_ns)
{
	return t->every_ns &&
	       (!t->asked_ns || now_ns - t->asked_ns >= t->every_ns);
}

enum ht_code ht_record_types_measure(struct ht_record_types *t,
				     const char *agent, pid_t pid,
				     const struct ht_request *like,
				     struct ht_snapshot *ret,
				     struct ht_err *err)
{
	HT_AUTO_CLIENT struct ht_client client = HT_CLIENT_NONE;
	struct ht_request request = *like;
	enum ht_code code;

	request.mode = HT_MODE_SNAPSHOT;
	request.flags |= HT_WANT_TYPES | HT_LAST_REQUEST;
	request.flags &= ~(uint64_t)HT_LOOK_LIGHTLY;
	request.attempts = HT_GRAPH_ATTEMPTS;
	request.memory_max = MEMORY_MAX;
	t->asked_ns = ht_mono_ns();
	code = ht_client_start(agent, pid, NULL, &client, err);
	if (code == HT_OK)
		code = ht_client_sample(&client, &request, ret, NULL, NULL,
					err);
	if (code == HT_OK) {
		t->looks += ret->graphs.n > 0;
		t->refused = 0;
		return HT_OK;
	}
	t->refused++;
	t->refusals++;
	snprintf(t->why, sizeof(t->why), "%.*s", (int)sizeof(t->why) - 1,
		 err->msg);
	return code;
}

void ht_record_types_text(const struct ht_record_types *t, char *out,
			  size_t size)
{
	int n = 0;

	*out = '\0';
	if (!t->every_ns)
		return;
	n = snprintf(out, size, "; types at %" PRIu64 " of them", t->looks);
	if (t->refusals && (size_t)n < size)
		snprintf(out + n, size - (size_t)n,
			 ", refused %" PRIu64 " times, the last one: %s",
			 t->refusals, t->why);
}
