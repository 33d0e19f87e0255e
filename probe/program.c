/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/program.h"

#include "agent/arch/arch.h"

/* The kernel's numbers of the functions that are called. */
enum {
	F_LOOKUP = 1,
	F_UPDATE = 2,
	F_KTIME = 5,
	F_TASK = 14,
	F_READ_USER = 112,
	F_RESERVE = 131,
	F_SUBMIT = 132,
	F_COOKIE = 174,
};

#define NO_WAKEUP 1 /* BPF_RB_NO_WAKEUP */

enum label {
	L_NONE,
	L_RETURN,
	L_SIZED,
	L_KEEP,
	L_TAKE,
	L_SKIP,
	L_CHUNK,
	L_OLD,
	L_RECORD,
	L_READ,
	L_LOST,
	L_DONE,
	LABELS,
};

enum map { NO_MAP, STATE, RING, ARGS };

/* One instruction; `label` names its place, `to` the place that it jumps to,
 * `map` what it loads. */
struct row {
	struct bpf_insn insn;
	uint8_t label, to, map;
};

#define ROW(code_, dst, src, off_, imm_)                                       \
	.insn = {.code = (code_),                                              \
		 .dst_reg = (dst),                                             \
		 .src_reg = (src),                                             \
		 .off = (off_),                                                \
		 .imm = (imm_)}
#define MOV(dst, src)                                                          \
	{                                                                      \
		ROW(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)               \
	}
#define MOV_I(dst, imm)                                                        \
	{                                                                      \
		ROW(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)               \
	}
#define OP(op, dst, src)                                                       \
	{                                                                      \
		ROW(BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)                  \
	}
#define OP_I(op, dst, imm)                                                     \
	{                                                                      \
		ROW(BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)                  \
	}
#define LOAD(dst, src, off)                                                    \
	{                                                                      \
		ROW(BPF_LDX | BPF_MEM | BPF_DW, dst, src, off, 0)              \
	}
#define STORE(dst, off, src)                                                   \
	{                                                                      \
		ROW(BPF_STX | BPF_MEM | BPF_DW, dst, src, off, 0)              \
	}
#define STORE_I(dst, off, imm)                                                 \
	{                                                                      \
		ROW(BPF_ST | BPF_MEM | BPF_DW, dst, 0, off, imm)               \
	}
#define STORE_I32(dst, off, imm)                                               \
	{                                                                      \
		ROW(BPF_ST | BPF_MEM | BPF_W, dst, 0, off, imm)                \
	}
#define STORE32(dst, off, src)                                                 \
	{                                                                      \
		ROW(BPF_STX | BPF_MEM | BPF_W, dst, src, off, 0)               \
	}
#define ADD_ATOMIC(dst, off, src)                                              \
	{                                                                      \
		ROW(BPF_STX | 0xc0 | BPF_DW, dst, src, off, 0)                 \
	} /* BPF_ATOMIC, add */
#define CALL(fn)                                                               \
	{                                                                      \
		ROW(BPF_JMP | BPF_CALL, 0, 0, 0, fn)                           \
	}
#define EXIT()                                                                 \
	{                                                                      \
		ROW(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)                            \
	}
#define GO(to_)                                                                \
	{                                                                      \
		ROW(BPF_JMP | BPF_JA, 0, 0, 0, 0), .to = (to_)                 \
	}
#define IF(op, a, b, to_)                                                      \
	{                                                                      \
		ROW(BPF_JMP | (op) | BPF_X, a, b, 0, 0), .to = (to_)           \
	}
#define IF_I(op, a, imm, to_)                                                  \
	{                                                                      \
		ROW(BPF_JMP | (op) | BPF_K, a, 0, 0, imm), .to = (to_)         \
	}
/* Two instructions: a map, or the address of an array's value. */
#define MAP(dst, map_)                                                         \
	{ROW(BPF_LD | BPF_DW | BPF_IMM, dst, 1, 0, 0), .map = (map_)},         \
	{                                                                      \
		ROW(0, 0, 0, 0, 0)                                             \
	}
#define VALUE(dst, map_)                                                       \
	{ROW(BPF_LD | BPF_DW | BPF_IMM, dst, 2, 0, 0), .map = (map_)},         \
	{                                                                      \
		ROW(0, 0, 0, 0, 0)                                             \
	}
#define AT(label_)                                                             \
	{                                                                      \
		ROW(BPF_JMP | BPF_JA, 0, 0, 0, 0), .label = (label_)           \
	}

#define STATE_AT(member)   ((int)offsetof(struct ht_program_state, member))
#define SAMPLE_AT(member)  ((int)offsetof(struct ht_probe_sample, member))
#define KEEP_REG(name, at) LOAD(1, 6, at), STORE(7, SAMPLE_AT(regs.name), 1)

/* Registers: 6 the context, 7 the state or the sample, 8 the kind, 9 a value.
 * Stack: -8 the task; -24 and -16 what an entry keeps. */
#define BEGIN                                                                  \
	MOV(6, 1), CALL(F_COOKIE), MOV(8, 0), VALUE(7, STATE),                 \
		LOAD(9, 6, HT_PT_PC)

/* Counts a call, and chooses by the size that is asked for. */
static const struct row entry[] = {
	BEGIN,
	MOV(1, 8),
	OP_I(BPF_LSH, 1, 8),
	OP_I(BPF_RSH, 1, 8),
	OP_I(BPF_RSH, 8, HT_PROGRAM_KIND_SHIFT),
	IF(BPF_JNE, 9, 1, L_RETURN),
	MOV_I(1, 1),
	ADD_ATOMIC(7, STATE_AT(hits), 1),
	LOAD(1, 7, STATE_AT(hits)),
	LOAD(2, 7, STATE_AT(max_hits)),
	IF(BPF_JGT, 1, 2, L_SKIP),
	LOAD(9, 6, HT_PT_ARGUMENT_1),
	LOAD(3, 6, HT_PT_ARGUMENT_2),
	LOAD(4, 6, HT_PT_ARGUMENT_3),
	MOV(1, 9),
	IF_I(BPF_JEQ, 8, HT_PROBE_SIZE_1, L_SIZED),
	MOV(1, 3),
	IF_I(BPF_JEQ, 8, HT_PROBE_SIZE_2, L_SIZED),
	IF_I(BPF_JEQ, 8, HT_PROBE_REALLOC, L_SIZED),
	MOV(1, 4),
	IF_I(BPF_JEQ, 8, HT_PROBE_SIZE_3, L_SIZED),
	MOV(1, 9),
	OP(BPF_MUL, 1, 3),
	AT(L_SIZED),
	LOAD(2, 7, STATE_AT(min_size)),
	IF(BPF_JLT, 1, 2, L_SKIP),
	LOAD(2, 7, STATE_AT(max_size)),
	IF(BPF_JGT, 1, 2, L_SKIP),
	STORE(10, -24, 9), /* posix_memalign: where the result is stored */
	STORE_I(10, -16, 0),
	IF_I(BPF_JEQ, 8, HT_PROBE_SIZE_3, L_KEEP),
	IF_I(BPF_JNE, 8, HT_PROBE_REALLOC, L_TAKE),
	IF_I(BPF_JEQ, 9, 0, L_KEEP), /* realloc(NULL): no chunk ends */
	MOV(1, 10),
	OP_I(BPF_ADD, 1, -16),
	MOV_I(2, 8),
	MOV(3, 9),
	OP_I(BPF_ADD, 3, -8),
	CALL(F_READ_USER),
	AT(L_KEEP),
	CALL(F_TASK),
	STORE(10, -8, 0),
	MAP(1, ARGS),
	MOV(2, 10),
	OP_I(BPF_ADD, 2, -8),
	MOV(3, 10),
	OP_I(BPF_ADD, 3, -24),
	MOV_I(4, 0),
	CALL(F_UPDATE),
	AT(L_TAKE),
	MOV_I(0, 0),
	EXIT(),
	AT(L_SKIP),
	MOV_I(0, 1), /* no return is waited for */
	EXIT(),
};

/* What the entry has kept: 9 becomes the chunk, -24 the old one, -16 its
 * header.
 */
static const struct row recall[] = {
	AT(L_RETURN),
	LOAD(9, 6, HT_PT_RESULT),
	STORE_I(10, -16, 0),
	STORE_I(10, -24, 0),
	CALL(F_TASK),
	STORE(10, -8, 0),
	IF_I(BPF_JEQ, 8, HT_PROBE_REALLOC, L_OLD),
	IF_I(BPF_JNE, 8, HT_PROBE_SIZE_3, L_CHUNK),
	MAP(1, ARGS),
	MOV(2, 10),
	OP_I(BPF_ADD, 2, -8),
	CALL(F_LOOKUP),
	IF_I(BPF_JEQ, 0, 0, L_DONE),
	LOAD(3, 0, 0),
	MOV(1, 10),
	OP_I(BPF_ADD, 1, -16),
	MOV_I(2, 8),
	CALL(F_READ_USER),
	LOAD(9, 10, -16),
	STORE_I(10, -16, 0),
	GO(L_CHUNK),
	AT(L_OLD),
	STORE_I(10, -16, -1),
	MAP(1, ARGS),
	MOV(2, 10),
	OP_I(BPF_ADD, 2, -8),
	CALL(F_LOOKUP),
	IF_I(BPF_JEQ, 0, 0, L_CHUNK),
	LOAD(1, 0, 0),
	STORE(10, -24, 1),
	LOAD(1, 0, 8),
	STORE(10, -16, 1),
};

/* Without an entry all is chosen that is of the size when it returns: the
 * chunk's own size is what there is then. */
static const struct row choose_late[] = {
	BEGIN,
	OP_I(BPF_RSH, 8, HT_PROGRAM_KIND_SHIFT),
	MOV_I(1, 1),
	ADD_ATOMIC(7, STATE_AT(hits), 1),
	LOAD(1, 7, STATE_AT(hits)),
	LOAD(2, 7, STATE_AT(max_hits)),
	IF(BPF_JGT, 1, 2, L_DONE),
	CALL(F_TASK),
	STORE(10, -8, 0),
	LOAD(9, 6, HT_PT_RESULT),
	IF_I(BPF_JEQ, 9, 0, L_DONE),
	STORE_I(10, -24, 0),
	STORE_I(10, -16, 0),
	MOV(1, 10),
	OP_I(BPF_ADD, 1, -16),
	MOV_I(2, 8),
	MOV(3, 9),
	OP_I(BPF_ADD, 3, -8),
	CALL(F_READ_USER),
	LOAD(1, 10, -16),
	OP_I(BPF_AND, 1, -8),
	IF_I(BPF_JLT, 1, 32, L_DONE),
	OP_I(BPF_ADD, 1, -8), /* the most that could be asked for */
	LOAD(2, 7, STATE_AT(min_size)),
	IF(BPF_JLT, 1, 2, L_DONE),
	OP_I(BPF_ADD, 1, -16), /* less than could be */
	LOAD(2, 7, STATE_AT(max_size)),
	IF(BPF_JGE, 1, 2, L_DONE),
	STORE_I(10, -16, 0),
	IF_I(BPF_JNE, 8, HT_PROBE_REALLOC, L_CHUNK),
	STORE_I(10, -16, -1), /* what it was is not known any more */
};

/* Writes the sample. */
static const struct row record[] = {
	AT(L_CHUNK),
	IF_I(BPF_JEQ, 9, 0, L_DONE),
	MOV_I(1, 1),
	ADD_ATOMIC(7, STATE_AT(chosen), 1),
	MAP(1, RING),
	MOV_I(2, (int)sizeof(struct ht_probe_sample)),
	MOV_I(3, 0),
	CALL(F_RESERVE),
	IF_I(BPF_JEQ, 0, 0, L_LOST),
	AT(L_RECORD),
	MOV(7, 0),
	STORE_I32(7, SAMPLE_AT(magic), HT_PROBE_MAGIC),
	STORE32(7, SAMPLE_AT(kind), 8),
	STORE(7, SAMPLE_AT(address), 9),
	LOAD(1, 10, -8),
	STORE(7, SAMPLE_AT(task), 1),
	LOAD(1, 10, -16),
	STORE(7, SAMPLE_AT(old), 1),
	LOAD(1, 10, -24),
	STORE(7, SAMPLE_AT(old_address), 1),
	KEEP_REG(pc, HT_PT_PC),
	KEEP_REG(sp, HT_PT_SP),
	KEEP_REG(frame, HT_PT_FRAME),
	CALL(F_KTIME),
	STORE(7, SAMPLE_AT(time_ns), 0),
	STORE_I(7, SAMPLE_AT(header), 0),
	MOV(1, 7),
	OP_I(BPF_ADD, 1, SAMPLE_AT(header)),
	MOV_I(2, 8),
	MOV(3, 9),
	OP_I(BPF_ADD, 3, -8),
	CALL(F_READ_USER),
};

/* As much of the stack as there is: all, or piece by piece up to its end. */
#define PIECE 512
_Static_assert(HT_PROBE_STACK == 16 * PIECE, "as many pieces as stand below");
#define READ_STACK(from, len)                                                  \
	MOV(1, 7), OP_I(BPF_ADD, 1, SAMPLE_AT(stack) + (from)), MOV_I(2, len), \
		LOAD(3, 7, SAMPLE_AT(regs.sp)), OP_I(BPF_ADD, 3, from),        \
		CALL(F_READ_USER)
#define READ_PIECE(k)                                                          \
	READ_STACK((k)*PIECE, PIECE), IF_I(BPF_JNE, 0, 0, L_READ),             \
		STORE_I(7, SAMPLE_AT(stack_len), ((k) + 1) * PIECE)
static const struct row read_stack[] = {
	STORE_I(7, SAMPLE_AT(stack_len), HT_PROBE_STACK),
	READ_STACK(0, HT_PROBE_STACK),
	IF_I(BPF_JEQ, 0, 0, L_READ),
	STORE_I(7, SAMPLE_AT(stack_len), 0),
	READ_PIECE(0),
	READ_PIECE(1),
	READ_PIECE(2),
	READ_PIECE(3),
	READ_PIECE(4),
	READ_PIECE(5),
	READ_PIECE(6),
	READ_PIECE(7),
	READ_PIECE(8),
	READ_PIECE(9),
	READ_PIECE(10),
	READ_PIECE(11),
	READ_PIECE(12),
	READ_PIECE(13),
	READ_PIECE(14),
	READ_PIECE(15),
	AT(L_READ),
	MOV(1, 7),
	MOV_I(2, NO_WAKEUP),
	CALL(F_SUBMIT),
	GO(L_DONE),
	AT(L_LOST),
	MOV_I(1, 1),
	ADD_ATOMIC(7, STATE_AT(lost), 1),
	AT(L_DONE),
	MOV_I(0, 0),
	EXIT(),
};

#define PART(rows)                                                             \
	{                                                                      \
		rows, sizeof(rows) / sizeof((rows)[0])                         \
	}
static const struct part {
	const struct row *rows;
	size_t n;
} ways[HT_PROBE_WAYS][4] = {
	[HT_PROBE_SESSION] = {PART(entry), PART(recall), PART(record),
			      PART(read_stack)},
	[HT_PROBE_MULTI] = {PART(choose_late), PART(record), PART(read_stack)},
	[HT_PROBE_PERF] = {PART(choose_late), PART(record), PART(read_stack)},
};

static int map_fd(const struct ht_program_maps *m, uint8_t map)
{
	return map == STATE ? m->state : map == RING ? m->ring : m->args;
}

size_t ht_program_make(enum ht_probe_way way, const struct ht_program_maps *m,
		       struct bpf_insn out[HT_PROGRAM_MAX])
{
	size_t place[LABELS] = {0}, n = 0;
	uint8_t to[HT_PROGRAM_MAX] = {0};

	for (size_t p = 0; p < 4; p++)
		for (size_t i = 0; i < ways[way][p].n; i++, n++) {
			const struct row *r = &ways[way][p].rows[i];

			out[n] = r->insn;
			to[n] = r->to;
			place[r->label] = n;
			if (r->map)
				out[n].imm = map_fd(m, r->map);
		}
	for (size_t i = 0; i < n; i++)
		if (to[i])
			out[i].off = (int16_t)(place[to[i]] - i - 1);
	return n;
}
