/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check: holds heaptide's figures of a process to that process's own words.
 *
 *   check [--scan|--any] [--child] OUT COMMAND...
 *   check [--scan|--any] --core CORE [--exe PROGRAM] OUT
 *
 * Starts COMMAND (the probe, through whatever loader), measures it at rest,
 * lets it write malloc_info, mallinfo and what it put into its tcaches to OUT,
 * measures it again, and compares figure by figure, to the byte. --scan:
 * without symbols and debug information; --any: by whatever way is found (else
 * by symbol and DWARF). --child: COMMAND's last descendant is the probe.
 * --core: a core file of it, written after OUT was, in the place of the
 * process. Prints one line for each difference. Exit status: 0 none, 1 some, 2
 * it could not be measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "link/client.h"
#include "schema/snapshot.h"
#include "tests/lib/target.h"

#define ANSWER_MS  60000
#define ROWS_MAX   512
#define HEAPS_MAX  512 /* arenas that malloc_info lists */
#define CACHES_MAX 2048

struct bin_row {
	uint64_t from, total, count;
};

/* One <heap> of malloc_info. */
struct heap_said {
	struct bin_row rows[ROWS_MAX]; /* fastbins, then bins */
	size_t rows_n;
	struct bin_row unsorted;
	uint64_t fast_count, fast_size, rest_count, rest_size;
	uint64_t current, max, subheaps;
};

struct said {
	struct heap_said heap[HEAPS_MAX];
	size_t heaps;
	uint64_t mmap_count, mmap_size;
	uint64_t info[8], keepcost, version;
	struct {
		uint64_t tid, chunks, bytes;
	} tcache[CACHES_MAX];
	size_t tcaches;
	bool complete;
};

enum how { HOW_DWARF, HOW_SCAN, HOW_ANY };

static unsigned differences;

static void same(const char *what, uint64_t index, uint64_t ours, uint64_t said)
{
	if (ours == said)
		return;
	differences++;
	printf("%s (%" PRIu64 "): heaptide %" PRIu64 ", the process %" PRIu64
	       "\n",
	       what, index, ours, said);
}

/* --- what the process says ----------------------------------------------- */

/* The number behind `name="` in a line; UINT64_MAX: not there. */
static uint64_t attribute(const char *line, const char *name)
{
	char key[40];
	const char *at;

	snprintf(key, sizeof(key), "%s=\"", name);
	at = strstr(line, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

static void read_heap_line(struct heap_said *h, const char *line)
{
	const struct bin_row row = {attribute(line, "from"),
				    attribute(line, "total"),
				    attribute(line, "count")};

	if (strstr(line, "<size from") && h->rows_n < ROWS_MAX)
		h->rows[h->rows_n++] = row;
	else if (strstr(line, "<unsorted"))
		h->unsorted = row;
	else if (strstr(line, "<total type=\"fast\"")) {
		h->fast_count = attribute(line, "count");
		h->fast_size = attribute(line, "size");
	} else if (strstr(line, "<total type=\"rest\"")) {
		h->rest_count = attribute(line, "count");
		h->rest_size = attribute(line, "size");
	} else if (strstr(line, "<system type=\"current\"")) {
		h->current = attribute(line, "size");
	} else if (strstr(line, "<system type=\"max\"")) {
		h->max = attribute(line, "size");
	} else if (strstr(line, "<aspace type=\"subheaps\"")) {
		h->subheaps = attribute(line, "size");
	}
}

static void read_other_line(struct said *s, const char *line)
{
	uint64_t *i = s->info;

	if (strstr(line, "<total type=\"mmap\"")) {
		s->mmap_count = attribute(line, "count");
		s->mmap_size = attribute(line, "size");
	}
	sscanf(line,
	       "mallinfo %" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
	       "%" SCNu64 "%" SCNu64 "%" SCNu64,
	       &i[0], &i[1], &i[2], &i[3], &i[4], &i[5], &i[6], &i[7]);
	sscanf(line, "keepcost %" SCNu64, &s->keepcost);
	sscanf(line, "version %" SCNu64, &s->version);
	if (s->tcaches < CACHES_MAX &&
	    sscanf(line, "tcache %" SCNu64 "%" SCNu64 "%" SCNu64,
		   &s->tcache[s->tcaches].tid, &s->tcache[s->tcaches].chunks,
		   &s->tcache[s->tcaches].bytes) == 3)
		s->tcaches++;
	s->complete |= strcmp(line, "end\n") == 0;
}

static bool read_said(const char *path, struct said *s)
{
	HT_AUTO_FILE FILE *f = fopen(path, "r");
	char line[512];
	bool inside = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "<heap nr") && s->heaps < HEAPS_MAX) {
			inside = true;
			s->heaps++;
		}
		if (inside)
			read_heap_line(&s->heap[s->heaps - 1], line);
		else
			read_other_line(s, line);
		if (strstr(line, "</heap>"))
			inside = false;
	}
	return s->complete && s->heaps > 0;
}

/* --- comparison ---------------------------------------------------------- */

/* malloc_info prints the bins that are not empty in order, size words with
 * their PREV_INUSE bit: one too many for each chunk of a regular bin. */
static void compare_bins(const struct ht_snapshot *s, uint64_t arena,
			 const struct heap_said *h)
{
	size_t row = 0;

	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];
		bool fast = b->kind == HT_BIN_FAST;

		if (b->arena != arena || b->chunks == 0)
			continue;
		if (b->kind == HT_BIN_UNSORTED) {
			same("unsorted chunks", arena, b->chunks,
			     h->unsorted.count);
			same("unsorted bytes", arena, b->bytes + b->chunks,
			     h->unsorted.total);
			continue;
		}
		if (row == h->rows_n) {
			same("bins", arena, row + 1, h->rows_n);
			return;
		}
		same("bin chunks", b->index, b->chunks, h->rows[row].count);
		same("bin bytes", b->index, b->bytes + (fast ? 0 : b->chunks),
		     h->rows[row].total);
		row++;
	}
	same("bins", arena, row, h->rows_n);
}

struct free_sums {
	uint64_t fast_chunks, fast, binned_chunks, binned;
};

static struct free_sums sum_bins(const struct ht_snapshot *s, uint64_t arena)
{
	struct free_sums f = {0};

	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];
		bool fast = b->kind == HT_BIN_FAST;

		if (b->arena != arena)
			continue;
		*(fast ? &f.fast_chunks : &f.binned_chunks) += b->chunks;
		*(fast ? &f.fast : &f.binned) += b->bytes;
	}
	return f;
}

static void compare_arena(const struct ht_snapshot *s, const struct ht_arena *a,
			  const struct heap_said *h)
{
	struct free_sums f = sum_bins(s, a->index);
	uint64_t heaps = 0;

	for (size_t i = 0; i < s->heaps.n; i++)
		heaps += s->heaps.v[i].arena == a->index;
	compare_bins(s, a->index, h);
	same("arena.system", a->index, a->system, h->current);
	same("arena.max_system", a->index, a->max_system, h->max);
	same("fastbin chunks", a->index, f.fast_chunks, h->fast_count);
	same("fastbin bytes", a->index, a->fastbin, h->fast_size);
	/* 2.31+ counts the top chunk too; all suites here are. */
	same("rest chunks", a->index, f.binned_chunks + 1, h->rest_count);
	same("rest bytes", a->index, f.binned + f.binned_chunks + a->top,
	     h->rest_size);
	same("bins' sum", a->index, a->unsorted + a->small + a->large,
	     f.binned);
	if (a->kind == HT_ARENA_THREAD)
		same("heaps of the arena", a->index, heaps, h->subheaps);
	same("arena sum", a->index, a->in_use + a->free + a->overhead,
	     a->system);
}

static void compare_totals(const struct ht_snapshot *s, const struct said *p)
{
	const struct ht_totals *t = &s->totals;
	uint64_t binned = t->unsorted + t->small + t->large;
	/* 2.43 and 2.44 add a header too much for each mremap; the probe makes
	 * one. */
	uint64_t excess = p->version >= 43
				  ? (strcmp(s->head.arch, "i386") == 0 ? 8 : 16)
				  : 0;

	same("arenas", 0, t->arenas, p->heaps);
	same("mmapped chunks by census", 0, t->mmapped_chunks, p->mmap_count);
	same("mmapped bytes by census", 0, t->mmapped + excess, p->mmap_size);
	same("params.n_mmaps", 0, s->params.n_mmaps, p->mmap_count);
	same("params.mmapped_mem", 0, s->params.mmapped_mem, p->mmap_size);
	same("mallinfo.arena", 0, t->system, p->info[0]);
	same("mallinfo.ordblks", 0, t->binned_chunks + t->arenas, p->info[1]);
	same("mallinfo.smblks", 0, t->fastbin_chunks, p->info[2]);
	same("mallinfo.fsmblks", 0, t->fastbin, p->info[3]);
	same("mallinfo.hblks", 0, s->params.n_mmaps, p->info[4]);
	same("mallinfo.hblkhd", 0, s->params.mmapped_mem, p->info[5]);
	same("mallinfo.uordblks", 0, t->in_use + t->tcache + t->overhead,
	     p->info[6]);
	same("mallinfo.fordblks", 0, binned + t->fastbin + t->top, p->info[7]);
	same("mallinfo.keepcost", 0, s->arenas.n ? s->arenas.v[0].top : 0,
	     p->keepcost);
}

/* A thread's id outside, from its id in its own pid namespace. */
static uint64_t outer_tid(const struct ht_snapshot *s, uint64_t tid)
{
	char path[80], line[256];

	for (size_t i = 0; i < s->threads.n; i++) {
		HT_AUTO_FILE FILE *f = NULL;
		const char *last;

		snprintf(path, sizeof(path),
			 "/proc/%" PRIu64 "/task/%" PRIu64 "/status",
			 s->head.pid, s->threads.v[i].tid);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			if (strncmp(line, "NSpid:", 6) == 0 &&
			    (last = strrchr(line, '\t')) &&
			    strtoull(last, NULL, 10) == tid)
				return s->threads.v[i].tid;
	}
	return tid;
}

static const struct ht_thread *find_thread(const struct ht_snapshot *s,
					   uint64_t tid)
{
	for (size_t i = 0; i < s->threads.n; i++)
		if (s->threads.v[i].tid == tid)
			return &s->threads.v[i];
	return NULL;
}

static void compare_tcaches(const struct ht_snapshot *s, const struct said *p)
{
	for (size_t k = 0; k < p->tcaches; k++) {
		uint64_t tid = p->tcache[k].tid;
		const struct ht_thread *found = find_thread(s, tid);

		if (!found)
			found = find_thread(s, outer_tid(s, tid));
		same("thread is there", p->tcache[k].tid, found != NULL, 1);
		if (!found)
			continue;
		same("tcache chunks of thread", p->tcache[k].tid,
		     found->tcache_chunks, p->tcache[k].chunks);
		same("tcache bytes of thread", p->tcache[k].tid,
		     found->tcache_bytes, p->tcache[k].bytes);
	}
}

static void compare(const struct ht_snapshot *s, const struct said *p)
{
	struct ht_err err = {0};

	for (size_t i = 0; i < s->arenas.n && i < p->heaps; i++)
		compare_arena(s, &s->arenas.v[i], &p->heap[i]);
	compare_totals(s, p);
	compare_tcaches(s, p);
	if (ht_snapshot_check(s, &err) != HT_OK) {
		differences++;
		printf("%s\n", err.msg);
	}
	for (size_t i = 0; i < s->findings.n; i++) {
		differences++;
		printf("finding: %s\n", s->findings.v[i].text);
	}
	for (size_t i = 0; i < s->warnings.n; i++)
		printf("# warning: %s\n", s->warnings.v[i].text);
}

/* --- the process --------------------------------------------------------- */

static struct program launch(char **command)
{
	int in[2], out[2];
	struct program p = {-1, -1, -1};

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return p;
	p.pid = fork();
	if (p.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(command[0], command);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p.in = in[1];
	p.out = out[0];
	return p;
}

/* A process, or (pid 0) a core file. */
struct subject {
	pid_t pid;
	const char *core, *exe;
};

static enum ht_code measure(const struct subject *of, enum how how,
			    uint64_t look, struct ht_snapshot *ret,
			    struct ht_err *err)
{
	HT_AUTO_CLIENT struct ht_client client = HT_CLIENT_NONE;
	const struct ht_client_core core = {.path = of->core, .exe = of->exe};
	struct ht_request q = HT_REQUEST_DEFAULT;
	char agent[4096];
	enum ht_code code;

	q.mode = of->core ? HT_MODE_CORE : HT_MODE_EXACT;
	q.timeout_ms = ANSWER_MS;
	q.flags |= look;
	if (how == HOW_SCAN)
		q.flags |= HT_NO_DEBUG_INFO;
	code = ht_client_find_agent(agent, sizeof(agent), err);
	if (code == HT_OK)
		code = ht_client_start(agent, of->pid, of->core ? &core : NULL,
				       &client, err);
	if (code == HT_OK)
		code = ht_client_sample(&client, &q, ret, NULL, NULL, err);
	return code;
}

/* A light look, too, against what the process said and what a walk did. */
static enum ht_code check_light(const struct subject *of, enum how how,
				const struct ht_snapshot *walked,
				const struct said *said, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = measure(of, how, HT_LOOK_LIGHTLY, &s, err);
	if (code != HT_OK)
		return code;
	printf("# light look\n");
	compare(&s, said);
	same("in use", 0, s.totals.in_use, walked->totals.in_use);
	same("overhead", 0, s.totals.overhead, walked->totals.overhead);
	same("retained", 0, s.totals.retained, walked->totals.retained);
	same("trimmable", 0, s.totals.trimmable, walked->totals.trimmable);
	return HT_OK;
}

/* The way it was found is the way that was asked for. */
static void is_located(const struct ht_snapshot *s, enum how how)
{
	const char *located = how == HOW_SCAN ? "scan" : "symbol";
	const char *layout = how == HOW_SCAN ? "table" : "dwarf";

	if (how == HOW_ANY)
		return;
	if (strcmp(s->libc.located, located) == 0 &&
	    strcmp(s->libc.layout, layout) == 0)
		return;
	differences++;
	printf("located by %s with layout by %s, not %s and %s\n",
	       s->libc.located, s->libc.layout, located, layout);
}

static void print_summary(const struct ht_snapshot *s)
{
	printf("# glibc %s, %s, %s/%s, %" PRIu64 " arenas, %" PRIu64
	       " heaps, %" PRIu64 " chunks in use, %" PRIu64 " us\n",
	       s->libc.version, s->libc.layout_name, s->libc.located,
	       s->libc.layout, s->totals.arenas, s->totals.heaps,
	       s->totals.in_use_chunks, s->stop.pause_us);
}

static pid_t last_descendant(pid_t pid)
{
	char path[80];
	int child;

	for (;;) {
		HT_AUTO_FILE FILE *f = NULL;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid,
			 pid);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%d", &child) != 1)
			return pid;
		pid = child;
	}
}

/* Twice: what the process says must not have changed the heap, or nothing was
 * at rest. */
static enum ht_code check(struct program *p, const char *out, enum how how,
			  bool child, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot before, after;
	HT_AUTO_FREE struct said *said = calloc(1, sizeof(*said));
	struct subject of = {0};
	enum ht_code code;

	ht_snapshot_init(&before);
	ht_snapshot_init(&after);
	if (!said || !program_says(p, "ready", ANSWER_MS))
		return ht_fail(err, HT_GONE, "the probe did not get ready");
	of.pid = child ? last_descendant(p->pid) : p->pid;
	code = measure(&of, how, 0, &before, err);
	if (code != HT_OK)
		return code;
	program_tell(p, "x");
	if (!program_says(p, "done", ANSWER_MS) || !read_said(out, said))
		return ht_fail(err, HT_GONE, "the probe said nothing");
	code = measure(&of, how, 0, &after, err);
	if (code == HT_OK)
		code = check_light(&of, how, &after, said, err);
	if (code != HT_OK)
		return code;
	print_summary(&before);
	compare(&before, said);
	same("in use before and after", 0, before.totals.in_use,
	     after.totals.in_use);
	is_located(&before, how);
	return HT_OK;
}

static enum ht_code check_core(const struct subject *of, const char *out,
			       enum how how, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	HT_AUTO_FREE struct said *said = calloc(1, sizeof(*said));
	enum ht_code code;

	ht_snapshot_init(&s);
	if (!said || !read_said(out, said))
		return ht_fail(err, HT_GONE, "the probe said nothing");
	code = measure(of, how, 0, &s, err);
	if (code != HT_OK)
		return code;
	print_summary(&s);
	compare(&s, said);
	is_located(&s, how);
	return check_light(of, how, &s, said, err);
}

static enum ht_code check_command(char **argv, enum how how, bool child,
				  struct ht_err *err)
{
	struct program p = launch(argv + 1);
	enum ht_code code = check(&p, argv[0], how, child, err);

	program_end(&p);
	return code;
}

int main(int argc, char **argv)
{
	static const char usage[] =
		"usage: check [--scan|--any] [--child] OUT COMMAND...\n"
		"       check [--scan|--any] --core CORE [--exe PROGRAM] OUT\n";
	enum how how = HOW_DWARF;
	bool child = false;
	struct subject of = {0};
	struct ht_err err = {0};
	enum ht_code code;

	for (argv++, argc--; argc && argv[0][0] == '-'; argv++, argc--) {
		if (strcmp(argv[0], "--scan") == 0)
			how = HOW_SCAN;
		else if (strcmp(argv[0], "--any") == 0)
			how = HOW_ANY;
		else if (strcmp(argv[0], "--child") == 0)
			child = true;
		else if (strcmp(argv[0], "--core") == 0 && argc > 1)
			of.core = (argc--, *++argv);
		else if (strcmp(argv[0], "--exe") == 0 && argc > 1)
			of.exe = (argc--, *++argv);
		else
			argc = 1;
	}
	if (argc < (of.core ? 1 : 2)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	code = of.core ? check_core(&of, argv[0], how, &err)
		       : check_command(argv, how, child, &err);
	if (code != HT_OK) {
		printf("%s: %s\n", ht_code_label(code), err.msg);
		return 2;
	}
	return differences ? 1 : 0;
}
