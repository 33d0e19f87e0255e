/* SPDX-License-Identifier: Apache-2.0 */
/* `leaks`: the chunks in use that nothing leads to, of a frozen copy of a
 * process or of a core file. */
#include "cli/graph.h"
#include "cli/json.h"
#include "cli/leaks.h"
#include "cli/show.h"
#include "link/request.h"

static json_t *leaks_json(const struct ht_snapshot *s)
{
	json_t *top = ht_graph_json("heaptide.leaks/1", s);

	if (ht_leaks_add_json(top, s) == 0)
		return top;
	json_decref(top);
	return NULL;
}

enum ht_code ht_cmd_leaks(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_graph_look(cli, HT_WANT_LEAKS, &s, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json) {
		code = ht_json_print(leaks_json(&s), err);
	} else {
		code = ht_leaks_print(cli, &s, err);
		ht_graph_warnings(cli, &s);
	}
	return code == HT_OK ? ht_show_damage(&s, err) : code;
}
