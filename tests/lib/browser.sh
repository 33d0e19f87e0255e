# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# browser_checks SCRIPT ARGUMENT...: a script of tests/scenario that drives Debian's Chromium
# (browser.cjs); each line that it prints is a check or a note. Source tap.sh first.

browser_checks() {
	local status name detail
	cp "$HT_TOP"/page/package*.json .
	ok "npm fetches what drives it, by its lock" npm ci --ignore-scripts --prefer-offline --no-audit --no-fund
	while IFS=$'\t' read -r status name detail; do
		case $status in
		ok | bad)
			[ "$status" = ok ]
			tap_result $? "$name"
			[ "$status" = ok ] || note "$detail"
			;;
		*) note "$name $detail" ;;
		esac
	done < <(NODE_PATH=$PWD/node_modules timeout 500 node "$@" 2>&1 || printf '%s\t%s\n' bad 'the browser was driven to the end')
}
