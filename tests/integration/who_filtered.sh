#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptide under a seccomp filter, as in a container: `who` and `doctor` say which calls
# it forbids and what to add to its profile, and nobody is killed.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
forbidding=$HT_BUILD/targets/forbidding
cd "$HT_TMP" || exit 1
needs uprobes

start "$HT_BUILD/targets/makers" leak >said
ok "a target serves" poll 20 grep -q ready said
pid=$started

for answer in EPERM ENOSYS; do
	"$forbidding" "$answer" bpf,perf_event_open "$heaptide" who "$pid" -d 1s >out 2>&1
	is "$answer: neither calls nor page faults: it is refused" "$?" "$([ $answer = EPERM ] && echo 4 || echo 7)"
	ok "$answer: by whom, and which calls" grep -q "a seccomp filter .* forbids perf_event_open and bpf" out
	ok "$answer: with the lines for the profile" eval \
		'tr -d "\n" <out | grep -qF "SCMP_ACT_ALLOW" && grep -qF "perf_event_open" out'
	"$forbidding" "$answer" bpf "$heaptide" who "$pid" -d 4s --json >bpf.json 2>out
	is "$answer of bpf alone: by growth" "$(jq -r .way bpf.json)" growth
	ok "$answer of bpf alone: that a filter is why" \
		jq -e '.warnings | map(test("seccomp filter .* forbids bpf:|seccomp filter .* forbids bpf\\.")) | any' bpf.json
	"$forbidding" "$answer" bpf,perf_event_open "$heaptide" doctor 2>&1 | tr -s " \n" " " >out
	ok "$answer: doctor names them" grep -q "forbids perf_event_open and bpf" out
	ok "$answer: and the lines" grep -qF '{"names": ["perf_event_open", "bpf"], "action": "SCMP_ACT_ALLOW"}' out
	ok "$answer: a unit's, too" grep -q "SystemCallFilter=perf_event_open bpf" out
	"$forbidding" "$answer" ptrace,process_vm_readv "$heaptide" doctor 2>&1 | tr -s " \n" " " >out
	ok "$answer of what reads: doctor names them" grep -q "forbids ptrace and process_vm_readv" out
	ok "$answer of what reads: the heap is measured all the same, in the default mode" \
		"$forbidding" "$answer" ptrace,process_vm_readv "$heaptide" explain "$pid"
done
"$forbidding" KILL bpf,ptrace "$heaptide" doctor 2>&1 | tr -s " \n" " " >out
ok "a filter that kills: a child tried it, and doctor lives" grep -q "forbids bpf and ptrace" out
"$heaptide" doctor 2>&1 | tr -s " \n" " " >out
refuse "without a filter nothing is said of one" grep -q "seccomp filter" out
ok "the target runs on" kill -0 "$pid"
plan
