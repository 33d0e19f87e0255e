# SPDX-License-Identifier: Apache-2.0
# heaptide: `make run` shows it on a process, `make check` tests it, `make help`
# lists the rest. Objects and programs go to $(BUILD); nothing else is written.

BUILD    ?= build
PREFIX   ?= /usr/local
CC       ?= gcc
VERSION  := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla \
	-Wnull-dereference -Wimplicit-fallthrough -Wdate-time
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fPIE
OPTIMIZE ?= -O2 -g
WERROR   ?=
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -I. -DHT_VERSION='"$(VERSION)"' \
	-DHT_LIBEXECDIR='"$(PREFIX)/libexec/heaptide"' \
	$(OPTIMIZE) $(WARNINGS) $(WERROR) $(HARDEN) $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

# Rooms. Every file of a room is in its library but for the programs' main.c.
# The store is apart from the rest of schema/: the agent links no SQLite.
lib_src   = $(filter-out %/main.c,$(sort $(wildcard $(1))))
COMMON   := $(call lib_src,common/*.c)
STORE    := $(call lib_src,schema/store*.c)
SCHEMA   := $(filter-out $(STORE),$(call lib_src,schema/*.c))
ANALYSIS := $(call lib_src,analysis/*.c)
AGENT    := $(call lib_src,agent/*.c)
DAEMON   := $(call lib_src,daemon/*.c)
CLI      := $(call lib_src,cli/*.c)

objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBS_OF   = $(addprefix $(BUILD)/lib,$(addsuffix .a,$(1)))

AGENT_LIBS  := -lunwind-ptrace -lunwind-x86_64 -lunwind -ldwarf -lelf -lz \
	-lseccomp -lcap-ng -ljansson
STORE_LIBS  := -lsqlite3
DAEMON_LIBS := $(STORE_LIBS) -lsystemd -lmicrohttpd -linih -ljansson -lcurl -lm
CLI_LIBS    := $(STORE_LIBS) -lsmartcols -lncursesw -ltinfo -ljansson -lm

PROGRAMS := $(BUILD)/heaptide $(BUILD)/heaptided $(BUILD)/heaptide-agent

all: $(PROGRAMS) ## build the three programs

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
$(eval $(call archive,store,$(STORE)))
$(eval $(call archive,analysis,$(ANALYSIS)))
$(eval $(call archive,agent,$(AGENT)))
$(eval $(call archive,daemon,$(DAEMON)))
$(eval $(call archive,cli,$(CLI)))

$(BUILD)/heaptide-agent: $(BUILD)/obj/agent/main.o $(call LIBS_OF,agent schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(AGENT_LIBS)

$(BUILD)/heaptide: $(BUILD)/obj/cli/main.o $(call LIBS_OF,cli analysis store schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(CLI_LIBS)

$(BUILD)/heaptided: $(BUILD)/obj/daemon/main.o $(call LIBS_OF,daemon analysis store schema common)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -Wl,--as-needed $(DAEMON_LIBS)

# Unit tests: each tests/unit/test_X.c is one program, linked with every room.
# A line "LDFLAGS: ..." in its first comment adds linker flags (--wrap).
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
TEST_LIB := $(call objects,$(sort $(wildcard tests/lib/*.c)))

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(TEST_LIB) $(call LIBS_OF,agent daemon cli analysis store schema common)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $$(sed -n 's/.*LDFLAGS: *//p' tests/unit/$*.c | head -1) -o $@ $^ \
		-Wl,--as-needed $(AGENT_LIBS) $(DAEMON_LIBS) $(CLI_LIBS) -lcmocka -lpthread

# Programs under test: plain builds, never sanitized, one file each.
TARGETS := $(patsubst tests/targets/%.c,$(BUILD)/targets/%,$(sort $(wildcard tests/targets/*.c)))
$(BUILD)/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -std=gnu17 -D_GNU_SOURCE -fno-builtin-malloc -o $@ $< -lpthread -ldl

unit: $(UNIT) $(TARGETS) $(PROGRAMS)

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)

clean: ## remove what was built
	rm -rf $(BUILD) build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: all unit clean help
.SECONDARY:
