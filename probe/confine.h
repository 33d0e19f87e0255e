/* SPDX-License-Identifier: Apache-2.0 */
/* Confine: what the probe may still do from its start on. */
#ifndef HT_PROBE_CONFINE_H
#define HT_PROBE_CONFINE_H

#include <stdint.h>

#include "common/err.h"

/* Dies with its parent; of all capabilities CAP_BPF and CAP_PERFMON, and until
 * it is settled CAP_SYS_ADMIN and CAP_SYS_PTRACE, and no other to be had; a
 * seccomp filter that knows bpf(2), events of perf, memory that is never
 * executable, the socket and sleeping. No file is opened, no process reached.
 */
enum ht_code ht_confine(struct ht_err *err) HT_MUST_CHECK;
/* By which way it is (enum ht_probe_way): for events of uprobes kernels want
 * CAP_SYS_ADMIN, to see page faults of a process of other rights
 * CAP_SYS_PTRACE, and not CAP_BPF; what is not wanted is dropped for good. */
enum ht_code ht_confine_settle(uint32_t way, struct ht_err *err) HT_MUST_CHECK;

#endif
