/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One glibc malloc inside a target, found and ready to be walked: the answer of
 * locate, the input of walk. A process has one as a rule; a second libc
 * (dlmopen, libc_malloc_debug) brings its own, with its own ring of arenas.
 */
#ifndef HT_AGENT_LIBC_MALLOC_STATE_H
#define HT_AGENT_LIBC_MALLOC_STATE_H

#include "agent/libc/layout.h"

/* Thread-local variables are found from the thread pointer. */
#define HT_TLS_UNKNOWN INT64_MIN

struct ht_malloc {
	struct ht_layout layout;
	uint64_t main_arena; /* address in the target */
	uint64_t mp;	     /* address of mp_; 0: not found */
	int64_t tls_tcache;  /* &tcache - thread pointer, or HT_TLS_UNKNOWN */
	int64_t tls_thread_arena; /* same for thread_arena */
	int64_t tls_errno;	  /* same for errno */
	uint64_t image_start,
		image_end;	       /* the libc's (or static exe's) mappings:
					  a tcache pointer in here is a dummy */
	uint64_t text_start, text_end; /* malloc.o's code; 0,0: unknown */
	uint64_t trim;		       /* address of malloc_trim; 0: unknown */
	uint64_t fork_start, fork_end; /* fork's code; 0,0: unknown */
	uint64_t brk_end;	       /* end of the [heap] mapping; 0: none */
	uint64_t multiple_threads; /* address of __libc_multiple_threads; 0 */
	uint64_t single_threaded;  /* address of __libc_single_threaded (one
				      byte, the opposite sense; 2.32+); 0 */
	int safe_linking; /* 1, 0, or -1: not known yet, detect by content */
};

#endif
