/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>
#include <unistd.h>
#include <utlist.h>

#include "common/clock.h"
#include "daemon/http/metrics_int.h"
#include "schema/alert_json.h"

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu_seconds(const struct ht_exposed *e)
{
	struct rusage use;

	(void)e;
	getrusage(RUSAGE_SELF, &use);
	return seconds(use.ru_utime) + seconds(use.ru_stime);
}

static double resident_bytes(const struct ht_exposed *e)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	(void)e;
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double started(const struct ht_exposed *e)
{
	return (double)e->parts->started_ns / 1e9;
}

static double targets(const struct ht_exposed *e)
{
	return (double)e->parts->config.targets_n;
}

static double processes(const struct ht_exposed *e)
{
	return (double)ht_registry_count(&e->parts->registry);
}

static double measuring(const struct ht_exposed *e)
{
	return (double)e->parts->supervisor.measuring;
}

static double agents_started(const struct ht_exposed *e)
{
	return (double)e->parts->supervisor.started;
}

static double agents_killed(const struct ht_exposed *e)
{
	return (double)e->parts->supervisor.killed;
}

static double who_runs(const struct ht_exposed *e)
{
	return (double)e->parts->makers.runs;
}

static double who_refused(const struct ht_exposed *e)
{
	return (double)e->parts->makers.refused;
}

static double who_lost(const struct ht_exposed *e)
{
	return e->parts->makers.lost;
}

static double scan_s(const struct ht_exposed *e)
{
	return (double)e->parts->registry.scan_cost_ns / 1e9;
}

static double judge_s(const struct ht_exposed *e)
{
	return (double)e->parts->judge.cost_ns / 1e9;
}

static double judged(const struct ht_exposed *e)
{
	return (double)e->parts->judge.judged;
}

static double store_up(const struct ht_exposed *e)
{
	return e->parts->ingest.trouble[0] ? 0 : 1;
}

static double store_bytes(const struct ht_exposed *e)
{
	return (double)e->parts->ingest.size_bytes;
}

static double stored(const struct ht_exposed *e)
{
	return (double)e->parts->ingest.stored;
}

static double too_many(const struct ht_exposed *e)
{
	return (double)e->parts->registry.too_many;
}
static double lost(const struct ht_exposed *e)
{
	return (double)e->parts->ingest.lost;
}
static double lost_events(const struct ht_exposed *e)
{
	return (double)e->parts->ingest.lost_events;
}

static double commits(const struct ht_exposed *e)
{
	return (double)e->parts->ingest.commits;
}

static double lag_s(const struct ht_exposed *e)
{
	return (double)e->parts->lag.last_ns / 1e9;
}

static double lag_max_s(const struct ht_exposed *e)
{
	return (double)e->parts->lag.max_ns / 1e9;
}

static double connections(const struct ht_exposed *e)
{
	return (double)e->connections;
}

static double shed(const struct ht_exposed *e)
{
	return (double)e->shed;
}

static double reload_ok(const struct ht_exposed *e)
{
	return e->parts->reload_ok ? 1 : 0;
}

static const struct {
	const char *name;
	enum ht_family_type type;
	double (*value)(const struct ht_exposed *e);
	const char *help;
} families[] = {
	{"heaptide_start_time_seconds", HT_GAUGE, started,
	 "when the daemon started"},
	{"heaptide_config_reload_successful", HT_GAUGE, reload_ok,
	 "1 when the configuration on disk is the one in use"},
	{"heaptide_targets", HT_GAUGE, targets,
	 "targets configured or watched"},
	{"heaptide_processes", HT_GAUGE, processes, "processes watched"},
	{"heaptide_agents_measuring", HT_GAUGE, measuring, "agents at work"},
	{"heaptide_agents_started", HT_COUNTER, agents_started,
	 "agents started"},
	{"heaptide_agents_killed", HT_COUNTER, agents_killed,
	 "agents ended because they were late"},
	{"heaptide_who_runs", HT_COUNTER, who_runs,
	 "leaks whose call stacks were looked for (who = on-leak)"},
	{"heaptide_who_refused", HT_COUNTER, who_refused,
	 "... which could not be done"},
	{"heaptide_who_lost_ratio", HT_GAUGE, who_lost,
	 "share of a thread's time that calls of malloc lost by being seen, of the newest run, at most"},
	{"heaptide_scan_duration_seconds", HT_GAUGE, scan_s,
	 "last look for new processes"},
	{"heaptide_judge_duration_seconds", HT_GAUGE, judge_s,
	 "last verdict and rules of one process"},
	{"heaptide_verdicts", HT_COUNTER, judged, "verdicts made"},
	{"heaptide_processes_over_max", HT_COUNTER, too_many,
	 "times that a process was not watched because its target has max_processes already"},
	{"heaptide_store_up", HT_GAUGE, store_up,
	 "1 when samples are recorded"},
	{"heaptide_store_size_bytes", HT_GAUGE, store_bytes,
	 "the database and its write-ahead log"},
	{"heaptide_store_samples", HT_COUNTER, stored, "samples recorded"},
	{"heaptide_store_lost_samples", HT_COUNTER, lost,
	 "samples measured that could not be recorded"},
	{"heaptide_store_lost_events", HT_COUNTER, lost_events,
	 "events, ends of processes, call stacks and types that could not be recorded"},
	{"heaptide_store_commits", HT_COUNTER, commits, "transactions"},
	{"heaptide_loop_lag_seconds", HT_GAUGE, lag_s,
	 "how late the last timer was"},
	{"heaptide_loop_lag_max_seconds", HT_GAUGE, lag_max_s,
	 "how late a timer was at most, since the start"},
	{"heaptide_http_connections", HT_GAUGE, connections,
	 "connections to /metrics"},
	{"heaptide_http_connections_shed", HT_COUNTER, shed,
	 "connections closed because they were slow or too many"},
	{"heaptide_self_resident_bytes", HT_GAUGE, resident_bytes,
	 "the daemon's own resident set"},
	{"heaptide_self_cpu_seconds", HT_COUNTER, cpu_seconds,
	 "the daemon's own processor time"},
};

static void write_alerts(struct ht_text *t, const struct ht_parts *p)
{
	const struct ht_alert_entry *e;

	ht_text_family(t, "heaptide_alert_firing", HT_GAUGE,
		       "1 while the alert fires, 0 while it is pending");
	DL_FOREACH (p->alerts.list, e) {
		char labels[400] = "", pid[24];

		snprintf(pid, sizeof(pid), "%ld", ht_alert_pid(&e->alert));
		ht_labels_add(labels, sizeof(labels), "target",
			      e->alert.target);
		ht_labels_add(labels, sizeof(labels), "pid", pid);
		ht_labels_add(labels, sizeof(labels), "rule", e->alert.rule);
		ht_labels_add(labels, sizeof(labels), "severity",
			      e->alert.severity);
		ht_text_u64(t, labels, e->alert.state == HT_ALERT_FIRING);
	}
}

static const struct {
	const char *name;
	enum ht_family_type type;
	const char *help;
} sink_families[] = {
	{"heaptide_sink_up", HT_GAUGE, "1 when its last delivery went well"},
	{"heaptide_sink_queued", HT_GAUGE, "notices that wait"},
	{"heaptide_sink_deliveries", HT_COUNTER, "notices delivered"},
	{"heaptide_sink_failures", HT_COUNTER, "attempts that failed"},
	{"heaptide_sink_dropped", HT_COUNTER, "notices given up: queue full"},
};

static void write_sinks(struct ht_text *t, const struct ht_parts *p)
{
	for (size_t i = 0; i < sizeof(sink_families) / sizeof(*sink_families);
	     i++) {
		const struct ht_sink *s;

		ht_text_family(t, sink_families[i].name, sink_families[i].type,
			       sink_families[i].help);
		LL_FOREACH (p->sinks.list, s) {
			const uint64_t values[] = {s->last_error[0] == '\0',
						   s->queued, s->delivered,
						   s->failed, s->dropped};
			char labels[160] = "";

			ht_labels_add(labels, sizeof(labels), "sink",
				      s->config.name);
			ht_text_u64(t, labels, values[i]);
		}
	}
}

void ht_metrics_of_daemon(struct ht_text *t, const struct ht_exposed *e)
{
	ht_text_family(t, "heaptide_build_info", HT_GAUGE,
		       "version of the daemon; always 1");
	ht_text_u64(t, "version=\"" HT_VERSION "\"", 1);
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		ht_text_family(t, families[i].name, families[i].type,
			       families[i].help);
		ht_text_f64(t, "", families[i].value(e));
	}
	write_alerts(t, e->parts);
	write_sinks(t, e->parts);
}
