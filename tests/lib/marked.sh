# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What leaks says, held to tests/lib/marking.py, which shares nothing with it. Source
# tap.sh first.
#   marked NAME PID [CORE]  of a core file of the process (made here unless given): each
#                           chunk, byte and piece; sets $leaked, chunks

pieces='[.groups[] | {max_size, heads, chunks, bytes}] | group_by(.max_size)
	| map([.[0].max_size, (map(.heads) | add), (map(.chunks) | add), (map(.bytes) | add)]) | tojson'
marked() {
	local name=$1 core=${3:-core.$2} key
	[ -s "$core" ] || gcore -o core "$2" >gcore.log 2>&1
	ok "$name: the core file is marked" eval \
		"python3 '$HT_TOP/tests/lib/marking.py' '$core' >marked.json"
	ok "$name: heaptide says what is leaked" eval \
		"'$HT_BUILD/heaptide' leaks --core '$core' --json >leaks.json"
	for key in chunks bytes leaked_chunks leaked_bytes; do
		same "$name: ${key/_/ }" "$(jq ".$key" leaks.json)" "$(jq ".$key" marked.json)"
	done
	is "$name: lost pieces, by the size of their heads" \
		"$(jq -r "$pieces" leaks.json)" "$(jq -r "$pieces" marked.json)"
	# shellcheck disable=SC2034 # the caller's
	leaked=$(jq .leaked_chunks marked.json)
	rm -f "$core"
}
