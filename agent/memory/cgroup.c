/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

/* The largest of these files is memory.stat, 2 KB. */
#define TEXT_MAX HT_PROC_TEXT_MAX

/* The two hierarchies differ in names only. */
static const struct hierarchy {
	const char *fs, *option; /* as mountinfo has it */
	const char *max_file, *used_file;
	const char *used_keys[3];   /* of used_file; none: it is one number */
	const char *kernel_key;	    /* one more of them, since Linux 5.18 */
	const char *kernel_keys[5]; /* and what it is the sum of, before */
	/* "0": the group does not limit those below it (before Linux 5.11) */
	const char *binds_file;
	const char *mark; /* a file that tells the root from others */
	bool marks_root;  /* only the root has it; else all others do */
} memory_v1 = {.fs = "cgroup",
	       .option = "memory",
	       .max_file = "memory.limit_in_bytes",
	       .used_file = "memory.stat",
	       .used_keys = {"total_rss", "total_shmem"},
	       .binds_file = "memory.use_hierarchy",
	       .mark = "release_agent",
	       .marks_root = true},
  memory_v2 = {.fs = "cgroup2",
	       .max_file = "memory.max",
	       .used_file = "memory.stat",
	       .used_keys = {"anon", "shmem"},
	       .kernel_key = "kernel",
	       .kernel_keys = {"kernel_stack", "pagetables", "percpu", "slab"},
	       .mark = "cgroup.type"},
  pids_v1 = {.fs = "cgroup",
	     .option = "pids",
	     .max_file = "pids.max",
	     .used_file = "pids.current",
	     .mark = "release_agent",
	     .marks_root = true},
  pids_v2 = {.fs = "cgroup2",
	     .max_file = "pids.max",
	     .used_file = "pids.current",
	     .mark = "cgroup.type"};

/* What is limited: v1's name of the controller, and both hierarchies. */
struct controller {
	const char *name;
	const struct hierarchy *v1, *v2;
};
static const struct controller memory = {"memory", &memory_v1, &memory_v2};
static const struct controller pids = {"pids", &pids_v1, &pids_v2};
/* No controller: v1 has no such, and each group of v2 can be frozen. */
static const struct controller freezer = {"", NULL, &pids_v2};

struct group {
	const struct hierarchy *of;
	char name[PATH_MAX]; /* "/a/b", as the process's file has it */
	char *path;	     /* the end of it, below the mount */
	const char *top;     /* the mount point */
	bool whole;	     /* nothing is left out above it */
};

__attribute__((format(printf, 2, 3))) static enum ht_cgroup_found
unread(struct ht_cgroup_limit *ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret->why, sizeof(ret->why), format, args);
	va_end(args);
	return HT_CGROUP_UNREAD;
}

/* --- /proc/PID/cgroup ---------------------------------------------------- */

/* "memory" or "cpu,memory", which end at a ':', a NUL or after n bytes: is it
 * among the names? */
static bool names_have(const char *names, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; at < names + n;
	     at += strcspn(at, ",:") + 1)
		if (strncmp(at, name, len) == 0 && strchr(",:", at[len]))
			return true;
	return false;
}

/* Where the next ':' of this line is; NULL: there is none. */
static const char *colon(const char *line)
{
	const char *at = line + strcspn(line, ":\n");

	return *at == ':' ? at : NULL;
}

/* Sets the hierarchy, and the name; of is NULL where no line has one. false:
 * this is no such text, or the name is too long. */
static bool find_path(const char *text, const struct controller *of,
		      struct group *ret)
{
	size_t n = 0;

	for (const char *line = text; *line; line += *line == '\n') {
		const char *names = colon(line);
		const char *path = names ? colon(names + 1) : NULL;

		if (!path)
			return false;
		line = path + strcspn(path, "\n");
		if (names_have(names + 1, (size_t)(path - names - 1), of->name))
			ret->of = of->v1;
		else if (path == names + 1 && !ret->of)
			ret->of = of->v2;
		else
			continue;
		n = (size_t)(line - path - 1);
		snprintf(ret->name, sizeof(ret->name), "%.*s", (int)n,
			 path + 1);
	}
	return *text && n < sizeof(ret->name);
}

void ht_cgroup_name(const char *proc_cgroup, char *ret, size_t size)
{
	struct group g = {0};

	if (find_path(proc_cgroup, &memory, &g) && g.of)
		snprintf(ret, size, "%s", g.name);
}

/* --- one group ----------------------------------------------------------- */

/* Its directory is opened only where its files do not answer by themselves. */
struct place {
	const struct group *g;
	char path[2 * PATH_MAX];
	int dir;		      /* -1: not opened */
	struct ht_mounts_group *kept; /* or NULL */
};

static void place_close(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
}

static bool have_dir(struct place *p)
{
	if (p->dir < 0)
		p->dir = open(p->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return p->dir >= 0;
}

/* Whole file, NUL-terminated. kept: of this file, or NULL. false: errno says
 * why; without a directory, p->dir, too. */
static bool read_in(struct place *p, struct ht_kept_file *kept,
		    const char *name, char text[TEXT_MAX])
{
	struct ht_kept_file once = {0};
	char path[sizeof(p->path) + 64];
	bool done;
	int number;

	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	done = ht_kept_read(kept ?: &once, path, text, TEXT_MAX);
	number = errno;
	ht_kept_close(&once);
	if (!done && have_dir(p))
		errno = number;
	return done;
}

/* A number, and no more. */
static bool number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && (*end == '\0' || strcmp(end, "\n") == 0);
}

/* Adds the number of the line "key 123". */
static bool add_value(const char *text, const char *key, uint64_t *sum)
{
	size_t n = strlen(key);
	uint64_t value;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ' ')
			continue;
		if (sscanf(line + n + 1, "%" SCNu64, &value) != 1)
			return false;
		*sum += value;
		return true;
	}
	return false;
}

static bool parse_used(const struct hierarchy *of, const char *text,
		       uint64_t *ret)
{
	*ret = 0;
	if (!of->used_keys[0])
		return number(text, ret);
	for (const char *const *key = of->used_keys; *key; key++)
		if (!add_value(text, *key, ret))
			return false;
	if (!of->kernel_key || add_value(text, of->kernel_key, ret))
		return true;
	for (const char *const *key = of->kernel_keys; *key; key++)
		add_value(text, *key, ret);
	return true;
}

/* "max", or v1's number near 2^63, is no limit. */
static enum ht_cgroup_found parse_max(const char *text, uint64_t *ret)
{
	if (strcmp(text, "max\n") == 0)
		return HT_CGROUP_NONE;
	if (!number(text, ret))
		return HT_CGROUP_UNREAD;
	return *ret < INT64_MAX / 2 ? HT_CGROUP_LIMIT : HT_CGROUP_NONE;
}

static const char *shown(const char *name)
{
	return *name ? name : "/";
}

static enum ht_cgroup_found unread_file(const struct group *g, const char *file,
					const char *what,
					struct ht_cgroup_limit *ret)
{
	return unread(ret, "%s of cgroup %.80s: %s", file, shown(g->name),
		      what);
}

static enum ht_cgroup_found no_directory(const struct group *g,
					 struct ht_cgroup_limit *ret)
{
	return unread(ret, "cgroup %.80s: %s", shown(g->name), strerror(errno));
}

/* The limit of the group in this place. */
static enum ht_cgroup_found look(struct place *p, struct ht_cgroup_limit *ret)
{
	const struct group *g = p->g;
	const struct hierarchy *of = g->of;
	enum ht_cgroup_found found;
	char text[TEXT_MAX];

	if (!read_in(p, p->kept ? &p->kept->max : NULL, of->max_file, text)) {
		if (p->dir < 0)
			return no_directory(g, ret);
		return errno == ENOENT ? HT_CGROUP_NONE
				       : unread_file(g, of->max_file,
						     strerror(errno), ret);
	}
	found = parse_max(text, &ret->max);
	if (found == HT_CGROUP_UNREAD)
		return unread_file(g, of->max_file, "holds no number", ret);
	if (found == HT_CGROUP_NONE)
		return found;
	if (!read_in(p, p->kept ? &p->kept->used : NULL, of->used_file, text))
		return unread_file(g, of->used_file, strerror(errno), ret);
	if (!parse_used(of, text, &ret->used))
		return unread_file(g, of->used_file,
				   "does not say what is used", ret);
	snprintf(ret->path, sizeof(ret->path), "%.255s", shown(g->name));
	return found;
}

/* --- a mounted tree ------------------------------------------------------ */

/* In a cgroup namespace the root that is seen is a group like others. */
static bool is_root(struct place *p)
{
	const struct group *g = p->g;
	bool has;

	if (!g->whole)
		return false;
	if (p->kept && p->kept->root != HT_MOUNTS_MAYBE_ROOT)
		return p->kept->root == HT_MOUNTS_ROOT;
	has = have_dir(p) && faccessat(p->dir, g->of->mark, F_OK, 0) == 0;
	if (p->kept && p->dir >= 0) /* as long as it is mounted */
		p->kept->root = has == g->of->marks_root ? HT_MOUNTS_ROOT
							 : HT_MOUNTS_NO_ROOT;
	return has == g->of->marks_root;
}

static bool binds_others(struct place *p)
{
	char text[TEXT_MAX];

	return !p->g->of->binds_file ||
	       !read_in(p, p->kept ? &p->kept->binds : NULL,
			p->g->of->binds_file, text) ||
	       strcmp(text, "0\n") != 0;
}

/* The root of v2, and of v1's threads, has no limit, and never will. */
static bool is_bare(const struct place *p)
{
	return p->kept && p->kept->bare;
}

static uint64_t room(const struct ht_cgroup_limit *l)
{
	return l->max > l->used ? l->max - l->used : 0;
}

/* One group on the way up. above: it is not the process's own. */
static enum ht_cgroup_found step(struct place *p, bool above, bool *ret_binds,
				 bool *ret_root, struct ht_cgroup_limit *ret)
{
	enum ht_cgroup_found found = HT_CGROUP_NONE;

	*ret_root = *ret_binds = true;
	if (is_bare(p))
		return HT_CGROUP_NONE;
	if (above && !binds_others(p)) {
		*ret_binds = false;
		return HT_CGROUP_NONE;
	}
	found = look(p, ret);
	if (found == HT_CGROUP_UNREAD)
		return found;
	*ret_root = is_root(p);
	if (*ret_root && p->kept && found == HT_CGROUP_NONE && p->dir >= 0)
		p->kept->bare =
			faccessat(p->dir, p->g->of->max_file, F_OK, 0) != 0 &&
			errno == ENOENT;
	return found;
}

/* From the group up to the last that is seen. */
static enum ht_cgroup_found climb(struct group *g, struct ht_mounts *mounts,
				  struct ht_cgroup_limit *ret)
{
	enum ht_cgroup_found answer = HT_CGROUP_NONE, found;
	char *slash = NULL;
	bool root;

	*ret = (struct ht_cgroup_limit){.max = UINT64_MAX};
	do {
		struct ht_cgroup_limit one = {0};
		struct place p = {.g = g, .dir = -1};
		bool binds;

		snprintf(p.path, sizeof(p.path), "%s%s", g->top, g->path);
		p.kept = ht_mounts_group(mounts, g->of, p.path);
		found = step(&p, slash, &binds, &root, &one);
		place_close(&p);
		if (!binds)
			return answer;
		if (found == HT_CGROUP_UNREAD ||
		    (found == HT_CGROUP_LIMIT && room(&one) < room(ret))) {
			*ret = one;
			answer = found;
		}
		if (found == HT_CGROUP_UNREAD)
			return found;
		slash = strrchr(g->path, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return answer == HT_CGROUP_NONE && !root
		       ? unread(ret,
				"what stands above %.80s is not seen from here (a cgroup namespace, or a mount of a part)",
				g->top)
		       : answer;
}

/* --- the mounts ---------------------------------------------------------- */

struct mount {
	char *root, *at, *fs, *options;
};

/* "\040" and its like, in place: blanks of a path in mountinfo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		unsigned code;

		if (at[0] == '\\' && sscanf(at + 1, "%3o", &code) == 1) {
			*to++ = (char)code;
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

/* A line of mountinfo (proc(5)), cut in place. */
static bool parse_mount(char *line, struct mount *ret)
{
	char *tail = strstr(line, " - "), *field[5];

	if (!tail)
		return false;
	*tail = '\0';
	tail += strlen(" - ");
	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++)
		field[i] = strsep(&line, " ");
	ret->root = field[3];
	ret->at = field[4];
	ret->fs = strsep(&tail, " ");
	strsep(&tail, " "); /* what was mounted: any word */
	ret->options = strsep(&tail, "\n");
	if (!ret->at || !ret->options)
		return false;
	unescape(ret->root);
	unescape(ret->at);
	return true;
}

static bool is_of(const struct mount *m, const struct hierarchy *of)
{
	return strcmp(m->fs, of->fs) == 0 &&
	       (!of->option ||
		names_have(m->options, strlen(m->options), of->option));
}

/* Where the group lies below what is mounted, of which the root may be a group,
 * too. NULL: elsewhere. A name begins with ".." where the group stands outside
 * of our cgroup namespace. */
static char *path_below(const char *root, char *name)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(name, root, n) != 0 || !strchr("/", name[n]) ||
	    (strncmp(name + n, "/..", 3) == 0 && strchr("/", name[n + 3])))
		return NULL;
	return strcmp(name + n, "/") == 0 ? name + n + 1 : name + n;
}

static enum ht_cgroup_found look_below(const struct group *of,
				       const struct mount *m,
				       struct ht_mounts *mounts,
				       struct ht_cgroup_limit *ret)
{
	struct group g = *of;

	g.top = m->at;
	g.whole = strcmp(m->root, "/") == 0;
	g.path = path_below(m->root, g.name);
	if (!g.path)
		return unread(
			ret,
			"cgroup %.80s lies outside of what is mounted at %.60s",
			g.name, m->at);
	return climb(&g, mounts, ret);
}

/* The first tree that shows the group will do. */
static enum ht_cgroup_found nearest(const char *proc_cgroup,
				    const struct controller *of,
				    struct ht_mounts *mounts,
				    struct ht_cgroup_limit *ret)
{
	const char *text = ht_mounts_text(mounts);
	const int number = errno;
	HT_AUTO_FREE char *lines = text ? strdup(text) : NULL; /* to be cut */
	char *rest = lines, *line;
	struct group g = {0};
	struct mount m;
	enum ht_cgroup_found found;

	if (!find_path(proc_cgroup, of, &g))
		return unread(ret, "/proc/PID/cgroup does not tell its cgroup");
	if (!g.of)
		return HT_CGROUP_NONE; /* nor was its tree ever mounted */
	if (!lines)
		return unread(ret, "%.80s: %s", mounts->path,
			      strerror(text ? ENOMEM : number));
	found = unread(ret, "their file system (%s) is not mounted here",
		       g.of->fs);
	while (found == HT_CGROUP_UNREAD &&
	       (line = strsep(&rest, "\n")) != NULL)
		if (parse_mount(line, &m) && is_of(&m, g.of))
			found = look_below(&g, &m, mounts, ret);
	return found;
}

enum ht_cgroup_found ht_cgroup_memory(const char *proc_cgroup,
				      struct ht_mounts *mounts,
				      struct ht_cgroup_limit *ret)
{
	return nearest(proc_cgroup, &memory, mounts, ret);
}

enum ht_cgroup_found ht_cgroup_pids(const char *proc_cgroup,
				    struct ht_mounts *mounts,
				    struct ht_cgroup_limit *ret)
{
	return nearest(proc_cgroup, &pids, mounts, ret);
}

bool ht_cgroup_frozen(const char *proc_cgroup, struct ht_mounts *mounts)
{
	const char *text = ht_mounts_text(mounts);
	HT_AUTO_FREE char *lines = text ? strdup(text) : NULL; /* to be cut */
	char *rest = lines, *line;
	struct group g = {0};
	struct mount m;

	if (!lines || !find_path(proc_cgroup, &freezer, &g) || !g.of)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL) {
		struct place p = {.g = &g, .dir = -1};
		char events[TEXT_MAX];
		bool read;

		if (!parse_mount(line, &m) || !is_of(&m, g.of) ||
		    !(g.path = path_below(m.root, g.name)))
			continue;
		snprintf(p.path, sizeof(p.path), "%s%s", m.at, g.path);
		read = read_in(&p, NULL, "cgroup.events", events);
		place_close(&p);
		if (read)
			return strstr(events, "frozen 1") != NULL;
	}
	return false;
}
