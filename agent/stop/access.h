/* SPDX-License-Identifier: Apache-2.0 */
/* Access: why a process cannot be measured, in words a person can act on. */
#ifndef HT_AGENT_STOP_ACCESS_H
#define HT_AGENT_STOP_ACCESS_H

#include <sys/types.h>

#include "agent/memory/proc_texts.h"
#include "common/err.h"

/* Before anything else: HT_GONE (no such process, zombie), HT_UNSUPPORTED
 * (kernel thread), HT_DENIED why. HT_OK: nothing against it. */
enum ht_code ht_access_check(pid_t pid, struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_access_check_by(struct ht_proc_texts *t,
				struct ht_err *err) HT_MUST_CHECK;
/* The same before any thread is seized: HT_TRACED by whom, and HT_REFUSED where
 * none would stop (frozen.h), besides. Who only reads needs no tracer's place.
 */
enum ht_code ht_access_check_stop(pid_t pid, struct ht_err *err) HT_MUST_CHECK;

/* What the kernel's refusal (errno of PTRACE_SEIZE or of an open in /proc/PID)
 * means. tid: the thread or process. Never HT_OK. */
enum ht_code ht_access_explain(pid_t tid, int os_errno,
			       struct ht_err *err) HT_MUST_CHECK;

/* Whether it can be told which threads sleep, and in what. HT_DENIED: no; then
 * none may be stopped, for a system call of theirs might notice. */
enum ht_code ht_access_check_naps(pid_t pid, struct ht_err *err) HT_MUST_CHECK;

/* Why the file /proc/PID/NAME could not be opened (errno), in a sentence's
 * words that also say what would mend it: by its owner and mode, or because
 * the process may not be looked at at all. */
void ht_access_why_file(pid_t pid, const char *name, int os_errno, char *buf,
			size_t size);

#endif
