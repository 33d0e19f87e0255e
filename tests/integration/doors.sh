#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptided's doors under a hostile hand: names that try to write the log,
# patterns that try to hold the loop, and what is no business of a watcher's.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

daemon_config
watch_sleepers ht-doors
bad_name=$'x\n<0>boom'
cp /bin/sleep "$HT_TMP/$bad_name"
printf '[target odd]\nname = x?<0>boom\n' >>"$conf"
daemon_env=(JOURNAL_STREAM=1:1)
daemon_start

start "$HT_TMP/ht-doors" 300
one=$started
start "$HT_TMP/$bad_name" 300
odd=$started
ok "a process with an odd name is watched" poll 10 watched "$odd"
ok "so is the other" poll 20 measured "$one"
is "no line of the log has a priority that a name gave it" "$(grep -c '^<0>' "$log")" 0
ok "the name is there, escaped" logged -F 'x\n<0>boom'

ok "an agent runs" poll 10 pgrep -P "$daemon" -x heaptide-agent
is "its agent could be selected" \
	"$(field "$(ask watch target '"helpers"' cmdline "\"heaptide-agent --pid $one\"")" ok)" true
more_samples "$one"
is "heaptided watches none of its own helpers" \
	"$(field "$(ask ls target '"helpers"')" result targets | jq length)" 0

bomb='((((a{1,255}){1,255}){1,255}){1,255})'
is "a pattern that would take gigabytes is refused" \
	"$(field "$(ask watch target '"bomb"' cmdline "\"$bomb\"")" error code)" config
between "and takes none (MiB)" "$(($(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status") >> 10))" 1 100
is "one that would backtrack for ever is taken" \
	"$(field "$(ask watch target '"slow"' cmdline '"(a*)*(b|bb)+z"')" ok)" true
ok "and the loop goes on" more_samples "$one"
is "what is wrong with a selector is told with a hint that fits" \
	"$(field "$(ask watch target '"y"' cmdline '"("')" error hint | grep -c 'watch --help')" 1
is "a target of the file: the hint names the file" \
	"$(field "$(ask unwatch target '"sleepers"')" error hint | grep -c 'reload')" 1
is "a silence of no rule is refused, with a guess" \
	"$(field "$(ask silence rule '"leek"' until '"2h"')" error message | grep -c "did you mean 'leak'")" 1
is "an end that time does not reach is refused" \
	"$(field "$(ask silence rule '"leak"' until '"280y"')" error code)" usage
is "so is one beyond what can be counted" \
	"$(field "$(ask silence rule '"leak"' until '"15000w"')" error code)" usage
is "an hour of the clock is the next one" \
	"$(field "$(ask silence rule '"leak"' until '"00:00"')" ok)" true

heaptide() { "$HT_BUILD/heaptide" "$@"; }
cp /bin/sleep "$HT_TMP/ht-byname"
start "$HT_TMP/ht-byname" 300
poll 10 grep -qx ht-byname "/proc/$started/comm" # exec is past
ok "watch NAME resolves the name" heaptide watch ht-byname --socket "$sock"
is "to its pid" "$(field "$(ask ls target '"ht-byname"')" result targets 0 pid)" "$started"
refuse "a name that no process has is refused" heaptide watch ht-nobody --socket "$sock"
ok "status tells each process and sink" grep -qE '^ht-byname ' <(heaptide status --socket "$sock")
# wide enough for all columns, however many digits a pid has here
sampled() { COLUMNS=200 heaptide status --socket "$sock" | grep -qE "^ht-byname +$started +ok +[0-9.]+m?s ago +- +0 +[0-9.]+[mu]?s +[0-9]+ "; }
ok "when it was looked at last, what failed, and how long it stood still" poll 10 sampled
status_here() { TZ=America/New_York COLUMNS=100 heaptide status --socket "$sock"; }
ok "under heads that say so" grep -qE "^target +pid +state +last sample +last error +failures +pause " <(status_here)
ok "times are the reader's" grep -qE "^started_at +20[0-9-]*T[0-9:.]*-0[45]:00$" <(status_here)
ok "but in JSON, which has UTC" jq -e '.started_at | endswith("Z")' <(heaptide status --socket "$sock" --json)

daemon_stop
mkfifo "$HT_TMP/fifo"
for door in "$HT_TMP" "$HT_TMP/fifo" /dev/zero; do
	refuse "no configuration: ${door##*/}" timeout 10 "$HT_BUILD/heaptided" -c "$door"
	refuse "no history: ${door##*/}" timeout 10 "$HT_BUILD/heaptide" ls --db "$door"
done
echo precious >"$HT_TMP/precious"
sed "s|^control = .*|control = $HT_TMP/precious|" "$conf" >"$HT_TMP/e.conf"
refuse "a socket path that is a file: it does not start" timeout 10 "$HT_BUILD/heaptided" -c "$HT_TMP/e.conf"
is "and the file stays" "$(cat "$HT_TMP/precious")" precious
stop_started
plan
