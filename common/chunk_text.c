/* SPDX-License-Identifier: Apache-2.0 */
#include "common/chunk_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD	  8u
#define ALIGN	  16u
#define LEAST	  32u	/* MINSIZE */
#define EXACT_MAX 1040u /* larger classes have many sizes */

bool ht_chunk_requests(uint64_t size, const char *arch, uint64_t *ret_least,
		       uint64_t *ret_most)
{
	if (strcmp(arch, "x86_64") != 0 || size < LEAST || size > EXACT_MAX ||
	    size % ALIGN)
		return false;
	*ret_least = size == LEAST ? 0 : size - ALIGN - WORD + 1;
	*ret_most = size - WORD;
	return true;
}

const char *ht_chunk_text(uint64_t size, const char *arch,
			  char out[HT_CHUNK_TEXT])
{
	uint64_t least, most;

	if (size == UINT64_MAX)
		snprintf(out, HT_CHUNK_TEXT, "chunks of other sizes");
	else if (size == 0)
		snprintf(out, HT_CHUNK_TEXT, "mmapped chunks");
	else if (ht_chunk_requests(size, arch, &least, &most))
		snprintf(out, HT_CHUNK_TEXT,
			 "%" PRIu64 " B chunks (malloc of %" PRIu64
			 " to %" PRIu64 " bytes)",
			 size, least, most);
	else if (size > EXACT_MAX)
		snprintf(out, HT_CHUNK_TEXT, "chunks of up to %" PRIu64 " B",
			 size);
	else
		snprintf(out, HT_CHUNK_TEXT, "%" PRIu64 " B chunks", size);
	return out;
}
