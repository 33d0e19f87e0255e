#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 400 s
# The Debian package: builds, lintian finds nothing, installs, works for a user
# without rights but the group's, starts its daemon, which sees all of another user's
# process that root sees, and goes without a trace.
# It is installed in an overlay over this machine's files, in a mount namespace
# of its own: nothing of it stays here.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root overlay
[ -n "${HT_UNSHARED:-}" ] || HT_UNSHARED=1 exec unshare --mount --propagation private bash "$0"

# shellcheck source=tests/lib/overlay.sh
. "$HT_TOP/tests/lib/overlay.sh"

# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
agent=/usr/libexec/heaptide/heaptide-agent
make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/waiting" || exit 1

# A member of the group: the user heaptide, with no capability at all.
# shellcheck disable=SC2054 # the commas are setpriv's
member=(env PATH="$system_path" chroot "$root" setpriv --reuid heaptide --regid heaptide --init-groups
	--inh-caps=-all --bounding-set=-all,+sys_ptrace,+dac_read_search)

files_of() { inside dpkg -L heaptide | while read -r path; do
	[ -d "$root$path" ] || echo "$path"
done; }

any_left() {
	local path
	for path in "$@"; do
		[ ! -e "$root$path" ] || echo "$path"
	done
}

ok "make deb builds it" packaging/build-deb
package=$(cd build-deb && ls heaptide_*.deb)
ok "lintian finds nothing" lintian --fail-on error,warning "build-deb/$package"
ok "an overlay over this machine mounts" overlay
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
ok "the package is in it" mount --bind "$HT_TOP/build-deb" "$root/mnt"
ok "it installs" inside dpkg -i "/mnt/$package"
is "the agent alone has capabilities, and only these" \
	"$(inside getcap -r /usr/bin /usr/sbin /usr/libexec/heaptide | grep heaptide | sort)" \
	"$agent cap_dac_read_search,cap_sys_ptrace=p"
is "the agent is for the group" "$(inside stat -c '%a %U:%G' "$agent")" "750 root:heaptide"
ok "its manual is there" inside test -s /usr/share/man/man1/heaptide.1.gz
ok "its configuration passes its own check" inside /usr/sbin/heaptided --check

install -m 755 "$HT_BUILD/targets/waiting" "$HT_TMP/waiting"
start setpriv --reuid nobody --regid nogroup --clear-groups "$HT_TMP/waiting" >"$HT_TMP/ready"
process=$started
ok "a process of nobody stands" poll 20 grep -q ready "$HT_TMP/ready"
ok "a member of the group explains another user's process" \
	"${member[@]}" /usr/bin/heaptide explain "$process" --json
refuse "who is not in the group may not" inside setpriv --reuid nobody --regid nogroup \
	--clear-groups --bounding-set=-all /usr/bin/heaptide explain $$ --json

install -d -m 0750 -o "$(inside id -u heaptide)" -g "$(inside id -g heaptide)" "$root/run/heaptide"
# shellcheck disable=SC2119 # it has an argument elsewhere
port=$(free_port)
sed -i "s/^#metrics = .*/metrics = 127.0.0.1:$port/" "$root/etc/heaptide/heaptided.conf"
printf '[target waiting]\npid = %s\ninterval = 500ms\n' "$process" >>"$root/etc/heaptide/heaptided.conf"
start "${member[@]}" /usr/sbin/heaptided
ok "the daemon starts and answers" poll 10 "${member[@]}" /usr/bin/heaptide status
ok "it measures another user's process" poll 20 measured "$process"
as_root_has_it() {
	metrics >"$HT_TMP/scrape"
	inside heaptide explain "$process" --json >"$HT_TMP/root.json"
	published waiting "$HT_TMP/scrape" >"$HT_TMP/published"
	expected "$HT_TMP/root.json" >"$HT_TMP/expected"
	test -s "$HT_TMP/published" && diff "$HT_TMP/published" "$HT_TMP/expected" >"$HT_TMP/differ"
}
poll 10 as_root_has_it
ok "all that it publishes of it is what root sees" as_root_has_it
stop_started
mapfile -t files < <(files_of)
ok "it removes" inside dpkg --remove heaptide
ok "it purges" inside dpkg --purge heaptide
is "nothing is left of ${#files[@]} files" \
	"$(any_left "${files[@]}" /etc/heaptide /var/lib/heaptide)" ""
plan
