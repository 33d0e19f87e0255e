/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are flat values: made beside a stopped target, where allocating is
 * unwise, sent over a socket, read by a person. One table, schema/errors.def,
 * gives each code its exit status, its metric label and the hint for people.
 *
 * A function that can fail returns enum ht_code and takes `struct ht_err *err`
 * last; results go to `ret` parameters, set on success only. `err` may be NULL
 * when the caller wants the code alone.
 */
#ifndef HT_COMMON_ERR_H
#define HT_COMMON_ERR_H

#include <stdint.h>

enum ht_code {
#define HT_ERROR(code, exit_status, label, hint) HT_##code,
#include "schema/errors.def"
#undef HT_ERROR
	HT_CODE_COUNT
};

struct ht_err {
	uint32_t code;	  /* enum ht_code */
	int32_t os_errno; /* 0 where no system call failed */
	uint64_t addr;	  /* target address, 0 unless HT_FAULT or HT_CORRUPT */
	char msg[232];	  /* what, on what, why; always NUL-terminated */
};
_Static_assert(sizeof(struct ht_err) == 248, "struct ht_err is a wire record");

#define HT_MUST_CHECK	     __attribute__((warn_unused_result))
#define HT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fills err (NULL: does nothing). The message is cut if too long. */
void ht_err_put(struct ht_err *err, enum ht_code code, uint64_t addr,
		int os_errno, const char *fmt, ...) HT_PRINTF(5, 6);

/* Puts "context: " in front of the message that is there. */
void ht_err_in(struct ht_err *err, const char *fmt, ...) HT_PRINTF(2, 3);

/* The table's columns; code out of range gives HT_BUG's. Static strings. */
int ht_code_exit_status(enum ht_code code);
const char *ht_code_label(enum ht_code code);
const char *ht_code_hint(enum ht_code code);

/* Macros, so that compilers and analyzers see the constant that is returned. */
#define ht_fail(err, code, ...)                                                \
	(ht_err_put((err), (code), 0, 0, __VA_ARGS__), (code))
#define ht_fail_at(err, code, addr, ...)                                       \
	(ht_err_put((err), (code), (addr), 0, __VA_ARGS__), (code))
/* Adds errno in words. `code` says what it means to the user. */
#define ht_fail_sys(err, code, number, ...)                                    \
	(ht_err_put((err), (code), 0, (number), __VA_ARGS__), (code))

#endif
