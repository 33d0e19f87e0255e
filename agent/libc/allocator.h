/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocators: who serves malloc, told from the symbols and texts that each
 * implementation cannot help leaving in its file. Names of files prove nothing.
 */
#ifndef HT_AGENT_LIBC_ALLOCATOR_H
#define HT_AGENT_LIBC_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A(ID, name for people). */
/* clang-format off */
#define HT_ALLOCATORS(A)                                                \
	A(UNKNOWN, "unknown")                                           \
	A(GLIBC, "glibc")                                               \
	A(JEMALLOC, "jemalloc")                                         \
	A(TCMALLOC, "tcmalloc")                                         \
	A(MIMALLOC, "mimalloc")                                         \
	A(SCUDO, "scudo")                                               \
	A(MUSL, "musl")                                                 \
	A(GO, "go")                                                     \
	A(ASAN, "asan")                                                 \
	A(TSAN, "tsan")                                                 \
	A(MSAN, "msan")                                                 \
	A(VALGRIND, "valgrind")                                         \
	A(JVM, "jvm")
/* clang-format on */

enum ht_allocator {
#define HT_ALLOCATOR_ID(id, name) HT_ALLOCATOR_##id,
	HT_ALLOCATORS(HT_ALLOCATOR_ID)
#undef HT_ALLOCATOR_ID
		HT_ALLOCATOR_COUNT
};

/* Static string; "unknown" when out of range. */
const char *ht_allocator_name(uint32_t allocator);

/* Which allocator only has a symbol of this name; UNKNOWN: many have it. */
enum ht_allocator ht_allocator_of_symbol(const char *name);

/* Looks for an allocator's texts in read-only data, for programs without
 * symbols. Returns UNKNOWN when there is none. */
enum ht_allocator ht_allocator_of_text(const void *data, size_t len);

/* The version as the allocator's own texts in `data` say it; empty when they
 * do not. out is NUL-terminated. */
void ht_allocator_version(enum ht_allocator a, const void *data, size_t len,
			  char *out, size_t out_len);

#endif
