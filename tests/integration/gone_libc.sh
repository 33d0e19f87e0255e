#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 90 s
# A libc whose file is gone, looked at by its own user without privilege: malloc
# is found in memory alone, whatever the tunables made of mp_'s words.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

needs own_traced
chmod 711 "$HT_TMP"
loader=$(readlink -f /lib64/ld-linux-x86-64.so.2)
libc=$(ldconfig -p | sed -n 's#.*libc\.so\.6 (.*x86-64.*=> ##p' | head -n 1)
cp "$HT_BUILD/heaptide" "$HT_BUILD/heaptide-agent" "$loader" "$HT_TMP"
cat >"$HT_TMP/freed.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
	static void *volatile p[3000];

	for (int i = 0; i < 3000; i++)
		p[i] = malloc(100);
	for (int i = 0; i < 3000; i++)
		free(p[i]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
gcc -O0 -o "$HT_TMP/freed" "$HT_TMP/freed.c"

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# cached TUNABLES: bytes in the thread cache of a program with those, whose libc
# was removed after it had started; 112 for each chunk.
cached() {
	local out=$HT_TMP/out
	cp "$libc" "$HT_TMP/libc.so.6"
	: >"$out"
	start "${nobody[@]}" env GLIBC_TUNABLES="$1" "$HT_TMP/${loader##*/}" \
		--library-path "$HT_TMP" "$HT_TMP/freed" >"$out"
	poll 10 grep -q ready "$out"
	rm "$HT_TMP/libc.so.6"
	"${nobody[@]}" env HEAPTIDE_AGENT="$HT_TMP/heaptide-agent" "$HT_TMP/heaptide" \
		explain "$started" --json 2>"$HT_TMP/err" | jq .totals.tcache
	kill "$started"
}

same "seven chunks are cached by default" "$(cached x=)" $((7 * 112))
same "tcache_max=200: as many" "$(cached glibc.malloc.tcache_max=200)" $((7 * 112))
same "tcache_count=5000: all of them" "$(cached glibc.malloc.tcache_count=5000)" $((3000 * 112))
same "both" "$(cached glibc.malloc.tcache_max=200:glibc.malloc.tcache_count=2000)" $((2000 * 112))
same "tcache_count=0: none" "$(cached glibc.malloc.tcache_count=0)" 0
plan
