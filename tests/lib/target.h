/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: a real program under test, started from build/targets, its standard
 * output read line by line with a limit. Ended and reaped by
 * ht_target_program_end in every case.
 */
#ifndef HT_TESTS_LIB_TARGET_H
#define HT_TESTS_LIB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct program {
	pid_t pid;
	int out; /* its standard output */
	int in;	 /* its standard input */
};

/* Starts HT_BUILD/targets/NAME with arguments (a NULL ends them). */
struct program program_start(const char *name, ...) __attribute__((sentinel));
/* The next line without its end; false after limit_ms or at the end. This limit
 * is kept, since silence is waited for, too; what is waited for to come, below,
 * may take four times its limit: that is for a quiet machine. */
bool program_line(const struct program *p, char *buf, size_t size,
		  int limit_ms);
/* Waits for this very line. */
bool program_says(const struct program *p, const char *line, int limit_ms);
void program_tell(const struct program *p, const char *text);
/* SIGKILL, reaped. */
void program_end(struct program *p);

/* State letters of all threads of a process, sorted, each once: "RS". */
void process_states(pid_t pid, char *buf, size_t size);
/* No thread of it is stopped or traced: polls up to limit_ms. */
bool process_runs_free(pid_t pid, int limit_ms);
/* Waits until the state of every thread is that letter. */
bool process_is(pid_t pid, const char *wanted, int limit_ms);
/* Waits until every thread sleeps (state S). */
bool process_sleeps(pid_t pid, int limit_ms);
/* A number of /proc/PID/status; -1 when there is none. */
long process_status(pid_t pid, const char *key);

#endif
