/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys: config_keys.c sets values, config.c reads files. */
#ifndef HT_DAEMON_CONFIG_INT_H
#define HT_DAEMON_CONFIG_INT_H

#include "daemon/config.h"

enum ht_key_type {
	HT_KEY_TEXT,	 /* char[size] */
	HT_KEY_PATH,	 /* char[size], absolute */
	HT_KEY_DURATION, /* int64_t ns, from low to high seconds */
	HT_KEY_SIZE,	 /* uint64_t bytes */
	HT_KEY_COUNT,	 /* uint64_t, from low to high */
	HT_KEY_RATIO,	 /* double, from low to high; "0.1 %" or "0.001" */
	HT_KEY_CHOICE,	 /* size_t, index of choices */
	HT_KEY_BOOL,
};

struct ht_key {
	const char *name;
	enum ht_key_type type;
	size_t offset, size;
	double low, high;
	const char *const *choices;
	const char *help;
};

struct ht_key_table {
	const char *section; /* first word of the section */
	const struct ht_key *keys;
	size_t n;
};

extern const struct ht_key_table ht_daemon_keys, ht_selector_keys,
	ht_defaults_keys, ht_sink_keys;

/* Finds the key in the table and sets it in the struct at `into`. HT_USAGE: no
 * such key; HT_CONFIG: err says what is wrong with the value. */
enum ht_code ht_key_set(const struct ht_key_table *t, void *into,
			const char *key, const char *value,
			struct ht_err *err) HT_MUST_CHECK;

#endif
