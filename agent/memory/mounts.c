/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096

/* The kernel tells by an error condition, once, that the table changed. */
static bool may_differ(const struct ht_mounts *m)
{
	struct pollfd p = {.fd = m->fd, .events = POLLPRI};

	return !m->text || poll(&p, 1, 0) < 0 ||
	       p.revents & (POLLPRI | POLLERR | POLLNVAL);
}

/* From its start; NULL: errno says why. */
static char *read_all(int fd)
{
	HT_AUTO_FREE char *text = NULL;
	size_t used = 0;
	ssize_t got;

	do {
		char *more = realloc(text, used + BLOCK + 1);

		if (!more)
			return NULL;
		text = more;
		got = pread(fd, text + used, BLOCK, (off_t)used);
		if (got < 0 && errno != EINTR)
			return NULL;
		used += got > 0 ? (size_t)got : 0;
	} while (got != 0);
	text[used] = '\0';
	return ht_take_ptr(text);
}

/* Blanks in names are escaped: " - " stands before the file system alone. */
static void keep_groups(char *text)
{
	char *to = text, *next;

	for (char *line = text; *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		if (!memmem(line, len, " - cgroup", strlen(" - cgroup")))
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = '\0';
}

static void forget_groups(struct ht_mounts *m)
{
	for (size_t i = 0; i < m->groups; i++) {
		ht_kept_close(&m->group[i].max);
		ht_kept_close(&m->group[i].used);
		ht_kept_close(&m->group[i].binds);
		free(m->group[i].path);
	}
	m->groups = 0;
}

struct ht_mounts_group *ht_mounts_group(struct ht_mounts *m, const void *of,
					const char *path)
{
	struct ht_mounts_group *g;
	char *name;

	for (size_t i = 0; i < m->groups; i++)
		if (m->group[i].of == of && strcmp(m->group[i].path, path) == 0)
			return &m->group[i];
	if (m->groups == HT_MOUNTS_GROUPS) /* it moved on, and on */
		forget_groups(m);
	if (!m->group)
		m->group = calloc(HT_MOUNTS_GROUPS, sizeof(*m->group));
	name = m->group ? strdup(path) : NULL;
	if (!name)
		return NULL;
	g = &m->group[m->groups++];
	*g = (struct ht_mounts_group){.of = of, .path = name};
	return g;
}

const char *ht_mounts_text(struct ht_mounts *m)
{
	char *text;

	if (m->fd < 0)
		m->fd = open(m->path, O_RDONLY | O_CLOEXEC);
	if (m->fd < 0)
		return NULL;
	if (!may_differ(m))
		return m->text;
	forget_groups(m);
	text = read_all(m->fd);
	free(m->text);
	m->text = text;
	if (!text)
		return NULL;
	keep_groups(text);
	/* its few lines are kept for long */
	return m->text = realloc(text, strlen(text) + 1) ?: text;
}

void ht_mounts_fini(struct ht_mounts *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	free(m->text);
	m->text = NULL;
	forget_groups(m);
	free(m->group);
	m->group = NULL;
}
