/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/who.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/graph.h"
#include "cli/show.h"
#include "cli/table.h"
#include "common/demangle.h"
#include "schema/snapshot_json.h"

#define FRAMES_SHOWN 12
#define SITES_SHOWN  8

static const struct ht_windows *windows_of(const struct ht_who_told *w)
{
	return &w->seen->windows.v[0];
}

/* --- JSON ---------------------------------------------------------------- */

/* Where nothing tells of lines, nothing tells of what was inlined. */
static json_t *inlined_json(const struct ht_stack_frame *f)
{
	return f->inlined == HT_UNKNOWN ? json_null()
					: json_boolean(f->inlined != 0);
}

static json_t *frame_json(const struct ht_stack_frame *f)
{
	char name[HT_FRAME_TEXT];

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "function",
		*f->function ? ht_text_json(ht_demangle_function(
				       f->function, name, sizeof(name)))
			     : json_null(),
		"module", ht_optional_text_json(f->module), "offset",
		ht_u64_json(f->offset), "within", ht_u64_json(f->within),
		"file", ht_optional_text_json(f->file), "line",
		ht_u64_json(f->line), "inlined", inlined_json(f));
}

static json_t *frames_json(const struct ht_snapshot *s, size_t site)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->stack_frames.n; i++)
		if (s->stack_frames.v[i].site == site)
			json_array_append_new(
				list, frame_json(&s->stack_frames.v[i]));
	return list;
}

static json_t *leaking_json(enum ht_leaking l)
{
	return l == HT_LEAKING_UNKNOWN ? json_null()
				       : json_boolean(l == HT_LEAKING_YES);
}

static json_t *site_json(const struct ht_who_told *w,
			 const struct ht_who_site *j)
{
	const struct ht_snapshot *s = w->seen;
	json_t *site = json_pack("{s:o}", "frames", frames_json(s, j->site));
	json_t *counts =
		ht_record_json(HT_RECORD_site, &s->sites.v[j->site], NULL);
	json_t *said = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "survival",
		ht_real_json(j->survival), "survival_low", ht_real_json(j->low),
		"survival_high", ht_real_json(j->high), "bytes_per_s",
		ht_real_json(j->bytes_per_s), "share_of_growth",
		ht_real_json(j->share_of_growth), "leaking",
		leaking_json(j->leaking), "confidence",
		ht_real_json(j->confidence), "why", j->why);
	int bad = json_object_update(site, counts) ||
		  json_object_update(site, said);

	json_decref(counts);
	json_decref(said);
	if (!bad)
		return site;
	json_decref(site);
	return NULL;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NAN;
}

/* By growth a sample stands for those that were not taken. */
static double lost_share(const struct ht_windows *w)
{
	return share(w->lost,
		     w->way == HT_WAY_GROWTH ? w->hits : w->lost + w->samples);
}

json_t *ht_who_json(const struct ht_who_told *w)
{
	const struct ht_windows *seen = windows_of(w);
	json_t *top = ht_graph_json("heaptide.who/1", w->seen);
	json_t *sites = json_array();
	json_t *figures = json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"way", ht_way_names[seen->way], "windows",
		ht_u64_json(seen->windows), "armed_ms",
		ht_real_json((double)seen->armed_us / 1e3), "hits",
		ht_u64_json(seen->hits), "samples", ht_u64_json(seen->samples),
		"seen", ht_u64_json(seen->seen), "lost_share",
		ht_real_json(lost_share(seen)), "cut_share",
		ht_real_json(share(seen->cut, seen->samples)), "followed_s",
		ht_real_json((double)seen->followed_us / 1e6),
		"growth_bytes_per_s", ht_real_json(w->judged->growth), "ended",
		ht_optional_text_json(w->ended), "sites", sites);

	for (size_t i = 0; i < w->judged->n; i++)
		json_array_append_new(sites, site_json(w, &w->judged->v[i]));
	json_object_update(top, figures);
	json_decref(figures);
	return top;
}

/* --- frames -------------------------------------------------------------- */

const char *ht_frame_name(const struct ht_stack_frame *f,
			  char out[HT_FRAME_TEXT])
{
	char name[HT_FRAME_TEXT] = "";

	if (*f->function)
		ht_demangle_function(f->function, name, sizeof(name));
	if (*name)
		snprintf(out, HT_FRAME_TEXT, "%s", name);
	else
		snprintf(out, HT_FRAME_TEXT, "%s+0x%" PRIx64,
			 *f->module ? f->module : "?", f->offset);
	return out;
}

/* ... and where that is: the source's line, else module and offset. */
static const char *frame_text(const struct ht_stack_frame *f,
			      char out[HT_FRAME_TEXT])
{
	const char *slash = strrchr(f->file, '/');
	char name[HT_FRAME_TEXT], place[HT_FRAME_TEXT] = "";

	ht_frame_name(f, name);
	if (*f->file && f->line != HT_UNKNOWN)
		snprintf(place, sizeof(place), "%s:%" PRIu64 "%s",
			 slash ? slash + 1 : f->file, f->line,
			 f->inlined == 1 ? " (inlined)" : "");
	else if (*f->function)
		snprintf(place, sizeof(place), "%s+0x%" PRIx64, f->module,
			 f->offset);
	snprintf(out, HT_FRAME_TEXT, *place ? "%-32s %s" : "%s", name, place);
	return out;
}

/* --- words --------------------------------------------------------------- */

static void print_head(const struct ht_cli *cli, const struct ht_who_told *w)
{
	const struct ht_windows *s = windows_of(w);
	char hits[HT_NUMBER_TEXT], samples[HT_NUMBER_TEXT];
	char growth[HT_NUMBER_TEXT], rate[80] = "how fast is not known";
	bool grows = s->way == HT_WAY_GROWTH;
	double g = w->judged->growth;
	char text[400];

	if (!isnan(g))
		snprintf(rate, sizeof(rate), "%s%s/s", g < 0 ? "-" : "+",
			 ht_show_bytes(cli, (uint64_t)fabs(g), growth));
	if (grows)
		snprintf(
			text, sizeof(text),
			"%s, pid %" PRIu64
			": who makes the heap grow, for %.0f s: %s first writes to its pages seen. In use: %s.",
			w->seen->head.comm, w->seen->head.pid,
			(double)s->armed_us / 1e6,
			ht_count_text(s->samples, samples), rate);
	else
		snprintf(
			text, sizeof(text),
			"%s, pid %" PRIu64 ": %" PRIu64
			" windows on malloc, %.2f s of %.0f s; %s calls, %s chunks followed. In use: %s.",
			w->seen->head.comm, w->seen->head.pid, s->windows,
			(double)s->armed_us / 1e6, (double)s->followed_us / 1e6,
			ht_count_text(s->hits, hits),
			ht_count_text(s->samples, samples), rate);
	ht_wrap(&cli->term, 0, text);
}

static void print_stack(const struct ht_cli *cli, const struct ht_snapshot *s,
			size_t site)
{
	char text[HT_FRAME_TEXT];
	size_t shown = 0, n = 0;

	for (size_t i = 0; i < s->stack_frames.n; i++) {
		if (s->stack_frames.v[i].site != site)
			continue;
		n++;
		if (shown < FRAMES_SHOWN) {
			fputs("    ", stdout);
			ht_wrap(&cli->term, 8,
				frame_text(&s->stack_frames.v[i], text));
			shown++;
		}
	}
	if (n > shown)
		printf("    ... and %zu more\n", n - shown);
}

static void print_sizes(const struct ht_snapshot *s, const struct ht_site *site)
{
	char what[HT_GRAPH_NAME];

	if (site->min_size == site->max_size)
		printf("%s", ht_graph_chunks(s, "", site->max_size, what));
	else if (site->max_size == 0)
		printf("chunks from %" PRIu64 " B on", site->min_size);
	else
		printf("chunks of %" PRIu64 " to %" PRIu64 " B", site->min_size,
		       site->max_size);
}

/* What becomes of its chunks is not known. */
static void print_grower(const struct ht_cli *cli, const struct ht_who_told *w,
			 const struct ht_who_site *j)
{
	const struct ht_site *s = &w->seen->sites.v[j->site];
	char bytes[HT_NUMBER_TEXT];

	printf("\n%s%.0f %% of the new pages%s  %s in %" PRIu64
	       " first writes\n",
	       ht_style(&cli->term, HT_BOLD), 100 * j->share_of_growth,
	       ht_style_off(&cli->term), ht_show_bytes(cli, s->bytes, bytes),
	       s->samples);
	print_stack(cli, w->seen, j->site);
}

static void print_site(const struct ht_cli *cli, const struct ht_who_told *w,
		       const struct ht_who_site *j)
{
	const struct ht_site *s = &w->seen->sites.v[j->site];
	bool leaks = j->leaking == HT_LEAKING_YES;
	char rate[HT_NUMBER_TEXT];

	if (s->alive == HT_UNKNOWN) {
		print_grower(cli, w, j);
		return;
	}
	printf("\n%s%s%s", ht_style(&cli->term, leaks ? HT_RED : HT_BOLD),
	       leaks			     ? "LEAKING"
	       : j->leaking == HT_LEAKING_NO ? "no leak"
					     : "not sure",
	       ht_style_off(&cli->term));
	if (leaks)
		printf(" (%.2f)  +%s/s, %.0f %% of the growth", j->confidence,
		       ht_show_bytes(cli, (uint64_t)j->bytes_per_s, rate),
		       100 * j->share_of_growth);
	fputs("\n  ", stdout);
	ht_wrap(&cli->term, 2, j->why);
	if (isnan(j->survival))
		printf("  %" PRIu64 " old ", s->old_samples);
	else
		printf("  %" PRIu64 " of %" PRIu64 " old ", s->old_alive,
		       s->old_samples);
	print_sizes(w->seen, s);
	if (isnan(j->survival))
		puts("");
	else
		printf("\n  are still there (%.0f to %.0f %%)\n", 100 * j->low,
		       100 * j->high);
	print_stack(cli, w->seen, j->site);
}

void ht_who_print(const struct ht_cli *cli, const struct ht_who_told *w)
{
	size_t shown = 0, leaking = 0;

	print_head(cli, w);
	if (*w->ended)
		printf("It ended early: %s.\n", w->ended);
	for (size_t i = 0; i < w->judged->n; i++) {
		const struct ht_who_site *j = &w->judged->v[i];

		leaking += j->leaking == HT_LEAKING_YES;
		if (shown < SITES_SHOWN &&
		    (j->leaking != HT_LEAKING_NO || shown == 0)) {
			print_site(cli, w, j);
			shown++;
		}
	}
	if (windows_of(w)->way == HT_WAY_GROWTH)
		puts(w->judged->n == 0
			     ? "No page of the heap was written to for the first time: it does not grow, or of what it had freed."
			     : "\nWho takes new pages is not always who keeps memory: a leak may live on what others free, while they take the pages. What stays is not known by this.");
	else if (w->judged->n == 0)
		puts("No call of malloc of that size was seen.");
	else if (leaking == 0)
		puts("\nNo site was seen whose chunks stay while their sizes grow.");
	if (shown < w->judged->n)
		printf("\n%zu other sites (--json has all)\n",
		       w->judged->n - shown);
	ht_graph_warnings(cli, w->seen);
}

/* --- collapsed ----------------------------------------------------------- */

/* What separates frames and figures there. */
static void put_frame(const char *text)
{
	for (; *text; text++)
		putchar(*text == ';' ? ':' : *text);
}

/* That stay, or by which the heap grew. */
static uint64_t bytes_of(const struct ht_site *s)
{
	return s->alive_bytes == HT_UNKNOWN ? s->bytes : s->alive_bytes;
}

void ht_who_collapsed(const struct ht_who_told *w)
{
	const struct ht_snapshot *s = w->seen;
	char text[HT_FRAME_TEXT];

	for (size_t k = 0; k < s->sites.n; k++) {
		bool first = true;
		uint64_t bytes = bytes_of(&s->sites.v[k]);

		if (bytes == 0)
			continue;
		for (size_t i = s->stack_frames.n; i-- > 0;) {
			if (s->stack_frames.v[i].site != k)
				continue;
			if (!first)
				putchar(';');
			put_frame(ht_frame_name(&s->stack_frames.v[i], text));
			first = false;
		}
		printf(" %" PRIu64 "\n", bytes);
	}
}
