/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/http/metrics_int.h"

/* --- one number a process ------------------------------------------------ */

/* In the order of the page. The names are in schema/metrics.def; what is told
 * apart by a label is one family, and says with its first what all of it is. */
static const struct {
	enum ht_metric metric;
	const char *help; /* NULL: the metric's own, or told already */
} order[] = {
	{HT_M_in_use, NULL},
	{HT_M_in_use_chunks, NULL},
	{HT_M_mmapped, NULL},
	{HT_M_mmapped_chunks, NULL},
	{HT_M_system, NULL},
	{HT_M_overhead, NULL},
	{HT_M_retained, NULL},
	{HT_M_trimmable, NULL},
	{HT_M_pinned, NULL},
	{HT_M_stuck, NULL},
	{HT_M_tops_kept, NULL},
	{HT_M_largest_free, NULL},
	{HT_M_used_pages_resident, NULL},
	{HT_M_resident_free, NULL},
	{HT_M_non_malloc_anon, NULL},
	{HT_M_arenas, NULL},
	{HT_M_arenas_holding, NULL},
	{HT_M_rss, NULL},
	{HT_M_rss_anon, NULL},
	{HT_M_pss, NULL},
	{HT_M_trimmable_private, NULL},
	{HT_M_swap, NULL},
	{HT_M_vsz, NULL},
	{HT_M_limit, NULL},
	{HT_M_threads, NULL},
	{HT_M_minflt, NULL},
	{HT_M_majflt, NULL},
	{HT_M_cpu_ns, NULL},
	{HT_M_trim_threshold, NULL},
	{HT_M_mmap_threshold, NULL},
	{HT_M_uncertain, NULL},
	{HT_M_external, NULL},
	{HT_M_retained_ratio, NULL},
	{HT_M_page_utilisation, NULL},
	{HT_M_stuck_ratio, NULL},
	{HT_M_unusable_median, NULL},
	{HT_M_unusable_p95, NULL},
	{HT_M_peak_overhead, NULL},
	{HT_M_tcache, "free by place; the sum is all that malloc holds free"},
	{HT_M_fastbin, NULL},
	{HT_M_unsorted, NULL},
	{HT_M_small, NULL},
	{HT_M_large, NULL},
	{HT_M_top, NULL},
	{HT_M_holes_lt_4k, "in free runs, by size of the run; tops are none"},
	{HT_M_holes_4k_64k, NULL},
	{HT_M_holes_64k_1m, NULL},
	{HT_M_holes_ge_1m, NULL},
	{HT_M_holes_lt_4k_count, "free runs, by size; tops are none"},
	{HT_M_holes_4k_64k_count, NULL},
	{HT_M_holes_64k_1m_count, NULL},
	{HT_M_holes_ge_1m_count, NULL},
};
#define SHOWN (sizeof(order) / sizeof(*order))

/* A count as the digits it has; what no count is, as a real number. */
static void write_value(struct ht_text *t, const char *labels, enum ht_metric m,
			double v)
{
	if (ht_metric_is_ratio(m) || v >= 0x1p53)
		ht_text_f64(t, labels, v);
	else
		ht_text_u64(t, labels, (uint64_t)v);
}

/* One metric of a process, where it is known. */
static void write_metric(struct ht_text *t, const struct ht_shown_process *s,
			 enum ht_metric m)
{
	const struct ht_metric_info *info = &ht_metric_infos[m];
	double v = s->process->latest.values[m];
	char labels[sizeof(s->labels) + 64];

	if (!s->process->latest.taken_ns || isnan(v))
		return;
	strcpy(labels, s->labels);
	if (info->label)
		ht_labels_add(labels, sizeof(labels), info->label, info->part);
	if (ht_metric_factor(m) == 1)
		write_value(t, labels, m, v);
	else
		ht_text_f64(t, labels, v * ht_metric_factor(m));
}

/* The rows of `order` from `from` to before `end`: one family. */
static void write_family(struct ht_text *t, const struct ht_shown *shown,
			 size_t from, size_t end)
{
	const struct ht_metric_info *info =
		&ht_metric_infos[order[from].metric];

	ht_text_family(t, info->family, info->counts ? HT_COUNTER : HT_GAUGE,
		       order[from].help ?: info->help);
	for (size_t k = 0; k < shown->n; k++)
		for (size_t i = from; i < end; i++)
			write_metric(t, &shown->v[k], order[i].metric);
}

static void write_metrics(struct ht_text *t, const struct ht_shown *shown)
{
	for (size_t from = 0, end; from < SHOWN; from = end) {
		const char *family = ht_metric_infos[order[from].metric].family;

		for (end = from + 1; end < SHOWN; end++)
			if (strcmp(ht_metric_infos[order[end].metric].family,
				   family) != 0)
				break;
		write_family(t, shown, from, end);
	}
}

size_t ht_metrics_times_shown(enum ht_metric m)
{
	size_t n = 0;

	for (size_t i = 0; i < SHOWN; i++)
		n += order[i].metric == m;
	return n;
}

/* --- several numbers a process ------------------------------------------- */

static void write_one_of(struct ht_text *t, const struct ht_shown_process *s,
			 const char *label, const char *which, uint64_t v)
{
	char labels[sizeof(s->labels) + 64];

	if (v == HT_UNKNOWN)
		return;
	strcpy(labels, s->labels);
	ht_labels_add(labels, sizeof(labels), label, which);
	ht_text_u64(t, labels, v);
}

static void write_causes(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(
		t, "heaptide_resident_bytes", HT_GAUGE,
		"resident by the one rule that keeps it; the sum is the resident set");
	for (size_t k = 0; k < shown->n; k++) {
		const struct ht_latest *l = &shown->v[k].process->latest;

		for (size_t i = 0; l->taken_ns && i < HT_CAUSE_COUNT; i++)
			write_one_of(t, &shown->v[k], "cause",
				     ht_cause_names[i], l->causes[i]);
	}
}

static const struct {
	const char *name, *help;
	size_t offset;
} arena_families[] = {
	{"heaptide_heap_in_use_bytes", "held by the program, by arena",
	 offsetof(struct ht_latest_arena, in_use)},
	{"heaptide_heap_system_bytes", "taken from the system, by arena",
	 offsetof(struct ht_latest_arena, system)},
	{"heaptide_heap_retained_bytes", "free and resident, by arena",
	 offsetof(struct ht_latest_arena, retained)},
	{"heaptide_heap_trimmable_bytes",
	 "malloc_trim(0) would return this, by arena",
	 offsetof(struct ht_latest_arena, trimmable)},
};

static void write_arenas(struct ht_text *t, const struct ht_shown *shown)
{
	for (size_t f = 0; f < sizeof(arena_families) / sizeof(*arena_families);
	     f++) {
		ht_text_family(t, arena_families[f].name, HT_GAUGE,
			       arena_families[f].help);
		for (size_t k = 0; k < shown->n; k++) {
			const struct ht_latest *l =
				&shown->v[k].process->latest;

			for (size_t i = 0; i < l->arenas_n; i++) {
				uint64_t v;

				memcpy(&v,
				       (const char *)&l->arenas[i] +
					       arena_families[f].offset,
				       sizeof(v));
				write_one_of(t, &shown->v[k], "arena",
					     l->arenas[i].name, v);
			}
		}
	}
}

static void write_bins(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(t, "heaptide_bin_free_bytes", HT_GAUGE,
		       "free by bin, all arenas together");
	for (size_t k = 0; k < shown->n; k++) {
		const struct ht_latest *l = &shown->v[k].process->latest;

		for (size_t i = 0; i < l->bins_n; i++) {
			char name[48];

			snprintf(name, sizeof(name), "%s_%llu",
				 ht_bin_kind_names[l->bins[i].kind],
				 (unsigned long long)l->bins[i].index);
			write_one_of(t, &shown->v[k], "bin", name,
				     l->bins[i].bytes);
		}
	}
}

/* --- measuring itself ---------------------------------------------------- */

static void write_histogram(struct ht_text *t, const char *labels,
			    const struct ht_pauses *p)
{
	if (p->count)
		ht_text_histogram(t, labels, ht_pause_bounds_us, p->bucket,
				  HT_PAUSE_BUCKETS, p->sum_us);
}

static void write_pauses(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(t, "heaptide_pause_seconds", HT_HISTOGRAM,
		       "how long samples stopped the process");
	for (size_t k = 0; k < shown->n; k++)
		write_histogram(t, shown->v[k].labels,
				&shown->v[k].process->pauses);
	ht_text_family(
		t, "heaptide_gap_seconds", HT_HISTOGRAM,
		"the longest that a thread of the process may have waited for a sample, stopped or for a processor");
	for (size_t k = 0; k < shown->n; k++)
		write_histogram(t, shown->v[k].labels,
				&shown->v[k].process->gaps);
}

static void write_failures(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(t, "heaptide_sample_failures", HT_COUNTER,
		       "samples that failed, by reason");
	for (size_t k = 0; k < shown->n; k++) {
		for (size_t i = 1; i < HT_CODE_COUNT; i++) {
			uint64_t n = shown->v[k].process->failures[i];

			if (n)
				write_one_of(t, &shown->v[k], "reason",
					     ht_code_label((enum ht_code)i), n);
		}
	}
}

static void write_unknown(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(
		t, "heaptide_unknown_figures", HT_GAUGE,
		"figures of the last sample that are not known, by what kept them so; `heaptide status` says how to mend it");
	for (size_t k = 0; k < shown->n; k++) {
		const struct ht_latest *l = &shown->v[k].process->latest;

		for (size_t i = 0; l->taken_ns && i < HT_WHY_COUNT; i++) {
			if (l->unknown[i])
				write_one_of(t, &shown->v[k], "reason",
					     ht_why_names[i], l->unknown[i]);
		}
	}
}

static double samples(const struct ht_watched *p)
{
	return (double)p->samples;
}

static double sampled_at(const struct ht_watched *p)
{
	return p->latest.taken_ns ? (double)p->latest.taken_ns / 1e9 : NAN;
}

static double consecutive(const struct ht_watched *p)
{
	return p->schedule.failures;
}

static double stop_ratio(const struct ht_watched *p)
{
	return ht_schedule_stop_ratio(&p->schedule, ht_mono_ns());
}

static double interval(const struct ht_watched *p)
{
	return (double)p->config->interval_ns / 1e9;
}

static double is_light(const struct ht_watched *p)
{
	return p->latest.taken_ns ? p->looks.light : NAN;
}

static double look_cpu(const struct ht_watched *p)
{
	int64_t ns = p->looks.light ? p->looks.light_ns : p->looks.full_ns;

	return ns ? (double)ns / 1e9 : NAN;
}

/* Of the interval: what look_cpu limits. */
static double look_share(const struct ht_watched *p)
{
	return look_cpu(p) * 1e9 / (double)p->config->interval_ns;
}

static double in_use_off(const struct ht_watched *p)
{
	return p->latest.taken_ns ? p->looks.in_use.off : NAN;
}

static double retained_off(const struct ht_watched *p)
{
	return p->latest.taken_ns ? p->looks.retained.off : NAN;
}

static double in_use_age(const struct ht_watched *p)
{
	return p->latest.taken_ns && p->looks.in_use.age_us != HT_UNKNOWN
		       ? (double)p->looks.in_use.age_us / 1e6
		       : NAN;
}

static double classes_age(const struct ht_watched *p)
{
	int64_t age_ns = ht_looks_classes_age_ns(&p->looks, ht_mono_ns());

	return age_ns >= 0 ? (double)age_ns / 1e9 : NAN;
}

static double slope(const struct ht_watched *p)
{
	return p->judged ? p->verdict.slope_bytes_per_hour / 3600 : NAN;
}

static double inconsistent(const struct ht_watched *p)
{
	return p->latest.taken_ns ? (double)ht_watched_inconsistent(p)
				  : (double)NAN;
}

static double eta(const struct ht_watched *p)
{
	if (!p->judged || !p->verdict.eta_at_ns)
		return NAN;
	return (double)p->verdict.eta_at_ns / 1e9;
}

static double idle_floor(const struct ht_watched *p)
{
	return p->judged && p->verdict.idle_floor != HT_UNKNOWN
		       ? (double)p->verdict.idle_floor
		       : NAN;
}

/* Only of those that have a rule. */
static double trim_figure(const struct ht_watched *p, uint64_t v)
{
	return p->config->trim_rule.above ? (double)v : NAN;
}

static double trims(const struct ht_watched *p)
{
	return trim_figure(p, p->trimming.times);
}

static double trim_refusals(const struct ht_watched *p)
{
	return trim_figure(p, p->trimming.refusals);
}

static double trim_returned(const struct ht_watched *p)
{
	return trim_figure(p, p->trimming.returned);
}

static double trim_back(const struct ht_watched *p)
{
	return trim_figure(p, p->trimming.came_back);
}

static double trim_paused(const struct ht_watched *p)
{
	return trim_figure(p, p->trimming.paused_until_ns > ht_mono_ns());
}

static const struct {
	const char *name;
	enum ht_family_type type;
	double (*value)(const struct ht_watched *p); /* NaN: no line */
	const char *help;
} derived[] = {
	{"heaptide_samples", HT_COUNTER, samples, "samples that succeeded"},
	{"heaptide_last_sample_timestamp_seconds", HT_GAUGE, sampled_at,
	 "when the figures were true"},
	{"heaptide_consecutive_failures", HT_GAUGE, consecutive,
	 "samples that failed in a row"},
	{"heaptide_inconsistent_samples", HT_GAUGE, inconsistent,
	 "of the last three samples, those whose heap broke an invariant of malloc"},
	{"heaptide_stop_ratio", HT_GAUGE, stop_ratio,
	 "share of wall time that the process was stopped, last minutes"},
	{"heaptide_interval_seconds", HT_GAUGE, interval, "between samples"},
	{"heaptide_growth_bytes_per_second", HT_GAUGE, slope,
	 "speed of what the verdict says is growing"},
	{"heaptide_limit_reached_timestamp_seconds", HT_GAUGE, eta,
	 "when the nearest limit is reached at the present growth"},
	{"heaptide_trims", HT_COUNTER, trims,
	 "times that it was made to call malloc_trim(0)"},
	{"heaptide_trim_refusals", HT_COUNTER, trim_refusals,
	 "times that this was refused"},
	{"heaptide_trim_returned_bytes", HT_COUNTER, trim_returned,
	 "bytes that it returned thereby"},
	{"heaptide_trim_faulted_back_bytes", HT_COUNTER, trim_back,
	 "of them, faulted back within ten minutes"},
	{"heaptide_trim_paused", HT_GAUGE, trim_paused,
	 "1 while it is left alone, because what it gave back came back"},
	{"heaptide_idle_floor_bytes", HT_GAUGE, idle_floor,
	 "lowest retained bytes in the verdict's window"},
	{"heaptide_light_look", HT_GAUGE, is_light,
	 "1: the last look read what malloc keeps and a slice, not every chunk"},
	{"heaptide_look_cpu_seconds", HT_GAUGE, look_cpu,
	 "processor time of the last look"},
	{"heaptide_size_classes_age_seconds", HT_GAUGE, classes_age,
	 "age of the oldest figure of the size classes"},
	{"heaptide_look_cpu_ratio", HT_GAUGE, look_share,
	 "processor time of the last look, of the interval"},
	{"heaptide_in_use_age_seconds", HT_GAUGE, in_use_age,
	 "age of the oldest figure that the last sample's bytes in use were made of"},
	{"heaptide_in_use_error_ratio", HT_GAUGE, in_use_off,
	 "share by which the last sample's bytes in use may be off"},
	{"heaptide_retained_error_ratio", HT_GAUGE, retained_off,
	 "share by which the last sample's retained bytes may be off"},
};

static void write_derived(struct ht_text *t, const struct ht_shown *shown)
{
	for (size_t i = 0; i < sizeof(derived) / sizeof(*derived); i++) {
		ht_text_family(t, derived[i].name, derived[i].type,
			       derived[i].help);
		for (size_t k = 0; k < shown->n; k++) {
			double v = derived[i].value(shown->v[k].process);

			if (!isnan(v))
				ht_text_f64(t, shown->v[k].labels, v);
		}
	}
}

static void write_verdicts(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(t, "heaptide_verdict_confidence", HT_GAUGE,
		       "of the verdict named by the label, 0 to 1");
	for (size_t k = 0; k < shown->n; k++) {
		const struct ht_watched *p = shown->v[k].process;
		char labels[sizeof(shown->v[k].labels) + 64];

		if (!p->judged)
			continue;
		strcpy(labels, shown->v[k].labels);
		ht_labels_add(labels, sizeof(labels), "verdict",
			      ht_label_names[p->verdict.label]);
		ht_text_f64(t, labels, p->verdict.confidence);
	}
}

static void write_info(struct ht_text *t, const struct ht_shown *shown)
{
	ht_text_family(t, "heaptide_process_info", HT_GAUGE,
		       "what runs under this pid; always 1");
	for (size_t k = 0; k < shown->n; k++) {
		const struct ht_watched *p = shown->v[k].process;
		char labels[sizeof(shown->v[k].labels) + 600];

		strcpy(labels, shown->v[k].labels);
		ht_labels_add(labels, sizeof(labels), "comm", p->comm);
		ht_labels_add(labels, sizeof(labels), "exe", p->exe);
		ht_labels_add(labels, sizeof(labels), "state",
			      ht_schedule_state_name(p->schedule.state));
		ht_text_u64(t, labels, 1);
	}
}

/* --- everything ---------------------------------------------------------- */

static enum ht_code choose(const struct ht_parts *d, struct ht_shown *ret,
			   struct ht_err *err)
{
	size_t n = ht_registry_count(&d->registry);
	struct ht_shown shown = {0};

	if (n > d->config.daemon.metrics_processes)
		n = d->config.daemon.metrics_processes;
	shown.v = calloc(n ? n : 1, sizeof(*shown.v));
	if (!shown.v)
		return ht_fail(err, HT_NOMEM, "no memory for metrics");
	HT_EACH_PROCESS (&d->registry, p) {
		struct ht_shown_process *s = &shown.v[shown.n];
		char pid[24];

		if (shown.n == n)
			break;
		s->process = p;
		snprintf(pid, sizeof(pid), "%d", (int)p->pid);
		ht_labels_add(s->labels, sizeof(s->labels), "target",
			      p->target);
		ht_labels_add(s->labels, sizeof(s->labels), "pid", pid);
		shown.n++;
	}
	*ret = shown;
	return HT_OK;
}

enum ht_code ht_metrics_text(const struct ht_exposed *e,
			     enum ht_exposition format, char **ret,
			     size_t *ret_len, struct ht_err *err)
{
	char *text = NULL;
	size_t len = 0;
	struct ht_shown shown;
	struct ht_text t = {.format = format};
	enum ht_code code = choose(e->parts, &shown, err);

	if (code != HT_OK)
		return code;
	t.out = open_memstream(&text, &len);
	if (!t.out) {
		free(shown.v);
		return ht_fail(err, HT_NOMEM, "no memory for metrics");
	}
	write_info(&t, &shown);
	write_metrics(&t, &shown);
	write_causes(&t, &shown);
	write_arenas(&t, &shown);
	if (e->parts->config.daemon.metrics_bins)
		write_bins(&t, &shown);
	write_derived(&t, &shown);
	write_verdicts(&t, &shown);
	write_pauses(&t, &shown);
	write_failures(&t, &shown);
	write_unknown(&t, &shown);
	ht_metrics_of_daemon(&t, e);
	ht_text_end(&t);
	free(shown.v);
	if (fclose(t.out) != 0) {
		free(text);
		return ht_fail(err, HT_NOMEM, "no memory for metrics");
	}
	*ret = text;
	*ret_len = len;
	return HT_OK;
}
