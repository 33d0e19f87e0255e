/* SPDX-License-Identifier: Apache-2.0 */
/* heaptided: arguments, and how it ends. See heaptided(8). */
#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/daemon.h"

const char *argp_program_version = "heaptided " HT_VERSION;
error_t argp_err_exit_status = 2;

struct arguments {
	const char *config;
	bool check, keys, verbose;
};

static const struct argp_option options[] = {
	{"config", 'c', "FILE", 0,
	 "configuration (default: " HT_CONFIG_PATH ")", 0},
	{"check", 'n', NULL, 0,
	 "check the configuration, print what is wrong, and end", 0},
	{"keys", 'k', NULL, 0, "list every key of the configuration, and end",
	 0},
	{"verbose", 'v', NULL, 0, "log more", 0},
	{0},
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'c':
		a->config = value;
		return 0;
	case 'n':
		a->check = true;
		return 0;
	case 'k':
		a->keys = true;
		return 0;
	case 'v':
		a->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument expected: '%s'", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	.options = options,
	.parser = on_option,
	.doc = "Watches processes' heaps, keeps the history, judges it and raises alerts. Runs in the foreground; see heaptided(8) and heaptided.conf(5).",
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int check(const char *path)
{
	HT_AUTO_CONFIG struct ht_config c;
	struct ht_err err;
	enum ht_code code = ht_config_load(path, &c, &err);

	if (code == HT_OK || c.problems_n)
		code = ht_config_check(&c, &err);
	for (size_t i = 0; i < c.problems_n; i++)
		fprintf(stderr, "%s:%u: %s: %s\n", path, c.problems[i].line,
			c.problems[i].where, c.problems[i].text);
	if (code != HT_OK) {
		if (c.problems_n == 0)
			fprintf(stderr, "heaptided: %s\n", err.msg);
		return ht_code_exit_status(code);
	}
	printf("%s: configuration OK: %zu target%s, %zu rule%s, %zu sink%s\n",
	       path, c.targets_n, plural(c.targets_n), c.rules_n,
	       plural(c.rules_n), c.sinks_n, plural(c.sinks_n));
	for (size_t i = 0; i < c.targets_n; i++)
		if (c.targets[i].who == HT_WHO_ON_LEAK)
			printf("%s:%u: note: who = on-leak wants a daemon with CAP_BPF and CAP_PERFMON, which heaptided.service has not: heaptided.conf(5)\n",
			       path, c.targets[i].line);
	return 0;
}

static void print_key(void *ctx, const char *section, const char *key,
		      const char *help)
{
	(void)ctx;
	printf("%-9s %-18s %s\n", section, key, help);
}

static int fail(const struct ht_err *err)
{
	ht_log_err(LOG_ERR, "cannot start", err);
	return ht_code_exit_status((enum ht_code)err->code);
}

/* Without a file at the usual place the daemon still runs: for `watch`. */
static enum ht_code configure(struct ht_daemon *d, const char *path,
			      struct ht_err *err)
{
	if (!path && access(HT_CONFIG_PATH, F_OK) < 0)
		return ht_config_init(&d->parts.config, err);
	d->parts.config_path = path ? path : HT_CONFIG_PATH;
	return ht_config_load(d->parts.config_path, &d->parts.config, err);
}

/* A verdict reads some megabytes and frees them again: glibc would raise both
 * thresholds by what was freed, and keep several times as much for good. */
static void keep_little(void)
{
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 512 << 10);
}

int main(int argc, char **argv)
{
	static const int levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	struct arguments a = {0};
	struct ht_daemon d = {0};
	struct ht_err err;
	enum ht_code code;

	if (argc == 4 && strcmp(argv[1], HT_DOCUMENT_ARGUMENT) == 0)
		return ht_document_main(argv + 2);
	argp_parse(&parser, argc, argv, 0, NULL, &a);
	if (a.keys) {
		ht_config_keys(print_key, NULL);
		return 0;
	}
	if (a.check)
		return check(a.config ? a.config : HT_CONFIG_PATH);
	keep_little();
	ht_log_init("heaptided", LOG_INFO);
	if (configure(&d, a.config, &err) != HT_OK)
		return fail(&err);
	ht_log_init("heaptided",
		    a.verbose ? LOG_DEBUG : levels[d.parts.config.daemon.log]);
	code = ht_daemon_init(&d, &err);
	if (code == HT_OK)
		code = ht_daemon_run(&d, &err);
	if (code != HT_OK)
		return fail(&err);
	ht_daemon_fini(&d);
	return 0;
}
