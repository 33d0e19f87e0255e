/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader: bytes of a target's memory, whatever the target is.
 *
 * This is the only door to target memory. Everything above it (layout, locate,
 * walk) is pure: same bytes in, same snapshot out. Behind it stand a live
 * process (/proc/PID/mem, then process_vm_readv, then PTRACE_PEEKDATA), an ELF
 * core file, and a byte image for tests and fuzzing.
 *
 * No page of a live process is touched that is not in memory: what was never
 * touched reads as the zeros that it holds, what is swapped out stays so and
 * cannot be read. (Between the question and the read the kernel may swap a page
 * out: microseconds.) What is absent and under userfaultfd cannot be read,
 * either.
 *
 * What is read is hostile: another program wrote it, perhaps on purpose. The
 * reader promises only that a read fills the whole buffer or says how much.
 */
#ifndef HT_AGENT_MEMORY_READER_H
#define HT_AGENT_MEMORY_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* One piece of a batch. */
struct ht_piece {
	uint64_t addr;
	void *buf;
	uint32_t len;
	bool ok;      /* set by the read: the whole piece was read */
	bool swapped; /* or it was not, since a page is swapped out or withheld
		       */
};

/* errno of a read that ended at a page which is swapped out. */
#define HT_READER_SWAPPED ENODATA
/* The same at one that is absent, and somebody's to fill (vmflags.h). */
#define HT_READER_WITHHELD ENOMEDIUM

struct ht_vmflags;

struct ht_reader_ops {
	const char *name;
	/* Bytes read from addr on, up to len; 0 when the first is unreadable.
	 * Never more than len. errno says why a read was short. */
	size_t (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	/* Fills what pieces it can with few calls, and sets ok on those; the
	 * others are then read one by one. NULL: no better way than that. */
	void (*batch)(void *ctx, struct ht_piece *pieces, size_t n);
	/* From then on it ends what it reads between two calls to the kernel;
	 * 0: never. NULL: it makes few. */
	void (*limit)(void *ctx, int64_t deadline_ns);
	/* See ht_absent_heed. NULL: there is nothing to heed. */
	void (*heed)(void *ctx, struct ht_vmflags *f);
	void (*close)(void *ctx);
};

/* Owned by whoever opened it. Fields are for reader*.c only. */
struct ht_reader {
	const struct ht_reader_ops *ops; /* NULL: not open */
	void *ctx;
	unsigned word;		/* 8 or 4: width of the target's pointers */
	uint64_t bytes_read;	/* so far */
	uint64_t bytes_left;	/* read budget: a walk cannot run for ever */
	int64_t deadline_ns;	/* by ht_reader_limit. Nothing is read later:
				   whoever holds the target lets it go,
				   who must answer tells what it has */
	bool expired;		/* a read came too late; the caller clears it */
	bool swapped;		/* the last read ended at a swapped page, */
	bool withheld;		/* or (then both) at one under userfaultfd */
	uint64_t swapped_reads; /* how many did, so far */
	uint64_t withheld_reads; /* and of these, at one under userfaultfd */
	void (*beat)(void);	 /* called before each read; or NULL */
	bool asks; /* each read is a right asked for: none is held open */
};

/* A live process. word: 8 or 4. may_trace: PTRACE_PEEKDATA may be the last
 * resort (the caller holds the process stopped). HT_DENIED: the kernel lets us
 * read none of it. */
enum ht_code ht_reader_open_process(pid_t pid, unsigned word, bool may_trace,
				    struct ht_reader *ret,
				    struct ht_err *err) HT_MUST_CHECK;
void ht_reader_close(struct ht_reader *r);
/* Borrowed until the close; withheld_reads begins anew. */
void ht_reader_heed(struct ht_reader *r, struct ht_vmflags *f);
/* Whether it goes on reading when every privilege is given up. */
static inline bool ht_reader_is_held(const struct ht_reader *r)
{
	return !r->asks;
}

/* For another thread: the same source, counters of its own, not to be closed.
 * Afterwards its counters are added. */
struct ht_reader ht_reader_twin(const struct ht_reader *r);
void ht_reader_add(struct ht_reader *r, const struct ht_reader *twin);

/* CLOCK_MONOTONIC, 0: none; of its twins and of all their reads, too. It is not
 * late yet. */
void ht_reader_limit(struct ht_reader *r, int64_t deadline_ns);
/* The same, where none comes before it. */
void ht_reader_limit_sooner(struct ht_reader *r, int64_t deadline_ns);
/* Whether the deadline has come: nothing more is read. */
bool ht_reader_is_late(struct ht_reader *r);

/* Exactly len bytes, or HT_FAULT with the first address that could not be read.
 */
enum ht_code ht_reader_read(struct ht_reader *r, uint64_t addr, void *buf,
			    size_t len, struct ht_err *err) HT_MUST_CHECK;
/* As many bytes as can be read from addr on; 0: none. */
size_t ht_reader_some(struct ht_reader *r, uint64_t addr, void *buf,
		      size_t len);
/* Scattered small reads: fills every piece it can, sets ok on each. */
void ht_reader_batch(struct ht_reader *r, struct ht_piece *pieces, size_t n);
/* One word of the target, zero-extended. */
enum ht_code ht_reader_word(struct ht_reader *r, uint64_t addr, uint64_t *ret,
			    struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_reader_u32(struct ht_reader *r, uint64_t addr, uint32_t *ret,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
