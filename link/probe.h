/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probe: how an agent speaks to heaptide-probe, its child, over a SEQPACKET
 * socket on descriptor 3. One message is one struct; the kernel keeps them
 * apart, and a message of another length breaks the protocol.
 *
 *   agent -> probe   struct ht_probe_open, with the files' descriptors
 *   probe -> agent   struct ht_probe_done
 *   agent -> probe   struct ht_probe_window, any number of times, each answered
 *   probe -> agent   by struct ht_probe_sample, 0 or more, and struct
 *                    ht_probe_done
 *
 * A sample holds bytes of a stack. This is the only way that they go: an agent
 * unwinds them and passes on functions and counts (link/wire.h).
 */
#ifndef HT_LINK_PROBE_H
#define HT_LINK_PROBE_H

#include "common/err.h"

#define HT_PROBE_SOCKET	 3
#define HT_PROBE_MAGIC	 0x31705448u /* "HTp1" */
#define HT_PROBE_FILES	 4
#define HT_PROBE_POINTS	 32
#define HT_PROBE_THREADS 64
#define HT_PROBE_STACK	 8192 /* bytes of a stack, at most */
/* Of one window, whatever is asked for. */
#define HT_PROBE_WINDOW_MAX_US 2000000
#define HT_PROBE_HITS_MAX      100000

/* Where a function of malloc's has the size, and what it does. */
enum ht_probe_kind {
	HT_PROBE_SIZE_1,  /* malloc, valloc, pvalloc: first argument */
	HT_PROBE_PRODUCT, /* calloc: first times second */
	HT_PROBE_SIZE_2,  /* aligned_alloc, memalign: second */
	HT_PROBE_REALLOC, /* second; the first is a chunk that ends */
	HT_PROBE_SIZE_3,  /* posix_memalign: third; the result is stored */
	HT_PROBE_KINDS,
	HT_PROBE_TOUCH = HT_PROBE_KINDS, /* of a sample: not of malloc's */
};

/* How, best first. */
enum ht_probe_way {
	HT_PROBE_SESSION, /* Linux 6.13: only what is chosen pays the return */
	HT_PROBE_MULTI,	  /* Linux 6.6: each call pays it */
	HT_PROBE_PERF,	  /* Linux 5.15: the same, and points go one by one */
	HT_PROBE_WAYS,
	/* No call is seen: who is the first to write to a page. */
	HT_PROBE_GROWTH = HT_PROBE_WAYS,
	HT_PROBE_BEST, /* but for the last */
};

struct ht_probe_point {
	uint64_t offset;  /* in the file */
	uint64_t address; /* in the process */
	uint32_t file;	  /* which descriptor */
	uint32_t kind;	  /* enum ht_probe_kind */
};

struct ht_probe_open {
	uint32_t magic, pid, way, files, points;
	uint32_t events; /* what perf calls those of uprobes; 0: has none */
	struct ht_probe_point point[HT_PROBE_POINTS];
};

struct ht_probe_window {
	uint32_t magic, reserved;
	uint64_t min_size, max_size; /* as asked for by the program */
	uint64_t max_hits;	     /* ends after so many calls */
	uint64_t max_us;	     /* or after so long, what comes first */
	/* HT_PROBE_GROWTH: what was seen since the last window; max_us 0: and
	 * nothing from now on until the next one. All threads that there are
	 * now, as far as there is room for them. */
	uint32_t threads, reserved_2;
	uint32_t thread[HT_PROBE_THREADS];
};

/* What call frames are found with: filled by the program in the kernel. */
struct ht_probe_regs {
	uint64_t pc, sp, frame;
};

struct ht_probe_sample {
	uint32_t magic;
	uint32_t kind;	      /* enum ht_probe_kind */
	uint64_t time_ns;     /* CLOCK_MONOTONIC */
	uint64_t address;     /* that malloc returned, or was written to */
	uint64_t header;      /* the word before it: the chunk's size */
	uint64_t old;	      /* realloc: that of the chunk that ended; 0: none,
				 all bits: not known */
	uint64_t old_address; /* ... and where it was; 0: none, or not known */
	uint64_t task;	    /* process id << 32 | thread id, the kernel's own */
	uint64_t weight;    /* HT_PROBE_TOUCH: stands for so many */
	uint64_t stack_len; /* bytes of `stack` that are there, from sp on */
	struct ht_probe_regs regs; /* at the return, in the caller */
	uint8_t stack[HT_PROBE_STACK];
};

struct ht_probe_done {
	uint32_t magic, code; /* enum ht_code */
	uint32_t way;
	uint32_t threads;  /* HT_PROBE_GROWTH: that are seen from now on */
	uint64_t hits;	   /* calls seen; HT_PROBE_GROWTH: faults counted */
	uint64_t chosen;   /* of the sizes asked for; ... stacks taken */
	uint64_t lost;	   /* of them, for which there was no room */
	uint64_t armed_us; /* first point set to last point gone */
	struct ht_err err;
};

#endif
