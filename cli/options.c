/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "common/clock.h"
#include "common/size.h"
#include "schema/records.h"

enum { FLAG, TEXT, SPAN, TIME, UPTO, COUNT, SIZE, SHARE, LIFE, MODE, LOOK };

const struct ht_option_info ht_option_infos[HT_OPT_COUNT] = {
#define HT_OPTION(id, name, key, arg, type, member, help)                      \
	[HT_OPT_##id] = {name, arg,                                            \
			 help, (key) ? (key) : 256 + HT_OPT_##id,              \
			 type, offsetof(struct ht_options, member)},
#include "cli/options.def"
#undef HT_OPTION
};

int ht_moment_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ago;

	if (!ht_duration_parse(text, &ago)) {
		*ret_ns = ago < now_ns ? now_ns - ago : 0;
		return 0;
	}
	return ht_time_parse(text, now_ns, ret_ns);
}

/* Times are printed to the millisecond: the last that is named by it, so that
 * what is printed of a sample is at or after it. */
static int upto_parse(const char *text, int64_t *ret_ns)
{
	if (ht_moment_parse(text, ht_wall_ns(), ret_ns))
		return -1;
	if (*ret_ns < INT64_MAX - HT_NS_PER_MS)
		*ret_ns += HT_NS_PER_MS - 1 - *ret_ns % HT_NS_PER_MS;
	return 0;
}

/* What the agent takes: link/wire.c. */
static const struct {
	int option;
	int64_t min_ns, max_ns;
} spans[] = {{HT_OPT_MAX_PAUSE, HT_NS_PER_US, 60 * HT_NS_PER_S},
	     {HT_OPT_MAX_HOLD, HT_NS_PER_US, 3600 * HT_NS_PER_S},
	     {HT_OPT_TIMEOUT, 10 * HT_NS_PER_MS, 3600 * HT_NS_PER_S}};

static void check_span(struct argp_state *state, size_t option, int64_t ns)
{
	char min[32], max[32];

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (spans[i].option != (int)option ||
		    (ns >= spans[i].min_ns && ns <= spans[i].max_ns))
			continue;
		ht_duration_text(spans[i].min_ns, min, sizeof(min));
		ht_duration_text(spans[i].max_ns, max, sizeof(max));
		argp_error(state, "--%s takes %s to %s",
			   ht_option_infos[option].name, min, max);
	}
}

static int parse_count(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno || end == text || *end || *text == '-' ? -1 : 0;
}

static int parse_share(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end == text || *end || !(*ret >= 0 && *ret <= 1) ? -1 : 0;
}

static int parse_life(const char *text, struct ht_lives *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || n > 0 || n < -100000)
		return -1;
	if (ret->n < 2)
		ret->v[ret->n] = n;
	ret->n++;
	return 0;
}

/* The names that can be asked for: a core file is not a mode one chooses. */
static int parse_mode(const char *text, uint64_t *ret)
{
	for (uint64_t m = 0; m < HT_MODE_CORE; m++) {
		if (!strcmp(text, ht_mode_names[m])) {
			*ret = m;
			return 0;
		}
	}
	return -1;
}

static int parse_look(const char *text, uint64_t *ret)
{
	for (uint64_t k = 0; k < HT_LOOK_COUNT; k++) {
		if (!strcmp(text, ht_look_names[k])) {
			*ret = k;
			return 0;
		}
	}
	*ret = HT_LOOK_AUTO;
	return strcmp(text, HT_LOOK_AUTO_NAME) ? -1 : 0;
}

static int set_value(const struct ht_option_info *info, const char *arg,
		     struct ht_options *o)
{
	void *at = (char *)o + info->offset;

	switch (info->type) {
	case FLAG:
		*(bool *)at = true;
		return 0;
	case TEXT:
		*(const char **)at = arg;
		return *arg ? 0 : -1;
	case SPAN:
		return ht_duration_parse(arg, at);
	case TIME:
		return ht_moment_parse(arg, ht_wall_ns(), at);
	case UPTO:
		return upto_parse(arg, at);
	case COUNT:
		return parse_count(arg, at);
	case SIZE:
		return ht_size_parse(arg, at);
	case SHARE:
		return parse_share(arg, at);
	case LIFE:
		return parse_life(arg, at);
	case LOOK:
		return parse_look(arg, at);
	default:
		return parse_mode(arg, at);
	}
}

struct parse {
	const struct ht_command *command;
	struct ht_options *options;
};

static error_t take_argument(struct argp_state *state, struct parse *p)
{
	struct ht_options *o = p->options;

	o->args = state->argv + state->next - 1;
	o->args_n = state->argc - state->next + 1;
	o->quoted = state->quoted && state->next - 1 >= state->quoted;
	state->next = state->argc;
	return 0;
}

static void check_arguments(struct argp_state *state, const struct parse *p)
{
	const struct ht_command *c = p->command;
	int n = p->options->args_n;

	if (n < c->min_args)
		argp_error(state, "expected %s", c->args);
	if (p->options->since_ns && p->options->until_ns &&
	    p->options->since_ns > p->options->until_ns)
		argp_error(
			state,
			"--since is after --until: nothing lies between them");
	if (p->options->json && p->options->csv)
		argp_error(state, "--json and --csv: choose one");
	if (p->options->lives.n && p->options->lives.n != 2)
		argp_error(
			state,
			"--life is given twice, for the one life and the other: --life -1 --life 0");
	if (p->options->lives.n && p->options->with)
		argp_error(
			state,
			"--with and --life: choose one; '#ID' names an earlier life of OTHER");
	if (n > c->max_args && !p->options->quoted)
		argp_error(state, "too many arguments, expected %s",
			   *c->args ? c->args : "none");
}

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	if (key == ARGP_KEY_ARG)
		return take_argument(state, p);
	if (key == ARGP_KEY_END)
		check_arguments(state, p);
	for (size_t i = 0; i < HT_OPT_COUNT; i++) {
		const struct ht_option_info *info = &ht_option_infos[i];

		if (info->key != key || !(p->command->takes >> i & 1))
			continue;
		if (set_value(info, arg, p->options))
			argp_error(state, "--%s: '%s' is no %s", info->name,
				   arg, info->arg);
		if (info->type == SPAN)
			check_span(state, i,
				   *(int64_t *)((char *)p->options +
						info->offset));
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void ht_options_parse(const struct ht_command *command, int argc, char **argv,
		      struct ht_options *ret)
{
	struct argp_option list[HT_OPT_COUNT + 1] = {0};
	static char *none[] = {NULL};
	struct parse p = {command, ret};
	struct argp argp = {.options = list,
			    .parser = parse_key,
			    .args_doc = command->args,
			    .doc = command->doc};
	size_t n = 0;

	for (size_t i = 0; i < HT_OPT_COUNT; i++) {
		const struct ht_option_info *info = &ht_option_infos[i];

		if (command->takes >> i & 1)
			list[n++] = (struct argp_option){.name = info->name,
							 .key = info->key,
							 .arg = info->arg,
							 .doc = info->help};
	}
	*ret = (struct ht_options){.args = none,
				   .arena = HT_UNKNOWN,
				   .mode = HT_UNKNOWN,
				   .max_growth = HT_UNKNOWN,
				   .max_in_use = HT_UNKNOWN,
				   .max_retained = HT_UNKNOWN,
				   .confidence = NAN};
	argp_parse(&argp, argc, argv, 0, NULL, &p);
}

const char *ht_options_target(const struct ht_options *o)
{
	const char *word = o->args_n ? o->args[0] : "";

	if (!isalnum((unsigned char)*word) ||
	    strspn(word,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
		    strlen(word))
		return "PID";
	return word;
}
