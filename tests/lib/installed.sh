# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# heaptide as it is installed, below $HT_TMP: programs of root, and an agent for
# one group alone, with the capabilities that packaging/install gives it. Source
# tap.sh first.
#
#   installed           makes it; $there is the folder
#   as_heaptide [CAP]   then "${as[@]}" COMMAND...: as the user of the daemon, with
#                       the unit's bounding set, but for CAP
#   as_user ID          the same for another user, without any right
#   figures FILE        every figure of a snapshot, "path value" a line, but for
#                       those that differ from look to look
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
}

as=()
as_user() { # ID
	as=(setpriv --reuid "$1" --regid "$1" --clear-groups --inh-caps=-all)
}

as_heaptide() { # [CAPABILITY TAKEN AWAY]
	as_user "$heaptide_id"
	as+=(--bounding-set="${bounding/,+${1:-none}/}")
}

figures() {
	jq -r '[paths(type != "object" and type != "array") as $p | {path: ($p | map(tostring) | join(".")), value: getpath($p)}]
		| map(select(.path | test("^(taken_at|unknown[.]|warnings[.]|stop[.]|cpu_ns|process[.](pss|uss|minflt|majflt)"
			+ "|limits[.](mem_available|swap_free|cgroup_used))") | not))
		| .[] | "\(.path) \(.value)"' "$1"
}
