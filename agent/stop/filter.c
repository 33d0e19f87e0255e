/* SPDX-License-Identifier: Apache-2.0 */
/* All ways through the program are gone: where what is compared is not known,
 * both. It has no way back, so each comes to an end. */
#include "agent/stop/filter.h"

#include <linux/seccomp.h>
#include <stdlib.h>

#include "agent/arch/arch.h"
#include "common/cleanup.h"

#define STEPS_MAX 200000
#define OPEN_MAX  512

struct value {
	uint32_t v;
	bool known;
};

struct way {
	size_t at;
	struct value a, x, m[BPF_MEMWORDS];
};

struct walk {
	const struct sock_filter *program;
	size_t n;
	const struct ht_filter_call *call;
	struct way open[OPEN_MAX]; /* not gone yet */
	size_t open_n;
	unsigned steps;
};

enum outcome { GOES_ON, ALLOWED, FORBIDDEN };

static struct value known(uint32_t v)
{
	return (struct value){v, true};
}

/* A word of struct seccomp_data. */
static struct value data(const struct ht_filter_call *c, uint32_t offset)
{
	const uint32_t args = offsetof(struct seccomp_data, args);
	uint32_t i;

	if (offset == offsetof(struct seccomp_data, nr))
		return known((uint32_t)c->nr);
	if (offset == offsetof(struct seccomp_data, arch))
		return known(HT_AUDIT_ARCH);
	if (offset < args || offset >= sizeof(struct seccomp_data))
		return (struct value){0, false};
	i = (offset - args) / 8;
	return (struct value){(uint32_t)(c->arg[i] >> ((offset & 4) * 8)),
			      c->known >> i & 1};
}

static bool calculate(struct way *w, uint16_t op, struct value b)
{
	uint32_t a = w->a.v;

	w->a.known &= b.known;
	switch (op) {
	case BPF_ADD:
		w->a.v = a + b.v;
		return true;
	case BPF_SUB:
		w->a.v = a - b.v;
		return true;
	case BPF_MUL:
		w->a.v = a * b.v;
		return true;
	case BPF_DIV: /* by nothing: the kernel returns 0, a kill */
		w->a.v = b.v ? a / b.v : 0;
		return b.known && b.v != 0;
	case BPF_AND:
		w->a.v = a & b.v;
		return true;
	case BPF_OR:
		w->a.v = a | b.v;
		return true;
	case BPF_XOR:
		w->a.v = a ^ b.v;
		return true;
	case BPF_LSH:
		w->a.v = b.v < 32 ? a << b.v : 0;
		return b.known && b.v < 32;
	case BPF_RSH:
		w->a.v = b.v < 32 ? a >> b.v : 0;
		return b.known && b.v < 32;
	case BPF_NEG:
		w->a.v = 0u - a;
		return true;
	default:
		return false;
	}
}

static bool compare(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return (a & b) != 0;
	}
}

static enum outcome jump(struct walk *k, struct way *w,
			 const struct sock_filter *f)
{
	struct value b = BPF_SRC(f->code) == BPF_X ? w->x : known(f->k);

	if (BPF_OP(f->code) == BPF_JA) {
		w->at += f->k;
		return GOES_ON;
	}
	if (BPF_OP(f->code) > BPF_JSET)
		return FORBIDDEN;
	if (w->a.known && b.known) {
		w->at += compare(BPF_OP(f->code), w->a.v, b.v) ? f->jt : f->jf;
		return GOES_ON;
	}
	if (k->open_n == OPEN_MAX)
		return FORBIDDEN;
	k->open[k->open_n] = *w;
	k->open[k->open_n++].at += f->jf;
	w->at += f->jt;
	return GOES_ON;
}

/* Into A, or X. */
static enum outcome load(const struct walk *k, struct way *w,
			 const struct sock_filter *f, struct value *to)
{
	switch (BPF_MODE(f->code)) {
	case BPF_ABS:
		*to = data(k->call, f->k);
		return GOES_ON;
	case BPF_IMM:
		*to = known(f->k);
		return GOES_ON;
	case BPF_LEN:
		*to = known(sizeof(struct seccomp_data));
		return GOES_ON;
	case BPF_MEM:
		if (f->k >= BPF_MEMWORDS)
			return FORBIDDEN;
		*to = w->m[f->k];
		return GOES_ON;
	default:
		return FORBIDDEN;
	}
}

static enum outcome store(struct way *w, const struct sock_filter *f,
			  struct value v)
{
	if (f->k >= BPF_MEMWORDS)
		return FORBIDDEN;
	w->m[f->k] = v;
	return GOES_ON;
}

static enum outcome answer(const struct way *w, const struct sock_filter *f)
{
	struct value v = BPF_RVAL(f->code) == BPF_A ? w->a : known(f->k);

	return v.known && (v.v & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW
		       ? ALLOWED
		       : FORBIDDEN;
}

static enum outcome step(struct walk *k, struct way *w)
{
	const struct sock_filter *f = &k->program[w->at++];

	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
		return load(k, w, f, &w->a);
	case BPF_LDX:
		return load(k, w, f, &w->x);
	case BPF_ST:
		return store(w, f, w->a);
	case BPF_STX:
		return store(w, f, w->x);
	case BPF_ALU:
		return calculate(w, BPF_OP(f->code),
				 BPF_SRC(f->code) == BPF_X ? w->x : known(f->k))
			       ? GOES_ON
			       : FORBIDDEN;
	case BPF_JMP:
		return jump(k, w, f);
	case BPF_RET:
		return answer(w, f);
	default: /* BPF_MISC */
		if (BPF_MISCOP(f->code) == BPF_TAX)
			w->x = w->a;
		else
			w->a = w->x;
		return GOES_ON;
	}
}

static enum outcome go(struct walk *k, struct way w)
{
	enum outcome o = GOES_ON;

	while (o == GOES_ON) {
		if (w.at >= k->n || k->steps++ == STEPS_MAX)
			return FORBIDDEN;
		o = step(k, &w);
	}
	return o;
}

bool ht_filter_allows(const struct sock_filter *program, size_t n,
		      const struct ht_filter_call *call)
{
	HT_AUTO_FREE struct walk *k = malloc(sizeof(*k)); /* some 70 KB */

	if (!k)
		return false;
	k->program = program;
	k->n = n;
	k->call = call;
	k->steps = 0;
	k->open[0] = (struct way){.a = known(0), .x = known(0)};
	k->open_n = 1;
	while (k->open_n > 0)
		if (go(k, k->open[--k->open_n]) != ALLOWED)
			return false;
	return true;
}
