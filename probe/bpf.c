/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/bpf.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINK_CREATE 28
#define PERF_EVENT  41 /* BPF_PERF_EVENT */

/* union bpf_attr, the beginnings that are used; the kernel takes the rest for
 * zero. */
struct map_attr {
	uint32_t type, key, value, entries, flags;
};

struct program_attr {
	uint32_t type, insns_n;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log;
	uint32_t version, flags;
	char name[16];
	uint32_t ifindex, attach;
};

struct link_attr {
	uint32_t program, target, attach, flags;
	uint64_t path, offsets, counters, cookies;
	uint32_t n, multi_flags, pid, reserved;
};

struct event_attr {
	uint32_t program, event, attach, flags;
	uint64_t cookie;
};

static int bpf(unsigned command, const void *attr, size_t size)
{
	return (int)syscall(SYS_bpf, command, attr, size);
}

int ht_bpf_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries,
	       uint32_t flags)
{
	const struct map_attr a = {type, key, value, entries, flags};

	return bpf(BPF_MAP_CREATE, &a, sizeof(a));
}

int ht_bpf_program(const struct bpf_insn *insn, size_t n, uint32_t attach,
		   char *log, size_t log_size)
{
	struct program_attr a = {.type = BPF_PROG_TYPE_KPROBE,
				 .insns_n = (uint32_t)n,
				 .insns = (uintptr_t)insn,
				 .license = (uintptr_t) "GPL",
				 .log_level = log ? 1 : 0,
				 .log_size = log ? (uint32_t)log_size : 0,
				 .log = (uintptr_t)log,
				 .name = "heaptide",
				 .attach = attach};

	return bpf(BPF_PROG_LOAD, &a, sizeof(a));
}

int ht_bpf_link(const struct ht_bpf_link *l)
{
	const struct link_attr a = {.program = (uint32_t)l->program,
				    .attach = l->attach,
				    .path = (uintptr_t)l->path,
				    .offsets = (uintptr_t)l->offsets,
				    .cookies = (uintptr_t)l->cookies,
				    .n = (uint32_t)l->n,
				    .multi_flags = l->flags,
				    .pid = (uint32_t)l->pid};

	/* Without its last word: as long as the kernel's own in 6.6. */
	return bpf(LINK_CREATE, &a, offsetof(struct link_attr, reserved));
}

int ht_bpf_event(int program, int event, uint64_t cookie)
{
	const struct event_attr a = {.program = (uint32_t)program,
				     .event = (uint32_t)event,
				     .attach = PERF_EVENT,
				     .cookie = cookie};

	return bpf(LINK_CREATE, &a, sizeof(a));
}
