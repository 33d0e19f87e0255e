/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/bpf.h"

#define RETURN 1 /* of its format: retprobe is config's bit 0 */

int ht_perf_open(const struct ht_perf_event *e, int ret[2])
{
	struct perf_event_attr a = {.type = e->type,
				    .size = sizeof(a),
				    .config = RETURN,
				    .uprobe_path = (uintptr_t)e->path,
				    .probe_offset = e->offset};

	if (e->type == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	ret[0] = (int)syscall(SYS_perf_event_open, &a, e->pid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);
	if (ret[0] < 0)
		return -1;
	ret[1] = ht_bpf_event(e->program, ret[0], e->cookie);
	if (ret[1] < 0) {
		int number = errno;

		close(ret[0]);
		errno = number;
		return -1;
	}
	return 0;
}
