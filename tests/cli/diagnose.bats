#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# heaptide diagnose: one command answers, whatever becomes of the process or of us.

load common

rounds=$HT_BUILD/targets/rounds

# diagnose COUNT OPTION...: $target, until its record d.db has so many samples, then
# Ctrl-C; its answer is in the files out and err; sets $status.
diagnose() {
	local count=$1 diagnosis
	shift
	env --default-signal=INT "$heaptide" diagnose "$target" -d 1h -i 100ms -o d.db "$@" \
		>out 2>err 3>&- &
	diagnosis=$!
	started+=("$diagnosis")
	poll 60 has_samples d.db "$count"
	kill -INT "$diagnosis"
	status=0
	wait "$diagnosis" || status=$?
	cat out err
}

fits() { # LINES COLUMNS
	[ "$(wc -l <out)" -le "$1" ]
	awk -v width="$2" 'length > width { print; bad = 1 } END { exit bad }' out
}

@test "a leak is named, with who may be asked and what that costs, in 25 lines of 80 columns" {
	target "$rounds" over 0 leak
	COLUMNS=80 diagnose 60
	[ "$status" -eq 0 ]
	head -n 1 out | grep -q "^rounds, pid $target: .* resident"
	grep -q "^LEAK (0\.[0-9]*, [a-z]*)  rounds, pid $target, " out
	grep -q "^  remedy " out
	grep -q "^  next      heaptide owners $target --size 2[0-9]* (who holds" out
	tr -s ' \n' ' ' <out | grep -q "stops it for a fork, some 16 ms a GiB"
	grep -q "^  record    d.db: [0-9]* samples, stopped by a signal" out
	fits 25 80
	[ "$(grep -c $'\033' out)" -eq 0 ]
	grep -q "^heaptide: recording pid $target for 1h00m; Ctrl-C" err
}

@test "what is said to be typed can be typed" {
	target "$rounds" over 0 leak
	diagnose 40 --json
	[ "$(jq '.next | length' out)" -ge 4 ]
	jq -r '.next[].type | select(test(" (diagnose|report) ") | not)' out >commands
	grep -q "^heaptide owners $target --size " commands
	while read -r command; do
		case $command in *" who "*) command+=" -d 5s" ;; esac # a minute without
		PATH=$HT_BUILD:$PATH sh -c "$command" >typed </dev/null
		[ -s typed ]
	done <commands
	"$heaptide" verdict "$target" --db d.db | grep -q "^LEAK"
	"$heaptide" report "$target" --db d.db -o page.html
	grep -q LEAK page.html
}

@test "it fits 60 columns, and the answer is among what stays" {
	target "$rounds" over 0 leak
	COLUMNS=60 diagnose 60
	fits 25 60
	grep -q "^LEAK " out
	grep -q "^  remedy " out
	grep -q "^  next      heaptide owners" out
	COLUMNS=200 diagnose 70
	fits 25 200
	grep -q "^ .* size class 208 rose" out
}

@test "who holds it is told when that is asked for, and nobody is stopped otherwise" {
	target "$rounds" over 0 leak
	diagnose 40 --json
	jq -e '.owners == null and .owners_unknown == null' out
	jq -e '.look.stop.mode == "none" and .look.stop.pause_us == 0' out
	jq -e '.next[0].stops_threads and (.next[0].type | test(" owners "))' out
	diagnose 50 --who --json
	[ "$status" -eq 0 ]
	jq -e '.owners.schema == "heaptide.owners/1" and .owners.classes[0].max_size == 208' out
	jq -e '[.next[].type | select(test(" owners "))] == []' out
	diagnose 60 --who
	grep -q "^  who       [0-9]* % of .* in 208 B chunks" out
}

@test "memory that is kept after it was freed is no leak, and what gives it back is said" {
	target "$HT_BUILD/targets/keeper" small
	poll 10 grep -q ready target.out
	COLUMNS=80 diagnose 40
	[ "$status" -eq 0 ]
	grep -q "^POOL_GROWTH " out
	grep -q "^  type      .*malloc_trim(0)" out
	grep -q "^  next      heaptide trim $target " out
	fits 25 80
}

@test "a pool that grows outside malloc is told from the heap" {
	target "$HT_BUILD/targets/grower" pool
	poll 10 grep -q ready target.out
	COLUMNS=80 diagnose 60
	grep -q "^NON_MALLOC_GROWTH " out
	grep -q "^  next      heaptide map $target " out
	fits 25 80
	# What is told to be typed can be pasted, wherever it stands.
	"$heaptide" verdict "$target" --db d.db --json >verdict
	jq -e --arg map "\`heaptide map $target\`" '.remedy | contains($map)' verdict
	"$heaptide" report "$target" --db d.db -o d.html
	sed -n 's/.*<script type="application\/json" id="document"[^>]*>\(.*\)<\/script>.*/\1/p' d.html >page.json
	jq -e --arg map "\`heaptide map $target\`" '(.verdict.remedy | contains($map)) and
		([.verdict | .. | strings | select(test("\\bPID\\b"))] == [])' page.json
	for text in out verdict page.json; do
		[ "$(grep -cw PID $text)" -eq 0 ]
	done
}

@test "a process of another allocator is sent to that, and more time is not promised to help" {
	target env LD_PRELOAD="$(ldconfig -p | sed -n 's/.*libjemalloc.so.2 .*x86-64.*=> //p' | head -n 1)" \
		"$rounds" over 0
	poll 10 grep -q jemalloc "/proc/$target/maps"
	poll 10 grep -qx rounds "/proc/$target/comm"
	COLUMNS=80 diagnose 15
	[ "$status" -eq 0 ]
	sed -n 1,2p out | tr '\n' ' ' | grep -q "was not measured: malloc is jemalloc"
	grep -q "^  remedy    the process figures are right all the same" out
	grep -q "^  next      heaptide map $target " out
	[ "$(grep -c "diagnose $target" out)" -eq 0 ]
	fits 25 80
}

@test "a process that does not grow is stable, and nothing is to be done" {
	target "$rounds" over 0
	COLUMNS=80 diagnose 60
	grep -q "^STABLE " out
	grep -q "^  remedy    nothing to do" out
	[ "$(grep -c "heaptide record" out)" -eq 0 ]
	fits 25 80
}

@test "a process that ends meanwhile is told so, with the answer so far" {
	target "$rounds" over 0 leak
	"$heaptide" diagnose "$target" -d 1h -i 100ms -o d.db --who >out 2>err 3>&- &
	diagnosis=$!
	started+=("$diagnosis")
	poll 60 has_samples d.db 60
	touch over
	status=0
	wait "$diagnosis" || status=$?
	cat out err
	[ "$status" -eq 3 ] # who holds it was asked for, and cannot be known
	grep -q "^LEAK " out
	grep -q "^  who       not known: the process ended" out
	tr -s " \n" " " <out | grep -q "the process ended; all the"
	[ "$(grep -c "heaptide owners" out)" -eq 0 ]
	grep -q "^heaptide: the process ended before" err
}

@test "without --who the answer on a process that ended is a success" {
	target "$rounds" over 0
	"$heaptide" diagnose "$target" -d 1h -i 100ms -o d.db --json >out 3>&- &
	diagnosis=$!
	started+=("$diagnosis")
	poll 60 has_samples d.db 3
	touch over
	wait "$diagnosis"
	jq -e '.schema == "heaptide.diagnosis/1" and .record.end == "process"' out
	jq -e '.verdict.schema == "heaptide.verdict/1" and .look.schema == "heaptide.snapshot/1"' out
	jq -e ".target == \"rounds\" and .pid == $target and .record.file == \"d.db\"" out
	jq -e '[.next[].type | select(test("--db"))] == [.next[].type]' out
}

@test "Ctrl-C before there is enough is answered with what there is" {
	target "$rounds" over 0 leak
	diagnose 2
	[ "$status" -eq 0 ]
	grep -q "^INSUFFICIENT_DATA " out
	grep -q "^  next      heaptide diagnose $target -d 10m -o d.db" out
}

@test "the record is named after the process, and a second diagnosis goes on with it" {
	target "$rounds" over 0
	"$heaptide" diagnose "$target" -d 1s >one 2>err
	"$heaptide" diagnose "$target" -d 1s --json >two 2>err
	[ -s "heaptide-$target.db" ]
	all=$(sqlite3 "heaptide-$target.db" 'select count(*) from sample')
	[ "$(jq .verdict.samples two)" -eq "$all" ]
	[ "$(jq .record.samples two)" -lt "$all" ]
}

@test "one file is left, also by two diagnoses at one time" {
	target "$rounds" over 0
	for i in 1 2 3; do
		"$heaptide" diagnose "$target" -d 3s -i 100ms >"out$i" 2>"err$i" 3>&- &
		started+=("$!")
	done
	for pid in "${started[@]:1}"; do
		wait "$pid"
	done
	cat err?
	grep -q "^[A-Z_]* (0\.[0-9]*, [a-z]*)  rounds, pid $target, " out1 out2 out3
	[ "$(ls heaptide-*)" = "heaptide-$target.db" ]
	"$heaptide" verdict "$target" --db "heaptide-$target.db"
	[ "$(ls heaptide-*)" = "heaptide-$target.db" ]
}

@test "a process is named by its command, and one that is not there is told" {
	cp "$rounds" onlyonce
	target ./onlyonce over 0
	"$heaptide" diagnose onlyonce -d 1s --json | jq -e ".pid == $target"
	cp "$rounds" twofold
	start ./twofold over 0
	start ./twofold over 0
	poll 10 eval '[ "$(pgrep -cx twofold)" -eq 2 ]'
	fails 2 "several processes are named 'twofold'" "$heaptide" diagnose twofold -d 1s
	fails 3 "no process is named 'nosuch'" "$heaptide" diagnose nosuch
	fails 3 "there is no process 4194304" "$heaptide" diagnose 4194304
	fails 2 "heaptide check -- COMMAND" "$heaptide" diagnose -- sleep 1
	[ "$(find . -name '*.db' ! -name "heaptide-$target.db" | wc -l)" -eq 0 ]
}

@test "a hostile name is inert, and so is a hostile name of the record" {
	program hostile gcc <<-'C'
		#include <sys/prctl.h>
		#include <unistd.h>
		int main(void)
		{
			prctl(PR_SET_NAME, "\033[31m<b>$(id)");
			for (;;)
				pause();
		}
	C
	target ./hostile
	poll 10 grep -q id "/proc/$target/comm"
	file="a '; touch owned; '\"<b>.db"
	"$heaptide" diagnose "$target" -d 1s -o "$file" >out 2>err
	[ "$(cat out err | grep -c $'\033')" -eq 0 ]
	"$heaptide" diagnose "$target" -d 1s -o "$file" --json >json
	jq -e --arg file "$file" '.record.file == $file' json
	jq -r '.next[].type | select(test("report"))' json >typed
	PATH=$HT_BUILD:$PATH sh -ec "$(cat typed) -o page.html"
	[ ! -e owned ]
	[ -s page.html ]
}

@test "on a terminal it shows how far it is and what the verdict would be" {
	target "$rounds" over 0 leak
	cat >terminal.py <<-'P'
		import fcntl, os, pty, struct, sys, termios
		pid, fd = pty.fork()
		if pid == 0:
		    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
		    os.environ.pop("COLUMNS", None)
		    os.environ["TERM"] = "xterm"
		    os.execv(sys.argv[1], ["heaptide", "diagnose", sys.argv[2], "-d", "1h", "-i", "100ms"])
		seen = b""
		while True:
		    try:
		        part = os.read(fd, 4096)
		    except OSError:
		        break
		    if b"so far LEAK" not in seen and b"so far LEAK" in seen + part:
		        os.write(fd, b"\x03")
		    seen += part
		open("seen", "wb").write(seen)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	P
	timeout 200 python3 terminal.py "$heaptide" "$target"
	grep -aq "too early to tell: in use" seen
	grep -aq "s of 1h00m, so far LEAK (0\.[0-9]*): in use " seen
	grep -aq $'\033\[31mLEAK\033\[0m (0' seen
	# A progress line stays in one line of the terminal.
	tr '\r' '\n' <seen | sed $'s/\033\\[[0-9;]*[mK]//g' | awk 'length > 80 { print; bad = 1 } END { exit bad }'
}

@test "a condition ends it with a status of its own, after the answer" {
	target "$rounds" over 0 leak
	diagnose 60 --fail-on LEAK
	[ "$status" -eq 19 ]
	grep -q "^LEAK " out
	grep -q "^heaptide: verdict: LEAK" err
	fails 2 "did you mean 'LEAK'?" "$heaptide" diagnose "$target" --fail-on LEEK
}
