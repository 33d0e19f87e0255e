/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/memory/foreign.h"
#include "agent/memory/live_task.h"
#include "agent/stop/access.h"
#include "common/cleanup.h"
#include "common/system.h"

#define LOCATE_ATTEMPTS 5
#define LOADING_NS	20000000 /* a loader at work needs some milliseconds */

static enum ht_code open_reader(pid_t pid, unsigned word, bool may_trace,
				struct ht_reader *ret, struct ht_err *err)
{
	enum ht_code code =
		ht_reader_open_process(pid, word, may_trace, ret, err);

	return code == HT_DENIED ? ht_access_explain(pid, EACCES, err) : code;
}

/* Where the executable, a file that we may not read, is mapped. */
static enum ht_code mapped_header(pid_t pid, Elf64_Ehdr *ret,
				  struct ht_err *err)
{
	struct ht_reader reader = {0};
	struct ht_maps maps = {0};
	enum ht_code code;
	uint64_t dev, inode;

	if (!ht_exe_identity(pid, &dev, &inode))
		return ht_access_explain(pid, errno, err);
	code = open_reader(pid, 8, false, &reader, err);
	if (code == HT_OK)
		code = ht_maps_read(pid, &maps, err);
	for (size_t i = 0; code == HT_OK && i < maps.n; i++) {
		const struct ht_vma *v = &maps.v[i];

		if (v->inode != inode || v->offset != 0)
			continue;
		code = ht_reader_read(&reader, v->start, ret, sizeof(*ret),
				      err);
		break;
	}
	ht_maps_fini(&maps);
	ht_reader_close(&reader);
	return code;
}

static enum ht_code read_header(pid_t pid, Elf64_Ehdr *ret, struct ht_err *err)
{
	char link[40];
	const struct ht_foreign exe = {.link = link};
	HT_AUTO_FD int fd = -1;
	enum ht_code code;

	memset(ret, 0, sizeof(*ret));
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	fd = ht_foreign_open(&exe);
	if (fd < 0 && errno == ETIMEDOUT)
		return mapped_header(pid, ret, err);
	code = fd < 0 ? ht_access_explain(pid, errno, err) : HT_OK;
	if (code == HT_DENIED)
		return mapped_header(pid, ret, err);
	if (code == HT_OK &&
	    pread(fd, ret, sizeof(*ret), 0) < (ssize_t)sizeof(Elf32_Ehdr))
		memset(ret, 0, sizeof(*ret));
	return code;
}

/* The program's ELF class: 4 or 8. Its machine must be one that we know. */
static enum ht_code word_of(pid_t pid, unsigned *ret, struct ht_err *err)
{
	Elf64_Ehdr ehdr; /* both classes agree up to e_machine */
	enum ht_code code = read_header(ht_live_task(pid), &ehdr, err);

	if (code != HT_OK)
		return code;
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0)
		return ht_fail(err, HT_UNSUPPORTED,
			       "process %d: its executable is no ELF file",
			       (int)pid);
	*ret = ht_abi_word(ht_abi_of(ehdr.e_machine, ehdr.e_ident[EI_CLASS]));
	if (!*ret)
		return ht_fail(
			err, HT_UNSUPPORTED,
			"process %d: neither x86-64 nor i386 (ELF class %d, machine %d)",
			(int)pid, ehdr.e_ident[EI_CLASS], ehdr.e_machine);
	return HT_OK;
}

/* Start time and start of the stack (fields 22 and 28 of stat), and the
 * executable's file. The stack lies elsewhere after each execve. */
static bool read_identity(struct ht_proc_texts *texts,
			  struct ht_target_identity *ret)
{
	const char *text = ht_proc_texts_of(texts, HT_PROC_STAT);
	const char *paren = text ? strrchr(text, ')') : NULL;

	if (!paren ||
	    sscanf(paren + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
		   " %*u %*d %*u %*u %*u %" SCNu64,
		   &ret->start_ticks, &ret->stack) != 2)
		return false;
	return ht_proc_exe(texts, &ret->exe_dev, &ret->exe_inode);
}

static void explain_pages(struct ht_target *t)
{
	char why[160];

	ht_access_why_file(t->pid, "pagemap", t->own_pages.refused, why,
			   sizeof(why));
	snprintf(t->no_pages, sizeof(t->no_pages),
		 "what is resident is unknown: %s", why);
}

enum ht_code ht_target_open_process(pid_t pid, struct ht_target *ret,
				    struct ht_err *err)
{
	struct ht_proc_texts texts;
	enum ht_code code;
	unsigned word = 0;

	*ret = HT_TARGET_NONE;
	ret->pid = pid;
	ht_snapshot_init(&ret->notes);
	code = ht_access_check(pid, err);
	if (code != HT_OK)
		return code;
	ret->pidfd = ht_pidfd_open(pid);
	if (ret->pidfd < 0)
		return ht_access_explain(pid, errno, err);
	code = word_of(pid, &word, err);
	if (code != HT_OK)
		return code;
	ht_proc_texts_begin(&texts, pid, &ret->kept);
	if (!read_identity(&texts, &ret->identity))
		return ht_access_explain(pid, ESRCH, err);
	code = open_reader(pid, word, true, &ret->own_reader, err);
	if (code == HT_OK)
		code = ht_pages_source_open(pid, &ret->own_pages, err);
	if (code == HT_OK)
		code = ht_maps_source_open(pid, &ret->maps, err);
	if (code == HT_OK)
		ht_vmflags_open(&ret->vmflags, pid);
	/* Now: once privileges are given up nothing can be asked. */
	if (code == HT_OK && ret->own_pages.refused)
		explain_pages(ret);
	ret->reader = &ret->own_reader;
	ret->pages = &ret->own_pages;
	return code;
}

enum ht_code ht_target_open_core(const char *core, const char *exe,
				 const char *sysroot, struct ht_target *ret,
				 struct ht_err *err)
{
	enum ht_code code;

	*ret = HT_TARGET_NONE;
	ret->exe_path = exe;
	ret->sysroot = sysroot;
	ht_snapshot_init(&ret->notes);
	code = ht_core_open(core, &ret->core, err);
	ret->reader = &ret->core.reader;
	ret->pages = &ret->core.pages;
	return code;
}

static enum ht_code locate_in(struct ht_target *t, const struct ht_maps *maps,
			      const struct ht_locate_in *how,
			      struct ht_err *err)
{
	struct ht_locate_in in = *how;

	in.maps = maps;
	ht_snapshot_fini(&t->notes);
	ht_snapshot_init(&t->notes);
	return ht_locate(&in, &t->located, &t->notes, err);
}

static enum ht_code locate_process(struct ht_target *t,
				   const struct ht_locate_in *how,
				   struct ht_err *err)
{
	struct ht_maps maps = {0};
	enum ht_code code = ht_maps_read(t->pid, &maps, err);

	if (code == HT_OK)
		code = locate_in(t, &maps, how, err);
	ht_maps_fini(&maps);
	return code;
}

/* Nobody serves malloc: so it is while the loader still works. */
static bool is_loading(const struct ht_target *t)
{
	return t->located.n == 0 &&
	       strcmp(t->located.libc.allocator, "unknown") == 0;
}

/* A busy heap may grow between its mappings and our reading, a new program is
 * still being loaded: what does not fit then fits the next time. */
static enum ht_code locate_patiently(struct ht_target *t,
				     const struct ht_locate_in *how,
				     struct ht_err *err)
{
	enum ht_code code = HT_BUG;

	for (int i = 0; i < LOCATE_ATTEMPTS; i++) {
		const struct timespec pause = {.tv_nsec = LOADING_NS};

		code = locate_process(t, how, err);
		if (ht_target_was_replaced(t))
			return ht_target_fail_replaced(t, err);
		if (code == HT_GONE || (code == HT_OK && !is_loading(t)))
			break;
		if (code == HT_OK)
			nanosleep(&pause, NULL);
	}
	return code;
}

enum ht_code ht_target_locate(struct ht_target *t, bool use_debug_info,
			      const char *role_exe, struct ht_err *err)
{
	/* Files are parsed by a process of its own (layout_role.h), which ends
	 * when the cache does: nothing is looked up again in this target's
	 * life. */
	struct ht_locate_cache *cache = ht_locate_cache_new();
	const struct ht_locate_in how = {
		.pid = t->pid,
		.reader = t->reader,
		.exe_path = t->exe_path,
		.sysroot = t->sysroot,
		.exe_start = t->core.exe_start,
		.use_debug_info = use_debug_info,
		.cache = cache,
		.role_exe = role_exe,
	};
	enum ht_code code;

	if (t->pid == 0)
		code = locate_in(t, &t->core.maps, &how, err);
	else
		code = locate_patiently(t, &how, err);
	/* What parsing left behind would stay for the agent's life. */
	ht_locate_cache_free(cache);
	ht_foreign_end();
	malloc_trim(0);
	if (code != HT_OK && ht_target_has_ended(t))
		code = ht_target_fail_ended(t, err);
	t->have_located = code == HT_OK;
	return code;
}

enum ht_code ht_target_open_modules(struct ht_target *t, struct ht_err *err)
{
	struct ht_maps own = {0};
	struct ht_locate_in in = {.pid = t->pid,
				  .reader = t->reader,
				  .exe_path = t->exe_path,
				  .sysroot = t->sysroot,
				  .exe_start = t->core.exe_start,
				  .maps = t->pid ? &own : &t->core.maps};
	enum ht_code code = t->pid ? ht_maps_read(t->pid, &own, err) : HT_OK;

	if (code == HT_OK)
		code = ht_modules_open(&in, &t->modules, err);
	ht_foreign_end();
	ht_maps_fini(&own);
	return code;
}

static enum ht_code dump_in(struct ht_target *t, const struct ht_maps *maps,
			    int fd, struct ht_err *err)
{
	struct ht_locate_cache *cache = ht_locate_cache_new();
	const struct ht_locate_in in = {
		.pid = t->pid,
		.maps = maps,
		.reader = t->reader,
		.exe_path = t->exe_path,
		.sysroot = t->sysroot,
		.exe_start = t->core.exe_start,
		.use_debug_info = true,
		.cache = cache,
		.role_exe = "/proc/self/exe",
	};
	enum ht_code code = ht_locate_dump(&in, fd, err);

	/* What parsing left behind would stay for the agent's life. */
	ht_locate_cache_free(cache);
	malloc_trim(0);
	return code;
}

enum ht_code ht_target_dump(struct ht_target *t, int fd, struct ht_err *err)
{
	struct ht_maps maps = {0};
	enum ht_code code;

	if (t->pid == 0)
		return dump_in(t, &t->core.maps, fd, err);
	code = ht_maps_read(t->pid, &maps, err);
	if (code == HT_OK)
		code = dump_in(t, &maps, fd, err);
	ht_maps_fini(&maps);
	return code;
}

/* The kernel hides the stack (0) from those who may not trace. */
static bool is_other_program(const struct ht_target_identity *a,
			     const struct ht_target_identity *b)
{
	return a->exe_dev != b->exe_dev || a->exe_inode != b->exe_inode ||
	       (a->stack && b->stack && a->stack != b->stack);
}

/* From when its memory is gone until its last thread is, which may have to wait
 * for a processor. */
#define END_WITHIN_MS 100

bool ht_target_has_ended(const struct ht_target *t)
{
	struct pollfd end = {.fd = t->pidfd, .events = POLLIN};

	return t->pid != 0 && t->pidfd >= 0 &&
	       poll(&end, 1, END_WITHIN_MS) == 1;
}

enum ht_code ht_target_fail_ended(const struct ht_target *t, struct ht_err *err)
{
	return ht_fail(err, HT_GONE, "process %d ended", (int)t->pid);
}

bool ht_target_was_replaced(struct ht_target *t)
{
	struct ht_target_identity now;
	struct ht_proc_texts texts;

	if (t->pid == 0)
		return false;
	ht_proc_texts_begin(&texts, t->pid, &t->kept);
	return read_identity(&texts, &now) &&
	       now.start_ticks == t->identity.start_ticks &&
	       is_other_program(&now, &t->identity);
}

enum ht_code ht_target_fail_replaced(const struct ht_target *t,
				     struct ht_err *err)
{
	return ht_fail(err, HT_GONE,
		       "process %d runs another program now (execve)",
		       (int)t->pid);
}

enum ht_code ht_target_same(const struct ht_target *t,
			    struct ht_proc_texts *texts, struct ht_err *err)
{
	struct ht_target_identity now;

	if (t->pid == 0)
		return HT_OK;
	if (!read_identity(texts, &now) ||
	    now.start_ticks != t->identity.start_ticks)
		return ht_target_fail_ended(t, err);
	if (is_other_program(&now, &t->identity))
		return ht_target_fail_replaced(t, err);
	return ht_access_check_by(texts, err);
}

void ht_target_close(struct ht_target *t)
{
	if (t->pid == 0 && t->reader)
		ht_core_close(&t->core);
	ht_reader_close(&t->own_reader);
	ht_pages_source_close(&t->own_pages);
	ht_maps_source_close(&t->maps);
	ht_mounts_fini(&t->mounts);
	ht_proc_kept_close(&t->kept);
	if (t->pidfd >= 0)
		close(t->pidfd);
	ht_snapshot_fini(&t->notes);
	ht_modules_close(&t->modules);
	ht_vmflags_fini(&t->vmflags);
	free(t->round);
	*t = HT_TARGET_NONE;
}
