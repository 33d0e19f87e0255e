/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide record`: samples into a database without a daemon. */
#include <stdio.h>
#include <string.h>

#include "cli/recording.h"

/* Of the pid, or the command's last part. */
static const char *default_name(const struct ht_cli *cli, char out[80])
{
	const char *slash = strrchr(cli->opt.args[0], '/');

	snprintf(out, 80, "heaptide-%.60s.db",
		 slash ? slash + 1 : cli->opt.args[0]);
	return out;
}

enum ht_code ht_cmd_record(struct ht_cli *cli, struct ht_err *err)
{
	struct ht_recorded recorded;
	enum ht_code code;
	char named[80];

	if (!cli->opt.output)
		cli->opt.output = default_name(cli, named);
	code = ht_recording(cli, NULL, &recorded, err);
	if (code == HT_OK)
		ht_tell(&cli->term, "%s are in %s", recorded.text,
			cli->opt.output);
	return code;
}
