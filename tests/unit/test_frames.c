/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of code that nothing describes, as a compiler at run time makes
 * it: followed by their frame pointer as long as it leads to code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/memory/frames.h"

#define CODE	UINT64_C(0x7f0000000000)
#define DATA	UINT64_C(0x7f0000100000)
#define STACK	UINT64_C(0x7f0000200000)
#define NOTHING UINT64_C(0x7f0000900000)

static const char mappings[] =
	"7f0000000000-7f0000010000 rwxp 00000000 00:00 0 \n"
	"7f0000100000-7f0000110000 rw-p 00000000 00:00 0 \n"
	"7f0000200000-7f0000210000 rw-p 00000000 00:00 0 \n";

struct made {
	uint64_t word[512]; /* of the stack, from STACK on */
	uint64_t pc[8];
	size_t n;
};

static size_t read_made(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct made *m = ctx;
	uint64_t in = addr - STACK;

	if (in >= sizeof(m->word)) {
		if (addr - CODE >= 0x10000)
			return 0;
		memset(buf, 0x90, len);
		return len;
	}
	if (len > sizeof(m->word) - in)
		len = (size_t)(sizeof(m->word) - in);
	memcpy(buf, (const uint8_t *)m->word + in, len);
	return len;
}

static bool take(void *ctx, const struct ht_call_frame *f)
{
	struct made *m = ctx;

	m->pc[m->n++] = f->pc;
	return m->n < sizeof(m->pc) / sizeof(*m->pc);
}

/* Frames of 64 bytes, each with its caller's frame pointer and `back` of it. */
static void unwind(struct made *m, const uint64_t *back, size_t n)
{
	static const struct ht_reader_ops ops = {.name = "made",
						 .read = read_made};
	struct ht_reader reader = {.ops = &ops,
				   .ctx = m,
				   .word = sizeof(uint64_t),
				   .bytes_left = UINT64_MAX};
	const struct ht_thread_state at = {.pc = CODE + 0x10,
					   .sp = STACK + 0x10,
					   .frame = STACK + 0x40,
					   .registers = true};
	struct ht_maps maps = {0};

	*m = (struct made){0};
	for (size_t i = 0; i < n; i++) {
		m->word[8 * (i + 1)] = i + 1 < n ? STACK + 64 * (i + 2) : 0;
		m->word[8 * (i + 1) + 1] = back[i];
	}
	assert_int_equal(ht_maps_parse(mappings, strlen(mappings), &maps, NULL),
			 HT_OK);
	ht_frames_each(&at, &reader, &maps, NULL, take, m);
	ht_maps_fini(&maps);
}

static void callers_in_code_are_followed(void **state)
{
	const uint64_t back[] = {CODE + 0x20, CODE + 0x30, CODE + 0x40};
	struct made m;

	(void)state;
	unwind(&m, back, 3);
	assert_int_equal(m.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(m.pc[i], CODE + 0x10 * (i + 1));
}

static void what_is_no_code_ends_a_stack_and_is_no_frame(void **state)
{
	static const uint64_t odd[] = {DATA + 0x20, NOTHING, STACK,
				       1,	    0,	     UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		const uint64_t back[] = {CODE + 0x20, odd[i], CODE + 0x40};
		struct made m;

		unwind(&m, back, 3);
		assert_int_equal(m.n, 2);
		assert_int_equal(m.pc[1], CODE + 0x20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callers_in_code_are_followed),
		cmocka_unit_test(what_is_no_code_ends_a_stack_and_is_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
