/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file: read whole, each problem with its line and words, and
 * what comes out can be used: targets asked about a process, rules asked about
 * nothing, and all of it freed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config/config.h"
#include "daemon/registry/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_targets(const struct ht_config *c)
{
	struct ht_proc p = {.pid = 1, .comm = "name", .have = ~0u};

	strcpy(p.cmdline, "/usr/bin/name -x aaaaaaaaaaaaaaaa");
	strcpy(p.argv0, "/usr/bin/name");
	strcpy(p.exe, "/usr/bin/name");
	for (size_t i = 0; i < c->targets_n; i++)
		ht_target_match(&c->targets[i], &p);
}

static void ask_rules(const struct ht_config *c)
{
	const struct ht_situation nothing = {.failures = NAN,
					     .inconsistent = NAN,
					     .gap_intervals = NAN,
					     .stop_ratio = 0};

	for (size_t i = 0; i < c->rules_n; i++) {
		ht_rule_concerns(&c->rules[i], "name");
		ht_condition_ask(&c->rules[i].condition, &nothing, 1, NULL,
				 NULL);
		ht_condition_ask(&c->rules[i].hold, &nothing, 1, NULL, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	struct ht_config c;
	struct ht_err err = {0};
	char path[32];
	enum ht_code code;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	code = ht_config_load(path, &c, &err);
	if ((code == HT_OK) != (c.problems_n == 0))
		abort();
	for (size_t i = 0; i < c.problems_n; i++) {
		if (!c.problems[i].text[0])
			abort();
	}
	if (code == HT_OK) {
		ask_targets(&c);
		ask_rules(&c);
	}
	ht_config_fini(&c);
	close(fd);
	return 0;
}
