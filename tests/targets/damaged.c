/* SPDX-License-Identifier: Apache-2.0 */
/*
 * damaged KIND MEGABYTES: a heap of so many megabytes in a second thread's
 * arena, chunks in every kind of list, three mmapped chunks; then one word of
 * it is written over, as KIND says (rows below). All threads sleep. Prints
 * "ready 0xADDRESS", what was damaged, and ends with its input.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAP_MAX ((uintptr_t)64 << 20)
#define BLOCK	 50000
#define WILD	 0x4141414141414140
#define WORDS(p) ((uintptr_t *)known_to_nobody(p))

static const char *kind;
static size_t megabytes;

/* What the thread's heap consists of. User pointers; those of free chunks too.
 */
static struct {
	char *used, *amid;	   /* small ones in use, in the midst of it */
	char *cached[3];	   /* of one list; the last is its first */
	char *fast[3];		   /* of one fastbin; the last is its first */
	char *unsorted[2];	   /* the last is the first */
	char *small[2], *large[3]; /* of one bin each */
	char *mapped, *aligned;	   /* mmapped chunks */
	char *last;		   /* the youngest block */
	char *first;		   /* the oldest: thread cache before it */
	char *of_main;		   /* in use in the main arena */
} has;

/* What is written there is not what the compiler knows of. */
static void *known_to_nobody(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

/* Nothing may be merged into anything: a small one behind each. */
static char *block(size_t size)
{
	char *p = malloc(size);

	if (!p || !malloc(24))
		abort();
	memset(p, 1, size);
	return p;
}

static void fill(size_t bytes)
{
	for (size_t i = 0; i < bytes; i += BLOCK)
		has.last = block(BLOCK);
}

/* Seven of each size are kept by the cache; what comes behind is not. */
static void fill_cache(size_t size)
{
	char *p[7];

	for (int i = 0; i < 7; i++)
		p[i] = block(size);
	for (int i = 0; i < 7; i++)
		free(p[i]);
}

/* Freed in this order: a large malloc() sorts the unsorted ones, and empties
 * the fastbins; after it nothing is taken. */
static void free_all(char *sorter)
{
	for (int i = 0; i < 3; i++)
		free(has.large[i]);
	free(has.small[0]);
	free(has.small[1]);
	free(realloc(sorter, 90000));
	for (int i = 0; i < 3; i++) {
		free(has.cached[i]);
		free(has.fast[i]);
	}
	free(has.unsorted[0]);
	free(has.unsorted[1]);
}

static void make_lists(void)
{
	char *sorter;

	for (int i = 0; i < 3; i++) {
		has.cached[i] = block(40);
		has.fast[i] = block(72);
		has.large[i] = block(5000 + 16 * (size_t)i);
	}
	for (int i = 0; i < 2; i++) {
		has.small[i] = block(600);
		has.unsorted[i] = block(1800);
	}
	fill_cache(72);
	fill_cache(600);
	sorter = block(3000);
	free_all(sorter);
}

static void make(void)
{
	has.first = block(100);
	fill(megabytes << 19);
	has.used = block(200);
	has.amid = block(200);
	has.mapped = malloc(1 << 20);
	if (posix_memalign((void **)&has.aligned, 1 << 16, 3 << 20))
		abort();
	malloc(1 << 21);
	fill(megabytes << 19);
	make_lists();
}

/* --- what is where ------------------------------------------------------- */

static uintptr_t *chunk(char *user)
{
	return WORDS(user - 16);
}
static uintptr_t *heap_of(char *p)
{
	return WORDS(p - (uintptr_t)p % HEAP_MAX);
}

/* Of the thread's heaps only the oldest has an arena behind its header. */
static uintptr_t *arena(void)
{
	return WORDS((void *)heap_of(has.last)[0]);
}

/* Its words that lead to one of these addresses, the first. */
static uintptr_t *word_of(uintptr_t *from, size_t n, uintptr_t low,
			  uintptr_t high)
{
	for (size_t i = 0; i < n; i++)
		if (from[i] >= low && from[i] < high)
			return WORDS(&from[i]);
	fprintf(stderr, "damaged: %s: not found\n", kind);
	exit(1);
}

static uintptr_t *word_to(uintptr_t *from, size_t n, void *to)
{
	return word_of(from, n, (uintptr_t)to, (uintptr_t)to + 1);
}

static uintptr_t *top_word(void)
{
	/* behind lock, flags and fastbins: the first that leads behind all
	 * that was taken */
	return word_of(arena() + 11, 8, (uintptr_t)has.last + BLOCK,
		       (uintptr_t)has.last + HEAP_MAX);
}

/* libc's own data that is written to. */
static void libc_data(uintptr_t *low, uintptr_t *high)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], may[8];
	unsigned long start, end;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, may) == 3 &&
		    may[1] == 'w' && strstr(line, "libc.so")) {
			*low = start;
			*high = end;
		}
	if (maps)
		fclose(maps);
}

static uintptr_t heap_start(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0, at;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]") && sscanf(line, "%lx", &at) == 1)
			start = at;
	if (maps)
		fclose(maps);
	return start;
}

static uintptr_t *next_arena(void)
{
	uintptr_t low = 0, high = 0;

	libc_data(&low, &high);
	return word_of(arena() + 260, 20, low, high);
}

static uintptr_t *sbrk_base(void)
{
	uintptr_t low = 0, high = 0;

	libc_data(&low, &high);
	return word_to((uintptr_t *)low, (high - low) / 8,
		       (void *)heap_start());
}

/* --- damage: returns the address of what is wrong now -------------------- */

static uintptr_t put(uintptr_t *word, uintptr_t value, void *of)
{
	*word = value;
	known_to_nobody(NULL);
	return (uintptr_t)of;
}

static uintptr_t put_int(char *at, int value)
{
	memcpy(known_to_nobody(at), &value, sizeof(value));
	known_to_nobody(NULL);
	return (uintptr_t)at;
}

static uintptr_t mangled(char *at, uintptr_t to)
{
	return (uintptr_t)at >> 12 ^ to;
}

/* An aligned chunk that mremap() moved: what stands at the begin of its mapping
 * is what it was before. */
static void moved(void)
{
	has.aligned = realloc(has.aligned, 5 << 20);
}

#define SIZE(p)	     (chunk(p)[1])
#define SET(p, i, v) put(&chunk(p)[i], (v), chunk(p))
#define DAMAGE(name, body)                                                     \
	static uintptr_t name(void)                                            \
	{                                                                      \
		return body;                                                   \
	}

DAMAGE(size_zero, SET(has.used, 1, 0))
DAMAGE(size_huge, SET(has.used, 1, (uintptr_t)1 << 62))
DAMAGE(size_text, SET(has.used, 1, WILD))
DAMAGE(size_crooked, SET(has.used, 1, SIZE(has.used) | 8))
DAMAGE(size_less, SET(has.used, 1, SIZE(has.used) - 32))
DAMAGE(size_mmapped, SET(has.used, 1, SIZE(has.used) | 2))
DAMAGE(flag_arena, SET(has.used, 1, SIZE(has.used) ^ 4))
DAMAGE(flag_main, SET(has.of_main, 1, SIZE(has.of_main) ^ 4))
DAMAGE(prev_used, SET(has.amid, 1, SIZE(has.amid) & ~(uintptr_t)1))
DAMAGE(prev_free, put(&chunk(has.unsorted[0])[SIZE(has.unsorted[0]) / 8 + 1],
		      33 | 4, chunk(has.unsorted[0])))
DAMAGE(footer, put(&chunk(has.unsorted[0])[SIZE(has.unsorted[0]) / 8], 4096,
		   chunk(has.unsorted[0])))
DAMAGE(unsorted_loop,
       SET(has.unsorted[1], 2, (uintptr_t)chunk(has.unsorted[1])))
DAMAGE(unsorted_wild, SET(has.unsorted[1], 2, WILD))
DAMAGE(unsorted_back, SET(has.unsorted[0], 3, WILD))
DAMAGE(small_wild, SET(has.small[1], 2, WILD))
DAMAGE(small_back, SET(has.small[0], 3, WILD))
DAMAGE(small_used, SET(has.small[1], 2, (uintptr_t)chunk(has.used)))
DAMAGE(large_wild, SET(has.large[2], 2, WILD))
DAMAGE(large_back, SET(has.large[1], 3, WILD))
DAMAGE(large_next, SET(has.large[1], 4, WILD))
DAMAGE(large_next_back, SET(has.large[1], 5, (uintptr_t)chunk(has.used)))
DAMAGE(fast_loop,
       SET(has.fast[2], 2, mangled(has.fast[2], (uintptr_t)chunk(has.fast[2]))))
DAMAGE(fast_wild, SET(has.fast[1], 2, WILD))
DAMAGE(fast_size, SET(has.fast[1], 1, 97 | 4))
DAMAGE(fast_head, put(word_to(arena(), 12, chunk(has.fast[2])), WILD, arena()))
DAMAGE(cache_self,
       SET(has.cached[2], 2, mangled(has.cached[2], (uintptr_t)has.cached[2])))
DAMAGE(cache_wild, SET(has.cached[1], 2, WILD))
DAMAGE(cache_size, SET(has.cached[1], 1, 97 | 4))
DAMAGE(cache_key, SET(has.cached[1], 3, WILD))
DAMAGE(bin_head,
       put(word_to(arena() + 14, 4, chunk(has.unsorted[1])), WILD, arena()))
DAMAGE(top_size, put((uintptr_t *)*top_word() + 1, 1, (void *)*top_word()))
DAMAGE(top_huge,
       put((uintptr_t *)*top_word() + 1, ~(uintptr_t)6, (void *)*top_word()))
DAMAGE(top_wild, put(top_word(), WILD, arena()))
DAMAGE(heap_arena, put(heap_of(has.last), WILD, heap_of(has.last)))
DAMAGE(heap_prev, put(heap_of(has.last) + 1, WILD, heap_of(has.last)))
DAMAGE(heap_self, put(heap_of(has.last) + 1, (uintptr_t)heap_of(has.last),
		      heap_of(has.last)))
DAMAGE(heap_size,
       put(heap_of(has.last) + 2, ~(uintptr_t)4095, heap_of(has.last)))
DAMAGE(heap_more, put(heap_of(has.last) + 2, heap_of(has.last)[2] + 0x40000,
		      heap_of(has.last)))
DAMAGE(heap_less, put(heap_of(has.last) + 2, heap_of(has.last)[2] - 4096,
		      heap_of(has.last)))
DAMAGE(heap_empty, put(heap_of(has.last) + 2, 0, heap_of(has.last)))
DAMAGE(ring_wild, put(next_arena(), WILD, arena()))
DAMAGE(ring_null, put(next_arena(), 0, arena()))
DAMAGE(ring_self, put(next_arena(), (uintptr_t)arena(), arena()))
DAMAGE(system_mem, put(next_arena() + 3, next_arena()[3] + 4096, arena()))
DAMAGE(mapped_size, SET(has.mapped, 1, WILD))
DAMAGE(mapped_less, SET(has.mapped, 1, SIZE(has.mapped) - 4096))
DAMAGE(mapped_more, SET(has.mapped, 1, SIZE(has.mapped) + 4096))
DAMAGE(mapped_flag, SET(has.mapped, 1, SIZE(has.mapped) & ~(uintptr_t)2))
DAMAGE(mapped_prev, SET(has.mapped, 0, 64))
DAMAGE(aligned_size, (moved(), SET(has.aligned, 1, WILD)))
DAMAGE(aligned_prev, (moved(), SET(has.aligned, 0, WILD)))
DAMAGE(param_base, put(sbrk_base(), WILD, sbrk_base()))
DAMAGE(param_mmaps, put_int((char *)sbrk_base() - 36, 0x41414141))
DAMAGE(param_mapped, put(sbrk_base() - 2, WILD, sbrk_base() - 2))

/* Of the cache, which is the first chunk of the thread. */
static uintptr_t cache_counts(void)
{
	uint16_t *counts = known_to_nobody(
		(char *)word_to(chunk(has.first) - 90, 90, has.cached[2]) -
		(40 / 16 - 1) * 8 - 64 * 2);

	counts[1] = 6;
	known_to_nobody(NULL);
	return (uintptr_t)counts;
}
static uintptr_t cache_entry(void)
{
	uintptr_t *entry = word_to(chunk(has.first) - 90, 90, has.cached[2]);

	return put(entry, WILD, NULL);
}

static const struct {
	const char *name;
	uintptr_t (*spoil)(void);
} kinds[] = {
#define KIND(name)                                                             \
	{                                                                      \
#name, name                                                    \
	}
	KIND(size_zero),     KIND(size_huge),	  KIND(size_text),
	KIND(size_crooked),  KIND(size_less),	  KIND(size_mmapped),
	KIND(flag_arena),    KIND(flag_main),	  KIND(prev_used),
	KIND(prev_free),     KIND(footer),	  KIND(unsorted_loop),
	KIND(unsorted_wild), KIND(unsorted_back), KIND(small_wild),
	KIND(small_back),    KIND(small_used),	  KIND(large_wild),
	KIND(large_back),    KIND(large_next),	  KIND(large_next_back),
	KIND(fast_loop),     KIND(fast_wild),	  KIND(fast_size),
	KIND(fast_head),     KIND(cache_self),	  KIND(cache_wild),
	KIND(cache_size),    KIND(cache_key),	  KIND(cache_counts),
	KIND(cache_entry),   KIND(bin_head),	  KIND(top_size),
	KIND(top_huge),	     KIND(top_wild),	  KIND(heap_arena),
	KIND(heap_prev),     KIND(heap_self),	  KIND(heap_size),
	KIND(heap_more),     KIND(heap_less),	  KIND(heap_empty),
	KIND(ring_wild),     KIND(ring_null),	  KIND(ring_self),
	KIND(system_mem),    KIND(mapped_size),	  KIND(mapped_less),
	KIND(mapped_more),   KIND(mapped_flag),	  KIND(mapped_prev),
	KIND(aligned_size),  KIND(aligned_prev),  KIND(param_base),
	KIND(param_mmaps),   KIND(param_mapped),
};

static uintptr_t spoil(void)
{
	if (strcmp(kind, "none") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, kind) == 0)
			return kinds[i].spoil();
	fprintf(stderr, "damaged: no kind %s\n", kind);
	exit(2);
}

static void *second(void *started)
{
	make();
	pthread_barrier_wait(started);
	for (;;)
		pause();
	return NULL;
}

static int list_kinds(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		puts(kinds[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_barrier_t started;
	pthread_t thread;
	char line[40], c;
	int n;

	if (argc < 3)
		return argc == 2 ? list_kinds() : 2;
	kind = argv[1];
	megabytes = (size_t)atoi(argv[2]);
	for (int i = 0; i < 1000; i++)
		has.of_main = block(200);
	pthread_barrier_init(&started, NULL, 2);
	if (pthread_create(&thread, NULL, second, &started) != 0)
		return 1;
	pthread_barrier_wait(&started);
	n = snprintf(line, sizeof(line), "ready 0x%lx\n",
		     (unsigned long)spoil());
	if (write(1, line, (size_t)n) != n)
		return 1;
	return read(0, &c, 1) < 0;
}
