/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"

#define DELETED	   " (deleted)"
#define READ_BLOCK ((size_t)256 << 10)

/* A line being parsed: [at, end), without its newline. */
struct line {
	const char *at, *end;
};

/* 99: no digit. */
static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

static bool take_number(struct line *l, unsigned base, uint64_t *ret)
{
	const char *start = l->at;
	uint64_t value = 0;

	for (; l->at < l->end && digit_of(*l->at) < base; l->at++) {
		unsigned digit = digit_of(*l->at);

		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	*ret = value;
	return l->at > start;
}

static bool take_char(struct line *l, char c)
{
	if (l->at >= l->end || *l->at != c)
		return false;
	l->at++;
	return true;
}

static bool take_flags(struct line *l, uint32_t *ret)
{
	static const struct {
		char on;
		uint32_t flag;
	} marks[] = {{'r', HT_VMA_READ},
		     {'w', HT_VMA_WRITE},
		     {'x', HT_VMA_EXEC},
		     {'s', HT_VMA_SHARED}};

	*ret = 0;
	if (l->end - l->at < 4)
		return false;
	for (size_t i = 0; i < 4; i++, l->at++) {
		if (*l->at == marks[i].on)
			*ret |= marks[i].flag;
		else if (*l->at != (i == 3 ? 'p' : '-'))
			return false;
	}
	return true;
}

static bool take_fields(struct line *l, struct ht_vma *v)
{
	uint64_t major_number, minor_number;

	if (!take_number(l, 16, &v->start) || !take_char(l, '-') ||
	    !take_number(l, 16, &v->end) || !take_char(l, ' ') ||
	    !take_flags(l, &v->flags) || !take_char(l, ' ') ||
	    !take_number(l, 16, &v->offset) || !take_char(l, ' ') ||
	    !take_number(l, 16, &major_number) || !take_char(l, ':') ||
	    !take_number(l, 16, &minor_number) || !take_char(l, ' ') ||
	    !take_number(l, 10, &v->inode))
		return false;
	v->dev = makedev((unsigned)major_number, (unsigned)minor_number);
	while (take_char(l, ' '))
		;
	return v->start < v->end;
}

/* Copies the rest of the line as the path; text has room for the whole input.
 */
static void take_path(struct line *l, struct ht_maps *m, struct ht_vma *v,
		      size_t *text_used)
{
	size_t len = (size_t)(l->end - l->at), cut = strlen(DELETED);

	v->path = 0;
	if (len == 0)
		return;
	if (len > cut && memcmp(l->end - cut, DELETED, cut) == 0) {
		v->flags |= HT_VMA_DELETED;
		len -= cut;
	}
	v->path = (uint32_t)*text_used;
	memcpy(m->text + *text_used, l->at, len);
	m->text[*text_used + len] = '\0';
	*text_used += len + 1;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static enum ht_code parse_lines(const char *text, size_t len, struct ht_maps *m,
				struct ht_err *err)
{
	const char *end = text + len;
	size_t text_used = 1; /* text[0] is "" for all anonymous mappings */
	uint64_t last = 0;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct line l = {text, eol ? eol : end};
		struct ht_vma *v = &m->v[m->n];

		if (!take_fields(&l, v) || v->start < last)
			return ht_fail(
				err, HT_CORRUPT,
				"mappings: line %zu makes no sense: "
				"'%.*s'",
				m->n + 1,
				(int)(l.end - text < 80 ? l.end - text : 80),
				text);
		take_path(&l, m, v, &text_used);
		last = v->end;
		m->n++;
		text = l.end + 1;
	}
	return HT_OK;
}

enum ht_code ht_maps_parse(const char *text, size_t len, struct ht_maps *ret,
			   struct ht_err *err)
{
	struct ht_maps m = {0};
	enum ht_code code;

	if (len > UINT32_MAX / 2)
		return ht_fail(err, HT_CORRUPT, "mappings: %zu bytes of text",
			       len);
	m.v = calloc(count_lines(text, len), sizeof(*m.v));
	m.text = calloc(len + 2, 1);
	if (!m.v || !m.text)
		code = ht_fail(err, HT_NOMEM, "no memory for mappings");
	else
		code = parse_lines(text, len, &m, err);
	if (code != HT_OK)
		ht_maps_fini(&m);
	else
		*ret = m;
	return code;
}

/* Whole text of a /proc file, whose size is not known beforehand. */
static enum ht_code slurp(int fd, char **ret, size_t *ret_len,
			  struct ht_err *err)
{
	HT_AUTO_FREE char *text = NULL;
	size_t len = 0, capacity = 0;

	for (;;) {
		ssize_t got;

		if (capacity - len < READ_BLOCK) {
			char *grown = realloc(text, capacity + 2 * READ_BLOCK);

			if (!grown)
				return ht_fail(err, HT_NOMEM,
					       "no memory for mappings");
			text = grown;
			capacity += 2 * READ_BLOCK;
		}
		got = read(fd, text + len, READ_BLOCK);
		if (got < 0)
			return ht_fail_sys(err,
					   errno == ESRCH ? HT_GONE : HT_SYS,
					   errno, "cannot read the mappings");
		if (got == 0)
			break;
		len += (size_t)got;
	}
	*ret = ht_take_ptr(text);
	*ret_len = len;
	return HT_OK;
}

static enum ht_code code_of_open(int number)
{
	if (number == ENOENT || number == ESRCH)
		return HT_GONE;
	return number == EACCES || number == EPERM ? HT_DENIED : HT_SYS;
}

enum ht_code ht_maps_read(pid_t pid, struct ht_maps *ret, struct ht_err *err)
{
	HT_AUTO_FREE char *text = NULL;
	HT_AUTO_FD int fd = -1;
	size_t len = 0;
	char path[64];
	enum ht_code code;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ht_fail_sys(err, code_of_open(errno), errno,
				   "cannot read the mappings of process %d",
				   (int)pid);
	code = slurp(fd, &text, &len, err);
	if (code == HT_OK)
		code = ht_maps_parse(text, len, ret, err);
	if (code != HT_OK)
		ht_err_in(err, "process %d", (int)pid);
	return code;
}

void ht_maps_fini(struct ht_maps *m)
{
	free(m->v);
	free(m->text);
	*m = (struct ht_maps){0};
}

const struct ht_vma *ht_maps_at(const struct ht_maps *m, uint64_t addr)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->v[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->n && m->v[low].start <= addr ? &m->v[low] : NULL;
}

uint64_t ht_maps_writable_end(const struct ht_maps *m, uint64_t addr)
{
	const uint32_t both = HT_VMA_READ | HT_VMA_WRITE;
	const struct ht_vma *v = ht_maps_at(m, addr);

	while (v && (v->flags & both) == both) {
		addr = v->end;
		v = v + 1 < m->v + m->n && v[1].start == addr ? v + 1 : NULL;
	}
	return addr;
}

const char *ht_vma_path(const struct ht_maps *m, const struct ht_vma *v)
{
	return m->text + v->path;
}
