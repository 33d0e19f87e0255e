/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys: config_keys.c sets values, config.c reads files. */
#ifndef HT_DAEMON_CONFIG_CONFIG_INT_H
#define HT_DAEMON_CONFIG_CONFIG_INT_H

#include "daemon/config/config.h"

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

/* Adds a problem of the key (NULL: of the section as a whole). */
void ht_config_problem(struct ht_config *c, unsigned line, const char *section,
		       const char *key, const char *fmt, ...) HT_PRINTF(5, 6);
/* A target's, rule's or sink's name. */
bool ht_config_name_allowed(const char *name);
/* Where a key was given; 0: nowhere. */
unsigned ht_config_line(const struct ht_config *c, const char *section,
			const char *key);
/* HT_CONFIG with the first of c's problems, in the order of their lines. */
enum ht_code ht_config_verdict(struct ht_config *c, struct ht_err *err);

/* A sink's command or URL by itself; the metrics' address as written. */
enum ht_code ht_sink_config_check(const struct ht_sink_config *s,
				  struct ht_err *err) HT_MUST_CHECK;

/* The key of these tables (n of them) that was meant; NULL: none. */
const char *ht_keys_near(const struct ht_key_table *const *tables, size_t n,
			 const char *key);

extern const struct ht_key_table ht_daemon_keys, ht_selector_keys, ht_act_keys,
	ht_defaults_keys, ht_sink_keys;

/* Finds the key in the table and sets it in the struct at `into`. HT_USAGE: no
 * such key; HT_CONFIG: err says what is wrong with the value. */
enum ht_code ht_key_set(const struct ht_key_table *t, void *into,
			const char *key, const char *value,
			struct ht_err *err) HT_MUST_CHECK;

#endif
