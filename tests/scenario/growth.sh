#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Growth of each kind that is no heap's: who it is, where it ends, and that the
# parts of what RSS rose by add up. All grow at one time and are watched at one
# time.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
heaptide=$HT_BUILD/heaptide
grower=("$HT_BUILD/targets/grower")
declare -A pid
segment=/dev/shm/heaptide.$$

grow() { # NAME ARGUMENTS...
	local name=$1
	shift
	start "${grower[@]}" "$@" >"$HT_TMP/$name.said"
	pid[$name]=$started
	ready 20 grep -q ready "$HT_TMP/$name.said" || note "$name is not ready"
}

of() { jq -r "$2 // empty" "$HT_TMP/$1.json"; }
said() { jq -r '.evidence[], .remedy' "$HT_TMP/$1.json"; }
says() { said "$1" | grep -qE "$2"; }

# Limits are set for one at a time: those of the machine may be any.
grower=(prlimit --nofile=4096 "$HT_BUILD/targets/grower")
truncate -s 512M "$segment" "$HT_TMP/private"
head -c 192M /dev/zero >"$HT_TMP/clean"
grow shared shared
sealed=(shared private)
can shared_room "segment: what fills a mapping ends with it" && {
	grow segment segment "$segment"
	sealed+=(segment)
}
grow private private "$HT_TMP/private"
grow clean clean "$HT_TMP/clean"
mkdir "$HT_TMP/segments"
grow segments segments "$HT_TMP/segments"
rm -f "$segment"
for name in lengthened static pool unjoined joined threads descriptors opened protected; do
	grow "$name" "$name"
done
grow strangers strangers
grow advised advised
grower=(prlimit --memlock=$((6000 << 10)) setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$HT_BUILD/targets/grower")
grow locked locked
grower=("$HT_BUILD/targets/grower")
cat >"$HT_TMP/library.c" <<'C'
static char table[1 << 18];
__attribute__((constructor)) static void fill(void)
{
	for (unsigned i = 0; i < sizeof(table); i += 4096)
		table[i] = 1;
}
C
gcc -shared -fPIC -o "$HT_TMP/library.so" "$HT_TMP/library.c"
grow libraries libraries "$HT_TMP/library.so"
grow aligned256 aligned 256
grow aligned512 aligned 512
grow leak leak 6000
grower=(prlimit --stack=$((102400 << 10)) "$HT_BUILD/targets/grower")
grow deeper deeper
grower=("$HT_BUILD/targets/grower")
grow filled cache 5000
grow filling cache 200000

recorders=()
for name in "${!pid[@]}"; do
	"$heaptide" record "${pid[$name]}" -o "$HT_TMP/$name.db" -i 500ms -d 16s >/dev/null 2>&1 &
	recorders+=($!)
done
wait "${recorders[@]}"
for name in "${!pid[@]}"; do
	"$heaptide" verdict "${pid[$name]}" --db "$HT_TMP/$name.db" --json >"$HT_TMP/$name.json"
	note "$name: $(jq -rc '[.verdict, .reason, .culprit, .limit_name, .eta_limit_at]' "$HT_TMP/$name.json")"
done

# Where it ends.
for name in "${sealed[@]}"; do
	is "$name: what fills a mapping ends with it" "$(of "$name" .reason)" bounded
	is "$name: there is no date beyond" "$(of "$name" .eta_limit_at)" ""
	ok "$name: the size of what it fills is said" says "$name" '512\.0 MiB'
done
is "static: a table that does not grow gives no date" "$(of static .eta_limit_at)" ""
is "static: and is no leak" "$(of static .verdict)" NON_MALLOC_GROWTH
for name in lengthened pool; do
	is "$name: what is mapped further and further has no such end" "$(of $name .reason)" ""
	ok "$name: its date is one of memory" test -n "$(of $name .limit_bytes)"
	ok "$name: it is said whose limit that is" test -n "$(of $name .limit_name)"
done

is "deeper: a stack that grows ends at its own limit" "$(of deeper .limit_name)" RLIMIT_STACK
is "deeper: which is 100 MiB here" "$(of deeper .limit_bytes)" $((102400 << 10))
ok "deeper: and it is said that the program ends there" says deeper 'RLIMIT_STACK; the program ends there'
ok "deeper: there is a date" test -n "$(of deeper .eta_limit_at)"

# Who it is.
ok "a stack that grows is called so" grep -q "main thread's stack" <<<"$(of deeper .culprit)"
ok "shared memory is called so" grep -q 'shared memory' <<<"$(of shared .culprit)"
[ -z "${pid[segment]:-}" ] || ok "a segment is called by its name" grep -qF "$segment" <<<"$(of segment .culprit)"
ok "a file that is written to privately is named" grep -qF "$HT_TMP/private" <<<"$(of private .culprit)"
ok "a memfd is named" grep -q 'memfd:lengthened' <<<"$(of lengthened .culprit)"
is "what is read of a file is no growth" "$(of clean .verdict)" STABLE
is "but it is named" "$(of clean .culprit)" "the mapped file $HT_TMP/clean"
is "files that come one by one are no growth" "$(of segments .verdict)" STABLE
ok "but they are named, all of them" grep -qE "^the mapped file $HT_TMP/segments/grown\.[0-9]+ and [0-9]+ more\$" \
	<<<"$(of segments .culprit)"
ok "and what they gained is most of what RSS did" jq -e '.rss_rise.files >= 0.9 * .rss_rise.rss' "$HT_TMP/segments.json"
ok "stacks of threads that nobody joined are called so" grep -q 'never joined' <<<"$(of unjoined .culprit)"
refuse "stacks that wait for the next thread are not" grep -q 'never joined' <<<"$(of joined .culprit)$(said joined)"

is "what others take from brk amid malloc's heap grows outside malloc" "$(of strangers .verdict)" NON_MALLOC_GROWTH
is "and is called so" "$(of strangers .culprit)" "memory below brk that is not malloc's"
ok "strangers: it is most of what RSS rose by" jq -e '.rss_rise.outside_malloc >= 0.8 * .rss_rise.rss' "$HT_TMP/strangers.json"
refuse "strangers: and no huge page's" says strangers 'khugepaged'
is "libraries that are loaded one after the other grow" "$(of libraries .verdict)" NON_MALLOC_GROWTH
ok "their static data is named, all of it" grep -qE '^static data of .*library\.so\.[0-9]+ and [0-9]+ more$' \
	<<<"$(of libraries .culprit)"
ok "and what to look for" says libraries 'dlopen\(\) without dlclose\(\)'

# malloc's mappings that the program cut in several.
is "blocks whose mappings were cut leak" "$(of advised .verdict)" LEAK
"$heaptide" explain --json "${pid[advised]}" >"$HT_TMP/advised.look.json"
ok "all of them are found" jq -e '.totals.mmapped_chunks > 100 and ([.warnings[] | select(test("mmapped chunks were found"))] == [])' \
	"$HT_TMP/advised.look.json"

# Limits that are no bytes.
# Two mappings and some 16 KiB a thread: where mappings are many and memory is little, that ends first.
first=vm.max_map_count
[ $(($(cat /proc/sys/vm/max_map_count) * 8 * 4)) -lt "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" ] ||
	first="vm.max_map_count|the machine's memory and swap|cgroup"
ok "unjoined threads meet the limit of mappings" grep -qxE "$first" <<<"$(of unjoined .limit_name)"
is "mappings of one page do" "$(of protected .limit_name)" vm.max_map_count
is "files that stay open meet theirs" "$(of descriptors .limit_name)" RLIMIT_NOFILE
is "which is 4096 here" "$(of descriptors .limit_count)" 4096
ok "threads that stay meet one of threads" says threads 'limit [0-9]+ threads \('
for name in unjoined protected descriptors; do
	ok "$name: there is a date" test -n "$(of $name .eta_limit_at)"
	ok "$name: there is something to do" says $name 'never (joined|unmapped|closed)'
done
"$heaptide" explain --json "${pid[locked]}" >"$HT_TMP/look.json"
is "what is locked meets RLIMIT_MEMLOCK" "$(of locked .limit_name)" RLIMIT_MEMLOCK
is "which is 6000 KiB here" "$(of locked .limit_bytes)" $((6000 << 10))
ok "locked: there is a date" test -n "$(of locked .eta_limit_at)"
ok "locked: and it is said what fails then" says locked 'mlock\(\) fails then'
is "the limit is in a look" "$(jq .limits.rlimit_memlock "$HT_TMP/look.json")" $((6000 << 10))
is "and none is where CAP_IPC_LOCK lifts it" "$("$heaptide" explain --json "${pid[leak]}" | jq .limits.rlimit_memlock)" null
is "threads that end and are joined meet none" "$(of joined .eta_limit_at)" ""

# The heap without end.
for name in aligned256 aligned512; do
	refuse "$name: free memory that is not found again is no leak" test "$(of $name .verdict)" = LEAK
done
if "$heaptide" explain --json "${pid[aligned256]}" | jq -e '.libc.version | test("^2\\.(1|2|3[0-7])")' >/dev/null; then
	for name in aligned256 aligned512; do
		is "$name: the heap grows without end" "$(of $name .reason)" unbounded
		ok "$name: and has a date" test -n "$(of $name .eta_limit_at)"
		ok "$name: the bug is named" says $name 'bug 14581'
		refuse "$name: it is not said that it ends" says $name 'no exhaustion|next peak|nothing to do'
	done
fi
is "a leak beside what a trim returns is a leak" "$(of leak .verdict)" LEAK
refuse "and it is not said that a trim returns nothing" says leak 'will not help'

# One look sees no leak, and says what does.
for name in leak filling aligned256; do
	"$heaptide" explain --json "${pid[$name]}" >"$HT_TMP/$name.look.json"
	is "$name: one look ends with the next step" "$(jq -r '.advice[-1].how' "$HT_TMP/$name.look.json")" \
		"heaptide diagnose ${pid[$name]} -d 10m"
	refuse "$name: and never with that all is well" jq -e '.advice[-1].text | test("nothing notable|nothing to do")' \
		"$HT_TMP/$name.look.json"
done

# A cache that fills: while it does nobody can tell it from a leak, and that is said.
ok "filled: a cache that is full is none" grep -qE '^(CACHE_WARMUP|STABLE)$' <<<"$(of filled .verdict)"
is "filling: one that fills looks like a leak" "$(of filling .verdict)" LEAK
for name in "${!pid[@]}"; do
	case $(of "$name" .verdict) in LEAK | NON_MALLOC_GROWTH)
		ok "$name: growth of seconds is not sure" jq -e '.confidence <= 0.6' "$HT_TMP/$name.json"
		ok "$name: and it is said what looks the same, and when to ask again" \
			says "$name" '^so far: .*(a cache that fills|what fills once and stays) looks the same; ask again in '
		;;
	esac
done

# A buffer and a descriptor that nobody closes: what ends it first is in the remedy.
is "opened: it is a leak" "$(of opened .verdict)" LEAK
is "opened: and meets the limit of files first" "$(of opened .limit_name)" RLIMIT_NOFILE
ok "opened: which is what to look for" says opened 'does not free.*descriptors run out first: .*never closed'

# What RSS rose by.
for name in "${!pid[@]}"; do
	ok "$name: the parts add up" jq -e '.rss_rise | .rss != null and .rss == .in_use + .retained
		+ .outside_malloc + .files + .shared' "$HT_TMP/$name.json"
	ok "$name: the line says so" says "$name" '^RSS (rose|fell) .*: in use .*, retained .*, outside malloc .*, files .*, shared '
done
between "a file's share of it" "$(jq '.rss_rise | .files / .rss' "$HT_TMP/clean.json")" 0.9 1.01
between "shared memory's share of it" "$(jq '.rss_rise | .shared / .rss' "$HT_TMP/shared.json")" 0.9 1.01
between "the share outside malloc" "$(jq '.rss_rise | .outside_malloc / .rss' "$HT_TMP/pool.json")" 0.9 1.01
between "the share that is retained" "$(jq '.rss_rise | .retained / .rss' "$HT_TMP/aligned256.json")" 0.8 1.2
"$heaptide" report "${pid[clean]}" --db "$HT_TMP/clean.db" -o "$HT_TMP/page.html"
ok "the page has the line, too" grep -q '<li>RSS rose' "$HT_TMP/page.html"
refuse "nothing is called notable or not below a verdict" grep -qi 'nothing notable' "$HT_TMP/page.html"
plan
