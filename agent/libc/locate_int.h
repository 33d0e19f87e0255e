/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of locate: for locate*.c only. */
#ifndef HT_AGENT_LIBC_LOCATE_INT_H
#define HT_AGENT_LIBC_LOCATE_INT_H

#include "agent/libc/facts.h"
#include "agent/libc/image.h"
#include "agent/libc/locate.h"

/* One image that was looked into. */
struct ht_found {
	struct ht_image_at at;
	const struct ht_facts *facts; /* borrowed from the cache */
	uint64_t bias;		      /* address in the target - in the file */
	uint64_t end;		      /* of its last mapping, .bss included */
};

/* --- locate.c: where a file's addresses lie in the target ---------------- */

void ht_place_image(const struct ht_image_at *at, const struct ht_facts *x,
		    struct ht_found *ret);
/* Whether the file's build id is the one that the target has mapped; true where
 * there is nothing to compare. */
bool ht_is_same_build(const struct ht_locate_in *in, const struct ht_found *f);

/* --- locate_cache.c: facts of files, each parsed once -------------------- */

/* Facts of the file behind an image. debug: with its debug file, if there is
 * one. The result is borrowed until the cache is freed. */
enum ht_code ht_cache_facts(struct ht_locate_cache *c,
			    const struct ht_locate_in *in,
			    const struct ht_image_at *image, bool debug,
			    const struct ht_facts **ret,
			    struct ht_err *err) HT_MUST_CHECK;

/* --- locate_choose.c: which layout, where -------------------------------- */

/* Layout and addresses of the malloc in f, but for thread-local variables and
 * brk_end. HT_UNSUPPORTED says what was seen. */
enum ht_code ht_choose_malloc(const struct ht_locate_in *in,
			      const struct ht_found *f, struct ht_malloc *ret,
			      struct ht_snapshot *notes,
			      struct ht_err *err) HT_MUST_CHECK;

/* --- locate_dwarf.c: where no row of the tables fits --------------------- */

/* Whether symbols and debug information agree on where main_arena and mp_ are
 * and how large. */
bool ht_dwarf_suffices(const struct ht_facts *f);
/* The same as ht_choose_malloc() by debug information alone. HT_UNSUPPORTED
 * names what it lacks. */
enum ht_code ht_choose_by_dwarf(const struct ht_found *f, struct ht_malloc *ret,
				struct ht_snapshot *notes,
				struct ht_err *err) HT_MUST_CHECK;

/* --- locate_tls.c -------------------------------------------------------- */

/* Thread-local variables as far as the file tells: exact by symbol, else
 * candidates. */
void ht_tls_prepare(const struct ht_locate_in *in, const struct ht_found *f,
		    struct ht_malloc *m, struct ht_tls_search *search);

/* --- locate_verify.c ----------------------------------------------------- */

/* All arenas of a ring, main first, as far as it can be followed. Borrowed
 * array of *ret_n, to be freed. *ret_closed: it led back to main. */
enum ht_code ht_ring_read(const struct ht_malloc *m, struct ht_reader *r,
			  uint64_t **ret, size_t *ret_n, bool *ret_closed,
			  struct ht_err *err) HT_MUST_CHECK;

/* A member of a target struct, zero-extended. */
enum ht_code ht_member(struct ht_reader *r, uint64_t base, struct ht_place at,
		       uint64_t *ret, struct ht_err *err) HT_MUST_CHECK;

#endif
