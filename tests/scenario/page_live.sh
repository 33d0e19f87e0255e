#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# The page that heaptided serves, live in Debian's Chromium: the list and a target follow what is
# measured without a reload, alerts and silences come, hostile names are text, the policy holds,
# keys, 400 px, dark, axe; slow clients beside it; the browser goes and the samples go on; the
# process ends, the history is gone. And a target of thirty days.
# Pictures of it are in $HT_BUILD/results/page.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/days.sh
. "$HT_TOP/tests/lib/days.sh"
# shellcheck source=tests/lib/browser.sh
. "$HT_TOP/tests/lib/browser.sh"
needs browser npm
cd "$HT_TMP" || exit 1
pictures=$HT_BUILD/results/page
mkdir -p "$pictures"

# A stranger chooses the name of a file that runs, and the reason of a silence.
hostile='<img src=x onerror=window.hacked=1>'
cp "$HT_BUILD/sample-service" "$HT_TMP/$hostile"
daemon_config
daemon_page "exe = $HT_TMP/<img*"
start "$HT_TMP/$hostile" >/dev/null
target=$started
daemon_start
ok "a process with a hostile name is measured" poll 20 measured "$target"
id() { sql "select id from process where pid = $target"; }
ok "and recorded" poll 20 eval '[ -n "$(id)" ]'
browser_checks "$HT_TOP/tests/scenario/page_live.cjs" "http://127.0.0.1:$port" "$(id)" "$target" "$pictures" \
	"$HT_BUILD/heaptide" "$sock" "$db"
daemon_stop

# Thirty days, served: the document is made by the daemon's child within its bounds.
rm -f "$db" "$db-wal" "$db-shm"
start "$HT_TMP/$hostile" >/dev/null
target=$started
daemon_start
ok "another history begins" poll 20 eval '[ "$(sql "select count(*) from sample")" -gt 4 ]'
daemon_stop
ok "it gets thirty days before it" days "$db" "$(id)"
daemon_start
ok "the target is measured on" poll 20 measured "$target"
begin=$(date +%s%N)
ok "its document is made" eval 'curl -sSf --max-time 40 "http://127.0.0.1:$port/p/$(id).json" >days.json'
note "thirty days in $((($(date +%s%N) - begin) / 1000000)) ms, $(stat -c %s days.json) bytes"
ok "of thirty days" jq -e '.times_s | last - first > 29 * 86400' days.json
browser_checks "$HT_TOP/tests/scenario/page_live.cjs" "http://127.0.0.1:$port" "$(id)" days
plan
