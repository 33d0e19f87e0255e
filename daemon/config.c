/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "daemon/config_int.h"

#define LINE_MAX_BYTES 1024
#define PROBLEMS_MAX   100
#define FILE_MAX_BYTES ((uint64_t)16 << 20)

/* One reading of one file. */
struct reading {
	FILE *file;
	struct ht_config *into;
	unsigned line;
	char section[192]; /* as in the brackets */
	unsigned section_line;
	bool own_sinks; /* the file names sinks: the default one is dropped */
	bool nowhere;	/* in a section that is not known */
	struct ht_target_config *target;
	struct ht_rule *rule;
	struct ht_sink_config *sink;
};

/* Appends a zeroed element; NULL when out of memory. */
static void *grow(void **v, size_t *n, size_t size)
{
	void *grown = reallocarray(*v, *n + 1, size);

	if (!grown)
		return NULL;
	*v = grown;
	grown = (char *)grown + size * (*n)++;
	return memset(grown, 0, size);
}
#define GROW(v, n) ((__typeof__(v))grow((void **)&(v), &(n), sizeof(*(v))))

static void HT_PRINTF(4, 5) problem(struct reading *r, unsigned line,
				    const char *key, const char *fmt, ...)
{
	struct ht_config *c = r->into;
	struct ht_config_problem *p;
	va_list ap;

	if (c->problems_n >= PROBLEMS_MAX)
		return;
	p = GROW(c->problems, c->problems_n);
	if (!p)
		return;
	p->line = line;
	snprintf(p->where, sizeof(p->where), "[%.50s]%s%.40s", r->section,
		 key ? " " : "", key ? key : "");
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}

/* --- sections ------------------------------------------------------------- */

static void end_section(struct reading *r)
{
	struct ht_err err;

	if (r->target && ht_target_config_check(r->target, &err) != HT_OK)
		problem(r, r->section_line, NULL, "%s", err.msg);
	if (r->rule && ht_rule_check(r->rule, &err) != HT_OK)
		problem(r, r->section_line, NULL, "%s", err.msg);
	if (r->sink && r->sink->type == HT_SINK_COMMAND &&
	    r->sink->command[0] != '/')
		problem(r, r->section_line, NULL,
			"a command sink needs command = /PATH/PROGRAM");
	if (r->sink && r->sink->type == HT_SINK_ALERTMANAGER &&
	    !r->sink->url[0])
		problem(r, r->section_line, NULL,
			"an alertmanager sink needs url = http://HOST:9093");
	r->target = NULL;
	r->rule = NULL;
	r->sink = NULL;
	r->nowhere = false;
}

static bool taken(const struct reading *r, const char *kind, const char *name)
{
	const struct ht_config *c = r->into;

	for (size_t i = 0; *kind == 't' && i < c->targets_n; i++) {
		if (strcmp(c->targets[i].name, name) == 0)
			return true;
	}
	for (size_t i = 0; *kind == 's' && r->own_sinks && i < c->sinks_n;
	     i++) {
		if (strcmp(c->sinks[i].name, name) == 0)
			return true;
	}
	return false;
}

static void begin_target(struct reading *r, const char *name)
{
	struct ht_err err;

	r->target = GROW(r->into->targets, r->into->targets_n);
	if (!r->target)
		return;
	if (ht_target_config_init(r->into, name, r->target, &err) != HT_OK)
		problem(r, r->line, NULL, "%s", err.msg);
	r->target->line = r->line;
}

static void begin_rule(struct reading *r, const char *name)
{
	struct ht_config *c = r->into;

	for (size_t i = 0; i < c->rules_n; i++) {
		if (strcmp(c->rules[i].name, name) == 0) {
			r->rule = &c->rules[i];
			return;
		}
	}
	r->rule = GROW(c->rules, c->rules_n);
	if (r->rule)
		ht_rule_init(r->rule, name);
}

static void init_sink(struct ht_sink_config *s, const char *name)
{
	*s = (struct ht_sink_config){
		.timeout_ns = 10 * HT_NS_PER_S,
		.retry_max_ns = 300 * HT_NS_PER_S,
		.repeat_ns = 60 * HT_NS_PER_S,
	};
	snprintf(s->name, sizeof(s->name), "%s", name);
}

static void begin_sink(struct reading *r, const char *name)
{
	struct ht_config *c = r->into;

	if (!r->own_sinks)
		c->sinks_n = 0;
	r->own_sinks = true;
	r->sink = GROW(c->sinks, c->sinks_n);
	if (!r->sink)
		return;
	init_sink(r->sink, name);
	r->sink->line = r->line;
}

static bool name_allowed(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@:-");

	return n > 0 && n < 64 && name[n] == '\0';
}

static void begin_section(struct reading *r)
{
	static const struct {
		const char *kind;
		void (*begin)(struct reading *r, const char *name);
	} kinds[] = {{"target", begin_target},
		     {"rule", begin_rule},
		     {"sink", begin_sink}};
	char kind[16] = "", name[128] = "";
	int words = sscanf(r->section, "%15s %127s", kind, name);

	r->section_line = r->line;
	if (words == 1 &&
	    (strcmp(kind, "daemon") == 0 || strcmp(kind, "defaults") == 0)) {
		if (*kind == 'd' && kind[1] == 'e' && r->into->targets_n)
			problem(r, r->line, NULL,
				"must come before the first target");
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kind, kinds[i].kind) != 0)
			continue;
		r->nowhere = true;
		if (words != 2 || !name_allowed(name)) {
			problem(r, r->line, NULL,
				"write [%s NAME] with letters, digits and "
				"_.@:- in NAME",
				kind);
		} else if (taken(r, kind, name)) {
			problem(r, r->line, NULL, "is there twice: rename one");
		} else {
			r->nowhere = false;
			kinds[i].begin(r, name);
		}
		return;
	}
	r->nowhere = true;
	problem(r, r->line, NULL,
		"no such section: daemon, defaults, target NAME, rule NAME, "
		"sink NAME");
}

/* --- keys ------------------------------------------------------------------
 */

static enum ht_code set_key(struct reading *r, const char *key,
			    const char *value, struct ht_err *err)
{
	struct ht_config *c = r->into;

	if (r->target)
		return ht_target_config_set(r->target, key, value, err);
	if (r->rule)
		return ht_rule_set(r->rule, key, value, err);
	if (r->sink)
		return ht_key_set(&ht_sink_keys, r->sink, key, value, err);
	if (strcmp(r->section, "daemon") == 0)
		return ht_key_set(&ht_daemon_keys, &c->daemon, key, value, err);
	if (strcmp(r->section, "defaults") == 0)
		return ht_key_set(&ht_defaults_keys, &c->defaults, key, value,
				  err);
	return ht_fail(err, HT_USAGE,
		       "before any section: begin with [daemon]");
}

static int on_key(void *user, const char *section, const char *key,
		  const char *value)
{
	struct reading *r = user;
	struct ht_err err;
	enum ht_code code;

	(void)section; /* on_line has seen it already */
	if (r->nowhere)
		return 1;
	code = set_key(r, key, value, &err);
	if (code == HT_USAGE)
		problem(r, r->line, key,
			"no such key here: see heaptided.conf(5)");
	else if (code != HT_OK)
		problem(r, r->line, key, "%s", err.msg);
	return 1;
}

/* inih calls this for each line, before on_key: so we know the line's number,
 * and sections are seen even when nothing is in them. */
static char *on_line(char *line, int size, void *user)
{
	struct reading *r = user;
	char *read = fgets(line, size, r->file);
	char *at, *end;

	if (!read)
		return NULL;
	r->line++;
	if (!strchr(line, '\n') && !feof(r->file)) {
		problem(r, r->line, NULL, "line longer than %d bytes",
			size - 2);
		for (int c = 0; c != '\n' && c != EOF; c = fgetc(r->file))
			;
		strcpy(line, "\n");
		return read;
	}
	at = line + strspn(line, " \t\xef\xbb\xbf");
	if (*at == '[' && (end = strchr(at, ']')) != NULL) {
		end_section(r);
		snprintf(r->section, sizeof(r->section), "%.*s",
			 (int)(end - at - 1), at + 1);
		begin_section(r);
	} else if (*at && !strchr("#;[\r\n", *at) && !strpbrk(at, "=:")) {
		problem(r, r->line, NULL,
			"no 'key = value': comments begin with #");
	}
	return read;
}

/* --- whole files ------------------------------------------------------------
 */

static void init_defaults(struct ht_config *c)
{
	c->daemon = (struct ht_daemon_config){
		.store = "/var/lib/heaptide/heaptide.db",
		.control = "/run/heaptide/control.sock",
		.control_group = "heaptide",
		.metrics = "127.0.0.1:9748",
		.watches = "/var/lib/heaptide/watches.conf",
		.agents_max = 2,
		.metrics_arenas = 16,
		.metrics_processes = 500,
		.agent_life = HT_AGENT_RESIDENT,
		.scan_ns = HT_NS_PER_S,
		.evaluate_ns = 60 * HT_NS_PER_S,
		.detail_ns = 60 * HT_NS_PER_S,
		.keep_raw_ns = 2 * 86400 * HT_NS_PER_S,
		.keep_minute_ns = 30 * 86400 * HT_NS_PER_S,
		.keep_10min_ns = 90 * 86400 * HT_NS_PER_S,
		.keep_hour_ns = INT64_C(400) * 86400 * HT_NS_PER_S,
		.store_max = UINT64_C(4) << 30,
		.log = 2,
	};
	c->defaults = (struct ht_target_config){
		.select.uid = HT_UNKNOWN,
		.interval_ns = 10 * HT_NS_PER_S,
		.timeout_ns = 30 * HT_NS_PER_S,
		.max_pause_ns = 2 * HT_NS_PER_MS,
		.backoff_max_ns = 600 * HT_NS_PER_S,
		.jitter = 0.2,
		.stop_cap = 0.001,
		.cpu_cap = 0.05,
		.mode = HT_MODE_NONE,
		.max_processes = 64,
		.attempts = 20,
	};
}

enum ht_code ht_config_init(struct ht_config *c, struct ht_err *err)
{
	struct ht_sink_config *journal;

	*c = (struct ht_config){0};
	init_defaults(c);
	c->rules = calloc(ht_rules_default_count(), sizeof(*c->rules));
	journal = GROW(c->sinks, c->sinks_n);
	if (!c->rules || !journal)
		return ht_fail(err, HT_NOMEM,
			       "no memory for the configuration");
	c->rules_n = ht_rules_default_count();
	init_sink(journal, "journal");
	return ht_rules_default(c->rules, err);
}

static int by_line(const void *a, const void *b)
{
	const struct ht_config_problem *p = a, *q = b;

	return (p->line > q->line) - (p->line < q->line);
}

static enum ht_code open_file(const char *path, FILE **ret, struct ht_err *err)
{
	HT_AUTO_FD int fd = -1;
	enum ht_code code =
		ht_file_open(path, FILE_MAX_BYTES, HT_CONFIG, &fd, err);

	if (code != HT_OK)
		return code;
	*ret = fdopen(fd, "r");
	if (!*ret)
		return ht_fail_sys(err, HT_CONFIG, errno, "read %s", path);
	ht_take_fd(&fd);
	return HT_OK;
}

enum ht_code ht_config_load(const char *path, struct ht_config *c,
			    struct ht_err *err)
{
	HT_AUTO_FILE FILE *file = NULL;
	struct reading r = {.into = c};
	enum ht_code code = ht_config_init(c, err);
	int bad;

	if (code != HT_OK)
		return code;
	snprintf(c->path, sizeof(c->path), "%s", path);
	code = open_file(path, &file, err);
	if (code != HT_OK)
		return code;
	r.file = file;
	ini_use_stack = false;
	ini_max_line = ini_initial_alloc = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	bad = ini_parse_stream(on_line, &r, on_key, &r);
	end_section(&r);
	if (bad && c->problems_n == 0)
		problem(&r, bad > 0 ? (unsigned)bad : 0, NULL,
			"is no line of a configuration file");
	if (c->problems_n > 1)
		qsort(c->problems, c->problems_n, sizeof(*c->problems),
		      by_line);
	if (c->problems_n)
		return ht_fail(err, HT_CONFIG, "%s:%u: %.80s: %.120s", path,
			       c->problems[0].line, c->problems[0].where,
			       c->problems[0].text);
	return HT_OK;
}

void ht_config_fini(struct ht_config *c)
{
	for (size_t i = 0; i < c->targets_n; i++)
		ht_target_config_fini(&c->targets[i]);
	free(c->targets);
	free(c->rules);
	free(c->sinks);
	free(c->problems);
	*c = (struct ht_config){0};
}

/* --- targets ----------------------------------------------------------------
 */

enum ht_code ht_target_config_init(const struct ht_config *c, const char *name,
				   struct ht_target_config *ret,
				   struct ht_err *err)
{
	if (!name_allowed(name))
		return ht_fail(
			err, HT_CONFIG,
			"'%.60s' is no name for a target: letters, digits "
			"and _.@:- please",
			name);
	*ret = c->defaults;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return HT_OK;
}

static enum ht_code look_up_user(struct ht_selectors *s, struct ht_err *err)
{
	char *end;
	unsigned long uid = strtoul(s->user, &end, 10);
	const struct passwd *found;

	if (end != s->user && !*end) {
		s->uid = uid;
		return HT_OK;
	}
	found = getpwnam(s->user);
	if (!found)
		return ht_fail(err, HT_CONFIG, "there is no user '%s'",
			       s->user);
	s->uid = found->pw_uid;
	return HT_OK;
}

static enum ht_code compile_cmdline(struct ht_selectors *s, struct ht_err *err)
{
	ht_pattern_free(s->pattern);
	s->pattern = NULL;
	return *s->cmdline ? ht_pattern_compile(s->cmdline, &s->pattern, err)
			   : HT_OK;
}

enum ht_code ht_target_config_set(struct ht_target_config *t, const char *key,
				  const char *value, struct ht_err *err)
{
	enum ht_code code = ht_key_set(&ht_selector_keys, t, key, value, err);

	if (code == HT_USAGE) {
		code = ht_key_set(&ht_defaults_keys, t, key, value, err);
		if (code == HT_USAGE)
			return ht_fail(err, HT_USAGE,
				       "a target has no key '%.40s'", key);
		return code;
	}
	if (code == HT_OK && strcmp(key, "user") == 0)
		code = look_up_user(&t->select, err);
	if (code == HT_OK && strcmp(key, "cmdline") == 0)
		code = compile_cmdline(&t->select, err);
	return code;
}

enum ht_code ht_target_config_check(const struct ht_target_config *t,
				    struct ht_err *err)
{
	const struct ht_selectors *s = &t->select;

	if (!s->pid && !s->name[0] && !s->exe[0] && !s->cmdline[0] &&
	    !s->unit[0] && !s->cgroup[0] && !s->user[0])
		return ht_fail(err, HT_CONFIG,
			       "selects no process: give it one of pid, name, "
			       "exe, cmdline, unit, cgroup, user");
	return HT_OK;
}

void ht_target_config_fini(struct ht_target_config *t)
{
	ht_pattern_free(t->select.pattern);
	t->select.pattern = NULL;
}

void ht_config_keys(void (*each)(void *ctx, const char *section,
				 const char *key, const char *help),
		    void *ctx)
{
	const struct ht_key_table *const tables[] = {
		&ht_daemon_keys, &ht_selector_keys, &ht_defaults_keys,
		&ht_sink_keys};

	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		for (size_t i = 0; i < tables[t]->n; i++)
			each(ctx, tables[t]->section, tables[t]->keys[i].name,
			     tables[t]->keys[i].help);
	}
}
