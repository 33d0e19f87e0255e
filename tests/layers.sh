#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Dependencies between rooms point one way: who may include whom, and what the
# programs may import. docs/architecture.md says why.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

# Rooms, and whose headers each may include beside its own. From the top down:
# what stands in a row knows nothing of what stands above it.
rooms='
cli: page analysis store link schema common
daemon: page analysis store link schema common
daemon/control: daemon/parts daemon/alerts daemon/agents daemon/sinks daemon/registry daemon/ingest daemon/process daemon/config daemon/loop analysis store link schema common
daemon/http: daemon/parts daemon/alerts daemon/agents daemon/sinks daemon/registry daemon/ingest daemon/process daemon/config daemon/loop page analysis store link schema common
daemon/parts: daemon/alerts daemon/agents daemon/sinks daemon/registry daemon/ingest daemon/process daemon/config daemon/loop schema common
daemon/alerts: daemon/sinks daemon/registry daemon/ingest daemon/process daemon/config daemon/loop analysis store schema common
daemon/agents: daemon/registry daemon/ingest daemon/process daemon/config daemon/loop analysis link schema common
daemon/sinks: daemon/ingest daemon/config daemon/loop analysis store schema common
daemon/registry: daemon/ingest daemon/process daemon/config daemon/loop schema common
daemon/ingest: daemon/process daemon/config daemon/loop analysis store schema common
daemon/process: daemon/config analysis link schema common
daemon/config: daemon/loop analysis link schema common
daemon/loop: common
agent: link schema common
agent/who: agent/sample agent/graph agent/walk/sizes.h agent/stop/tasks.h agent/libc agent/memory agent/arch/arch.h link schema common
agent/sample: agent/graph agent/walk agent/stop agent/libc agent/memory agent/self agent/arch/arch.h link schema common
agent/graph: agent/walk agent/libc agent/memory agent/self agent/arch/arch.h link/request.h schema common
agent/walk: agent/libc agent/memory agent/self agent/arch/arch.h link/request.h schema common
agent/stop: agent/memory agent/self agent/arch/arch.h schema common
agent/libc: agent/memory agent/self agent/arch/arch.h link/facts_file.h schema common
agent/memory: agent/self agent/arch/arch.h agent/arch/unwind.h schema common
agent/self: agent/arch/arch.h schema common
agent/arch: agent/arch/x86/native.h common
agent/arch/x86: agent/arch/arch.h common
probe: agent/self agent/arch/arch.h link/probe.h common
page: analysis store schema common
analysis: schema common
store: schema common
link: schema common
schema: common
common: schema/errors.def schema/hints.def
'

# sources ROOM...: their files, in all their folders.
sources() { find "$@" -name '*.[ch]' | sort; }

# includes ROOM: the headers that ROOM's files include.
includes() {
	sources "$1" | xargs sed -n 's/^#include "\(.*\)"/\1/p' | sort -u
}

# only_from ROOM ALLOWED...: every include of ROOM starts with one of ALLOWED.
only_from() {
	local room=$1 path allowed found status=0
	shift
	while read -r path; do
		found=
		for allowed; do
			case $path in "$allowed" | "$allowed"/*) found=1 ;; esac
		done
		[ -n "$found" ] || {
			status=1
			grep -rn "#include \"$path\"" "$room"
		}
	done < <(includes "$room")
	return "$status"
}

# Every folder of the product's source is a room, so that none goes unchecked.
all_rooms() {
	local folder
	git ls-files '*.[ch]' | sed 's|/[^/]*$||' | sort -u |
		grep -vE '^(tests|bench|samples)(/|$)' | while read -r folder; do
		grep -q "^$folder:" <<<"$rooms" || echo "no room: $folder"
	done | grep . && return 1
	return 0
}

# circles ROOM: files of ROOM that include each other in a circle. A noun is its
# .c and its .h; what only its own files include (noun_int.h) is part of it.
circles() {
	local file noun
	sources "$1" | while read -r file; do
		noun=${file%.[ch]}
		sed -n 's/^#include "\('"$1"'\/.*\)\.h"/\1/p' "$file" | sed 's/_int$//' |
			grep -vx "${noun%_int}" | sed "s|^|${noun%_int} |"
	done | sort -u | tsort 2>&1 >"$HT_TMP/sorted" | grep .
}
no_circle() { ! circles "$1"; }

# draw: the rooms as the code has them: whom each one really includes.
draw() {
	local room names=()
	mapfile -t names < <(sed -n 's/^\([a-z0-9/]*\):.*/\1/p' <<<"$rooms")
	for room in "${names[@]}"; do
		find "$room" -name '*.[ch]' -printf '%h/%f\n' | grep "^$room/[^/]*$" |
			xargs sed -n 's|^#include "\(.*\)/[^/]*"|\1|p' | sort -u |
			grep -vx "$room" | awk -v room="$room" -v part="${room%%/*}/" -v names="${names[*]}" '
				{ has[$0] = 1 }
				END {
					line = sprintf("%-16s▸", room)
					n = split(names, order, " ")
					for (i = 1; i <= n; i++)
						if (order[i] in has) {
							sub("^" part, "", order[i])
							line = line " " order[i]
						}
					print line
				}'
	done
}
drawn() { # as docs/architecture.md has it
	diff <(sed -n '/^<!-- drawn/,/^<!-- end/p' docs/architecture.md | grep ▸) <(draw)
}
if [ "${1-}" = draw ]; then
	draw
	exit
fi

no_match() { # PATTERN ROOM...
	! grep -rnE --include='*.[ch]' "$@"
}

imports() { nm -D --undefined-only "$1" | sed 's/@.*//' | awk '{ print $NF }'; }

imports_none_of() { # PROGRAM PATTERN
	[ -x "$1" ] || {
		echo "no program $1"
		return 1
	}
	! imports "$1" | grep -E "$2"
}

archive_imports_none_of() { # LIBRARY PATTERN
	[ -s "$1" ] || {
		echo "no library $1"
		return 1
	}
	! nm --undefined-only "$1" | awk '{ print $NF }' | grep -E "$2"
}

ok "each folder is a room" all_rooms
while IFS=: read -r room below; do
	# shellcheck disable=SC2086 # a list
	[ -z "$room" ] || ok "$room includes:${below:-  itself alone}" only_from "$room" "$room" $below
done <<<"$rooms"

# An arrow that points upward is found: seen red each time.
mkdir -p "$HT_TMP/agent/memory"
echo '#include "agent/walk/walk.h"' >"$HT_TMP/agent/memory/wrong.c"
wrong() { (cd "$HT_TMP" && only_from agent/memory agent/memory agent/self schema common); }
refuse "memory that included the walk would be found" wrong
# A noun knows those below it: the daemon is a conductor and its parts, a stage of the
# walk knows what it is made from.
for room in agent analysis cli common daemon link page probe schema store; do
	ok "no circle in $room" no_circle "$room"
done
mkdir -p "$HT_TMP/daemon"
cp -r daemon "$HT_TMP"
echo '#include "daemon/alerts/alerts.h"' >>"$HT_TMP/daemon/ingest/ingest.c"
knows_its_readers() { (cd "$HT_TMP" && no_circle daemon); }
refuse "a writer of the store that knew its readers would be found" knows_its_readers
ok "docs/architecture.md draws the rooms as they are (tests/layers.sh draw)" drawn
ok "only the agent knows ptrace" \
	no_match '#include <sys/(ptrace|uio|user)\.h>' probe daemon cli page analysis store link schema common
# What is of one processor stands behind agent/arch/arch.h.
no_register() {
	sources agent probe cli daemon page analysis store link schema common |
		grep -v ^agent/arch/ |
		xargs grep -nE "$1" && return 1
	return 0
}
ok "only agent/arch names a register, a relocation or a note of a processor" \
	no_register 'user_regs_struct|orig_rax|[>.]r(ax|ip|sp|bp|di|si|dx)\>|fs_base|gs_base|__x86_64__|__i386__|\<EM_(X86_64|386)\>|\<R_(X86_64|386)_|UNW_X86|\<NT_X86|PTRACE_[GS]ETREGS\>|<sys/user\.h>'
ok "only agent/arch asks of a target what one processor's calls are" \
	no_match 'SYS_(open|poll|pause|vfork|fork|clone3|epoll_wait|select|restart_syscall)\>|int \$0x80|asm' agent/stop agent/sample agent/libc agent/memory agent/walk agent/graph
# common/forbidden.c asks whether a filter forbids it, with arguments that can do nothing.
ok "only the probe knows bpf" no_match 'SYS_bpf|<linux/bpf\.h>' agent daemon cli page analysis store link schema common/[!f]* common/f[!o]*
ok "only the store knows SQLite" \
	no_match '#include <sqlite3\.h>' agent probe analysis page cli daemon link schema common

# Rules are asked of what the daemon loads for them; all else of a series is read
# for a verdict, of which both programs load the same: see analysis/needs.h.
reads_by_need() {
	! sources analysis | grep -v -e /needs.c -e /alert_step.c -e /condition_ask.c |
		xargs grep -nE '(->|\.)metric\['
}
ok "a verdict reads a series by analysis/needs.h alone" reads_by_need

ok "no rule or sentence hangs on the text of a verdict's reason" \
	no_match 'strn?cmp\([^,]*reason' analysis cli daemon page

ok "all that follows from a rule stands in its row: no switch over labels in analysis" \
	no_match 'switch \([^)]*(label|why|reason)' analysis

# A name has one meaning, for tests link all rooms into one program.
one_meaning() {
	sources agent probe daemon cli page analysis store link schema common |
		xargs grep -hoE '^struct ht_[a-z0-9_]+ \{' | sort | uniq -d | grep . && return 1
	return 0
}
ok "no struct of the product is defined in two places" one_meaning
one_body() {
	local room
	for room in "$HT_BUILD"/lib*.a; do
		nm --defined-only --extern-only "$room" | awk 'NF == 3 && $2 == "T" { print $3 }' | sort -u
	done | sort | uniq -d | grep . && return 1
	return 0
}
ok "no function of the product is defined in two rooms" one_body

touch_target='^(ptrace|process_vm_readv|process_vm_writev)$'
ok "heaptide imports no call that touches a target" \
	imports_none_of "$HT_BUILD/heaptide" "$touch_target"
ok "heaptided imports no call that touches a target" \
	imports_none_of "$HT_BUILD/heaptided" "$touch_target"
ok "heaptide-probe imports no call that touches a target, reads a file or opens a network" \
	imports_none_of "$HT_BUILD/heaptide-probe" "$touch_target|^(fopen|connect|bind|listen|getaddrinfo)(64)?\$"
ok "heaptide-agent links no SQLite" imports_none_of "$HT_BUILD/heaptide-agent" '^sqlite3_'
ok "heaptide-agent reads no configuration and opens no network" \
	imports_none_of "$HT_BUILD/heaptide-agent" '^(ini_parse|connect|bind|listen|getaddrinfo|curl_|MHD_)'
ok "analysis does no I/O and reads no clock" \
	archive_imports_none_of "$HT_BUILD/libanalysis.a" \
	'^(open|openat|fopen|read|pread|write|socket|clock_gettime|time|gettimeofday|getenv|sqlite3_.*|printf|puts)(64)?$'
plan
