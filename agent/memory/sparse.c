/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/sparse.h"

#define SPAN_MOST      (UINT64_C(1) << 40)
#define QUESTIONS_MOST (UINT64_C(1) << 18)
#define BYTES_MOST     (UINT64_C(64) << 30) /* where 8 bytes are read a page */

static bool is_enough(const struct ht_sparse *s,
		      const struct ht_pages_source *pages)
{
	return s->questions > QUESTIONS_MOST ||
	       (!pages->has_scan && s->bytes > BYTES_MOST);
}

uint64_t ht_sparse_next(struct ht_sparse *s, struct ht_pages_source *pages,
			uint64_t at, uint64_t end)
{
	uint64_t span = HT_SPARSE_SPAN;

	while (at < end) {
		uint64_t to = end - at < span ? end : at + span;
		struct ht_page_tally t;

		if (is_enough(s, pages))
			return end;
		if (!ht_pages_tally(pages, at, to, true, &t))
			return at;
		s->questions++;
		s->bytes += to - at;
		if (t.anon + t.file + t.swapped == 0) {
			at = to;
			span *= span < SPAN_MOST ? 2 : 1;
		} else if (span == HT_SPARSE_SPAN) {
			break;
		} else {
			span /= 2;
		}
	}
	return at;
}
