/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trim rule: when processes of a target are to give memory back by themselves:
 *
 *   trim = when trimmable > 512MiB for 10m, at most every 1h, hold 50ms
 */
#ifndef HT_DAEMON_CONFIG_TRIM_RULE_H
#define HT_DAEMON_CONFIG_TRIM_RULE_H

#include <stdint.h>

#include "common/err.h"

struct ht_trim_rule {
	uint64_t above; /* bytes; 0: there is no rule */
	int64_t for_ns, every_ns, hold_ns;
};

/* HT_CONFIG says what was expected. What is not said: for 10m, at most every
 * 1h, hold 50ms. */
enum ht_code ht_trim_rule_parse(const char *text, struct ht_trim_rule *ret,
				struct ht_err *err) HT_MUST_CHECK;

#endif
