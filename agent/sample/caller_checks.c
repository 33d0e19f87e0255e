/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/memory/frames.h"
#include "agent/sample/caller.h"
#include "agent/stop/thread_pointer.h"
#include "common/cleanup.h"

/* struct pthread is some 2.3 KB; x86 has it at the thread pointer. */
#define DESCRIPTOR 2304u
#define STACK_MAX  (UINT64_C(1) << 36)

/* --- its stack ----------------------------------------------------------- */

/* The lowest usable address of the stack that a thread was created with:
 * pthread_create keeps base, size and guard size side by side in the thread's
 * descriptor, wherever the stack came from. 0: sp is on no such stack. */
static uint64_t thread_stack(struct ht_reader *reader, uint64_t pointer,
			     uint64_t sp)
{
	uint64_t w[DESCRIPTOR / sizeof(uint64_t)];
	size_t n = ht_reader_some(reader, pointer, w, sizeof(w)) /
		   sizeof(uint64_t);

	for (size_t i = 0; i + 2 < n; i++) {
		uint64_t base = w[i], size = w[i + 1], guard = w[i + 2];

		if (base == 0 || base > sp || size > STACK_MAX ||
		    size < DESCRIPTOR || guard >= size)
			continue;
		if (sp < base + size && pointer > sp && pointer < base + size &&
		    pointer + DESCRIPTOR / 2 > sp)
			return base + guard;
	}
	return 0;
}

static uint64_t lowest_of_stack(const struct ht_caller_in *in, pid_t tid,
				uint64_t sp)
{
	const struct ht_vma *v = ht_maps_at(in->maps, sp);
	uint64_t pointer;

	if (v && strcmp(ht_vma_path(in->maps, v), "[stack]") == 0)
		return v->start;
	pointer = ht_thread_pointer(tid, in->reader);
	return pointer ? thread_stack(in->reader, pointer, sp) : 0;
}

static enum ht_trim_refusal check_stack(const struct ht_caller_in *in,
					pid_t tid, uint64_t sp, char *why,
					size_t size)
{
	uint64_t lowest = lowest_of_stack(in, tid, sp);

	if (lowest == 0) {
		snprintf(
			why, size,
			"thread %d is on a stack that is not its own (an alternate one, or a coroutine's)",
			(int)tid);
		return HT_TRIM_STACK;
	}
	if (sp - lowest < ht_call_room()) {
		snprintf(why, size,
			 "thread %d has %" PRIu64
			 " bytes of stack left, of %zu that the call may need",
			 (int)tid, sp - lowest, ht_call_room());
		return HT_TRIM_STACK;
	}
	return HT_TRIM_NONE;
}

/* --- what its status says ------------------------------------------------ */

static bool has_shadow_stack(DIR *tasks, pid_t tid)
{
	HT_AUTO_FD int fd = -1;
	char path[48], buf[4096];
	const char *line, *end;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/status", (int)tid);
	fd = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return true; /* nobody knows */
	buf[n] = '\0';
	line = strstr(buf, "\n" HT_SHADOW_STACK_LINE);
	end = line ? strchr(line + 1, '\n') : NULL;
	line = line ? strstr(line, "shstk") : NULL;
	return line && (!end || line < end);
}

enum ht_trim_refusal ht_caller_check_asleep(const struct ht_caller_in *in,
					    DIR *tasks, pid_t tid, uint64_t sp,
					    char *why, size_t size)
{
	if (ht_task_filtered(tasks, tid) &&
	    !(in->filtered && ht_filtered_allows(in->filtered, tasks, tid))) {
		snprintf(
			why, size, "%s",
			in->filtered && in->filtered->why[0]
				? in->filtered->why
				: "its threads have a seccomp filter, which may forbid madvise, brk or rt_sigreturn and punish with death, and none slept where it could be stopped to read it");
		return HT_TRIM_SECCOMP;
	}
	if (has_shadow_stack(tasks, tid)) {
		snprintf(
			why, size,
			"thread %d has a shadow stack, which returns by signal frames do not go together with",
			(int)tid);
		return HT_TRIM_SHADOW_STACK;
	}
	return check_stack(in, tid, sp, why, size);
}

/* --- its frames ---------------------------------------------------------- */

struct survey {
	const struct ht_caller_in *in;
	enum ht_trim_refusal refusal;
	uint64_t pc;
	unsigned frames;
};

static bool in_malloc(const struct ht_located *l, uint64_t pc)
{
	for (size_t i = 0; i < l->n; i++)
		if (pc >= l->malloc[i].text_start && pc < l->malloc[i].text_end)
			return true;
	return false;
}

static bool in_fork(const struct ht_located *l, uint64_t pc)
{
	for (size_t i = 0; i < l->n; i++)
		if (pc >= l->malloc[i].fork_start &&
		    pc <= l->malloc[i].fork_end)
			return true;
	return false;
}

static bool in_loader(const struct ht_maps *maps, uint64_t pc)
{
	const struct ht_vma *v = ht_maps_at(maps, pc);
	const char *path = v && v->inode ? ht_vma_path(maps, v) : "";
	const char *slash = strrchr(path, '/');

	return slash && (strncmp(slash, "/ld-", 4) == 0 ||
			 strncmp(slash, "/ld.so", 6) == 0);
}

/* A return address into code that calls rt_sigreturn: above it is what a signal
 * interrupted. */
static bool is_restorer(struct ht_reader *reader, uint64_t pc)
{
	static const uint8_t by_rax[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00,
					 0x00, 0x00, 0x0f, 0x05};
	static const uint8_t by_eax[] = {0xb8, 0x0f, 0x00, 0x00,
					 0x00, 0x0f, 0x05};
	uint8_t code[sizeof(by_rax)] = {0};

	return ht_reader_some(reader, pc, code, sizeof(code)) == sizeof(code) &&
	       (memcmp(code, by_rax, sizeof(by_rax)) == 0 ||
		memcmp(code, by_eax, sizeof(by_eax)) == 0);
}

/* Whether what lies before pc may be a call that returns there: e8 with four
 * bytes, or ff /2 of two to seven bytes. A frame that was found at the wrong
 * place seldom has one. */
static bool follows_a_call(struct ht_reader *reader, uint64_t pc)
{
	uint8_t b[7];

	if (ht_reader_some(reader, pc - sizeof(b), b, sizeof(b)) != sizeof(b))
		return false;
	if (b[2] == 0xe8)
		return true;
	for (size_t i = 0; i + 1 < sizeof(b); i++)
		if (b[i] == 0xff && (b[i + 1] & 0x38) == 0x10)
			return true;
	return false;
}

/* The outermost frame is _start's, whose call of __libc_start_main never
 * returns (hlt follows), or clone's, which ends the thread by exit(2). */
static bool is_outermost(struct ht_reader *reader, uint64_t pc)
{
	static const uint8_t exit_call[] = {0xb8, 0x3c, 0x00, 0x00, 0x00};
	uint8_t b[24];

	if (ht_reader_some(reader, pc, b, sizeof(b)) != sizeof(b))
		return false;
	return b[0] == 0xf4 ||
	       memmem(b, sizeof(b), exit_call, sizeof(exit_call)) != NULL;
}

static bool look_at(void *ctx, const struct ht_call_frame *f)
{
	const uint64_t pc = f->pc;
	struct survey *l = ctx;

	l->pc = pc;
	if (l->frames++ > 0 && !is_restorer(l->in->reader, pc) &&
	    !follows_a_call(l->in->reader, pc))
		l->refusal = HT_TRIM_UNWINDING;
	else if (in_malloc(l->in->located, pc))
		l->refusal = HT_TRIM_IN_MALLOC;
	else if (in_fork(l->in->located, pc))
		l->refusal = HT_TRIM_FORK;
	else if (is_restorer(l->in->reader, pc))
		l->refusal = HT_TRIM_IN_HANDLER;
	else if (in_loader(l->in->maps, pc))
		l->refusal = HT_TRIM_IN_LOADER;
	return l->refusal == HT_TRIM_NONE;
}

static const char *where(enum ht_trim_refusal refusal)
{
	switch (refusal) {
	case HT_TRIM_IN_MALLOC:
		return "inside malloc, and may hold an arena's lock";
	case HT_TRIM_FORK:
		return "inside fork, which holds the locks of all arenas";
	case HT_TRIM_IN_HANDLER:
		return "in a signal handler, over whatever it interrupted";
	case HT_TRIM_IN_LOADER:
		return "inside the dynamic loader";
	default:
		return "where its stack cannot be unwound to its outermost frame";
	}
}

enum ht_trim_refusal ht_caller_check_frames(const struct ht_caller_in *in,
					    const struct ht_tracee *h,
					    char *why, size_t size)
{
	const struct ht_thread_state t = ht_tracee_registers(h, 8);
	struct survey l = {.in = in};

	bool whole =
		ht_frames_surely(&t, in->reader, in->maps, NULL, look_at, &l);

	if (l.refusal == HT_TRIM_NONE &&
	    !(whole && is_outermost(in->reader, l.pc)))
		l.refusal = HT_TRIM_UNWINDING;
	if (l.refusal != HT_TRIM_NONE)
		snprintf(why, size, "thread %d is %s (0x%" PRIx64 ")",
			 (int)h->tid, where(l.refusal), l.pc);
	return l.refusal;
}
