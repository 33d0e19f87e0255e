/* SPDX-License-Identifier: Apache-2.0 */
/* History: what the database holds of a target. Read-only: nothing here needs
 * a daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/service.h"
#include "cli/target.h"

#define DEFAULT_DB "/var/lib/heaptide/heaptide.db"

const char *ht_history_path(const struct ht_options *o)
{
	const char *from_env = getenv("HEAPTIDE_DB");

	if (o->db)
		return o->db;
	return from_env && *from_env ? from_env : DEFAULT_DB;
}

static enum ht_code refused(const char *path, int number, struct ht_err *err)
{
	enum ht_code code =
		ht_fail_sys(err, number == EACCES ? HT_DENIED : HT_STORE,
			    number, "open the database %s", path);

	if (code == HT_DENIED)
		ht_err_advise(err, HT_HINT_READ_DB);
	return code;
}

enum ht_code ht_history_open(const struct ht_options *o, struct ht_store **ret,
			     struct ht_err *err)
{
	const char *path = ht_history_path(o);

	if (access(path, F_OK) && !o->db)
		return ht_fail_hint(err, HT_STORE, HT_HINT_HISTORY,
				    "no history: %s: %s", path,
				    strerror(errno));
	if (access(path, R_OK))
		return refused(path, errno, err);
	return ht_store_open(path, HT_STORE_READ, ret, err);
}

enum ht_code ht_history_read(struct ht_store *store,
			     const struct ht_store_process *p,
			     const struct ht_options *o,
			     const struct ht_history_ask *ask,
			     struct ht_series *ret, struct ht_err *err)
{
	int64_t to = o->until_ns ? o->until_ns : INT64_MAX;
	enum ht_code code;

	/* a verdict as of then is what it was then: read the same way */
	if (ask->mixed)
		code = ht_store_series_mixed(store, p->id, o->since_ns,
					     to < p->last_ns ? to : p->last_ns,
					     ask->parts, ask->metrics, ret,
					     err);
	else
		code = ht_store_series_of(store, p->id, o->since_ns, to,
					  ask->max_rows, ask->parts,
					  ask->metrics, ret, err);
	if (code == HT_OK && ret->rows == 0)
		code = ht_fail_hint(err, HT_NODATA, HT_HINT_RECORDED,
				    "no sample of %s in this time",
				    *p->target ? p->target : p->comm);
	return code;
}

enum ht_code ht_history_series(struct ht_cli *cli, const char *word,
			       const struct ht_history_ask *ask,
			       struct ht_store_process *ret_process,
			       struct ht_series *ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_service_one(store, word, ret_process, err);
	return code == HT_OK ? ht_history_read(store, ret_process, &cli->opt,
					       ask, ret, err)
			     : code;
}
