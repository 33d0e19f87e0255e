/* SPDX-License-Identifier: Apache-2.0 */
/* The two pieces of the target's own code that the chain is made of. */
#include <string.h>

#include "agent/stop/inject.h"

static uint64_t find_in(struct ht_reader *reader, const struct ht_vma *v,
			const struct ht_code_bytes *what)
{
	uint8_t buf[65536];
	uint64_t found = 0;

	for (uint64_t at = v->start; at < v->end && !found;
	     at += sizeof(buf) - what->n) {
		/* Never beyond the end: what lies there is not code. */
		size_t want = v->end - at < sizeof(buf) ? (size_t)(v->end - at)
							: sizeof(buf);
		size_t n = ht_reader_some(reader, at, buf, want);
		const uint8_t *hit =
			n ? memmem(buf, n, what->v, what->n) : NULL;

		if (n == 0)
			break;
		if (hit)
			found = at + (uint64_t)(hit - buf);
	}
	return found;
}

static uint64_t find_code(struct ht_reader *reader, const struct ht_maps *maps,
			  const struct ht_code_bytes *what)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct ht_vma *v = &maps->v[i];
		const unsigned rx = HT_VMA_READ | HT_VMA_EXEC;
		uint64_t at;

		if ((v->flags & rx) != rx || v->inode == 0)
			continue;
		at = find_in(reader, v, what);
		if (at)
			return at;
	}
	return 0;
}

enum ht_code ht_inject_find(const struct ht_maps *maps,
			    struct ht_reader *reader,
			    struct ht_inject_code *ret, struct ht_err *err)
{
	ret->syscall_ret = find_code(reader, maps, &ht_syscall_ret);
	ret->restorer = find_code(reader, maps, &ht_restorer);
	if (!ret->syscall_ret || !ret->restorer)
		return ht_fail(
			err, HT_REFUSED,
			"the process has no code to fork with (x86-64 programs with glibc have)");
	return HT_OK;
}

static bool still_there(struct ht_reader *reader, uint64_t at,
			const struct ht_code_bytes *what)
{
	uint8_t buf[16];

	return ht_reader_read(reader, at, buf, what->n, NULL) == HT_OK &&
	       memcmp(buf, what->v, what->n) == 0;
}

enum ht_code ht_inject_check(const struct ht_inject_code *code,
			     struct ht_reader *reader, struct ht_err *err)
{
	if (!still_there(reader, code->syscall_ret, &ht_syscall_ret) ||
	    !still_there(reader, code->restorer, &ht_restorer))
		return ht_fail(err, HT_REFUSED,
			       "the code to fork with is gone");
	return HT_OK;
}
