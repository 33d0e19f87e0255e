/* SPDX-License-Identifier: Apache-2.0 */
/* `owners`: what holds the chunks of a size, or of the largest, of a frozen
 * copy or a core file. */
#include "cli/graph.h"
#include "cli/json.h"
#include "cli/owners.h"
#include "link/request.h"

enum ht_code ht_cmd_owners(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_graph_look(
		cli, HT_WANT_OWNERS | (cli->opt.retained ? HT_RETAINED : 0), &s,
		err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_json_print(ht_owners_json(&s), err);
	ht_owners_print(cli, &s);
	return HT_OK;
}
