/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people and peers write: a request line of the control socket, and an
 * alert rule. Whatever is accepted must be safe to use; whatever is refused
 * must say why.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/rules.h"
#include "link/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say_why(const struct ht_err *err)
{
	if (!err->msg[0] || !memchr(err->msg, '\0', sizeof(err->msg)))
		abort();
}

static void try_request(const char *line, size_t size)
{
	enum ht_control_command command;
	json_t *arguments = NULL;
	struct ht_err err = {0};

	if (ht_control_parse(line, size, &command, &arguments, &err) != HT_OK)
		must_say_why(&err);
	else if (ht_control_find(ht_control_name(command)) != command)
		abort();
	json_decref(arguments);
}

static void try_rule(const char *text)
{
	const struct ht_situation nothing = {.failures = NAN,
					     .inconsistent = NAN,
					     .gap_intervals = NAN,
					     .stop_ratio = 0};
	struct ht_err err = {0};
	struct ht_rule rule;

	if (ht_rule_parse(text, &rule, &err) != HT_OK) {
		must_say_why(&err);
		return;
	}
	ht_condition_window_ns(&rule.condition);
	ht_condition_ask(&rule.condition, &nothing, rule.ease, NULL, NULL);
	ht_condition_ask(&rule.hold, &nothing, 1, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_request(text, size);
	try_rule(text);
	free(text);
	return 0;
}
