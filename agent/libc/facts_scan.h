/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scan: main_arena and mp_ in a file without symbols. main_arena's image is all
 * zeros but for `next`, which points to itself (a relative relocation, or a
 * plain word in a non-PIE program), and attached_threads == 1. mp_'s image has
 * its default thresholds. Either finding gives address and layout at once.
 */
#ifndef HT_AGENT_LIBC_FACTS_SCAN_H
#define HT_AGENT_LIBC_FACTS_SCAN_H

#include "agent/libc/elf.h"

/* Fill arena[], par[] and tpoff[] of ret. */
void ht_facts_scan_arenas(const struct ht_elf *e, struct ht_facts *ret);
void ht_facts_scan_pars(const struct ht_elf *e, struct ht_facts *ret);
void ht_facts_scan_tpoffs(const struct ht_elf *e, struct ht_facts *ret);

/* Both of them, and mp_, in a copy of a process's memory (HT_FACTS_LIVE). */
void ht_facts_scan_live(const struct ht_elf *e, struct ht_facts *ret);

#endif
