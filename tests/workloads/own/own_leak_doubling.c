/* SPDX-License-Identifier: Apache-2.0 */
/* A vector of measurements that is appended to and never cleared. It doubles
 * when it is full, so in use is level most of the time; what it got is written
 * bit by bit, at 0.7 MB/s. */
#include "live.h"

struct vector {
	char *p;
	size_t used, size;
};

static void append(struct vector *v, size_t n)
{
	if (v->used + n > v->size) {
		size_t size = v->size ? 2 * v->size : 1 << 19;
		char *p = (char *)wl_alloc(1, size);

		if (v->p) {
			memcpy(p, v->p, v->used);
			wl_free(1, v->p, v->size);
		}
		v->p = p;
		v->size = size;
	}
	memset(v->p + v->used, 1, n);
	v->used += n;
}

int main(int argc, char **argv)
{
	struct vector v = {NULL, 0, 0};
	struct live l;

	wl_init("own_leak_doubling", argc, argv, 34, "LEAK", "LEAK",
		FORBID_LEAK);
	WL.tag_name[1] = "vector";
	wl_start();
	live_init(&l, 9000, 40, 1500);
	live_resize(&l, 6000);
	wl_phase("appending", "LEAK|INSUFFICIENT_DATA|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 100);
		append(&v, 14000);
		wl_tick(s);
	}
	wl_end("");
}
