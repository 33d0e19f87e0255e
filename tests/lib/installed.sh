# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# heaptide as it is installed, below $HT_TMP: programs of root, and an agent for
# one group alone, with the capabilities that packaging/install gives it. Source
# tap.sh first.
#
#   installed           makes it; $there is the folder
#   as_heaptide [CAP]   then "${as[@]}" COMMAND...: as the user of the daemon, with
#                       the unit's bounding set, but for CAP
#   daemon_as_installed  daemon_start of daemon.sh runs it so
#   as_user ID          the same for another user, without any right
#   figures FILE        every figure of a snapshot, "path value" a line, but for
#                       those that differ from look to look
#   published TARGET FILE   every metric of a target in a scrape, but for those
#   expected FILE       the same, of a snapshot; without ratios of nothing to nothing
there=$HT_TMP/installed
heaptide_id=65532 # no user of this machine
# shellcheck disable=SC2034 # for those who source this
capabilities=$(sed -n 's/^capabilities=//p' "$HT_TOP/packaging/install")
# shellcheck disable=SC2034
bounding=$(sed -n 's/^CapabilityBoundingSet=//p' "$HT_TOP/packaging/systemd/heaptided.service" |
	tr 'A-Z ' 'a-z,' | sed 's/cap_//g; s/^/-all,+/; s/,\([a-z]\)/,+\1/g')

installed() {
	chmod 711 "$HT_TMP"
	mkdir -p "$there"
	install -m 755 "$HT_BUILD/heaptide" "$HT_BUILD/heaptided" "$there"
	install -m 750 -g "$heaptide_id" "$HT_BUILD/heaptide-agent" "$there"
	setcap "$capabilities" "$there/heaptide-agent"
	install -m 755 "$HT_BUILD/heaptide-probe" "$there"
}

# The daemon of daemon.sh as installed, with its database where it may write; who is
# not root has it as it is.
# shellcheck disable=SC2034,SC2119 # for daemon.sh; all of the capabilities
daemon_as_installed() {
	[ "$(id -u)" = 0 ] || return 0
	installed
	chown "$heaptide_id" "$HT_TMP"
	as_heaptide
	daemon_as=("${as[@]}")
	daemon_dir=$there
}

as=()
as_user() { # ID
	as=(setpriv --reuid "$1" --regid "$1" --clear-groups --inh-caps=-all)
}

# shellcheck disable=SC2120 # by those who source this
as_heaptide() { # [CAPABILITY TAKEN AWAY]
	as_user "$heaptide_id"
	as+=(--bounding-set="${bounding/,+${1:-none}/}")
}

figures() {
	jq -r '[paths(type != "object" and type != "array") as $p | {path: ($p | map(tostring) | join(".")), value: getpath($p)}]
		| map(select(.path | test("^(taken_at|unknown[.]|warnings[.]|stop[.]|cpu_ns|process[.](pss|uss|minflt|majflt)"
			+ "|limits[.](mem_available|swap_free|cgroup_used|threads_max))") | not))
		| .[] | "\(.path) \(.value)"' "$1"
}

# What a scrape has of a target but no snapshot tells: the daemon's own affairs, and
# what differs from look to look (PSS: by who else maps the same libraries).
published() { # TARGET SCRAPE
	grep "^heaptide_.*{target=\"$1\"," "$2" |
		grep -Ev '^heaptide_(process_info|samples_total|last_sample_|consecutive_failures|inconsistent_|interval_|stop_ratio|pause_|gap_|light_look|look_cpu_|size_classes_age_|in_use_age_|in_use_error_|retained_error_|verdict_|alert_|idle_|cpu_|limit_|pss_)' |
		sed 's/{target="[^"]*",pid="[0-9]*",\{0,1\}/{/; s/{}//' | sort
}

expected() { # SNAPSHOT
	jq -r '. as $s | .totals as $t | .process as $p | .fragmentation as $f
		| (.rss_breakdown | map({(.cause): .bytes}) | add) as $causes
		| ({in_use_bytes: ($t.in_use + $t.mmapped), stuck_bytes: $causes.sub_page,
			tops_kept_bytes: ($causes.top_main + $causes.top_thread), uncertain_bytes: .stop.uncertain_bytes,
			largest_free_bytes: $f.largest_free, non_malloc_anonymous_bytes: $t.non_malloc_anon,
			rss_bytes: $p.rss, rss_anonymous_bytes: $p.rss_anon, swap_bytes: $p.swap, vsz_bytes: $p.vsz,
			threads: $p.threads, minor_faults_total: $p.minflt, major_faults_total: $p.majflt,
			trim_threshold_bytes: .params.trim_threshold, mmap_threshold_bytes: .params.mmap_threshold}
			+ ($t | {in_use_chunks, mmapped_chunks, arenas, arenas_holding,
				mmapped_bytes: .mmapped, system_bytes: .system, overhead_bytes: .overhead,
				retained_bytes: .retained, trimmable_bytes: .trimmable, pinned_bytes: .pinned,
				trimmable_private_bytes: .trimmable_private,
				used_pages_resident_bytes: .used_pages_resident, resident_free_bytes: .resident_free})
			+ ($f | {external_ratio: .external, retained_ratio: .retained_ratio,
				page_utilisation_ratio: .page_utilisation, stuck_ratio: .stuck_ratio,
				unusable_median_ratio: .unusable_median, unusable_p95_ratio: .unusable_p95,
				peak_overhead_ratio: .peak_overhead})
			| to_entries[] | select(.value != null) | "heaptide_\(.key) \(.value)"),
		(.rss_breakdown[] | "heaptide_resident_bytes{cause=\"\(.cause)\"} \(.bytes)"),
		("tcache", "fastbin", "unsorted", "small", "large", "top"
			| "heaptide_free_bytes{place=\"\(.)\"} \($t[.])"),
		("lt_4k", "4k_64k", "64k_1m", "ge_1m" | "heaptide_hole_bytes{size=\"\(.)\"} \($f["holes_" + .])",
			"heaptide_holes{size=\"\(.)\"} \($f["holes_\(.)_count"])"),
		(.unknown | group_by(.reason)[] | "heaptide_unknown_figures{reason=\"\(.[0].reason)\"} \(map(.figures) | add)"),
		(.arenas[] | . as $a | ("in_use", "system", "retained", "trimmable")
			| "heaptide_heap_\(.)_bytes{arena=\"\($a.index)\"} \($a[.])")' "$1" | sort
}
