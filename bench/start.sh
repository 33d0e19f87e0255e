#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the first look at a process costs beyond those that follow: processor time of its agent,
# with the start of the program and the dynamic linker, without that of the children that open
# files for it. The least and the median of START_RUNS (10) agents, one after the other; the first
# ones have told no other yet what libraries are like.
set -euo pipefail
runs=${START_RUNS:-10}
# shellcheck source=bench/lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"

cat >"$work/python.py" <<'PY'
import bz2, ctypes, decimal, hashlib, json, lzma, re, socket, sqlite3, ssl, time, zlib
kept = ["x%d" % i for i in range(20000)]
time.sleep(100000)
PY
cat >"$work/looks.py" <<'PY'
import os, sqlite3, statistics, subprocess, sys, time
runs, build, store, program = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
LATER = 5

def taken_ms(pid):
    return time.clock_gettime(~pid << 3 | 2) * 1000  # of all its threads: CPUCLOCK_SCHED of another process

def child(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return int((f.read().split() or [0])[0])

def until(what, limit=20):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.01)
    sys.exit("%s: no answer within %d s" % (program[0], limit))

def samples():
    try:
        with sqlite3.connect("file:%s?mode=ro" % store, uri=True) as db:
            return db.execute("SELECT count(*) FROM sample").fetchone()[0]
    except sqlite3.OperationalError:
        return 0

def run(target):
    for name in (store, store + "-wal", store + "-shm"):
        if os.path.exists(name):
            os.unlink(name)
    record = subprocess.Popen([build + "/heaptide", "record", str(target), "-o", store, "-i", "500ms"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    agent = until(lambda: child(record.pid))
    until(lambda: samples() >= 1)
    first = taken_ms(agent)
    until(lambda: samples() >= 1 + LATER)
    later = (taken_ms(agent) - first) / LATER
    record.terminate()
    record.wait()
    return first, later

target = subprocess.Popen(program)
time.sleep(1)
figures = [run(target.pid) for _ in range(runs)]
target.kill()
target.wait()
more = [first - later for first, later in figures]
for name, of in (("least", min), ("median", statistics.median)):
    print("%s | %.1f | %.1f | %.1f" % (name, of(f for f, _ in figures), of(l for _, l in figures), of(more)))
PY

echo "## The first look at a process, and those that follow"
echo
echo "| program | of $runs | first look, ms | each of the next five | first beyond next |"
echo "| --- | --- | --- | --- | --- |"
looks() { # NAME PROGRAM...
	/usr/bin/python3 "$work/looks.py" "$runs" "$HT_BUILD" "$work/store" "${@:2}" | sed "s/^/| $1 | /; s/$/ |/"
}
looks sleep sleep 100000
looks "Python with 20 libraries" /usr/bin/python3 "$work/python.py"
