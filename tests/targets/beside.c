/* SPDX-License-Identifier: Apache-2.0 */
/* A program of glibc's malloc that has another allocator beside it, loaded at
 * run time: beside mimalloc | tcmalloc | own. It holds 64 MiB of the
 * other's in blocks of 100 to 1,000 bytes, then prints "ready". */
#include <dlfcn.h>
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

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	void *(*get)(size_t) = own;
	void *found = function_of(name), *mine = malloc(1000);
	unsigned seed = 1;

	if (strcmp(name, "own") != 0) {
		if (!found) {
			fprintf(stderr, "no %s: %s\n", name, dlerror());
			return 1;
		}
		memcpy(&get, &found, sizeof(get));
	}
	for (size_t all = 0; all < ALL;) {
		size_t size = 100 + (size_t)rand_r(&seed) % 900;
		void *p = get(size);

		if (!p)
			return 1;
		memset(p, 1, size);
		all += size;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
	return mine ? 0 : 1;
}
