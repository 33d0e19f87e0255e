#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Targets of unusual size and in unusual moments: a thousand threads, hundreds of
# arenas and heaps, huge pages, guard pages, a heap partly given back or swapped
# out, a set-uid program, and programs that fork, exec, end and create threads
# without end while they are measured.
# Limit: 420 s
# Alone: sets the machine's pool of huge pages and its swap for a moment
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
check=$HT_BUILD/tools/matrix_check
make -s "BUILD=$HT_BUILD" "$check" || exit 1
targets=$HT_BUILD/targets
here=$PWD
cd "$HT_TMP" || exit 1

pool=/proc/sys/vm/nr_hugepages
pool_before=$(cat "$pool")
tidy() {
	[ ! -e swapfile ] || swapoff "$PWD/swapfile"
	echo "$pool_before" >"$pool"
} 2>/dev/null
trap tidy EXIT

build() { # NAME SOURCE FLAGS...
	local name=$1 source=$2
	shift 2
	gcc -O2 -g -std=gnu17 -D_GNU_SOURCE -fno-builtin-malloc \
		-Wno-deprecated-declarations "$@" -o "$name" "$here/$source" -lpthread
}

field() { jq -r "$1" got.json; }

# hold COMMAND...: starts a target that says "ready" and waits for its input's end.
hold() {
	rm -f said input && mkfifo input
	"$@" <input >said &
	held=$!
	started=$held
	exec 8>input
	ready 60 grep -q ready said
}
let_go() {
	exec 8>&-
	wait "$held"
}

# sums_close: every arena's sum but for what the snapshot says is not settled, and
# RSS to the byte; no finding; glibc's heap is there.
sums_close() {
	jq -e '(.libc.allocator == "glibc") and .totals.arenas > 0
		and (.findings | length) == 0
		and ([.rss_breakdown[].bytes] | add) == .process.rss
		and ([.arenas[] | ((.in_use + .free + .overhead - .system) | fabs)
			- (.uncertain_bytes // 0)] | max) <= 0' got.json
}

# settled: the sums close; or it ended before its pages could be looked at: then that is
# said, no row of RSS is made up, and the arenas, which were read before, still close.
settled() {
	sums_close && return
	jq -e '(.rss_breakdown | length) == 0
		and any(.warnings[]; test("it ended or was replaced meanwhile"))' got.json >/dev/null || return
	jq '.rss_breakdown = [{bytes: .process.rss}]' got.json >got.arenas &&
		mv got.arenas got.json && sums_close
}

explained() { # NAME COMMAND...: leaves got.json
	local name=$1
	shift
	hold "$@"
	ok "$name: heaptide explain measures it" \
		timeout 240 sh -c "'$heaptide' explain $held --json >got.json"
	ok "$name: the sums close" sums_close
	let_go
}

# --- size and shape ---------------------------------------------------------

build extremes-i386 tests/targets/extremes.c -m32
for word in x86-64 i386; do
	big=$targets/extremes
	[ "$word" = x86-64 ] || big=./extremes-i386
	while read -r kind n what; do
		name="$what, $word"
		[ "$word" = x86-64 ] || can run32 "$name" || continue
		ok "$name: every figure is the process's own" \
			"$check" --any out.xml "$big" out.xml "$kind" "$n"
		explained "$name" "$big" out.xml "$kind" "$n"
		case $kind in
		threads) is "$name: all are there" "$(field '.threads | length')" $((n + 1)) ;;
		arenas) is "$name: all are there" "$(field .totals.arenas)" $((n + 1)) ;;
		heaps) between "$name: all are there" "$(field .totals.heaps)" "$n" $((n + 2)) ;;
		returned) ok "$name: most of it is not resident" \
			jq -e '.totals.heap_resident * 3 < .totals.system' got.json ;;
		esac
	done <<-KINDS
		threads 1000 a thousand threads
		arenas 200 two hundred arenas
		heaps 300 three hundred heaps in one arena
		returned 64 a heap that malloc_trim gave back in part
		guards 50 stacks with guard pages inside
	KINDS
done

# --- huge pages -------------------------------------------------------------

build probe tests/matrix/probe.c
build probe32 tests/matrix/probe.c -m32
tunable=GLIBC_TUNABLES=glibc.malloc.hugetlb
for probe in probe probe32; do
	name="$probe, transparent huge pages asked for"
	[ $probe = probe ] || can run32 "$name" || continue
	ok "$name: every figure is the process's own" "$check" --any out.xml env "$tunable=1" "./$probe" out.xml
done
explained "transparent huge pages asked for" env "$tunable=1" ./probe out.xml
# What glibc made of the kernel's offer is the process's own affair: gdb reads it.
hold env "$tunable=1" ./probe out.xml
"$heaptide" explain "$held" --json >got.json
own=$(gdb -batch -p "$held" -ex 'p mp_.thp_pagesize' 2>/dev/null | sed -n 's/^\$1 = //p')
let_go
is "thp_pagesize is the process's own" "$(field .params.thp_pagesize)" "$own"

# The probe's main arena leaves brk with this tunable, as with PROBE_NO_BRK.
pooled() { # NAME: by pages from the pool, or by its fallback
	ok "$1: every figure is the process's own" "$check" --any out.xml \
		env PROBE_NO_BRK=1 "$tunable=2" ./probe out.xml
	explained "$1" env "$tunable=2" ./probe out.xml
	is "$1: hp_pagesize" "$(field .params.hp_pagesize)" 2097152
}
echo 0 >"$pool"
pooled "pages of an empty huge page pool asked for"
is "without a pool nothing is in huge pages" \
	"$(field '[.warnings[] | select(test("huge page pool"))] | length')" 0
in_pool() {
	echo 1 >/proc/sys/vm/compact_memory
	poll 5 eval 'echo 160 >"$pool"; [ "$(cat "$pool")" -ge 100 ]'
	between "the machine gives huge pages to the pool" "$(cat "$pool")" 100 160
	pooled "pages of the huge page pool"
	is "the heap's pages in the pool are told apart from RSS" \
		"$(field '[.warnings[] | select(test("huge page pool"))] | length')" 1
	ok "a mmapped chunk in the pool: every figure is the process's own" "$check" --any \
		out.xml env PROBE_NO_BRK=1 "$tunable=2:glibc.malloc.mmap_threshold=6000000" ./probe out.xml
}
can huge_pages "pages of the huge page pool" && in_pool
echo "$pool_before" >"$pool"

# --- swapped out ------------------------------------------------------------

swapped_out() {
	local swapped mode
	dd if=/dev/zero of=swapfile bs=1M count=96 status=none
	chmod 600 swapfile
	mkswap -q swapfile
	ok "the machine takes a swap file" swapon "$PWD/swapfile"
	hold "$targets/extremes" out.xml swapped 64
	swapped=$(awk '$1 == "VmSwap:" { print $2 * 1024 }' "/proc/$held/status")
	ok "the kernel swapped some of the heap out" test "$swapped" -gt 1000000
	for mode in bounded exact; do
		ok "a swapped heap, $mode: heaptide explain measures it" \
			timeout 240 sh -c "'$heaptide' explain $held --json --mode $mode >got.json"
		ok "a swapped heap, $mode: the sums close, and nothing is called corrupt" sums_close
		is "a swapped heap, $mode: what was not walked is said" \
			"$(field '[.warnings[] | select(test("swapped out"))] | length')" 1
	done
	ok "measuring swaps nothing in" test \
		"$(awk '$1 == "VmSwap:" { print $2 * 1024 }' "/proc/$held/status")" -gt $((swapped - 100000))
	let_go
	swapoff "$PWD/swapfile" && rm swapfile
}
can swap "a swapped heap" && swapped_out

# --- a set-uid program ------------------------------------------------------

chmod 711 .
mkdir -m 755 suid
cp probe suid/probe
cp "$heaptide" "$HEAPTIDE_AGENT" suid/
chmod 4755 suid/probe
ok "a set-uid program: every figure is the process's own" "$check" --any out.xml \
	setpriv --reuid=65534 --regid=65534 --clear-groups suid/probe out.xml
hold setpriv --reuid=65534 --regid=65534 --clear-groups suid/probe out.xml
explain_as_nobody() {
	HEAPTIDE_AGENT=$PWD/suid/heaptide-agent setpriv --reuid=65534 --regid=65534 \
		--clear-groups "$PWD/suid/heaptide" explain "$held" 2>&1
}
said=$(explain_as_nobody)
is "its caller, who is not root, may not measure it" $? 4
ok "and is told why, and what to do" grep -q "may not trace .*run as root" <<<"$said"
note "$said"
let_go

# --- restless ---------------------------------------------------------------

# pid_of KIND: whom to measure; the one that lives now of "exit".
pid_of() {
	if [ "$1" = exit ]; then
		cut -d' ' -f1 "/proc/$started/task/$started/children"
	else
		echo "$started"
	fi
}

# sample KIND MODE: counts good, told and wrong.
sample() {
	local pid status
	pid=$(pid_of "$1")
	[ -n "$pid" ] || return 0
	timeout 30 "$heaptide" explain "$pid" --json --mode "$2" >got.json 2>why
	status=$?
	case $status in
	0)
		if settled >/dev/null; then
			good=$((good + 1))
		else
			wrong="$wrong; $2: $(jq -c '[.libc.allocator, .findings, .arenas]' got.json | head -c 600)"
		fi
		;;
	3 | 8 | 9 | 16) # gone, timeout, busy, refused
		told=$((told + 1))
		[ -s why ] || wrong="$wrong; $2: status $status without a word"
		;;
	*) wrong="$wrong; $2: status $status: $(head -c 300 why)" ;;
	esac
}

restless() { # KIND WHAT
	local kind=$1 what=$2 good=0 told=0 wrong='' samples=0 until=$((SECONDS + 60)) before after
	start "$targets/restless" "$kind.out" "$kind"
	poll 10 test -s "$kind.out"
	read -r before _ <"$kind.out"
	while [ $samples -lt 32 ] || { [ $good -lt 4 ] && [ $SECONDS -lt $until ]; }; do
		for mode in bounded exact none snapshot; do
			sample "$kind" "$mode"
			samples=$((samples + 1))
		done
	done
	read -r after harm <"$kind.out"
	note "$what: $samples samples, $good measured, $told told why not, $((after - before)) rounds of the target"
	is "$what: every sample is consistent or says why there is none" "$wrong" ''
	ok "$what: some were measured" test $good -ge 4
	ok "$what: the target went on all the time" test $((after - before)) -gt 10
	is "$what: the target noticed nothing" "$harm" 0
	is "$what: nobody traces it any more" \
		"$(awk '$1 == "TracerPid:" { print $2 }' "/proc/$started/status")" 0
	kill "$started"
}

restless fork "a program that forks without end"
restless exec "a program that replaces itself without end"
restless exit "programs that soon end"
restless threads "a program that creates threads without end"
plan
