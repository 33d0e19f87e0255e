/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headless KIND: two chunks with a mapping each (4 and 6 MiB), and the page
 * where the header of the first lies is
 *   there     as it was
 *   refused   under PROT_NONE
 *   given     given back: it reads as zeros
 *   unmapped  no more
 *   withheld  absent, and under userfaultfd
 * Prints "ready", ends with its input.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE  ((size_t)4096)
#define FIRST ((size_t)4 << 20)
#define NEXT  ((size_t)6 << 20)

static int withhold(char *page)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register r = {.range = {(uintptr_t)page, PAGE},
				    .mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	       ioctl(fd, UFFDIO_REGISTER, &r) ||
	       madvise(page, PAGE, MADV_DONTNEED);
}

static int behead(const char *kind, char *page)
{
	if (strcmp(kind, "refused") == 0)
		return mprotect(page, PAGE, PROT_NONE);
	if (strcmp(kind, "given") == 0)
		return madvise(page, PAGE, MADV_DONTNEED);
	if (strcmp(kind, "unmapped") == 0)
		return munmap(page, PAGE);
	if (strcmp(kind, "withheld") == 0)
		return withhold(page);
	return strcmp(kind, "there");
}

int main(int argc, char **argv)
{
	char *first = malloc(FIRST), *next = malloc(NEXT), c;

	if (argc != 2 || !first || !next)
		return 2;
	memset(first, 1, FIRST);
	memset(next, 2, NEXT);
	if (behead(argv[1], first - ((uintptr_t)first & (PAGE - 1))))
		return 1;
	return write(1, "ready\n", 6) == 6 && read(0, &c, 1) >= 0;
}
