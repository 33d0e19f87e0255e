/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/runtimes.h"

#include <stddef.h>
#include <string.h>

/* By the word that the mapping's name begins with. */
static const struct {
	const char *word, *advice;
} runtimes[] = {
	{"Go",
	 "a heap profile (net/http/pprof, go tool pprof) names who holds it; GOMEMLIMIT bounds it"},
	{"JVM",
	 "jcmd PID GC.class_histogram counts its objects, jcmd PID VM.native_memory the rest (-XX:NativeMemoryTracking=summary); -Xmx and -XX:MaxMetaspaceSize bound it"},
	{"V8",
	 "two heap snapshots, compared, name what grew (node --heapsnapshot-signal=SIGUSR2); --max-old-space-size bounds it"},
	{".NET",
	 "dotnet-gcdump names what it holds; DOTNET_GCHeapHardLimit bounds it"},
	{"PHP",
	 "memory_get_usage() along a request shows where it grows; pm.max_requests ends a worker before it matters"},
	{"Ruby",
	 "ObjectSpace.trace_object_allocations_start, then ObjectSpace.dump_all name who made what it holds"},
	{"CPython",
	 "they hold Python's own objects: tracemalloc (PYTHONTRACEMALLOC=10) names the lines that made them"},
	{"mimalloc",
	 "MIMALLOC_SHOW_STATS=1 tells what it holds at the end, mi_collect(true) returns what is free"},
	{"jemalloc",
	 "its heap profile (prof:true in MALLOC_CONF, where built with it) names who holds it; dirty_decay_ms says how long it keeps what is free"},
	{"tcmalloc",
	 "its heap profile (HEAPPROFILE) names who holds it; MallocExtension::ReleaseFreeMemory() returns what is free"},
};

const char *ht_runtime_advice(const char *mapping)
{
	size_t n = strcspn(mapping, " :");

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++)
		if (strlen(runtimes[i].word) == n &&
		    strncmp(mapping, runtimes[i].word, n) == 0)
			return runtimes[i].advice;
	return NULL;
}
