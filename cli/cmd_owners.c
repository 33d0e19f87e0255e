/* SPDX-License-Identifier: Apache-2.0 */
/* `owners`: what holds the chunks of a size, or of the largest, of a frozen
 * copy or a core file; with --leaks what nothing leads to, of the same copy. */
#include <stdio.h>

#include "cli/graph.h"
#include "cli/json.h"
#include "cli/leaks.h"
#include "cli/owners.h"
#include "cli/show.h"
#include "link/request.h"

/* One object with the keys of both answers: they have no key in common but
 * those of the look. */
static json_t *both_json(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	json_t *top = ht_owners_json(s);

	if (!cli->opt.leaks || ht_leaks_add_json(top, s) == 0)
		return top;
	json_decref(top);
	return NULL;
}

static enum ht_code print_text(const struct ht_cli *cli,
			       const struct ht_snapshot *s, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	ht_owners_print(cli, s);
	if (cli->opt.leaks) {
		putchar('\n');
		code = ht_leaks_print(cli, s, err);
	}
	ht_graph_warnings(cli, s);
	return code;
}

enum ht_code ht_cmd_owners(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	uint64_t flags = HT_WANT_OWNERS;
	enum ht_code code;

	flags |= cli->opt.retained ? HT_RETAINED : 0;
	flags |= cli->opt.leaks ? HT_WANT_LEAKS : 0;
	ht_snapshot_init(&s);
	code = ht_graph_look(cli, flags, &s, err);
	if (code != HT_OK)
		return code;
	code = cli->opt.json ? ht_json_print(both_json(cli, &s), err)
			     : print_text(cli, &s, err);
	return code == HT_OK ? ht_show_damage(&s, err) : code;
}
