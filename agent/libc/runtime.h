/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtimes: who beside glibc's malloc may own anonymous memory of a process: a
 * language's heap, another allocator. Told, like allocators, by a symbol that
 * its file cannot help exporting, or by the file's name where it was loaded
 * after the files were read.
 */
#ifndef HT_AGENT_LIBC_RUNTIME_H
#define HT_AGENT_LIBC_RUNTIME_H

#include <stdint.h>

/* R(ID, what its memory is called). In the order in which they are asked. */
/* clang-format off */
#define HT_RUNTIMES(R)                                                  \
	R(GO, "Go heap")                                                \
	R(JVM, "JVM: heap, metaspace, code")                            \
	R(V8, "V8 heap")                                                \
	R(DOTNET, ".NET heap")                                          \
	R(PHP, "PHP heap (Zend memory manager)")                        \
	R(RUBY, "Ruby heap pages")                                      \
	R(CPYTHON, "CPython arenas (pymalloc)")                         \
	R(MIMALLOC, "mimalloc")                                         \
	R(JEMALLOC, "jemalloc")                                         \
	R(TCMALLOC, "tcmalloc")
/* clang-format on */

enum ht_runtime {
#define HT_RUNTIME_ID(id, name) HT_RUNTIME_##id,
	HT_RUNTIMES(HT_RUNTIME_ID)
#undef HT_RUNTIME_ID
		HT_RUNTIME_COUNT
};

/* 1 << enum ht_runtime of the one that alone has such a symbol, or such a file
 * name ("libpython3.11.so.1.0", without folders); 0: nobody's. */
uint32_t ht_runtime_of_symbol(const char *name);
uint32_t ht_runtime_of_file(const char *name);
/* Static string: "CPython arenas (pymalloc)". */
const char *ht_runtime_label(enum ht_runtime runtime);

#endif
