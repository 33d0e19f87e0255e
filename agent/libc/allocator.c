/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/allocator.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const names[HT_ALLOCATOR_COUNT] = {
#define HT_ALLOCATOR_NAME(id, name) [HT_ALLOCATOR_##id] = name,
	HT_ALLOCATORS(HT_ALLOCATOR_NAME)
#undef HT_ALLOCATOR_NAME
};

const char *ht_allocator_name(uint32_t allocator)
{
	return allocator < HT_ALLOCATOR_COUNT ? names[allocator] : "unknown";
}

/* Symbols that belong to the interface of one allocator alone. __libc_malloc
 * is not among them: tcmalloc and mimalloc define it too. */
static const struct {
	const char *symbol;
	enum ht_allocator allocator;
} symbols[] = {
	{"mallctlbymib", HT_ALLOCATOR_JEMALLOC},
	{"MallocExtension_ReleaseFreeMemory", HT_ALLOCATOR_TCMALLOC},
	{"TCMalloc_SystemTaken", HT_ALLOCATOR_TCMALLOC},
	{"tc_malloc", HT_ALLOCATOR_TCMALLOC},
	{"mi_malloc", HT_ALLOCATOR_MIMALLOC},
	{"mi_heap_get_default", HT_ALLOCATOR_MIMALLOC},
	{"__scudo_default_options", HT_ALLOCATOR_SCUDO},
	{"__scudo_print_stats", HT_ALLOCATOR_SCUDO},
	{"__asan_init", HT_ALLOCATOR_ASAN},
	{"__tsan_init", HT_ALLOCATOR_TSAN},
	{"__msan_init", HT_ALLOCATOR_MSAN},
	{"JNI_CreateJavaVM", HT_ALLOCATOR_JVM},
	/* musl, linked statically: mallocng (1.2.1+), oldmalloc. */
	{"__libc_malloc_impl", HT_ALLOCATOR_MUSL},
	{"__expand_heap", HT_ALLOCATOR_MUSL},
};

enum ht_allocator ht_allocator_of_symbol(const char *name)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (strcmp(symbols[i].symbol, name) == 0)
			return symbols[i].allocator;
	return HT_ALLOCATOR_UNKNOWN;
}

/* Texts that stay in a stripped program that has an allocator linked in. */
static const struct {
	const char *text;
	enum ht_allocator allocator;
} texts[] = {
	{"<jemalloc>: ", HT_ALLOCATOR_JEMALLOC},
	{"mimalloc: ", HT_ALLOCATOR_MIMALLOC},
	{"TCMALLOC_", HT_ALLOCATOR_TCMALLOC},
	{"musl libc", HT_ALLOCATOR_MUSL},
	{"\xff Go buildinf:", HT_ALLOCATOR_GO},
	{"Scudo ERROR", HT_ALLOCATOR_SCUDO},
};

enum ht_allocator ht_allocator_of_text(const void *data, size_t len)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (memmem(data, len, texts[i].text, strlen(texts[i].text)))
			return texts[i].allocator;
	return HT_ALLOCATOR_UNKNOWN;
}

/* Copies digits and dots ("5.3.0"): at least one dot between digits. */
static void copy_version(const char *s, const char *end, char *out,
			 size_t out_len)
{
	size_t n = 0;
	bool dot = false;

	while (s + n < end && n + 1 < out_len &&
	       (isdigit((unsigned char)s[n]) || (s[n] == '.' && n > 0))) {
		dot |= s[n] == '.';
		n++;
	}
	if (dot)
		snprintf(out, out_len, "%.*s", (int)n, s);
}

/* A text of its own "5.3.0-0-g<hash>": jemalloc's way to say its version. */
static void version_with_hash(const char *s, const char *end, char *out,
			      size_t out_len)
{
	const char *p = s;

	while ((p = memmem(p, (size_t)(end - p), "-g", 2))) {
		const char *from = p;

		while (from > s && from[-1] != 0 && p - from < 24)
			from--;
		copy_version(from, p, out, out_len);
		if (out[0])
			return;
		p += 2;
	}
}

/* A text that is a version and nothing else ("1.2.3"): musl's. */
static void version_alone(const char *s, const char *end, char *out,
			  size_t out_len)
{
	for (const char *p = s; p < end; p++) {
		const char *stop;

		if (*p != 0 || end - p < 7)
			continue;
		stop = memchr(p + 1, 0, 10);
		if (!stop || stop - p < 6)
			continue;
		copy_version(p + 1, stop, out, out_len);
		if (out[0] && strlen(out) == (size_t)(stop - p - 1))
			return;
		out[0] = 0;
	}
}

static void version_behind(const char *s, const char *end, const char *text,
			   char *out, size_t out_len)
{
	const char *p = memmem(s, (size_t)(end - s), text, strlen(text));

	if (p)
		copy_version(p + strlen(text), end, out, out_len);
}

void ht_allocator_version(enum ht_allocator a, const void *data, size_t len,
			  char *out, size_t out_len)
{
	const char *s = data, *end = s + len;

	out[0] = 0;
	if (a == HT_ALLOCATOR_JEMALLOC)
		version_with_hash(s, end, out, out_len);
	else if (a == HT_ALLOCATOR_TCMALLOC)
		version_behind(s, end, "gperftools ", out, out_len);
	else if (a == HT_ALLOCATOR_JVM) /* "... JRE (17.0.15+6), built on" */
		version_behind(s, end, " JRE (", out, out_len);
	else if (a == HT_ALLOCATOR_MUSL)
		version_alone(s, end, out, out_len);
}
