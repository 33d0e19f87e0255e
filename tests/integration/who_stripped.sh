#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Static programs without symbols: malloc is found by how its code is built, and who
# allocates what stays is named by the place in the file. Where there is nothing to find
# it by, that is said.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/who.sh
. "$HT_TOP/tests/lib/who.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1
needs uprobes

cat >server.cc <<'EOC'
#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>
struct Session {
	char name[150];
	explicit Session(int i) { snprintf(name, sizeof(name), "session %d", i); }
};
static std::vector<Session *> lost;
__attribute__((noinline)) void culprit(int i)
{
	lost.push_back(new Session(i));
}
int main()
{
	std::map<std::string, std::string> cache;
	for (int i = 0;; i++) {
		for (int k = 0; k < 30; k++)
			cache["client-" + std::to_string(rand() % 500)] = std::string(100 + rand() % 100, 'x');
#ifndef CLEAN
		culprit(i);
#endif
		if (i == 3) {
			puts("ready");
			fflush(stdout);
		}
		usleep(2000);
	}
}
EOC
makers=$HT_TOP/tests/targets/makers.c
gcc -O2 -pthread -static -o fixed "$makers"
gcc -O2 -pthread -static-pie -fPIE -o pie "$makers"
g++ -O2 -static -o service server.cc
g++ -O2 -static -DCLEAN -o clean server.cc
for program in fixed pie service clean; do
	strip -o "${program}_stripped" "$program"
done
# One whose sections are gone, too: there is nothing to find functions by.
cp fixed_stripped bare && head -c 8 /dev/zero | dd of=bare bs=1 seek=40 conv=notrunc status=none &&
	head -c 4 /dev/zero | dd of=bare bs=1 seek=60 conv=notrunc status=none

kinds='leak cleared aligned growing threads pie service clean bare'
for kind in $kinds; do
	case $kind in
	threads) start ./fixed_stripped leak 4 ;;
	pie) start ./pie_stripped leak ;;
	service | clean) start "./${kind}_stripped" ;;
	bare) start ./bare leak ;;
	*) start ./fixed_stripped "$kind" ;;
	esac >"$kind.said"
	pids[$kind]=$started
done
for kind in $kinds; do
	ok "$kind: it serves" poll 20 grep -q ready "$kind.said"
done
ask 16s leak cleared aligned growing threads
ask 16s pie service clean bare

# culprits KIND FILTER: of the sites that it leaves, how many are and are not the culprit's,
# by where the function lies in the file that still has its symbols
culprits() {
	local program=fixed start size
	case $1 in pie | service) program=$1 ;; esac
	read -r start size < <(nm -S "$program" | awk '$4 == "culprit" || $4 == "_Z7culpriti" { print $1, $2 }')
	jq -c --argjson start "$((16#$start))" --argjson size "$((16#$size))" \
		"[$2 | any(.frames[]; .offset >= \$start and .offset < \$start + \$size)] |
			[(map(select(.)) | length), (map(select(. | not)) | length)]" "$1.json"
}
for kind in leak cleared aligned growing threads pie service; do
	# A thousand calls may all be others'.
	[ "$(jq '[.sites[] | select(.leaking)] | length' "$kind.json")" -gt 0 ] || {
		note "$kind: nobody is blamed yet"
		ask 60s "$kind"
	}
	is "$kind: calls are seen" "$(jq -r .way "$kind.json" | grep -cE 'session|uprobe_multi|perf')" 1
	is "$kind: the first site is the culprit's" "$(culprits "$kind" '.sites[0]')" '[1,0]'
	ok "$kind: it leaks, and nobody else does" eval 'culprits "$kind" ".sites[] | select(.leaking)" | grep -qE "^\[[1-9][0-9]*,0\]" ||
		{ jq -c ".sites[]" "$kind.json" | cut -c1-300; false; }'
	is "$kind: stacks are unwound to their outermost frame" "$(jq '.cut_share' "$kind.json")" 0
	ok "$kind: it runs on" kill -0 "${pids[$kind]}"
done
is "clean: nobody leaks" "$(jq -c '[.sites[] | select(.leaking)]' clean.json)" '[]'
ok "clean: calls were seen" jq -e '.samples > 100' clean.json
is "bare: nothing says where calls are, so by growth" "$(jq -r .way bare.json)" growth
ok "bare: with the reason" jq -e '.warnings | map(test("stripped")) | any' bare.json
is "bare: nobody is said to leak" "$(jq -c '[.sites[].leaking] | unique - [null]' bare.json)" '[]'
plan
