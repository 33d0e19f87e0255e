/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: whom to ask when memory of a language's own heap or of another
 * allocator grows: what it holds is on none of malloc's lists. */
#ifndef HT_ANALYSIS_RUNTIMES_H
#define HT_ANALYSIS_RUNTIMES_H

/* Static string, as the end of a sentence; NULL: not the name of a runtime's
 * mapping as a snapshot has it ("CPython arenas (pymalloc)"). */
const char *ht_runtime_advice(const char *mapping);

#endif
