/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service: the processes that a name means. What shows a service (ls, top,
 * verdict, trend, report) shows all that run at the same time, a line each, and
 * their sum; what is of one process wants a pid or "#ID" where there are more.
 */
#ifndef HT_CLI_SERVICE_H
#define HT_CLI_SERVICE_H

#include "store/store.h"

/* The process runs on this machine now, as far as we can see it. */
bool ht_process_lives(const struct ht_store_process *p);

/* One of a service, with what is asked often. */
struct ht_member {
	struct ht_store_process process;
	bool lives;
};

/* Two of the same target or, where none is named, the same program, that run
 * now; or that ran at the same time for more than half of the shorter of both,
 * up to the same time: a restart lets the old process run on for a while only.
 */
bool ht_together(const struct ht_member *a, const struct ht_member *b);

struct ht_service {
	struct ht_member *member; /* the one that the word means first */
	size_t n;
};
void ht_service_fini(struct ht_service *s);
#define HT_AUTO_SERVICE HT_CLEANUP(ht_service_fini)

/* What a word means: one process where it is a pid or "#ID", else all that run
 * together with the newest of that name. HT_NODATA. ret: zeroed. */
enum ht_code ht_service_find(struct ht_store *store, const char *word,
			     struct ht_service *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* The one process that a word means. HT_USAGE names them where it means
 * several. */
enum ht_code ht_service_one(struct ht_store *store, const char *word,
			    struct ht_store_process *ret,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
