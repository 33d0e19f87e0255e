/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/csv.h"

#include <stdio.h>

void ht_csv_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}
