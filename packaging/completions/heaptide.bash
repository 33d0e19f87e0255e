# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for heaptide: heaptide completion bash
_heaptide() {
	local cur=${COMP_WORDS[COMP_CWORD]} options=--help
	local prev=${COMP_WORDS[COMP_CWORD-1]}
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'diagnose explain record check verdict trend bins arenas map classes threads diff owners types leaks ls top trim report export alerts silence silences unsilence status watch unwatch sample doctor completion help --help --version' -- "$cur")
		return
	fi
	case $prev in
	--db) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--at) return ;;
	--against) return ;;
	--since) return ;;
	--until) return ;;
	--metric | -m) mapfile -t COMPREPLY < <(compgen -W 'in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss' -- "$cur"); return ;;
	--bin) return ;;
	--life) return ;;
	--with) return ;;
	--sort) mapfile -t COMPREPLY < <(compgen -W 'in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss' -- "$cur"); return ;;
	--arena | -a) return ;;
	--mode) mapfile -t COMPREPLY < <(compgen -W 'none bounded exact snapshot' -- "$cur"); return ;;
	--max-pause) return ;;
	--max-hold) return ;;
	--timeout) return ;;
	--core) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--exe) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--max-memory) return ;;
	--size) return ;;
	--interval | -i) return ;;
	--duration | -d) return ;;
	--output | -o) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--name | -n) return ;;
	--format | -f) return ;;
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--test) return ;;
	--fail-on) return ;;
	--confidence) return ;;
	--max-growth) return ;;
	--max-in-use) return ;;
	--max-retained) return ;;
	--junit) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--sarif) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	esac
	case ${COMP_WORDS[1]} in
	diagnose) options='--help --json --bytes --ascii --mode --max-pause --who --timeout --no-debug-info --interval --duration --output --fail-on --confidence --max-growth --max-in-use --max-retained' ;;
	explain) options='--help --json --full --bytes --ascii --mode --max-pause --timeout --no-debug-info --core --pss --exe' ;;
	record) options='--help --bytes --mode --max-pause --timeout --no-debug-info --interval --duration --output --name' ;;
	check) options='--help --json --bytes --mode --max-pause --timeout --no-debug-info --interval --duration --output --fail-on --confidence --max-growth --max-in-use --max-retained --junit --sarif' ;;
	verdict) options='--help --json --bytes --ascii --db --since --until --fail-on --confidence --max-growth --max-in-use --max-retained' ;;
	trend) options='--help --json --csv --bytes --ascii --db --since --until --metric' ;;
	bins) options='--help --json --csv --bytes --ascii --db --at --since --until --metric --bin --arena --mode --max-pause --timeout --no-debug-info' ;;
	arenas) options='--help --json --csv --bytes --ascii --db --at --since --until --metric --arena --mode --max-pause --timeout --no-debug-info' ;;
	map) options='--help --json --csv --bytes --ascii --db --at --against --arena --mode --max-pause --timeout --no-debug-info' ;;
	classes) options='--help --json --csv --bytes --ascii --db --at --since --until --metric --mode --max-pause --timeout --no-debug-info' ;;
	threads) options='--help --json --csv --bytes --ascii --db --at --since --until --metric --arena --mode --max-pause --timeout --no-debug-info' ;;
	diff) options='--help --json --bytes --ascii --db --life --with' ;;
	owners) options='--help --json --bytes --ascii --mode --max-pause --timeout --no-debug-info --core --exe --max-memory --size' ;;
	types) options='--help --json --bytes --ascii --mode --max-pause --timeout --no-debug-info --core --exe --max-memory' ;;
	leaks) options='--help --json --bytes --ascii --mode --max-pause --timeout --no-debug-info --core --exe --max-memory' ;;
	ls) options='--help --json --bytes --ascii --db --sort' ;;
	top) options='--help --bytes --ascii --db' ;;
	trim) options='--help --json --bytes --ascii --db --mode --max-pause --yes --max-hold --timeout --no-debug-info' ;;
	report) options='--help --db --since --until --metric --output' ;;
	export) options='--help --db --since --until --metric --format' ;;
	alerts) options='--help --json --db --since --until --test' ;;
	silence) options='--help --json --socket' ;;
	silences) options='--help --json --socket' ;;
	unsilence) options='--help --json --socket' ;;
	status) options='--help --json --socket' ;;
	watch) options='--help --json --mode --max-pause --interval --socket' ;;
	unwatch) options='--help --json --socket' ;;
	sample) options='--help --json --socket' ;;
	doctor) options='--help --json --db --timeout --dump-layout' ;;
	completion) options='--help' ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur")
	fi
}
complete -F _heaptide heaptide
