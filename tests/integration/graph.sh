#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# What chunks in use are to each other, of processes and core files: the totals are
# the walk's, to the byte; leaks are those that were planted; a bound holds.
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1

target() { # PROGRAM ARGUMENT...: started, and ready; sets $pid
	start "$HT_BUILD/targets/$1" "${@:2}" >said
	ready 20 grep -q ready said
	pid=$started
}
# A fork that gets no processor in time is called off: asked again.
ask() { poll 30 answers "$@" || note "$(cat why)"; }
answers() { "$heaptide" "$@" --json >answer 2>why; }
get() { jq -r "$1" answer; }

for stale in 0 10 50; do
	target planted $stale
	read -r _ chunks bytes < <(grep leaked said)
	ask leaks "$pid"
	is "$stale % stale words: every chunk is in the sum" "$(get '.warnings | length')" 0
	is "the largest pieces first" "$(get '[.groups[].bytes] | . == (sort | reverse) and length > 1')" true
	between "$stale % stale words: leaked bytes, and what is uncertain, hold what was planted" \
		"$bytes" "$(get .leaked_bytes)" "$(get '.leaked_bytes + .uncertain_bytes')"
	between "$stale % stale words: chunks likewise" \
		"$chunks" "$(get .leaked_chunks)" "$(get '.leaked_chunks + .uncertain_chunks')"
	[ $stale -gt 0 ] || {
		same "what was planted is found, and nothing else" "$(get .leaked_chunks)" "$chunks"
		same "to the byte" "$(get .leaked_bytes)" "$bytes"
		same "a lost list is one piece" "$(get '[.groups[] | select(.max_size == 96
			and .head_type == null)] | map(.chunks / .heads | floor) | max >= 40 | if . then 1 else 0 end')" 1
	}
	same "$stale % stale words: the groups add up" "$(get '[.groups[].bytes] | add')" "$(get .leaked_bytes)"
	stop_started
done

# Both asked of one copy: each answers as it does alone.
target planted 0
for asked in "leaks $pid" "owners $pid"; do
	# shellcheck disable=SC2086
	ask $asked && cp answer "${asked%% *}.json"
done
ask owners "$pid" --leaks
keys='{leaked_chunks, leaked_bytes, uncertain_chunks, uncertain_bytes, groups}'
is "asked together, leaks are what they are alone" "$(jq -cS "$keys" answer)" "$(jq -cS "$keys" leaks.json)"
is "and owners what they are alone" "$(jq -cS .classes answer)" "$(jq -cS .classes owners.json)"
is "alone they tell no leaks" "$(jq -c '[has("leaked_bytes", "groups")]' owners.json)" "[false,false]"
"$heaptide" owners "$pid" --leaks >both.txt
"$heaptide" owners "$pid" >owners.txt
"$heaptide" leaks "$pid" >leaks.txt
is "in words, one answer below the other" "$(cat both.txt)" "$(cat owners.txt && echo && cat leaks.txt)"
stop_started

target planted 0
read -r _ chunks bytes < <(grep leaked said)
for mode in none bounded exact; do
	refuse "mode $mode is refused" "$heaptide" leaks "$pid" --mode $mode
done
ok "with the reason" eval '"$heaptide" leaks "$pid" --mode none 2>&1 | grep -q "frozen copy or a core file"'

# With memory for no reference at all they are read again: the same comes of it.
ask leaks "$pid" --max-memory 8M
ok "little memory is told" eval 'get ".warnings[]" | grep -q max-memory'
same "with little memory the same is leaked" "$(get .leaked_bytes)" "$bytes"

gcore -o core "$pid" >gcore.log 2>&1
ask leaks --core "core.$pid" --exe "$HT_BUILD/targets/planted"
same "of a core file the same is leaked" "$(get .leaked_chunks)" "$chunks"
same "to the byte" "$(get .leaked_bytes)" "$bytes"
stop_started

# What holds a structure, from its chunks (of 320 bytes) up: share
# of the first holder, its kind, its symbol, the shape.
owner() {
	jq -r '.classes[0] | .holders[0] | "\(.share * 100 | round) \(.kind) \(.symbol) \(.shape)"' answer
}
holds() { # STRUCTURE SIZE WANTED [STALE]
	target structures "$1" ${4:+"$4"}
	ask owners "$pid" --size "$2"
	is "$1${4:+, amid stale words}: $3" "$(owner)" "$3"
	stop_started
}
holds list 320 "100 static the_list list"
holds list 320 "100 static the_list list" stale
holds dlist 320 "100 static the_dlist doubly linked list"
holds dlist 320 "100 static the_dlist doubly linked list" stale
holds ring 320 "100 static the_ring list"
holds tree 320 "100 static the_tree tree with parent pointers"
holds tree 320 "100 static the_tree tree with parent pointers" stale
holds hash 320 "100 static the_buckets hash table of lists"
holds hash 320 "100 static the_buckets hash table of lists" stale
holds table 320 "100 static the_table array of pointers"
holds intrusive 320 "100 static the_links intrusive list"
holds struct 320 "100 static the_server list"
holds numbers 320 "100 static the_server list"
holds single 320 "100 static the_registry list"
holds single 320 "100 static the_registry list" stale
holds dsingle 320 "100 static the_registry doubly linked list"
holds payload 320 "100 static the_objects field"
holds own 320 "100 tls the_own list"
holds lost 320 "100 unknown null reachable from nowhere"

# Thread-local variables of other threads, of the program and of a library that was
# opened later, what is set under a key; and a stack beside them.
gcc -O1 -DLATE -shared -fPIC -o late.so "$HT_TOP/tests/targets/labelled/locals.c"
gcc -O1 -pthread -o locals "$HT_TOP/tests/targets/labelled/locals.c"
gcc -O1 -pthread -static-pie -o locals_static "$HT_TOP/tests/targets/labelled/locals.c" 2>static.log
strip -o locals_stripped locals
local_of() { # PROGRAM STRUCTURE WANTED...: share, kind, symbol, module, offset, threads of each holder
	start ./"$1" "$2" >said
	ready 20 grep -q ready said
	ask owners "$started" --size 320
	is "$1 $2: ${*:3}" "$(get '.classes[0].holders[] |
		"\(.share * 100 | round) \(.kind) \(.symbol) \(.module) \(.offset) \(.threads)"' | sort -rn | tr '\n' ' ')" "${*:3} "
	pid=$started
	stop_started
}
local_of locals own "100 tls the_own locals 0 1"
is "its thread is told, and is not the first" "$(get ".classes[0].holders[0].thread > $pid")" true
local_of locals all "100 tls the_own locals 0 4"
is "of several threads none is told" "$(get '.classes[0].holders[0].thread')" null
local_of locals two "98 tls the_own locals 0 4" "2 tls the_first locals 0 4"
local_of locals late "100 tls the_late late.so 0 4"
local_of locals key "100 tls pthread key 1 null 0 4"
local_of locals stack "100 stack null locals null 1"
is "a local of a function" "$(get '.classes[0].holders[0].function')" begin
local_of locals_static own "100 tls the_own locals_static 0 1"
local_of locals_static all "100 tls the_own locals_static 0 4"
local_of locals_stripped all "100 tls null locals_stripped $((16#$(nm locals | sed -n 's/ . the_own$//p'))) 4"

# Whose local variable holds: without frame pointers, of C and C++, between other
# threads; through a handler, and of what was kept for a caller; beyond a function that
# nothing describes only the thread is told.
local_in() { # PROGRAM STRUCTURE WANTED: share, kind, function, name of the thread
	start ./"$1" "$2" >said
	ready 20 grep -q ready said
	ask owners "$started" --size 320
	is "$1 $2: $3" "$(get '.classes[0].holders[0] |
		"\(.share * 100 | round) \(.kind) \(.function) \(.thread_name)"')" "$3"
	pid=$started
	[ -n "${4:-}" ] || stop_started
}
frames=$HT_TOP/tests/targets/labelled/frames.cc
gcc -x c -O2 -fomit-frame-pointer -pthread -o frames_c "$frames"
gcc -x c -O2 -fno-omit-frame-pointer -pthread -o frames_fp "$frames"
gcc -x c -O0 -pthread -o frames_o0 "$frames"
g++ -O2 -fomit-frame-pointer -pthread -o frames_cc "$frames"
strip -o frames_stripped frames_c
for program in frames_c frames_fp frames_o0 frames_cc; do
	local_in $program list "100 stack hold_list worker 2"
	local_in $program array "100 stack hold_array worker 2"
	local_in $program handed "100 stack hold_and_hand_on worker 2"
	local_in $program recursion "100 stack hold_and_recurse worker 2"
	local_in $program signal "100 stack hold_and_raise worker 2"
	local_in $program above "100 stack null worker 2"
done
local_in frames_cc vector "100 stack app::Service::run worker 2" stay
ok "in words: a local of it, in that thread" eval '"$heaptide" owners "$pid" --size 320 |
	tr -s "\n " " " | grep -q "by a local of app::Service::run (thread [0-9]* \"worker 2\")"'
stop_started
local_in frames_stripped list "100 stack null worker 2"
read -r start size < <(nm -S frames_c | awk '$4 == "hold_list" { print $1, $2 }')
between "of a stripped program: the place of the call" "$(get '.classes[0].holders[0].offset')" \
	$((16#$start)) $((16#$start + 16#$size))
start ./frames_c list >said
ready 20 grep -q ready said
gcore -o locals_core "$started" >gcore.log 2>&1
ask owners --core "locals_core.$started" --size 320
is "of a core file likewise" "$(get '.classes[0].holders[0] | "\(.kind) \(.function)"')" "stack hold_list"
stop_started

# Nodes of several sizes, tables that look like a node, arrays of the size of what is
# in them, memory that was not cleared; and what their nodes are.
gcc -O1 -no-pie -o tables "$HT_TOP/tests/targets/labelled/tables.c"
table_of() { # STRUCTURE SIZE WANTED...: share, kind, symbol, shape of each holder
	start ./tables "$1" >said
	ready 20 grep -q ready said
	ask owners "$started" --size "$2"
	is "$1: ${*:3}" "$(get '[.classes | max_by(.chunks) | .holders[] |
		"\(.share * 100 | round) \(.kind) \(.symbol) \(.shape)"] | sort | reverse | join(", ")')" "${*:3}"
	ask types "$started"
	nodes=$(get '[.types[] | select(.kind == "node") | "\(.name) \(.chunks)"] | join(", ")')
	stop_started
}
table_of chained 320 "100 static the_entries hash table of lists"
is "and no node has a name" "$nodes" ""
table_of skip 320 "100 static the_skip list"
table_of skip 336 "100 static the_skip skip list"
is "and no node has a name" "$nodes" ""
table_of strings 320 "100 static the_calls array of pointers"
table_of strings 32 "100 static the_calls arrays and what they lead to"
table_of rb 320 "100 static the_rb tree"
is "and nodes of the tree are no list's" "$nodes" "tree node (parent pointers) 2000"
table_of cache 320 "100 static the_cache doubly linked list"
is "and nodes of the list are no tree's" "$nodes" "doubly linked list node 2001"
table_of halves 320 "50 static the_others array of pointers, 50 static the_half list"
table_of behind 320 "100 static the_behind doubly linked list"
is "nor are they where something stands in front" "$nodes" "doubly linked list node 1998"
table_of buffers 320 "100 static the_buffers array of pointers"
is "buffers of C are not of std::string" "$(get '.types[] | select(.kind == "string") | "\(.name) \(.chunks)"')" "string buffer 2000"
start ./tables codes >said
ready 20 grep -q ready said
ask owners "$started" --size 65520
is "round numbers hold nothing" "$(get '[.classes[].holders[] | select(.symbol == "the_codes")] | length')" 0
stop_started
table_of stream 320 "75 unknown null reachable from nowhere"

# What could be reached no more: of all 2000 of 320 bytes, of the one that has most,
# of the variable (with the nodes of 48 bytes, or the array of 16016).
retains() { # STRUCTURE GROUP MOST VARIABLE
	target structures "$1"
	ask owners "$pid" --size 320 --retained
	is "$1: retained by all, by one, by the variable" \
		"$(get '.classes[0] | "\(.retained_bytes) \(.most_retained_bytes) \(.holders[0].retained_bytes)"')" "$2 $3 $4"
	stop_started
}
retains list 640000 640000 640000
retains tree 640000 640000 640000
retains payload 640000 320 736000
retains table 640000 320 656016
target structures lost
ask owners "$pid" --size 320 --retained
is "of what is lost nothing is kept by one" "$(get '.classes[0].most_retained_bytes')" 0
ask owners "$pid" --size 320
is "what was not asked for is null" "$(get '[.classes[0].retained_bytes, .classes[0].holders[0].retained_bytes] | tojson')" "[null,null]"
stop_started
target structures list
ask owners "$pid" --size 320 --retained --max-memory 1M
ok "with too little memory retained sizes are refused, with the reason" eval \
	'get ".warnings[]" | grep -q "retained sizes are not told, for .*max-memory"'
is "and null" "$(get '.classes[0].retained_bytes')" null
stop_started

# Who leads to what nobody holds does not hold it: of a thousand pairs half are in a
# table, and what a lost first one leads to is lost, not the table's.
cat >pairs.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { PAIRS = 1000 };
struct pair {
	void *second;
	char text[120];
};
struct pair *the_pairs[PAIRS];
static __attribute__((noinline)) void build(void)
{
	for (int i = 0; i < PAIRS; i++) {
		struct pair *p = calloc(1, sizeof(*p));

		p->second = calloc(1, 300);
		if (i % 2)
			the_pairs[i] = p;
	}
}
static __attribute__((noinline)) void wipe(void)
{
	char room[65536];

	memset(room, 0, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
}
int main(void)
{
	build();
	wipe();
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
cc -O1 -o pairs pairs.c
start ./pairs >said
ready 20 grep -q ready said
ask owners "$started" --size 320
is "of what is half lost the other half is held" \
	"$(get '[.classes[0].holders[] | "\(.symbol) \(.share * 100 | round)"] | join(", ")')" "null 50, the_pairs 50"
is "through those alone that are held" "$(get '.classes[0].holders[1].chunks')" 500
stop_started

# A variable that was sealed when it was set holds as any other does: of a program
# that has mprotect called, and in the libc of a static one.
cat >sealed.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static struct {
	void *kept;
	char rest[16384 - 8];
} sealed __attribute__((aligned(4096))) = {.rest = "x"};
int main(void)
{
	sealed.kept = malloc(5000);
	if (mprotect(&sealed, sizeof(sealed), PROT_READ) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
for way in "" -static; do
	cc -O1 $way -o "sealed$way" sealed.c
	start "./sealed$way" >said
	ready 20 grep -q ready said
	ask leaks "$started"
	is "sealed$way: nothing is leaked" "$(get .leaked_bytes)" 0
	ask owners "$started" --size 5008
	is "sealed$way: the variable has it" "$(get '.classes[0].holders[0] | "\(.kind) \(.symbol)"')" "static sealed"
	stop_started
done

# Of mmapped chunks each has its own size.
cat >mapped.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void *the_small, *the_large;
int main(void)
{
	the_small = malloc(200000);
	the_large = malloc(3000000);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
cc -O1 -w -o mapped mapped.c
start ./mapped >said
ready 20 grep -q ready said
ask owners "$started" --retained
for name in the_small the_large; do
	same "mapped: $name has its own bytes" \
		"$(get "[.classes[0].holders[] | select(.symbol == \"$name\") | .bytes - .retained_bytes] | add")" 0
done
same "which add up" "$(get '[.classes[0].holders[].bytes] | add')" "$(get '.classes[0].bytes')"
stop_started

# The sample that README shows, with its array of words that nobody cleared.
cc -O1 -pthread -o service "$HT_TOP/samples/service.c"
start ./service >said
grown() { answers owners "$started" --size 224 && [ "$(get '.classes[0].chunks')" -ge 6000 ]; }
ok "the sample's list is long" poll 60 grown
is "and is held by its own head, not by stale words" \
	"$(get '.classes[0].holders[0] | "\(.kind) \(.symbol) \(.shape)"')" "static audit_log list"
stop_started

# Where no symbol is left the module and the place in it are told, no name.
strip -o stripped "$HT_BUILD/targets/structures"
start ./stripped list
poll 20 eval '"$heaptide" explain "$started" >/dev/null 2>&1'
ask owners "$started" --size 320
is "stripped: no name, but the module" "$(get '.classes[0].holders[0] | "\(.symbol) \(.module) \(.shape)"')" \
	"null stripped list"
stop_started

# A core of another machine: its program and libraries lie below a folder; here another
# program has its name, and names nothing.
cp "$HT_BUILD/targets/structures" prog
start ./prog list >said
ready 20 grep -q ready said
gcore -o away "$started" >gcore.log 2>&1
mkdir -p "away$PWD"
xargs -I LIB cp --parents -L LIB away < <(awk '$2 ~ /x/ && $6 ~ /\.so/ { print $6 }' "/proc/$started/maps" | sort -u)
away=away.$started
stop_started
mv prog "away$PWD"
cp "$HT_BUILD/targets/planted" prog
ask owners --core "$away" --size 320 --sysroot away
is "a core of elsewhere: files below --sysroot" "$(owner)" "100 static the_list list"
is "no file is another one" "$(get '[.warnings[] | select(test("sysroot"))] | length')" 0
ask leaks --core "$away" --sysroot away
same "and nothing of it is leaked" "$(get .leaked_bytes)" 0
ask owners --core "$away" --size 320
ok "a program that is another one names nothing" eval '[ "$(get "[.classes[].holders[].symbol | select(.)] | length")" = 0 ]'
ok "and that is told" eval 'get ".warnings[]" | grep -q "not those that are here.*--sysroot"'
ask owners --core "$away" --size 320 --exe "away$PWD/prog"
is "--exe alone names it, too" "$(owner)" "100 static the_list list"
refuse "--sysroot goes with --core" "$heaptide" owners $$ --sysroot away

# What chunks are, in C++; the same of a stripped program, and no class of one that
# was built without type information.
cat >types.cc <<'C'
#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <unistd.h>
struct Base { virtual ~Base() {} long a = 1; };
struct Second { virtual void f() {} long b = 2; };
struct Session : Base { char text[180] = "x"; };
namespace app {
template <class T, int N> struct Box : Base { T v[N] = {}; };
struct Both : Base, Second { long c[30]; };
}
std::map<int, long> by_id;
std::vector<Session *> sessions;
std::vector<std::string> words;
std::list<long> recent;
std::vector<std::unique_ptr<Base>> held;
/* Two tables whose first entries lead to each other's: nodes of no list. */
struct Table { Table *of, *other; char rest[20000]; } *tables[8];
int main()
{
	for (int i = 0; i < 8; i++)
		tables[i] = new Table();
	for (int i = 0; i < 8; i += 2) {
		tables[i]->other = tables[i + 1];
		tables[i + 1]->of = tables[i];
	}
	for (int i = 0; i < 1000; i++) {
		by_id[i * 7919 % 100003] = i;
		sessions.push_back(new Session);
		words.push_back("a text that is too long to be kept in the object " + std::to_string(i));
		recent.push_back(i);
		held.push_back(std::make_unique<app::Box<long, 40>>());
		held.push_back(std::make_unique<app::Both>());
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
g++ -O1 -w -o classes types.cc && strip -o classes_stripped classes
g++ -O1 -w -fno-rtti -o no_rtti types.cc && strip -o no_rtti_stripped no_rtti
types_of() { # PROGRAM
	start "./$1" >said
	ready 20 grep -q ready said
	ask types "$started"
	stop_started
}
chunks() { get "[.types[] | select(.name == \"$1\") | .chunks] | add // 0"; }
for program in classes classes_stripped; do
	types_of $program
	same "$program: a class" "$(chunks Session)" 1000
	same "$program: a template in a namespace" "$(chunks 'app::Box<long, 40>')" 1000
	same "$program: a class of two bases" "$(chunks app::Both)" 1000
	is "$program: the largest class first" "$(get '[.types[] | select(.kind == "class") | .bytes] | . == (sort | reverse) and length > 2')" true
	between "$program: buffers of strings" "$(chunks 'std::string buffer')" 1000 1001
	between "$program: nodes of a tree" "$(chunks 'tree node (parent pointers)')" 1000 1001
	between "$program: nodes of a list" "$(chunks 'doubly linked list node')" 999 1001
	same "$program: types and what is not known add up" \
		"$(get '[.types[].bytes, .unknown_bytes] | add')" "$(get .bytes)"
done
# Objects of threads lie in arenas of their own.
g++ -O1 -pthread -o arenas "$HT_TOP/tests/targets/labelled/containers.cc"
start ./arenas threads >said
ready 20 grep -q ready said
ask types "$started" --by arena
stop_started
same "by arena: all of a class are found" "$(chunks Session)" 2000
same "in the arenas of threads, none in the first" \
	"$(get '[.types[] | select(.name == "Session" and .arena > 0) | .chunks] | add')" 2000
same "of each arena what is known and what is not add up to the whole" \
	"$(get '[.arenas[].bytes] + [.types[] | select(.arena == null) | .bytes] | add')" "$(get .bytes)"
same "and so do the unknown" "$(get '[.arenas[].unknown_bytes] | add')" "$(get .unknown_bytes)"
types_of no_rtti
same "without type information: a vtable by its symbol" "$(chunks 'vtable for Session')" 1000
types_of no_rtti_stripped
same "without it and stripped: no class is named" "$(get '[.types[] | select(.kind == "class")] | length')" 0
same "and nothing is called Session" "$(get '[.types[] | select(.name | test("Session"))] | length')" 0
start ./classes
poll 20 eval '"$heaptide" explain "$started" >/dev/null 2>&1'
ask owners "$started"
ok "a class is told with what holds it" eval 'get ".classes[] | select(.type == \"Session\") | .holders[0].symbol" |
	grep -qx sessions'
stop_started

# Sums of real programs, by their core files: every chunk and byte that the walk
# counts, and no other.
real() { # NAME CALL COMMAND...: once it waits in that system call, a pattern of proc_pid_syscall(5)
	local call=$2
	start "${@:3}"
	ok "$1: it has begun, and waits" poll 20 grep -qE "$call" "/proc/$started/syscall"
	gcore -o real "$started" >gcore.log 2>&1
	ask leaks --core "real.$started"
	same "$1: nothing is left out" "$(get '[.warnings[] | select(test("not settled"))] | length')" 0
	same "$1: its files are taken for those that are here" "$(get '[.warnings[] | select(test("files of the core"))] | length')" 0
	between "$1: hardly anything is leaked (KiB)" "$(get '.leaked_bytes / 1024 | floor')" 0 200
	stop_started
}
real python3 '^(230|35) ' python3 -c 'import json,time; x=[json.dumps({i:str(i)}) for i in range(20000)]; time.sleep(600)'
# All of its locale's files are mapped, of which some are shorter than a library's header.
real perl '^(230|35) ' env LC_ALL=C.UTF-8 perl -e 'sleep 600'
mkfifo in
real sqlite3 '^0 0x0 ' sh -c 'exec 0<>in; exec sqlite3 :memory:'
plan
