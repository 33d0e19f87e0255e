/* SPDX-License-Identifier: Apache-2.0 */
/* CSV on stdout, as RFC 4180 quotes it (lines end as Unix has them). */
#ifndef HT_CLI_CSV_H
#define HT_CLI_CSV_H

/* A value that is text: in quotes, its own quotes doubled. */
void ht_csv_text(const char *text);

#endif
