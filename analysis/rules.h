/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules: when an alert begins and when it ends. Pure: time and figures come in,
 * what changed goes out; the daemon stores and sends it, `heaptide alerts
 * --test` replays history through the same code.
 *
 *            raised                 for + evaluations         clear, long
 * enough ok ------------------> pending --------------------> firing --------->
 * resolved
 *    ^------- not raised -----'        ^---- still held ----'
 *
 * Hysteresis: what raises an alert is `condition`; what keeps it firing is
 * `clear` (a lower level), and only after keep_firing_for below that it ends.
 * What cannot be told (unknown figures, too little data) changes nothing.
 */
#ifndef HT_ANALYSIS_RULES_H
#define HT_ANALYSIS_RULES_H

#include "analysis/condition.h"
#include "schema/alert.h"

struct ht_rule {
	char name[64];
	bool enabled;
	uint32_t labels;   /* bit per enum ht_label, 0: any verdict */
	double confidence; /* at least, if labels */
	struct ht_condition condition; /* empty: the verdict alone decides */
	struct ht_condition hold;      /* of `clear`, empty: see ease */
	double ease;		       /* clear = 80 %: 0.8 */
	uint32_t evaluations;	       /* in a row, at least */
	int64_t for_ns;
	int64_t keep_firing_ns;
	double minimum;	      /* bytes of anonymous memory, below: silent */
	bool keep_on_restart; /* else the process's end resolves it */
	char severity[16];    /* info, warning, critical */
	char targets[128];    /* glob over target names */
	char summary[160];
};

/* The shipped rules (rules.def). ret: room for ht_rules_default_count(). */
size_t ht_rules_default_count(void);
enum ht_code ht_rules_default(struct ht_rule *ret,
			      struct ht_err *err) HT_MUST_CHECK;
/* A rule with defaults and no question yet. */
void ht_rule_init(struct ht_rule *r, const char *name);

/* The i-th key; NULL after the last. */
const char *ht_rule_key(size_t i);

/* Sets one key by its text, as in [rule NAME]: verdict, confidence, condition,
 * clear, evaluations, for, keep_firing_for, minimum, on_restart, severity,
 * targets, summary, enabled. HT_CONFIG says what is wrong with the value;
 * HT_USAGE: no such key. */
enum ht_code ht_rule_set(struct ht_rule *r, const char *key, const char *value,
			 struct ht_err *err) HT_MUST_CHECK;
/* Whole rule from text "verdict=LEAK confidence=0.9" or a bare condition; for
 * --test. Entries are separated by ';'. */
enum ht_code ht_rule_parse(const char *text, struct ht_rule *ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* Refuses rules that ask nothing. */
enum ht_code ht_rule_check(const struct ht_rule *r,
			   struct ht_err *err) HT_MUST_CHECK;
bool ht_rule_concerns(const struct ht_rule *r, const char *target);

enum ht_alert_change {
	HT_CHANGE_NONE,
	HT_CHANGE_PENDING,
	HT_CHANGE_DROPPED, /* pending no more: never fired, forget it */
	HT_CHANGE_FIRING,
	HT_CHANGE_RESOLVED,
};

/* A new alert in state ok. process_key: "" for none. */
void ht_alert_init(struct ht_alert *a, const struct ht_rule *r,
		   const char *target, const char *process_key);
/* Asks the rule once and moves the alert. Fills id when it becomes pending. */
enum ht_alert_change ht_alert_step(struct ht_alert *a, const struct ht_rule *r,
				   const struct ht_situation *s);
/* The process ended: resolves or drops it, unless the rule keeps it. */
enum ht_alert_change ht_alert_end(struct ht_alert *a, const struct ht_rule *r,
				  int64_t now_ns);
const char *ht_alert_state_name(enum ht_alert_state state);

/* What the rule would have done over a series. each: called at every change. */
struct ht_replay {
	size_t asked, fired; /* evaluations, alerts that fired */
	int64_t firing_ns;   /* time spent firing */
};
enum ht_code ht_rule_replay(const struct ht_rule *r, const struct ht_series *s,
			    int64_t step_ns,
			    void (*each)(void *ctx, enum ht_alert_change change,
					 const struct ht_alert *a),
			    void *ctx, struct ht_replay *ret,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
