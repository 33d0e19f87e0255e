/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table (options.def) for all commands; help, parsing, completion
 * and the man page's check come from it. */
#ifndef HT_CLI_OPTIONS_H
#define HT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ht_option_id {
#define HT_OPTION(id, name, key, arg, type, member, help) HT_OPT_##id,
#include "cli/options.def"
#undef HT_OPTION
	HT_OPT_COUNT
};
/* Sets of options, for struct ht_command.takes. */
#define HT_TAKES(id) (UINT64_C(1) << HT_OPT_##id)

/* Of an option that is given twice: 0, -1, ... */
struct ht_lives {
	int64_t v[2];
	size_t n; /* how often it was given: 0 or 2 */
};

/* What was typed. Text is borrowed from argv; times not given are 0, counts,
 * sizes and mode HT_UNKNOWN. */
/* In a record: by what looks cost. A single look is full. */
#define HT_LOOK_AUTO	  HT_LOOK_COUNT
#define HT_LOOK_AUTO_NAME "auto"

struct ht_options {
	bool json, full, csv, bytes, ascii, no_debug_info, pss, dump_layout,
		yes, arena_tops, retained, leaks, types, who, collapsed, all;
	const char *db, *metric, *core, *exe, *sysroot, *output, *name, *format,
		*socket, *test, *sort, *bin, *fail_on, *junit, *sarif, *with,
		*pprof, *by, *way;
	struct ht_lives lives;
	int64_t at_ns, against_ns, since_ns, until_ns;
	int64_t max_pause_ns, max_hold_ns, timeout_ns, interval_ns, duration_ns,
		types_every_ns;
	uint64_t arena, mode;
	uint64_t look;	     /* enum ht_look_kind, or HT_LOOK_AUTO */
	uint64_t size;	     /* of chunks; 0: not given */
	uint64_t max_memory; /* bytes; 0: not given */
	uint64_t max_growth, max_in_use, max_retained; /* bytes */
	double confidence;			       /* NaN: not given */
	char **args; /* NULL-terminated, borrowed */
	int args_n;
	bool quoted; /* the arguments came after "--" */
};

struct ht_option_info {
	const char *name, *arg, *help;
	int key; /* short letter, or above 255 */
	int type;
	size_t offset; /* in struct ht_options */
};
extern const struct ht_option_info ht_option_infos[HT_OPT_COUNT];

/* The target in a command that is to be pasted: the first argument, or "PID"
 * where none was given or it would have to be quoted. */
const char *ht_options_target(const struct ht_options *o);
/* A point in time as people type it: a duration means that long before now,
 * else as ht_time_parse has it. Returns 0, or -1. */
int ht_moment_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

struct ht_command;
/* Parses argv[0..] of one command (argv[0]: its name). Like argp it ends the
 * program for --help, --usage and wrong usage (status 2). */
void ht_options_parse(const struct ht_command *command, int argc, char **argv,
		      struct ht_options *ret);

#endif
