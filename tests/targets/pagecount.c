/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pagecount PID: what the page tables of a process say, page by page:
 *   present N file N swapped N
 * present: anonymous memory, the kernel's shared zero page included, so that a
 * read which only maps that one is seen, too. The counters in status lag, and
 * leave it out.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE	4096u
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define ENTRIES 4096u

static uint64_t present[2], swapped;

static void count(int fd, uint64_t start, uint64_t end, int of_file)
{
	static uint64_t entry[ENTRIES];

	while (start < end) {
		uint64_t n = (end - start) / PAGE;
		ssize_t got;

		n = n < ENTRIES ? n : ENTRIES;
		got = pread(fd, entry, n * sizeof(*entry),
			    (off_t)(start / PAGE * sizeof(*entry)));
		if (got <= 0)
			return; /* [vsyscall] */
		for (size_t i = 0; i < (size_t)got / sizeof(*entry); i++) {
			present[of_file] += (entry[i] & PRESENT) != 0;
			swapped += (entry[i] & SWAPPED) != 0;
		}
		start += (uint64_t)got / sizeof(*entry) * PAGE;
	}
}

int main(int argc, char **argv)
{
	char path[64], line[4096];
	FILE *maps;
	int fd;

	if (argc != 2)
		return 2;
	snprintf(path, sizeof(path), "/proc/%s/maps", argv[1]);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%s/pagemap", argv[1]);
	fd = open(path, O_RDONLY);
	if (!maps || fd < 0)
		return 1;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;

		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end,
			   &inode) == 3)
			count(fd, start, end, inode != 0);
	}
	printf("present %lu file %lu swapped %lu\n", (unsigned long)present[0],
	       (unsigned long)present[1], (unsigned long)swapped);
	return 0;
}
