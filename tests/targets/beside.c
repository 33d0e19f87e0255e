/* SPDX-License-Identifier: Apache-2.0 */
/* A program of glibc's malloc that has another allocator beside it, loaded at
 * run time: beside mimalloc | tcmalloc | jemalloc | own [grow]. It holds 64 MiB
 * of the other's in blocks of 100 to 1,000 bytes, then prints "ready", and
 * takes some 2.5 MiB a second more when it is to grow. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALL (64u << 20)

/* An allocator that nobody knows: a mapping, aligned and round. */
static void *own(size_t size)
{
	static unsigned char *at;

	if (!at) {
		unsigned char *p = mmap(NULL, 2 * ALL, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return NULL;
		at = p;
	}
	at += size;
	return at - size;
}

static const struct {
	const char *name, *files[3], *function;
} others[] = {
	{"mimalloc",
	 {"libmimalloc.so.2.0", "libmimalloc.so.2", "libmimalloc.so.3"},
	 "mi_malloc"},
	{"tcmalloc", {"libtcmalloc_minimal.so.4"}, "tc_malloc"},
	{"jemalloc", {"libjemalloc.so.2"}, "malloc"},
};

static void *function_of(const char *name)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		void *library = NULL;

		if (strcmp(others[i].name, name) != 0)
			continue;
		for (size_t k = 0; k < 3 && !library && others[i].files[k]; k++)
			library = dlopen(others[i].files[k],
					 RTLD_NOW | RTLD_LOCAL);
		return library ? dlsym(library, others[i].function) : NULL;
	}
	return NULL;
}

static bool take(void *(*get)(size_t), size_t bytes)
{
	static unsigned seed = 1;

	for (size_t all = 0; all < bytes;) {
		size_t size = 100 + (size_t)rand_r(&seed) % 900;
		void *p = get(size);

		if (!p)
			return false;
		memset(p, 1, size);
		all += size;
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	void *(*get)(size_t) = own;
	void *found = function_of(name), *mine = malloc(1000);

	if (strcmp(name, "own") != 0) {
		if (!found) {
			fprintf(stderr, "no %s: %s\n", name, dlerror());
			return 1;
		}
		memcpy(&get, &found, sizeof(get));
	}
	if (!take(get, ALL))
		return 1;
	puts("ready");
	fflush(stdout);
	while (argc > 2) {
		if (!take(get, 50000))
			return 1;
		usleep(20000);
	}
	for (;;)
		pause();
	return mine ? 0 : 1;
}
