/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/system.h"

static const struct {
	int exit_status;
	const char *label;
	const char *hint;
} codes[HT_CODE_COUNT] = {
#define HT_ERROR(code, exit_status, label, hint)                               \
	[HT_##code] = {exit_status, label, hint},
#include "schema/errors.def"
#undef HT_ERROR
};

void ht_err_put(struct ht_err *err, enum ht_code code, uint64_t addr,
		int os_errno, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return;
	err->code = code;
	err->addr = addr;
	err->os_errno = os_errno;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	if (os_errno)
		snprintf(err->msg + used, sizeof(err->msg) - used, ": %s",
			 ht_errno_text(os_errno));
}

void ht_err_in(struct ht_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t used;

	if (!err)
		return;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", old);
}

static enum ht_code known(enum ht_code code)
{
	return (unsigned)code < HT_CODE_COUNT ? code : HT_BUG;
}

int ht_code_exit_status(enum ht_code code)
{
	return codes[known(code)].exit_status;
}

const char *ht_code_label(enum ht_code code)
{
	return codes[known(code)].label;
}

const char *ht_code_hint(enum ht_code code)
{
	return codes[known(code)].hint;
}
