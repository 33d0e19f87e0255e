#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# All of agent and probe above agent/arch/arch.h compiles for a processor that is not
# there: other registers, pages of 64 KiB, no red zone. What it would mean there is
# for its folder to say; that nothing above the door knows this one's is said here.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

mkdir -p "$HT_TMP/agent/arch/x86"
cat >"$HT_TMP/agent/arch/x86/native.h" <<'EOT'
#include <stdint.h>
#define HT_PAGE_SIZE	     UINT64_C(65536)
#define HT_RED_ZONE	     0u
#define HT_ENTRY_SP	     0
#define HT_GENERAL_REGISTERS 31
#define HT_SAVED_REGISTERS   10
#define HT_VECTOR_MAX	     8192
#define HT_PTRACE_REGISTERS  PTRACE_GETREGSET, PTRACE_SETREGSET
#define HT_SHADOW_STACK_LINE "nobody's:"
#define HT_SECCOMP_SECOND    SCMP_ARCH_ARM
enum { HT_PT_FRAME = 232, HT_PT_RESULT = 0, HT_PT_ARGUMENT_1 = 0, HT_PT_ARGUMENT_2 = 8,
	HT_PT_ARGUMENT_3 = 16, HT_PT_PC = 256, HT_PT_SP = 248 };
enum { HT_PERF_FRAME, HT_PERF_SP, HT_PERF_PC, HT_PERF_REGS, HT_PERF_REGS_MASK = 7 };
#define HT_AUDIT_ARCH	     0xc00000b7u
#define HT_CALL_SLEEP	     73
#define HT_CALL_RESUME	     128
struct ht_regs { uint64_t x[31], sp_, pc_, state; };
struct ht_sigframe { uint64_t record[66]; };
EOT

mapfile -t above < <(git ls-files 'agent/*.c' 'probe/*.c' | grep -v ^agent/arch/)
compiles() {
	printf '%s\0' "${above[@]}" | xargs -0 -n 1 -P 2 gcc -std=gnu17 -D_GNU_SOURCE \
		-DHT_VERSION='"0"' -fsyntax-only -w -I "$HT_TMP" -I .
}
ok "agent and probe compile for another processor but for agent/arch (${#above[@]} files)" compiles

echo '#include "agent/arch/arch.h"
uint64_t ht_wrong(const struct ht_regs *r);
uint64_t ht_wrong(const struct ht_regs *r) { return r->user.rip; }' >"$HT_TMP/wrong.c"
above=("$HT_TMP/wrong.c")
refuse "what named a register of this one would be found" compiles
plan
