#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Who allocates what stays, where chunks do not stay as they were: objects whose first
# words are written to all the time, nodes of a tree that is balanced anew, texts that
# asprintf() makes shorter by realloc; and sessions and a queue that come and go, where
# nobody leaks.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/who.sh
. "$HT_TOP/tests/lib/who.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1
needs uprobes

cat >kinds.cc <<'EOC'
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>
#define OWN __attribute__((noinline))
#define KEEP __asm__ volatile("" : : : "memory")
static int turn;

static void other()
{
	for (int k = 0; k < 10; k++) {
		std::string s(90 + rand() % 40, 's');
		KEEP;
	}
}
#if defined CONNECTIONS
struct Connection {
	long last_used, hits, bytes, more[12];
};
static std::vector<Connection *> all;
OWN void culprit()
{
	all.push_back(new Connection{turn, 0, 0, {}});
	KEEP;
}
static void serve()
{
	other();
	culprit();
	for (Connection *c : all) {
		c->last_used = turn;
		c->hits++;
		c->bytes += 100;
	}
}
#elif defined TREE
static std::map<long, long> seen;
OWN void culprit()
{
	seen[(long)rand() << 20 ^ rand()] = turn;
	KEEP;
}
static void serve()
{
	other();
	culprit();
}
#elif defined TEXTS
static char *last;
OWN void culprit()
{
	if (asprintf(&last, "description of object %d: a text that nobody gives back %d", turn, rand()) < 0)
		abort();
	KEEP;
}
OWN void format()
{
	char *s;
	if (asprintf(&s, "formatted %d %d, which is about as long as the description, or so", turn, rand()) > 0)
		free(s);
	KEEP;
}
static void serve()
{
	for (int k = 0; k < 8; k++)
		format();
	culprit();
}
#elif defined SESSIONS
static char *session[6000];
OWN char *open_session()
{
	char *s = (char *)malloc(250);
	memset(s, turn, 250);
	KEEP;
	return s;
}
static void serve()
{
	if (turn == 0)
		for (char *&s : session)
			s = open_session();
	char *&s = session[rand() % 6000];
	free(s);
	s = open_session();
	other();
}
#else
struct Message {
	Message *next;
	long id;
	char text[150];
};
static Message *head, **tail = &head;
static int length;
OWN void push()
{
	Message *m = new Message;
	m->next = nullptr;
	m->id = turn;
	*tail = m;
	tail = &m->next;
	length++;
	KEEP;
}
static void serve()
{
	for (int k = 0; k < 20; k++)
		push();
	for (int most = 1000 + 600 * sin(turn / 60.); length > most; length--) {
		Message *m = head;
		head = m->next;
		delete m;
	}
}
#endif
int main()
{
	for (;; turn++) {
		serve();
		if (turn == 300) {
			puts("ready");
			fflush(stdout);
		}
		usleep(2000);
	}
}
EOC
leaking='connections tree texts'
clean='sessions queue'
for kind in $leaking $clean; do
	g++ -O2 "-D${kind^^}" -o "$kind" kinds.cc
	start "./$kind" >"$kind.said"
	pids[$kind]=$started
done
for kind in $leaking $clean; do
	ok "$kind: it serves" poll 30 grep -q ready "$kind.said"
done
# shellcheck disable=SC2086
ask 18s $leaking $clean
blamed='[.sites[] | select(.leaking)]'
for kind in $leaking; do
	[ "$(jq "$blamed | length" "$kind.json")" -gt 0 ] || {
		note "$kind: nobody is blamed yet"
		ask 60s "$kind"
	}
	ok "$kind: the first site is the culprit's" \
		jq -e '.sites[0].frames | any(.function == "culprit")' "$kind.json"
	ok "$kind: it leaks, and nobody else does" eval \
		'jq -e "$blamed | length > 0 and all(.frames | any(.function == \"culprit\"))" "$kind.json" || { jq -c ".sites[] | del(.frames)" "$kind.json"; false; }'
done
ok "connections: what is written to all the time is not told as freed" \
	jq -e '.sites[0] | .freed * 5 <= .samples and .survival == null and (.why | test("written to all the time"))' connections.json
ok "it is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" connections.json
"$heaptide" who "${pids[connections]}" -d 12s >text
refuse "in words no chunk is said to be gone" grep -q "^  0 of" text
for kind in $clean; do
	is "$kind: nobody leaks" "$(jq -c "$blamed" "$kind.json")" '[]'
	ok "$kind: calls were seen" jq -e '.samples > 100' "$kind.json"
done
plan
