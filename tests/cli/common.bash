# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests/cli/*.bats: the program, processes to look at, and what is expected
# of a failing command.

# shellcheck disable=SC2034 # for the tests that load this
heaptide=$HT_BUILD/heaptide
started=()

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

end_started() {
	local pid
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
}

teardown() {
	end_started
	[ -z "${public:-}" ] || rm -rf "$public"
}

# publish PROGRAM...: heaptide, its agent and others in a folder that other users may
# enter, unlike bats' own and, it may be, this tree; sets $public.
publish() {
	public=$(mktemp -d /tmp/heaptide-test.XXXXXX)
	chmod 0755 "$public"
	install -m 755 "$heaptide" "$HT_BUILD/heaptide-agent" "$@" "$public"
}
# shellcheck disable=SC2034 # for the tests that load this
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)

# start COMMAND...: in the background, without bats' descriptor; sets $pid.
start() {
	"$@" >out 2>&1 3>&- &
	pid=$!
	started+=("$pid")
}

target() { # COMMAND...: as start does, while another is started; sets $target
	"$@" >target.out 2>&1 3>&- &
	target=$!
	started+=("$target")
}

# poll SECONDS COMMAND...: until it succeeds; a slow machine gets four times that.
poll() {
	local end=$((SECONDS + $1 * 4))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# needs FACT: skips the test where this machine lacks it (tests/lib/machine.sh).
needs() {
	local why status=0
	why=$("$HT_TOP/tests/lib/machine.sh" "$1" 2>&1) || status=$?
	case $status in
	0) ;;
	1) skip "$why" ;;
	*) echo "$why" && return 1 ;;
	esac
}

# fails STATUS TEXT COMMAND...: with this status, this text on stderr, and the
# form "heaptide: what (hint)".
fails() {
	local status=0 wanted=$1 text=$2
	shift 2
	"$@" >stdout 2>stderr || status=$?
	cat stderr
	[ "$status" -eq "$wanted" ] || { echo "status $status, not $wanted"; return 1; }
	grep -qF -- "$text" stderr || { echo "no '$text' on stderr"; return 1; }
	grep -q '^heaptide: .*(.*)$' stderr
}

has_samples() { # FILE [COUNT]
	[ "$(sqlite3 -readonly "$1" "select count(*) from sample" 2>&1)" -ge "${2:-1}" ] 2>&-
}

in_state() { # PID LETTER
	[ "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status")" = "$2" ]
}

# A C program from stdin, compiled to ./NAME.
program() { # NAME CC FLAGS...
	local name=$1 cc=$2
	shift 2
	"$cc" -x c -O1 -w -o "$name" - "$@"
}
