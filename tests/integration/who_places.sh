#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Where the files and lines of stacks come from: debug information that dwz moved to a
# file that several share, and debug files that lie in a container's root. What is not of
# the same build is not believed; what is missing is told.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1
needs uprobes

cat >made.h <<'EOC'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define IN static inline __attribute__((always_inline))
struct session {
	struct session *next;
	char text[120];
};
static struct session *all;
IN struct session *session_new(int n)
{
	struct session *s = malloc(sizeof(*s)); /* asks */
	memset(s->text, n, sizeof(s->text));
	return s;
}
IN void session_keep(int n)
{
	struct session *s = session_new(n); /* keeps */
	s->next = all;
	all = s;
}
EOC
cat >one.c <<'EOC'
#include "made.h"
__attribute__((noinline, noclone)) void serve(int n)
{
	session_keep(n); /* serves */
	__asm__ volatile("" : : : "memory");
}
int main(void)
{
	for (int i = 0;; i++) {
		serve(i);
		if (i == 5) {
			puts("ready");
			fflush(stdout);
		}
		usleep(1000);
	}
}
EOC
sed 's/serve/attend/g' one.c >two.c
line() { grep -n "/\* $1 \*/" "$2" | cut -d: -f1; }
inner=$(line asks made.h) outer=$(line keeps made.h)
# What is to be told of it: all, all but names, the symbols alone, not even these.
last="serve one.c:$(line serves one.c)"
whole="session_new made.h:$inner < session_keep made.h:$outer < $last"
nameless="- made.h:$inner < - made.h:$outer < $last"
bare="- -"

# look NAME COMMAND...: what is told of the program, in NAME.json and as one line
look() {
	local name=$1
	shift
	start "$@" >"$name.said"
	ok "$name: it serves" poll 30 grep -q ready "$name.said"
	"$heaptide" who "$started" -d 2s --json >"$name.json" 2>"$name.err" || cat "$name.err"
	told=$(jq -r '[.sites[0].frames[:3][] | (.function // "-") + " " +
		(if .file then "\(.file | split("/") | last):\(.line)" else "-" end)] | join(" < ")' "$name.json")
	stop_started
}
build() { # FOLDER: programs one and two there, with debug information
	mkdir -p "$1"
	gcc -O2 -g -o "$1/one" "${2:-}one.c" && gcc -O2 -g -o "$1/two" "${2:-}two.c"
}
part() { # FILE DEBUGFILE: takes debug information out of it
	objcopy --only-keep-debug "$1" "$2"
	strip "$1"
}

# --- a shared file ----------------------------------------------------------------------

# dwzed FOLDER NAME: they share a file, which they call that
dwzed() {
	build "$1"
	dwz -m "$1/shared" -M "$2" "$1/one" "$1/two"
}
dwzed plain "$HT_TMP/plain/shared"
is "dwz moved names away" "$(grep -c session_keep plain/one plain/shared | tr '\n' ' ')" \
	"plain/one:0 plain/shared:1 "
look plain plain/one
is "plain: names and lines of what dwz moved" "$told" "$whole"
is "plain: nothing is missing" "$(jq -c .warnings plain.json)" '[]'
is "plain: what was inlined says so" \
	"$(jq -c '[.sites[0].frames[:3][].inlined]' plain.json)" '[true,true,false]'
mv plain/shared plain/away
look gone plain/one
is "gone: lines, and functions without a name" "$told" "$nameless"
ok "gone: it is told, by its name" \
	jq -e '.warnings | map(test("dwz to .*/plain/shared, which was not found")) | any' gone.json

sed 's/text\[120\]/text[130]/' made.h >other_made.h
for of in one two; do sed 's/made.h/other_made.h/' "$of.c" >"other_$of.c"; done
build other other_
dwz -m other/shared -M "$HT_TMP/other/shared" other/one other/two
cp other/shared plain/shared
look unlike plain/one
is "unlike: a file of that name and another id is not believed" "$told" "$nameless"
head -c 300 plain/away >plain/shared
look cut_off plain/one
is "cut off: nor one that is broken" "$told" "$nameless"

# As packages have it: stripped, and a debug file beside it names the shared one, from
# where it really lies.
dwzed apart ../common/shared
mkdir -p apart/.debug apart/real apart/common
part apart/one apart/real/one.debug
objcopy --add-gnu-debuglink=apart/real/one.debug apart/one
ln -s ../real/one.debug apart/.debug/one.debug
mv apart/shared apart/common/shared
look apart apart/one
is "apart: from where the debug file lies, whatever link led to it" "$told" "$whole"

# --- a root of its own ------------------------------------------------------------------

root() { # FOLDER: of the least that a program takes
	local lib
	mkdir -p "$1/app"
	for lib in $(ldd two/two | grep -o '/[^ ]*'); do
		cp --parents -L "$lib" "$1"
	done
}
by_id() { # FILE ROOT: where debug information of the file belongs there
	local id
	id=$(readelf -n "$1" | sed -n 's/.*Build ID: //p')
	mkdir -p "$2/usr/lib/debug/.build-id/${id:0:2}"
	echo "$2/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
}
# in_mount FOLDER PROGRAM: in a copy of it as its root, that nobody else sees
in_mount() {
	exec unshare --mount --propagation private bash -c \
		"mount -t tmpfs none hidden && cp -a '$1/.' hidden && exec chroot hidden '$2'"
}
build two
mkdir hidden
if can root "a container's root"; then
	dwzed contained /nowhere/shared
	root box
	id=$(by_id contained/one box)
	part contained/one "$id"
	cp contained/shared "$(by_id contained/shared box)"
	cp contained/one box/app
	look contained chroot box /app/one
	is "contained: all by build id, below the root of the process" "$told" "$whole"

	root linked
	mkdir -p linked/store linked/common linked/usr/lib/debug/app
	cp apart/one linked/app
	cp apart/real/one.debug linked/store
	cp apart/common/shared linked/common
	ln -s /store/one.debug linked/usr/lib/debug/app/one.debug
	look linked in_mount linked /app/one
	is "linked: by its debug link, where links mean what they mean in there" "$told" "$whole"

	# Not in there: ours, at the same path.
	build here
	mkdir here/.debug
	part here/one here/.debug/one.debug
	objcopy --add-gnu-debuglink=here/.debug/one.debug here/one
	root host
	mkdir -p "host$HT_TMP/here"
	cp here/one "host$HT_TMP/here"
	look outside in_mount host "$HT_TMP/here/one"
	is "outside: what the container has not is found here" "$told" "$whole"
	objcopy --only-keep-debug other/one here/.debug/one.debug
	look stranger in_mount host "$HT_TMP/here/one"
	is "stranger: but one of another build is not believed" "${told%% < *}" "$bare"
fi

# --- no build id ------------------------------------------------------------------------

mkdir summed
gcc -O2 -g -Wl,--build-id=none -o summed/one one.c
part summed/one summed/one.debug
objcopy --add-gnu-debuglink=summed/one.debug summed/one
look summed summed/one
is "summed: without a build id the debug link's sum says that it is the one" "$told" "$whole"
printf x >>summed/one.debug
look changed summed/one
is "changed: and that it is not" "${told%% < *}" "$bare"
plan
