/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Day trace: what a store has of a process, as text that tests judge.
 *
 *	build/tools/day_trace DATABASE PROCESS_ID SECONDS
 */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/needs.h"
#include "store/store.h"
#include "tests/lib/day.h"

int main(int argc, char *argv[])
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_store *st = NULL;
	struct ht_err err;
	int failed = 0;

	ht_series_init(&s);
	if (argc != 4) {
		fprintf(stderr, "usage: %s DATABASE PROCESS_ID SECONDS\n",
			argv[0]);
		return 2;
	}
	if (ht_store_open(argv[1], HT_STORE_READ, &st, &err) != HT_OK ||
	    ht_store_series(st, atoll(argv[2]), 0, INT64_MAX, 0,
			    HT_SERIES_CLASSES, &s, &err) != HT_OK) {
		fprintf(stderr, "%s: %s\n", argv[0], err.msg);
		failed = 1;
	} else {
		ht_day_write(stdout, &s, atoll(argv[3]));
	}
	ht_store_close(st);
	return failed;
}
