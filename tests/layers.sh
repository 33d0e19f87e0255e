#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Dependencies between rooms point one way: who may include whom, and what the
# programs may import. docs/architecture.md says why.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

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

ok "common includes common and the error table" only_from common common schema/errors.def
ok "schema includes schema and common" only_from schema schema common
ok "link includes link, schema and common" only_from link link schema common
ok "store includes store, schema and common" only_from store store schema common
ok "analysis includes analysis, schema and common" \
	only_from analysis analysis schema common
ok "agent includes agent, link, schema and common: no store" \
	only_from agent agent link schema common
ok "daemon does not include the agent or the cli" \
	only_from daemon daemon analysis store link schema common
ok "cli does not include the agent or the daemon" \
	only_from cli cli analysis store link schema common
ok "only the agent knows ptrace" \
	no_match '#include <sys/(ptrace|uio|user)\.h>' daemon cli analysis store link schema common
ok "only the store knows SQLite" \
	no_match '#include <sqlite3\.h>' agent analysis cli daemon link schema common

# Rules are asked of what the daemon loads for them; all else of a series is read
# for a verdict, of which both programs load the same: see analysis/needs.h.
reads_by_need() {
	! sources analysis | grep -v -e /needs.c -e /alert_step.c -e /condition_ask.c |
		xargs grep -nE '(->|\.)metric\['
}
ok "a verdict reads a series by analysis/needs.h alone" reads_by_need

touch_target='^(ptrace|process_vm_readv|process_vm_writev)$'
ok "heaptide imports no call that touches a target" \
	imports_none_of "$HT_BUILD/heaptide" "$touch_target"
ok "heaptided imports no call that touches a target" \
	imports_none_of "$HT_BUILD/heaptided" "$touch_target"
ok "heaptide-agent links no SQLite" imports_none_of "$HT_BUILD/heaptide-agent" '^sqlite3_'
ok "heaptide-agent reads no configuration and opens no network" \
	imports_none_of "$HT_BUILD/heaptide-agent" '^(ini_parse|connect|bind|listen|getaddrinfo|curl_|MHD_)'
ok "analysis does no I/O and reads no clock" \
	archive_imports_none_of "$HT_BUILD/libanalysis.a" \
	'^(open|openat|fopen|read|pread|write|socket|clock_gettime|time|gettimeofday|getenv|sqlite3_.*|printf|puts)(64)?$'
plan
