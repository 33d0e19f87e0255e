/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: one commented file, heaptided.conf(5), in sections
 *
 *   [daemon]  [defaults]  [target NAME]  [rule NAME]  [sink NAME]
 *
 * Every key is in a table (config_keys.c) with its type, bounds and help; what
 * is not in it is an error. Reading goes on after an error, so that --check
 * shows all of them, each with its line and what to do. A configuration with
 * problems is never used.
 */
#ifndef HT_DAEMON_CONFIG_CONFIG_H
#define HT_DAEMON_CONFIG_CONFIG_H

#include "analysis/rules.h"
#include "daemon/config/pattern.h"
#include "daemon/config/trim_rule.h"
#include "link/request.h"

#define HT_CONFIG_PATH "/etc/heaptide/heaptided.conf"

/* What a target's processes have in common. All that are given must match. */
struct ht_selectors {
	uint64_t pid;	      /* 0: any */
	uint64_t start_ticks; /* with pid: the life that was meant, 0: any */
	char name[64];	      /* glob over comm, or over argv[0]'s last part */
	char exe[256];	      /* glob over the executable's path */
	char cmdline[256];    /* regular expression over the command line */
	char unit[128];	      /* glob over the systemd unit */
	char cgroup[256];     /* glob over the cgroup path */
	char user[64];	      /* name or number */
	uint64_t uid;	      /* of user; HT_UNKNOWN: any */
	struct ht_pattern *pattern; /* of cmdline, owned; NULL: none */
};

struct ht_target_config {
	char name[128];
	unsigned line; /* where its section begins; 0: watched at run time */
	struct ht_selectors select;
	int64_t interval_ns, timeout_ns, max_pause_ns, backoff_max_ns;
	double jitter;	 /* share of the interval, both ways */
	double stop_cap; /* stopped time / wall time */
	double cpu_cap;	 /* the agent's time / all processors' time */
	size_t mode;	 /* enum ht_mode */
	size_t look;	 /* enum ht_look_choice (link/looks.h) */
	double look_cpu; /* share of one processor that a look may take */
	uint64_t max_processes;
	bool full; /* more match: told (registry.c) */
	uint64_t attempts;
	char trim[160]; /* as written; "": nothing is given back */
	struct ht_trim_rule trim_rule;
	bool owners; /* who holds what leaks is asked */
	bool types;  /* what chunks are is looked at */
	int64_t types_every_ns;
	size_t who;	    /* enum ht_who_when: whose call stacks make it */
	double who_budget;  /* share of a thread's time that may be lost */
	int64_t who_for_ns; /* for so long */
};

enum ht_who_when { HT_WHO_NEVER, HT_WHO_ON_LEAK };

enum ht_sink_type { HT_SINK_JOURNAL, HT_SINK_COMMAND, HT_SINK_ALERTMANAGER };
struct ht_sink_config {
	char name[64];
	unsigned line;
	size_t type; /* enum ht_sink_type */
	char command[512];
	char url[256];
	int64_t timeout_ns, retry_max_ns, repeat_ns;
	size_t min_severity; /* enum ht_severity */
};

struct ht_daemon_config {
	char store[256], control[108], control_group[64], metrics[128],
		agent[256];
	char watches[256];
	uint64_t agents_max, metrics_arenas, metrics_processes;
	bool metrics_bins;
	size_t ui;	   /* enum ht_ui_mode */
	size_t agent_life; /* enum ht_agent_life */
	int64_t scan_ns, evaluate_ns, detail_ns;
	int64_t keep_raw_ns, keep_minute_ns, keep_10min_ns, keep_hour_ns;
	uint64_t store_max;
	size_t log; /* 0 error, 1 warning, 2 info, 3 debug */
};
enum ht_ui_mode { HT_UI_OFF, HT_UI_ON, HT_UI_ANYWHERE };
enum ht_agent_life { HT_AGENT_SAMPLE, HT_AGENT_RESIDENT };

struct ht_config_problem {
	unsigned line; /* 0: the file as a whole */
	char where[96];
	char text[300];
};

/* Where a key stands: for what is given twice, and for --check. */
struct ht_config_place {
	char section[96], key[40];
	unsigned line;
};

struct ht_config {
	char path[256];
	struct ht_daemon_config daemon;
	struct ht_target_config defaults;
	struct ht_target_config *targets;
	size_t targets_n;
	struct ht_rule *rules; /* shipped ones first */
	size_t rules_n;
	struct ht_sink_config *sinks;
	size_t sinks_n;
	struct ht_config_place *places;
	size_t places_n;
	struct ht_config_problem *problems;
	size_t problems_n;
};

/* As without a file: shipped rules, a journal sink, no target. */
enum ht_code ht_config_init(struct ht_config *c,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_config_fini(struct ht_config *c);
#define HT_AUTO_CONFIG HT_CLEANUP(ht_config_fini)

/* Reads a file over the defaults. HT_CONFIG: err has the first problem with
 * file and line, c->problems all; c is filled, to be ended by ht_config_fini
 * whatever is returned. */
enum ht_code ht_config_load(const char *path, struct ht_config *c,
			    struct ht_err *err) HT_MUST_CHECK;

/* What a start would meet, for --check: the store's folder, sockets, groups,
 * programs, globs that concern nothing. Adds to c->problems; HT_CONFIG: err has
 * the first. A start goes on all the same where it can. */
enum ht_code ht_config_check(struct ht_config *c,
			     struct ht_err *err) HT_MUST_CHECK;

/* A target outside the file (the CLI's `watch`): c's defaults, then keys. */
enum ht_code ht_target_config_init(const struct ht_config *c, const char *name,
				   struct ht_target_config *ret,
				   struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_target_config_set(struct ht_target_config *t, const char *key,
				  const char *value,
				  struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_target_config_check(const struct ht_target_config *t,
				    struct ht_err *err) HT_MUST_CHECK;
void ht_target_config_fini(struct ht_target_config *t);

/* Calls each for every key of the tables: for --help-config and tests. */
void ht_config_keys(void (*each)(void *ctx, const char *section,
				 const char *key, const char *help),
		    void *ctx);

#endif
