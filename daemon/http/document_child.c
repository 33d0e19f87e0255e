/* SPDX-License-Identifier: Apache-2.0 */
/* The child that makes a document: see documents.h. It can read the store and
 * write what it was given, and uses no more than it needs. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/system.h"
#include "daemon/http/documents.h"
#include "page/page.h"

#define NICE	   10
#define CPU_S	   8
#define BYTES_MAX  (UINT64_C(64) << 20) /* of a document */
#define MEMORY_MAX (UINT64_C(1) << 30)
#define SEEN_NS	   (86400 * HT_NS_PER_S) /* targets of the last day */
#define JUDGE_NS   HT_NS_PER_S		 /* those without a verdict */

static void limit(__rlimit_resource_t what, uint64_t to)
{
	const struct rlimit l = {to, to};

	setrlimit(what, &l);
}

static void bound_self(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, NICE);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CPU_S);
	limit(RLIMIT_FSIZE, BYTES_MAX);
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
	limit(RLIMIT_DATA, MEMORY_MAX);
#endif
}

static const char *page_of(void *ctx, const struct ht_store_process *p)
{
	char *address = ctx;

	snprintf(address, 32, "p/%" PRId64, p->id);
	return address;
}

static enum ht_code make_index(struct ht_store *store, json_t **ret,
			       struct ht_err *err)
{
	char address[32];
	const struct ht_page_index_ask ask = {.since_ns =
						      ht_wall_ns() - SEEN_NS,
					      .budget_ns = JUDGE_NS,
					      .page = page_of,
					      .ctx = address};

	return ht_page_index(store, &ask, ret, err);
}

static enum ht_code make_page(struct ht_store *store, int64_t id, json_t **ret,
			      struct ht_err *err)
{
	const struct ht_page_ask ask = {.since_ns = 0};
	HT_AUTO_PAGE struct ht_page page;
	struct ht_store_process process;
	char word[24];
	enum ht_code code;

	ht_page_init(&page);
	snprintf(word, sizeof(word), "#%" PRId64, id);
	code = ht_store_find(store, word, &process, err);
	if (code == HT_OK)
		code = ht_page_read(store, &process, &ask, &page, err);
	if (code != HT_OK)
		return code;
	*ret = ht_page_json(&page);
	return *ret ? HT_OK : ht_fail(err, HT_NOMEM, "out of memory");
}

static enum ht_code make(const char *path, int64_t id, json_t **ret,
			 struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_store_open(path, HT_STORE_READ, &store, err);

	if (code != HT_OK)
		return code;
	return id ? make_page(store, id, ret, err)
		  : make_index(store, ret, err);
}

int ht_document_main(char **arguments)
{
	int64_t id = strtoll(arguments[1], NULL, 10);
	json_t *document = NULL;
	struct ht_err err;
	enum ht_code code;

	bound_self();
	code = make(arguments[0], id, &document, &err);
	if (code == HT_OK &&
	    (json_dumpf(document, stdout,
			JSON_COMPACT | JSON_REAL_PRECISION(12)) ||
	     fflush(stdout)))
		code = ht_fail_sys(&err, HT_SYS, errno, "write the document");
	else if (code != HT_OK)
		printf("%s\n", err.msg);
	json_decref(document);
	fflush(stdout);
	return ht_code_exit_status(code);
}

/* Nothing of the daemon's is closed in its name: it has its own descriptors. */
_Noreturn void ht_document_remember(const struct ht_documents *d, int64_t id,
				    int file)
{
	struct ht_err err = {.code = HT_SYS};
	enum ht_code code = HT_SYS;
	FILE *to;

	bound_self();
	dup2(file, STDOUT_FILENO);
	ht_close_from(STDERR_FILENO + 1);
	to = fdopen(STDOUT_FILENO, "w");
	if (to)
		code = d->remember(d->ctx, id, d->why, to, &err);
	if (to && code != HT_OK)
		fprintf(to, "%s\n", err.msg);
	if (to)
		fflush(to);
	_exit(ht_code_exit_status(code));
}
