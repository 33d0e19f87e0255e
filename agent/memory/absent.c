/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/absent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "agent/memory/maps.h"
#include "agent/memory/procfs.h"
#include "agent/memory/vmflags.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Mappings that were read longer ago are read anew. */
#define FRESH_NS (100 * HT_NS_PER_MS)
/* The same where they have nothing at an address: it may have been mapped
 * since, and a heap that shrinks while it is walked is asked about page by
 * page. */
#define GONE_NS (5 * HT_NS_PER_MS)

struct ht_absent {
	pthread_mutex_t lock;
	struct ht_maps_source source;
	struct ht_maps maps;
	int64_t read_at;	    /* 0: never */
	struct ht_vmflags *vmflags; /* borrowed; NULL: nobody asks */
	/* The file asked for last; -1: it cannot be opened. */
	int file;
	uint64_t dev, inode;
};

struct ht_absent *ht_absent_open(pid_t pid)
{
	struct ht_absent *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	a->file = -1;
	if (ht_maps_source_open(pid, &a->source, NULL) != HT_OK)
		a->source.fd = -1;
	return a;
}

void ht_absent_heed(struct ht_absent *a, struct ht_vmflags *f)
{
	pthread_mutex_lock(&a->lock);
	a->vmflags = f;
	pthread_mutex_unlock(&a->lock);
}

static void close_file(struct ht_absent *a)
{
	if (a->file >= 0)
		close(a->file);
	a->file = -1;
	a->dev = a->inode = 0;
}

void ht_absent_close(struct ht_absent *a)
{
	if (!a)
		return;
	close_file(a);
	ht_maps_source_close(&a->source);
	ht_maps_fini(&a->maps);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static const struct ht_vma *find(struct ht_absent *a, uint64_t addr)
{
	const struct ht_vma *v = ht_maps_at(&a->maps, addr);
	struct ht_maps fresh = {0};

	if (a->read_at != 0 &&
	    ht_mono_ns() - a->read_at < (v ? FRESH_NS : GONE_NS))
		return v;
	if (a->source.fd < 0 ||
	    ht_maps_source_read(&a->source, &fresh, NULL) != HT_OK)
		return NULL;
	ht_maps_fini(&a->maps);
	a->maps = fresh;
	a->read_at = ht_mono_ns();
	return ht_maps_at(&a->maps, addr);
}

/* --- files --------------------------------------------------------------- */

/* Opens a path for reading if it leads to a regular file, without opening
 * anything else, whose opening might do something. */
static int open_regular(const char *path, const struct ht_vma *want)
{
	HT_AUTO_FD int at = open(path, O_PATH | O_CLOEXEC);
	char again[48];
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (want && (st.st_ino != want->inode || st.st_dev != want->dev)))
		return -1;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
	return open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_file(const struct ht_absent *a, const struct ht_vma *v)
{
	const char *name = ht_vma_path(&a->maps, v);
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)ht_live_task(a->source.pid), v->start, v->end);
	fd = open_regular(path, NULL);
	if (fd >= 0 || v->flags & HT_VMA_DELETED || name[0] != '/')
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s",
		 (int)ht_live_task(a->source.pid),
		 ht_procfs_own_path(a->source.pid, name));
	return open_regular(path, v);
}

static void choose_file(struct ht_absent *a, const struct ht_vma *v)
{
	if (a->inode == v->inode && a->dev == v->dev)
		return;
	close_file(a);
	a->file = open_file(a, v);
	a->inode = v->inode;
	a->dev = v->dev;
}

/* Behind its end a file has nothing; the rest of its last page is zeros. */
static enum ht_absent_kind read_file(struct ht_absent *a,
				     const struct ht_vma *v, uint64_t addr,
				     void *buf, size_t *len)
{
	ssize_t got;

	choose_file(a, v);
	if (a->file < 0)
		return HT_ABSENT_IN_PLACE;
	got = pread(a->file, buf, *len, (off_t)(v->offset + (addr - v->start)));
	if (got < 0)
		return HT_ABSENT_NONE;
	if ((size_t)got < *len) {
		size_t rest = (size_t) - (addr + (size_t)got) & 4095;

		rest = rest < *len - (size_t)got ? rest : *len - (size_t)got;
		memset((char *)buf + got, 0, rest);
		*len = (size_t)got + rest;
	}
	return *len > 0 ? HT_ABSENT_TOLD : HT_ABSENT_NONE;
}

/* --- kinds of memory ----------------------------------------------------- */

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Private memory without a file's content behind it. The pages of MAP_HUGETLB
 * are a nameless file each; /dev/zero is one in name only. */
static bool is_anonymous(const struct ht_vma *v, const char *path)
{
	if (path[0] == '[')
		return strcmp(path, "[heap]") == 0 || starts(path, "[stack") ||
		       starts(path, "[anon");
	return (v->inode == 0 && path[0] == '\0') ||
	       starts(path, "/anon_hugepage") || strcmp(path, "/dev/zero") == 0;
}

/* Content that is nowhere but in the process's, or others', memory. */
static bool is_elsewhere(const struct ht_vma *v, const char *path)
{
	static const char *const places[] = {"/memfd:", "/SYSV", "/dev/"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (starts(path, places[i]))
			return true;
	return v->flags & HT_VMA_SHARED;
}

/* Zeros, as far as is known. */
static enum ht_absent_kind tell_zeros(struct ht_absent *a,
				      const struct ht_vma *v, uint64_t addr,
				      void *buf, size_t *len)
{
	if (a->vmflags && ht_vmflags_withheld(a->vmflags, addr, len))
		return HT_ABSENT_WITHHELD;
	if (a->vmflags && v->flags & HT_VMA_WRITE)
		a->vmflags->doubted = true;
	memset(buf, 0, *len);
	return HT_ABSENT_TOLD;
}

static enum ht_absent_kind tell(struct ht_absent *a, uint64_t addr, void *buf,
				size_t *len)
{
	const struct ht_vma *v = find(a, addr);
	const char *path = v ? ht_vma_path(&a->maps, v) : "";

	if (!v || is_elsewhere(v, path))
		return HT_ABSENT_NONE;
	if (*len > v->end - addr)
		*len = (size_t)(v->end - addr);
	if (is_anonymous(v, path))
		return tell_zeros(a, v, addr, buf, len);
	if (v->inode != 0)
		return read_file(a, v, addr, buf, len);
	return HT_ABSENT_IN_PLACE; /* the kernel's own: [vdso] */
}

enum ht_absent_kind ht_absent_read(struct ht_absent *a, uint64_t addr,
				   void *buf, size_t len, size_t *ret_len)
{
	enum ht_absent_kind kind;

	pthread_mutex_lock(&a->lock);
	*ret_len = len;
	kind = tell(a, addr, buf, ret_len);
	pthread_mutex_unlock(&a->lock);
	return kind;
}
