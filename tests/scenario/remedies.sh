#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Remedies are predictions: each is proved by doing it. A process keeps memory by
# one rule of malloc; explain says what each remedy would return; the same process
# runs again under what explain says to type, and its RSS is compared.
#
# The table is docs/remedies.md's: `tests/scenario/remedies.sh` prints it.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
heaptide=$HT_BUILD/heaptide
keeper=$HT_BUILD/targets/keeper

rss_of() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$1/status"; }

is_ready() { grep -q ready "$HT_TMP/said" || not_running "$started"; }

run_keeper() { # [NAME=VALUE] -- WHAT [N]; sets $started
	local set=()
	while [ "$1" != -- ]; do
		set+=("$1")
		shift
	done
	shift
	: >"$HT_TMP/said"
	start env "${set[@]}" "$keeper" "$@" >"$HT_TMP/said"
	poll 30 is_ready || note "keeper $* is not ready"
}

# advised FILE CODE KEY: of the remedy of that code; nothing when there is none.
advised() { jq -r --arg c "$2" ".advice[] | select(.code == \$c) | .$3 // empty" "$1"; }

# proved WHAT CODE KEEPER-ARGUMENTS...: what the remedy returned lies in the range
# that was predicted, within a tenth of RSS at either end.
proved() {
	local what=$1 code=$2 before after low high returned type
	shift 2
	run_keeper -- "$@"
	before=$(rss_of "$started")
	"$heaptide" explain --json "$started" >"$HT_TMP/explained"
	stop_started
	low=$(advised "$HT_TMP/explained" "$code" at_least)
	high=$(advised "$HT_TMP/explained" "$code" bytes)
	type=$(advised "$HT_TMP/explained" "$code" how | grep -oE '^[A-Z_]+=[A-Za-z0-9_.=]+')
	if [ -z "$high" ] || [ -z "$type" ]; then
		tap_result 1 "$what"
		note "no remedy $code: $(jq -c '[.advice[].code]' "$HT_TMP/explained")"
		return
	fi
	run_keeper "$type" -- "$@"
	after=$(rss_of "$started")
	stop_started
	within "$what" "$* | \`$type\`"
}

# within WHAT ROW: what came back, by before and after, lies between low and high,
# within a tenth of RSS at either end; the row of docs/remedies.md.
within() {
	local returned=$((before - after))
	note "| $2 | $((low / 1024)) to $((high / 1024)) | $((returned / 1024)) | $((before / 1024)) |"
	between "$1" "$returned" $((low - before / 10)) $((high + before / 10))
}

# explained CODE [NAME=VALUE...] -- KEEPER-ARGUMENTS...: sets before, low, high of
# the remedy of that code; the keeper goes on.
explained() {
	local code=$1
	shift
	run_keeper "$@"
	before=$(rss_of "$started")
	"$heaptide" explain --json "$started" >"$HT_TMP/explained"
	low=$(advised "$HT_TMP/explained" "$code" at_least)
	high=$(advised "$HT_TMP/explained" "$code" bytes)
	[ -n "$high" ] || note "no remedy $code: $(jq -c '[.advice[].code]' "$HT_TMP/explained")"
}

# otherwise [NAME=VALUE...] -- KEEPER-ARGUMENTS...: the same work another way; sets
# after.
otherwise() {
	stop_started
	run_keeper "$@"
	after=$(rss_of "$started")
	stop_started
}

# silent WHAT CODE KEEPER-ARGUMENTS...: the remedy is not proposed.
silent() {
	local what=$1 code=$2
	shift 2
	run_keeper -- "$@"
	"$heaptide" explain --json "$started" >"$HT_TMP/explained"
	stop_started
	is "$what" "$(advised "$HT_TMP/explained" "$code" bytes)" ""
}


rollup_of() { awk '/^Rss:/ { print $2 * 1024 }' "/proc/$1/smaps_rollup"; }

has_trimmed() { grep -q trimmed "$HT_TMP/said" || not_running "$started"; }

# forecast WHAT [NAME=VALUE...] -- KEEPER-ARGUMENTS...: malloc_trim(0) returns what
# was said of it, to four pages.
forecast() {
	local what=$1 said before after
	shift
	run_keeper "$@"
	"$heaptide" explain --json "$started" >"$HT_TMP/explained"
	said=$(jq .totals.trimmable "$HT_TMP/explained")
	before=$(rollup_of "$started")
	kill -USR1 "$started"
	poll 10 has_trimmed || note "it did not trim"
	after=$(rollup_of "$started")
	stop_started
	near "$what" "$said" $((before - after)) 16384
}

cause() { jq --arg c "$1" '.rss_breakdown[] | select(.cause == $c) | .bytes' "$HT_TMP/explained"; }

forecast "the forecast holds where nothing is special" -- small
forecast "the forecast holds where all is locked" -- locked
ok "what is locked and free is a cause of its own" test "$(cause locked)" -gt 8000000
forecast "the forecast holds where a part is locked" -- part
ok "a part of it is a cause of its own" test "$(cause locked)" -gt 2000000
is "unlocking is what is proposed" "$(advised "$HT_TMP/explained" unlock bytes)" "$(cause locked)"
forecast "the forecast holds where huge pages are" GLIBC_TUNABLES=glibc.malloc.hugetlb=1 -- small
if can huge_pages "the forecast holds in the huge page pool"; then
	pool=$(cat /proc/sys/vm/nr_hugepages)
	echo 100 >/proc/sys/vm/nr_hugepages
	forecast "the forecast holds in the huge page pool" GLIBC_TUNABLES=glibc.malloc.hugetlb=2 -- small
	echo "$pool" >/proc/sys/vm/nr_hugepages
fi

# Shared by a fork: RSS falls by what was said, the machine gets what is the
# process's alone.
alone_of() { awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum * 1024 }' "/proc/$1/smaps_rollup"; }
forecast "the forecast holds where a child shares the heap" -- forked
run_keeper -- forked
"$heaptide" explain --json "$started" >"$HT_TMP/explained"
near "of what a child shares the machine gets nothing" "$(jq .totals.trimmable_private "$HT_TMP/explained")" 0 16384
ok "and the advice says so" grep -q 'Trim in the parent' <<<"$(advised "$HT_TMP/explained" trim_now text)"
before=$(alone_of "$started")
kill -USR1 "$started"
poll 10 has_trimmed || note "it did not trim"
between "which is what it gets" $((before - $(alone_of "$started"))) -200000 65536
stop_started
run_keeper -- small
"$heaptide" explain --json "$started" >"$HT_TMP/explained"
same "of what nobody shares it gets all" "$(jq .totals.trimmable_private "$HT_TMP/explained")" \
	"$(jq .totals.trimmable "$HT_TMP/explained")"
stop_started

# In a memory control group: v1, or v2 where that is what there is.
if can memory_cgroup "the forecast holds below a cgroup's limit"; then
	root=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
	limit=memory.limit_in_bytes
	[ -n "$root" ] || { root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts) && limit=memory.max; }
	group=$root/heaptide.$$
	mkdir "$group"
	echo 64M >"$group/$limit"
	plain=$keeper
	printf '#!/bin/sh\necho $$ >%s/cgroup.procs\nexec %s "$@"\n' "$group" "$plain" >"$HT_TMP/limited"
	chmod +x "$HT_TMP/limited"
	keeper=$HT_TMP/limited
	forecast "the forecast holds below a cgroup's limit" -- small
	is "and the cgroup is named" "$(jq -r .limits.cgroup_path "$HT_TMP/explained")" "/heaptide.$$"
	keeper=$plain
	poll 10 rmdir "$group"
fi

# KSM: equal pages are one, and leave RSS all the same.
merged() { [ "$(cat "/proc/$1/ksm_merging_pages")" -gt 1000 ]; }
if can ksm "the forecast holds where equal pages are merged"; then
	ksm=/sys/kernel/mm/ksm
	was="$(cat $ksm/run) $(cat $ksm/pages_to_scan) $(cat $ksm/sleep_millisecs)"
	echo 5000 >$ksm/pages_to_scan
	echo 10 >$ksm/sleep_millisecs
	echo 1 >$ksm/run
	run_keeper -- merged
	ok "equal pages are merged" poll 20 merged "$started"
	echo 0 >$ksm/run
	"$heaptide" explain --json "$started" >"$HT_TMP/explained"
	before=$(rollup_of "$started")
	kill -USR1 "$started"
	poll 10 has_trimmed || note "it did not trim"
	near "the forecast holds where equal pages are merged" "$(jq .totals.trimmable "$HT_TMP/explained")" \
		$((before - $(rollup_of "$started"))) 16384
	ok "the machine gets less of them" jq -e '.totals | .trimmable_private < .trimmable' "$HT_TMP/explained"
	stop_started
	read -r run pages sleep <<<"$was"
	echo "$pages" >$ksm/pages_to_scan
	echo "$sleep" >$ksm/sleep_millisecs
	echo "$run" >$ksm/run
fi

note "| process | remedy | predicted KiB | returned KiB | RSS before KiB |"
proved "a default trim threshold returns the top that a raised one keeps" trim_threshold top
proved "shorter lists return what thread caches keep" tcache_count caches 150
proved "two arenas return what peaks of different times left" arena_max apart 8
proved "two arenas return little of what peaks of one time left" arena_max together 8
proved "a pinned mmap threshold returns the holes of large blocks" mmap_threshold ratchet
proved "free() merges what fastbins keep, and returns it" mxfast fastbins
proved "empty lists return what few cached chunks keep" tcache_count few_cached 300

# What was set in code is set otherwise in code.
explained trim_threshold -- never -1
otherwise -- never 131072
within "a threshold of -1 taken back returns the top" "never -1 | where it was set: M_TRIM_THRESHOLD 131072"
explained top_pad -- padded $((64 << 20))
otherwise -- padded 131072
within "a large top_pad taken back returns the top" "padded 64 MiB | where it was set: M_TOP_PAD 131072"
silent "no threshold is proposed where top_pad keeps a top" trim_threshold padded $((64 << 20))

explained mmap_max -- mmaps 0
otherwise -- mmaps 65536
within "blocks that may be mapped again leave no holes" "mmaps 0 | where it was set: M_MMAP_MAX 65536"
silent "no more mappings are proposed where there may be more" mmap_max ratchet

explained mmap_threshold MALLOC_MMAP_THRESHOLD_=4096 -- mapped
otherwise -- mapped
within "small blocks out of their mappings return whole pages" "mapped | \`MALLOC_MMAP_THRESHOLD_=4096\` taken away"

explained unlock -- locked
kill -USR2 "$started"
poll 10 has_trimmed || note "it did not trim"
after=$(rss_of "$started")
stop_started
within "what is unlocked is trimmed" "locked | munlockall(), then malloc_trim(0)"

for what in small ratchet apart together forked; do
	explained trim_now -- $what 8
	low=$high # the range is of what the machine gets
	kill -USR1 "$started"
	poll 10 has_trimmed || note "it did not trim"
	after=$(rss_of "$started")
	stop_started
	within "malloc_trim(0) returns what it is said to: $what" "$what | malloc_trim(0)"
done

jemalloc=$(ldconfig -p | awk '$1 == "libjemalloc.so.2" { print $NF; exit }')
mimalloc=$(ldconfig -p | awk '/libmimalloc\.so/ { print $NF; exit }')
for what in holes same; do
	explained allocator -- $what
	low=-$(advised "$HT_TMP/explained" allocator at_worst)
	for other in "$jemalloc" "$mimalloc"; do
		otherwise "LD_PRELOAD=$other" -- $what
		within "another allocator returns at most what is stuck, and takes no more than was said: $what" \
			"$what | $(basename "$other")"
	done
done

explained pin -- cached_pin
otherwise GLIBC_TUNABLES=glibc.malloc.tcache_count=0 -- cached_pin
within "a pin that waits in a cache goes without caches" "cached_pin | \`glibc.malloc.tcache_count=0\`"

explained pin -- cached_large
between "which is sure of one that no fastbin takes" "$low" 20000000 24000000
otherwise GLIBC_TUNABLES=glibc.malloc.tcache_count=0 -- cached_large
within "and then it goes" "cached_large | \`glibc.malloc.tcache_count=0\`"

# What a trim gave back no pin holds any more, though it is free below it.
run_keeper -- held_pin
holds() { "$heaptide" explain --json "$started" | jq '.arenas[0].pin.holds // 0'; }
between "a pin holds what is resident below it" "$(holds)" 20000000 26000000
kill -USR1 "$started"
poll 10 has_trimmed || note "it did not trim"
between "and nothing after a trim" "$(holds)" 0 100000
is "nor would anything join the top" "$("$heaptide" explain --json "$started" | jq '.blocked.chunks_16 < 100000')" true
stop_started

silent "a merged top is not proposed where fastbins keep nothing" mxfast small
silent "what lies in fastbins is no kept top" tops_kept fastbins
silent "no mapping is proposed for small blocks" mmap_threshold small
silent "fewer arenas are not proposed for thread caches" arena_max caches 150
silent "another allocator is not proposed for a kept top" allocator top
silent "a kept top is not called fragmented" fragmented top
plan
