/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/trace.h"

#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"

_Noreturn static void die(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(1);
}

static enum ht_label label_of(const char *name)
{
	for (enum ht_label l = 0; l < HT_LABEL_COUNT; l++)
		if (strcmp(ht_label_names[l], name) == 0)
			return l;
	die(name, "unknown label");
}

static unsigned labels_of(const json_t *array)
{
	unsigned set = 0;
	size_t i;
	json_t *name;

	json_array_foreach(array, i, name) set |=
		1u << label_of(json_string_value(name));
	return set;
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return v ? json_number_value(v) : NAN;
}

static void put(struct ht_series *s, enum ht_metric m, double value)
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		s->metric[m][k][s->rows - 1] = value;
}

/* [lowest size of the class, chunks, bytes] */
static void put_classes(struct ht_series *s, const json_t *cls, double mmapped,
			double mmapped_chunks)
{
	struct ht_class_series *c;
	size_t i, row = s->rows - 1;
	json_t *one;

	json_array_foreach(cls, i, one)
	{
		uint64_t size =
			(uint64_t)json_integer_value(json_array_get(one, 0));

		c = ht_series_class(s, size);
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			c->bytes[k][row] =
				json_number_value(json_array_get(one, 2));
		c->chunks[row] = json_number_value(json_array_get(one, 1));
	}
	c = ht_series_class(s, 0);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		c->bytes[k][row] = mmapped;
	c->chunks[row] = mmapped_chunks;
}

static void put_heap(struct ht_series *s, const json_t *w, double mmapped)
{
	double heap = number(w, "heap_resident_b"), used = number(w, "used_b");

	put(s, HT_M_in_use, used + mmapped);
	put(s, HT_M_in_use_arena, used);
	put(s, HT_M_mmapped, mmapped);
	put(s, HT_M_in_use_chunks, number(w, "used_n"));
	put(s, HT_M_system, number(w, "system_b"));
	put(s, HT_M_heap_resident, heap);
	/* blocks that were never written make it negative: nothing is kept */
	put(s, HT_M_retained, fmax(0, heap - used));
	put(s, HT_M_resident_free, number(w, "free_resident_b"));
	put(s, HT_M_trimmable, number(w, "trimmable_b"));
	put(s, HT_M_tcache, number(w, "tcache_b"));
	put(s, HT_M_fastbin, number(w, "fast_b"));
	put(s, HT_M_top, number(w, "top_b"));
	put(s, HT_M_blocked_1, number(w, "blocked_1"));
	put(s, HT_M_blocked_4, number(w, "blocked_4"));
	put(s, HT_M_blocked_16, number(w, "blocked_16"));
	put(s, HT_M_blocked_span, number(w, "blocked_span64k"));
	put(s, HT_M_arenas, number(w, "arenas"));
	put(s, HT_M_arenas_holding, number(w, "arenas_holding5pct"));
	put(s, HT_M_non_main_free_resident, number(w, "nonmain_free_res_b"));
	put(s, HT_M_unattached_arenas, number(w, "arenas_unattached"));
	put(s, HT_M_largest_free, number(w, "largest_hole_b"));
}

/* The traces do not split what is not anonymous: its lowest value so far is
 * taken for the files, the rest for shared memory. */
static void put_process(struct ht_series *s, const json_t *line, double mmapped,
			double *files)
{
	double anon = number(line, "anon_kb") * 1024;
	double rss = number(line, "rss_kb") * 1024;
	double heap = s->metric[HT_M_heap_resident][0][s->rows - 1];
	double mapped = fmin(mmapped, anon - heap);

	*files = isnan(*files) ? rss - anon : fmin(*files, rss - anon);
	put(s, HT_M_rss, rss);
	put(s, HT_M_rss_anon, anon);
	put(s, HT_M_swap, number(line, "swap_kb") * 1024);
	put(s, HT_M_rss_shmem, rss - anon - *files);
	put(s, HT_M_non_malloc_anon, fmax(0, anon - heap - mapped));
	put(s, HT_M_mmapped_resident, fmax(0, mapped));
	put(s, HT_M_threads, number(line, "threads"));
}

static void add_sample(struct ht_trace *t, const json_t *line, double *files)
{
	double mmapped = number(line, "mi_hblkhd");
	const json_t *walk = json_object_get(line, "walk");
	struct ht_err err;

	if (ht_series_add_row(&t->series,
			      (int64_t)(number(line, "t") * HT_NS_PER_S),
			      &err) != HT_OK)
		die(t->name, err.msg);
	put_heap(&t->series, walk, mmapped);
	put_process(&t->series, line, mmapped, files);
	put_classes(&t->series, json_object_get(walk, "cls"), mmapped,
		    number(line, "mi_hblks"));
}

static void start(struct ht_trace *t, const char *path, const json_t *line)
{
	const char *base = strrchr(path, '/');

	snprintf(t->name, sizeof(t->name), "%s", base ? base + 1 : path);
	t->name[strcspn(t->name, ".")] = '\0';
	t->label = label_of(json_string_value(json_object_get(line, "label")));
	t->accept = labels_of(json_object_get(line, "accept"));
	t->forbid = labels_of(json_object_get(line, "forbid"));
}

static void phase(struct ht_trace *t, const json_t *line)
{
	if (t->phases_n == sizeof(t->phases) / sizeof(*t->phases))
		die(t->name, "too many phases");
	t->phases[t->phases_n].from_ns =
		(int64_t)(number(line, "t") * HT_NS_PER_S);
	t->phases[t->phases_n++].now = labels_of(json_object_get(line, "now"));
}

void ht_trace_load(const char *path, size_t every, struct ht_trace *ret)
{
	HT_AUTO_FILE FILE *f = fopen(path, "re");
	double files = NAN;
	size_t samples = 0;
	bool over = false;

	memset(ret, 0, sizeof(*ret));
	ht_series_init(&ret->series);
	while (f && !over) {
		json_t *line = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
		const char *ev = json_string_value(json_object_get(line, "ev"));

		if (!ev)
			break;
		if (strcmp(ev, "start") == 0)
			start(ret, path, line);
		else if (strcmp(ev, "phase") == 0)
			phase(ret, line);
		else if (strcmp(ev, "sample") == 0 && samples++ % every == 0)
			add_sample(ret, line, &files);
		over = strcmp(ev, "truth") == 0;
		json_decref(line);
	}
	if (!over)
		die(path, "no whole trace of a workload");
}

void ht_trace_fini(struct ht_trace *t)
{
	ht_series_fini(&t->series);
}

unsigned ht_trace_now(const struct ht_trace *t, int64_t at_ns)
{
	unsigned now = 0;

	for (size_t i = 0; i < t->phases_n && t->phases[i].from_ns <= at_ns;
	     i++)
		now = t->phases[i].now;
	return now;
}

void ht_trace_each(const char *directory, size_t every,
		   void (*each)(const struct ht_trace *t, void *ctx), void *ctx)
{
	char pattern[512];
	struct ht_trace t;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/*.jsonl", directory);
	if (glob(pattern, 0, NULL, &g))
		die(directory, "no traces");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		ht_trace_load(g.gl_pathv[i], every, &t);
		each(&t, ctx);
		ht_trace_fini(&t);
	}
	globfree(&g);
}
