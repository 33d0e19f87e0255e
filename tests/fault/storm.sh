#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Processes by the thousand (a thousand a second on a quiet machine) that start and end around a target, in a pid
# range of their own that wraps several times: the target is measured on, what
# matches is found, nobody is taken for another, nothing piles up.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs namespaces last_pid
if [ -z "${HT_UNSHARED:-}" ]; then
	user=()
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	HT_UNSHARED=1 exec unshare "${user[@]}" --mount --pid --fork --kill-child --mount-proc bash "$0"
fi
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

cp /bin/true "$HT_TMP/ht-flash"
daemon_config
watch_sleepers ht-storm
cat >>"$conf" <<CONF
[target flashes]
name = ht-flash
max_processes = 20
CONF
start "$HT_TMP/ht-storm" 600
target=$started
daemon_start
ok "the target is measured" poll 30 measured "$target"

# Every third has the name of a target, and lives for a moment.
cat >"$HT_TMP/storm.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>
int main(int argc, char **argv)
{
	long n = 0, until = time(NULL) + atol(argv[2]);

	(void)argc;
	for (; n < atol(argv[3]) || time(NULL) < until; n++) {
		if (vfork() == 0) {
			if (n % 3 == 0)
				execl(argv[1], "ht-flash", (char *)NULL);
			_exit(0);
		}
		if (n % 1500 == 0) { /* the range wraps */
			FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");

			if (!last || fputs("400", last) < 0 || fclose(last))
				return 1;
		}
		while (waitpid(-1, NULL, n % 8 ? WNOHANG : 0) > 0)
			;
		if (n % 4 == 0)
			usleep(500);
	}
	printf("%ld\n", n);
	return 0;
}
C
ok "the storm is built" gcc -O2 -o "$HT_TMP/storm" "$HT_TMP/storm.c"
before=$(samples)
rss=$(metric heaptide_self_resident_bytes)
begun=$SECONDS
processes=$("$HT_TMP/storm" "$HT_TMP/ht-flash" 20 5000)
seconds=$((SECONDS - begun))
note "$processes processes in $seconds s, pids begin anew after 1500"
ok "thousands of processes came and went" test "$processes" -ge 5000
after=$(samples)
between "the target was measured on" $((after - before)) $((seconds / 2)) $((seconds * 4))
start "$HT_TMP/ht-storm" 601
ok "a new process is found" poll 30 measured "$started"
ok "what ended is forgotten" poll 30 eval '[ "$(metrics | grep -c "^heaptide_process_info{")" = 2 ]'
ok "no agent is left over" poll 20 eval '[ "$(pgrep -c -P $daemon -x heaptide-agent)" -le 2 ]'
ok "nor a descriptor" poll 20 eval '[ "$(ls /proc/$daemon/fd | wc -l)" -lt 60 ]'
between "memory did not grow by more than 8 MiB" "$(metric heaptide_self_resident_bytes)" 1 $((rss + (8 << 20)))
is "nobody was taken for another" "$(sql \
	"select count(*) from process where target = 'sleepers' and comm <> 'ht-storm' or target = 'flashes' and comm = 'ht-storm'")" 0
lives() { sql "select count(*) from process where target = 'sleepers'"; }
ok "each life of the target is one" poll 30 eval '[ "$(lives)" = 2 ]'
kill -0 "$target"
is "the target runs on" $? 0
daemon_stop
is_sound "the database is sound"
plan
