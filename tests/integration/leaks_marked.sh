#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# What leaks says is what another marking says, which shares nothing with it: of
# planted leaks amid stale words, of all kinds of stacks, and of real programs.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/marked.sh
. "$HT_TOP/tests/lib/marked.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1

planted() { # NAME PROGRAM ARGUMENT...: sets $chunks, as it says itself
	start "$HT_BUILD/targets/$2" "${@:3}" >said
	ready 20 grep -q ready said
	read -r _ chunks _ < <(grep leaked said)
	marked "$1" "$started"
}
for stale in 0 10 50; do
	planted "$stale % stale words" planted $stale
	ok "$stale % stale words: some is leaked, and no more than was planted" \
		test "$leaked" -gt 0 -a "$leaked" -le "$chunks"
	[ $stale -gt 0 ] || same "all that was planted" "$leaked" "$chunks"
	stop_started
done
planted "what lies beside stacks, and on a fiber's" stacks
same "is held; what lies below a stack's pointer is leaked" "$leaked" "$chunks"
# Of the process itself the same is said.
live() { "$HT_BUILD/heaptide" leaks "$started" --json >live.json; }
ok "the process is looked at" poll 30 live
same "of the process the same is leaked" "$(jq .leaked_chunks live.json)" "$chunks"
stop_started

waits() { # CALL: it waits in that system call, a pattern of proc_pid_syscall(5)
	poll 20 grep -qE "$1" "/proc/$started/syscall"
}
# Small objects are malloc's, too; lost ones are its only garbage.
cat >losing.py <<'PY'
import ctypes, json, threading, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
kept = [json.loads('{"%d": [%d, "%s", {"a": null}]}' % (i, i, "x" * (i % 300))) for i in range(5000)]
at = threading.Barrier(3)
mine = threading.local()
def run():
    mine.kept = [bytes(range(i % 200)) for i in range(1000)]
    at.wait()
    time.sleep(600)
for _ in range(2):
    threading.Thread(target=run, daemon=True).start()
for i in range(3000):
    libc.malloc(24 + i % 900)
del i
at.wait()
time.sleep(600)
PY
start env PYTHONMALLOC=malloc python3 losing.py
ok "python3 waits" waits '^(230|35) '
marked python3 "$started"
between "python3: what it lost is leaked" "$leaked" 2950 3100
stop_started

mkfifo in
exec 7<>in
start sh -c 'exec sqlite3 :memory: <in'
cat >&7 <<'SQL'
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;
CREATE INDEX b ON t(b);
DELETE FROM t WHERE a % 3 = 0;
.shell touch filled
SQL
ok "sqlite3 has a table" poll 20 test -e filled
ok "sqlite3 waits" waits '^0 0x0 '
marked sqlite3 "$started"
exec 7>&-
stop_started

# A program in C++.
mkfifo words
exec 8<>words
start sh -c 'exec gdb -q -nx <words >gdb.out 2>&1'
printf 'file /bin/sh\ninfo functions main\nshell touch read\n' >&8
ok "gdb has read a program" poll 30 test -e read
ok "gdb waits" waits '^(7|271|232|281|0) '
marked gdb "$started"
exec 8>&-
plan
