/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Complete: what may stand next on a command line, for the shells. The hidden
 * `heaptide __complete WORD...` gets the words after "heaptide" up to the one
 * that is typed (it may be empty), and prints a candidate a line, a tab, and
 * what it means. Lines that begin with a colon ask the shell itself:
 *   :files     names of files
 *   :commands  names of programs
 *   :nospace   what is completed may go on (a list with commas)
 */
#ifndef HT_CLI_COMPLETE_H
#define HT_CLI_COMPLETE_H

#define HT_COMPLETE_COMMAND "__complete"

/* Never fails: where nothing is known nothing is printed. Returns 0. */
int ht_complete(int words, char **word);

#endif
