/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/functions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "common/cleanup.h"

#define CODE_MAX  (128u << 20)
#define EDGES_MAX (8u << 20)
#define TEXT_MAX  64u

uint64_t ht_functions_address(const struct ht_functions *c, uint32_t function)
{
	return c->table.base + (uint64_t)(int64_t)c->table.row[function].start;
}

/* The function that begins at or before an address. */
static uint32_t function_at(const struct ht_functions *c, uint64_t address)
{
	size_t low = 0, high = c->table.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ht_functions_address(c, (uint32_t)middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? (uint32_t)(low - 1) : HT_FUNCTION_NONE;
}

static bool add_edge(struct ht_functions *c, size_t *room,
		     struct ht_functions_edge e)
{
	struct ht_functions_edge *more;

	if (c->edges == *room) {
		*room = *room ? 2 * *room : 4096;
		more = *room <= EDGES_MAX
			       ? reallocarray(c->edge, *room, sizeof(*more))
			       : NULL;
		if (!more)
			return false;
		c->edge = more;
	}
	c->edge[c->edges++] = e;
	return true;
}

bool ht_functions_scan(struct ht_functions *c)
{
	size_t room = 0;

	for (size_t i = 0; i < c->size; i++) {
		uint64_t to = 0;
		enum ht_branch b = ht_code_branch(c->bytes + i, c->size - i,
						  c->address + i, &to);
		struct ht_functions_edge e = {HT_FUNCTION_NONE,
					      HT_FUNCTION_NONE,
					      b == HT_BRANCH_CALL};

		if (b == HT_BRANCH_NONE || to - c->address >= c->size)
			continue;
		e.to = function_at(c, to);
		e.from = function_at(c, c->address + i);
		if (e.to != HT_FUNCTION_NONE && e.from != HT_FUNCTION_NONE &&
		    e.from != e.to && ht_functions_address(c, e.to) == to &&
		    !add_edge(c, &room, e))
			return false;
	}
	return true;
}

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX - len &&
	       pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* The part that is run: the largest. */
static const struct ht_module_load *code_of(const struct ht_module *m)
{
	const struct ht_module_load *ret = NULL;

	for (unsigned i = 0; i < m->loads; i++)
		if (m->load[i].exec &&
		    (!ret || m->load[i].filesz > ret->filesz))
			ret = &m->load[i];
	return ret;
}

bool ht_functions_read(const struct ht_module *m, struct ht_functions *ret)
{
	const struct ht_module_load *l = code_of(m);

	*ret = (struct ht_functions){0};
	if (m->fd < 0 || !l || l->filesz == 0 || l->filesz > CODE_MAX)
		return false;
	ht_frame_table_make(m, &ret->table);
	if (ret->table.n == 0)
		return false;
	ret->bytes = malloc(l->filesz);
	ret->address = l->start;
	ret->size = l->filesz;
	return ret->bytes && read_at(m->fd, ret->bytes, ret->size, l->offset) &&
	       ht_functions_scan(ret);
}

void ht_functions_fini(struct ht_functions *c)
{
	ht_frame_table_fini(&c->table);
	free(c->bytes);
	free(c->edge);
	*c = (struct ht_functions){0};
}

uint32_t ht_functions_refers_to(const struct ht_functions *c, uint64_t address,
				uint32_t from)
{
	uint64_t begin = from < c->table.n ? ht_functions_address(c, from) : 0;
	size_t i = begin > c->address ? (size_t)(begin - c->address) : 0;

	if (from >= c->table.n)
		return HT_FUNCTION_NONE;
	for (; i < c->size; i++)
		if (ht_code_refers(c->bytes + i, c->size - i, c->address + i,
				   address))
			return function_at(c, c->address + i);
	return HT_FUNCTION_NONE;
}

bool ht_functions_has_product(const struct ht_functions *c, uint32_t function)
{
	uint64_t from = ht_functions_address(c, function) - c->address;
	uint64_t end =
		function + 1 < c->table.n
			? ht_functions_address(c, function + 1) - c->address
			: c->size;

	for (uint64_t i = from; i < end && i < c->size; i++)
		if (ht_code_multiplies(c->bytes + i, c->size - i))
			return true;
	return false;
}

uint64_t ht_functions_text(const struct ht_module *m, const char *text)
{
	size_t len = strnlen(text, TEXT_MAX) + 2;
	char wanted[TEXT_MAX + 2] = {0};
	uint64_t ret = 0;

	memcpy(wanted + 1, text, len - 2);
	for (unsigned i = 0; i < m->loads; i++) {
		const struct ht_module_load *l = &m->load[i];
		HT_AUTO_FREE uint8_t *bytes = NULL;
		const uint8_t *at, *end;

		if (l->exec || l->filesz < len || l->filesz > CODE_MAX)
			continue;
		bytes = malloc(l->filesz);
		if (!bytes || !read_at(m->fd, bytes, l->filesz, l->offset))
			return 0;
		end = bytes + l->filesz;
		at = memmem(bytes, l->filesz, wanted, len);
		if (at && (ret ||
			   memmem(at + 1, (size_t)(end - at - 1), wanted, len)))
			return 0;
		if (at)
			ret = l->start + (uint64_t)(at + 1 - bytes);
	}
	return ret;
}
