/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the layout role: it answers requests until its socket ends. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/libc/facts_read.h"
#include "agent/libc/layout_role.h"
#include "agent/libc/layout_role_int.h"
#include "common/cleanup.h"

/* Files are mapped, and large ones are; what is unpacked from them is not:
 * the largest debug file of a libc unpacks to some 60 MiB. */
static const struct ht_role_bounds bounds = {
	.memory = UINT64_C(1) << 30,
	.unpacked = UINT64_C(256) << 20,
	.processor_s = 10,
};

int ht_layout_role_main(void)
{
	HT_AUTO_FREE struct ht_role_answer *a = calloc(1, sizeof(*a));
	struct ht_role_request q = {0};
	int fds[HT_ROLE_FDS];

	if (!a || !ht_role_lock_up(&bounds))
		return 1;
	while (ht_role_receive(HT_ROLE_SOCKET, &q, sizeof(q), fds)) {
		memset(a, 0, sizeof(*a));
		a->code = ht_facts_read(fds[0], fds[1], q.want, &a->facts,
					&a->err);
		close(fds[0]);
		if (fds[1] >= 0)
			close(fds[1]);
		if (send(HT_ROLE_SOCKET, a, sizeof(*a), MSG_NOSIGNAL) < 0)
			return 1;
	}
	return 0;
}
