/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a browser sends to the live page: an address on the first line, a Host
 * header on the second. An address that means something is written in one way
 * alone; a name that is this machine's own cannot be read as another's.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/http/ui.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_address(const char *url)
{
	bool document = false;
	int64_t id = ht_ui_route(url, &document);
	char again[64];

	if (id < 0)
		return;
	if (id)
		snprintf(again, sizeof(again), "/p/%" PRId64 "%s", id,
			 document ? ".json" : "");
	else
		snprintf(again, sizeof(again), "/%s",
			 document ? "index.json" : "");
	if (strcmp(url, again) != 0)
		abort();
}

/* A browser takes the name up to a port, and signs such as @ and / end it. */
static void try_host(const char *host)
{
	if (!ht_ui_is_own_host(host))
		return;
	if (strncasecmp(host, "localhost", 9) != 0 &&
	    strncmp(host, "127.", 4) != 0 && *host != '[')
		abort();
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".:[]", *c))
			abort();
	if (*host == '[' ? strchr(host, ']') == NULL
			 : strchr(host, ':') != strrchr(host, ':'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *host;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	host = strchr(text, '\n');
	if (host)
		*host++ = '\0';
	try_address(text);
	if (host)
		try_host(host);
	free(text);
	return 0;
}
