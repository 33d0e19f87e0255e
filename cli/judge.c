/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/judge.h"

#include "cli/service.h"

enum ht_code ht_judge(struct ht_cli *cli, const char *word,
		      struct ht_judged *ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_service_one(store, word, &ret->process, err);
	return code == HT_OK ? ht_judged_read(store, cli->opt.since_ns,
					      cli->opt.until_ns, ret, err)
			     : code;
}

enum ht_code ht_judge_beside(const struct ht_cli *cli, int64_t process_id,
			     const struct ht_verdict *verdict,
			     char pin[HT_PIN_TEXT], struct ht_traced *traced,
			     struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_pin_text(store, process_id, cli->opt.until_ns,
				   cli->opt.bytes, pin, err);
	if (code == HT_OK && traced)
		code = ht_held_by_read(store, process_id, cli->opt.until_ns,
				       traced, err);
	if (code == HT_OK && traced)
		code = ht_grown_read(store, process_id, verdict, &traced->grown,
				     err);
	return code;
}
