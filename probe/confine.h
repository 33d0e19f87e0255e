/* SPDX-License-Identifier: Apache-2.0 */
/* Confine: what the probe may still do from its start on. */
#ifndef HT_PROBE_CONFINE_H
#define HT_PROBE_CONFINE_H

#include <stdbool.h>

#include "common/err.h"

/* Dies with its parent; of all capabilities CAP_BPF and CAP_PERFMON, and until
 * it is settled CAP_SYS_ADMIN, and no other to be had; a seccomp filter that
 * knows bpf(2), events of perf, memory that is never executable, the socket and
 * sleeping. No file is opened, no process reached. */
enum ht_code ht_confine(struct ht_err *err) HT_MUST_CHECK;
/* Whether events of perf are to be had, for which kernels want CAP_SYS_ADMIN;
 * if not it is dropped for good. */
enum ht_code ht_confine_settle(bool events, struct ht_err *err) HT_MUST_CHECK;

#endif
