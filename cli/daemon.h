/* SPDX-License-Identifier: Apache-2.0 */
/* Daemon: asking heaptided over its control socket. */
#ifndef HT_CLI_DAEMON_H
#define HT_CLI_DAEMON_H

#include "cli/commands.h"
#include "link/control.h"

/* Asks at --socket, $HEAPTIDE_SOCKET or the usual place. Takes the reference to
 * `arguments`; ret: new reference. */
enum ht_code ht_daemon_ask(const struct ht_cli *cli, const char *command,
			   json_t *arguments, int timeout_ms, json_t **ret,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
