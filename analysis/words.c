/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/verdict_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"
#include "common/line.h"
#include "common/size.h"

#define SPAN_MAX_S 9000000000 /* as nanoseconds an int64_t */

void ht_say(struct ht_verdict *v, const char *fmt, ...)
{
	va_list args;

	if (v->evidence_n == HT_EVIDENCE_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(v->evidence[v->evidence_n++], sizeof(v->evidence[0]), fmt,
		  args);
	va_end(args);
}

void ht_said_again(struct ht_verdict *v)
{
	_Static_assert(HT_EVIDENCE_MAX <= 32, "a bit for each line");
	if (v->evidence_n)
		v->evidence_again |= UINT32_C(1) << (v->evidence_n - 1);
}

void ht_name_pid(struct ht_verdict *v, uint64_t pid)
{
	char text[sizeof(v->remedy)], number[24];

	if (!pid)
		return;
	snprintf(number, sizeof(number), "%" PRIu64, pid);
	for (size_t i = 0; i < v->evidence_n; i++) {
		ht_line_put(v->evidence[i], "PID", number, text,
			    sizeof(v->evidence[i]));
		memcpy(v->evidence[i], text, sizeof(v->evidence[i]));
	}
	ht_line_put(v->remedy, "PID", number, text, sizeof(text));
	memcpy(v->remedy, text, sizeof(v->remedy));
}

void ht_say_rise(struct ht_verdict *v)
{
	char text[240];

	ht_rise_text(&v->rise, text, sizeof(text));
	if (text[0])
		ht_say(v, "%s", text);
}

struct ht_word ht_bytes(double bytes)
{
	struct ht_word w;

	ht_size_text(isnan(bytes) || bytes < 0 ? HT_UNKNOWN : (uint64_t)bytes,
		     w.text, sizeof(w.text));
	return w;
}

struct ht_word ht_change(double bytes)
{
	struct ht_word size = ht_bytes(fabs(bytes)), w;

	snprintf(w.text, sizeof(w.text), "%c%.30s", bytes < 0 ? '-' : '+',
		 size.text);
	return w;
}

struct ht_word ht_span(double seconds)
{
	struct ht_word w = {"?"};

	if (seconds >= 0 && seconds < SPAN_MAX_S)
		ht_duration_text(llround(seconds * HT_NS_PER_S), w.text,
				 sizeof(w.text));
	return w;
}

const char *ht_confidence_word(double confidence)
{
	return confidence >= ht_t.confidence_high     ? "high"
	       : confidence >= ht_t.confidence_medium ? "medium"
						      : "low";
}

bool ht_verdict_grows(const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK || v->label == HT_LABEL_POOL_GROWTH ||
	       v->label == HT_LABEL_CACHE_WARMUP ||
	       (v->label == HT_LABEL_INSUFFICIENT_DATA &&
		v->why == HT_REASON_YOUNG);
}
