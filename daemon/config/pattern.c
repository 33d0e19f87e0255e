/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

/* A pattern of a few hundred characters takes a few KB, nested repetitions
 * tens of them (PCRE2 itself ends at 64 KB, but for builds with wide links). */
#define BLOCK_MAX ((size_t)128 << 10)
#define TEXT_MAX  1024 /* keys of the configuration are shorter */
/* Each state takes three: 680 of them. Time grows with the square of those
 * that are alive at once. */
#define WORKSPACE      4096
#define ASSERTIONS_MAX 200 /* each may read to the text's end */
#define DEPTH_MAX      20
#define HEAP_MAX_KIB   256

struct ht_pattern {
	pcre2_general_context *memory;
	pcre2_match_context *bounds;
	pcre2_match_data *data;
	pcre2_code *code;
	int workspace[WORKSPACE];
};

static void *take(size_t size, void *ctx)
{
	(void)ctx;
	return size > BLOCK_MAX ? NULL : malloc(size);
}

static void give_back(void *block, void *ctx)
{
	(void)ctx;
	free(block);
}

void ht_pattern_free(struct ht_pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_match_data_free(p->data);
	pcre2_match_context_free(p->bounds);
	pcre2_general_context_free(p->memory);
	free(p);
}

static struct ht_pattern *make(void)
{
	struct ht_pattern *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->memory = pcre2_general_context_create(take, give_back, NULL);
	p->bounds = pcre2_match_context_create(p->memory);
	p->data = pcre2_match_data_create(1, p->memory);
	if (!p->memory || !p->bounds || !p->data) {
		ht_pattern_free(p);
		return NULL;
	}
	pcre2_set_match_limit(p->bounds, ASSERTIONS_MAX);
	pcre2_set_depth_limit(p->bounds, DEPTH_MAX);
	pcre2_set_heap_limit(p->bounds, HEAP_MAX_KIB);
	return p;
}

/* As POSIX has them: "." is any byte, "$" the very end. */
static pcre2_code *compile(const struct ht_pattern *p, const char *text,
			   int *ret_error, size_t *ret_at)
{
	const uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
				 PCRE2_ANCHORED | PCRE2_NO_AUTO_CAPTURE |
				 PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF |
				 PCRE2_NEVER_UCP;
	pcre2_compile_context *c = pcre2_compile_context_create(p->memory);
	pcre2_code *code = NULL;

	*ret_error = PCRE2_ERROR_NOMEMORY;
	if (!c)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options,
			     ret_error, ret_at, c);
	pcre2_compile_context_free(c);
	return code;
}

static enum ht_code refuse(const char *text, int error, size_t at,
			   struct ht_err *err)
{
	PCRE2_UCHAR why[120];

	if (error == PCRE2_ERROR_NOMEMORY)
		return ht_fail(
			err, HT_CONFIG,
			"'%.60s' is too large a pattern: fewer and smaller repetitions",
			text);
	pcre2_get_error_message(error, why, sizeof(why));
	return ht_fail(err, HT_CONFIG,
		       "'%.60s' is no regular expression: %s, at character %zu",
		       text, (const char *)why, at + 1);
}

enum ht_code ht_pattern_compile(const char *text, struct ht_pattern **ret,
				struct ht_err *err)
{
	struct ht_pattern *p = make();
	char searching[TEXT_MAX + 16];
	pcre2_code *alone;
	uint32_t references = 0;
	int error, used;
	size_t at = 0;

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for a pattern");
	/* Alone first: its errors are the user's, with his positions. */
	alone = compile(p, text, &error, &at);
	if (alone)
		pcre2_pattern_info(alone, PCRE2_INFO_BACKREFMAX, &references);
	pcre2_code_free(alone);
	/* One pass finds it anywhere: all beginnings are states at once. */
	used = snprintf(searching, sizeof(searching), "(?:.*?)(?:%s)", text);
	if (alone && !references && used < (int)sizeof(searching))
		p->code = compile(p, searching, &error, &at);
	if (p->code) {
		*ret = p;
		return HT_OK;
	}
	ht_pattern_free(p);
	if (references)
		return ht_fail(
			err, HT_CONFIG,
			"'%.60s' refers back to a group: that is not possible here",
			text);
	if (used >= (int)sizeof(searching))
		error = PCRE2_ERROR_NOMEMORY;
	return refuse(text, error, at, err);
}

enum ht_pattern_answer ht_pattern_find(struct ht_pattern *p, const char *text,
				       size_t len)
{
	int found =
		pcre2_dfa_match(p->code, (PCRE2_SPTR)text, len, 0,
				PCRE2_DFA_SHORTEST | PCRE2_ANCHORED, p->data,
				p->bounds, p->workspace, WORKSPACE);

	if (found >= 0)
		return HT_PATTERN_YES;
	return found == PCRE2_ERROR_NOMATCH ? HT_PATTERN_NO
					    : HT_PATTERN_UNDECIDED;
}
