#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every kind of target: the probe of the matrix as a static program, stripped,
# with its libc removed from the disk, in a container ... and each time every
# figure is the process's own. Then processes whose malloc is not glibc's.
# Limit: 300 s
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
: "${HT_BUILD:=$PWD/build}" "${HT_TMP:=$(mktemp -d)}"
export HT_BUILD HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
check=$HT_BUILD/tools/matrix_check
make -s "BUILD=$HT_BUILD" "$check" "$HEAPTIDE_AGENT" || exit 1
cd "$HT_TMP" || exit 1
here=$OLDPWD

build() { # NAME FLAGS...
	local name=$1
	shift
	gcc -O2 -g -std=gnu17 -D_GNU_SOURCE -fno-builtin-malloc \
		-Wno-deprecated-declarations "$@" -o "$name" \
		"$here/tests/matrix/probe.c" -lpthread
}

both_ways() { # NAME HOW COMMAND...: HOW is --any where there is no debug file
	local name=$1 how=$2
	shift 2
	# shellcheck disable=SC2086
	ok "$name: every figure is the process's own" "$check" $how out.xml "$@" out.xml
	ok "$name, by structure: every figure is the process's own" \
		"$check" --scan out.xml "$@" out.xml
}

build probe
build probe-static -static
build probe-static-pie -static-pie
build probe32 -m32
build probe32-static -m32 -static
cp probe-static stripped-static && strip stripped-static
cp probe-static-pie stripped-static-pie && strip stripped-static-pie

both_ways "a program of this machine" "" ./probe
both_ways "a static program" --any ./probe-static
both_ways "a static PIE program" --any ./probe-static-pie
both_ways "a stripped static program" --any ./stripped-static
both_ways "a stripped static PIE program" --any ./stripped-static-pie
can run32 "an i386 program" && both_ways "an i386 program" --any ./probe32
can run32 "a static i386 program" && both_ways "a static i386 program" --any ./probe32-static
both_ways "a program started through the loader" "" /lib64/ld-linux-x86-64.so.2 ./probe
both_ways "a main arena that is not contiguous" "" env PROBE_NO_BRK=1 ./probe
can run32 "an i386 main arena that is not contiguous" &&
	both_ways "an i386 main arena that is not contiguous" --any env PROBE_NO_BRK=1 ./probe32
both_ways "an allocator library that is loaded and not used" "" \
	env LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libc_malloc_debug.so.0 ./probe

mkdir lib
for round in 1 2; do
	cp /lib/x86_64-linux-gnu/libc.so.6 lib/libc.so.6
	how=$([ $round = 1 ] || echo --scan)
	# shellcheck disable=SC2086
	ok "a libc that was removed from the disk, round $round: every figure is the process's own" \
		"$check" $how out.xml env LD_LIBRARY_PATH="$PWD/lib" PROBE_UNLINK="$PWD/lib/libc.so.6" ./probe out.xml
done

# The same without the right to open what is mapped: malloc is found in memory.
for probe in probe probe32; do
	name="a libc that is gone and not ours to open, $probe"
	[ $probe = probe ] || can run32 "$name" || continue
	libc=$(ldd "./$probe" | awk '$1 == "libc.so.6" { print $3 }')
	cp -L "$libc" lib/libc.so.6
	ok "$name: every figure is the process's own" \
		setpriv --bounding-set=-sys_admin,-checkpoint_restore "$check" --scan out.xml \
		env LD_LIBRARY_PATH="$PWD/lib" PROBE_UNLINK="$PWD/lib/libc.so.6" "./$probe" out.xml
done

# What is asked for where a libc is not known: shapes, and no content.
mkfifo dumped
./probe out.xml <dumped >said &
pid=$!
exec 8>dumped
poll 60 grep -q ready said
"$HT_BUILD/heaptide" doctor $pid --dump-layout >dump
for what in "build id [0-9a-f]" "symbol main_arena" "main_arena: 0x.* as ms-" "mp_: 0x.* as par-" \
	"thread-local slot .* holds -" "dwarf malloc_state.top at" "verdict: fits" \
	"heap_info, [0-9]* bytes to its arena" "-> anonymous memory +0x"; do
	ok "the layout dump has: $what" grep -q -e "$what" dump
done
refuse "the layout dump has none of the heap's words" grep -q 0x1010101 dump
exec 8>&-
wait $pid

# A container as it is seen from outside: another suite's root, and mount, pid and
# user namespaces of its own.
cells=$HT_BUILD/matrix
if ! can namespaces "a container of another suite"; then
	:
elif (cd "$here" && tests/matrix/fetch.sh "$cells" bullseye amd64 libc6 libc6-dbg libc6-dev linux-libc-dev &&
	tests/matrix/build.sh "$cells" amd64 && tests/matrix/fetch.sh "$cells" trixie amd64) >&2; then
	root=$cells/trixie-amd64
	cp -f "$cells/probe-amd64" "$root/probe-kinds"
	for how in "" --scan; do
		# shellcheck disable=SC2086
		ok "a container of another suite ${how:-with its debug file}: every figure is the process's own" \
			"$check" $how --child "$root/kinds.xml" \
			unshare --user --map-root-user --mount --pid --fork --kill-child \
			chroot "$root" /probe-kinds /kinds.xml
	done
else
	ok "a container of another suite: MISSING: its packages could not be fetched" false
fi

# Others in front: named, the process figures are there, no heap is.
cat >rest.c <<'C'
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
	char c;

	for (int i = 0; i < 1000; i++)
		if (!malloc(100))
			return 1;
	return write(1, "ready\n", 6) == 6 && read(0, &c, 1) >= 0;
}
C
gcc -O0 -o rest rest.c
libs=/usr/lib/x86_64-linux-gnu

named() { # NAME WANTED COMMAND...: libc.allocator and what else has to be true
	local name=$1 wanted=$2 got
	shift 2
	rm -f said && mkfifo hold
	"$@" <hold >said &
	local pid=$!
	exec 8>hold
	started=$pid
	ready 60 grep -q ready said
	"$HT_BUILD/heaptide" explain "$pid" --json >got.json 2>/dev/null
	got=$(python3 -c '
import json
j = json.load(open("got.json"))
others = [w for w in j["warnings"] if "heap is" in w]
print(j["libc"]["allocator"], "no heap" if j["totals"]["system"] is None else "heap",
      "figures" if j["process"]["rss"] else "nothing", "- said" if others else "")')
	got=${got% }
	exec 8>&-
	wait "$pid"
	rm -f hold
	is "$name" "$got" "$wanted"
}

named "jemalloc in front is named with its version" "jemalloc 5.3.0 no heap figures - said" \
	env LD_PRELOAD=$libs/libjemalloc.so.2 ./rest
named "tcmalloc in front is named with its version" "tcmalloc 2.10 no heap figures - said" \
	env LD_PRELOAD=$libs/libtcmalloc_minimal.so.4 ./rest
named "mimalloc in front is named with its version" "mimalloc 2.0 no heap figures - said" \
	env LD_PRELOAD=$libs/libmimalloc.so.2.0 ./rest
named "libc's debugging malloc is walked as glibc's" "glibc heap figures" \
	env LD_PRELOAD=$libs/libc_malloc_debug.so.0 MALLOC_CHECK_=3 ./rest
musl-gcc -static -O0 -o rest-musl rest.c
named "a static musl program is named" "musl no heap figures - said" ./rest-musl
musl-gcc -O0 -o rest-musl-dynamic rest.c
named "a musl program is named with its version" "musl 1.2.3 no heap figures - said" ./rest-musl-dynamic

# A static glibc has its banner only where the program asks for the version.
sed 's/.*return write/	if (WITH) return 1;\n&/; 1i #include <gnu/libc-version.h>' rest.c >banner.c
gcc -O0 -static -DWITH='!*gnu_get_libc_version()' -o rest-banner banner.c
gcc -O0 -static -DWITH=0 -o rest-no-banner banner.c
minor=$(getconf GNU_LIBC_VERSION | sed 's/.*2\.//')
version() { python3 -c 'import json; print(json.load(open("got.json"))["libc"]["version"])'; }
named "a static program that has the banner" "glibc heap figures" ./rest-banner
is "its version is the banner's" "$(version)" "2.$minor"
named "a static program that has no banner" "glibc heap figures" ./rest-no-banner
ok "its version is a range of releases, by its structs: $(version)" \
	awk -v said="$(version)" -v minor="$minor" 'BEGIN {
		exit !(said ~ /^2\.[0-9]+ to 2\.[0-9]+$/ && split(said, n, /[. ]/) == 5 &&
			n[2] <= minor && minor <= n[5]) }'

clang -O0 -fsanitize=scudo -o rest-scudo rest.c
named "a program with scudo linked in is named" "scudo no heap figures - said" ./rest-scudo
scudo=$(clang -print-file-name=lib/linux/libclang_rt.scudo_standalone-x86_64.so)
named "scudo in front is named" "scudo no heap figures - said" env LD_PRELOAD="$scudo" ./rest

# Runtimes with a heap of their own. A Go program is made as its linker makes one; a
# real one is measured in prometheus.sh.
named "a Go program is named with its version" "go 1.22.5 no heap figures - said" "$HT_BUILD/targets/go"
is "a Go program's heap is anonymous memory outside malloc" "$(python3 -c '
import json
j = json.load(open("got.json"))
print(sum(r["bytes"] for r in j["rss_breakdown"] if r["cause"] == "anon_other") >= 4 << 20)')" True
cat >jvm.c <<'C'
const char version[] = "OpenJDK 64-Bit Server VM (21.0.4+7) for linux-amd64 "
		       "JRE (21.0.4+7), built on";
int JNI_CreateJavaVM(void) { return version[0]; }
C
gcc -shared -fPIC -o libjvm.so jvm.c
named "a Java virtual machine's malloc is glibc's, and its own heap is spoken of" \
	"glibc heap figures - said" env LD_PRELOAD="$PWD/libjvm.so" ./rest
said_of() { python3 -c 'import json; print(*json.load(open("got.json"))["warnings"])'; }
ok "a Java virtual machine is named with its version" \
	grep -q "Java virtual machine (21.0.4)" <<<"$(said_of)"
cat >Rest.java <<'C'
public class Rest {
	public static void main(String[] a) throws Exception {
		byte[][] kept = new byte[200][];
		for (int i = 0; i < 200; i++) kept[i] = new byte[100000];
		System.out.println("ready");
		System.in.read();
		System.exit(kept.length - 200);
	}
}
C
named "a real Java program" "glibc heap figures - said" java Rest.java
ok "a real Java program: its version is named" \
	grep -q "Java virtual machine ([0-9]*\.[0-9]" <<<"$(said_of)"

# A second libc in a namespace of its own: its malloc is told apart.
cat >second.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
	void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	void *(*get)(size_t) = libc ? dlsym(libc, "malloc") : NULL;
	char c;

	for (int i = 0; i < 40; i++)
		if (!get || !get(5000) || !malloc(100))
			return 1;
	return write(1, "ready\n", 6) == 6 && read(0, &c, 1) >= 0;
}
C
gcc -O0 -o second second.c
named "a dlmopen'ed libc does not hide the program's own" "glibc heap figures" ./second
is "the second libc's arena is there, with its 40 chunks of 5008 bytes" "$(python3 -c '
import json
arenas = json.load(open("got.json"))["arenas"]
print(sorted(a["space"] for a in arenas),
      [a["in_use"] >= 40 * 5008 and not a["contiguous"] for a in arenas if a["space"]])')" \
	"[0, 1] [True]"

# Namespaces whose libcs have no brk: each heap is mappings, as the other's. One grows after the other, or in turn.
cat >many.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { LIBCS = 3, CHUNKS = 9000 };
static void *kept[LIBCS][CHUNKS], *(*get[LIBCS])(size_t);
static void (*give[LIBCS])(void *);
static void take(int k, int i)
{
	kept[k][i] = get[k](1000);
	memset(kept[k][i], 1, 1000);
}
int main(int argc, char **argv)
{
	char c;
	(void)argv;
	for (int k = 0; k < LIBCS; k++) {
		void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
		get[k] = libc ? dlsym(libc, "malloc") : NULL;
		give[k] = libc ? dlsym(libc, "free") : NULL;
		if (!get[k] || !give[k])
			return 1;
		for (int i = 0; argc == 1 && i < CHUNKS; i++)
			take(k, i);
	}
	for (int n = 0; argc > 1 && n < LIBCS * CHUNKS; n++)
		take(n % LIBCS, n / LIBCS);
	for (int k = 0; k < LIBCS; k++)
		for (int i = 0; i < CHUNKS; i += 10)
			give[k](kept[k][i]);
	return write(1, "ready\n", 6) == 6 && read(0, &c, 1) >= 0;
}
C
gcc -O0 -w -o many many.c
spaces() {
	python3 -c '
import json
got = json.load(open("got.json"))
arenas = [a for a in got["arenas"] if a["space"]]
# of 9,000 chunks of 1,008 bytes each tenth is free; beside them what libc itself keeps
print(len(arenas), all(0 <= a["in_use"] - 8100 * 1008 < 16384 for a in arenas),
      got["stop"]["uncertain_bytes"], got["findings"], sum(r["bytes"] for r in got["rss_breakdown"]) <= got["process"]["rss"] * 1.02)'
}
named "four libcs in a process" "glibc heap figures" ./many
is "the heap of each is its own, to the byte" "$(spaces)" "3 True 0 [] True"
named "their mappings side by side" "glibc heap figures" ./many in-turn
is "no byte counts twice, and nothing is called damaged" "$(spaces | sed 's/ [TF][a-z]* [0-9]* / /')" "3 [] True"

plan
