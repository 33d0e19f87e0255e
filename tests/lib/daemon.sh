# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # started: set by tap.sh
# A heaptided for one test: its files in $HT_TMP, its port free. Source tap.sh
# first. daemon_config writes what is common; append sections to $conf. What is
# in daemon_env (VARIABLE=VALUE...) is for the daemon alone; daemon_as is a command
# before it, that of another user; daemon_dir has it if not $HT_BUILD.

conf=$HT_TMP/d.conf
sock=$HT_TMP/d.sock
db=$HT_TMP/d.db
log=$HT_TMP/d.log
port=0
daemon_env=()
daemon_as=()

# free_port: below those that the kernel gives to whoever connects, which may
# take any of them while the daemon is not there.
free_port() {
	# shellcheck disable=SC2016 # perl's variables
	perl -MIO::Socket::INET -e '
		open my $range, "<", "/proc/sys/net/ipv4/ip_local_port_range" or die;
		my ($first) = split " ", <$range>;
		while (1) {
			my $port = $first > 11000 ? 10000 + int rand($first - 10000) : 0;
			my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
				LocalPort => $port, Proto => "tcp", Listen => 1) or next;
			print $s->sockport(), "\n";
			last;
		}'
}

daemon_config() {
	port=$(free_port)
	cat >"$conf" <<-CONF
		[daemon]
		store = $db
		control = $sock
		watches = $HT_TMP/watches.conf
		metrics = 127.0.0.1:$port
		evaluate = 500ms
		scan = 500ms
		[defaults]
		interval = 500ms
		stop_cap = 1%
		timeout = 30s
	CONF
}

# daemon_page SELECTOR...: after daemon_config: the page is served, with a target "shown"
# and a rule "always" that fires for it.
daemon_page() {
	sed -i 's/^scan = .*/&\ndetail = 1s\nui = on/' "$conf"
	printf '%s\n' '[target shown]' "$@" '[rule always]' 'condition = rss > 1' 'minimum = 0' \
		'for = 1s' 'severity = warning' >>"$conf"
}

# watch_sleepers NAME: a target "sleepers", and $HT_TMP/NAME to be started for it:
# no other program of that name on this machine is meant.
watch_sleepers() {
	cp /bin/sleep "$HT_TMP/$1"
	printf '[target sleepers]\nname = %s\nexe = %s\n' "$1" "$HT_TMP/$1" >>"$conf"
}

# daemon_leaks NAME...: targets that are sample services of these names, each a file
# of its own in $HT_TMP, and a rule that tells a leak of seconds.
daemon_leaks() {
	local name
	for name; do
		cp "$HT_BUILD/sample-service" "$HT_TMP/$name"
		printf '[target %s]\nname = %s\nexe = %s\n' "$name" "$name" "$HT_TMP/$name" >>"$conf"
	done
	cat >>"$conf" <<-CONF
		[rule early]
		verdict = LEAK
		confidence = 0.5
		evaluations = 1
		for = 1s
		minimum = 1M
	CONF
}

# daemon_start: until it answers; a socket alone may be one that was left behind.
# A daemon that does not start ends the test.
daemon_start() {
	start env "${daemon_env[@]}" "${daemon_as[@]}" "${daemon_dir:-$HT_BUILD}/heaptided" -c "$conf" 2>>"$log"
	daemon=$started
	poll 10 "$HT_BUILD/heaptide" status --socket "$sock" || {
		ok "heaptided starts" false
		note "$(cat "$log")"
		plan
	}
}

daemon_stop() { # [SIGNAL]
	kill -"${1:-TERM}" "$daemon" 2>/dev/null
	poll 10 not_there "$daemon"
	wait "$daemon" 2>/dev/null
}

not_there() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

# ask COMMAND [KEY VALUE-AS-JSON]...: the daemon's answer, one line of JSON
ask() {
	# shellcheck disable=SC2016 # perl's variables
	timeout 60 perl -MIO::Socket::UNIX -e '
		my ($socket, $command, %with) = @ARGV;
		my $s = IO::Socket::UNIX->new($socket) or exit 1;
		print $s "{\"heaptide\": 1, \"command\": \"$command\"",
			map({ ", \"$_\": $with{$_}" } keys %with), "}\n";
		$s->flush();
		print scalar <$s>' "$sock" "$@"
}

# field JSON-LINE PATH...: one value of it
field() {
	jq -cr --args 'getpath($ARGS.positional | map(tonumber? // .))' \
		"${@:2}" <<<"$1" 2>/dev/null
}

# sql QUERY: of the database of a daemon that runs; makes no file, changes none
sql() { sqlite3 -readonly -cmd '.timeout 5000' "$db" "$1"; }
is_sound() { is "$1" "$(sqlite3 -cmd '.timeout 5000' "$db" 'pragma integrity_check')" ok; }

metrics() { curl -sS --max-time 10 "http://127.0.0.1:$port/metrics"; }
# metric PATTERN: the value of the first line that matches
metric() { metrics | grep -E "^$1" | head -n 1 | sed 's/.* //'; }
# samples [PID]: how many were taken of it; of $target unless told otherwise
samples() { metric "heaptide_samples_total\{.*pid=\"${1:-$target}\""; }
# more_samples [PID]: measuring goes on
more_samples() {
	local n
	n=$(samples "$@")
	poll 20 eval "[ \$(samples $*) -gt $((n + 3)) ]"
}
measured() { # PID: it has at least one sample
	metrics | grep -q "^heaptide_samples_total{.*pid=\"$1\"} [1-9]"
}
watched() { metrics | grep -q "^heaptide_process_info{.*pid=\"$1\""; }
logged() { grep -q "$@" "$log"; }
