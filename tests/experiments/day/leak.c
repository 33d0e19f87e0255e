/* SPDX-License-Identifier: Apache-2.0 */
/* leak.so, preloaded: whatever a program reads from a socket costs it
 * LEAK_BYTES that nobody frees: a leak for each request, planted in services as
 * they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void leak(int fd, ssize_t got)
{
	static size_t bytes;
	struct stat st;
	volatile char *lost;

	if (bytes == 0) {
		const char *text = getenv("LEAK_BYTES");

		bytes = text ? strtoul(text, NULL, 10) : 200;
	}
	if (got <= 0 || fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	lost = malloc(bytes);
	for (size_t i = 0; lost && i < bytes; i++)
		lost[i] = 1;
}

ssize_t read(int fd, void *to, size_t n)
{
	static ssize_t (*next)(int, void *, size_t);
	ssize_t got;

	if (!next)
		next = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT,
							      "read");
	got = next(fd, to, n);
	leak(fd, got);
	return got;
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
	static ssize_t (*next)(int, void *, size_t, int);
	ssize_t got;

	if (!next)
		next = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT,
								   "recv");
	got = next(fd, to, n, flags);
	leak(fd, got);
	return got;
}
