/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern and a text, with a zero byte between them: compiled or refused with
 * words, and answered, whatever both are. libFuzzer's limits on time and memory
 * are the claim: neither can hold the daemon.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/config/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *zero = memchr(data, '\0', size);
	size_t len = zero ? (size_t)(zero - (const char *)data) : size;
	const char *text = zero ? zero + 1 : "";
	char *pattern = strndup((const char *)data, len);
	struct ht_pattern *p;
	struct ht_err err = {0};

	if (!pattern)
		return 0;
	if (ht_pattern_compile(pattern, &p, &err) == HT_OK) {
		ht_pattern_find(p, text, zero ? size - len - 1 : 0);
		ht_pattern_free(p);
	} else if (!err.msg[0]) {
		abort();
	}
	free(pattern);
	return 0;
}
