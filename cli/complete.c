/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/rules.h"
#include "analysis/verdict.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/json.h"
#include "cli/proc.h"
#include "cli/target.h"
#include "common/cleanup.h"
#include "schema/metrics.h"
#include "schema/records.h"

#define DAEMON_MS 500 /* a shell waits for it */

struct line {
	struct ht_cli cli; /* --db and --socket as typed */
	const char *typed; /* the beginning of what is wanted */
	size_t typed_len;
	const char *prefix; /* stands before it in the same word */
	size_t prefix_len;
	char *told; /* "\nNAME\n...": names that stood already; owned */
};

static bool is_printable(const char *text)
{
	while ((unsigned char)*text >= ' ' && *text != 0x7f)
		text++;
	return !*text;
}

/* Names of processes and targets are theirs: what would break a line or a
 * terminal is not offered. */
static void offer(const struct line *l, const char *text, const char *meaning)
{
	if (strncmp(text, l->typed, l->typed_len) != 0 || !is_printable(text) ||
	    !*text)
		return;
	printf("%.*s%s", (int)l->prefix_len, l->prefix, text);
	if (meaning && *meaning && is_printable(meaning))
		printf("\t%s", meaning);
	putchar('\n');
}

/* False when it was there; else it is from now on. */
static bool is_new(struct line *l, const char *name)
{
	HT_AUTO_FREE char *line = NULL, *grown = NULL;

	if (asprintf(&line, "\n%s\n", name) < 0 ||
	    (l->told && strstr(l->told, line)) ||
	    asprintf(&grown, "%s%s", l->told ?: "", line) < 0)
		return false;
	free(l->told);
	l->told = grown;
	grown = NULL;
	return true;
}

/* --- what there is ------------------------------------------------------- */

static void offer_words(const struct line *l, const char *const *words)
{
	for (; *words; words++)
		offer(l, *words, NULL);
}

static void files(struct line *l)
{
	(void)l;
	puts(":files");
}

static void commands_of_shell(struct line *l)
{
	(void)l;
	puts(":commands");
}

/* Pids for digits, else names; no threads of the kernel, not ourselves. */
static void processes(struct line *l)
{
	HT_AUTO_DIR DIR *proc = opendir("/proc");
	bool pids = isdigit((unsigned char)*l->typed);
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char comm[64], exe[8];

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    atoi(entry->d_name) == getpid() ||
		    !ht_proc_text(entry->d_name, "comm", comm, sizeof(comm)) ||
		    !ht_proc_text(entry->d_name, "cmdline", exe, sizeof(exe)) ||
		    !*exe)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (pids)
			offer(l, entry->d_name, comm);
		else if (is_new(l, comm))
			offer(l, comm, entry->d_name);
	}
}

static int one_recorded(void *ctx, const struct ht_store_process *p)
{
	const char *name = *p->target ? p->target : p->comm;
	struct line *l = ctx;
	char pid[24];

	snprintf(pid, sizeof(pid), "%" PRIu64, p->pid);
	if (isdigit((unsigned char)*l->typed))
		offer(l, pid, name);
	else if (is_new(l, name))
		offer(l, name, pid);
	return 0;
}

/* Of the database, then what runs. */
static void targets(struct line *l)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct ht_err err;

	if (ht_history_open(&l->cli.opt, &store, &err) == HT_OK)
		(void)!ht_store_processes(store, one_recorded, l, &err);
	processes(l);
}

/* What the daemon answers with: the key of each row of its first list. */
static void of_daemon(struct line *l, const char *command, const char *key,
		      const char *meaning)
{
	json_auto_t *answer = NULL;
	json_t *rows, *row;
	struct ht_err err;
	size_t i;

	if (ht_daemon_ask(&l->cli, command, json_object(), DAEMON_MS, &answer,
			  &err) != HT_OK)
		return;
	rows = json_object_iter_value(json_object_iter(answer));
	json_array_foreach(rows, i, row)
	{
		const json_t *value = json_object_get(row, key);
		char text[128];

		snprintf(text, sizeof(text), "%s",
			 json_string_value(value) ?: "");
		if (json_is_integer(value))
			snprintf(text, sizeof(text), "%" PRId64,
				 (int64_t)json_integer_value(value));
		if (is_new(l, text))
			offer(l, text,
			      json_string_value(json_object_get(row, meaning)));
	}
}

static void watched(struct line *l)
{
	of_daemon(l, "ls", "target", "comm");
}

static void silences(struct line *l)
{
	of_daemon(l, "silences", "id", "rule");
}

static void metrics(struct line *l)
{
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		offer(l, ht_metric_infos[m].name, ht_metric_infos[m].help);
}

/* The last of a list with commas; the others stay before it. */
static void last_of_list(struct line *l)
{
	const char *comma = strrchr(l->typed, ',');

	puts(":nospace");
	if (!comma)
		return;
	l->prefix_len += (size_t)(comma + 1 - l->typed);
	l->typed_len -= (size_t)(comma + 1 - l->typed);
	l->typed = comma + 1;
}

static void metrics_list(struct line *l)
{
	last_of_list(l);
	metrics(l);
}

static void labels_list(struct line *l)
{
	last_of_list(l);
	for (size_t i = 0; i < HT_LABEL_COUNT; i++)
		offer(l, ht_label_names[i], NULL);
}

static void modes(struct line *l)
{
	for (uint64_t m = 0; m < HT_MODE_CORE; m++)
		offer(l, ht_mode_names[m], NULL);
}

static void looks(struct line *l)
{
	for (uint64_t k = 0; k < HT_LOOK_COUNT; k++)
		offer(l, ht_look_names[k], NULL);
	offer(l, HT_LOOK_AUTO_NAME, NULL);
}

static void rules(struct line *l)
{
	size_t n = ht_rules_default_count();
	HT_AUTO_FREE struct ht_rule *rule = calloc(n, sizeof(*rule));
	struct ht_err err;

	if (!rule || ht_rules_default(rule, &err) != HT_OK)
		return;
	for (size_t i = 0; i < n; i++)
		offer(l, rule[i].name, rule[i].summary);
}

static void moments(struct line *l)
{
	static const char *const words[] = {"now",	 "10m", "1h",  "6h",
					    "1d",	 "7d",	"30d", "today",
					    "yesterday", NULL};

	offer_words(l, words);
}

static void spans(struct line *l)
{
	static const char *const words[] = {"100ms", "1s", "10s", "1m",
					    "10m",   "1h", "1d",  NULL};

	offer_words(l, words);
}

static void formats(struct line *l)
{
	static const char *const words[] = {"ndjson", "csv", "openmetrics",
					    NULL};

	offer_words(l, words);
}

static void bins(struct line *l)
{
	static const char *const words[] = {"fast", "unsorted", "small",
					    "large", NULL};

	offer_words(l, words);
}

static void selectors(struct line *l)
{
	static const char *const words[] = {
		"pid=",	 "name=",   "exe=",  "cmdline=",
		"unit=", "cgroup=", "user=", NULL};

	puts(":nospace");
	offer_words(l, words);
}

static void shells(struct line *l)
{
	static const char *const words[] = {"bash", "zsh", "fish", NULL};

	offer_words(l, words);
}

static void parts(struct line *l)
{
	static const char *const words[] = {"arena", NULL};

	offer_words(l, words);
}

/* That can be asked for. */
static void ways(struct line *l)
{
	static const char *const words[] = {"growth", NULL};

	offer_words(l, words);
}

static void command_names(struct line *l)
{
	for (size_t i = 0; i < ht_commands_count; i++)
		offer(l, ht_commands[i].name, ht_commands[i].summary);
}

/* By the name that help gives an argument, and of whose command or option; the
 * first row that fits. */
static const struct {
	const char *argument, *of;
	void (*offer)(struct line *l);
} sources[] = {
	{"TARGET", "sample", watched},
	{"TARGET", "unwatch", watched},
	{"TARGET", "silence", watched},
	{"TARGET", NULL, targets},
	{"OTHER", NULL, targets},
	{"PID", NULL, processes},
	{"COMMAND", "help", command_names},
	{"COMMAND", NULL, commands_of_shell},
	{"FILE", NULL, files},
	{"DIR", NULL, files},
	{"PART", NULL, parts},
	{"WAY", NULL, ways},
	{"NAME,...", NULL, metrics_list},
	{"METRIC", NULL, metrics},
	{"MODE", NULL, modes},
	{"LOOK", NULL, looks},
	{"FORMAT", NULL, formats},
	{"VERDICT,...", NULL, labels_list},
	{"KIND", NULL, bins},
	{"RULE", NULL, rules},
	{"SHELL", NULL, shells},
	{"SELECTOR", NULL, selectors},
	{"ID", NULL, silences},
	{"NAME", "watch", processes},
	{"TIME", "at", moments},
	{"TIME", "against", moments},
	{"TIME", "since", moments},
	{"TIME", "until", moments},
	{"TIME", "diff", moments},
	{"TIME", NULL, spans},
};

static void offer_argument(struct line *l, const char *argument, const char *of)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strncmp(argument, sources[i].argument,
			    strlen(sources[i].argument)) != 0 ||
		    (sources[i].of && strcmp(of, sources[i].of) != 0))
			continue;
		sources[i].offer(l);
		return;
	}
}

/* --- the line ------------------------------------------------------------ */

static void offer_options(struct line *l, const struct ht_command *c)
{
	char name[40];

	for (size_t o = 0; o < HT_OPT_COUNT; o++) {
		if (!(c->takes >> o & 1))
			continue;
		snprintf(name, sizeof(name), "--%s", ht_option_infos[o].name);
		offer(l, name, ht_option_infos[o].help);
	}
	offer(l, "--help", "what the command takes");
}

/* The option that a word is: "--db", "-m", "--db=FILE" (then *ret_value is
 * FILE); HT_OPT_COUNT: none of this command. */
static size_t option_of(const struct ht_command *c, const char *word,
			const char **ret_value)
{
	size_t len = strcspn(word, "=");

	*ret_value = word[len] ? word + len + 1 : NULL;
	for (size_t o = 0; o < HT_OPT_COUNT; o++) {
		const struct ht_option_info *info = &ht_option_infos[o];

		if (!(c->takes >> o & 1))
			continue;
		if (word[0] == '-' && word[1] == info->key && !word[2])
			return o;
		if (!strncmp(word, "--", 2) && len > 2 &&
		    strlen(info->name) == len - 2 &&
		    !strncmp(word + 2, info->name, len - 2))
			return o;
	}
	return HT_OPT_COUNT;
}

/* The n-th argument as help names it; the last one again for those after it. */
static const char *argument_named(const struct ht_command *c, int n)
{
	const char *at = c->args + strspn(c->args, "[ ");

	while (n-- > 0) {
		const char *next = at + strcspn(at, " ");

		next += strspn(next, " [");
		if (!*next || *next == '|')
			break;
		at = next;
	}
	return at;
}

static void offer_positional(struct line *l, const struct ht_command *c, int n,
			     bool quoted)
{
	bool runs = strstr(c->args, "COMMAND...") != NULL;

	if (quoted && runs)
		offer_argument(l, n ? "FILE" : "COMMAND", c->name);
	else if (!strncmp(c->args, "--", 2))
		offer(l, "--", "the command to run");
	else if (n < c->max_args)
		offer_argument(l, argument_named(c, n), c->name);
}

/* What the words before the last one say: how many arguments stand there,
 * whether "--" does, which option waits for its value (HT_OPT_COUNT: none). */
struct before {
	int arguments;
	bool quoted;
	size_t waiting;
};

static struct before read_words(struct line *l, const struct ht_command *c,
				int words, char **word)
{
	struct before b = {.waiting = HT_OPT_COUNT};

	for (int i = 0; i < words; i++) {
		const char *value;
		size_t o = HT_OPT_COUNT;

		/* bash makes words of "--db", "=" and "FILE". */
		if (!strcmp(word[i], "=") && b.waiting != HT_OPT_COUNT)
			continue;
		if (b.waiting != HT_OPT_COUNT) {
			o = b.waiting;
			value = word[i];
			b.waiting = HT_OPT_COUNT;
		} else if (!b.quoted && !strcmp(word[i], "--")) {
			b.quoted = true;
			continue;
		} else if (!b.quoted && word[i][0] == '-') {
			o = option_of(c, word[i], &value);
			if (o != HT_OPT_COUNT && ht_option_infos[o].arg &&
			    !value)
				b.waiting = o;
		} else {
			b.arguments++;
		}
		if (o == HT_OPT_DB)
			l->cli.opt.db = value;
		else if (o == HT_OPT_SOCKET)
			l->cli.opt.socket = value;
	}
	return b;
}

/* "--metric=rss,in": the value of an option within its own word. */
static bool offer_value_within(struct line *l, const struct ht_command *c)
{
	const char *value;
	size_t o = option_of(c, l->typed, &value);

	if (o == HT_OPT_COUNT || !value)
		return false;
	l->prefix_len = (size_t)(value - l->typed);
	l->typed_len -= l->prefix_len;
	l->typed = value;
	offer_argument(l, ht_option_infos[o].arg ?: "",
		       ht_option_infos[o].name);
	return true;
}

static void offer_after(struct line *l, const struct ht_command *c, int words,
			char **word)
{
	struct before b = read_words(l, c, words, word);
	size_t o = b.waiting;

	if (o != HT_OPT_COUNT) {
		if (!strcmp(l->typed, "=")) { /* bash: nothing typed yet */
			l->typed++;
			l->typed_len = 0;
		}
		offer_argument(l, ht_option_infos[o].arg,
			       ht_option_infos[o].name);
	} else if (b.quoted || *l->typed != '-') {
		offer_positional(l, c, b.arguments, b.quoted);
	} else if (!offer_value_within(l, c)) {
		offer_options(l, c);
	}
}

int ht_complete(int words, char **word)
{
	struct line l = {.typed = words ? word[words - 1] : ""};
	const struct ht_command *c;

	l.typed_len = strlen(l.typed);
	l.prefix = l.typed;
	if (words < 2) {
		command_names(&l);
		offer(&l, "help", "what a command takes");
		offer(&l, "--version", NULL);
	} else if (!strcmp(word[0], "help")) {
		offer_argument(&l, words == 2 ? "COMMAND" : "", "help");
	} else {
		c = ht_command_find(word[0]);
		if (c)
			offer_after(&l, c, words - 2, word + 1);
	}
	free(l.told);
	return 0;
}
