#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Each privilege and file that heaptide needs is taken away in turn. Figure by
# figure the answer is then root's, or null with its reason; or there is none,
# and the refusal says what is in the way.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
[ -n "${HT_UNSHARED:-}" ] || HT_UNSHARED=1 exec unshare --mount --propagation private bash "$0"
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"

# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/"{waiting,retaining,undumpable,without} || exit 1
installed
daemon_dir=$there
daemon_config
other=65533
cp "$HT_BUILD/targets/"{waiting,retaining,undumpable,without} "$HT_TMP"
cp "$HT_TMP/waiting" "$HT_TMP/unreadable"
chmod 0711 "$HT_TMP/unreadable"

# run_as USER PROGRAM: it stands, and rests; its pid is in $started
run_as() {
	as_user "$1"
	start "${as[@]}" "${@:2}" >"$HT_TMP/ready"
	poll 20 grep -q ready "$HT_TMP/ready"
	poll 20 grep -q "^State:.S" "/proc/$started/status" # the linker may touch its stack till then
}
# explain PID ARGUMENT...: with what is in `as`; $HT_TMP/answer and what is said
explain() {
	"${as[@]}" "$there/heaptide" explain --json "$@" >"$HT_TMP/answer" 2>"$HT_TMP/said"
}
value() { jq -r "$1" "$HT_TMP/answer"; }
# whole NAME PID: all that root sees
whole() {
	ok "$1: it is measured" explain "$2"
	is "$1: every figure is root's" "$(figures "$HT_TMP/answer")" "$(figures "$HT_TMP/root")"
	can cgroups "$1: nothing is unknown" && is "$1: nothing is unknown" "$(value '.unknown | length')" 0
}
# more NAME: what is unknown, and not to root
more() { jq -r --slurpfile root "$HT_TMP/root" '[.unknown[].'"$1"'] - [$root[0].unknown[].'"$1"'] | unique | join(" ")' "$HT_TMP/answer"; }
# told NAME REASON TEXT PID: what is not root's is null, with that reason; but the
# kernel's counters, which stand in for sums of pages and lag behind them
told() {
	ok "$1: it is measured" explain "$4"
	more names | tr ' ' '\n' | sort >"$HT_TMP/names"
	diff <(figures "$HT_TMP/root") <(figures "$HT_TMP/answer") | sed -n 's/^> //p' |
		grep -Ev '^(arenas|mappings|rss_breakdown|advice|warnings|unknown)[.]|^process[.]rss_' >"$HT_TMP/differ"
	is "$1: what differs is null" "$(grep -v ' null$' "$HT_TMP/differ")" ""
	is "$1: and has its reason" "$(sed 's/ .*//' "$HT_TMP/differ" | sort)" "$(cat "$HT_TMP/names")"
	is "$1: which is $2" "$(more reason)" "$2"
	ok "$1: in words" grep -q "$3" <<<"$(value '.unknown[].text')"
	is "$1: a warning says it, too" "$(value '[.warnings[] | select(test("'"$3"'"))] | length > 0')" true
}
# refused NAME TEXT PID ARGUMENT...: there is no answer, and that is why
refused() {
	refuse "$1: it is refused" explain "${@:3}"
	ok "$1: for the right reason" grep -q "$2" "$HT_TMP/said"
	[ $tap_failed -eq 0 ] || note "$(cat "$HT_TMP/said")"
}
as_root() {
	as=()
	explain "$1" && mv "$HT_TMP/answer" "$HT_TMP/root"
}

run_as "$other" "$HT_TMP/waiting"
process=$started
ok "root measures it" as_root "$process"

# --- the bounding set, the user
as_heaptide
whole "with both capabilities" "$process"
as_heaptide dac_read_search
told "without CAP_DAC_READ_SEARCH" pagemap "pagemap.*CAP_DAC_READ_SEARCH" "$process"
as_heaptide sys_ptrace
refused "without CAP_SYS_PTRACE" "belongs to user $other, we run as user $heaptide_id without CAP_SYS_PTRACE" "$process"
as_user "$other"
chmod 755 "$there/heaptide-agent"
as+=(--bounding-set=-all)
whole "the process's own user, without any capability" "$process"

# --- no_new_privs, and the way around it
as_heaptide
as+=(--no-new-privs)
refused "under no_new_privs" "without CAP_SYS_PTRACE" "$process"
as_heaptide
ambient=+sys_ptrace,+dac_read_search
as=("${as[@]/--inh-caps=-all/--inh-caps=$ambient}" --ambient-caps "$ambient" --no-new-privs)
whole "under no_new_privs, with ambient capabilities" "$process"

# --- seccomp
as_heaptide
as=("$HT_TMP/without" 310 "${as[@]}")
whole "where a filter refuses process_vm_readv" "$process"

# --- the process: not dumpable, its executable unreadable
chmod 750 "$there/heaptide-agent"
run_as "$other" "$HT_TMP/undumpable"
kept=$started
ok "root measures one that is not dumpable" as_root "$kept"
as_heaptide
whole "a process that is not dumpable" "$kept"
as_heaptide
as=("$HT_TMP/without" 101 "${as[@]}")
refused "where a filter refuses ptrace" "seccomp filter" "$kept" --mode exact
as_heaptide dac_read_search
told "the same without CAP_DAC_READ_SEARCH" pagemap "read by user 0 alone" "$kept"
chmod 755 "$there/heaptide-agent"
as_user "$other"
as+=(--bounding-set=-all)
refused "the same, by its own user" "not dumpable" "$kept"

chmod 750 "$there/heaptide-agent"
run_as "$other" "$HT_TMP/unreadable"
dark=$started
ok "root measures one whose executable has mode 0711" as_root "$dark"
as_heaptide
whole "an executable of mode 0711" "$dark"
as_heaptide dac_read_search
explain "$dark"
is "the same without CAP_DAC_READ_SEARCH: file modes are the reason" \
	"$(more reason)" pagemap
refuse "and no security module" grep -q "security module" "$HT_TMP/answer"

# --- a user namespace
as_user "$other"
start "${as[@]}" unshare --user "$HT_TMP/waiting" >"$HT_TMP/ready"
poll 20 grep -q ready "$HT_TMP/ready"
contained=$started
ok "root measures one in a user namespace" as_root "$contained"
as_heaptide
whole "a process in a user namespace" "$contained"
as=(unshare --user --map-root-user)
refused "from within one, a process outside" "lives in a user namespace" "$process"

# --- another way of measuring: a copy shares every page
run_as "$other" "$HT_TMP/retaining" trimmable 16
ok "root measures one that keeps what it freed" as_root "$started"
ok "all that it keeps is its own" jq -e '.totals | .trimmable > 8000000 and .trimmable_private == .trimmable' "$HT_TMP/root"
as=()
copied() { explain "$started" --mode snapshot; }
ok "its copy is measured" poll 20 copied
nulls() { figures "$1" | grep ' null$' | sort; }
is "a copy: what the machine gets of it is null, and nothing else" \
	"$(comm -13 <(nulls "$HT_TMP/root") <(nulls "$HT_TMP/answer"))" "totals.trimmable_private null"
is "a copy: and has its reason" "$(value '.unknown[] | select(.reason == "copy").names')" totals.trimmable_private
is "a copy: a warning says it, too" "$(value '[.warnings[] | select(test("shares every page"))] | length')" 1
# Its frames lay on the stack: on pages that it had not touched, with AMX two or three.
ok "root measures it after its copy" as_root "$started"
as_heaptide
whole "with both capabilities" "$started"

# --- /proc: hidepid, and files of it
mkdir "$HT_TMP/cover"
: >"$HT_TMP/cover/empty"
ok "root measures the first one again" as_root "$process"
for file in "$process/"{pagemap,statm,limits,cgroup} meminfo sys/kernel/threads-max; do
	mount --bind "$HT_TMP/cover/empty" "/proc/$file"
	as_heaptide
	[ "$file" != "$process/pagemap" ] || told "/proc/PID/pagemap is covered" pagemap "pagemap: No data" "$process"
	explain "$process"
	umount "/proc/$file"
	case ${file#"$process/"} in
	statm) # status tells RSS
		is "/proc/PID/statm is covered: every figure is root's" "$(figures "$HT_TMP/answer" | grep -v anon_huge)" "$(figures "$HT_TMP/root" | grep -v anon_huge)"
		is "none of them is missing" "$(more names)" ""
		;;
	limits)
		is "/proc/PID/limits is covered: it is said" "$(more names)" \
			"limits.rlimit_as limits.rlimit_data limits.rlimit_nofile limits.rlimit_stack limits.rlimit_memlock limits.threads_max"
		is "it is not taken for unlimited" "$(value .limits.threads_max)" null
		;;
	cgroup)
		can cgroups "/proc/PID/cgroup is covered" || continue
		is "/proc/PID/cgroup is covered: it is said" "$(more names)" "limits.cgroup_max limits.cgroup_used limits.threads_max"
		is "as a matter of control groups" "$(more reason)" cgroup
		;;
	meminfo)
		is "/proc/meminfo is covered: it is said" "$(more names)" \
			"limits.mem_total limits.mem_available limits.swap_free" ;;
	*/threads-max)
		is "/proc/$file is covered: it is said" "$(more names)" limits.threads_max ;;
	esac
done
# --- Yama, which this kernel may not have: its setting is shown, and what it then
# refuses (ptrace, /proc/PID/mem, process_vm_readv) is refused in its place
mkdir -p "$HT_TMP/kernel/"{yama,random}
for file in threads-max pid_max cap_last_cap random/boot_id; do cat "/proc/sys/kernel/$file" >"$HT_TMP/kernel/$file"; done
mount --bind "$HT_TMP/kernel" /proc/sys/kernel
echo 2 >"$HT_TMP/kernel/yama/ptrace_scope"
as_heaptide
whole "ptrace_scope 2" "$process"
ok "ptrace_scope 2: an exact look is not refused" explain "$kept" --mode exact
echo 3 >"$HT_TMP/kernel/yama/ptrace_scope"
as=("$HT_TMP/without" 101 "${as[@]}")
refused "ptrace_scope 3" "ptrace_scope is 3, which forbids tracing to all" "$kept" --mode exact
ok "and doctor says so" grep -q "ptrace_scope 3: nobody may trace" <<<"$("${as[@]}" "$there/heaptide" doctor 2>&1)"
echo 1 >"$HT_TMP/kernel/yama/ptrace_scope"
: >"$HT_TMP/cover/mem"
chmod 000 "$HT_TMP/cover/mem"
mount --bind "$HT_TMP/cover/mem" "/proc/$process/mem"
chmod 755 "$there/heaptide-agent"
as_user "$other"
as=("$HT_TMP/without" 101 "$HT_TMP/without" 310 "${as[@]}" --bounding-set=-all)
refused "ptrace_scope 1, by the process's own user" "ptrace_scope is 1 and we lack CAP_SYS_PTRACE" "$process"
ok "and doctor says who may" grep -q "ptrace_scope 1: only a parent, or who has CAP_SYS_PTRACE" \
	<<<"$("${as[@]}" "$there/heaptide" doctor 2>&1)"
chmod 750 "$there/heaptide-agent"
umount "/proc/$process/mem" /proc/sys/kernel

mount -t proc -o hidepid=2 proc /proc
as_heaptide
whole "hidepid=2" "$process"
as_heaptide sys_ptrace
refused "hidepid=2, without CAP_SYS_PTRACE" "/proc hides it" "$process"
ok "and doctor says so" grep -q "/proc hides it" <<<"$("${as[@]}" "$there/heaptide" doctor "$process" 2>&1)"
umount /proc

# --- the daemon tells what it does not know, and judges nothing by it
sed -i 's/^\(interval\|evaluate\) = .*/\1 = 200ms/' "$conf"
printf '[target dim]\npid = %s\n' "$process" >>"$conf"
chown "$heaptide_id" "$HT_TMP"
as_heaptide dac_read_search
daemon_as=("${as[@]}")
daemon_start
ok "the daemon measures it without CAP_DAC_READ_SEARCH" poll 20 measured "$process"
is "/metrics counts what is unknown" \
	"$(metric 'heaptide_unknown_figures.*reason="pagemap"')" 15
ok "status names the reason" poll 10 eval 'ask status | jq -e ".result.unknown | any(.reason == \"pagemap\")"'
ok "and says it in words" poll 10 eval 'ask status | jq -e ".result.unknown | any(.why | test(\"CAP_DAC_READ_SEARCH\"))"'
verdict() { sql "select json from verdict order by rowid desc limit 1" | jq -r "$1"; }
ok "its verdict is not STABLE" poll 40 eval '[ "$(verdict .verdict)" = INSUFFICIENT_DATA ] && verdict ".evidence[]" | grep -q "freed memory is unknown"'
ok "but says why" grep -q "CAP_DAC_READ_SEARCH" <<<"$(verdict '.evidence[]')"
daemon_stop
plan
