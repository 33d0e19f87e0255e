/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant: what must hold of our own state, whatever a target holds. */
#ifndef HT_COMMON_INVARIANT_H
#define HT_COMMON_INVARIANT_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the program where x does not hold; only in builds with checks (make
 * CHECKS=1, the sanitizers', the fuzzers'). Else x is compiled, never
 * evaluated. Not for what can be wrong in a target: that is a finding. */
#ifdef HT_CHECKS
#define HT_ASSERT(x)                                                           \
	do {                                                                   \
		if (!(x)) {                                                    \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__,    \
				__LINE__, #x);                                 \
			abort();                                               \
		}                                                              \
	} while (0)
#else
#define HT_ASSERT(x) ((void)sizeof(!(x)))
#endif

#endif
