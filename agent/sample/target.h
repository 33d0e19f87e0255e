/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: one process while it is watched, or one core file: everything that is
 * opened once and kept between samples. Not attached: gdb and strace may come
 * in between two samples.
 */
#ifndef HT_AGENT_SAMPLE_TARGET_H
#define HT_AGENT_SAMPLE_TARGET_H

#include "agent/graph/modules.h"
#include "agent/libc/locate.h"
#include "agent/memory/maps.h"
#include "agent/memory/mounts.h"
#include "agent/memory/pages.h"
#include "agent/memory/proc_texts.h"
#include "agent/memory/reader.h"
#include "agent/memory/reader_core.h"
#include "agent/memory/vmflags.h"
#include "agent/stop/filtered.h"
#include "agent/walk/round.h"

/* Pids are reused, programs replaced: one life of a pid, and one program. */
struct ht_target_identity {
	uint64_t start_ticks;
	uint64_t stack; /* its start; 0: hidden from us */
	uint64_t exe_dev, exe_inode;
};

struct ht_target {
	pid_t pid; /* 0: a core file */
	int pidfd;
	struct ht_target_identity identity;
	struct ht_reader *reader;
	struct ht_pages_source *pages;
	struct ht_reader own_reader;
	struct ht_pages_source own_pages;
	struct ht_maps_source maps; /* of a process */
	struct ht_mounts mounts;
	struct ht_proc_kept kept; /* of a process */
	struct ht_core core;
	char no_pages[200];   /* why there is no pagemap; "" */
	const char *exe_path; /* --exe, borrowed, or NULL */
	const char *sysroot;  /* --sysroot, likewise */
	struct ht_located located;
	struct ht_snapshot notes; /* warnings of locate, for each snapshot */
	bool have_located;
	struct ht_modules modules;   /* of ht_target_open_modules */
	struct ht_filtered filtered; /* of ht_trim_read_filters */
	struct ht_vmflags vmflags;   /* as of the begin of this sample */
	/* Figures of earlier samples: how fast this heap is read, how many
	 * running threads stop at once within their share of a pause. */
	uint64_t bytes_per_ms;
	size_t at_once;
	/* Of light looks: as it is, and before the walk of this one. Owned;
	 * NULL: none yet. */
	struct ht_round *round;
	struct ht_mmapped_at
		mmapped_at; /* of mmapped chunks, by the last look */
};

#define HT_TARGET_NONE                                                         \
	((struct ht_target){.pidfd = -1,                                       \
			    .own_pages = {.pagemap_fd = -1},                   \
			    .maps = {.fd = -1},                                \
			    .vmflags = {.fd = -1},                             \
			    .mounts = HT_MOUNTS_OWN,                           \
			    .bytes_per_ms = 1 << 20,                           \
			    .at_once = 128})

/* Opens what reading needs. Errors say why a process cannot be measured. */
enum ht_code ht_target_open_process(pid_t pid, struct ht_target *ret,
				    struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_target_open_core(const char *core, const char *exe,
				 const char *sysroot, struct ht_target *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* Finds the heap, once. May take long: before the sandbox and any stop. HT_GONE
 * when the process replaced its program meanwhile.
 * role_exe: the agent's program, which parses the files (layout_role.h), or
 * NULL to do that in this process, for tests. */
enum ht_code ht_target_locate(struct ht_target *t, bool use_debug_info,
			      const char *role_exe,
			      struct ht_err *err) HT_MUST_CHECK;
/* Holds the program and its libraries open, for names: before the sandbox. */
enum ht_code ht_target_open_modules(struct ht_target *t,
				    struct ht_err *err) HT_MUST_CHECK;
/* doctor PID --dump-layout: ht_locate_dump() of an open target to fd. */
enum ht_code ht_target_dump(struct ht_target *t, int fd,
			    struct ht_err *err) HT_MUST_CHECK;
/* Whether it is still the same process and program, by what it shows now.
 * HT_GONE when not. */
enum ht_code ht_target_same(const struct ht_target *t,
			    struct ht_proc_texts *texts,
			    struct ht_err *err) HT_MUST_CHECK;
/* Whether no thread of it is left, or will be in a moment, where something of
 * it failed: what cannot be read then is no fault. */
bool ht_target_has_ended(const struct ht_target *t);
enum ht_code ht_target_fail_ended(const struct ht_target *t,
				  struct ht_err *err);
/* Whether the process lives and has replaced its program since it was opened:
 * what was read is of two programs then. The second makes the error of it. */
bool ht_target_was_replaced(struct ht_target *t);
enum ht_code ht_target_fail_replaced(const struct ht_target *t,
				     struct ht_err *err);
void ht_target_close(struct ht_target *t);

#endif
