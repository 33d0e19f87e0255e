/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/facts_shared.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fnv.h"
#include "link/facts_file.h"

struct file_key {
	uint64_t dev, inode, size, changed_ns;
};

struct key {
	struct file_key file, debug;
	uint64_t want;
};

/* Agents write at the same time: one that is torn has another sum. */
struct shared {
	uint64_t sum; /* of what follows */
	struct key key;
	struct ht_facts facts;
};

#define PLACES (HT_FACTS_SIZE / sizeof(struct shared))

static int file = -1;

bool ht_facts_shared_take(void)
{
	struct stat st;

	if (fstat(HT_FACTS_FD, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 0 || st.st_size != HT_FACTS_SIZE ||
	    fcntl(HT_FACTS_FD, F_SETFD, FD_CLOEXEC) < 0)
		return false;
	file = HT_FACTS_FD;
	return true;
}

void ht_facts_shared_end(void)
{
	if (file >= 0)
		close(file);
	file = -1;
}

static bool describe(int fd, struct file_key *ret)
{
	struct stat st;

	if (fd < 0)
		return true; /* none is one, too */
	if (fstat(fd, &st) < 0)
		return false;
	ret->dev = st.st_dev;
	ret->inode = st.st_ino;
	ret->size = (uint64_t)st.st_size;
	ret->changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000u +
			  (uint64_t)st.st_ctim.tv_nsec;
	return true;
}

static bool make_key(int fd, int debug_fd, unsigned want, struct key *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->want = want;
	return file >= 0 && describe(fd, &ret->file) &&
	       describe(debug_fd, &ret->debug);
}

static uint64_t sum_of_shared(const struct shared *s)
{
	return ht_fnv(HT_FNV_BASIS, &s->key,
		      sizeof(*s) - offsetof(struct shared, key));
}

/* Where facts of a key may be: some places in a row, the first that was free.
 * With one place each, two files of a process that fell together, as they do in
 * one of two processes with sixteen, were parsed anew by each agent. */
#define WAYS 8

static off_t place_of(const struct key *k, uint64_t way)
{
	uint64_t hash = ht_fnv(HT_FNV_BASIS, k, sizeof(*k));

	return (off_t)((hash + way) % PLACES * sizeof(struct shared));
}

static bool read_place(const struct key *k, uint64_t way, struct shared *ret)
{
	return pread(file, ret, sizeof(*ret), place_of(k, way)) ==
	       (ssize_t)sizeof(*ret);
}

static bool is_free(const struct shared *s)
{
	return s->sum == 0 && s->key.file.inode == 0;
}

bool ht_facts_shared_find(int fd, int debug_fd, unsigned want,
			  struct ht_facts *ret)
{
	struct shared s;
	struct key k;

	if (!make_key(fd, debug_fd, want, &k))
		return false;
	for (uint64_t way = 0; way < WAYS; way++) {
		if (!read_place(&k, way, &s) || is_free(&s))
			return false;
		if (memcmp(&s.key, &k, sizeof(k)) != 0)
			continue;
		if (s.sum != sum_of_shared(&s) ||
		    ht_facts_check(&s.facts, NULL) != HT_OK)
			return false;
		*ret = s.facts;
		return true;
	}
	return false;
}

/* The key's own, or a free one; where there is none, one of them, which others
 * may miss. */
static off_t choose_place(const struct key *k)
{
	struct shared s;

	for (uint64_t way = 0; way < WAYS; way++)
		if (!read_place(k, way, &s) || is_free(&s) ||
		    memcmp(&s.key, k, sizeof(*k)) == 0)
			return place_of(k, way);
	return place_of(k, k->file.inode % WAYS);
}

void ht_facts_shared_put(int fd, int debug_fd, unsigned want,
			 const struct ht_facts *facts)
{
	struct shared s;

	memset(&s, 0, sizeof(s));
	if (!make_key(fd, debug_fd, want, &s.key))
		return;
	s.facts = *facts;
	s.sum = sum_of_shared(&s);
	if (pwrite(file, &s, sizeof(s), choose_place(&s.key)) !=
	    (ssize_t)sizeof(s))
		ht_facts_shared_end();
}
