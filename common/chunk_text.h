/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk sizes in people's terms: what a program asked malloc for. */
#ifndef HT_COMMON_CHUNK_TEXT_H
#define HT_COMMON_CHUNK_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define HT_CHUNK_TEXT 80

/* The requests that get a chunk of this size (glibc malloc.c: request2size; a
 * chunk is the request and one word more, in steps of MALLOC_ALIGNMENT). arch:
 * "x86_64"; of others, and above 1040, where a class has many sizes: false. */
bool ht_chunk_requests(uint64_t size, const char *arch, uint64_t *ret_least,
		       uint64_t *ret_most);
/* "224 B chunks (malloc of 201 to 216 bytes)"; "mmapped chunks" for size 0,
 * "chunks of many sizes" for HT_UNKNOWN. Returns out. */
const char *ht_chunk_text(uint64_t size, const char *arch,
			  char out[HT_CHUNK_TEXT]);

#endif
