/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of /proc/PID/pagemap, one for each page (Linux
 * admin-guide/mm/pagemap.rst). */
#ifndef HT_AGENT_MEMORY_PAGEMAP_H
#define HT_AGENT_MEMORY_PAGEMAP_H

#include <stdint.h>
#include <sys/types.h>

#define HT_PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56) /* mapped once */
#define HT_PAGEMAP_FILE	     (UINT64_C(1) << 61) /* of a file, or shared */
#define HT_PAGEMAP_SWAPPED   (UINT64_C(1) << 62)
#define HT_PAGEMAP_PRESENT   (UINT64_C(1) << 63)

/* Opens /proc/PID/pagemap; -1 with errno, ENODATA when it has no entries. */
int ht_pagemap_open(pid_t pid);

#endif
