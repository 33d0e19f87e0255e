#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# heaptide in a container (runc, a plain bundle), as docs/privileges.md has it in
# a table: which user and capabilities, no_new_privs off and on, a read-only root
# with store and socket on file systems of their own. It shares the machine's
# process ids; what it measures are processes of other users outside it.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root overlay containers
[ -n "${HT_UNSHARED:-}" ] || HT_UNSHARED=1 exec unshare --mount --propagation private bash "$0"
# shellcheck source=tests/lib/overlay.sh
. "$HT_TOP/tests/lib/overlay.sh"

make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/waiting" || exit 1
ok "an overlay over this machine mounts" overlay
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
agent=/usr/local/libexec/heaptide/heaptide-agent
ok "heaptide is installed in it" eval 'mount --bind "$HT_TOP" "$root/mnt" && mount --bind "$HT_BUILD" "$root/opt" &&
	inside env BUILD=/opt PREFIX=/usr/local DESTDIR=/ /mnt/packaging/install install'
inside chown "0:$heaptide_id" $agent
inside chmod 750 $agent
inside setcap "$capabilities" $agent

chmod 711 "$HT_TMP"
cp "$HT_BUILD/targets/waiting" "$HT_TMP"
as_user 65533
start "${as[@]}" "$HT_TMP/waiting" >"$HT_TMP/ready"
process=$started
poll 20 grep -q ready "$HT_TMP/ready"
"$HT_BUILD/heaptide" explain "$process" --json >"$HT_TMP/root.json"
figures "$HT_TMP/root.json" >"$HT_TMP/figures.root"
expected "$HT_TMP/root.json" >"$HT_TMP/expected"

daemon_config
sed -i "s:^store = .*:store = /var/lib/heaptide/heaptide.db:; s:^control = .*:control = /run/heaptide/control.sock:
	s:^watches = .*:watches = /var/lib/heaptide/watches.conf:" "$conf"
printf '[target waiting]\npid = %s\n' "$process" >>"$conf"
inside mkdir -p /etc/heaptide /var/lib/heaptide /run/heaptide
cp "$conf" "$root/etc/heaptide/heaptided.conf"

bundle=$HT_TMP/bundle
mkdir "$bundle"
runc=(runc --root "$HT_TMP/runc")
container=heaptide-test-$$
trap '"${runc[@]}" delete --force "$container" 2>/dev/null' EXIT
writable='/var/lib/heaptide /run/heaptide' # folders that are file systems of their own
groups=/sys/fs/cgroup # of the machine, as they are there
two='["CAP_SYS_PTRACE","CAP_DAC_READ_SEARCH"]'
# contain USER CAPABILITIES AMBIENT NO_NEW_PRIVS COMMAND...: a bundle for it. The
# second are its bounding set, and what root holds; the third what others hold.
contain() {
	local user=$1 held=$3
	[ "$user" != 0 ] || held=$2
	rm -f "$bundle/config.json"
	"${runc[@]}" spec --bundle "$bundle"
	printf '%s\n' "${@:5}" | jq -R . | jq -s . >"$bundle/args"
	jq --slurpfile args "$bundle/args" --arg root "$root" --argjson user "$user" --argjson bound "$2" --argjson held "$held" \
		--argjson ambient "$3" --argjson nnp "$4" --arg writable "$writable" --arg groups "$groups" '
		.root = {path: $root, readonly: true} | .process.terminal = false
		| .process.user = {uid: $user, gid: $user} | .process.noNewPrivileges = $nnp
		| .process.capabilities = {bounding: $bound, effective: $held, permitted: $held,
			inheritable: $ambient, ambient: $ambient}
		| .process.args = $args[0] | .process.rlimits = []
		| .linux.namespaces = [{type: "mount"}, {type: "ipc"}, {type: "uts"}]
		| .mounts = [{destination: "/proc", type: "proc", source: "proc"},
			($writable | split(" ")[] | {destination: ., type: "tmpfs", source: "tmpfs",
				options: ["mode=0750", "uid=\($user)", "gid=\($user)"]}),
			($groups | select(. != "") | {destination: ., type: "bind", source: ., options: ["rbind", "ro"]})]' \
		"$bundle/config.json" >"$bundle/next"
	mv "$bundle/next" "$bundle/config.json"
}
run() { "${runc[@]}" run --bundle "$bundle" "$container" 2>"$HT_TMP/said"; }
command=(/usr/local/bin/heaptide explain "$process" --json)

# sees NAME USER CAPABILITIES AMBIENT NO_NEW_PRIVS: all that root sees outside,
# by the command and by the daemon.
sees() {
	contain "${@:2}" "${command[@]}"
	ok "$1: a process of another user is measured" eval 'run >"$HT_TMP/answer" || ! cat "$HT_TMP/said"'
	figures "$HT_TMP/answer" >"$HT_TMP/figures"
	ok "$1: every figure is root's" diff "$HT_TMP/figures" "$HT_TMP/figures.root"
	contain "${@:2}" /usr/local/sbin/heaptided
	start run
	ok "$1: the daemon measures it, on a read-only root" poll 20 measured "$process"
	metrics >"$HT_TMP/scrape"
	published waiting "$HT_TMP/scrape" >"$HT_TMP/published"
	ok "$1: what it publishes is root's" diff "$HT_TMP/published" "$HT_TMP/expected"
	ok "$1: it is asked over its socket" poll 10 "${runc[@]}" exec "$container" /usr/local/bin/heaptide status
	ok "$1: it records" poll 10 eval '"${runc[@]}" exec "$container" /usr/local/bin/heaptide status --json |
		grep -q "\"samples\": [1-9]"'
	ends "$1"
}
ends() { # NAME
	"${runc[@]}" kill "$container" TERM
	ok "$1: it ends when it is told to" poll 20 not_running "$started"
	"${runc[@]}" delete --force "$container" 2>/dev/null
}
# misses NAME TEXT USER CAPABILITIES AMBIENT NO_NEW_PRIVS
misses() {
	contain "${@:3}" "${command[@]}"
	refuse "$1: it is refused" eval 'run >"$HT_TMP/answer"'
	ok "$1: and says why" grep -q "$2" "$HT_TMP/said"
}

sees "user 65532, file capabilities" 65532 "$two" '[]' false
sees "user 65532, ambient capabilities, no_new_privs" 65532 "$two" "$two" true
sees "user 0 with the two, no_new_privs off" 0 "$two" '[]' false
sees "user 0 with the two, no_new_privs" 0 "$two" '[]' true
misses "user 65532, no_new_privs, nothing ambient" "without CAP_SYS_PTRACE" 65532 "$two" '[]' true
misses "user 65532, all capabilities dropped" "without CAP_SYS_PTRACE" 65532 '[]' '[]' false
misses "user 0, all capabilities dropped" "without CAP_SYS_PTRACE" 0 '[]' '[]' false
contain 65532 '["CAP_SYS_PTRACE"]' '[]' false "${command[@]}"
ok "user 65532 with CAP_SYS_PTRACE alone: it is measured" eval 'run >"$HT_TMP/answer"'
can cgroups "but for residency, which is said" && is "but for residency, which is said" "$(jq -c '[.totals.retained, .unknown[].reason]' "$HT_TMP/answer")" '[null,"pagemap"]'

groups=
contain 65532 "$two" '[]' false "${command[@]}"
ok "without the machine's control groups: it is measured" eval 'run >"$HT_TMP/answer"'
is "but for their limits, which is said" "$(jq -c '[.limits.cgroup_max, .limits.threads_max, .unknown[].reason]' "$HT_TMP/answer")" \
	'[null,null,"cgroup"]'
groups=/sys/fs/cgroup

# --- a read-only root with less to write to
writable=
contain 65532 "$two" '[]' false "${command[@]}"
ok "nowhere to write: a process is measured" eval 'run >"$HT_TMP/answer"'
figures "$HT_TMP/answer" >"$HT_TMP/figures"
ok "nowhere to write: every figure is root's" diff "$HT_TMP/figures" "$HT_TMP/figures.root"
contain 65532 "$two" '[]' false /usr/local/sbin/heaptided
refuse "nowhere to write: the daemon does not start" run
ok "and says why" grep -q "listen on /run/heaptide/control.sock: Read-only file system" "$HT_TMP/said"
writable=/run/heaptide
contain 65532 "$two" '[]' false /usr/local/sbin/heaptided
start run
ok "nowhere to write but for the socket: the daemon measures" poll 20 measured "$process"
is "and says that it cannot record" "$(metric heaptide_store_up)" 0
ends "nowhere to write but for the socket"
plan
