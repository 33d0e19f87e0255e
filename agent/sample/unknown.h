/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unknown: no figure is null without a word. Each that could not be had is
 * counted under its reason, with what would mend it.
 */
#ifndef HT_AGENT_SAMPLE_UNKNOWN_H
#define HT_AGENT_SAMPLE_UNKNOWN_H

#include "agent/sample/session.h"

/* Fills snapshot.unknown, and a warning for each row but where there is one
 * already. Opens nothing. */
void ht_unknown_note(const struct ht_session *s);

#endif
