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
#include "common/fnv.h"

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

static bool add(struct ht_vmflags *f, uint64_t start, uint64_t end)
{
	void *more;

	if (f->n && start <= f->v[f->n - 1].end) {
		if (end > f->v[f->n - 1].end)
			f->v[f->n - 1].end = end;
		return true;
	}
	more = reallocarray(f->v, f->n + 1, sizeof(*f->v));
	if (!more)
		return false;
	f->v = more;
	f->v[f->n].start = start;
	f->v[f->n++].end = end;
	return true;
}

/* " rd wr mr mw me lo ac ...": two letters each. */
static bool refuses(const char *flags)
{
	return strstr(flags, " lo") || strstr(flags, " ht");
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
			if (refuses(line + sizeof(key) - 1) &&
			    !add(f, start, end))
				return ht_fail(err, HT_NOMEM,
					       "no memory for mappings");
			start = end;
		}
	}
	return HT_OK;
}

/* The whole file, NUL-terminated and owned by the caller. */
static enum ht_code slurp(pid_t pid, char **ret, struct ht_err *err)
{
	HT_AUTO_FD int fd = -1;
	size_t used = 0, room = 0;
	char path[64];
	ssize_t n = 1;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)ht_live_task(pid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ht_fail_sys(err, errno == EACCES ? HT_DENIED : HT_GONE,
				   errno, "cannot read %s", path);
	while (n > 0) {
		if (room - used < 65536) {
			char *more = realloc(*ret, room + 262144);

			if (!more)
				return ht_fail(err, HT_NOMEM,
					       "no memory for %s", path);
			*ret = more;
			room += 262144;
		}
		n = read(fd, *ret + used, room - used - 1);
		if (n < 0 && errno != EINTR)
			return ht_fail_sys(err, HT_SYS, errno, "read %s", path);
		used += n > 0 ? (size_t)n : 0;
		n = n < 0 ? 1 : n;
	}
	(*ret)[used] = '\0';
	return used ? HT_OK : ht_fail(err, HT_GONE, "process %d ended", pid);
}

enum ht_code ht_vmflags_read(pid_t pid, const struct ht_maps *maps,
			     uint64_t refusing, struct ht_vmflags *f,
			     struct ht_err *err)
{
	uint64_t signature = signature_of(maps, refusing);
	HT_AUTO_FREE char *text = NULL;
	enum ht_code code;

	if (refusing == 0 || f->signature == signature) {
		f->n = refusing ? f->n : 0;
		f->signature = refusing ? signature : 0;
		return HT_OK;
	}
	f->n = 0;
	f->signature = 0;
	code = slurp(pid, &text, err);
	if (code == HT_OK)
		code = ht_vmflags_parse(text, f, err);
	if (code == HT_OK)
		f->signature = signature;
	return code;
}

void ht_vmflags_mark(const struct ht_vmflags *f, struct ht_maps *m)
{
	size_t k = 0;

	for (size_t i = 0; i < m->n && k < f->n; i++) {
		while (k < f->n && f->v[k].end <= m->v[i].start)
			k++;
		if (k < f->n && f->v[k].start < m->v[i].end)
			m->v[i].flags |= HT_VMA_REFUSES;
	}
}

void ht_vmflags_fini(struct ht_vmflags *f)
{
	free(f->v);
	*f = (struct ht_vmflags){0};
}
