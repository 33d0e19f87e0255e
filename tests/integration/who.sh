#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 400 s
# Who allocates what stays: of programs that allocate in known places the right one
# is named, of those that keep nothing none is; and what cannot be looked at says why.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
makers=$HT_BUILD/targets/makers
cd "$HT_TMP" || exit 1
needs uprobes

# --- refusals ---------------------------------------------------------------------------

says() { # TEXT COMMAND...: it fails, and says so
	local text=$1
	shift
	! "$@" >out 2>&1 && grep -q "$text" out
}
if can run32 "a 32-bit program is refused, with the reason"; then
	gcc -m32 -O1 -o small -x c - <<<'#include <unistd.h>
		#include <stdlib.h>
		int main(void) { free(malloc(9)); pause(); return 0; }'
	start ./small
	ok "a 32-bit program is refused, with the reason" \
		poll 10 says "32-bit program" "$heaptide" who "$started"
fi
start env "LD_PRELOAD=$(ldconfig -p | sed -n 's/.*libjemalloc\.so.* => //p' | head -n 1)" sleep 300
ok "and one with another allocator, by its name" \
	poll 10 says "jemalloc" "$heaptide" who "$started"
ok "a process that is none is told" says "no process" "$heaptide" who 4194303

# Without the rights of the probe, in a place where the user may run it.
mkdir public && chmod 755 public . &&
	install -m 755 "$heaptide" "$HT_BUILD/heaptide-agent" "$HT_BUILD/heaptide-probe" "$makers" public
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
if [ "$(id -u)" -eq 0 ]; then
	start "${nobody[@]}" public/makers leak >said
	ready 20 grep -q ready said
	"${nobody[@]}" env -u HEAPTIDE_AGENT public/heaptide who "$started" -d 1s >out 2>&1
	ok "without CAP_BPF and CAP_PERFMON it says what is needed" grep -q "CAP_BPF and *" out
	refuse "and calls nobody leaking" grep -q LEAKING out
	ok "the process runs on" kill -0 "$started"
fi

# As it is installed: a member of the group may measure it, but see nobody's stack. Who
# could start a probe with such rights could ask it for any bytes of any stack.
if [ "$(id -u)" -eq 0 ]; then
	# shellcheck source=tests/lib/installed.sh
	. "$HT_TOP/tests/lib/installed.sh"
	installed
	is "installed, the probe has no rights of its own" "$(getcap "$there/heaptide-probe")" ""
	as_user "$heaptide_id"
	# shellcheck disable=SC2054 # the commas are setpriv's
	as+=(--bounding-set=-all,+sys_ptrace,+dac_read_search,+perfmon,+bpf)
	"${as[@]}" env -u HEAPTIDE_AGENT "$there/heaptide" who "$started" -d 4s --json >member.json 2>out
	if can page_faults_for_all "so a member of the group is told who takes new pages, of another user's process"; then
		is "so a member of the group is told who takes new pages, of another user's process" \
			"$(jq -r .way member.json)" growth
		ok "with what would be needed for more" \
			jq -e '.warnings | map(test("CAP_BPF and CAP_PERFMON")) | any' member.json
		ok "and nobody is said to leak" jq -e '[.sites[] | select(.leaking)] == []' member.json
	else
		ok "a member of the group is refused, with what is needed" grep -q "CAP_BPF and CAP_PERFMON" out
		ok "with what can be done without" grep -q "heaptide owners" out
	fi
	ok "but may measure it" env -u HEAPTIDE_AGENT "${as[@]}" "$there/heaptide" explain "$started"
fi
stop_started
rm public/heaptide-probe
start "$makers" leak
ok "a probe that is not there is told" \
	says "no heaptide-probe" env -u HEAPTIDE_AGENT public/heaptide who "$started"
stop_started

# --- places -----------------------------------------------------------------------------

cat >server.cc <<'EOC'
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>
struct Base {
	virtual ~Base() {}
};
struct Session : Base {
	char name[150];
	int id;
	Session(int i) : id(i) { snprintf(name, sizeof(name), "s%d", i); }
};
static std::vector<Session *> lost;
#ifndef OPEN
#define OPEN __attribute__((noinline))
#endif
struct Server {
	OPEN void open(int i) { lost.push_back(new Session(i)); } // the culprit
	__attribute__((noinline)) void accept_loop()
	{
		std::map<std::string, std::unique_ptr<Session>> cache;
		std::deque<std::string> queue;
		for (int i = 0;; i++) {
			for (int k = 0; k < 30; k++) {
				cache["client-" + std::to_string(rand() % 500)] =
					std::make_unique<Session>(i);
				queue.push_back("a message that is long, " + std::to_string(i));
				if (queue.size() > 500)
					queue.pop_front();
			}
			if (i == 0) {
				puts("ready");
				fflush(stdout);
			}
#ifndef CLEAN
			open(i);
#endif
			usleep(2000);
		}
	}
};
int main()
{
	Server().accept_loop();
}
EOC
g++ -O2 -fomit-frame-pointer -o server server.cc
cp server server_stripped && strip server_stripped
g++ -O2 -DCLEAN -o clean server.cc
gcc -O2 -fno-omit-frame-pointer -pthread -o framed "$HT_TOP/tests/targets/makers.c"
# All inlined, and stripped: its debug information lies beside it, compressed.
g++ -O2 -g -gz -fomit-frame-pointer '-DOPEN=__attribute__((always_inline))' -o inlined server.cc
objcopy --only-keep-debug inlined inlined.debug
strip inlined && objcopy --add-gnu-debuglink=inlined.debug inlined
culprit_line=$(grep -n 'the culprit' server.cc | cut -d: -f1)

# A plug-in that leaks: of a host that opens it, of Python, and linked into a static
# program.
cat >plug.c <<'EOC'
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define OWN __attribute__((noinline, noclone))
#define KEEP __asm__ volatile("" : : : "memory")
static void *slot[4096];
static struct node { struct node *next; char text[200]; } *lost;
OWN void culprit(void)
{
	struct node *n = malloc(sizeof(*n));
	memset(n->text, 'x', sizeof(n->text));
	n->next = lost;
	lost = n;
	KEEP;
}
OWN void handle(void)
{
	for (int i = 0; i < 100; i++) {
		void **s = &slot[rand() % 4096];
		size_t size = 64 + (size_t)rand() % 256;
		free(*s);
		*s = malloc(size);
		memset(*s, i, size);
	}
	culprit();
	KEEP;
}
OWN void serve(void)
{
	handle();
	KEEP;
}
EOC
cat >host.c <<'EOC'
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
#ifdef PLUG
void serve(void);
#else
static void (*serve)(void);
#endif
int main(void)
{
#ifndef PLUG
	serve = (void (*)(void))dlsym(dlopen("./plug.so", RTLD_NOW), "serve");
#endif
	serve();
	puts("ready");
	fflush(stdout);
	for (;;) {
		serve();
		usleep(20000);
	}
}
EOC
gcc -O2 -shared -fPIC -o plug.so plug.c
gcc -O2 -o host host.c && gcc -O2 -static-pie -fPIE -DPLUG -o static_host host.c plug.c
# An extension of Python's, by its C interface, which forgets a reference.
cat >extension.c <<'EOC'
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define OWN __attribute__((noinline, noclone))
#define KEEP __asm__ volatile("" : : : "memory")
static PyObject *slot[512], *cache;
OWN void culprit(void)
{
	PyObject *value = PyBytes_FromStringAndSize(NULL, 700);
	memset(PyBytes_AS_STRING(value), 'x', 700);
	PyDict_SetItemString(cache, "newest", value); /* and no Py_DECREF */
	KEEP;
}
OWN void handle(void)
{
	for (int i = 0; i < 100; i++) {
		PyObject **s = &slot[rand() % 512];
		Py_XDECREF(*s);
		*s = PyBytes_FromStringAndSize(NULL, 500 + rand() % 400);
		memset(PyBytes_AS_STRING(*s), i, 500);
	}
	culprit();
	KEEP;
}
static PyObject *serve(PyObject *self, PyObject *unused)
{
	handle();
	KEEP;
	Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"serve", serve, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "extension", NULL, -1, methods};
PyMODINIT_FUNC PyInit_extension(void)
{
	cache = PyDict_New();
	return PyModule_Create(&module);
}
EOC
gcc -O2 -shared -fPIC -I"$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')" \
	-o extension.so extension.c
# Such a one has no table by which unwinding information is found, but its sections.
gcc -O2 -static -Wl,--no-eh-frame-hdr -DPLUG -o bare_host host.c plug.c
# Nothing describes how this one's frames lie.
gcc -O2 -fomit-frame-pointer -fno-asynchronous-unwind-tables -DPLUG -o blind_host host.c plug.c
g++ -O2 -static -o static_new server.cc

# Twenty-three that leak, in one place each, and four that do not.
leaking='plugin static static_new bare blind python extension leak framed wrapper growing cleared aligned slow forking threads pool server stripped inlined paced rare second'
clean='steady queue regrown clean'
kinds="$leaking $clean begun"
declare -A pids
for kind in $kinds; do
	case $kind in
	server) start ./server ;;
	stripped) start ./server_stripped ;;
	inlined) start ./inlined ;;
	static_new) start ./static_new ;;
	extension) start python3 -c 'import time, extension
extension.serve()
print("ready", flush=True)
while True:
	extension.serve()
	time.sleep(.02)' ;;
	plugin) start ./host ;;
	static) start ./static_host ;;
	bare) start ./bare_host ;;
	blind) start ./blind_host ;;
	python) start python3 -c 'import ctypes, time
plug = ctypes.CDLL("./plug.so")
plug.serve()
print("ready", flush=True)
while True:
	plug.serve()
	time.sleep(.02)' ;;
	threads) start "$makers" leak 4 ;;
	framed) start ./framed leak ;;
	clean) start ./clean ;;
	paced) start "$makers" paced 1000 100 ;;
	*) start "$makers" "$kind" ;;
	esac >"$kind.said"
	pids[$kind]=$started
done
# Not while it begins: the stacks of an interpreter's start are deeper than what is seen.
for kind in $kinds; do
	ok "$kind: it serves" poll 20 grep -q ready "$kind.said"
done
ask() { # TIME KIND...: all of them at once, into asked
	local time=$1 kind
	shift
	for kind; do
		"$heaptide" who "${pids[$kind]}" -d "$time" --json --pprof "$kind.pb.gz" >"$kind.json" 2>"$kind.err" &
		asked+=($!)
	done
}
# One in a thousand, and one a second, take a minute. Not all the others at once: they are
# thirty by now, and wait for one another.
asked=()
ask 60s rare second
slow_ones=("${asked[@]}")
others=()
for kind in $kinds; do
	case $kind in rare | second) ;; *) others+=("$kind") ;; esac
done
for ((i = 0; i < ${#others[@]}; i += 10)); do
	asked=()
	ask 16s "${others[@]:i:10}"
	wait "${asked[@]}"
done
wait "${slow_ones[@]}"
# First the site that leaks, and all that are said to.
first='[.sites[0].frames[].function // "?"] | join("<")'
blamed='[.sites[] | select(.leaking) | [.frames[].function // "?"] | join("<")]'
# A thousand calls may all be others', and a walk beside eleven others may not come off:
# where nobody is blamed it is asked once more, for longer. Who is blamed wrongly stays.
asked=()
for kind in $leaking; do
	[ "$(jq "$blamed | length" "$kind.json")" = 0 ] || continue
	note "$kind: nobody is blamed yet"
	ask 60s "$kind"
done
[ ${#asked[@]} -eq 0 ] || wait "${asked[@]}"
for kind in plugin static bare python leak framed wrapper growing cleared aligned slow forking threads pool paced rare second; do
	ok "$kind: the first site is the culprit's" \
		eval 'jq -r "$first" "$kind.json" | grep -qE "culprit<(handle<serve|job<work|handle_paced<pace)" || { cat "$kind.err"; jq -c "del(.sites)" "$kind.json"; jq -c ".sites[]" "$kind.json" | cut -c1-900; false; }'
	ok "$kind: it leaks, and nobody else does" \
		eval 'jq -e "$blamed | length > 0 and all(contains(\"culprit<\"))" "$kind.json" || { jq -c ".sites[] | del(.frames)" "$kind.json"; false; }'
	is "$kind: stacks are unwound to their outermost frame" "$(jq '.cut_share' "$kind.json")" 0
done
ok "blind: without unwinding information the function that asked is named" \
	eval 'jq -r "$first" blind.json | grep -q "^culprit" && jq -e "$blamed | length > 0 and all(startswith(\"culprit\"))" blind.json'
is "blind: and its stacks are not said to be whole" "$(jq '.cut_share' blind.json)" 1
is "growing: what realloc moves is not said to be freed" \
	"$(jq '[.sites[] | select(.frames[0].function == "culprit") | .freed] | add' growing.json)" 0
is "begun: nor is what realloc began while it was looked at" \
	"$(jq -c '[.sites[] | select(.frames[0].function == "culprit")] | [length, (map(.freed) | add)]' begun.json)" '[1,0]'
ok "growing: that it grows on is why" \
	jq -e '.sites[0] | .growing and .share_of_growth > 0.5 and (.why | test("realloc, larger and larger"))' growing.json
ok "regrown: buffers that begin anew do not grow on" \
	jq -e '[.sites[] | select(.growing)] == []' regrown.json
is "wrapper: the frame above the culprit's chunk is the wrapper" \
	"$(jq -r '.sites[0].frames[0].function' wrapper.json)" xmalloc
for kind in $clean; do
	is "$kind: nobody leaks" "$(jq -c "$blamed" "$kind.json")" '[]'
	ok "$kind: calls were seen" jq -e '.samples > 100' "$kind.json"
done
is "C++: the first site is the one that keeps sessions" \
	"$(jq -r '[.sites[0].frames[].function] | .[0:3] | join("<")' server.json)" \
	"operator new<Server::open<Server::accept_loop"
is "it alone leaks" "$(jq -c "$blamed | map(split(\"<\")[1])" server.json)" '["Server::open"]'
is "C++, static: the same" "$(jq -r '[.sites[0].frames[].function] | .[0:3] | join("<")' static_new.json)" \
	"operator new<Server::open<Server::accept_loop"
is "it alone leaks there, too" "$(jq -c "$blamed | map(split(\"<\")[1])" static_new.json)" '["Server::open"]'
ok "an extension of Python's: the reference that nobody gives back" \
	eval 'jq -r "$first" extension.json | grep -q "culprit<handle<serve" || { cat extension.err; jq -c ".sites[]" extension.json | head -n 4 | cut -c1-900; false; }'
ok "it alone leaks, too" jq -e "$blamed | length > 0 and all(contains(\"culprit<handle\"))" extension.json
is "C++, stripped: the same by its addresses" \
	"$(jq -c '[.sites[0].frames[1, 2].offset]' stripped.json)" \
	"$(jq -c '[.sites[0].frames[1, 2].offset]' server.json)"
is "with what the file is called" "$(jq -r '.sites[0].frames[1].module' stripped.json)" server_stripped

is "with debug information beside it: files and lines, and what was inlined" \
	"$(jq -c '[.sites[0].frames[1, 2] | [.function, (.file | split("/") | last), .line, .inlined]] | .[0] + .[1][0:2] + .[1][3:]' inlined.json)" \
	"[\"Server::open\",\"server.cc\",$culprit_line,true,\"Server::accept_loop\",\"server.cc\",false]"
is "it alone leaks there, too" "$(jq -c "$blamed | map(split(\"<\")[1]) | unique" inlined.json)" '["Server::open"]'
is "where nothing tells of lines they are null" \
	"$(jq -c '.sites[0].frames[1] | [.file, .line, .inlined]' stripped.json)" '[null,null,null]'

is "the schema is named" "$(jq -r .schema leak.json)" heaptide.who/1
ok "so is the way" jq -e '.way == "session" or .way == "uprobe_multi"' leak.json
ok "it is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" leak.json server.json
is "samples are alive, freed or unknown" \
	"$(jq '[.sites[] | .samples - .alive - .freed - .unknown] | add' leak.json)" 0
is "they are those of the sites" \
	"$(jq '(.samples - ([.sites[].samples] | add)) | . >= 0' leak.json)" true

# --- forms ------------------------------------------------------------------------------

"$heaptide" who "${pids[leak]}" --size 224 -d 6s --json >sized.json
ok "--size: chunks of that class alone are followed" \
	jq -e '.samples > 0 and ([.sites[].min_size] | unique == [224])' sized.json
"$heaptide" who "${pids[slow]}" -d 6s --collapsed >collapsed
ok "--collapsed: outermost first, then the bytes" \
	eval 'grep -qE "^_start;(.*;)?main;serve;handle;culprit [0-9]+\$" collapsed || { cat collapsed; false; }'
ok "and nothing else" eval '! grep -vE "^[^ ].* [0-9]+$" collapsed'

if can protobuf "--pprof: protobuf's own reader takes it"; then
	reader=python3
	python3 -c "import google.protobuf" 2>/dev/null || reader=/usr/bin/python3
	for kind in server inlined; do
		ok "--pprof: $kind: protobuf's own reader takes it" \
			eval '"$reader" "$HT_TOP/tests/lib/pprof.py" "$kind.pb.gz" >"$kind.profile"'
		is "$kind: it has the samples and bytes of all sites" \
			"$(jq -c '[.samples[].values] | transpose | map(add)' "$kind.profile")" \
			"$(jq -c '[.sites[] | [.samples, .bytes, .alive, .alive_bytes]] | transpose | map(add)' "$kind.json")"
		is "$kind: and their frames, in their order" \
			"$(jq -c '[.samples[].frames | map([.[0] | sub("[+]0x.*"; "+0x")] + [.[2], .[4]])]' "$kind.profile")" \
			"$(jq -c '[.sites[].frames | map([(.function // "\(.module)+0x"), (.line // 0), .offset])]' "$kind.json")"
		is "$kind: and which of them leak" \
			"$(jq -c '[.samples[].labels.leaking]' "$kind.profile")" \
			"$(jq -c '[.sites[].leaking | if . == null then "unknown" elif . then "yes" else "no" end]' "$kind.json")"
	done
	is "what it shows first is what stays" "$(jq -r .default server.profile)" inuse_space
fi
ok "a profile that cannot be written is told, behind the answer" \
	eval '! "$heaptide" who "${pids[slow]}" -d 1s --pprof /nowhere/w.pb.gz >out 2>err && grep -q "windows on malloc" out && grep -q "write /nowhere" err'

start "$heaptide" who "${pids[slow]}" -d 600s >interrupted
one=$started
ok "calls are seen" poll 20 eval '[ "$(pgrep -c -x heaptide-probe)" -gt 0 ]'
sleep 1
kill -INT "$one"
wait "$one"
is "Ctrl-C: it ends well" $? 0
ok "with what is known" grep -q "It ended early: it was interrupted" interrupted
ok "the sites among it" grep -q culprit interrupted

start "$makers" slow
short=$started
start "$heaptide" who "$short" -d 600s >gone
one=$started
ok "a probe looks at another" poll 20 eval '[ "$(pgrep -c -x heaptide-probe)" -gt 0 ]'
sleep 1
kill -KILL "$short"
wait "$one"
is "a process that ends meanwhile: what is known" $? 0
ok "and that it ended" grep -q "It ended early: .*ended" gone
for kind in $kinds; do
	ok "$kind runs on" kill -0 "${pids[$kind]}"
done
plan
