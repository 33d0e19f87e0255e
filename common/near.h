/* SPDX-License-Identifier: Apache-2.0 */
/* Near: which word was meant by a mistyped one. */
#ifndef HT_COMMON_NEAR_H
#define HT_COMMON_NEAR_H

#include <stddef.h>

/* The i-th word; NULL after the last. */
typedef const char *ht_near_words(const void *ctx, size_t i);

/* The word that is at most two letters away (one for words of up to three), or
 * else the only one that `word` begins. NULL: none. */
const char *ht_near(const char *word, ht_near_words *words, const void *ctx);

/* "; did you mean 'NEAR'?", or "" for NULL: the end of an error's text. */
#define HT_NEAR_TEXT 96
const char *ht_near_text(const char *near, char out[HT_NEAR_TEXT]);

#endif
