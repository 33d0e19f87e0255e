/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/alert.h"

#include <string.h>

const char *const ht_severity_names[HT_SEVERITY_COUNT + 1] = {
#define HT_SEVERITY_NAME(c, s) s,
	HT_SEVERITY_NAMES(HT_SEVERITY_NAME)
#undef HT_SEVERITY_NAME
};

enum ht_severity ht_severity_of(const char *name)
{
	size_t i = 0;

	while (i < HT_SEVERITY_CRITICAL &&
	       strcmp(ht_severity_names[i], name) != 0)
		i++;
	return (enum ht_severity)i;
}
