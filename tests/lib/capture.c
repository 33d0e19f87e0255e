/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *file;
static int real_stdout;

void capture_begin(void)
{
	fflush(stdout);
	real_stdout = dup(STDOUT_FILENO);
	file = tmpfile();
	if (!file || real_stdout < 0 || dup2(fileno(file), STDOUT_FILENO) < 0)
		abort();
}

char *capture_end(void)
{
	char *text;
	long size;

	fflush(stdout);
	dup2(real_stdout, STDOUT_FILENO);
	close(real_stdout);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
		abort();
	fclose(file);
	return text;
}
