#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# One word of a heap is damaged (targets/damaged.c), the heap small, or too large to be
# walked in an instant: the default mode, which stops nothing, exact mode, and what of it a
# light look reads say so as a finding with its address; the rest is measured, the sums close.
# HT_HARM_ALL=1: each kind in the large heap, too (each fourth).
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1
mkfifo in
exec 7<>in

begin() { # KIND MEGABYTES: sets address
	: >out
	start sh -c 'exec "$0" "$@" <in >out' "$HT_BUILD/targets/damaged" "$1" "$2"
	poll 60 grep -q ready out
	address=$(sed 's/ready //' out)
}

look() { # HOW...: sets ended
	timeout 60 "$HT_BUILD/heaptide" explain --json "$@" "$started" >look 2>err
	ended=$?
}

# A finding CODE that is at ADDRESS (0x0: at any).
tells() {
	jq -e --arg code "$1" --arg at "$2" 'any(.findings[];
		.code == $code and ($at == "0x0" or .address == $at))' look
}
in_use() { jq -e "$1.in_use" look; }
closes() {
	jq -e '([.arenas[] | .system - .in_use - .free - .overhead | fabs] | add)
		<= .stop.uncertain_bytes and .stop.uncertain_bytes < 300000' look
}
# But for what lies around the damage.
rest_is_measured() {
	[ "$(in_use '.arenas[0]')" = "$main" ] &&
		jq -e --argjson was "$all" '.totals.in_use - $was | fabs < 300000' look
}

check_look() { # NAME CODE ADDRESS HOW...
	local name=$1 code=$2 at=$3
	shift 3
	look "$@"
	is "$name: it is damaged" "$ended" 6
	ok "$name: $code at $at says so" tells "$code" "$at"
	ok "$name: the sums close" closes
	ok "$name: the rest is measured" rest_is_measured
}

# damaged KIND MEGABYTES CODE LIGHT [any]: the finding of a walk, and of a light look, or "-"
# where nothing that it reads is damaged. any: the address is another's, a neighbour's.
damaged() {
	local name="$1, $2 MB" at
	begin "$1" "$2"
	at=$address
	[ -z "${5:-}" ] || at=0x0
	check_look "$name, default" "$3" "$at"
	check_look "$name, exact" "$3" "$at" --mode exact
	if [ "$4" = - ]; then
		look --look light
		is "$name, light: it is answered" "$ended" 0
	else
		check_look "$name, light" "$4" 0x0 --look light
	fi
	ok "$name: it runs on" alive
	stop_started
}
alive() { grep -q '^State:[[:space:]]S' "/proc/$started/status"; }

for megabytes in 4 300; do
	begin none $megabytes
	look
	is "$megabytes MB: nothing is damaged" "$ended $(jq '.findings | length' look)" "0 0"
	main=$(in_use '.arenas[0]') all=$(in_use .totals)
	stop_started
	n=0
	while read -r kind code light any; do
		[ $((n++ % 4)) -eq 0 ] || [ "$megabytes" -eq 4 ] || [ -n "${HT_HARM_ALL:-}" ] || continue
		damaged "$kind" $megabytes "$code" "$light" "$any"
	done <<-'END'
		size_zero chunk_size -
		size_huge chunk_size -
		size_text chunk_size -
		size_crooked chunk_size -
		size_less chunk_size - any
		size_mmapped chunk_size -
		flag_arena chunk_arena -
		flag_main chunk_arena -
		prev_used footer - any
		prev_free list_not_free - any
		footer footer -
		unsorted_loop list_loop list_wild
		unsorted_wild list_wild list_wild
		unsorted_back list_back list_wild any
		small_wild list_wild list_wild
		small_back list_back list_wild any
		small_used list_not_free list_wild
		large_wild list_wild list_wild
		large_back list_back list_wild any
		large_next list_nextsize -
		large_next_back list_nextsize - any
		fast_loop list_loop list_wild
		fast_wild list_not_free list_wild any
		fast_size chunk_size list_wild any
		fast_head list_wild list_wild
		cache_self tcache_twice tcache any
		cache_wild tcache tcache any
		cache_size tcache tcache any
		cache_counts tcache tcache
		cache_entry tcache tcache any
		cache_key tcache_key tcache_key any
		bin_head list_wild list_wild
		top_size top top
		top_huge top top
		top_wild heap_chain heap_chain any
		heap_arena heap_chain heap_chain
		heap_prev heap_chain heap_chain
		heap_self heap_chain heap_chain
		heap_size heap_chain heap_chain
		heap_more heap_chain heap_chain
		heap_less top top any
		heap_empty heap_chain heap_chain
		ring_wild arena_ring arena_ring any
		ring_null arena_ring arena_ring
		ring_self arena_ring arena_ring
		system_mem arena_sum arena_sum
		mapped_size mmapped_chunk mmapped_chunk
		mapped_less mmapped_chunk mmapped_chunk
		mapped_more mmapped_chunk mmapped_chunk any
		mapped_flag mmapped_chunk mmapped_chunk
		mapped_prev mmapped_chunk mmapped_chunk
		aligned_size mmapped_chunk mmapped_chunk
		aligned_prev mmapped_chunk mmapped_chunk
		param_base params params
		param_mmaps params params
		param_mapped params params
	END
done
plan
