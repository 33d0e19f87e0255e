/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop/listen.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/file.h"

#define BACKLOG		64
#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
#define SOCKET_FLAGS	(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static bool somebody_listens(const struct sockaddr_un *at)
{
	HT_AUTO_FD int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);

	return fd >= 0 &&
	       connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
}

static enum ht_code set_group(const char *path, const char *group,
			      struct ht_err *err)
{
	const struct group *g;

	if (!group || !*group)
		return HT_OK;
	g = getgrnam(group);
	if (!g) /* then only our own user may connect */
		return HT_OK;
	if (chown(path, (uid_t)-1, g->gr_gid) < 0 && errno != EPERM)
		return ht_fail_sys(err, HT_SYS, errno, "give %s to group %s",
				   path, group);
	return HT_OK;
}

/* A socket that nobody listens on is one that a daemon left behind. Whatever
 * else lies there is somebody's. */
static enum ht_code clear_way(const char *path, struct ht_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return HT_OK;
	if (!S_ISSOCK(st.st_mode))
		return ht_fail(
			err, HT_CONFIG,
			"%s is %s, not a socket: it stays, name another path",
			path,
			S_ISLNK(st.st_mode) ? "a symbolic link"
					    : ht_file_kind(st.st_mode));
	if (unlink(path) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "remove the old %s",
				   path);
	return HT_OK;
}

void ht_listen_end(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
}

enum ht_code ht_listen_unix(const char *path, mode_t mode, const char *group,
			    int *ret, struct ht_err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	HT_AUTO_FD int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	mode_t mask;
	int bound;
	enum ht_code code;

	if (fd < 0)
		return ht_fail_sys(err, HT_SYS, errno, "make a socket");
	if (strlen(path) >= sizeof(at.sun_path))
		return ht_fail(err, HT_CONFIG, "socket path too long: %s",
			       path);
	strcpy(at.sun_path, path);
	if (somebody_listens(&at))
		return ht_fail(
			err, HT_CONFIG,
			"another program listens on %s: is heaptided running already?",
			path);
	code = clear_way(path, err);
	if (code != HT_OK)
		return code;
	mask = umask(0777 & ~mode); /* no moment at which others may connect */
	bound = bind(fd, (struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (bound < 0 || listen(fd, BACKLOG) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "listen on %s", path);
	if (set_group(path, group, err) != HT_OK)
		return HT_SYS;
	*ret = ht_take_fd(&fd);
	return HT_OK;
}

static int listen_on(const struct addrinfo *a)
{
	HT_AUTO_FD int fd = socket(a->ai_family, SOCKET_FLAGS, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return ht_take_fd(&fd);
}

/* *ret: to be freed by freeaddrinfo(). */
static enum ht_code resolve(const char *address, struct addrinfo **ret,
			    struct ht_err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICHOST |
						   AI_NUMERICSERV};
	char host[128];
	const char *colon = strrchr(address, ':');
	size_t n;
	int bad;

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		return ht_fail(err, HT_CONFIG,
			       "'%s' is no ADDRESS:PORT, as 127.0.0.1:9748",
			       address);
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)n - 2, address + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)n, address);
	bad = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, ret);
	if (bad)
		return ht_fail(err, HT_CONFIG, "address '%s': %s", address,
			       gai_strerror(bad));
	return HT_OK;
}

enum ht_code ht_listen_check(const char *where, struct ht_err *err)
{
	struct addrinfo *found = NULL;
	enum ht_code code;

	if (strcmp(where, "none") == 0)
		return HT_OK;
	if (strncmp(where, "unix:", 5) == 0) {
		if (where[5] == '/' && strlen(where + 5) < SOCKET_PATH_MAX)
			return HT_OK;
		return ht_fail(err, HT_CONFIG,
			       "'%s' is no unix:/PATH of less than %zu bytes",
			       where, SOCKET_PATH_MAX);
	}
	code = resolve(where, &found, err);
	if (code == HT_OK)
		freeaddrinfo(found);
	return code;
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)
				     ->sin_addr.s_addr) >>
			       24 ==
		       IN_LOOPBACKNET;
	return a->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(
		       &((const struct sockaddr_in6 *)(const void *)a)
				->sin6_addr);
}

bool ht_listen_is_local(const char *where)
{
	struct addrinfo *found = NULL;
	bool local = true;

	if (strncmp(where, "unix:", 5) == 0)
		return true;
	if (resolve(where, &found, NULL) != HT_OK)
		return false;
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		local &= is_loopback(a->ai_addr);
	freeaddrinfo(found);
	return local;
}

enum ht_code ht_listen_tcp(const char *address, int *ret, struct ht_err *err)
{
	struct addrinfo *found = NULL;
	enum ht_code code = resolve(address, &found, err);
	int fd;

	if (code != HT_OK)
		return code;
	fd = listen_on(found);
	freeaddrinfo(found);
	if (fd < 0)
		return ht_fail_sys(err, HT_SYS, errno, "listen on %s", address);
	*ret = fd;
	return HT_OK;
}
