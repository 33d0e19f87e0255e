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

static const char *const hints[HT_HINT_COUNT] = {
#define HT_HINT(name, text) [HT_HINT_##name] = text,
#include "schema/hints.def"
#undef HT_HINT
};

void ht_err_put(struct ht_err *err, enum ht_code code, uint64_t addr,
		int os_errno, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return;
	err->code = (uint16_t)code;
	err->hint = HT_HINT_CODE;
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

void ht_err_advise(struct ht_err *err, enum ht_hint hint)
{
	if (err)
		err->hint = (uint16_t)hint;
}

const char *ht_err_hint(const struct ht_err *err)
{
	if (err->hint > HT_HINT_CODE && err->hint < HT_HINT_COUNT)
		return hints[err->hint];
	return ht_code_hint((enum ht_code)err->code);
}

enum ht_hint ht_hint_find(const char *text)
{
	for (enum ht_hint h = HT_HINT_CODE + 1; h < HT_HINT_COUNT; h++) {
		if (strcmp(hints[h], text) == 0)
			return h;
	}
	return HT_HINT_CODE;
}
