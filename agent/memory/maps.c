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

#include "agent/memory/live_task.h"
#include "common/cleanup.h"

#define DELETED	   " (deleted)"
#define READ_BLOCK ((size_t)256 << 10)
/* A target that maps and unmaps without a rest is never read in one instant. */
#define READ_TRIES 3

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

/* The newest line stands: what was told before of the same addresses was so
 * when an earlier piece was read. */
static void settle_last(struct ht_maps *m)
{
	struct ht_vma v = m->v[m->n];

	while (m->n > 0 && m->v[m->n - 1].start >= v.start)
		m->n--;
	if (m->n > 0 && m->v[m->n - 1].end > v.start)
		m->v[m->n - 1].end = v.start;
	m->v[m->n++] = v;
}

static enum ht_code parse_lines(const char *text, size_t len, struct ht_maps *m,
				struct ht_err *err)
{
	const char *end = text + len;
	size_t text_used = 1; /* text[0] is "" for all anonymous mappings */
	uint64_t told = 0;    /* up to here */

	for (size_t line = 1; text < end; line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct line l = {text, eol ? eol : end};
		struct ht_vma *v = &m->v[m->n];

		if (!take_fields(&l, v) || v->end <= told)
			return ht_fail(
				err, HT_SYS,
				"mappings: line %zu makes no sense: '%.*s'",
				line,
				(int)(l.end - text < 80 ? l.end - text : 80),
				text);
		take_path(&l, m, v, &text_used);
		told = v->end;
		settle_last(m);
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
		return ht_fail(err, HT_SYS, "mappings: %zu bytes of text", len);
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

/* Whole text of a /proc file from its start, whose size is not known
 * beforehand; expected: as a rule, so that a text of some KiB takes no block of
 * half a MiB at each look. */
static enum ht_code slurp(int fd, size_t expected, char **ret, size_t *ret_len,
			  struct ht_err *err)
{
	HT_AUTO_FREE char *text = NULL;
	size_t len = 0, capacity = 0;

	for (;;) {
		ssize_t got;

		if (capacity == len) {
			size_t more = capacity || !expected
					      ? READ_BLOCK
					      : expected + expected / 8 + 1024;
			char *grown = realloc(text, capacity + more);

			if (!grown)
				return ht_fail(err, HT_NOMEM,
					       "no memory for mappings");
			text = grown;
			capacity += more;
		}
		got = pread(fd, text + len, capacity - len, (off_t)len);
		if (got < 0 && errno == EINTR)
			continue;
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

enum ht_code ht_maps_source_open(pid_t pid, struct ht_maps_source *ret,
				 struct ht_err *err)
{
	char path[64];

	*ret = (struct ht_maps_source){.pid = pid, .task = ht_live_task(pid)};
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)ret->task);
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0)
		return ht_fail_sys(err, code_of_open(errno), errno,
				   "cannot read the mappings of process %d",
				   (int)pid);
	return HT_OK;
}

void ht_maps_source_close(struct ht_maps_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	ht_kept_close(&s->statm);
}

/* What all mappings are long together, by the kernel's own count (statm's
 * first figure, in pages); false: it cannot be read. */
static bool read_total(struct ht_maps_source *s, uint64_t *ret)
{
	char path[64], text[128];
	uint64_t pages;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)s->task);
	if (!ht_kept_read(&s->statm, path, text, sizeof(text)) ||
	    sscanf(text, "%" SCNu64, &pages) != 1)
		return false;
	*ret = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

/* The same by what was read. [vsyscall] is the kernel's own, and no mapping. */
static uint64_t sum_of(const struct ht_maps *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].start <= INT64_MAX)
			sum += m->v[i].end - m->v[i].start;
	return sum;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* One try. Sets unsure; HT_GONE when the text ended with the process. */
static enum ht_code read_once(struct ht_maps_source *s, struct ht_maps *ret,
			      struct ht_err *err)
{
	HT_AUTO_FREE char *text = NULL;
	uint64_t before = 0, after = 0, sum;
	bool counted = read_total(s, &before);
	size_t len = 0;
	enum ht_code code = slurp(s->fd, s->len, &text, &len, err);

	if (code != HT_OK)
		return code;
	s->len = len;
	counted = read_total(s, &after) && counted;
	if (before > 0 && (after == 0 || len == 0))
		return ht_fail(
			err, HT_GONE,
			"it ended, or replaced its program, while its mappings were read");
	code = ht_maps_parse(text, len, ret, err);
	if (code != HT_OK || !counted)
		return code;
	sum = sum_of(ret);
	ret->unsure = apart(sum, before) < apart(sum, after)
			      ? apart(sum, before)
			      : apart(sum, after);
	return HT_OK;
}

/* Whether two tries differ by nothing: then the kernel's count is another, not
 * the mappings. */
static bool same_again(const struct ht_maps *a, const struct ht_maps *b)
{
	return a->n > 0 && a->n == b->n && a->unsure == b->unsure &&
	       sum_of(a) == sum_of(b);
}

enum ht_code ht_maps_source_read(struct ht_maps_source *s, struct ht_maps *ret,
				 struct ht_err *err)
{
	struct ht_maps best = {0}, m;
	enum ht_code code = HT_BUG;

	for (unsigned i = 0; i < READ_TRIES; i++) {
		m = (struct ht_maps){0};
		code = read_once(s, &m, err);
		if (code == HT_GONE || code == HT_NOMEM)
			break;
		if (code != HT_OK)
			continue;
		if (same_again(&m, &best))
			m.unsure = 0;
		ht_maps_fini(&best);
		best = m;
		if (best.unsure == 0)
			break;
	}
	if (code == HT_GONE || code == HT_NOMEM ||
	    (code != HT_OK && best.n == 0)) {
		ht_maps_fini(&best);
		ht_err_in(err, "process %d", (int)s->pid);
		return code;
	}
	*ret = best;
	return HT_OK;
}

enum ht_code ht_maps_read(pid_t pid, struct ht_maps *ret, struct ht_err *err)
{
	struct ht_maps_source s = {.fd = -1};
	enum ht_code code = ht_maps_source_open(pid, &s, err);

	if (code == HT_OK)
		code = ht_maps_source_read(&s, ret, err);
	ht_maps_source_close(&s);
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
