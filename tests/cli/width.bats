#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# What a terminal of 60, 80 or 200 columns shows: no line of any command is
# wider, and a real terminal shows what a pipe gets.

load common

# Four arenas, freed memory below a pin, a library with a long name.
setup_file() {
	cd "$BATS_FILE_TMPDIR"
	mkdir -p "a folder with a long name"
	gcc -x c -O1 -w -shared -fPIC -o "a folder with a long name/libof_a_vendor_that_likes_names.so.11" - <<'C'
int data[100000] = {1};
void touch(void) { for (int i = 0; i < 100000; i++) data[i]++; }
C
	gcc -x c -O1 -w -fno-builtin -pthread -o a_program_named - <<'C'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct node { struct node *next; char room[200]; } *list_of_what_is_held;
static void *work(void *ctx)
{
	char *freed[200];

	for (int i = 0; i < 200; i++)
		freed[i] = memset(malloc(5000), 1, 5000);
	memset(malloc(100), 1, 100);
	for (int i = 0; i < 200; i++)
		free(freed[i]);
	for (;;)
		pause();
}
int main(int argc, char **argv)
{
	pthread_t t;
	void *lib = dlopen(argv[1], RTLD_NOW);

	((void (*)(void))dlsym(lib, "touch"))();
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, work, NULL);
	for (int i = 0; i < 2000; i++) {
		struct node *n = calloc(1, sizeof(*n));
		n->next = list_of_what_is_held;
		list_of_what_is_held = n;
	}
	for (int i = 0; i < 50; i++)
		memset(malloc(100), 1, 100); /* lost */
	usleep(200000);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
	./a_program_named "$PWD/a folder with a long name/libof_a_vendor_that_likes_names.so.11" >ready 2>&1 3>&- &
	echo $! >pid
	until grep -q ready ready; do sleep 0.05; done
	date +%s >from
	"$HT_BUILD/heaptide" record "$(cat pid)" -o r.db -i 200ms -d 3s
}

teardown_file() {
	kill -KILL "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
	from=$(cat "$BATS_FILE_TMPDIR/from")
	export HEAPTIDE_DB=$BATS_FILE_TMPDIR/r.db
}

teardown() {
	[ -z "${public:-}" ] || rm -rf "$public"
	[ -z "${terminal:-}" ] || tmux -S "$terminal" kill-server 2>/dev/null || true
	end_started || true
}

# Each command that prints text for people, with what it needs to be run.
commands() {
	printf '%s\n' --help "explain $pid" "verdict $pid" "verdict $pid --max-in-use 1k" \
		"trend $pid" "trend -m help" "bins $pid" "arenas $pid" "map $pid" \
		"map $pid --against 1h" "classes $pid" "threads $pid" "bins $pid --since 1h" \
		"arenas $pid --since 1h" "arenas $pid --since 1h -a 0" "classes $pid --since 1h" \
		"threads $pid --since 1h" "diff $pid" "diff $pid @$from..@$((from + 2)) @$((from + 2))..@$((from + 20))" "owners $pid" \
		"types $pid" "leaks $pid" ls "ls --sort external" top "trim $pid" alerts \
		"alerts $pid --test leak" "doctor $pid" "diagnose $pid -d 1s -o again.db"
}

# fits WIDTH COMMAND...: no line of what it prints is wider, but a path in a command
# to be pasted, which stands alone at the left edge.
fits() {
	local width=$1 status=0 widest
	shift
	COLUMNS=$width LC_ALL=$locale "$heaptide" "$@" >screen 2>stderr || status=$?
	[ -s screen ] || { echo "$*: status $status and nothing printed"; cat stderr; return 1; }
	sed -i '/^\/[^ ]*$/d' screen
	widest=$(LC_ALL=$locale wc -L <screen)
	[ "$widest" -le "$width" ] && return
	echo "$*: $widest columns on $width"
	LC_ALL=$locale grep -E ".{$((width + 1))}" screen
	return 1
}

@test "no command prints a line wider than the terminal" {
	for locale in C.UTF-8 C; do
		while read -r command; do
			# The locale changes little that has to be made fit: one width will do.
			for width in 60 $([ $locale = C ] || echo 80 200); do
				# shellcheck disable=SC2086 # words
				fits "$width" $command
			done
		done < <(commands)
	done
}

@test "nor where the program's own path is longer than the terminal is wide" {
	long=$BATS_TEST_TMPDIR/$(printf 'a_folder_%.0s' {1..10})/$(printf 'and_another_%.0s' {1..10})
	mkdir -p "$long"
	cp "$HT_BUILD/heaptide" "$HT_BUILD/heaptide-agent" "$long"
	for locale in C.UTF-8 C; do
		for width in 60 80; do
			COLUMNS=$width LC_ALL=$locale "$long/heaptide" doctor "$pid" >screen
			[ "$(LC_ALL=$locale wc -L <screen)" -le $width ]
			gap=$([ $locale = C ] && echo '\.\.' || echo '…')
			LC_ALL=$locale grep -Eq "^ok +agent +/[^ ]*${gap}[^ ]*/heaptide-agent" screen
		done
	done
	"$long/heaptide" doctor --json | jq -e --arg agent "$long/heaptide-agent" \
		'any(.checks[]; .check == "agent" and (.found | startswith($agent)))'
	needs root
	publish
	deep=$public/$(printf 'a_folder_%.0s' {1..10})
	mkdir "$deep"
	mv "$public"/heaptide* "$deep"
	COLUMNS=60 "${nobody[@]}" "$deep/heaptide" doctor >screen || cat screen
	grep -qx "$deep/heaptide-agent" screen # to be pasted: whole
}

@test "nor does who, which asks the kernel" {
	needs uprobes
	start "$HT_BUILD/sample-service" 3000
	poll 10 grep -q sample-service "/proc/$pid/comm"
	locale=C.UTF-8
	for width in 60 80 200; do
		fits "$width" who "$pid" -d 3s
	done
}

@test "every command of the program is among those, or prints no text for people" {
	"$heaptide" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | sort -u >there
	# These ask a daemon (tests/integration) or the kernel (above), write a file or
	# a stream, or end with a command's own output.
	printf '%s\n' who record check report export silence silences unsilence status watch \
		unwatch sample completion >others
	commands | cut -d' ' -f1 | cat - others | sort -u >known
	comm -23 there known >missing
	cat missing
	[ ! -s missing ]
}

# in_terminal WIDTH HEIGHT COMMAND...: what a real terminal shows then, to ./screen.
in_terminal() {
	local width=$1 height=$2
	shift 2
	printf '%q ' "$@" >typed
	echo '; echo "status $?" >ended; sleep 1000' >>typed
	rm -f ended
	terminal=tmux.$((++terminals)) # short, as names of sockets are; one that ends may still be there
	tmux -S "$terminal" -f /dev/null new-session -d -x "$width" -y "$height" \
		env -u COLUMNS -u LINES TERM=tmux bash ./typed 3>&-
	poll 20 test -s ended
	tmux -S "$terminal" capture-pane -p | sed 's/ *$//' >screen
	tmux -S "$terminal" kill-server
	sed -i -e :a -e '/^\n*$/{$d;N;ba' -e '}' screen
	cat screen
}

@test "explain answers within a terminal's 25 lines, and has the rest on request" {
	for size in "60 25" "80 25" "200 25"; do
		# shellcheck disable=SC2086 # two words
		in_terminal $size env LC_ALL=C.UTF-8 "$heaptide" explain "$pid"
		head -n 1 screen | grep -q "^a_program_named, pid $pid: .* resident"
		tr -s '\n ' ' ' <screen | grep -q "malloc_trim(0) would return"
		grep -q "^RSS by cause" screen
		tail -n 1 screen | grep -q "heaptide explain $pid --full$"
		[ "$(wc -l <screen)" -le 25 ]
	done
	in_terminal 80 120 env LC_ALL=C.UTF-8 "$heaptide" explain "$pid" --full
	grep -q "^How it was measured" screen
	grep -q "^chunk size" screen
	"$heaptide" explain "$pid" >piped
	grep -q "^How it was measured" piped
}

@test "the rows of a brief answer add up to RSS" {
	script -qec "env NO_COLOR=1 COLUMNS=80 '$heaptide' explain $pid --bytes" /dev/null </dev/null |
		tr -d '\r' >brief
	awk '/^RSS by cause/ { on = 1; next } on && /^RSS / { rss = $2; exit }
		on { for (i = 1; i <= NF; i++) if ($i == "%") sum += $(i - 2) }
		END { print sum, rss; exit !(rss > 0 && sum == rss) }' brief
}

@test "a real terminal shows line by line what a pipe gets" {
	for width in 60 80 200; do
		for locale in C.UTF-8 C; do
			for command in "trend $pid -m rss" "classes $pid --since 1h" "arenas $pid --at now"; do
				# shellcheck disable=SC2086 # words
				in_terminal $width 60 env LC_ALL=$locale TZ=UTC NO_COLOR=1 \
					HEAPTIDE_DB="$HEAPTIDE_DB" "$heaptide" $command >/dev/null
				# shellcheck disable=SC2086
				LC_ALL=$locale TZ=UTC COLUMNS=$width "$heaptide" $command | sed 's/ *$//' >piped
				diff screen piped
			done
		done
	done
}
