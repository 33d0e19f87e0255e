/* SPDX-License-Identifier: Apache-2.0 */
#include "common/near.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 48

/* Levenshtein's distance; long words count as far away. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *ht_near(const char *word, ht_near_words *words, const void *ctx)
{
	const char *near = NULL, *begun = NULL, *w;
	size_t best = strlen(word) > 3 ? 3 : 2, beginnings = 0;

	for (size_t i = 0; (w = words(ctx, i)) != NULL; i++) {
		size_t d = distance(word, w);

		if (d < best) {
			best = d;
			near = w;
		}
		if (*word && strncmp(word, w, strlen(word)) == 0) {
			beginnings++;
			begun = w;
		}
	}
	return near ? near : beginnings == 1 ? begun : NULL;
}

const char *ht_near_text(const char *near, char out[HT_NEAR_TEXT])
{
	out[0] = '\0';
	if (near)
		snprintf(out, HT_NEAR_TEXT, "; did you mean '%.60s'?", near);
	return out;
}
