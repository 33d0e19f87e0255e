/* SPDX-License-Identifier: Apache-2.0 */
/* leader_ended [userfault]: main() ends by pthread_exit() while a thread goes
 * on, with 1000 chunks of which all but the last are freed. Prints "ready" when
 * the leader is a zombie. userfault: with a page under userfaultfd. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNKS 1000
#define PAGE   4096

static void *chunk[CHUNKS];

static int take_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	range.range.start = (uintptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.len = PAGE;
	return fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
	       ioctl(fd, UFFDIO_REGISTER, &range) < 0;
}

static void *stay(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	for (int i = 0; i < CHUNKS; i++)
		chunk[i] = malloc(3000);
	for (int i = 0; i < CHUNKS - 1; i++)
		free(chunk[i]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	static pthread_t leader;
	pthread_t thread;

	if (argc > 1 && strcmp(argv[1], "userfault") == 0 && take_faults()) {
		puts("no userfaultfd");
		return 1;
	}
	leader = pthread_self();
	if (pthread_create(&thread, NULL, stay, &leader) != 0)
		return 1;
	pthread_exit(NULL);
}
