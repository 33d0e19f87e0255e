/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/runtime.h"

#include <stddef.h>
#include <string.h>

static const char *const labels[HT_RUNTIME_COUNT] = {
#define HT_RUNTIME_LABEL(id, name) [HT_RUNTIME_##id] = name,
	HT_RUNTIMES(HT_RUNTIME_LABEL)
#undef HT_RUNTIME_LABEL
};

static const struct sign {
	const char *text;
	enum ht_runtime runtime;
} symbols[] = {
	{"PyObject_Malloc", HT_RUNTIME_CPYTHON},
	{"ruby_init", HT_RUNTIME_RUBY},
	{"_ZN2v82V810GetVersionEv", HT_RUNTIME_V8}, /* v8::V8::GetVersion() */
	{"JNI_CreateJavaVM", HT_RUNTIME_JVM},
	{"coreclr_initialize", HT_RUNTIME_DOTNET},
	{"zend_startup", HT_RUNTIME_PHP},
	{"zend_startup_module", HT_RUNTIME_PHP}, /* what 8.2 exports */
	{"mallctlbymib", HT_RUNTIME_JEMALLOC},
	{"je_mallctlbymib", HT_RUNTIME_JEMALLOC},
	{"_rjem_mallctlbymib", HT_RUNTIME_JEMALLOC}, /* Rust's binding */
	{"mi_malloc", HT_RUNTIME_MIMALLOC},
	{"tc_malloc", HT_RUNTIME_TCMALLOC},
	{"MallocExtension_ReleaseFreeMemory", HT_RUNTIME_TCMALLOC},
};

/* How the names of files begin. */
static const struct sign files[] = {
	{"libpython", HT_RUNTIME_CPYTHON},
	{"libruby", HT_RUNTIME_RUBY},
	{"libnode.so", HT_RUNTIME_V8},
	{"libv8", HT_RUNTIME_V8},
	{"libjvm.so", HT_RUNTIME_JVM},
	{"libcoreclr", HT_RUNTIME_DOTNET},
	{"libphp", HT_RUNTIME_PHP},
	{"libjemalloc", HT_RUNTIME_JEMALLOC},
	{"libmimalloc", HT_RUNTIME_MIMALLOC},
	{"libtcmalloc", HT_RUNTIME_TCMALLOC},
};

uint32_t ht_runtime_of_symbol(const char *name)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
		if (name[0] == symbols[i].text[0] &&
		    strcmp(name, symbols[i].text) == 0)
			return UINT32_C(1) << symbols[i].runtime;
	return 0;
}

uint32_t ht_runtime_of_file(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (strncmp(name, files[i].text, strlen(files[i].text)) == 0)
			return UINT32_C(1) << files[i].runtime;
	return 0;
}

const char *ht_runtime_label(enum ht_runtime runtime)
{
	return labels[runtime];
}
