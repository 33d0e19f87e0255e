/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes for people. One place, so that tables, advice and evidence agree. */
#ifndef HT_COMMON_SIZE_H
#define HT_COMMON_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define HT_SIZE_TEXT 24
/* Powers of 1024 with one digit: "32 B", "1.0 KiB", "477.0 MiB". UINT64_MAX
 * (unknown) gives "?". Returns out. */
const char *ht_size_text(uint64_t bytes, char *out, size_t len);

/* "64k", "1.5M", "2GiB" or plain bytes. Returns 0, or -1 when it is no size. */
int ht_size_parse(const char *text, uint64_t *ret);

#endif
