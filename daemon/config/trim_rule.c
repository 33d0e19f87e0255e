/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/trim_rule.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/size.h"

#define FOR_NS	    (600 * HT_NS_PER_S)
#define EVERY_LEAST (60 * HT_NS_PER_S)
#define HOLD_MOST   (10 * HT_NS_PER_S)
#define ABOVE_LEAST (UINT64_C(1) << 20)

static enum ht_code no_rule(const char *what, const char *text,
			    struct ht_err *err)
{
	return ht_fail(
		err, HT_CONFIG,
		"%s in '%.60s': write 'when trimmable > 512M for 10m, at most every 1h, hold 50ms'",
		what, text);
}

/* The words of the text, commas gone. */
#define WORDS	   16
#define WORD_BYTES 24

static size_t split(const char *text, char words[WORDS][WORD_BYTES])
{
	size_t n = 0, len = 0;

	for (; *text; text++) {
		bool apart = isspace((unsigned char)*text) || *text == ',';

		if (!apart && n < WORDS && len < WORD_BYTES - 1) {
			words[n][len++] = *text;
			words[n][len] = '\0';
		} else if (!apart) {
			return 0;
		}
		if (apart && len > 0) {
			n++;
			len = 0;
		}
	}
	return n + (len > 0);
}

static const struct {
	const char *words[4]; /* before the time */
	size_t offset;
} clauses[] = {
	{{"for"}, offsetof(struct ht_trim_rule, for_ns)},
	{{"at", "most", "every"}, offsetof(struct ht_trim_rule, every_ns)},
	{{"every"}, offsetof(struct ht_trim_rule, every_ns)},
	{{"hold"}, offsetof(struct ht_trim_rule, hold_ns)},
};
#define CLAUSES (sizeof(clauses) / sizeof(clauses[0]))

/* Words that the clause took; 0: it is another one. */
static size_t take_clause(size_t clause, char words[WORDS][WORD_BYTES],
			  size_t at, size_t n, struct ht_trim_rule *r)
{
	size_t k = 0;
	int64_t ns;

	for (; k < 4 && clauses[clause].words[k]; k++)
		if (at + k >= n ||
		    strcasecmp(words[at + k], clauses[clause].words[k]) != 0)
			return 0;
	if (at + k >= n || ht_duration_parse(words[at + k], &ns) < 0)
		return 0;
	memcpy((char *)r + clauses[clause].offset, &ns, sizeof(ns));
	return k + 1;
}

static bool in_bounds(const struct ht_trim_rule *r)
{
	return r->above >= ABOVE_LEAST && r->for_ns >= 0 &&
	       r->every_ns >= EVERY_LEAST && r->hold_ns > 0 &&
	       r->hold_ns <= HOLD_MOST;
}

enum ht_code ht_trim_rule_parse(const char *text, struct ht_trim_rule *ret,
				struct ht_err *err)
{
	struct ht_trim_rule r = {.for_ns = FOR_NS,
				 .every_ns = 3600 * HT_NS_PER_S,
				 .hold_ns = 50 * HT_NS_PER_MS};
	char words[WORDS][WORD_BYTES] = {{0}};
	size_t n = split(text, words), at = 4;

	if (n < 4 || strcasecmp(words[0], "when") != 0 ||
	    strcasecmp(words[1], "trimmable") != 0 ||
	    strcmp(words[2], ">") != 0)
		return no_rule("no rule", text, err);
	if (ht_size_parse(words[3], &r.above) < 0)
		return no_rule("no size", text, err);
	while (at < n) {
		size_t took = 0;

		for (size_t c = 0; c < CLAUSES && !took; c++)
			took = take_clause(c, words, at, n, &r);
		if (!took)
			return no_rule("no time, or an unknown word,", text,
				       err);
		at += took;
	}
	if (!in_bounds(&r))
		return no_rule(
			"out of bounds (1M at least, every 1m at least, hold 10s at most)",
			text, err);
	*ret = r;
	return HT_OK;
}
