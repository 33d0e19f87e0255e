/* SPDX-License-Identifier: Apache-2.0 */
/* Who text: which call stacks make a heap grow, as one line. */
#ifndef HT_ANALYSIS_WHO_TEXT_H
#define HT_ANALYSIS_WHO_TEXT_H

#include "analysis/verdict_json.h"
#include "analysis/who.h"

/* "`Session::open` < `accept_loop` (server.cc:21), 23 of 23 chunks alive after
 * 5m00s, 98 % of the growth; ..."; or that nobody is seen to, and why. */
void ht_who_text(const struct ht_snapshot *seen, const struct ht_who_judged *j,
		 char out[HT_HELD_BY_TEXT]);
/* "Session::open < accept_loop < main": what a site is called. */
void ht_who_site_name(const struct ht_snapshot *seen, size_t site,
		      char out[HT_HELD_BY_TEXT]);

#endif
