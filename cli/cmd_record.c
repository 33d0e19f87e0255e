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
	struct ht_recorded recorded = {.end = HT_RECORD_GOES_ON};
	enum ht_code code;
	char named[80];

	if (!cli->opt.output)
		cli->opt.output = default_name(cli, named);
	code = ht_recording(cli, NULL, &recorded, err);
	/* A command that ended says with its status how it went, measured or
	 * not, as it would without us. */
	if (code == HT_NODATA && recorded.end == HT_RECORD_ENDED) {
		ht_tell(&cli->term, "%s", err->msg);
		return HT_OK;
	}
	if (code == HT_OK)
		ht_tell(&cli->term, "%s are in %s", recorded.text,
			cli->opt.output);
	return code;
}
