/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/near.h"
#include "daemon/config/config_int.h"
#include "daemon/loop/listen.h"
#include "link/looks.h"

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
	size_t section_problems; /* how many there were when it began */
	size_t section_places;	 /* where its keys begin in into->places */
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

void ht_config_problem(struct ht_config *c, unsigned line, const char *section,
		       const char *key, const char *fmt, ...)
{
	struct ht_config_problem *p;
	va_list ap;

	if (c->problems_n >= PROBLEMS_MAX)
		return;
	p = GROW(c->problems, c->problems_n);
	if (!p)
		return;
	p->line = line;
	snprintf(p->where, sizeof(p->where), "[%.50s]%s%.40s", section,
		 key ? " " : "", key ? key : "");
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}
#define problem(r, line, key, ...)                                             \
	ht_config_problem((r)->into, (line), (r)->section, (key), __VA_ARGS__)

unsigned ht_config_line(const struct ht_config *c, const char *section,
			const char *key)
{
	for (size_t i = 0; i < c->places_n; i++) {
		if (strcmp(c->places[i].section, section) == 0 &&
		    strcmp(c->places[i].key, key) == 0)
			return c->places[i].line;
	}
	return 0;
}

/* --- sections ------------------------------------------------------------ */

/* Who may look at the page is a decision, and no default. */
static void check_ui(struct reading *r, const struct ht_daemon_config *d)
{
	unsigned line = ht_config_line(r->into, "daemon", "ui");

	if (d->ui != HT_UI_OFF && strcmp(d->metrics, "none") == 0)
		problem(r, line, "ui",
			"the page is served where /metrics is, and metrics = none");
	else if (d->ui == HT_UI_ON && !ht_listen_is_local(d->metrics))
		problem(r, line, "ui",
			"others reach %.100s and would see all targets: listen on 127.0.0.1:PORT or unix:/PATH, or write ui = anywhere",
			d->metrics);
}

/* What a section lacks as a whole, unless a line of it was wrong already: one
 * message a cause. */
static void check_section(struct reading *r)
{
	const struct ht_config *c = r->into;
	struct ht_err err;
	enum ht_code code = HT_OK;

	if (!r->nowhere && strcmp(r->section, "daemon") == 0 &&
	    ht_listen_check(c->daemon.metrics, &err) != HT_OK)
		problem(r, ht_config_line(c, "daemon", "metrics"), "metrics",
			"%s", err.msg);
	else if (!r->nowhere && strcmp(r->section, "daemon") == 0)
		check_ui(r, &c->daemon);
	if (c->problems_n > r->section_problems)
		return;
	if (r->target)
		code = ht_target_config_check(r->target, &err);
	else if (r->rule)
		code = ht_rule_check(r->rule, &err);
	else if (r->sink)
		code = ht_sink_config_check(r->sink, &err);
	if (code != HT_OK)
		problem(r, r->section_line, NULL, "%s", err.msg);
}

static void end_section(struct reading *r)
{
	check_section(r);
	r->target = NULL;
	r->rule = NULL;
	r->sink = NULL;
	r->nowhere = false;
}

/* Whether the file has this section already; else it is noted. */
static bool seen_before(struct reading *r)
{
	struct ht_config *c = r->into;
	struct ht_config_place *p;

	for (size_t i = 0; i < c->places_n; i++) {
		if (!c->places[i].key[0] &&
		    strcmp(c->places[i].section, r->section) == 0)
			return true;
	}
	p = GROW(c->places, c->places_n);
	if (p)
		snprintf(p->section, sizeof(p->section), "%.90s", r->section);
	r->section_places = c->places_n;
	return false;
}

/* The line of this section that gave the key already, 0: none; then noted. */
static unsigned given_before(struct reading *r, const char *key)
{
	struct ht_config *c = r->into;
	struct ht_config_place *p;

	for (size_t i = r->section_places; i < c->places_n; i++) {
		if (strcmp(c->places[i].key, key) == 0)
			return c->places[i].line;
	}
	p = GROW(c->places, c->places_n);
	if (!p)
		return 0;
	snprintf(p->section, sizeof(p->section), "%.90s", r->section);
	snprintf(p->key, sizeof(p->key), "%.39s", key);
	p->line = r->line;
	return 0;
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

bool ht_config_name_allowed(const char *name)
{
	size_t n = strspn(
		name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@:-");

	return n > 0 && n < 64 && name[n] == '\0';
}

static const struct {
	const char *kind;
	void (*begin)(struct reading *r, const char *name); /* NULL: no name */
} kinds[] = {{"daemon", NULL},
	     {"defaults", NULL},
	     {"target", begin_target},
	     {"rule", begin_rule},
	     {"sink", begin_sink}};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const char *kind_at(const void *ctx, size_t i)
{
	(void)ctx;
	return i < KINDS ? kinds[i].kind : NULL;
}

static void begin_kind(struct reading *r, size_t kind, const char *name,
		       int words)
{
	const char *what = kinds[kind].kind;

	if (kinds[kind].begin && (words != 2 || !ht_config_name_allowed(name)))
		problem(r, r->line, NULL,
			"write [%s NAME] with letters, digits and _.@:- in NAME",
			what);
	else if (!kinds[kind].begin && words != 1)
		problem(r, r->line, NULL, "write [%s], without a name", what);
	else if (seen_before(r))
		problem(r, r->line, NULL,
			"is there twice: rename one, or put their lines together");
	else
		r->nowhere = false;
	if (!r->nowhere && kinds[kind].begin)
		kinds[kind].begin(r, name);
	else if (!r->nowhere && strcmp(what, "defaults") == 0 &&
		 r->into->targets_n)
		problem(r, r->line, NULL, "must come before the first target");
}

static void begin_section(struct reading *r)
{
	char kind[16] = "", name[128] = "", near[HT_NEAR_TEXT];
	int words = sscanf(r->section, "%15s %127s", kind, name);

	r->section_line = r->line;
	r->section_problems = r->into->problems_n;
	r->nowhere = true;
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kind, kinds[i].kind) != 0)
			continue;
		begin_kind(r, i, name, words);
		return;
	}
	problem(r, r->line, NULL,
		"no such section%s: daemon, defaults, target NAME, rule NAME, sink NAME",
		ht_near_text(ht_near(kind, kind_at, NULL), near));
}

/* --- keys ---------------------------------------------------------------- */

static enum ht_code set_target(struct ht_target_config *t, const char *key,
			       const char *value, struct ht_err *err)
{
	enum ht_code code = ht_key_set(&ht_act_keys, t, key, value, err);

	if (code == HT_USAGE)
		return ht_target_config_set(t, key, value, err);
	if (code == HT_OK && strcmp(key, "trim") == 0)
		code = ht_trim_rule_parse(value, &t->trim_rule, err);
	return code;
}

static enum ht_code set_key(struct reading *r, const char *key,
			    const char *value, struct ht_err *err)
{
	struct ht_config *c = r->into;

	if (r->target)
		return set_target(r->target, key, value, err);
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

static const char *rule_key_at(const void *ctx, size_t i)
{
	(void)ctx;
	return ht_rule_key(i);
}

/* The key that was meant in this section. */
static const char *near_key(const struct reading *r, const char *key)
{
	static const struct ht_key_table *const target[] = {
		&ht_selector_keys, &ht_act_keys, &ht_defaults_keys};
	static const struct ht_key_table *const sink[] = {&ht_sink_keys};
	static const struct ht_key_table *const daemon[] = {&ht_daemon_keys};

	if (r->target)
		return ht_keys_near(target, 3, key);
	if (r->rule)
		return ht_near(key, rule_key_at, NULL);
	if (r->sink)
		return ht_keys_near(sink, 1, key);
	return strcmp(r->section, "daemon") == 0
		       ? ht_keys_near(daemon, 1, key)
		       : ht_keys_near(target + 2, 1, key);
}

static int on_key(void *user, const char *section, const char *key,
		  const char *value)
{
	struct reading *r = user;
	struct ht_err err;
	enum ht_code code;
	unsigned before;
	char near[HT_NEAR_TEXT];

	(void)section; /* on_line has seen it already */
	if (r->nowhere)
		return 1;
	code = set_key(r, key, value, &err);
	before = code == HT_USAGE ? 0 : given_before(r, key);
	if (code == HT_USAGE)
		problem(r, r->line, key,
			"no such key here%s: see heaptided.conf(5)",
			ht_near_text(near_key(r, key), near));
	else if (before)
		problem(r, r->line, key,
			"is given twice: line %u has it already", before);
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

/* --- whole files --------------------------------------------------------- */

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
		.look = HT_LOOKS_AUTO,
		.look_cpu = 0.01,
		.max_processes = 64,
		.attempts = 20,
		.types_every_ns = 600 * HT_NS_PER_S,
		.who_budget = 0.001,
		.who_for_ns = 300 * HT_NS_PER_S,
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

enum ht_code ht_config_verdict(struct ht_config *c, struct ht_err *err)
{
	if (c->problems_n == 0)
		return HT_OK;
	qsort(c->problems, c->problems_n, sizeof(*c->problems), by_line);
	return ht_fail_hint(
		err, HT_CONFIG, HT_HINT_CHECK, "%s:%u: %.80s: %.120s", c->path,
		c->problems[0].line, c->problems[0].where, c->problems[0].text);
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
	return ht_config_verdict(c, err);
}

void ht_config_fini(struct ht_config *c)
{
	for (size_t i = 0; i < c->targets_n; i++)
		ht_target_config_fini(&c->targets[i]);
	free(c->targets);
	free(c->rules);
	free(c->sinks);
	free(c->places);
	free(c->problems);
	*c = (struct ht_config){0};
}

void ht_config_keys(void (*each)(void *ctx, const char *section,
				 const char *key, const char *help),
		    void *ctx)
{
	const struct ht_key_table *const tables[] = {
		&ht_daemon_keys, &ht_selector_keys, &ht_act_keys,
		&ht_defaults_keys, &ht_sink_keys};

	for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		for (size_t i = 0; i < tables[t]->n; i++)
			each(ctx, tables[t]->section, tables[t]->keys[i].name,
			     tables[t]->keys[i].help);
	}
}
