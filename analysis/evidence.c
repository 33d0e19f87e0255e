/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/judge.h"
#include <stdarg.h>
void ht_say(struct ht_verdict *v, const char *fmt, ...)
{
	va_list a;
	if (v->evidence_n == HT_EVIDENCE_MAX)
		return;
	va_start(a, fmt);
	vsnprintf(v->evidence[v->evidence_n++], sizeof(v->evidence[0]), fmt, a);
	va_end(a);
}
void ht_evidence(const struct ht_measure *m, const struct ht_snapshot *latest,
		 struct ht_verdict *v)
{
	(void)m;
	(void)latest;
	(void)v;
}
void ht_eta(const struct ht_measure *m, struct ht_verdict *v)
{
	(void)m;
	(void)v;
}
