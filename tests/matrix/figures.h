/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures: what a program's own malloc says of itself, written as the check
 * (check.c) reads it: malloc_info(3), mallinfo(3), the version. Each program
 * adds what it knows must lie in its threads' caches, and ends with "end".
 */
#ifndef HT_MATRIX_FIGURES_H
#define HT_MATRIX_FIGURES_H

#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* 2.33 has it; older libcs do not. */
extern struct mallinfo2 mallinfo2(void) __attribute__((weak));

static unsigned minor_version(void)
{
	return (unsigned)atoi(gnu_get_libc_version() + 2);
}

static void print_figures(FILE *out)
{
	struct mallinfo m;

	malloc_info(0, out);
	m = mallinfo();
	if (mallinfo2) {
		struct mallinfo2 n = mallinfo2();

		fprintf(out, "mallinfo %zu %zu %zu %zu %zu %zu %zu %zu\n",
			n.arena, n.ordblks, n.smblks, n.fsmblks, n.hblks,
			n.hblkhd, n.uordblks, n.fordblks);
		fprintf(out, "keepcost %zu\n", n.keepcost);
	} else {
		fprintf(out, "mallinfo %d %d %d %d %d %d %d %d\n", m.arena,
			m.ordblks, m.smblks, m.fsmblks, m.hblks, m.hblkhd,
			m.uordblks, m.fordblks);
		fprintf(out, "keepcost %d\n", m.keepcost);
	}
	fprintf(out, "version %u\n", minor_version());
}

#endif
