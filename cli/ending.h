/* SPDX-License-Identifier: Apache-2.0 */
/* Ending: Ctrl-C, SIGTERM and SIGHUP as something to wait for, by a command
 * that ends with what it has by then. */
#ifndef HT_CLI_ENDING_H
#define HT_CLI_ENDING_H

#include "common/err.h"

/* From here on they are blocked, and can be read from *ret_fd, a signalfd that
 * is the caller's. */
enum ht_code ht_ending_watch(int *ret_fd, struct ht_err *err) HT_MUST_CHECK;
/* They end us again; those that came meanwhile are forgotten. */
void ht_ending_is_over(void);

#endif
