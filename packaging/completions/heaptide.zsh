#compdef heaptide
# SPDX-License-Identifier: Apache-2.0
# zsh completion for heaptide: heaptide completion zsh
_heaptide() {
	local -a commands
	commands=(
		diagnose:'look, record for two minutes, judge: what it is and what to type'
		explain:'where the memory of a process is, why it stays, what to do'
		record:'sample a process, or a command from its start, into a database'
		check:'run a command and fail when it leaks, grows or needs too much'
		verdict:'leak, pool growth, ... from the history, with the evidence'
		trend:'metrics over time as a plot, JSON or CSV'
		bins:'free chunks by bin'
		arenas:'one line for each arena'
		map:'heaps by address with their residency, and what is not malloc'\''s'
		classes:'chunks by size, in use and free'
		threads:'thread caches and which arena each thread uses'
		diff:'what changed between two moments, windows, lives or processes'
		owners:'what holds the chunks of a size: the static, the list, the table'
		types:'what the chunks in use are: classes, containers, strings, text'
		leaks:'chunks in use that nothing leads to, by what stands at their head'
		ls:'the processes in the database, with sparklines'
		top:'all targets, live and full-screen'
		trim:'what malloc_trim(0) would return, and with --yes has it called'
		report:'one self-contained HTML page with the plots and the verdict'
		export:'history as a stream for other tools'
		alerts:'what fires, with --since what has fired, when and why'
		silence:'send nothing of a rule for a target until then'
		silences:'the silences that run'
		unsilence:'end a silence'
		status:'how heaptided is doing'
		watch:'have heaptided sample a target from now on'
		unwatch:'have heaptided leave a target alone'
		sample:'have heaptided take and store a sample now'
		doctor:'what is missing for this to work, and the command that mends it'
		completion:'completion for bash, zsh or fish, on standard output'
	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	shift words; (( CURRENT-- ))
	case $words[1] in
	diagnose)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--who[tell who holds the memory, too\: the process'\''s threads are stopped for a fork, as '\''heaptide owners'\'' does]' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--interval=[time between samples (default\: 1s; check\: 200ms; diagnose\: 250ms to 1s, by its -d)]:TIME:' \
			'--duration=[end after TIME (default\: when the process ends or Ctrl-C; diagnose\: 2m)]:TIME:' \
			'--output=[the file to write]:FILE:_files' \
			'--fail-on=[end with status 19 when this is the verdict]:VERDICT,...:' \
			'--confidence=[that a verdict needs for --fail-on, 0 to 1 (default\: 0.5; what is judged after seconds never has more than 0.6)]:SHARE:' \
			'--max-growth=[of memory in use, after the first quarter of the run]:SIZE:' \
			'--max-in-use=[of memory in use at any sample]:SIZE:' \
			'--max-retained=[of freed memory that malloc keeps, at any sample]:SIZE:' \
			'*:target:_pids' ;;
	explain)
		_arguments \
			'--json[print JSON]' \
			'--full[print all of it on a terminal, too (a pipe always gets all)]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--core=[explain a core file instead of a process]:FILE:_files' \
			'--pss[read PSS and USS even where the process waits for longer than --max-pause]' \
			'--exe=[the executable that dumped the core]:FILE:_files' \
			'*:target:_pids' ;;
	record)
		_arguments \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--interval=[time between samples (default\: 1s; check\: 200ms; diagnose\: 250ms to 1s, by its -d)]:TIME:' \
			'--duration=[end after TIME (default\: when the process ends or Ctrl-C; diagnose\: 2m)]:TIME:' \
			'--output=[the file to write]:FILE:_files' \
			'--name=[name to record the process under (default\: its command name)]:NAME:' \
			'*:target:_pids' ;;
	check)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--interval=[time between samples (default\: 1s; check\: 200ms; diagnose\: 250ms to 1s, by its -d)]:TIME:' \
			'--duration=[end after TIME (default\: when the process ends or Ctrl-C; diagnose\: 2m)]:TIME:' \
			'--output=[the file to write]:FILE:_files' \
			'--fail-on=[end with status 19 when this is the verdict]:VERDICT,...:' \
			'--confidence=[that a verdict needs for --fail-on, 0 to 1 (default\: 0.5; what is judged after seconds never has more than 0.6)]:SHARE:' \
			'--max-growth=[of memory in use, after the first quarter of the run]:SIZE:' \
			'--max-in-use=[of memory in use at any sample]:SIZE:' \
			'--max-retained=[of freed memory that malloc keeps, at any sample]:SIZE:' \
			'--junit=[write the outcome as a JUnit file]:FILE:_files' \
			'--sarif=[write what was missed as a SARIF file]:FILE:_files' \
			'*:target:_pids' ;;
	verdict)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--fail-on=[end with status 19 when this is the verdict]:VERDICT,...:' \
			'--confidence=[that a verdict needs for --fail-on, 0 to 1 (default\: 0.5; what is judged after seconds never has more than 0.6)]:SHARE:' \
			'--max-growth=[of memory in use, after the first quarter of the run]:SIZE:' \
			'--max-in-use=[of memory in use at any sample]:SIZE:' \
			'--max-retained=[of freed memory that malloc keeps, at any sample]:SIZE:' \
			'*:target:_pids' ;;
	trend)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'*:target:_pids' ;;
	bins)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--at=[look at the history\: the last sample at or before TIME (2h = two hours ago, or 2026-01-31T12\:00\:00Z)]:TIME:' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--bin=[with --since\: these bins only (fast, unsorted, small or large; small\:5 is one)]:KIND[:INDEX]:' \
			'--arena=[this arena only]:INDEX:' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	arenas)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--at=[look at the history\: the last sample at or before TIME (2h = two hours ago, or 2026-01-31T12\:00\:00Z)]:TIME:' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--arena=[this arena only]:INDEX:' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	map)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--at=[look at the history\: the last sample at or before TIME (2h = two hours ago, or 2026-01-31T12\:00\:00Z)]:TIME:' \
			'--against=[compare with the history as of TIME\: what came, went and changed (see --at)]:TIME:' \
			'--arena=[this arena only]:INDEX:' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	classes)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--at=[look at the history\: the last sample at or before TIME (2h = two hours ago, or 2026-01-31T12\:00\:00Z)]:TIME:' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	threads)
		_arguments \
			'--json[print JSON]' \
			'--csv[print comma-separated values]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--at=[look at the history\: the last sample at or before TIME (2h = two hours ago, or 2026-01-31T12\:00\:00Z)]:TIME:' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--arena=[this arena only]:INDEX:' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	diff)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--life=[given twice\: these lives of TARGET, 0 the one it names, -1 the one before]:LIFE:' \
			'--with=[compare TARGET with this other process of the history]:OTHER:' \
			'*:target:_pids' ;;
	owners)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--core=[explain a core file instead of a process]:FILE:_files' \
			'--exe=[the executable that dumped the core]:FILE:_files' \
			'--max-memory=[memory the measurement itself may take (default\: 256M); beyond it slower, not less]:BYTES:' \
			'--size=[of chunks of this size, as '\''heaptide classes'\'' and a verdict have it (default\: of the largest)]:BYTES:' \
			'*:target:_pids' ;;
	types)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--core=[explain a core file instead of a process]:FILE:_files' \
			'--exe=[the executable that dumped the core]:FILE:_files' \
			'--max-memory=[memory the measurement itself may take (default\: 256M); beyond it slower, not less]:BYTES:' \
			'*:target:_pids' ;;
	leaks)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'--core=[explain a core file instead of a process]:FILE:_files' \
			'--exe=[the executable that dumped the core]:FILE:_files' \
			'--max-memory=[memory the measurement itself may take (default\: 256M); beyond it slower, not less]:BYTES:' \
			'*:target:_pids' ;;
	ls)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--sort=[the largest of METRIC first (default\: the newest sample first)]:METRIC:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'*:target:_pids' ;;
	top)
		_arguments \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'*:target:_pids' ;;
	trim)
		_arguments \
			'--json[print JSON]' \
			'--bytes[print exact bytes instead of KiB, MiB, GiB]' \
			'--ascii[draw with ASCII characters only]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--yes[do it\: one thread of the process calls malloc_trim(0)]' \
			'--max-hold=[refuse where the lock of an arena would be held for longer (default\: 100ms)]:TIME:' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--no-debug-info[find malloc by structure even if there are symbols]' \
			'*:target:_pids' ;;
	report)
		_arguments \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--output=[the file to write]:FILE:_files' \
			'*:target:_pids' ;;
	export)
		_arguments \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--metric=[metrics to show, or sums and ratios of some\: '\''retained / heap_resident'\''; '\''help'\'' lists them]:NAME,...:(in_use in_use_arena in_use_chunks mmapped mmapped_chunks mmapped_resident system max_system free tcache fastbin unsorted small large top overhead heap_resident retained resident_free trimmable pinned used_pages_resident non_malloc_anon arenas heaps arenas_holding non_main_free_resident unattached_arenas blocked_1 blocked_4 blocked_16 blocked_span largest_free free_runs trim_threshold mmap_threshold rss rss_anon rss_file rss_shmem swap vsz writable_private minflt majflt threads cpu_ns pause_us uncertain stuck tops_kept limit external retained_ratio page_utilisation stuck_ratio unusable_median unusable_p95 peak_overhead holes_lt_4k holes_4k_64k holes_64k_1m holes_ge_1m holes_lt_4k_count holes_4k_64k_count holes_64k_1m_count holes_ge_1m_count mappings mappings_limit descriptors descriptors_limit threads_limit trimmable_private pss)' \
			'--format=[ndjson (default), csv or openmetrics]:FORMAT:' \
			'*:target:_pids' ;;
	alerts)
		_arguments \
			'--json[print JSON]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--since=[from TIME on (7d = seven days ago; default\: all there is)]:TIME:' \
			'--until=[up to TIME (default\: now)]:TIME:' \
			'--test=[replay the history against RULE\: the name of a shipped rule, or its text]:RULE:' \
			'*:target:_pids' ;;
	silence)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	silences)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	unsilence)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	status)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	watch)
		_arguments \
			'--json[print JSON]' \
			'--mode=[how to measure\: none (default\: nothing is stopped), bounded, exact or snapshot]:MODE:(none bounded exact snapshot)' \
			'--max-pause=[never stop the process for longer (default\: 2ms; mode bounded)]:TIME:' \
			'--interval=[time between samples (default\: 1s; check\: 200ms; diagnose\: 250ms to 1s, by its -d)]:TIME:' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	unwatch)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	sample)
		_arguments \
			'--json[print JSON]' \
			'--socket=[heaptided'\''s control socket (default\: $HEAPTIDE_SOCKET, then /run/heaptide/control.sock)]:FILE:_files' \
			'*:target:_pids' ;;
	doctor)
		_arguments \
			'--json[print JSON]' \
			'--db=[the database (default\: $HEAPTIDE_DB, then /var/lib/heaptide/heaptide.db)]:FILE:_files' \
			'--timeout=[give up a measurement after TIME (default\: 30s)]:TIME:' \
			'--dump-layout[write what is needed to add support for the process'\''s libc; no heap content]' \
			'*:target:_pids' ;;
	completion)
		_arguments \
			'*:target:_pids' ;;
	esac
}
_heaptide "$@"
