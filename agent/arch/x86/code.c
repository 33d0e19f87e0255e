/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of x86-64 that tell what a function calls and refers to. */
#include <string.h>

#include "agent/arch/arch.h"

#define CALL	   0xe8
#define JUMP	   0xe9
#define TWO_BYTES  0x0f
#define JUMP_IF	   0x80 /* ... to 0x8f, as the second byte */
#define LEA	   0x8d
#define MOVE_32	   0xb8 /* ... to 0xbf: a number to a register */
#define WIDE	   0x48 /* a prefix: 64 bits */
#define WIDE_BITS  0xf8
#define OF_UNARY   0xf7
#define MULTIPLY   0xe0 /* ... to 0xe7: of a register */
#define TO_PC	   0x05 /* an operand relative to what comes next */
#define TO_PC_BITS 0xc7

static int32_t distance(const uint8_t *at)
{
	int32_t d;

	memcpy(&d, at, sizeof(d));
	return d;
}

enum ht_branch ht_code_branch(const uint8_t *at, size_t n, uint64_t address,
			      uint64_t *ret)
{
	bool conditional =
		n >= 6 && at[0] == TWO_BYTES && (at[1] & 0xf0) == JUMP_IF;
	size_t head = conditional ? 2 : 1;

	if (n < head + 4 || !(conditional || at[0] == CALL || at[0] == JUMP))
		return HT_BRANCH_NONE;
	*ret = address + head + 4 + (uint64_t)(int64_t)distance(at + head);
	return at[0] == CALL ? HT_BRANCH_CALL : HT_BRANCH_JUMP;
}

bool ht_code_refers(const uint8_t *at, size_t n, uint64_t address, uint64_t to)
{
	if (n >= 7 && (at[0] & WIDE_BITS) == WIDE && at[1] == LEA &&
	    (at[2] & TO_PC_BITS) == TO_PC)
		return address + 7 + (uint64_t)(int64_t)distance(at + 3) == to;
	return n >= 5 && (at[0] & 0xf8) == MOVE_32 &&
	       (uint32_t)distance(at + 1) == to;
}

bool ht_code_multiplies(const uint8_t *at, size_t n)
{
	return n >= 3 && (at[0] & WIDE_BITS) == WIDE && at[1] == OF_UNARY &&
	       (at[2] & 0xf8) == MULTIPLY;
}
