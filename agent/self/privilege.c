/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "agent/self/helper.h"

static enum ht_code fail(int number, struct ht_err *err)
{
	return ht_fail_sys(err, HT_SYS, number, "set capabilities");
}

enum ht_code ht_privilege_arrive(struct ht_err *err)
{
	if (capng_get_caps_process() < 0)
		return fail(errno, err);
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if (capng_have_capability(CAPNG_PERMITTED, c))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, c);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? fail(errno, err) : HT_OK;
}

enum ht_code ht_privilege_only_own(struct ht_err *err)
{
	/* Whoever runs us without more than their own rights keeps those. */
	return getauxval(AT_SECURE) ? ht_privilege_drop(err) : HT_OK;
}

/* Capabilities are a thread's own. ret: errno, or 0. */
static void drop(void *ret)
{
	capng_clear(CAPNG_SELECT_BOTH);
	*(int *)ret = capng_apply(CAPNG_SELECT_CAPS) < 0 ? errno : 0;
}

enum ht_code ht_privilege_drop(struct ht_err *err)
{
	int helpers = 0, own;

	if (ht_helper_run(drop, &helpers))
		ht_helper_wait();
	drop(&own);
	return own || helpers ? fail(own ?: helpers, err) : HT_OK;
}

bool ht_privilege_has(unsigned capability)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, capability);
}

void ht_privilege_without_dac(void)
{
	if (!ht_privilege_has(CAP_DAC_READ_SEARCH))
		return;
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_DAC_READ_SEARCH);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		_exit(1);
}
