/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

void needs(const char *fact)
{
	char command[4096], why[256] = "";
	FILE *probe;
	int status;

	snprintf(command, sizeof(command), "%s/tests/lib/machine.sh %s 2>&1",
		 getenv("HT_TOP") ?: ".", fact);
	probe = popen(command, "r");
	assert_non_null(probe);
	if (fgets(why, sizeof(why), probe))
		why[strcspn(why, "\n")] = '\0';
	status = pclose(probe);
	if (status == 0)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
		fail_msg("%s", why);
	print_message("# without %s\n", why);
	skip();
}
