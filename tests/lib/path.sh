#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# path.sh DIR LIST...: fills DIR with links to the programs of the packages that
# packaging/deps/LIST.txt name, of what these depend on, and of a minimal Debian with
# git: what a fresh machine has. Tests that find nothing else in their PATH cannot
# lean on what somebody installed by hand. Prints DIR; where there is no dpkg, PATH.
#
# One directory may stand for /usr/bin and /usr/sbin: no package has a name in both.
set -euo pipefail
dir=$1
shift
command -v dpkg-query >/dev/null || { echo "$PATH" && exit; }
lists=("${@/#/packaging/deps/}")
lists=("${lists[@]/%/.txt}")

# closure: of the wanted packages on descriptor 3, over those that are installed. An
# alternative is the first that is there.
closure() {
	# shellcheck disable=SC2016 # dpkg-query's
	dpkg-query -W -f '${Package}\t${Status}\t${Priority}\t${Pre-Depends}, ${Depends}\t${Provides}\n' |
		awk -F'\t' -v wanted="$*" '
		function bare(name) {
			sub(/^ +/, "", name)
			sub(/[ (:].*/, "", name)
			return name
		}
		function want(name) {
			name = bare(name)
			if (!(name in needs)) name = provider[name]
			if (name == "" || name in taken) return name != ""
			taken[name]
			queue[++n] = name
			return 1
		}
		$2 !~ / installed$/ { next }
		{
			needs[$1] = $4
			if ($3 == "required") required[$1]
			k = split($5, provided, ",")
			for (i = 1; i <= k; i++) {
				provider[bare(provided[i])] = $1
			}
		}
		END {
			for (name in required) want(name)
			k = split(wanted, names, " ")
			for (i = 1; i <= k; i++) want(names[i])
			for (at = 1; at <= n; at++) {
				k = split(needs[queue[at]], all, ",")
				for (i = 1; i <= k; i++) {
					m = split(all[i], either, "|")
					for (j = 1; j <= m && !want(either[j]); j++)
						;
				}
			}
			for (name in taken) print name
		}'
}

wanted=$(awk '{ sub(/#.*/, "") } NF { print $1 }' /dev/null "${lists[@]}")
# shellcheck disable=SC2086 # names of packages
mapfile -t packages < <(closure apt git $wanted)
rm -rf "$dir"
mkdir -p "$dir"
dpkg-query -L "${packages[@]}" | sort -u >"$dir/files"
grep -E '^(/usr)?/s?bin/[^/]+$' "$dir/files" | xargs ln -sft "$dir"
# Names that packages share are links of update-alternatives.
find /usr/bin /usr/sbin -lname '/etc/alternatives/*' -printf '%p ' -exec readlink -f {} \; |
	awk 'NR == FNR { listed[$1]; next } $2 in listed { print $1 }' "$dir/files" - |
	xargs -r ln -sft "$dir"
rm "$dir/files"
echo "$dir"
