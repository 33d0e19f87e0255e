/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Site changes: whose call stacks made a heap grow in two stretches of a
 * history, side by side, as a daemon found them out (who = on-leak). A site is
 * told by its innermost functions, so that it is the same one in another life
 * and in another build.
 */
#ifndef HT_CLI_SITE_CHANGES_H
#define HT_CLI_SITE_CHANGES_H

#include <jansson.h>

#include "analysis/verdict_json.h"
#include "cli/commands.h"
#include "store/who.h"

#define HT_SITE_SIZES 16

struct ht_site_side {
	/* Bytes a second that it made the heap grow by, the mean of the answers
	 * that saw it. 0: it was looked for and not seen. NaN: nobody looked
	 * for its sizes, or it was not known. */
	double bytes_per_s;
	uint64_t samples, alive, freed; /* of all answers */
	int leaking; /* as the newest answer said; -1: not sure, or not seen */
	unsigned seen; /* by so many answers */
	int64_t at_ns; /* the newest of them */
};

struct ht_site_change {
	char name[HT_HELD_BY_TEXT];
	uint64_t asked; /* the class in which it was first seen; 0: all */
	struct ht_site_side side[2];
};

struct ht_site_changes {
	struct ht_site_change *v; /* what changed most first */
	size_t n;
	struct ht_site_answers {
		size_t n;
		bool all; /* some answer was about all sizes */
		uint64_t size[HT_SITE_SIZES]; /* classes, the others */
		size_t sizes;
		int64_t at_ns; /* of the newest */
	} answers[2];
};

void ht_site_changes_fini(struct ht_site_changes *c);
#define HT_AUTO_SITE_CHANGES HT_CLEANUP(ht_site_changes_fini)

/* Adds the answers of a process in [from, to] to side 0 or 1. ret: zeroed at
 * first. */
enum ht_code ht_site_changes_add(struct ht_store *store, int64_t process_id,
				 int64_t from_ns, int64_t to_ns, int side,
				 struct ht_site_changes *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* When both sides are added: means and order. */
void ht_site_changes_end(struct ht_site_changes *c);
json_t *ht_site_changes_json(const struct ht_site_changes *c);
/* A table of what makes the heap grow in either; nothing where nobody was
 * asked. labels: of the sides. */
enum ht_code ht_site_changes_print(const struct ht_cli *cli,
				   const struct ht_site_changes *c,
				   const char *const labels[2],
				   struct ht_err *err) HT_MUST_CHECK;

#endif
