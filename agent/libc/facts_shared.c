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

static off_t place_of(const struct key *k)
{
	return (off_t)(ht_fnv(HT_FNV_BASIS, k, sizeof(*k)) % PLACES *
		       sizeof(struct shared));
}

static uint64_t sum_of_shared(const struct shared *s)
{
	return ht_fnv(HT_FNV_BASIS, &s->key,
		      sizeof(*s) - offsetof(struct shared, key));
}

bool ht_facts_shared_find(int fd, int debug_fd, unsigned want,
			  struct ht_facts *ret)
{
	struct shared s;
	struct key k;

	if (!make_key(fd, debug_fd, want, &k) ||
	    pread(file, &s, sizeof(s), place_of(&k)) != (ssize_t)sizeof(s) ||
	    memcmp(&s.key, &k, sizeof(k)) != 0 || s.sum != sum_of_shared(&s) ||
	    ht_facts_check(&s.facts, NULL) != HT_OK)
		return false;
	*ret = s.facts;
	return true;
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
	if (pwrite(file, &s, sizeof(s), place_of(&s.key)) != (ssize_t)sizeof(s))
		ht_facts_shared_end();
}
