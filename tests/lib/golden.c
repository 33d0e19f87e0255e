/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fit.h"
#include "tests/lib/capture.h"

static const int widths[] = {60, 80, 200};

/* Columns of the widest line. */
static int widest(const char *text)
{
	int most = 0;

	while (*text) {
		size_t bytes = strcspn(text, "\n");
		int columns = ht_fit_columns(text, bytes);

		most = columns > most ? columns : most;
		text += bytes + (text[bytes] == '\n');
	}
	return most;
}

static char *screen(void (*print)(const struct ht_term *),
		    const struct ht_term *term)
{
	char *text;

	capture_begin();
	print(term);
	text = capture_end();
	if (widest(text) > term->width)
		fail_msg("%d columns on a screen of %d:\n%s", widest(text),
			 term->width, text);
	return text;
}

static void put_all(FILE *to, void (*print)(const struct ht_term *))
{
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (int utf8 = 0; utf8 < 2; utf8++)
		for (size_t i = 0; i < 3; i++) {
			const struct ht_term term = {.width = widths[i],
						     .utf8 = utf8};
			char *text = screen(print, &term);

			fprintf(to, "== %d columns, %s ==\n%s", widths[i],
				utf8 ? "UTF-8" : "ASCII", text);
			free(text);
		}
}

void golden_hold(const char *path, void (*print)(const struct ht_term *))
{
	char *text = NULL, *there = NULL;
	size_t len, there_len = 0;
	FILE *f = open_memstream(&text, &len);

	put_all(f, print);
	fclose(f);
	if (getenv("HT_WRITE_GOLDEN")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(getdelim(&there, &there_len, '\0', f) > 0);
	fclose(f);
	assert_string_equal(text, there);
	free(text);
	free(there);
}
