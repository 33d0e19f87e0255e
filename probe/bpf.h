/* SPDX-License-Identifier: Apache-2.0 */
/* Bpf: the commands of bpf(2) that are used, as numbers and structs of
 * ours: the headers of the oldest system that heaptide is built on know of none
 * of the newer. All return a descriptor, or -1 with errno. */
#ifndef HT_PROBE_BPF_H
#define HT_PROBE_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int ht_bpf_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries,
	       uint32_t flags);
/* log: what the verifier says where it refuses. */
int ht_bpf_program(const struct bpf_insn *insn, size_t n, uint32_t attach,
		   char *log, size_t log_size);

struct ht_bpf_link {
	int program;
	uint32_t attach, flags; /* BPF_TRACE_..., BPF_F_UPROBE_MULTI_... */
	const char *path;
	const uint64_t *offsets, *cookies;
	size_t n;
	pid_t pid;
};
int ht_bpf_link(const struct ht_bpf_link *l);
/* The program runs at each event of an open one of perf (Linux 5.15). */
int ht_bpf_event(int program, int event, uint64_t cookie);

#define HT_BPF_UPROBE_MULTI   48u /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */
#define HT_BPF_UPROBE_SESSION 57u /* BPF_TRACE_UPROBE_SESSION, Linux 6.13 */
#define HT_BPF_RETURN	      1u  /* BPF_F_UPROBE_MULTI_RETURN */
#define HT_BPF_MAP_RING	      27u /* BPF_MAP_TYPE_RINGBUF, Linux 5.8 */

#endif
