# SPDX-License-Identifier: MIT
#
# looptop. One Makefile, not recursive; `make help` says what there is.
# Everything is made under $(BUILD); build/looptop runs from there without being installed.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR = $(PREFIX)/lib/looptop
DATADIR = $(PREFIX)/share/looptop
MANDIR = $(PREFIX)/share/man

ifeq ($(origin CC),default)
CC = gcc
endif
CLANG ?= clang
PYTHONS ?=
FUZZ_SECONDS ?= 30
SID_ROOT ?= /var/cache/looptop/sid
SANITIZE ?=
V ?= 0

.DEFAULT_GOAL := all
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo test test-matrix check-layers check-cross cross check-asan check-tsan fuzz soak bench \
	screenshot format \
	check-format install uninstall clean help units agents client python FORCE

ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' $(1) '$(2)';
else
Q :=
say =
endif

# ---- what is to be made: goals that need no build skip the probing below

quick := clean help format check-format check-cross deps uninstall
goals := $(or $(MAKECMDGOALS),all)
building := $(filter-out $(quick),$(goals))

# ---- packages: each target pulls in what it needs; nothing happens where all is there

# for another processor there are no interpreters here, and check-cross.sh has seen to the packages
native := $(filter-out cross,$(building))

ifneq ($(native),)
dep_sets := build $(if $(filter test test-matrix check-asan check-tsan units,$(goals)),test) \
	$(if $(filter test soak,$(goals)),uvloop) $(if $(filter test-matrix,$(goals)),matrix) \
	$(if $(filter fuzz,$(goals)),fuzz)
deps_said := $(shell CC='$(CC)' PYTHONS='$(PYTHONS)' tests/support/deps.sh $(dep_sets) 1>&2)
endif

# ---- flags

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Wundef -Wvla -Wcast-qual -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
	-Wimplicit-fallthrough -Wnull-dereference -Wconversion -Wframe-larger-than=16384 \
	-Wlogical-op -Wduplicated-cond
hardening := -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero \
	-fno-common -fcf-protection=full -fstrict-flex-arrays=3
link_hardening := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed

ifneq ($(SANITIZE),)
OPTIMIZE ?= -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE)
hardening :=
# instrumented functions need larger frames, and gcc's flow analysis goes astray in them
warnings := $(filter-out -Wframe-larger-than=% -Wnull-dereference,$(warnings))
SANITIZE_LINK := -fsanitize=$(SANITIZE)
else
OPTIMIZE ?= -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif

# flags this compiler takes; made again when the compiler or this file changes
flags_mk := $(BUILD)/flags-$(notdir $(firstword $(CC))).mk
ifneq ($(building),)
include $(flags_mk)
endif
$(flags_mk): Makefile tests/support/probe-flags.sh
	@mkdir -p $(@D)
	@{ printf 'FLAGS_OK := '; tests/support/probe-flags.sh '$(CC)' $(warnings) $(hardening); \
	   printf 'LINK_OK := '; tests/support/probe-flags.sh '$(CC)' $(link_hardening); } >$@

werror := $(if $(filter 1,$(WERROR)),-Werror)
CPPFLAGS_ALL := -D_GNU_SOURCE -Iinclude -Isrc $(if $(SANITIZE),,-include src/common/old_glibc.h) $(CPPFLAGS)
# every object can go into the agent: position-independent, hidden, TLS without calls
CFLAGS_ALL = -std=c11 $(OPTIMIZE) $(FLAGS_OK) $(werror) -pthread -fPIC -fvisibility=hidden \
	-ftls-model=initial-exec -fno-plt $(CFLAGS)
LDFLAGS_ALL = $(LINK_OK) $(SANITIZE_LINK) -pthread $(LDFLAGS)
client_defines := -DLOOPTOP_LIBDIR='"$(LIBDIR)"' -DLOOPTOP_DATADIR='"$(DATADIR)"'

# ---- sources

O := $(BUILD)/obj
cjson := src/vendor/cjson/cJSON.c
shared_src := $(wildcard src/common/*.c src/proto/*.c)
platform_src := $(wildcard src/platform/*.c)
agent_platform_src := $(filter-out %_client.c,$(platform_src))
agent_src := $(wildcard src/agent/*.c src/agent/cpython/*.c)
# one processor's file of those that there are, the compiler's
arch := $(if $(building),$(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null))))
attach_src := $(filter-out src/attach/arch_%.c,$(wildcard src/attach/*.c)) src/attach/arch_$(arch).c
client_src := $(shell find src/client -name '*.c' 2>/dev/null | sort) $(attach_src)
client_main := src/client/main.c
unit_src := $(wildcard tests/unit/test_*.c)
golden_src := $(wildcard tests/golden/test_*.c)
fuzz_src := $(wildcard tests/fuzz/fuzz_*.c)
themes := $(wildcard themes/*.theme)
man_pages := $(wildcard man/*.[1-9])
python_src := $(shell find src/python -name '*.py' 2>/dev/null)
demo_src := tests/services/demo.py

objects = $(patsubst %.c,$(O)/%.o,$(1))
lib_obj := $(call objects,$(shared_src) $(platform_src) $(cjson))
client_lib_obj := $(call objects,$(filter-out $(client_main),$(client_src)))

# ---- interpreters: BUILD/pythons.mk names each agent (AGENT_TAGS; of each AGENT_VERSION_x,
# AGENT_SO_x, AGENT_INC_x)

AGENT_TAGS :=
ifneq ($(native),)
python_search := $(shell CC='$(CC)' tests/support/pythons.sh $(BUILD) $(PYTHONS) 1>&2)
-include $(BUILD)/pythons.mk
endif
agents := $(foreach tag,$(AGENT_TAGS),$(BUILD)/agent/$(AGENT_SO_$(tag)))

# ---- all

all: client agents python
	@cat $(BUILD)/pythons.table

client: $(BUILD)/looptop $(patsubst themes/%,$(BUILD)/themes/%,$(themes))
agents: $(agents)
python: $(patsubst src/python/%,$(BUILD)/python/%,$(python_src)) $(BUILD)/demo/demo.py

deps:
	@CC='$(CC)' PYTHONS='$(PYTHONS)' tests/support/deps.sh build test uvloop

# a file that changes when the flags do; what depends on it is compiled again
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$$(subst ','\'',$(2))' >$$@.new; cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@
endef
$(eval $(call stamp,$(BUILD)/flags.stamp,$$(CC) $$(CPPFLAGS_ALL) $$(CFLAGS_ALL)))
$(eval $(call stamp,$(BUILD)/client.stamp,$$(client_defines)))

compile = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP

$(O)/%.o: %.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile) -c -o $@ $<

$(O)/src/client/%.o: src/client/%.c $(BUILD)/flags.stamp $(BUILD)/client.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile) $(client_defines) -c -o $@ $<

# not ours: its warnings are not either
$(O)/src/vendor/%.o: src/vendor/%.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile) -w -Wno-error -c -o $@ $<

$(BUILD)/libshared.a: $(lib_obj)
	$(call say,AR,$@)rm -f $@; $(AR) rcs $@ $^

$(BUILD)/libclient.a: $(client_lib_obj)
	$(call say,AR,$@)rm -f $@; $(AR) rcs $@ $^

client_libs = $(BUILD)/libclient.a $(BUILD)/libshared.a
curses_libs := $(or $(shell pkg-config --libs ncursesw 2>/dev/null),-lncursesw -ltinfo) -lm

$(BUILD)/looptop: $(call objects,$(client_main)) $(client_libs)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) -pie $(LDFLAGS_ALL) -o $@ $^ $(curses_libs)

# ---- one agent a tag

define agent_rules
agent_obj_$(1) := $$(patsubst %.c,$(O)/$(1)/%.o,$(agent_src))

$$(eval $$(call stamp,$(O)/$(1).stamp,$(AGENT_VERSION_$(1)) $(AGENT_INC_$(1))))

$(O)/$(1)/%.o: %.c $(BUILD)/flags.stamp $(O)/$(1).stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$< ($(1)))$$(compile) -DNDEBUG $$(AGENT_INC_$(1)) -c -o $$@ $$<

$(BUILD)/agent/$(AGENT_SO_$(1)): $$(agent_obj_$(1)) $(call objects,$(shared_src) $(agent_platform_src) $(cjson)) \
	src/agent/exports.map
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(CFLAGS_ALL) -shared $$(LDFLAGS_ALL) -Wl,--version-script=src/agent/exports.map \
		-Wl,--exclude-libs,ALL -Wl,-z,nodelete -o $$@ $$(filter %.o,$$^) -lpthread -ldl
endef
$(foreach tag,$(AGENT_TAGS),$(eval $(call agent_rules,$(tag))))

# ---- files that are only put in place

$(BUILD)/python/%: src/python/%
	@mkdir -p $(@D)
	$(call say,COPY,$@)cp $< $@

$(BUILD)/themes/%: themes/%
	@mkdir -p $(@D)
	$(call say,COPY,$@)cp $< $@

$(BUILD)/demo/demo.py: $(demo_src)
	@mkdir -p $(@D)
	$(call say,COPY,$@)cp $< $@

# ---- demo

demo: all
	@$(BUILD)/looptop demo

# ---- tests. A program of tests/unit or tests/golden links what it uses of the archives; a line
# `/* LINK: src/agent/x.c */` in it names further sources.

link_sources = $(shell sed -n 's|^/\* LINK: \(.*\) \*/$$|\1|p' $(1))
link_more = $(call objects,$(call link_sources,$(1)))

define test_rules
$(BUILD)/$(patsubst %.c,%,$(1)): $(O)/$(patsubst %.c,%.o,$(1)) $$(call link_more,$(1)) $$(client_libs)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) \
		$(BUILD)/libclient.a $(BUILD)/libshared.a -lcmocka $$(curses_libs)
endef
$(foreach src,$(unit_src) $(golden_src),$(eval $(call test_rules,$(src))))

$(O)/tests/%.o: tests/%.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)$(compile) $(client_defines) -Wno-deprecated-declarations -I. -Itests -c -o $@ $<

unit_programs := $(patsubst %.c,$(BUILD)/%,$(unit_src))
golden_programs := $(patsubst %.c,$(BUILD)/%,$(golden_src))

units: $(unit_programs) $(golden_programs)

# TESTS= narrows it: files or directories for pytest, or names of test programs
test: $(if $(filter-out unit golden,$(or $(TESTS),everything)),all) units
	@LOOPTOP_BUILD='$(abspath $(BUILD))' tests/support/run-tests.sh $(TESTS) -- \
		$(unit_programs) $(golden_programs)

test-matrix: all
	@tests/support/test-matrix.sh '$(SID_ROOT)'

check-layers:
	@CC='$(CC)' BUILD='$(BUILD)' tests/support/check-layers.py

# what attaches, and what the agent and the client share, for another processor; and unit tests of
# it, in an emulator
CROSS_CC ?= aarch64-linux-gnu-gcc
cross_programs := $(patsubst %,$(BUILD)/cross/test_%,arch buf clock fmt histogram json_check json_out \
	parse ring rpc utf8)

check-cross:
	@tests/support/check-cross.sh '$(MAKE)' '$(BUILD)/aarch64' '$(CROSS_CC)'

cross: $(cross_programs)

# every object, used or not, so that what is missing for this processor is seen
$(BUILD)/cross/%: $(O)/tests/unit/%.o $(lib_obj) $(call objects,$(attach_src))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lm

# unit and golden under ASan and UBSan, then the integration tests with an agent built so
check-asan:
	@tests/support/check-asan.sh '$(MAKE)' '$(BUILD)/asan' PYTHONS='$(PYTHONS)'

# threaded harnesses, then the integration tests of the agent with everything built so
check-tsan:
	@tests/support/check-tsan.sh '$(MAKE)' '$(BUILD)/tsan' PYTHONS='$(PYTHONS)'

fuzz: $(patsubst %.c,$(BUILD)/%,$(fuzz_src))
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' tests/support/run-fuzz.sh $(BUILD)/fuzz-corpus $^

# clang's own flags: the probed ones are the compiler's of the build
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(shared_src) $(cjson)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(CPPFLAGS_ALL) -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o $@ $< $(call link_sources,$<) $(shared_src) -w $(cjson) -lm

# SOAK= names parts, SOAK_CYCLES SOAK_FRESH SOAK_KILLS SOAK_STORM say how often
soak: all
	@LOOPTOP_BUILD='$(abspath $(BUILD))' python3 tests/soak/soak.py $(SOAK)

bench: all
	@LOOPTOP_BUILD='$(abspath $(BUILD))' python3 tests/bench/bench.py $(BENCH)

screenshot: all
	@LOOPTOP_BUILD='$(abspath $(BUILD))' tests/support/screenshot.py

# ---- format: ours, not the vendored

own_c := $(shell find src include tests \( -name '*.c' -o -name '*.h' \) -not -path 'src/vendor/*' 2>/dev/null)

format:
	@tests/support/deps.sh lint
	$(call say,FORMAT,$(words $(own_c)) files)clang-format -i $(own_c)

check-format:
	@tests/support/deps.sh lint
	$(call say,FORMAT,$(words $(own_c)) files)clang-format --dry-run -Werror $(own_c)

# ---- install

place = install -d '$(DESTDIR)$(2)' && install -m $(3) $(1) '$(DESTDIR)$(2)'

install: all
	$(Q)$(call place,$(BUILD)/looptop,$(PREFIX)/bin,755)
	$(Q)$(if $(agents),$(call place,$(agents),$(LIBDIR)/agent,755))
	$(Q)$(foreach f,$(python_src:src/python/%=%),install -D -m 644 src/python/$(f) '$(DESTDIR)$(LIBDIR)/python/$(f)' &&) true
	$(Q)$(call place,$(demo_src),$(LIBDIR)/demo,644)
	$(Q)$(if $(themes),$(call place,$(themes),$(DATADIR)/themes,644))
	$(Q)$(foreach m,$(man_pages),install -D -m 644 $(m) '$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))' &&) true
	@echo "  installed in $(DESTDIR)$(PREFIX)"

uninstall:
	$(Q)rm -f '$(DESTDIR)$(PREFIX)/bin/looptop'
	$(Q)rm -rf '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(DATADIR)'
	$(Q)$(foreach m,$(man_pages),rm -f '$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))' &&) true
	@echo "  removed from $(DESTDIR)$(PREFIX)"

clean:
	$(Q)rm -rf $(BUILD)

help:
	@echo 'make              build the client, an agent for every CPython found, and the rest into $(BUILD)/'
	@echo 'make deps         install the Debian packages that are missing (every target does so for itself)'
	@echo 'make demo         build, then open looptop on a demo service'
	@echo 'make test         build, then all tests; TESTS="unit golden tests/tui/test_x.py" narrows it'
	@echo 'make test-matrix  the same in a Debian sid chroot, on CPython 3.13, 3.14 and 3.15 (root)'
	@echo 'make check-layers check-format check-asan check-tsan fuzz'
	@echo 'make check-cross  what attaches, compiled for aarch64, and its tests that an emulator can run'
	@echo 'make soak         attach over and over, minutes for each interpreter; SOAK_CYCLES=1000 SOAK_KILLS=500'
	@echo 'make bench        cost and speed, as ratios     make screenshot   the picture of the README'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=     make uninstall    make clean    make format'
	@echo
	@echo 'PYTHONS="..."     interpreters to build agents for; default: PATH, pyenv, /usr/bin'
	@echo 'CC=clang          another compiler    WERROR=1  warnings are errors    V=1  show the commands'
	@echo 'FUZZ_SECONDS=30   for each fuzzer     SID_ROOT=$(SID_ROOT)'

ifneq ($(building),)
-include $(shell find $(O) -name '*.d' 2>/dev/null)
endif
