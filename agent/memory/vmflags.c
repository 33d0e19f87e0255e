/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/vmflags.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fnv.h"

/* A damaged heap is doubted at each look. */
#define DOUBT_NS HT_NS_PER_S

/* Of what could change which mappings refuse. */
static uint64_t signature_of(const struct ht_maps *m, uint64_t refusing)
{
	uint64_t hash = ht_fnv(HT_FNV_BASIS, &refusing, sizeof(refusing));

	for (size_t i = 0; i < m->n; i++) {
		const struct ht_vma *v = &m->v[i];

		hash = ht_fnv(hash, &v->start, sizeof(v->start));
		hash = ht_fnv(hash, &v->end, sizeof(v->end));
		hash = ht_fnv(hash, &v->flags, sizeof(v->flags));
	}
	return hash ? hash : 1;
}

static bool add(struct ht_spans *s, uint64_t start, uint64_t end)
{
	void *more;

	if (s->n && start <= s->v[s->n - 1].end) {
		if (end > s->v[s->n - 1].end)
			s->v[s->n - 1].end = end;
		return true;
	}
	more = reallocarray(s->v, s->n + 1, sizeof(*s->v));
	if (!more)
		return false;
	s->v = more;
	s->v[s->n++] = (struct ht_span){start, end};
	return true;
}

/* " rd wr mr mw me lo ac ...": two letters each. */
static bool refuses(const char *flags)
{
	return strstr(flags, " lo") || strstr(flags, " ht");
}

static bool withholds(const char *flags)
{
	return strstr(flags, " um") || strstr(flags, " ui");
}

static bool take_flags(struct ht_vmflags *f, const char *flags, uint64_t start,
		       uint64_t end)
{
	return (!refuses(flags) || add(&f->refusing, start, end)) &&
	       (!withholds(flags) || add(&f->withheld, start, end));
}

enum ht_code ht_vmflags_parse(char *text, struct ht_vmflags *f,
			      struct ht_err *err)
{
	static const char key[] = "VmFlags:";
	uint64_t start = 0, end = 0, from, to;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2 &&
		    from < to) {
			start = from;
			end = to;
		} else if (strncmp(line, key, sizeof(key) - 1) == 0) {
			if (start == end)
				return ht_fail(err, HT_SYS,
					       "smaps: flags of no mapping");
			if (!take_flags(f, line + sizeof(key) - 1, start, end))
				return ht_fail(err, HT_NOMEM,
					       "no memory for mappings");
			start = end;
		}
	}
	return HT_OK;
}

static int open_smaps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)ht_live_task(pid));
	return open(path, O_RDONLY | O_CLOEXEC);
}

void ht_vmflags_open(struct ht_vmflags *f, pid_t pid)
{
	if (f->fd < 0)
		f->fd = open_smaps(pid);
}

/* The kernel walks page tables for each piece. */
static bool is_late(const struct ht_vmflags *f)
{
	return f->until_ns && ht_mono_ns() >= f->until_ns;
}

/* The whole file, NUL-terminated and owned by the caller. */
static enum ht_code slurp(const struct ht_vmflags *f, pid_t pid, char **ret,
			  struct ht_err *err)
{
	HT_AUTO_FD int own = f->fd < 0 ? open_smaps(pid) : -1;
	int fd = f->fd < 0 ? own : f->fd;
	size_t used = 0, room = 0;
	ssize_t n = 1;

	if (fd < 0)
		return ht_fail_sys(err, errno == EACCES ? HT_DENIED : HT_GONE,
				   errno, "cannot read smaps of process %d",
				   (int)pid);
	while (n > 0) {
		if (is_late(f))
			return ht_fail(err, HT_TIMEOUT,
				       "smaps was not read in time");
		if (room - used < 65536) {
			char *more = realloc(*ret, room + 262144);

			if (!more)
				return ht_fail(err, HT_NOMEM,
					       "no memory for smaps");
			*ret = more;
			room += 262144;
		}
		n = pread(fd, *ret + used, room - used - 1, (off_t)used);
		if (n < 0 && errno != EINTR)
			return ht_fail_sys(err, HT_SYS, errno, "read smaps");
		used += n > 0 ? (size_t)n : 0;
		n = n < 0 ? 1 : n;
	}
	(*ret)[used] = '\0';
	return used ? HT_OK : ht_fail(err, HT_GONE, "process %d ended", pid);
}

static bool due(const struct ht_vmflags *f, uint64_t refusing,
		uint64_t signature)
{
	if ((refusing || f->withheld.n) && f->signature != signature)
		return true;
	return f->doubted &&
	       (f->read_at == 0 || ht_mono_ns() - f->read_at >= DOUBT_NS);
}

bool ht_vmflags_settled(struct ht_vmflags *f, uint64_t refusing)
{
	if (refusing || f->withheld.n || f->doubted)
		return false;
	f->asked = 0;
	f->refusing.n = 0;
	return true;
}

enum ht_code ht_vmflags_read(pid_t pid, const struct ht_maps *maps,
			     uint64_t refusing, struct ht_vmflags *f,
			     struct ht_err *err)
{
	uint64_t signature = signature_of(maps, refusing);
	HT_AUTO_FREE char *text = NULL;
	enum ht_code code;

	f->asked = refusing;
	if (!due(f, refusing, signature)) {
		f->refusing.n = refusing ? f->refusing.n : 0;
		return HT_OK;
	}
	f->refusing.n = f->withheld.n = 0;
	f->signature = 0;
	code = slurp(f, pid, &text, err);
	if (code == HT_OK)
		code = ht_vmflags_parse(text, f, err);
	if (code != HT_OK)
		return code;
	f->signature = signature;
	f->read_at = ht_mono_ns();
	f->doubted = false;
	return HT_OK;
}

void ht_vmflags_mark(const struct ht_vmflags *f, struct ht_maps *m)
{
	const struct ht_spans *s = &f->refusing;
	size_t k = 0;

	for (size_t i = 0; i < m->n && k < s->n; i++) {
		while (k < s->n && s->v[k].end <= m->v[i].start)
			k++;
		if (k < s->n && s->v[k].start < m->v[i].end)
			m->v[i].flags |= HT_VMA_REFUSES;
	}
}

bool ht_vmflags_withheld(const struct ht_vmflags *f, uint64_t addr, size_t *len)
{
	const struct ht_spans *s = &f->withheld;
	size_t low = 0, high = s->n;
	uint64_t left;
	bool inside;

	while (low < high) { /* the first that ends behind addr */
		size_t mid = low + (high - low) / 2;

		if (s->v[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == s->n)
		return false;
	inside = s->v[low].start <= addr;
	left = (inside ? s->v[low].end : s->v[low].start) - addr;
	*len = *len < left ? *len : (size_t)left;
	return inside;
}

void ht_vmflags_fini(struct ht_vmflags *f)
{
	free(f->refusing.v);
	free(f->withheld.v);
	if (f->fd >= 0)
		close(f->fd);
	*f = HT_VMFLAGS_NONE;
}
