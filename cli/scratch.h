/* SPDX-License-Identifier: Apache-2.0 */
/* Scratch: a folder of our own for a record that has no other place. */
#ifndef HT_CLI_SCRATCH_H
#define HT_CLI_SCRATCH_H

#include "common/cleanup.h"
#include "common/err.h"

struct ht_scratch {
	char folder[256]; /* "": none */
	char file[300];	  /* of the record in it */
};

/* A new folder in $TMPDIR or /tmp that no one else may enter. */
enum ht_code ht_scratch_init(struct ht_scratch *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Removes it with the record; does nothing when there is none. */
void ht_scratch_fini(struct ht_scratch *s);
#define HT_AUTO_SCRATCH HT_CLEANUP(ht_scratch_fini)

/* Removes a record and what SQLite keeps beside it. */
void ht_scratch_remove(const char *file);

#endif
