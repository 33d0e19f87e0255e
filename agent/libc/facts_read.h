/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of facts: the record of facts.h from an ELF file, by all that knows a
 * part of it. */
#ifndef HT_AGENT_LIBC_FACTS_READ_H
#define HT_AGENT_LIBC_FACTS_READ_H

#include "agent/libc/elf.h"
#include "agent/libc/facts.h"

/* Parses fd (an ELF file, read-only) and debug_fd (its debug file, or -1).
 * want: enum ht_facts_want. HT_UNSUPPORTED: not an ELF file for x86-64 or i386.
 * Descriptors are borrowed. */
enum ht_code ht_facts_read(int fd, int debug_fd, unsigned want,
			   struct ht_facts *ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* build_id and debuglink of ret. */
void ht_facts_build(const struct ht_elf *e, struct ht_facts *ret);

#endif
