/* SPDX-License-Identifier: Apache-2.0 */
/* The page size of the machines this runs on: x86 has one. */
#ifndef HT_AGENT_MEMORY_PAGE_H
#define HT_AGENT_MEMORY_PAGE_H

#include <stdint.h>

#define HT_PAGE_SIZE UINT64_C(4096)

#endif
