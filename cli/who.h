/* SPDX-License-Identifier: Apache-2.0 */
/* Who: the sites that allocate what stays, as text, JSON and collapsed stacks.
 */
#ifndef HT_CLI_WHO_H
#define HT_CLI_WHO_H

#include <jansson.h>

#include "analysis/who.h"
#include "cli/commands.h"

struct ht_who_told {
	const struct ht_snapshot *seen;
	const struct ht_who_judged *judged;
	const char *ended; /* why it ended before its time; "" */
};

#define HT_FRAME_TEXT 360
/* A frame's function, demangled; module and offset where none is known. Returns
 * out. */
const char *ht_frame_name(const struct ht_stack_frame *f,
			  char out[HT_FRAME_TEXT]);

void ht_who_print(const struct ht_cli *cli, const struct ht_who_told *w);
/* heaptide.who/1; NULL: no memory. */
json_t *ht_who_json(const struct ht_who_told *w);
/* One line a site: "outermost;...;innermost BYTES", of what stays; flamegraph
 * and speedscope take it. */
void ht_who_collapsed(const struct ht_who_told *w);

#endif
