#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 200 s
# Who makes the heap grow, where calls of malloc cannot be seen: by who is the first to
# write to new pages of it. Nobody is stopped, no byte of the process is changed, and
# nobody is said to leak.
# shellcheck disable=SC2016 # jq's variables
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1
needs page_faults

# Three that make it grow: brk, a thread's arena, chunks of their own mapping; and two
# that do not: who uses what was freed, who maps memory that is not malloc's.
cat >growers.c <<'EOC'
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define OWN __attribute__((noinline, noclone))
#define KEEP __asm__ volatile("" : : : "memory")
OWN void small(void)
{
	for (int i = 0; i < 4; i++)
		((char *)malloc(1000))[0] = 1;
	KEEP;
}
OWN void large(void)
{
	static int n;
	if (n++ % 2 == 0) /* often: where one of many is seen, it is of these */
		((char *)malloc(160 << 10))[100] = 1;
	KEEP;
}
OWN void threads_own(void)
{
	for (int i = 0; i < 4; i++)
		((char *)malloc(1000))[0] = 1;
	KEEP;
}
OWN void reuser(void)
{
	void *p = malloc(600);
	memset(p, 1, 600);
	free(p);
	KEEP;
}
OWN void mapper(void)
{
	static int n;
	if (n++ % 10 == 0)
		memset(mmap(NULL, 16 << 10, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16 << 10);
	KEEP;
}
OWN void *other(void *unused)
{
	for (;;) {
		threads_own();
		usleep(50000);
	}
	return unused;
}
OWN void serve(void)
{
	small();
	large();
	reuser();
	mapper();
	KEEP;
}
int main(void)
{
	pthread_t t;
	pthread_create(&t, NULL, other, NULL);
	for (int i = 0;; i++) {
		serve();
		if (i == 3) {
			puts("ready");
			fflush(stdout);
		}
		usleep(50000);
	}
}
EOC
gcc -O2 -pthread -o growers growers.c
# Of sections nothing is left, either: its functions cannot be told.
gcc -O2 -pthread -static -s -o growers_static growers.c
head -c 8 /dev/zero | dd of=growers_static bs=1 seek=40 conv=notrunc status=none
head -c 4 /dev/zero | dd of=growers_static bs=1 seek=60 conv=notrunc status=none

asleep() { # all its threads, at one look or another
	for _ in $(seq 200); do
		grep -h TracerPid "/proc/$1/task/"*/status
	done | sort -u >traced
}
start ./growers >said
pid=$started
ok "the target grows" ready 20 grep -q ready said
"$heaptide" who "$pid" --way growth -d 8s --json >all.json &
asked=$!
asleep "$pid"
wait "$asked"
is "it is answered" $? 0
is "nobody traced it" "$(cut -f 2 traced)" 0
is "the way is told" "$(jq -r .way all.json)" growth
ok "it is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" all.json
is "each that makes it grow is named, where it left malloc's library, and nobody else" \
	"$(jq -c '[.sites[].frames[0].function] | unique' all.json)" '["large","small","threads_own"]'
of() { jq "[.sites[] | select(.frames[0].function == \"$1\") | $2] | add" all.json; }
ok "what they were first to write to is what the heap grew by, by two walks (within a half)" \
	jq -e '([.sites[].bytes] | add) * 1000 / .armed_ms / .growth_bytes_per_s | . > 0.67 and . < 1.5' all.json
note "$(jq -c '[.growth_bytes_per_s, .armed_ms, .lost_share], (.sites[] | [.frames[0].function, .samples, .bytes])' all.json | tr '\n' ' ')"
is "large ones by their mappings, whole" "$(($(of large .bytes) % (164 << 10)))" 0
ok "shares are of all of it" jq -e '[.sites[].share_of_growth] | add | . > 0.999 and . < 1.001' all.json
is "nobody is said to leak, or not to" "$(jq -c '[.sites[].leaking] | unique' all.json)" '[null]'
is "nor what is alive, or freed" "$(jq -c '[.sites[] | .alive, .freed, .alive_bytes, .survival] | unique' all.json)" '[null]'
is "stacks reach their outermost frame" "$(jq .cut_share all.json)" 0

"$heaptide" who "$pid" --way growth -d 3s >text
ok "in words: who makes the heap grow" grep -q "who makes the heap grow" text
ok "and what is not known by it" grep -q "not known" text
refuse "the word leaking is not said" grep -q LEAKING text
"$heaptide" who "$pid" --way growth -d 3s --collapsed >collapsed
ok "--collapsed: outermost first, then bytes" grep -qE '^_start;(.*;)?main;serve;small [0-9]+$' collapsed
ok "another way cannot be asked for" \
	eval '! "$heaptide" who "$pid" --way session >out 2>&1 && grep -q "there is .growth. to ask for" out'

# More than a ring has room for: stacks are taken of some, and each stands for others.
cat >busy.c <<'EOC'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define OWN __attribute__((noinline, noclone))
#define KEEP __asm__ volatile("" : : : "memory")
OWN void three(void)
{
	char *p = malloc(3 * 4096 - 16);
	for (int i = 0; i < 3; i++)
		p[i * 4096 + 100] = 1;
	KEEP;
}
OWN void one(void)
{
	((char *)malloc(4096 - 16))[100] = 1;
	KEEP;
}
int main(void)
{
	for (int i = 0;; i++) {
		three();
		one();
		if (i == 3) {
			puts("ready");
			fflush(stdout);
		}
		usleep(2000);
	}
}
EOC
gcc -O2 -o busy busy.c
start ./busy >said_busy
ok "a busy target grows" ready 20 grep -q ready said_busy
"$heaptide" who "$started" --way growth -d 12s --json >busy.json
note "$(jq -c '[.hits, .seen, .lost_share, .armed_ms]' busy.json)"
ok "busy: stacks are taken of some of its first writes" jq -e '.seen > 20 and .hits > 10 * .seen' busy.json
ok "busy: their pages are what the heap grew by, by two walks (within a half)" \
	jq -e '([.sites[].bytes] | add) * 1000 / .armed_ms / .growth_bytes_per_s | . > 0.67 and . < 1.5' busy.json
ok "busy: who takes three of four pages has about three of four" \
	jq -e '([.sites[] | select(.frames[0].function == "three") | .bytes] | add) / ([.sites[].bytes] | add) | . > 0.6 and . < 0.9' busy.json
stop_started
start ./growers >said
pid=$started
ok "the target grows again" ready 20 grep -q ready said

# It is the agent's end that ends it.
"$heaptide" who "$pid" --way growth -d 60s >/dev/null 2>killed &
asked=$!
agent_of() { pgrep -P "$asked" -x heaptide-agent >agent && pgrep -P "$(cat agent)" -x heaptide-probe >probe; }
ok "a probe looks" poll 20 agent_of
kill -KILL "$(cat agent)"
wait "$asked"
gone() { [ ! -e "/proc/$(cat probe)" ]; }
ok "the agent killed: its probe goes, too" poll 10 gone
before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
runs_on() { [ "$(awk '{print $14 + $15}' "/proc/$pid/stat")" -gt "$before" ]; }
ok "and the target runs on" poll 20 runs_on
is "untraced" "$(awk '/TracerPid/ {print $2}' "/proc/$pid/status")" 0

# Where calls cannot be seen, and why.
start ./growers_static >said_static
ok "a static program without symbols and sections grows" ready 20 grep -q ready said_static
"$heaptide" who "$started" -d 4s --json >static.json
is "nothing says where its malloc is: growth is told" "$(jq -r .way static.json)" growth
ok "with the reason" jq -e '.warnings | map(test("stripped")) | any' static.json
ok "and whose it is" jq -e '.sites | length > 0' static.json

if [ "$(id -u)" -eq 0 ] && can page_faults_for_all "an ordinary user is told" &&
	can own_traced "an ordinary user is told"; then
	mkdir public && chmod 755 public .
	install -m 755 "$heaptide" "$HT_BUILD/heaptide-agent" "$HT_BUILD/heaptide-probe" growers public
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
	start "${nobody[@]}" public/growers >said_nobody
	ok "a user's process grows" ready 20 grep -q ready said_nobody
	"${nobody[@]}" env -u HEAPTIDE_AGENT public/heaptide who "$started" -d 6s --json >nobody.json
	is "without CAP_BPF and CAP_PERFMON its user is told who makes it grow" \
		"$(jq -c '[.way, ([.sites[].frames[0].function] | unique)]' nobody.json)" \
		'["growth",["large","small","threads_own"]]'
	ok "and what would be needed for more" jq -e '.warnings | map(test("CAP_BPF and CAP_PERFMON")) | any' nobody.json
	"${nobody[@]}" env -u HEAPTIDE_AGENT public/heaptide doctor "$started" >checked
	ok "doctor tells the way" grep -qE "who +by growth|by growth: who is the first" checked
fi
plan
