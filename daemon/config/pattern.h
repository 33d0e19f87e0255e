/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pattern: a regular expression over text that strangers write (a process's
 * command line), given by whoever may use the control socket. Neither side can
 * hold the loop or take memory: PCRE2's matcher without backtracking, one pass
 * over the text, with a fixed workspace; a pattern's compiled form is bounded
 * as well. Perl's syntax, of which POSIX's extended one is a part but for
 * back-references, which are refused. See docs/adr/0018.
 */
#ifndef HT_DAEMON_CONFIG_PATTERN_H
#define HT_DAEMON_CONFIG_PATTERN_H

#include <stddef.h>

#include "common/err.h"

struct ht_pattern; /* opaque */

enum ht_pattern_answer {
	HT_PATTERN_NO,
	HT_PATTERN_YES,
	HT_PATTERN_UNDECIDED, /* a bound was reached first */
};

/* HT_CONFIG says what is wrong with the text and at which character. The
 * result is the caller's, to be freed. */
enum ht_code ht_pattern_compile(const char *text, struct ht_pattern **ret,
				struct ht_err *err) HT_MUST_CHECK;
/* Whether it is found anywhere in the text. */
enum ht_pattern_answer ht_pattern_find(struct ht_pattern *p, const char *text,
				       size_t len);
void ht_pattern_free(struct ht_pattern *p); /* NULL: nothing */

#endif
