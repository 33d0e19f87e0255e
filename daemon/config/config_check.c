/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration leads to outside its file. Declared in config.h and
 * config_int.h. */
#include <curl/curl.h>
#include <fnmatch.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/near.h"
#include "daemon/config/config_int.h"

/* --- a sink by itself ---------------------------------------------------- */

static bool is_http_url(const char *text)
{
	CURLU *url = curl_url();
	char *scheme = NULL;
	bool good =
		url && curl_url_set(url, CURLUPART_URL, text, 0) == 0 &&
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == 0 &&
		(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	curl_url_cleanup(url);
	return good;
}

enum ht_code ht_sink_config_check(const struct ht_sink_config *s,
				  struct ht_err *err)
{
	if (s->command[0] && s->type != HT_SINK_COMMAND)
		return ht_fail(err, HT_CONFIG,
			       "command goes with type = command");
	if (s->url[0] && s->type != HT_SINK_ALERTMANAGER)
		return ht_fail(err, HT_CONFIG,
			       "url goes with type = alertmanager");
	if (s->type == HT_SINK_COMMAND && s->command[0] != '/')
		return ht_fail(err, HT_CONFIG,
			       "a command sink needs command = /PATH/PROGRAM");
	if (s->type == HT_SINK_ALERTMANAGER && !s->url[0])
		return ht_fail(
			err, HT_CONFIG,
			"an alertmanager sink needs url = http://HOST:9093");
	if (s->url[0] && !is_http_url(s->url))
		return ht_fail(err, HT_CONFIG,
			       "url '%.80s' is no http://HOST:9093", s->url);
	return HT_OK;
}

/* --- the world around it ------------------------------------------------- */

/* The folder of a file that will be made. NULL: it is there. */
static const char *bad_folder(const char *path, char why[200])
{
	HT_AUTO_FREE char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	struct stat st;

	if (!slash)
		return NULL;
	slash[slash == folder] = '\0';
	if (stat(folder, &st) < 0)
		snprintf(why, 200, "there is no folder %.150s", folder);
	else if (!S_ISDIR(st.st_mode))
		snprintf(why, 200, "%.150s is no folder", folder);
	else if (access(folder, W_OK) < 0)
		snprintf(why, 200, "%.120s may not be written by this user",
			 folder);
	else
		return NULL;
	return why;
}

static void check_paths(struct ht_config *c)
{
	const struct ht_daemon_config *d = &c->daemon;
	const struct {
		const char *key, *path;
		bool socket;
	} rows[] = {
		{"store", d->store, false},
		{"watches", d->watches, false},
		{"control", d->control, true},
		{"metrics",
		 strncmp(d->metrics, "unix:", 5) == 0 ? d->metrics + 5 : "",
		 true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned line = ht_config_line(c, "daemon", rows[i].key);
		char why[200];
		struct stat st;

		if (!line || !rows[i].path[0])
			continue; /* the package makes the default folders */
		if (bad_folder(rows[i].path, why))
			ht_config_problem(c, line, "daemon", rows[i].key, "%s",
					  why);
		else if (lstat(rows[i].path, &st) == 0 &&
			 !(rows[i].socket ? S_ISSOCK(st.st_mode)
					  : S_ISREG(st.st_mode)))
			ht_config_problem(c, line, "daemon", rows[i].key,
					  "%.150s is %s", rows[i].path,
					  ht_file_kind(st.st_mode));
	}
}

static void check_programs(struct ht_config *c)
{
	unsigned line = ht_config_line(c, "daemon", "agent");

	if (line && access(c->daemon.agent, X_OK) < 0)
		ht_config_problem(c, line, "daemon", "agent",
				  "there is no program %.150s",
				  c->daemon.agent);
	line = ht_config_line(c, "daemon", "control_group");
	if (line && c->daemon.control_group[0] &&
	    !getgrnam(c->daemon.control_group))
		ht_config_problem(c, line, "daemon", "control_group",
				  "there is no group '%.60s'",
				  c->daemon.control_group);
	for (size_t i = 0; i < c->sinks_n; i++) {
		const struct ht_sink_config *s = &c->sinks[i];
		char section[80], program[sizeof(s->command)];

		if (s->type != HT_SINK_COMMAND)
			continue;
		snprintf(section, sizeof(section), "sink %s", s->name);
		snprintf(program, sizeof(program), "%.*s",
			 (int)strcspn(s->command, " \t"), s->command);
		if (access(program, X_OK) < 0)
			ht_config_problem(
				c, ht_config_line(c, section, "command"),
				section, "command",
				"there is no program %.200s", program);
	}
}

static bool concerns_any(const char *glob, const struct ht_config *c)
{
	for (size_t i = 0; i < c->targets_n; i++) {
		if (fnmatch(glob, c->targets[i].name, 0) == 0)
			return true;
	}
	return false;
}

static const char *target_at(const void *ctx, size_t i)
{
	const struct ht_config *c = ctx;

	return i < c->targets_n ? c->targets[i].name : NULL;
}

/* A rule for nobody is a rule with a mistyped name. What was watched at run
 * time counts. */
static void check_rules(struct ht_config *c)
{
	HT_AUTO_CONFIG struct ht_config watched = {0};
	char section[80], near[HT_NEAR_TEXT];

	if (ht_config_load(c->daemon.watches, &watched, NULL) != HT_OK)
		watched.targets_n = 0;
	for (size_t i = 0; i < c->rules_n; i++) {
		const char *glob = c->rules[i].targets;
		unsigned line;

		snprintf(section, sizeof(section), "rule %s", c->rules[i].name);
		line = ht_config_line(c, section, "targets");
		if (line && !concerns_any(glob, c) &&
		    !concerns_any(glob, &watched))
			ht_config_problem(
				c, line, section, "targets",
				"no target is called '%.60s'%s", glob,
				ht_near_text(ht_near(glob, target_at, c),
					     near));
	}
}

enum ht_code ht_config_check(struct ht_config *c, struct ht_err *err)
{
	if (c->problems_n == 0) /* every target was read */
		check_rules(c);
	check_paths(c);
	check_programs(c);
	return ht_config_verdict(c, err);
}
