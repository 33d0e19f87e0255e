/* SPDX-License-Identifier: Apache-2.0 */
/* Unwind: libunwind for the architecture's own ABI, its names of the three
 * registers that call frames are found with, and of HT_SAVED_REGISTERS. */
#ifndef HT_AGENT_ARCH_UNWIND_H
#define HT_AGENT_ARCH_UNWIND_H

#if defined(__x86_64__)
#include <libunwind-x86_64.h>
#define HT_UNWIND_PC	UNW_X86_64_RIP
#define HT_UNWIND_SP	UNW_X86_64_RSP
#define HT_UNWIND_FRAME UNW_X86_64_RBP
#define HT_UNWIND_SAVED                                                        \
	UNW_X86_64_R15, UNW_X86_64_R14, UNW_X86_64_R13, UNW_X86_64_R12,        \
		UNW_X86_64_RBP, UNW_X86_64_RBX
#else
#error "no libunwind is named for this architecture"
#endif

#endif
