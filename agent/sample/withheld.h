/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Withheld: memory of a target under userfaultfd (agent/memory/vmflags.h).
 * Nobody asks for it before something of malloc's was to be read where no page
 * is; then smaps says whose that page is, and what was read is read again.
 */
#ifndef HT_AGENT_SAMPLE_WITHHELD_H
#define HT_AGENT_SAMPLE_WITHHELD_H

#include "agent/sample/target.h"

/* Before the first read of a sample. */
void ht_withheld_heed(struct ht_target *t);
/* true: some memory is withheld, which was not known when it was read. Opens
 * nothing. */
bool ht_withheld_learn(struct ht_target *t);
/* How much was not read. */
void ht_withheld_warn(const struct ht_target *t, struct ht_snapshot *out);

#endif
