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

/* What to do: mostly the code tells (HT_HINT_CODE); a call that knows better
 * says so. schema/hints.def lists the texts. */
enum ht_hint {
	HT_HINT_CODE,
#define HT_HINT(name, text) HT_HINT_##name,
#include "schema/hints.def"
#undef HT_HINT
	HT_HINT_COUNT
};

struct ht_err {
	uint16_t code;	  /* enum ht_code */
	uint16_t hint;	  /* enum ht_hint */
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

/* Says what to do about this very error; NULL: does nothing. */
void ht_err_advise(struct ht_err *err, enum ht_hint hint);
/* That, or what the code says. "": nothing but the message. Static. */
const char *ht_err_hint(const struct ht_err *err);
/* The hint with this text; HT_HINT_CODE: none has it. */
enum ht_hint ht_hint_find(const char *text);

/* Macros, so that compilers and analyzers see the constant that is returned. */
#define ht_fail(err, code, ...)                                                \
	(ht_err_put((err), (code), 0, 0, __VA_ARGS__), (code))
/* With what to do about it, where that is not what the code says. */
#define ht_fail_hint(err, code, hint, ...)                                     \
	(ht_err_put((err), (code), 0, 0, __VA_ARGS__),                         \
	 ht_err_advise((err), (hint)), (code))
#define ht_fail_at(err, code, addr, ...)                                       \
	(ht_err_put((err), (code), (addr), 0, __VA_ARGS__), (code))
/* Adds errno in words. `code` says what it means to the user. */
#define ht_fail_sys(err, code, number, ...)                                    \
	(ht_err_put((err), (code), 0, (number), __VA_ARGS__), (code))

#endif
