/* SPDX-License-Identifier: Apache-2.0 */
/* Prints analysis/thresholds.def as a markdown table. */
#include <stdio.h>

#include "analysis/thresholds.h"

int main(void)
{
	puts("| threshold | value | meaning |\n| --- | --- | --- |");
	for (const struct ht_threshold_info *t = ht_threshold_infos; t->id; t++)
		printf("| %s | %.10g | %s |\n", t->id, t->value, t->meaning);
	return 0;
}
