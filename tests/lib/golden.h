/* SPDX-License-Identifier: Apache-2.0 */
/* Golden screens: what is printed at 60, 80 and 200 columns, with and without
 * UTF-8, is what stands in a file. */
#ifndef HT_TESTS_GOLDEN_H
#define HT_TESTS_GOLDEN_H

#include "cli/term.h"

/* Fails where the screens differ from the file's, or a line is wider than its
 * screen. HT_WRITE_GOLDEN=1 writes the file: look at it before it is committed.
 */
void golden_hold(const char *path, void (*print)(const struct ht_term *));

#endif
