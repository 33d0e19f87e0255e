/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct ht_client agent_start(pid_t pid)
{
	const char *build = getenv("HT_BUILD") ?: "build";
	struct ht_client client = HT_CLIENT_NONE;
	struct ht_err err = {0};
	char agent[4096];

	snprintf(agent, sizeof(agent), "%s/heaptide-agent", build);
	if (ht_client_start(agent, pid, NULL, &client, &err) != HT_OK)
		fail_msg("%s", err.msg);
	return client;
}
