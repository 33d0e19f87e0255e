/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follow: what becomes of chunks that were seen to be given out. They are
 * looked at again and again by the ordinary reader, while the process runs.
 *
 * That there is a chunk of that size at the address says little: free chunks
 * are given out again at once, mostly to somebody else. free() writes the first
 * word of what it takes (the link of a list) and the second (the tcache's key,
 * or the back link; malloc clears the key). So a chunk one of whose first two
 * words is as it was, and is its own (no other chunk of the site has it: a
 * vtable is nobody's own), was not freed. Nor, most likely, was one that is as
 * it was in all of its first words. One that is given out again is seen to be
 * so by a window, by its being free at some look, or by other words in it. The
 * last of these is weak: who writes to what he keeps all the time (counters,
 * the links of a tree) looks so, too. Such a chunk is looked at on, and counted
 * as rewritten while nothing else says that it was freed.
 */
#ifndef HT_AGENT_WHO_FOLLOW_H
#define HT_AGENT_WHO_FOLLOW_H

#include <stdbool.h>

#include "agent/libc/locate.h"
#include "agent/memory/reader.h"

#define HT_FOLLOWED_MAX 65536u
#define HT_PRINT_WORDS	8u

enum ht_fate {
	HT_FATE_NEW,	 /* no fingerprint yet */
	HT_FATE_ALIVE,	 /* there, as it was */
	HT_FATE_UNKNOWN, /* there is a chunk, of other contents */
	HT_FATE_FREED,	 /* for good */
	HT_FATE_MOVED,	 /* the same, by realloc or free: who can say */
};

struct ht_followed {
	uint64_t address;
	uint64_t header; /* its size, and malloc's three bits */
	uint64_t bytes;	 /* that its site is to be held for */
	uint64_t word[HT_PRINT_WORDS];
	int64_t taken_ns; /* CLOCK_MONOTONIC */
	uint32_t site;
	uint32_t words; /* of `word`, that lie in the chunk */
	bool grows;  /* realloc made it of another: it may well do so again */
	bool first;  /* realloc made it, of none */
	bool own[2]; /* the first two: no other chunk of the site had it */
	bool shaky;  /* its words changed between the call and the first look:
			its owner wrote them late, or it is another's */
	bool rewritten; /* HT_FATE_FREED by its contents alone: it was never
			   seen free, nor given out again */
	unsigned again; /* looks since then */
	enum ht_fate fate;
};

struct ht_following {
	struct ht_followed *v;
	uint32_t n;
	uint32_t *slot; /* by address: the newest of it, plus one */
	/* What free() writes second into what goes to a tcache, the same for
	 * all in a process (2.34+); 0: not known yet. */
	uint64_t key, key_perhaps;
};

enum ht_code ht_follow_begin(struct ht_following *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_follow_fini(struct ht_following *f);
/* A chunk that was just given out: whoever had the address has freed it.
 * false: there is no room. */
bool ht_follow_add(struct ht_following *f, const struct ht_followed *chunk);
/* The newest sample at an address that is not known to be freed; NULL. */
struct ht_followed *ht_follow_at(struct ht_following *f, uint64_t address);
/* The words of a chunk at the moment of the call, before it is added: as soon
 * after it as can be. */
void ht_follow_print(struct ht_followed *c, struct ht_reader *r);
/* Looks at all that are not freed. Those that are new get their fingerprint. */
void ht_follow_look(struct ht_following *f, struct ht_reader *r,
		    const struct ht_located *l);

/* Chunks of sites that let theirs grow by realloc (of each of n: whether it
 * does): what is over may have been moved by it. A site is one call: what
 * malloc is seen to have given out there it gave to realloc, which jumped to
 * it. */
void ht_follow_doubt(struct ht_following *f, const bool *grows, uint32_t n);

/* What a look says of a chunk, now: its header and words, and the header of the
 * next chunk (0: not read). Pure. */
enum ht_fate ht_follow_judge(const struct ht_followed *c, uint64_t header,
			     const uint64_t word[HT_PRINT_WORDS], uint64_t next,
			     const struct ht_located *l);

#endif
