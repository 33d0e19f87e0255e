/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/flux.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/self/guard.h"

int flux_begin(struct flux *f, const char *threads, const char *kind,
	       const char *more)
{
	struct ht_err err;
	char line[80];

	f->target = HT_TARGET_NONE;
	f->program =
		program_start("flux", threads, "realloc", kind, more, NULL);
	if (!program_line(&f->program, line, sizeof(line), 80000) ||
	    sscanf(line, "ready %" SCNu64 " %" SCNu64, &f->low, &f->high) != 2)
		return -1;
	return ht_target_open_process(f->program.pid, &f->target, &err) !=
		       HT_OK ||
	       ht_target_locate(&f->target, false, NULL, &err) != HT_OK;
}

void flux_end(struct flux *f)
{
	ht_target_close(&f->target);
	program_end(&f->program);
}

enum ht_code flux_look(struct flux *f, uint64_t flags, void (*slow)(bool),
		       struct ht_snapshot *ret, struct ht_err *err)
{
	return flux_look_by(f, HT_MODE_NONE, flags, slow, ret, err);
}

enum ht_code flux_look_by(struct flux *f, uint64_t mode, uint64_t flags,
			  void (*slow)(bool), struct ht_snapshot *ret,
			  struct ht_err *err)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &f->target, .request = &request, .snapshot = ret};
	enum ht_code code;

	request.timeout_ms = FLUX_LIMIT_MS;
	request.mode = mode;
	request.flags |= flags;
	ht_snapshot_init(ret);
	ht_guard_alarm(FLUX_LIMIT_MS);
	slow(true);
	code = ht_session_sample(&session, err);
	slow(false);
	ht_guard_alarm(0);
	return code;
}

void flux_check(const struct flux *f, const struct ht_snapshot *s,
		const char *when)
{
	uint64_t doubt = s->stop.uncertain_bytes, in_use = s->totals.in_use;
	struct ht_err err;

	if (ht_snapshot_check(s, &err) != HT_OK)
		fail_msg("%s: %s", when, err.msg);
	if (s->findings.n > 0)
		fail_msg("%s: %s", when, s->findings.v[0].text);
	if (in_use != HT_UNKNOWN &&
	    (in_use + doubt < f->low || in_use > f->high + doubt))
		fail_msg("%s: in use %" PRIu64 ", uncertain %" PRIu64
			 ", not %" PRIu64 " to %" PRIu64,
			 when, in_use, doubt, f->low, f->high);
}

bool flux_says(const struct ht_snapshot *s, const char *warning)
{
	for (size_t i = 0; i < s->warnings.n; i++)
		if (strstr(s->warnings.v[i].text, warning))
			return true;
	return false;
}
