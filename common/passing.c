/* SPDX-License-Identifier: Apache-2.0 */
#include "common/passing.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(HT_PASSED_MAX * sizeof(int))];
};

bool ht_pass_send(int socket, const void *message, size_t size, const int *fds,
		  size_t n)
{
	union control control = {0};
	struct iovec io = {(void *)(uintptr_t)message, size};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (n > HT_PASSED_MAX) {
		errno = EINVAL;
		return false;
	}
	if (n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)size;
}

/* All that came, whether it is wanted or not. */
static size_t unpack(struct msghdr *m, int fds[HT_PASSED_MAX])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n = 0;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len < CMSG_LEN(0))
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (n > HT_PASSED_MAX)
		n = HT_PASSED_MAX;
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return n;
}

bool ht_pass_receive(int socket, int flags, void *message, size_t size,
		     int *fds, size_t max, size_t *ret_n)
{
	union control control = {0};
	struct iovec io = {message, size};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	int came[HT_PASSED_MAX];
	ssize_t got;
	size_t n;

	*ret_n = 0;
	do
		got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return false;
	n = unpack(&m, came);
	if (got == (ssize_t)size && n <= max &&
	    !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		memcpy(fds, came, n * sizeof(int));
		*ret_n = n;
		return true;
	}
	while (n > 0)
		close(came[--n]);
	return false;
}
