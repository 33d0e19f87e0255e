#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 420 s
# Labelled structures: what holds the objects, how, and what they are, of C, C++ with
# both libraries, GLib and Python; without type information, stripped, static. A
# wrong name is a failure, "not sure" is one only where it is said too often.
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide labelled=$HT_TOP/tests/targets/labelled
cd "$HT_TMP" || exit 1

c=$HT_BUILD/targets/structures
gcc -O1 -o hashed "$labelled/hashed.c"
read -ra glib < <(pkg-config --cflags --libs glib-2.0)
gcc -O1 -o gobjects "$labelled/gobjects.c" "${glib[@]}"
g++ -O1 -pthread -o std "$labelled/containers.cc"
strip -o std_stripped std
g++ -O1 -pthread -static -o std_static "$labelled/containers.cc"
g++ -O1 -pthread -fno-rtti -o no_rtti "$labelled/containers.cc"
strip -o no_rtti_stripped no_rtti
# libc++ cannot be installed beside what the agent is built with (libunwind-dev).
cell=$HT_BUILD/libcxx/bookworm-amd64
ok "libc++ is there" "$HT_TOP/tests/matrix/fetch.sh" "$HT_BUILD/libcxx" bookworm amd64 \
	libc6 libc++-14-dev libc++abi-14-dev
clang++ -O1 -pthread -nostdinc++ -isystem "$cell/usr/lib/llvm-14/include/c++/v1" -nostdlib++ \
	-o libcxx "$labelled/containers.cc" "$cell/usr/lib/llvm-14/lib/"libc++{,abi}.a
strip -o libcxx_stripped libcxx
cat >dicts <<'C'
#!/bin/sh
exec env PYTHONMALLOC=malloc python3 -c '
import time
the_dicts = [{"id": i, "name": i, "a": 1, "b": 2, "c": 3, "d": 4} for i in range(2000)]
print("ready", flush=True)
time.sleep(1000)'
C
chmod +x dicts

answers() { "$heaptide" "$@" --json 2>why; }
owned() { answers owners "$started" >owned; }
owned_and_lost() { answers owners "$started" --leaks >owned; }
typed() { answers types "$started" >typed; }

# Of the group of these sizes that has nearly all: kind, name and share of what holds
# most, its shape, and the types of the chain from there up.
owner() { # LEAST MOST
	jq -r --argjson least "$1" --argjson most "$2" '
		[.classes[] | select(.chunks >= 1900 and .chunks <= 2600 and
			.max_size >= $least and .max_size <= $most)][0] |
		.holders[0] as $h | [.holders[] | select(.symbol == $h.symbol and
			.offset == $h.offset and .module == $h.module)] as $same |
		"\($h.kind) \($h.symbol // "-" | sub("\\[.*"; "")) \($h.module // "-") \($h.offset // "-") \(
			100 * ([$same[].share] | add) | round) \(
			[.type, $same[].chain[].type | select(.)] | unique | join(",") | gsub(" "; "") | if . == "" then "-" else . end) \(
			$h.shape)"' owned
}
# A variable by its name; of a stripped program the place of it, by the symbols of
# the one that was not.
names() { # NAME: what is said, against the variable that holds
	local start size
	[ "$symbol" = "$1" ] && return
	[ "$symbol" = - ] && [ -e "${module%_stripped}" ] || return 1
	read -r start size < <(nm -S "${module%_stripped}" | awk -v n="$1" '{ sub(/\[.*/, "", $4) }
		$4 == n || $4 ~ "^_Z[0-9]+" n "(B5cxx11)?$" { print $1, $2 }')
	[ -n "$start" ] && ((offset >= 16#$start && offset < 16#$start + 16#$size))
}

right=0 asked=0
# look WHAT PROGRAM STRUCTURE LEAST MOST OWNED: asks for owners (by OWNED) and types, and sets
# kind symbol module offset share types shape; false: it is not sure
look() {
	start "$2" "$3" >said
	ready 30 grep -q ready said
	ok "$1: it is asked" eval "poll 30 $6 && poll 30 typed"
	stop_started
	read -r kind symbol module offset share types shape < <(owner "$4" "$5")
	asked=$((asked + 1))
	[ "$kind" = table ] || [ "$share" -lt 50 ] || return 0
	note "$1: not sure: $kind $symbol $share % $types $shape"
	return 1
}
try() { # PROGRAM STRUCTURE LEAST MOST NAME SHAPE TYPE
	local what kind symbol module offset share types shape
	what="$(basename "$1") $2"
	if ! look "$what" "$1" "$2" "$3" "$4" owned; then
		:
	elif ! names "$5"; then
		is "$what: held by $5" "$kind $symbol $module+$offset $share %" "$5"
	else
		right=$((right + 1))
		is "$what: held by $5, $6" "$shape" "$6"
	fi
	[ "$7" = - ] ||
		between "$what: $7" "$(jq -r "[.types[] | select(.name | gsub(\" \"; \"\") |
			startswith(\"$7\")) | .chunks] | add // 0" typed)" 1990 2600
}

# C: what has no type is called nothing.
while read -r structure name shape; do
	try "$c" "$structure" 288 336 "$name" "$shape" -
	is "structures $structure: no class is named" \
		"$(jq -c '[.types[] | select(.kind == "class")]' typed)" "[]"
done <<'ROWS'
list the_list list
dlist the_dlist doubly linked list
ring the_ring list
hash the_buckets hash table of lists
intrusive the_links intrusive list
tree the_tree tree with parent pointers
payload the_objects field
ROWS
try ./hashed uthash 288 336 the_users "doubly linked list" -
try ./gobjects glist 304 336 the_glist "array of pointers" -
try ./gobjects ghash 304 336 the_ghash "array of pointers" -
try ./gobjects gtree 304 336 the_gtree "array of pointers" -

while read -r structure type shape; do
	for program in std libcxx; do
		case $program$type in
		std*) kind=${type/POINTER/std::_Sp_counted_ptr_inplace<Peer,} ;;
		*) kind=${type/POINTER/std::__1::__shared_ptr_emplace<Peer,} ;;
		esac
		try ./$program "$structure" 288 352 "the_$structure" "$shape" "$kind"
		try ./${program}_stripped "$structure" 288 352 "the_$structure" "$shape" "$kind"
	done
	try ./std_static "$structure" 288 352 "the_$structure" "$shape" "${type/POINTER/std::_Sp_counted_ptr_inplace<Peer,}"
	case $type in
	Session | Part | POINTER) kind=- ;;
	*) kind=$type ;;
	esac
	try ./no_rtti "$structure" 288 352 "the_$structure" "$shape" "$kind"
	try ./no_rtti_stripped "$structure" 288 352 "the_$structure" "$shape" "$kind"
	is "no_rtti_stripped $structure: no class is named" \
		"$(jq -c '[.types[] | select(.name | test("Session|Part|Peer|Entity"))]' typed)" "[]"
done <<'ROWS'
list doublylinkedlistnode doubly linked list
map treenode tree with parent pointers
set treenode tree with parent pointers
unordered - list
deque Session array of pointers
vector Session array of pointers
unique Session array of pointers
cycle POINTER doubly linked list
parts Part tree
letters - tree
named Session field
threads Session array of pointers
ROWS

# Structures that programs bring themselves, or make of the library's parts: of each its
# owner, what chunks are called (of eight and more), and what was lost, to the chunk.
gcc -O1 -o various_c "$labelled/various.c"
g++ -O1 -pthread -o various_cc "$labelled/various.cc"
while IFS='|' read -r program structure least most name held names; do
	what="$program $structure"
	if look "$what" "./$program" "$structure" "$least" "$most" owned_and_lost; then
		right=$((right + 1))
		is "$what: held by $name, $held" "${symbol%%\[*} $shape" "$name $held"
	fi
	is "$what: what has a name" "$(jq -r '[.types[] | select(.chunks >= 8 and .name != "Lost") |
		.name | sub("<.*"; "")] | sort | join(",")' typed)" "$names"
	is "$what: what was lost, and nothing else" "$(jq .leaked_chunks owned)" 100
	same "$what: types add up" "$(jq '[.types[].bytes, .unknown_bytes] | add' typed)" "$(jq .bytes typed)"
done <<'ROWS'
various_c|radix|288|336|the_radix|field|array of pointers
various_c|queue|288|336|the_queue|array of pointers|
various_c|btree|288|320|the_btree|array of pointers|
various_c|avl|288|336|the_avl|tree with parent pointers|text
various_c|towers|288|336|the_towers|field|array of pointers
various_c|arena|288|336|the_arena|list|
various_c|map|288|336|the_map|array of pointers|
various_c|lru|288|336|the_lru|field|doubly linked list node
various_c|pages|288|336|the_pages|array of pointers|
various_c|network|288|336|the_vertices|array of pointers|array of pointers
various_c|timers|288|336|the_timers|array of pointers|
various_cc|lines|288|336|the_lines|field|doubly linked list node,std::string buffer
various_cc|index|288|336|the_index|array of pointers|std::string buffer,std::vector buffer,tree node (parent pointers)
various_cc|flat|288|336|the_flat|array of pointers|
various_cc|shared|288|336|the_shared|field|std::_Sp_counted_ptr_inplace,std::string buffer
various_cc|second|288|336|the_named|array of pointers|Circle
various_cc|cache|336|368|the_cache|doubly linked list|doubly linked list node
various_cc|actions|288|336|the_actions|array of pointers|
various_cc|letters|368|400|the_letters|field|tree node (parent pointers)
various_cc|waiting|288|336|the_waiting|array of pointers|std::string buffer
various_cc|chain|320|352|the_chain|list|
various_cc|values|288|336|the_values|array of pointers|
various_cc|windows|288|336|the_windows|list|Window
ROWS

# Python, on malloc: a list of dicts is found through both, by their type objects.
start ./dicts >said
ready 30 grep -q ready said
ok "dicts: it is asked" eval 'poll 30 owned && poll 30 typed'
stop_started
asked=$((asked + 1))
case $(owner 192 256) in
*PyDict_Type,PyList_Type*) right=$((right + 1)) ;;
*) note "dicts: not sure: $(owner 192 256)" ;;
esac
is "dicts: values of dicts" "$(owner 192 256 | grep -o PyDict_Type)" PyDict_Type
between "dicts: PyDict_Type" "$(jq '[.types[] | select(.name == "PyDict_Type") | .chunks] | add' typed)" 2000 6000

note "$right of $asked are right, the others not sure"
between "right is what holds of 95 in a hundred" "$right" $(((asked * 95 + 99) / 100)) "$asked"
plan
