/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flux: a program whose heap never rests (targets/flux.c), looked at by a look
 * whose time limit may come before all is read, and what that must say.
 */
#ifndef HT_TESTS_FLUX_H
#define HT_TESTS_FLUX_H

#include <stdbool.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "common/clock.h"
#include "tests/lib/target.h"

#define FLUX_LIMIT_MS 60000
#define FLUX_LIMIT_NS (FLUX_LIMIT_MS * HT_NS_PER_MS)

struct flux {
	struct program program;
	struct ht_target target;
	uint64_t low, high; /* what is in use of it */
};

/* kind, more: how its heap changes; more may be NULL. Nonzero: it could not be
 * started, or looked at. */
int flux_begin(struct flux *f, const char *threads, const char *kind,
	       const char *more);
void flux_end(struct flux *f);
/* slow(true) is called right before the look, slow(false) right after it. */
enum ht_code flux_look_by(struct flux *f, uint64_t mode, uint64_t flags,
			  void (*slow)(bool), struct ht_snapshot *ret,
			  struct ht_err *err);
/* The same in the default mode. */
enum ht_code flux_look(struct flux *f, uint64_t flags, void (*slow)(bool),
		       struct ht_snapshot *ret, struct ht_err *err);
/* What was read is sound, is no damage, and with what is uncertain is not
 * wrong. when: for who reads of a failure. */
void flux_check(const struct flux *f, const struct ht_snapshot *s,
		const char *when);
bool flux_says(const struct ht_snapshot *s, const char *warning);

#endif
