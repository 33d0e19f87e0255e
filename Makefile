# SPDX-License-Identifier: Apache-2.0
# heaptide: `make run` shows it on a process, `make check` tests it, `make help`
# lists the rest. Objects and programs go to $(BUILD); nothing else is written
# but by install, and the workloads' programs in tests/workloads/bin.

BUILD    ?= build
PREFIX   ?= /usr/local
ifeq ($(origin CC),default)
CC       := gcc
endif
VERSION  := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla \
	-Wnull-dereference -Wimplicit-fallthrough -Wdate-time \
	-Wno-missing-field-initializers # C zeroes them; libseccomp relies on it
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fPIE
OPTIMIZE ?= -O2 -g
# CHECKS=1: our own invariants are asserted (common/invariant.h). The folder of
# such a build is another: make check BUILD=build-checks CHECKS=1
CHECKS   ?=
WERROR   ?=
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -I. -DHT_VERSION='"$(VERSION)"' \
	-DHT_LIBEXECDIR='"$(PREFIX)/libexec/heaptide"' \
	$(OPTIMIZE) $(WARNINGS) $(WERROR) $(HARDEN) $(SANITIZE) \
	$(if $(CHECKS),-DHT_CHECKS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

# Rooms. Every file of a room is in its library but for the programs' main.c.
lib_src   = $(filter-out %/main.c,$(sort $(wildcard $(1))))
COMMON   := $(call lib_src,common/*.c)
SCHEMA   := $(call lib_src,schema/*.c)
LINK     := $(call lib_src,link/*.c)
STORE    := $(call lib_src,store/*.c)
ANALYSIS := $(call lib_src,analysis/*.c)
PAGE     := $(call lib_src,page/*.c)
AGENT    := $(call lib_src,agent/*.c agent/*/*.c agent/*/*/*.c)
DAEMON   := $(call lib_src,daemon/*.c daemon/*/*.c)
CLI      := $(call lib_src,cli/*.c)
PROBE    := $(call lib_src,probe/*.c)

objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBS_OF   = $(addprefix $(BUILD)/lib,$(addsuffix .a,$(1)))

AGENT_LIBS  := -lunwind-ptrace -lunwind-x86_64 -lunwind -ldwarf -lelf -lz \
	-lseccomp -lcap-ng -ljansson -lpthread
STORE_LIBS  := -lsqlite3
NAME_LIBS   := -liberty
DAEMON_LIBS := $(STORE_LIBS) $(NAME_LIBS) -lsystemd -lmicrohttpd -linih -ljansson -lcurl -lpcre2-8 -lm
CLI_LIBS    := $(STORE_LIBS) $(NAME_LIBS) -lsmartcols -lncursesw -ltinfo -ljansson -lz -lm

PROBE_LIBS  := -lseccomp -lcap-ng

PROGRAMS := $(BUILD)/heaptide $(BUILD)/heaptided $(BUILD)/heaptide-agent $(BUILD)/heaptide-probe

all: $(PROGRAMS) ## build the four programs

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define archive
$(BUILD)/lib$(1).a: $(call objects,$(2))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(eval $(call archive,common,$(COMMON)))
$(eval $(call archive,schema,$(SCHEMA)))
$(eval $(call archive,link,$(LINK)))
$(eval $(call archive,store,$(STORE)))
$(eval $(call archive,analysis,$(ANALYSIS)))
$(eval $(call archive,page,$(PAGE)))
$(eval $(call archive,agent,$(AGENT)))
$(eval $(call archive,daemon,$(DAEMON)))
$(eval $(call archive,cli,$(CLI)))
$(eval $(call archive,probe,$(PROBE)))

$(BUILD)/heaptide-agent: $(BUILD)/obj/agent/main.o $(call LIBS_OF,agent link schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(AGENT_LIBS)

$(BUILD)/heaptide-probe: $(BUILD)/obj/probe/main.o $(call LIBS_OF,probe agent common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(PROBE_LIBS)

$(BUILD)/heaptide: $(BUILD)/obj/cli/main.o $(call LIBS_OF,cli page analysis store link schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(CLI_LIBS)

$(BUILD)/heaptided: $(BUILD)/obj/daemon/main.o $(call LIBS_OF,daemon page analysis store link schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(DAEMON_LIBS)

# Unit tests: each tests/unit/test_X.c is one program, linked with every room.
# A line "LDFLAGS: ..." in its first comment adds linker flags (--wrap).
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
TEST_LIB := $(call objects,$(sort $(wildcard tests/lib/*.c)))

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(TEST_LIB) $(call LIBS_OF,agent probe daemon cli page analysis store link schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(call flags_in,LDFLAGS,tests/unit/$*.c) -o $@ $^ \
		-Wl,--as-needed $(AGENT_LIBS) $(DAEMON_LIBS) $(CLI_LIBS) -lcmocka -lpthread

# Programs under test: plain builds, never sanitized, one file each. Lines
# "CFLAGS: ..." and "LDFLAGS: ..." in the first comment add flags.
TARGETS := $(patsubst tests/targets/%.c,$(BUILD)/targets/%,$(sort $(wildcard tests/targets/*.c)))
flags_in  = $$(sed -n '1,20{/.*\b$(1): */!d;s///;s:\*/.*::;p}' $(2) | head -1)
$(BUILD)/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu17 -D_GNU_SOURCE -fno-builtin-malloc \
		$(call flags_in,CFLAGS,$<) -o $@ $< -lpthread -ldl $(call flags_in,LDFLAGS,$<)
$(BUILD)/targets/trimmee: tests/targets/xstate.h
$(BUILD)/targets/structures: tests/targets/labelled/known.h
$(BUILD)/targets/attacker $(BUILD)/targets/hostile: tests/targets/enemy.h

# Fuzz harnesses: tests/fuzz/fuzz_X.c, linked with every room. Meant for
# `make fuzz`, which builds them apart, with clang and the sanitizers.
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(TEST_LIB) $(call LIBS_OF,agent probe daemon cli page analysis store link schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ \
		-Wl,--as-needed $(AGENT_LIBS) $(DAEMON_LIBS) $(CLI_LIBS) -lcmocka -lpthread
fuzzers: $(FUZZERS)

# Programs that measure the verdicts: false alarms on made series, rates on the
# recorded workloads. `build/tools/NAME` prints a table.
TOOLS := $(patsubst tests/montecarlo/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/montecarlo/*.c)))
$(TOOLS): $(BUILD)/tools/%: $(BUILD)/obj/tests/montecarlo/%.o $(BUILD)/obj/tests/lib/trace.o $(BUILD)/obj/tests/lib/made.o $(call LIBS_OF,analysis schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(NAME_LIBS) -ljansson -lm

# Holds the figures of a process to its own; used by tests/matrix/run.
$(BUILD)/tools/matrix_check: $(BUILD)/obj/tests/matrix/check.o $(BUILD)/obj/tests/lib/target.o $(call LIBS_OF,agent link schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(AGENT_LIBS)

# Made services over days, judged as the daemon judges them.
HISTORIES := $(BUILD)/tools/histories
$(HISTORIES): $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/histories/*.c))) $(BUILD)/obj/tests/lib/made.o $(BUILD)/obj/tests/lib/levels.o $(call LIBS_OF,analysis schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(NAME_LIBS) -ljansson -lm
TOOLS += $(HISTORIES)

# A recorded history as text that tests judge.
DAY_TRACE := $(BUILD)/tools/day_trace
$(DAY_TRACE): $(BUILD)/obj/tests/experiments/day_trace.o $(BUILD)/obj/tests/lib/day.o $(BUILD)/obj/tests/lib/made.o $(call LIBS_OF,store analysis schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(STORE_LIBS) $(NAME_LIBS) -ljansson -lm
TOOLS += $(DAY_TRACE)

tools: $(TOOLS)

# Measuring programs, and what they measure (heapgen); linked with every room.
BENCH := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/*.c)))
$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(TEST_LIB) $(call LIBS_OF,agent probe daemon cli page analysis store link schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(AGENT_LIBS) $(DAEMON_LIBS) $(CLI_LIBS) -lcmocka -lpthread
bench-programs: $(BENCH)

# The SQL is embedded in this object.
$(BUILD)/obj/store/migrate.o: $(wildcard store/sql/*.sql)

# The page's style and script are embedded in this one. UPLOT=FOLDER: uPlot's, else npm
# fetches it; without either, and with UPLOT=none, the page's charts stand still.
UPLOT ?=
PAGE_PARTS := style.css script.js style.hash script.hash
PAGE_FROM  := page/compose $(wildcard page/*.js page/*.css page/*.json)
$(addprefix $(BUILD)/page/,$(PAGE_PARTS)) &: $(PAGE_FROM)
	@UPLOT='$(if $(filter none,$(UPLOT)),none,$(abspath $(UPLOT)))' page/compose $(abspath $(BUILD))/page
$(BUILD)/obj/page/write.o: $(addprefix $(BUILD)/page/,$(PAGE_PARTS))
$(BUILD)/obj/page/write.o: CFLAGS_ALL += -DHT_PAGE_MADE='"$(BUILD)/page"'

# The same without uPlot, as a machine without npm builds it: for the tests of its page.
$(addprefix $(BUILD)/still/,$(PAGE_PARTS)) &: $(PAGE_FROM)
	@UPLOT=none page/compose $(abspath $(BUILD))/still
$(BUILD)/obj/still/write.o: page/write.c $(addprefix $(BUILD)/still/,$(PAGE_PARTS))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -DHT_PAGE_MADE='"$(BUILD)/still"' -MMD -MP -c -o $@ $<
$(BUILD)/heaptide-still: $(BUILD)/obj/cli/main.o $(BUILD)/obj/still/write.o $(call LIBS_OF,cli page analysis store link schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(CLI_LIBS)

# Whatever tests want is built before the first of them runs: two of them that
# build it at the same time would run each other's half-written programs.
unit: $(UNIT) $(TARGETS) $(PROGRAMS) $(TOOLS) $(BUILD)/sample-service $(BUILD)/heaptide-still $(BUILD)/tools/matrix_check
# Sources compiled and nothing linked, the programs' or all: what a compiler says.
compile-programs: $(call objects,$(COMMON) $(SCHEMA) $(LINK) $(STORE) $(ANALYSIS) $(PAGE) $(AGENT) $(PROBE) $(DAEMON) $(CLI) \
	$(wildcard */main.c))
compile: compile-programs $(call objects,$(wildcard tests/unit/*.c tests/lib/*.c tests/fuzz/*.c tests/montecarlo/*.c bench/*.c) \
	tests/matrix/check.c)
workloads:
	@$(MAKE) -s -C tests/workloads all

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)

# ---- showing and testing ----------------------------------------------------

PID ?=
run: ## build, then explain and record a process: a sample, or PID=1234
	@scripts/install-deps build runtime
	@echo '==> building'
	@$(MAKE) -s -j$(JOBS) all $(BUILD)/sample-service
	@BUILD=$(BUILD) scripts/show $(PID)

$(BUILD)/sample-service: samples/service.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o $@ $< -lpthread

FAST_SCRIPTS = $(sort $(wildcard tests/cli/*.bats tests/integration/*.bats tests/integration/*.sh)) \
	tests/layers.sh
FAST = $(UNIT) $(FAST_SCRIPTS)
LONG = $(sort $(wildcard tests/matrix/run tests/fault/*.bats tests/fault/*.sh tests/harm/*.sh \
	tests/scenario/*.bats tests/scenario/*.sh tests/static/*.sh tests/fuzz/*.sh))
JOBS ?= $(shell nproc)
# Tests wait about as long as they compute.
TESTS_AT_A_TIME ?= $(shell expr $(JOBS) + 1)
# make check EACH=3: the first file and each third after it
EACH ?= 1

check: ## install what tests need, run the fast ones
	@scripts/install-deps build runtime test
	@echo '==> building, tests too'
	@$(MAKE) -s -j$(JOBS) unit
	@HT_BUILD=$(abspath $(BUILD)) tests/run -j $(TESTS_AT_A_TIME) -o $(BUILD)/results/check \
		-e $(EACH) -l 'build runtime test' \
		-n '$(BUILD)/heaptide explain PID, make install; the long tests: make check-all' $(FAST)

check-all: ## the long tests: glibc matrix, live workloads, faults, analyzers, fuzz
	@scripts/install-deps build runtime test test-all package
	@echo '==> building, tests too'
	@$(MAKE) -s -j$(JOBS) unit
	@HT_BUILD=$(abspath $(BUILD)) tests/run -j $(TESTS_AT_A_TIME) -o $(BUILD)/results/check-all $(LONG)

# What is done on a machine that lacks what tests ask for (tests/lib/machine.sh): those
# that ask for one of WITHOUT, told that it is not there. Where root or namespaces are
# missing files are skipped as a whole: for the other facts these two are left.
WITHOUT ?= kernel_threads,run32,zero_page,pagemap_scan,huge_pages,swap,last_pid,overlay,fuse,cgroup2,memory_cgroup,own_traced,others_seen,shared_room
comma   := ,
FACTS    = ($(subst $(comma),|,$(WITHOUT)))
ASKING   = $(filter-out %/house.sh,$(shell grep -lE '^[^\#]*\b(can|needs)( [a-z0-9_]+)* $(FACTS)\b' \
	$(FAST_SCRIPTS) $(LONG))) $(patsubst tests/unit/%.c,$(BUILD)/tests/%, \
	$(shell grep -lE 'needs."$(FACTS)"' tests/unit/*.c))
check-without: unit ## tests that ask what the machine can do, told that it cannot
	@HT_MACHINE_WITHOUT=$(WITHOUT) HT_BUILD=$(abspath $(BUILD)) \
		tests/run -j $(TESTS_AT_A_TIME) -o $(BUILD)/results/check-without $(ASKING)

SUITE ?= bookworm
check-fresh: ## README's commands in a root that has nothing (SUITE=bookworm)
	@scripts/install-deps fresh
	@BUILD=$(BUILD) EACH=$(EACH) scripts/check-fresh $(SUITE)

# One test: make test T=tests/integration/explain.bats (or T=build/tests/test_walk)
test: unit
	@HT_BUILD=$(abspath $(BUILD)) tests/run -o $(BUILD)/results/test $(T)

bench: ## measure side by side with peers; prints tables
	@scripts/install-deps build runtime test
	@$(MAKE) -s -j$(JOBS) all bench-programs
	@HT_BUILD=$(abspath $(BUILD)) bench/run.sh

# ---- other ways to build ----------------------------------------------------

# Sanitizers change warnings, and FORTIFY hides what they would see.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
ASAN_BUILD := BUILD=build-asan CHECKS=1 OPTIMIZE='-O1 -g -fno-omit-frame-pointer' HARDEN=-fPIE \
	SANITIZE='$(SANITIZERS)' CFLAGS='-DHT_ASAN -w'
FUZZ_BUILD := BUILD=build-fuzz CHECKS=1 CC=clang OPTIMIZE='-O1 -g' HARDEN=-fPIE \
	SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
	CFLAGS='-DHT_ASAN -w'
FUZZ_SECONDS ?= 600

asan: ## unit tests under AddressSanitizer and UBSan
	@$(MAKE) -s -j$(JOBS) asan-build
	@HT_BUILD=$(abspath build-asan) tests/run -j $(TESTS_AT_A_TIME) -o build-asan/results \
		$(patsubst $(BUILD)/%,build-asan/%,$(UNIT))

fuzz: ## libFuzzer on every harness, FUZZ_SECONDS in all (600)
	@scripts/install-deps build test test-all
	@$(MAKE) -s -j$(JOBS) fuzz-build
	@scripts/fuzz build-fuzz $(FUZZ_SECONDS)

asan-build:
	@$(MAKE) -s $(ASAN_BUILD) unit
fuzz-build:
	@$(MAKE) -s $(FUZZ_BUILD) fuzzers

coverage: ## line and branch coverage of the unit tests
	@$(MAKE) -s -j$(JOBS) BUILD=build-cov OPTIMIZE='-O0 -g --coverage' HARDEN=-fPIE CFLAGS=-w unit
	@HT_BUILD=$(abspath build-cov) tests/run -j $(TESTS_AT_A_TIME) -o build-cov/results \
		$(patsubst $(BUILD)/%,build-cov/%,$(UNIT))
	@gcovr -r . --object-directory build-cov -e tests/ --print-summary -s

analyze: ## every static check of check-all
	@tests/run -j $(TESTS_AT_A_TIME) -o $(BUILD)/results/static tests/layers.sh $(sort $(wildcard tests/static/*.sh))

SOURCES_C = $(sort $(wildcard $(addsuffix /*.[ch],agent agent/* agent/*/* probe daemon daemon/* cli page schema link store \
	analysis common tests/unit tests/lib tests/targets tests/fuzz bench samples)))
format: ## clang-format every C file
	clang-format -i $(SOURCES_C)
format-check:
	clang-format --dry-run -Werror $(SOURCES_C)

same: ## what users see of BEFORE=COMMIT and of this: tests/same.sh
	@rm -rf $(BUILD)/before && git worktree prune && git worktree add -q --detach $(abspath $(BUILD))/before $(BEFORE)
	@$(MAKE) -s -j$(JOBS) -C $(BUILD)/before BUILD=build all build/tools/rates build/targets/planted build/targets/grower
	@$(MAKE) -s -j$(JOBS) all $(BUILD)/tools/rates
	@tests/same.sh $(BUILD)/before/build $(BUILD); status=$$?; git worktree remove --force $(BUILD)/before; exit $$status

compile_commands: ## compile_commands.json, for clangd and other tools
	@{ echo '['; $(MAKE) -s -Bn all | sed -n 's/[\\"]/\\&/g; s|^.* -c -o [^ ]* \([^ ]*\.c\)$$|{"directory": "$(CURDIR)", "file": "\1", "command": "&"},|p' | \
		sed '$$s/,$$//'; echo ']'; } >compile_commands.json

# ---- installing -------------------------------------------------------------

install: all ## install under DESTDIR and PREFIX (/usr/local)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD='$(BUILD)' packaging/install install
uninstall: ## remove what install installed
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install uninstall
deb: ## Debian package in build-deb/
	@scripts/install-deps build package
	@packaging/build-deb
dist: ## source archive of HEAD, the same bytes each time
	@mkdir -p $(BUILD)
	git archive --prefix=heaptide-$(VERSION)/ HEAD | gzip -n9 >$(BUILD)/heaptide-$(VERSION).tar.gz

version:
	@echo $(VERSION)

clean: ## remove what was built
	rm -rf $(BUILD) build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: all unit compile compile-programs tools bench-programs workloads fuzzers run check check-all check-without check-fresh test bench asan asan-build fuzz \
	fuzz-build coverage \
	analyze format format-check same compile_commands install uninstall deb dist version clean help
.SECONDARY:
