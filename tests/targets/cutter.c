/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One large free chunk in a bin. For "cut" half of it is taken, so that the
 * rest of it goes to the unsorted list; for "mend" it is as before. Each is
 * answered with its own line; "ready" at first.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHOLE 100000u
#define HALF  50000u

/* Into its bin: by a request that is larger. */
static void sort(void)
{
	void *larger = malloc(2u * WHOLE);

	if (!larger)
		abort();
	free(larger);
}

static void say(const char *line)
{
	if (write(1, line, strlen(line)) < 0)
		_exit(1);
}

int main(void)
{
	static char line[64];
	void *whole, *guard, *half = NULL;
	ssize_t n;

	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	whole = malloc(WHOLE);
	guard = malloc(64);
	if (!whole || !guard)
		return 1;
	memset(whole, 1, WHOLE);
	free(whole);
	sort();
	say("ready\n");
	while ((n = read(0, line, sizeof(line))) > 0) {
		if (line[0] == 'c') {
			half = malloc(HALF);
			say("cut\n");
		} else {
			free(half);
			sort();
			say("mend\n");
		}
	}
	return (int)(uintptr_t)guard & 0;
}
