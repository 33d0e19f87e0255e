/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/near.h"
#include "common/size.h"
#include "daemon/config/config_int.h"

static const char *const modes[] = {
#define MODE_NAME(c, s) s,
	HT_LIVE_MODE_NAMES(MODE_NAME) NULL};
static const char *const looks[] = {"auto", "full", "light", NULL};
static const char *const sink_types[] = {"journal", "command", "alertmanager",
					 NULL};
static const char *const whens[] = {"never", "on-leak", NULL};
static const char *const uis[] = {"off", "on", "anywhere", NULL};
static const char *const lives[] = {"sample", "resident", NULL};
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

#define DAY 86400.0
#define FIELD(type, field)                                                     \
	offsetof(struct type, field), sizeof(((struct type *)0)->field)

#define D(field) FIELD(ht_daemon_config, field)
static const struct ht_key daemon_keys[] = {
	{"store", HT_KEY_PATH, D(store), 0, 0, NULL, "database file"},
	{"control", HT_KEY_PATH, D(control), 0, 0, NULL,
	 "Unix socket of the heaptide command"},
	{"control_group", HT_KEY_TEXT, D(control_group), 0, 0, NULL,
	 "members of this group may use the control socket"},
	{"metrics", HT_KEY_TEXT, D(metrics), 0, 0, NULL,
	 "ADDRESS:PORT, unix:PATH or none"},
	{"metrics_arenas", HT_KEY_COUNT, D(metrics_arenas), 0, 128, NULL,
	 "arenas shown one by one per process; the rest as arena=\"other\""},
	{"metrics_processes", HT_KEY_COUNT, D(metrics_processes), 1, 10000,
	 NULL, "processes shown in /metrics"},
	{"metrics_bins", HT_KEY_BOOL, D(metrics_bins), 0, 0, NULL,
	 "per-bin detail in /metrics"},
	{"ui", HT_KEY_CHOICE, D(ui), 0, 0, uis,
	 "the page with all targets, live, where /metrics is: on, where only this machine reaches it; anywhere"},
	{"agent", HT_KEY_PATH, D(agent), 0, 0, NULL,
	 "the heaptide-agent program"},
	{"agents_max", HT_KEY_COUNT, D(agents_max), 1, 64, NULL,
	 "processes measured at the same time"},
	{"agent_life", HT_KEY_CHOICE, D(agent_life), 0, 0, lives,
	 "an agent lives for one sample, or stays with its process"},
	{"watches", HT_KEY_PATH, D(watches), 0, 0, NULL,
	 "file that keeps what 'heaptide watch' added"},
	{"scan", HT_KEY_DURATION, D(scan_ns), 0.1, 60, NULL,
	 "how often new processes are looked for"},
	{"evaluate", HT_KEY_DURATION, D(evaluate_ns), 0.1, 3600, NULL,
	 "how often rules are asked and each process is judged; many processes with days of history are judged less often"},
	{"detail", HT_KEY_DURATION, D(detail_ns), 1, DAY, NULL,
	 "how often bins, size classes, heaps and threads are recorded"},
	{"keep_raw", HT_KEY_DURATION, D(keep_raw_ns), 60, 3660 * DAY, NULL,
	 "how long every sample is kept"},
	{"keep_minute", HT_KEY_DURATION, D(keep_minute_ns), 60, 3660 * DAY,
	 NULL, "how long one-minute roll-ups are kept"},
	{"keep_10min", HT_KEY_DURATION, D(keep_10min_ns), 60, 3660 * DAY, NULL,
	 "how long ten-minute roll-ups are kept"},
	{"keep_hour", HT_KEY_DURATION, D(keep_hour_ns), 60, 3660 * DAY, NULL,
	 "how long one-hour roll-ups are kept"},
	{"store_max", HT_KEY_SIZE, D(store_max), 0x1p20, 0x1p50, NULL,
	 "size that the database is kept below"},
	{"log", HT_KEY_CHOICE, D(log), 0, 0, levels, "how much is logged"},
};

#define T(field) FIELD(ht_target_config, field)
static const struct ht_key selector_keys[] = {
	{"pid", HT_KEY_COUNT, T(select.pid), 1, 4194304, NULL, "one process"},
	{"start_ticks", HT_KEY_COUNT, T(select.start_ticks), 0, 0x1p53, NULL,
	 "with pid: the process that began then; 0: any of that pid"},
	{"name", HT_KEY_TEXT, T(select.name), 0, 0, NULL,
	 "glob over the command name"},
	{"exe", HT_KEY_PATH, T(select.exe), 0, 0, NULL,
	 "glob over the executable's path"},
	{"cmdline", HT_KEY_TEXT, T(select.cmdline), 0, 0, NULL,
	 "regular expression over the command line"},
	{"unit", HT_KEY_TEXT, T(select.unit), 0, 0, NULL,
	 "glob over the systemd unit"},
	{"cgroup", HT_KEY_TEXT, T(select.cgroup), 0, 0, NULL,
	 "glob over the cgroup path"},
	{"user", HT_KEY_TEXT, T(select.user), 0, 0, NULL,
	 "user name or number"},
};

/* For targets that the file names, and no others. */
static const struct ht_key act_keys[] = {
	{"trim", HT_KEY_TEXT, T(trim), 0, 0, NULL,
	 "when its processes are made to call malloc_trim(0): 'when trimmable > 512M for 10m, at most every 1h, hold 50ms'"},
	{"owners", HT_KEY_BOOL, T(owners), 0, 0, NULL,
	 "ask who holds the chunks of a leak, of a copy of the process"},
	{"types", HT_KEY_BOOL, T(types), 0, 0, NULL,
	 "look from time to time what chunks are, of a copy of the process"},
	{"types_every", HT_KEY_DURATION, T(types_every_ns), 1, DAY, NULL,
	 "how often"},
	{"who", HT_KEY_CHOICE, T(who), 0, 0, whens,
	 "see which call stacks make a leak, in short windows on malloc; wants CAP_BPF and CAP_PERFMON"},
	{"who_budget", HT_KEY_RATIO, T(who_budget), 1e-5, 0.05, NULL,
	 "share of a thread's time that the calls may lose by being seen"},
	{"who_for", HT_KEY_DURATION, T(who_for_ns), 5, 3600, NULL,
	 "how long chunks are followed"},
};

static const struct ht_key defaults_keys[] = {
	{"interval", HT_KEY_DURATION, T(interval_ns), 0.1, DAY, NULL,
	 "time between samples"},
	{"jitter", HT_KEY_RATIO, T(jitter), 0, 0.5, NULL,
	 "share of the interval by which samples are moved at random"},
	{"mode", HT_KEY_CHOICE, T(mode), 0, 0, modes, "how to measure"},
	{"look", HT_KEY_CHOICE, T(look), 0, 0, looks,
	 "full: every chunk each time; light: what malloc keeps, and a slice; auto: light where full takes more than look_cpu"},
	{"look_cpu", HT_KEY_RATIO, T(look_cpu), 1e-4, 1, NULL,
	 "share of one processor that measuring a process may take before looks become light"},
	{"max_pause", HT_KEY_DURATION, T(max_pause_ns), 1e-5, 60, NULL,
	 "a process is never stopped for longer"},
	{"timeout", HT_KEY_DURATION, T(timeout_ns), 0.01, 3600, NULL,
	 "an agent that takes longer is ended"},
	{"attempts", HT_KEY_COUNT, T(attempts), 1, 1000, NULL,
	 "stops before giving up on a thread inside malloc"},
	{"stop_cap", HT_KEY_RATIO, T(stop_cap), 1e-6, 0.1, NULL,
	 "share of wall time that a process may be stopped"},
	{"cpu_cap", HT_KEY_RATIO, T(cpu_cap), 1e-4, 1, NULL,
	 "share of all processors' time that measuring a process may take"},
	{"backoff_max", HT_KEY_DURATION, T(backoff_max_ns), 1, DAY, NULL,
	 "longest wait after failures"},
	{"max_processes", HT_KEY_COUNT, T(max_processes), 1, 10000, NULL,
	 "processes of this target measured at most, oldest first"},
};

#define S(field) FIELD(ht_sink_config, field)
static const struct ht_key sink_keys[] = {
	{"type", HT_KEY_CHOICE, S(type), 0, 0, sink_types, "kind of sink"},
	{"command", HT_KEY_TEXT, S(command), 0, 0, NULL,
	 "program and arguments, no shell; JSON on its standard input"},
	{"url", HT_KEY_TEXT, S(url), 0, 0, NULL, "Alertmanager's base URL"},
	{"timeout", HT_KEY_DURATION, S(timeout_ns), 0.1, 600, NULL,
	 "a delivery that takes longer has failed"},
	{"retry_max", HT_KEY_DURATION, S(retry_max_ns), 1, DAY, NULL,
	 "longest wait between attempts"},
	{"repeat", HT_KEY_DURATION, S(repeat_ns), 1, DAY, NULL,
	 "how often Alertmanager is told again what is still firing"},
	{"min_severity", HT_KEY_CHOICE, S(min_severity), 0, 0,
	 ht_severity_names, "lesser alerts are not sent"},
};

#define TABLE(section, keys)                                                   \
	{                                                                      \
		section, keys, sizeof(keys) / sizeof(*(keys))                  \
	}
const struct ht_key_table ht_daemon_keys = TABLE("daemon", daemon_keys);
const struct ht_key_table ht_selector_keys = TABLE("target", selector_keys);
const struct ht_key_table ht_act_keys = TABLE("target", act_keys);
const struct ht_key_table ht_defaults_keys = TABLE("defaults", defaults_keys);
const struct ht_key_table ht_sink_keys = TABLE("sink", sink_keys);

static enum ht_code set_text(const struct ht_key *k, char *to, const char *v,
			     struct ht_err *err)
{
	if (strlen(v) >= k->size)
		return ht_fail(err, HT_CONFIG, "longer than %zu bytes",
			       k->size - 1);
	if (k->type == HT_KEY_PATH && *v && *v != '/')
		return ht_fail(
			err, HT_CONFIG,
			"'%.60s' is not an absolute path: begin it with /", v);
	strcpy(to, v);
	return HT_OK;
}

static enum ht_code set_duration(const struct ht_key *k, int64_t *to,
				 const char *v, struct ht_err *err)
{
	char low[32], high[32];
	int64_t ns;

	if (ht_duration_parse(v, &ns) < 0)
		return ht_fail(
			err, HT_CONFIG,
			"'%.40s' is no duration: write 500ms, 10s, 5m, 2h or 7d",
			v);
	if ((double)ns < k->low * 1e9 || (double)ns > k->high * 1e9) {
		ht_duration_text((int64_t)(k->low * 1e9), low, sizeof(low));
		ht_duration_text((int64_t)(k->high * 1e9), high, sizeof(high));
		return ht_fail(err, HT_CONFIG, "%.40s is not between %s and %s",
			       v, low, high);
	}
	*to = ns;
	return HT_OK;
}

static enum ht_code set_size(const struct ht_key *k, uint64_t *to,
			     const char *v, struct ht_err *err)
{
	uint64_t bytes;

	if (ht_size_parse(v, &bytes) < 0)
		return ht_fail(err, HT_CONFIG,
			       "'%.40s' is no size: write 512M or 4G", v);
	if ((double)bytes < k->low || (double)bytes > k->high)
		return ht_fail(err, HT_CONFIG, "%.40s is out of range", v);
	*to = bytes;
	return HT_OK;
}

static enum ht_code set_count(const struct ht_key *k, uint64_t *to,
			      const char *v, struct ht_err *err)
{
	char *end;
	unsigned long long n = strtoull(v, &end, 10);

	if (end == v || *end || *v == '-' || (double)n < k->low ||
	    (double)n > k->high)
		return ht_fail(err, HT_CONFIG,
			       "'%.40s' is not a number from %.0f to %.0f", v,
			       k->low, k->high);
	*to = n;
	return HT_OK;
}

static enum ht_code set_ratio(const struct ht_key *k, double *to, const char *v,
			      struct ht_err *err)
{
	char *end;
	double ratio = strtod(v, &end);
	bool digits = end != v;

	while (*end == ' ')
		end++;
	if (*end == '%') {
		ratio /= 100;
		end++;
	}
	if (!digits || *end || !(ratio >= k->low && ratio <= k->high))
		return ht_fail(err, HT_CONFIG,
			       "'%.40s' is not a share from %g%% to %g%%", v,
			       k->low * 100, k->high * 100);
	*to = ratio;
	return HT_OK;
}

static const char *choice_at(const void *ctx, size_t i)
{
	return ((const char *const *)ctx)[i]; /* NULL at the end */
}

static enum ht_code set_choice(const struct ht_key *k, size_t *to,
			       const char *v, struct ht_err *err)
{
	char all[120] = "", near[HT_NEAR_TEXT];

	for (size_t i = 0; k->choices[i]; i++) {
		if (strcmp(v, k->choices[i]) == 0) {
			*to = i;
			return HT_OK;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			 i ? ", " : "", k->choices[i]);
	}
	return ht_fail(err, HT_CONFIG, "'%.40s' is none of: %s%s", v, all,
		       ht_near_text(ht_near(v, choice_at, k->choices), near));
}

static enum ht_code set_bool(bool *to, const char *v, struct ht_err *err)
{
	*to = strcmp(v, "yes") == 0 || strcmp(v, "on") == 0;
	return *to || strcmp(v, "no") == 0 || strcmp(v, "off") == 0
		       ? HT_OK
		       : ht_fail(err, HT_CONFIG,
				 "'%.40s' is neither yes nor no", v);
}

static enum ht_code set(const struct ht_key *k, void *to, const char *v,
			struct ht_err *err)
{
	switch (k->type) {
	case HT_KEY_TEXT:
	case HT_KEY_PATH:
		return set_text(k, to, v, err);
	case HT_KEY_DURATION:
		return set_duration(k, to, v, err);
	case HT_KEY_SIZE:
		return set_size(k, to, v, err);
	case HT_KEY_COUNT:
		return set_count(k, to, v, err);
	case HT_KEY_RATIO:
		return set_ratio(k, to, v, err);
	case HT_KEY_CHOICE:
		return set_choice(k, to, v, err);
	case HT_KEY_BOOL:
		return set_bool(to, v, err);
	}
	return ht_fail(err, HT_BUG, "key %s has no type", k->name);
}

struct key_tables {
	const struct ht_key_table *const *v;
	size_t n;
};

static const char *key_at(const void *ctx, size_t i)
{
	const struct key_tables *t = ctx;

	for (size_t k = 0; k < t->n; k++) {
		if (i < t->v[k]->n)
			return t->v[k]->keys[i].name;
		i -= t->v[k]->n;
	}
	return NULL;
}

const char *ht_keys_near(const struct ht_key_table *const *tables, size_t n,
			 const char *key)
{
	const struct key_tables all = {tables, n};

	return ht_near(key, key_at, &all);
}

enum ht_code ht_key_set(const struct ht_key_table *t, void *into,
			const char *key, const char *value, struct ht_err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->keys[i].name, key) == 0)
			return set(&t->keys[i],
				   (char *)into + t->keys[i].offset, value,
				   err);
	}
	return ht_fail(err, HT_USAGE, "[%s] has no key '%.40s'", t->section,
		       key);
}
