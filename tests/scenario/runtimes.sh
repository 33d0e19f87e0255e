#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 150 s
# Who it is outside malloc: a language's heap, another allocator beside glibc, known
# by what is loaded and by the shape of its mappings; and a chunk that is freed and
# waits in a thread's cache is not called in use.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
heaptide=$HT_BUILD/heaptide

begin() { # NAME COMMAND...: sets $started
	local name=$1
	shift
	start "$@" >"$HT_TMP/$name.said"
	ready 30 grep -q ready "$HT_TMP/$name.said" || note "$name is not ready"
}

# part NAME PID: share of the anonymous memory outside malloc that is called so
part() {
	"$heaptide" explain --json "$2" |
		jq --arg n "$1" '[.mappings[] | select(.kind == "anon" or .kind == "brk_other")] | (map(select(.name == $n) | .anonymous) | add)
			/ (map(.anonymous) | add)'
}

cat >"$HT_TMP/grows.py" <<'PY'
import time
kept = [(i, str(i)) for i in range(100000)]
print("ready", flush=True)
while True:
    kept.extend([(i, str(i) * 2) for i in range(600)])
    time.sleep(0.02)
PY
begin python python3 "$HT_TMP/grows.py"
python=$started
between "CPython's arenas are called so" "$(part 'CPython arenas (pymalloc)' "$python")" 0.9 1
"$heaptide" record "$python" -o "$HT_TMP/python.db" -i 400ms -d 14s >/dev/null 2>&1
"$heaptide" verdict "$python" --db "$HT_TMP/python.db" --json >"$HT_TMP/python.json"
is "a Python program that grows, grows outside malloc" "$(jq -r .verdict "$HT_TMP/python.json")" NON_MALLOC_GROWTH
is "its arenas are the culprit" "$(jq -r .culprit "$HT_TMP/python.json")" "CPython arenas (pymalloc)"
ok "and what to ask Python itself" jq -e '.remedy | test("tracemalloc")' "$HT_TMP/python.json"

# jemalloc wants thread-local memory of a size that dlopen() has not left.
late_tls=(env GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536)
for allocator in mimalloc tcmalloc jemalloc; do
	begin "$allocator" "${late_tls[@]}" "$HT_BUILD/targets/beside" "$allocator"
	between "$allocator beside glibc is called so" "$(part "$allocator" "$started")" 0.9 1
	ok "$allocator: glibc's heap is walked all the same" \
		jq -e '.totals.in_use > 1000' <<<"$("$heaptide" explain --json "$started")"
done

# Those of other languages grow side by side.
cat >"$HT_TMP/grows.rb" <<'RUBY'
$stdout.sync = true
kept = []
puts "ready"
loop { 600.times { kept << Object.new << "kept" }; sleep 0.02 }
RUBY
cat >"$HT_TMP/grows.php" <<'PHP'
<?php
ini_set("memory_limit", "-1");
$kept = [];
echo "ready\n";
for (;; usleep(20000))
	for ($i = 0; $i < 400; $i++)
		$kept[] = [$i, "kept $i"];
PHP
cat >"$HT_TMP/grows.js" <<'JS'
const kept = [];
setInterval(() => { for (let i = 0; i < 800; i++) kept.push({ i, text: "kept " + i }); }, 20);
console.log("ready");
JS
cat >"$HT_TMP/Grows.java" <<'JAVA'
public class Grows {
	public static void main(String[] a) throws Exception {
		java.util.List<byte[]> kept = new java.util.ArrayList<>();
		System.out.println("ready");
		for (;; Thread.sleep(20))
			for (int i = 0; i < 40; i++)
				kept.add(new byte[3000]);
	}
}
JAVA
declare -A pid name=([ruby]="Ruby heap pages" [php]="PHP heap (Zend memory manager)"
	[node]="V8 heap" [java]="JVM: heap, metaspace, code" [tcmalloc]=tcmalloc
	[jemalloc]=jemalloc [mimalloc]=mimalloc)
grows() { # LANGUAGE COMMAND...
	begin "grows-$1" "${@:2}"
	pid[$1]=$started
}
grows ruby ruby "$HT_TMP/grows.rb"
grows php php -n "$HT_TMP/grows.php"
grows node node --max-semi-space-size=1 "$HT_TMP/grows.js"
grows java java -Xmx2g -XX:+UseSerialGC -Xmn8m "$HT_TMP/Grows.java"
for allocator in tcmalloc jemalloc mimalloc; do
	grows $allocator "${late_tls[@]}" "$HT_BUILD/targets/beside" $allocator grow
done
recorders=()
for language in "${!pid[@]}"; do
	"$heaptide" record "${pid[$language]}" -o "$HT_TMP/$language.db" -i 500ms -d 20s >/dev/null 2>&1 &
	recorders+=($!)
done
wait "${recorders[@]}"
for language in "${!pid[@]}"; do
	"$heaptide" verdict "${pid[$language]}" --db "$HT_TMP/$language.db" --json >"$HT_TMP/$language.json"
	is "$language that grows: $(jq -r .verdict "$HT_TMP/$language.json"), and whose memory it is" \
		"$(jq -r .culprit "$HT_TMP/$language.json")" "${name[$language]}"
	refuse "$language: nobody is sent to look for sbrk() or mmap()" \
		jq -e '.remedy | test("who else calls sbrk|own mmap|mmap\\(\\) pools")' "$HT_TMP/$language.json"
	kill "${pid[$language]}"
done

# A thread whose stack lies in its runtime's heap makes no stack of that heap.
mkfifo "$HT_TMP/held"
exec 8<>"$HT_TMP/held"
# shellcheck disable=SC2016
begin go bash -c 'exec "$0" <"$1"' "$HT_BUILD/targets/go" "$HT_TMP/held"
between "Go's heap is called so, with a goroutine's stack in it" "$(part 'Go heap' "$started")" 0.9 1
echo >&8
exec 8>&-

# Not every aligned mapping of a program of its own is somebody's.
begin own "$HT_BUILD/targets/beside" own
is "a mapping of nobody known has no name" "$("$heaptide" explain --json "$started" |
	jq -r '[.mappings[] | select(.kind == "anon") | .name // ""] | unique | join(",")')" ""

begin pin "$HT_BUILD/targets/keeper" cached_pin
"$heaptide" explain --json "$started" >"$HT_TMP/pin.json"
is "a pin in a cache names its thread" "$(jq '.arenas[0].pin_cached_by' "$HT_TMP/pin.json")" "$started"
ok "and is not called in use" jq -e '.advice[] | select(.code == "pin") |
	.text | test("waits in the cache of thread") and (test("chunk in use at") | not)' "$HT_TMP/pin.json"
begin held "$HT_BUILD/targets/keeper" held_pin
"$heaptide" explain --json "$started" >"$HT_TMP/held.json"
is "a pin that the program holds is in no cache" "$(jq '.arenas[0].pin_cached_by' "$HT_TMP/held.json")" null
ok "and is called in use" jq -e '.advice[] | select(.code == "pin") | .text | test("chunk in use at")' "$HT_TMP/held.json"
plan
