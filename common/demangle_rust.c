/* SPDX-License-Identifier: Apache-2.0 */
#include "common/demangle_rust.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

/* A name refers back to parts of itself, so that one of a hundred bytes may be
 * of any length: more than this is none that a compiler made. */
#define WRITTEN_MAX 65536u

struct writing {
	char *out;
	size_t size, n, all;
	jmp_buf full;
};

static void take(const char *text, size_t len, void *opaque)
{
	struct writing *w = opaque;
	size_t room = w->size - 1 - w->n;

	/* There is no other way out; what libiberty may have allocated is a
	 * word of the name. */
	w->all += len + 1;
	if (w->all > WRITTEN_MAX)
		longjmp(w->full, 1);
	if (len > room)
		len = room;
	memcpy(w->out + w->n, text, len);
	w->n += len;
}

bool ht_demangle_rust(const char *symbol, char *out, size_t size)
{
	struct writing w = {.out = out, .size = size};

	if (size == 0 || setjmp(w.full) ||
	    !rust_demangle_callback(symbol, DMGL_NO_OPTS, take, &w))
		return false;
	out[w.n] = '\0';
	return true;
}
