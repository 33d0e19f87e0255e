# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What a process that was looked at must still do. Source it after tap.sh.
#   is_free PID    no thread of it is stopped or traced
#   runs_on PID    it takes processor time (within 5 s)
#   is_intact      targets/registers, which is asked by descriptor 3 and answers
#                  to the file "registers", has what it had in its registers

is_free() {
	! sed 's/.*) \(.\).*/\1/' /proc/"$1"/task/*/stat | grep -q '[tT]' &&
		grep -q '^TracerPid:.0$' "/proc/$1/status"
}
used_time() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
runs_on() {
	local before
	before=$(used_time "$1")
	# shellcheck disable=SC2016 # eval expands it
	poll 5 eval '[ "$(used_time '"$1"')" -gt '"$before"' ]'
}
is_intact() {
	local before
	before=$(grep -c intact registers)
	echo >&3
	# shellcheck disable=SC2016 # eval expands it
	poll 5 eval '[ "$(grep -c intact registers)" -gt '"$before"' ]' &&
		! grep changed registers
}
