/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hanging [BLOCKS]: one page amid its heap is not there, and whoever reads it
 * waits for an answer that never comes (userfaultfd). A thread counts for ever;
 * "count" on its input prints how far it came, SIGUSR1 prints "signal". Prints
 * "ready".
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCKS 1000
#define BLOCK  1000
#define PAGE   4096

static volatile uint64_t counted;

static void *count(void *arg)
{
	(void)arg;
	for (;;)
		counted++;
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
	if (write(STDOUT_FILENO, "signal\n", 7) < 0)
		_exit(1);
}

static void take_away(void *page)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register missing = {
		.range = {(uintptr_t)page, PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &missing) < 0 ||
	    madvise(page, PAGE, MADV_DONTNEED) < 0) {
		perror("userfaultfd");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	size_t blocks = argc > 1 ? (size_t)atol(argv[1]) : BLOCKS;
	void **block =
		mmap(NULL, blocks * sizeof(*block), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct sigaction act = {.sa_handler = on_signal,
				      .sa_flags = SA_RESTART};
	pthread_t thread;
	char line[64];

	if (block == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IONBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	sigaction(SIGUSR1, &act, NULL);
	for (size_t i = 0; i < blocks; i++) {
		block[i] = malloc(BLOCK);
		if (block[i])
			memset(block[i], 1, BLOCK);
	}
	if (pthread_create(&thread, NULL, count, NULL) != 0)
		return 1;
	take_away((void *)(((uintptr_t)block[blocks / 2] + PAGE) &
			   ~(uintptr_t)(PAGE - 1)));
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		printf("%llu\n", (unsigned long long)counted);
	return 0;
}
