/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control/watches.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/near.h"
#include "common/system.h"

static enum ht_code set_argument(struct ht_target_config *t, const char *key,
				 const json_t *value, struct ht_err *err)
{
	char number[32];
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld",
			 (long long)json_integer_value(value));
		text = number;
	}
	if (!text)
		return ht_fail(err, HT_USAGE,
			       "\"%s\" is neither text nor number", key);
	return ht_target_config_set(t, key, text, err);
}

enum ht_code ht_watch_parse(const struct ht_config *c, const char *name,
			    json_t *arguments, struct ht_target_config *ret,
			    struct ht_err *err)
{
	static const char *const not_keys[] = {"heaptide", "command", "target"};
	struct ht_target_config t;
	const char *key;
	json_t *value;
	enum ht_code code = ht_target_config_init(c, name, &t, err);

	if (code != HT_OK)
		return code;
	json_object_foreach(arguments, key, value)
	{
		bool skip = false;

		for (size_t i = 0; i < 3; i++)
			skip |= strcmp(key, not_keys[i]) == 0;
		if (!skip && code == HT_OK)
			code = set_argument(&t, key, value, err);
	}
	if (code == HT_OK)
		code = ht_target_config_check(&t, err);
	if (code != HT_OK) {
		if (code == HT_CONFIG) /* no line of a file is meant */
			ht_err_advise(err, HT_HINT_WATCH_HELP);
		ht_target_config_fini(&t);
		return code;
	}
	*ret = t;
	return HT_OK;
}

static void write_target(FILE *f, const struct ht_target_config *t)
{
	const struct ht_selectors *s = &t->select;
	const char *texts[][2] = {{"name", s->name},	   {"exe", s->exe},
				  {"cmdline", s->cmdline}, {"unit", s->unit},
				  {"cgroup", s->cgroup},   {"user", s->user}};

	fprintf(f, "[target %s]\n", t->name);
	if (s->pid)
		fprintf(f, "pid = %" PRIu64 "\nstart_ticks = %" PRIu64 "\n",
			s->pid, s->start_ticks);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (texts[i][1][0])
			fprintf(f, "%s = %s\n", texts[i][0], texts[i][1]);
	}
	fprintf(f,
		"interval = %" PRId64 "us\nmax_pause = %" PRId64
		"us\nmode = %s\n\n",
		t->interval_ns / HT_NS_PER_US, t->max_pause_ns / HT_NS_PER_US,
		ht_mode_names[t->mode]);
}

/* A new file, then renamed: a crash leaves the old or the new one. */
static void save(const struct ht_config *c)
{
	char path[sizeof(c->daemon.watches) + 8];
	FILE *f;
	int fd;
	bool bad;

	snprintf(path, sizeof(path), "%s.new", c->daemon.watches);
	unlink(path); /* a crash left it, or it is somebody's trap */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		ht_cleanup_fd(&fd);
		ht_log(LOG_WARNING,
		       "watches will not survive a restart: write %s: %s", path,
		       ht_errno_text(errno));
		return;
	}
	fputs("# Kept by heaptided: what 'heaptide watch' added.\n", f);
	for (size_t i = 0; i < c->targets_n; i++) {
		if (c->targets[i].line == 0)
			write_target(f, &c->targets[i]);
	}
	bad = ferror(f) || fflush(f) != 0 || fsync(fileno(f)) < 0;
	if (fclose(f) != 0 || bad || rename(path, c->daemon.watches) < 0)
		ht_log(LOG_WARNING,
		       "watches will not survive a restart: write %s: %s", path,
		       ht_errno_text(errno));
}

static struct ht_target_config *find(struct ht_config *c, const char *name)
{
	for (size_t i = 0; i < c->targets_n; i++) {
		if (strcmp(c->targets[i].name, name) == 0)
			return &c->targets[i];
	}
	return NULL;
}

static enum ht_code append(struct ht_config *c, struct ht_target_config *t,
			   struct ht_err *err)
{
	struct ht_target_config *grown =
		reallocarray(c->targets, c->targets_n + 1, sizeof(*grown));

	if (!grown) {
		ht_target_config_fini(t);
		return ht_fail(err, HT_NOMEM, "no memory for a target");
	}
	c->targets = grown;
	c->targets[c->targets_n] = *t;
	c->targets[c->targets_n++].line = 0;
	return HT_OK;
}

enum ht_code ht_watch_add(struct ht_registry *r, struct ht_target_config *t,
			  struct ht_err *err)
{
	enum ht_code code;

	if (find(r->config, t->name)) {
		code = ht_fail_hint(err, HT_REFUSED, HT_HINT_TARGET_NAME,
				    "there is a target '%s' already", t->name);
		ht_target_config_fini(t);
		return code;
	}
	code = append(r->config, t, err);
	ht_registry_rebind(r);
	if (code == HT_OK)
		save(r->config);
	return code;
}

static const char *target_at(const void *ctx, size_t i)
{
	const struct ht_config *c = ctx;

	return i < c->targets_n ? c->targets[i].name : NULL;
}

static const char *near_target(const struct ht_config *c, const char *name,
			       char out[HT_NEAR_TEXT])
{
	return ht_near_text(ht_near(name, target_at, c), out);
}

enum ht_code ht_watch_remove(struct ht_registry *r, const char *name,
			     struct ht_err *err)
{
	struct ht_config *c = r->config;
	struct ht_target_config *t = find(c, name);
	char near[HT_NEAR_TEXT];

	if (!t)
		return ht_fail_hint(err, HT_NODATA, HT_HINT_WATCHED,
				    "there is no target '%.60s'%s", name,
				    near_target(c, name, near));
	if (t->line)
		return ht_fail_hint(err, HT_REFUSED, HT_HINT_TARGET_FILE,
				    "target '%s' is in %s, line %u", name,
				    c->path, t->line);
	ht_target_config_fini(t);
	memmove(t, t + 1,
		(size_t)(c->targets + c->targets_n - (t + 1)) * sizeof(*t));
	c->targets_n--;
	ht_registry_rebind(r);
	save(r->config);
	return HT_OK;
}

/* What a running daemon wrote is right but for what changed since: a user that
 * is gone, a name that the configuration has taken. Those are left out. */
void ht_watches_load(struct ht_config *c)
{
	HT_AUTO_CONFIG struct ht_config kept;
	struct ht_err err;

	if (ht_config_load(c->daemon.watches, &kept, &err) != HT_OK &&
	    err.os_errno != ENOENT)
		ht_log_err(LOG_WARNING, "watches", &err);
	for (size_t i = 0; i < kept.targets_n; i++) {
		struct ht_target_config *t = &kept.targets[i];

		if (find(c, t->name) ||
		    ht_target_config_check(t, &err) != HT_OK) {
			ht_log(LOG_NOTICE, "watch left out target=%s", t->name);
			continue;
		}
		if (append(c, t, &err) != HT_OK)
			ht_log_err(LOG_WARNING, "watches", &err);
		t->select.pattern = NULL; /* moved */
	}
}
