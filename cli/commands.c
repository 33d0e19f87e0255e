/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <string.h>

#include "common/near.h"

#define T      HT_TAKES
#define DRAWN  (T(BYTES) | T(ASCII))
#define LOOK   (T(MODE) | T(MAX_PAUSE) | T(TIMEOUT) | T(NO_DEBUG_INFO) | DRAWN)
#define GRAPH  (LOOK | T(CORE) | T(EXE) | T(SYSROOT) | T(MAX_MEMORY))
#define BACK   (T(DB) | T(AT))
#define WINDOW (T(DB) | T(SINCE) | T(UNTIL))
#define LIMITS (T(MAX_GROWTH) | T(MAX_IN_USE) | T(MAX_RETAINED))
#define COURSE (T(SINCE) | T(UNTIL) | T(METRIC))
#define ANY    1000

/* The length of its texts would set the table far in. */
/* clang-format off */
const struct ht_command ht_commands[] = {
	{"diagnose", "PID", 1, 1,
	 T(JSON) | T(WHO) | T(DURATION) | T(INTERVAL) | T(OUTPUT) | T(FAIL_ON) |
		 T(CONFIDENCE) | LIMITS | LOOK,
	 "look, record for two minutes, judge: what it is and what to type",
	 "One look, a record of two minutes, and the verdict on it: what grows, how surely, what to do, and the commands that carry on.\v"
	 "PID may be a command name that only one process has. No thread of it is stopped, unless --who asks who holds the memory. Ctrl-C ends the record early and the answer is given all the same; so it is when the process ends. The record stays, heaptide-PID.db unless -o names another, and a second diagnosis goes on with it.\n\n"
	 "  heaptide diagnose 4242\n"
	 "  heaptide diagnose nginx -d 10m --who",
	 ht_cmd_diagnose},
	{"explain", "PID", 0, 1,
	 T(JSON) | T(FULL) | LOOK | T(LOOK_KIND) | T(PSS) | T(CORE) | T(EXE) |
		 T(SYSROOT),
	 "where the memory of a process is, why it stays, what to do",
	 "One look at a process, or a core file: where its memory is, whether it can go back, why it stays, how fragmented it is and who holds it.\v"
	 "PID may be a command name that only one process has. A terminal gets the answer in 25 lines, with --full all of it; a pipe gets all. Exit status 7: the process's malloc is not a glibc that can be measured; 6: its heap is damaged. Both after printing what is known.\n\n"
	 "  heaptide explain 4242\n"
	 "  heaptide explain nginx --json | jq .rss_breakdown\n"
	 "  heaptide explain --core core.4242 --exe /usr/sbin/nginx",
	 ht_cmd_explain},
	{"record", "PID | -- COMMAND...", 1, 1,
	 T(OUTPUT) | T(INTERVAL) | T(DURATION) | T(NAME) | T(MODE) |
		 T(LOOK_KIND) | T(MAX_PAUSE) | T(TIMEOUT) | T(NO_DEBUG_INFO) |
		 T(BYTES) | T(TYPES) | T(TYPES_EVERY),
	 "sample a process, or a command from its start, into a database",
	 "Samples into an SQLite database, without a daemon.\v"
	 "Ends when the process ends, when the time is up (-d), or on Ctrl-C. A sample that fails is noted in the record. With -- COMMAND heaptide ends with the command's exit status, 128 + N when signal N ended it; when the time is up first, the command is left running.\n\n"
	 "  heaptide record 4242 -o web.db -i 1s -d 10m\n"
	 "  heaptide record -o run.db -- ./server --port 80\n"
	 "  heaptide record 4242 -o web.db -i 5s --types\n"
	 "  heaptide verdict 4242 --db web.db",
	 ht_cmd_record},
	{"check", "-- COMMAND...", 1, 1,
	 T(JSON) | T(FAIL_ON) | T(CONFIDENCE) | LIMITS | T(JUNIT) | T(SARIF) |
		 T(OUTPUT) | T(INTERVAL) | T(DURATION) | T(MODE) |
		 T(MAX_PAUSE) | T(TIMEOUT) | T(NO_DEBUG_INFO) | T(BYTES),
	 "run a command and fail when it leaks, grows or needs too much",
	 "Runs a command, records it, judges the record, and ends with status 19 when the verdict or a limit forbids it, else with the command's own.\v"
	 "Without a condition: --fail-on LEAK,NON_MALLOC_GROWTH. The command itself is measured, not what it starts: name the program, no shell around it. What was too short to be judged is told as unknown, and is no failure.\n\n"
	 "  heaptide check -- ./server-test --rounds 10000\n"
	 "  heaptide check --max-growth 1MiB --junit heap.xml -- ./soak",
	 ht_cmd_check},
	{"verdict", "TARGET", 1, 1,
	 T(JSON) | T(FAIL_ON) | T(CONFIDENCE) | LIMITS | WINDOW | DRAWN,
	 "leak, pool growth, ... from the history, with the evidence",
	 "Judges the history of a target: LEAK, POOL_GROWTH, TOP_PINNED, FRAGMENTATION, ARENA_PROLIFERATION, CACHE_WARMUP, PERIODIC, NON_MALLOC_GROWTH, STABLE or INSUFFICIENT_DATA.\v"
	 "With --since exactly that window is judged; without it the longest one with enough data.",
	 ht_cmd_verdict},
	{"trend", "TARGET", 0, 1,
	 T(JSON) | T(CSV) | T(METRIC) | T(BY) | WINDOW | DRAWN,
	 "metrics over time as a plot, JSON or CSV",
	 "Plots metrics of a target's history, one panel each.\v"
	 "'heaptide trend --metric help' lists the metrics. --by type: what the chunks were, of a target with 'types = on' or a record with --types.\n\n"
	 "  heaptide trend web --since 7d --metric in_use,retained,top\n"
	 "  heaptide trend web -m 'retained / heap_resident, free - top'\n"
	 "  heaptide trend web --by type --csv >types.csv",
	 ht_cmd_trend},
	{"bins", "TARGET", 1, 1,
	 T(JSON) | T(CSV) | T(ARENA) | LOOK | BACK | COURSE | T(BIN),
	 "free chunks by bin",
	 "Every bin that is not empty: fastbins, unsorted, small and large; with --since their course, as a heat map or, of one bin, as a plot.\v"
	 "Without --at, --db and --since TARGET is a running process.\n\n"
	 "  heaptide bins web --since 7d\n"
	 "  heaptide bins web --since 7d --bin small:5 --arena 0",
	 ht_cmd_bins},
	{"arenas", "TARGET", 1, 1,
	 T(JSON) | T(CSV) | T(ARENA) | LOOK | BACK | COURSE,
	 "one line for each arena",
	 "The arenas: taken from the system, in use, free, retained, trimmable, and what a pin holds.\v"
	 "With --since: their course (--metric picks the figure). Without --at, --db and --since TARGET is a running process.",
	 ht_cmd_arenas},
	{"map", "TARGET", 1, 1,
	 T(JSON) | T(CSV) | T(ARENA) | LOOK | BACK | T(AGAINST),
	 "heaps by address with their residency, and what is not malloc's",
	 "The heaps of all arenas and the mappings outside malloc.\v"
	 "Without --at, --against and --db TARGET is a running process. With --against: what came, went and changed between that moment and --at, or the newest sample, and which chunks held memory below a top.\n\n"
	 "  heaptide map web --against 1d\n"
	 "  heaptide map web --against 09:00 --at 12:00",
	 ht_cmd_map},
	{"classes", "TARGET", 1, 1,
	 T(JSON) | T(CSV) | LOOK | BACK | COURSE,
	 "chunks by size, in use and free",
	 "How many chunks of each size the program holds.\v"
	 "With --since: their course (--metric picks the figure). Without --at, --db and --since TARGET is a running process.",
	 ht_cmd_classes},
	{"threads", "TARGET", 1, 1,
	 T(JSON) | T(CSV) | T(ARENA) | LOOK | BACK | COURSE,
	 "thread caches and which arena each thread uses",
	 "The thread caches (tcache) and the arena of each thread.\v"
	 "With --since: their course (--metric picks the figure). Without --at, --db and --since TARGET is a running process.",
	 ht_cmd_threads},
	{"diff", "TARGET [TIME1 [TIME2] | FROM..TO [FROM..TO]]", 1, 3,
	 T(JSON) | T(DB) | T(LIFE) | T(WITH) | DRAWN,
	 "what changed between two moments, windows, lives or processes",
	 "Compares two snapshots of a target's history: the last ones at or before TIME1 and TIME2; the first and the last of all where they are left out.\v"
	 "TIME: 2h (two hours ago), 18:00, yesterday, now, or 2026-01-31T12:00:00Z. Two windows, two lives (--life twice) and two processes (--with) are compared by their medians; what differs by no more than it varies is left out.\n\n"
	 "  heaptide diff web\n"
	 "  heaptide diff web 1d now\n"
	 "  heaptide diff web 2d..1d 1d..now\n"
	 "  heaptide diff web --life -1 --life 0\n"
	 "  heaptide diff web --with web-canary 1h..now",
	 ht_cmd_diff},
	{"owners", "PID", 0, 1,
	 T(JSON) | T(OF_SIZE) | T(RETAINED) | T(LEAKS) | GRAPH,
	 "what holds the chunks of a size: the static, the list, the table",
	 "Tells what holds the chunks of a size, or the largest: through which fields most of them are reached, up to a static variable, a stack or a thread's own variables.\v"
	 "The process is forked for a moment and the copy is looked at (mode snapshot), or give a core file. What is not sure is not named.\n\n"
	 "  heaptide owners 4242 --size 224\n"
	 "  heaptide owners 4242 --retained\n"
	 "  heaptide owners 4242 --leaks\n"
	 "  heaptide owners --core core.4242 --exe /usr/sbin/nginx",
	 ht_cmd_owners},
	{"types", "TARGET", 0, 1,
	 T(JSON) | T(BY) | GRAPH | WINDOW,
	 "what the chunks in use are: classes, containers, strings, text",
	 "Tells what the chunks in use are: C++ classes by their type information (also of stripped programs), objects by the static that they begin with, buffers of strings and vectors, nodes, text.\v"
	 "The process is forked for a moment and the copy is looked at (mode snapshot), or give a core file. What is not sure is counted as not known. With --since, --until or --db it tells what they were, of a target of the history that has 'types = on' or was recorded with --types.\n\n"
	 "  heaptide types 4242\n"
	 "  heaptide types 4242 --by arena\n"
	 "  heaptide types web --since 7d",
	 ht_cmd_types},
	{"leaks", "PID", 0, 1,
	 T(JSON) | GRAPH,
	 "chunks in use that nothing leads to, by what stands at their head",
	 "Finds the chunks that the program can no longer reach: no word of its statics, stacks, thread-local variables, registers, or of any other chunk that can be reached, leads to them.\v"
	 "The process is forked for a moment and the copy is looked at (mode snapshot), or give a core file. A list that was lost is one piece: its first chunk is the head. Pointers that a program keeps tagged, compressed, in files or in shared memory cannot be seen: what only they lead to is told as leaked, too.\n\n"
	 "  heaptide leaks 4242\n"
	 "  heaptide leaks --core core.4242 --exe /usr/sbin/nginx",
	 ht_cmd_leaks},
	{"who", "PID", 1, 1,
	 T(JSON) | T(COLLAPSED) | T(PPROF) | T(OF_SIZE) | T(WAY) | T(DURATION) |
		 T(TIMEOUT) | T(NO_DEBUG_INFO) | T(BYTES),
	 "the call stacks that allocate what stays",
	 "Looks at calls of malloc in short windows, follows the chunks that they gave out, and tells which call stacks make the heap grow: whose chunks stay while chunks of their sizes become more.\v"
	 "It goes on for a minute, or -d; Ctrl-C: what is known. No thread is stopped and free is not looked at. While a window is open the kernel keeps breakpoints on malloc and its kin in the process; at most 0.3 % of a thread's time goes to that. Wants Linux 5.15 or newer and root. Where calls cannot be seen it tells who is the first to write to new pages of the heap (--way growth): no byte of the process is changed then, and whether what was asked for stays is not known.\n\n"
	 "  heaptide who 4242 --size 224\n"
	 "  heaptide who nginx -d 5m --collapsed | flamegraph.pl >who.svg\n"
	 "  heaptide who nginx --pprof who.pb.gz && pprof -http : who.pb.gz",
	 ht_cmd_who},
	{"ls", "", 0, 0,
	 T(JSON) | T(DB) | T(SORT) | DRAWN,
	 "the processes in the database, with verdicts and sparklines",
	 "Lists every process that the database holds, newest first, or with --sort the largest of a metric first: verdict, growth, the time to the nearest limit, its memory.\v"
	 "  heaptide ls --sort external",
	 ht_cmd_ls},
	{"top", "", 0, 0,
	 T(DB) | DRAWN,
	 "all targets, live and full-screen",
	 "Shows the targets seen within the last hour, refreshed every two seconds, from the database that the daemon or record writes.\v"
	 "What is to be looked at first is on top; '?' lists the keys: order, filter, Enter for one target. Not on a terminal: printed once.",
	 ht_cmd_top},
	{"trim", "PID", 1, 1,
	 T(JSON) | T(YES) | T(ARENA_TOPS) | T(MAX_HOLD) | T(DB) | LOOK,
	 "what malloc_trim(0) would return, and with --yes has it called",
	 "Predicts what the process would give back if it called malloc_trim(0) now, what would stay, and for how long it would lock its arenas. With --yes one of its sleeping threads calls it.\v"
	 "Without --yes nothing is called. With it a thread is chosen that can be taken out of its system call unnoticed, and every reason against it is told instead (exit status 16). The call goes on by itself whatever becomes of heaptide.\n\n"
	 "  heaptide trim 4242\n"
	 "  heaptide trim 4242 --yes --max-hold 20ms",
	 ht_cmd_trim},
	{"report", "[TARGET]", 0, 1,
	 T(OUTPUT) | T(METRIC) | T(ALL) | T(JSON) | WINDOW,
	 "one self-contained HTML page with the charts and the verdict",
	 "Writes one HTML page that loads nothing from elsewhere: the verdict with its evidence, charts with values and zoom, heaps, bins, arenas, threads' caches and chunk sizes, and a chart of each --metric. --all makes an index of all targets, and with -o FOLDER/ a page of each, too; --json prints what the page shows.\v"
	 "  heaptide report web --since 7d -m 'retained / heap_resident'\n"
	 "  heaptide report --all -o - >index.html",
	 ht_cmd_report},
	{"export", "TARGET", 1, 1,
	 T(FORMAT) | T(METRIC) | WINDOW,
	 "history as a stream for other tools",
	 "Streams the history of a target: one line a sample (ndjson, csv), or OpenMetrics text with times for backfilling.\v"
	 "All metrics unless --metric picks some.\n\n"
	 "  heaptide export web --since 1d --format csv -m rss,in_use >web.csv",
	 ht_cmd_export},
	{"alerts", "[TARGET]", 0, 1,
	 T(TEST) | T(JSON) | WINDOW,
	 "what fires, with --since what has fired, when and why",
	 "The alerts in the database: pending and firing ones, with --since those of that time too.\v"
	 "--test replays a target's history against a rule before it is switched on.\n\n"
	 "  heaptide alerts --since 7d\n"
	 "  heaptide alerts web --since 7d --test 'trimmable > 256M'",
	 ht_cmd_alerts},
	{"silence", "RULE TARGET TIME [COMMENT]", 3, 4,
	 T(JSON) | T(SOCKET),
	 "send nothing of a rule for a target until then",
	 "Has the running daemon send nothing of RULE for TARGET (globs) until TIME: a duration from now, or RFC 3339.\v"
	 "  heaptide silence leak 'web*' 2h 'known, fixed in 2.1'",
	 ht_cmd_silence},
	{"silences", "", 0, 0,
	 T(JSON) | T(SOCKET),
	 "the silences that run",
	 "Lists the silences of the running daemon.",
	 ht_cmd_silences},
	{"unsilence", "ID", 1, 1,
	 T(JSON) | T(SOCKET),
	 "end a silence",
	 "Ends a silence of the running daemon.",
	 ht_cmd_unsilence},
	{"status", "", 0, 0,
	 T(JSON) | T(SOCKET),
	 "how heaptided is doing",
	 "Asks the running daemon for its state: store, targets, agents, sinks, and what troubles it.",
	 ht_cmd_status},
	{"watch", "NAME [SELECTOR=VALUE]", 1, 2,
	 T(INTERVAL) | T(MODE) | T(MAX_PAUSE) | T(JSON) | T(SOCKET),
	 "have heaptided sample a target from now on",
	 "Adds a target to the running daemon, until it ends or unwatch.\v"
	 "SELECTOR is pid, name, exe, cmdline, unit, cgroup or user. A bare pid names and selects itself.\n\n"
	 "  heaptide watch 4242\n"
	 "  heaptide watch web unit=nginx.service --interval 30s",
	 ht_cmd_watch},
	{"unwatch", "TARGET", 1, 1,
	 T(JSON) | T(SOCKET),
	 "have heaptided leave a target alone",
	 "Ends the sampling of a target in the running daemon.",
	 ht_cmd_unwatch},
	{"sample", "TARGET", 1, 1,
	 T(JSON) | T(SOCKET),
	 "have heaptided take and store a sample now",
	 "Answers when the sample is stored.",
	 ht_cmd_sample},
	{"doctor", "[PID]", 0, 1,
	 T(JSON) | T(DB) | T(TIMEOUT) | T(DUMP_LAYOUT),
	 "what is missing for this to work, and the command that mends it",
	 "Checks rights, kernel, agent and database; with PID that process and its libc too.\v"
	 "Exit status 11 when something is missing.",
	 ht_cmd_doctor},
	{"completion", "SHELL", 1, 1,
	 0,
	 "completion for bash, zsh or fish, on standard output",
	 "Prints the completion script for a shell: bash, zsh or fish.",
	 ht_cmd_completion},
};
/* clang-format on */
const size_t ht_commands_count = sizeof(ht_commands) / sizeof(ht_commands[0]);

const struct ht_command *ht_command_find(const char *name)
{
	for (size_t i = 0; i < ht_commands_count; i++) {
		if (!strcmp(ht_commands[i].name, name))
			return &ht_commands[i];
	}
	return NULL;
}

static const char *command_at(const void *ctx, size_t i)
{
	(void)ctx;
	return i < ht_commands_count ? ht_commands[i].name : NULL;
}

const char *ht_command_near(const char *name)
{
	return ht_near(name, command_at, NULL);
}
