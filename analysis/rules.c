/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/rules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"
#include "common/near.h"

struct shipped {
	const char *name, *verdict;
	double confidence;
	const char *condition;
	uint32_t evaluations;
	const char *for_, *clear, *keep, *minimum, *severity, *summary;
};
static const struct shipped shipped[] = {
#define HT_RULE(name, verdict, ...) {#name, verdict, __VA_ARGS__},
#include "analysis/rules.def"
#undef HT_RULE
};

static enum ht_code set_text(char *to, size_t len, const char *value,
			     struct ht_err *err)
{
	if (strlen(value) >= len)
		return ht_fail(err, HT_CONFIG, "longer than %zu bytes",
			       len - 1);
	strcpy(to, value);
	return HT_OK;
}

static enum ht_code set_duration(int64_t *to, const char *value,
				 struct ht_err *err)
{
	if (strcmp(value, "0") == 0)
		*to = 0;
	else if (ht_duration_parse(value, to) < 0)
		return ht_fail(err, HT_CONFIG,
			       "'%s' is no duration: write 30s, 10m, 2h or 1d",
			       value);
	return HT_OK;
}

static enum ht_code set_number(double *to, const char *value, double low,
			       double high, struct ht_err *err)
{
	char *end;
	double v = strtod(value, &end);

	if (end != value && *end == '%') {
		v /= 100;
		end++;
	}
	if (end == value || *end || !(v >= low && v <= high))
		return ht_fail(err, HT_CONFIG, "'%s' is not between %g and %g",
			       value, low, high);
	*to = v;
	return HT_OK;
}

static const char *label_at(const void *ctx, size_t i)
{
	(void)ctx;
	return i < HT_LABEL_COUNT ? ht_label_names[i] : NULL;
}

static enum ht_code set_labels(struct ht_rule *r, const char *value,
			       struct ht_err *err)
{
	char words[256], near[HT_NEAR_TEXT];
	char *rest = words;
	enum ht_code code = set_text(words, sizeof(words), value, err);

	if (code != HT_OK)
		return code;
	r->labels = 0;
	for (char *w; (w = strsep(&rest, " ,|")) != NULL;) {
		size_t i = 0;

		if (!*w)
			continue;
		while (i < HT_LABEL_COUNT && strcmp(ht_label_names[i], w) != 0)
			i++;
		if (i == HT_LABEL_COUNT)
			return ht_fail(
				err, HT_CONFIG,
				"'%.40s' is no verdict%s: LEAK, POOL_GROWTH, FRAGMENTATION, ...: see heaptide(1)",
				w,
				ht_near_text(ht_near(w, label_at, NULL), near));
		r->labels |= 1u << i;
	}
	return HT_OK;
}

static enum ht_code set_verdict(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	return set_labels(r, v, err);
}

static enum ht_code set_confidence(struct ht_rule *r, const char *v,
				   struct ht_err *err)
{
	return set_number(&r->confidence, v, 0, 1, err);
}

static enum ht_code set_condition(struct ht_rule *r, const char *v,
				  struct ht_err *err)
{
	if (!*v) {
		r->condition = (struct ht_condition){0};
		return HT_OK;
	}
	return ht_condition_parse(v, &r->condition, err);
}

static enum ht_code set_clear(struct ht_rule *r, const char *v,
			      struct ht_err *err)
{
	size_t n = strlen(v);

	r->hold = (struct ht_condition){0};
	r->ease = 1;
	if (n == 0)
		return HT_OK;
	if (v[n - 1] == '%' && strspn(v, "0123456789.%") == n)
		return set_number(&r->ease, v, ht_t.ease_least, 1, err);
	return ht_condition_parse(v, &r->hold, err);
}

static enum ht_code set_evaluations(struct ht_rule *r, const char *v,
				    struct ht_err *err)
{
	double n;
	enum ht_code code = set_number(&n, v, 1, 1000, err);

	if (code == HT_OK)
		r->evaluations = (uint32_t)n;
	return code;
}

static enum ht_code set_for(struct ht_rule *r, const char *v,
			    struct ht_err *err)
{
	return set_duration(&r->for_ns, v, err);
}

static enum ht_code set_keep(struct ht_rule *r, const char *v,
			     struct ht_err *err)
{
	return set_duration(&r->keep_firing_ns, v, err);
}

static enum ht_code set_minimum(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	struct ht_condition c;
	char text[64];

	/* the unit table is the conditions' */
	snprintf(text, sizeof(text), "anon >= %.40s", v);
	if (ht_condition_parse(text, &c, NULL) != HT_OK || c.ops_n != 3)
		return ht_fail(err, HT_CONFIG, "'%.40s' is no size: write 64M",
			       v);
	r->minimum = c.ops[1].number;
	return HT_OK;
}

static enum ht_code set_choice(const char *v, const char *const *choices,
			       size_t *ret, struct ht_err *err)
{
	char all[80] = "";

	for (size_t i = 0; choices[i]; i++) {
		if (strcmp(v, choices[i]) == 0) {
			*ret = i;
			return HT_OK;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			 i ? ", " : "", choices[i]);
	}
	return ht_fail(err, HT_CONFIG, "'%.40s' is none of: %s", v, all);
}

static enum ht_code set_restart(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	static const char *const choices[] = {"resolve", "keep", NULL};
	size_t i;
	enum ht_code code = set_choice(v, choices, &i, err);

	if (code == HT_OK)
		r->keep_on_restart = i == 1;
	return code;
}

static enum ht_code set_severity(struct ht_rule *r, const char *v,
				 struct ht_err *err)
{
	size_t i;
	enum ht_code code = set_choice(v, ht_severity_names, &i, err);

	return code == HT_OK
		       ? set_text(r->severity, sizeof(r->severity), v, err)
		       : code;
}

static enum ht_code set_enabled(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	static const char *const choices[] = {"no", "yes", NULL};
	size_t i;
	enum ht_code code = set_choice(v, choices, &i, err);

	if (code == HT_OK)
		r->enabled = i == 1;
	return code;
}

static enum ht_code set_targets(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	return set_text(r->targets, sizeof(r->targets), v, err);
}

static enum ht_code set_summary(struct ht_rule *r, const char *v,
				struct ht_err *err)
{
	return set_text(r->summary, sizeof(r->summary), v, err);
}

static const struct {
	const char *key;
	enum ht_code (*set)(struct ht_rule *r, const char *v,
			    struct ht_err *err);
} keys[] = {
	{"verdict", set_verdict},	  {"confidence", set_confidence},
	{"condition", set_condition},	  {"clear", set_clear},
	{"evaluations", set_evaluations}, {"for", set_for},
	{"keep_firing_for", set_keep},	  {"minimum", set_minimum},
	{"on_restart", set_restart},	  {"severity", set_severity},
	{"targets", set_targets},	  {"summary", set_summary},
	{"enabled", set_enabled},
};

const char *ht_rule_key(size_t i)
{
	return i < sizeof(keys) / sizeof(*keys) ? keys[i].key : NULL;
}

enum ht_code ht_rule_set(struct ht_rule *r, const char *key, const char *value,
			 struct ht_err *err)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(key, keys[i].key) == 0)
			return keys[i].set(r, value, err);
	}
	return ht_fail(err, HT_USAGE, "a rule has no key '%.40s'", key);
}

void ht_rule_init(struct ht_rule *r, const char *name)
{
	*r = (struct ht_rule){
		.enabled = true,
		.confidence = ht_t.rule_confidence,
		.ease = 1,
		.evaluations = 1,
		.minimum = 0x1p26, /* 64 MiB */
		.severity = "warning",
		.targets = "*",
	};
	snprintf(r->name, sizeof(r->name), "%s", name);
}

size_t ht_rules_default_count(void)
{
	return sizeof(shipped) / sizeof(*shipped);
}

static enum ht_code ship(const struct shipped *from, struct ht_rule *r,
			 struct ht_err *err)
{
	const char *pairs[][2] = {
		{"verdict", from->verdict},
		{"condition", from->condition},
		{"for", from->for_},
		{"clear", from->clear},
		{"keep_firing_for", from->keep},
		{"minimum", from->minimum},
		{"severity", from->severity},
		{"summary", from->summary},
	};
	enum ht_code code = HT_OK;

	ht_rule_init(r, from->name);
	r->confidence = from->confidence;
	r->evaluations = from->evaluations;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs) && code == HT_OK;
	     i++)
		code = ht_rule_set(r, pairs[i][0], pairs[i][1], err);
	return code;
}

enum ht_code ht_rules_default(struct ht_rule *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < ht_rules_default_count() && code == HT_OK; i++) {
		code = ship(&shipped[i], &ret[i], err);
		if (code != HT_OK)
			ht_err_in(err, "rule %s", shipped[i].name);
	}
	return code;
}

enum ht_code ht_rule_check(const struct ht_rule *r, struct ht_err *err)
{
	if (r->labels == 0 && r->condition.ops_n == 0)
		return ht_fail(
			err, HT_CONFIG,
			"rule %s asks nothing: give it a verdict or a condition",
			r->name);
	return HT_OK;
}

bool ht_rule_concerns(const struct ht_rule *r, const char *target)
{
	return r->enabled && fnmatch(r->targets, target, 0) == 0;
}

static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n > 0 && strchr(" \t", text[n - 1]))
		text[--n] = '\0';
	return text;
}

enum ht_code ht_rule_parse(const char *text, struct ht_rule *ret,
			   struct ht_err *err)
{
	struct ht_rule r;
	char copy[1024];
	char *rest = copy;
	enum ht_code code = set_text(copy, sizeof(copy), text, err);

	ht_rule_init(&r, "test");
	for (char *part;
	     code == HT_OK && (part = strsep(&rest, ";")) != NULL;) {
		char *equals = part + strcspn(part, "=<>");

		part = trim(part);
		if (!*part)
			continue;
		if (*equals != '=') { /* not key = value: a bare condition */
			code = ht_rule_set(&r, "condition", part, err);
			continue;
		}
		*equals = '\0';
		code = ht_rule_set(&r, trim(part), trim(equals + 1), err);
	}
	if (code == HT_OK)
		code = ht_rule_check(&r, err);
	if (code == HT_OK)
		*ret = r;
	return code;
}
