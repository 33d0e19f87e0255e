/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine can do, for unit tests: the facts of tests/lib/machine.sh.
 */
#ifndef HT_TESTS_MACHINE_H
#define HT_TESTS_MACHINE_H

/* Goes on where the machine has the fact; else the running cmocka test ends
 * here, told as skipped with the reason. Fails it where nobody can tell. */
void needs(const char *fact);

#endif
