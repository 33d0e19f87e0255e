/* SPDX-License-Identifier: Apache-2.0 */
/* Capture: what a piece of code prints on stdout, as a string. */
#ifndef HT_TESTS_CAPTURE_H
#define HT_TESTS_CAPTURE_H

/* From now on stdout goes to a file; not nested. */
void capture_begin(void);
/* stdout is what it was; the text printed meanwhile, to be freed. */
char *capture_end(void);

#endif
