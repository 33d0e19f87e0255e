/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known: a structure by its name, in a program that has one of them, for who
 * asks what holds what.
 */
#ifndef HT_TESTS_TARGETS_LABELLED_KNOWN_H
#define HT_TESTS_TARGETS_LABELLED_KNOWN_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct known {
	const char *name;
	void (*build)(void);
};

/* Below the stack nothing leads to it any more. */
static __attribute__((noinline)) void wipe(void)
{
	volatile char room[65536];

	memset((char *)room, 0, sizeof(room));
}

/* Builds the one that has this name, says "ready" and stays. */
static __attribute__((noreturn)) void build_and_stay(const struct known *v,
						     size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (name && strcmp(v[i].name, name) == 0)
			v[i].build();
	wipe();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

#endif
