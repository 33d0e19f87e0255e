/* SPDX-License-Identifier: Apache-2.0 */
/* Alert: one rule that holds (or held) for one process of one target. What is
 * stored, shown and sent; how it changes is in analysis/rules.h. */
#ifndef HT_SCHEMA_ALERT_H
#define HT_SCHEMA_ALERT_H

#include <stdint.h>

#define HT_ALERT_STATE_NAMES(X)                                                \
	X(OK, "ok")                                                            \
	X(PENDING, "pending") X(FIRING, "firing") X(RESOLVED, "resolved")
enum ht_alert_state {
#define HT_ALERT_STATE_ITEM(c, s) HT_ALERT_##c,
	HT_ALERT_STATE_NAMES(HT_ALERT_STATE_ITEM) HT_ALERT_STATE_COUNT
};

#define HT_SEVERITY_NAMES(X)                                                   \
	X(INFO, "info") X(WARNING, "warning") X(CRITICAL, "critical")
enum ht_severity {
#define HT_SEVERITY_ITEM(c, s) HT_SEVERITY_##c,
	HT_SEVERITY_NAMES(HT_SEVERITY_ITEM) HT_SEVERITY_COUNT
};
/* Least first; NULL behind the last. */
extern const char *const ht_severity_names[HT_SEVERITY_COUNT + 1];
/* What is none of them is critical. */
enum ht_severity ht_severity_of(const char *name);

struct ht_alert {
	char id[33]; /* stable for one time that it fires, hex */
	char rule[64];
	char target[128];
	char process_key[96]; /* boot id:pid:start ticks; survives our restart
			       */
	int64_t process_id;   /* in the store, 0: none */
	char severity[16];
	enum ht_alert_state state;
	int64_t pending_ns, firing_ns, resolved_ns; /* wall clock, 0: not yet */
	int64_t seen_ns;     /* last time that the rule was asked */
	int64_t clear_ns;    /* firing: no longer holds since, 0: holds */
	uint32_t hits;	     /* evaluations in a row that raised it */
	double value, level; /* of the first comparison, NaN: none */
	char summary[256];
	char evidence[2000]; /* lines */
};

#endif
