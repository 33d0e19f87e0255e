/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk: flags in the size word of a chunk (glibc malloc.c: PREV_INUSE,
 * IS_MMAPPED, NON_MAIN_ARENA, SIZE_BITS). Its header and least size are of the
 * layout: ht_chunk_header(), ht_chunk_min(). */
#ifndef HT_AGENT_LIBC_CHUNK_H
#define HT_AGENT_LIBC_CHUNK_H

#include <stdint.h>

#define HT_PREV_INUSE	  UINT64_C(1)
#define HT_IS_MMAPPED	  UINT64_C(2)
#define HT_NON_MAIN_ARENA UINT64_C(4)
#define HT_SIZE_FLAGS	  UINT64_C(7)

/* Of programs of 64 bits, where no layout is at hand (agent/who). */
#define HT_CHUNK64_HEADER 8u
#define HT_CHUNK64_MIN	  32u
#define HT_CHUNK64_ALIGN  16u

#endif
