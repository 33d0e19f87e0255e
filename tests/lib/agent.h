/* SPDX-License-Identifier: Apache-2.0 */
/* Agent: one of its own for a test's program. Needs cmocka. */
#ifndef HT_TESTS_AGENT_H
#define HT_TESTS_AGENT_H

#include "link/client.h"

/* The agent that was built beside the tests ($HT_BUILD, else build), to be
 * ended by ht_client_stop(). Fails the test. */
struct ht_client agent_start(pid_t pid);

#endif
