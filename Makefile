# SPDX-License-Identifier: GPL-3.0-or-later
# Knuckle.  `make help` lists the targets.
#
# third_party/ fetches the pinned libraries and builds them once, into build/third_party.  Our own
# code is compiled once per mode (release, debug, asan, ubsan, tsan) into build/<mode>: obj/ mirrors
# the tree, lib/<module>.a is one module, unit/<module> the tests of one module.  The product is
# build/knuckle, of mode release.
#
# Variables: V=1 full commands; MODE=asan, M=module, T="[tag]" for unit and integration; SEED=n, or
# N=count and FROM=n, for sim; MINUTES, for soak; ONCE=1 for run; F=http1, S=60 for fuzz; LTO=0; DESTDIR, PREFIX; DEPS_OFFLINE=1, DEPS_SEED=folder-or-bundle
# (third_party/fetch.sh --help has more).

MAKEFLAGS += -rR
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

SHELL  := /bin/sh
CC     := gcc
CXX    := g++
AR     := ar
PREFIX ?= /usr/local
MODE   ?= release
B      := build
Q      := $(if $(V),,@)

# Goals that must work on a machine where nothing is installed, and leave nothing behind.
BARE_GOALS := help clean
BARE := $(if $(MAKECMDGOALS),$(if $(filter-out $(BARE_GOALS),$(MAKECMDGOALS)),,yes))

# $(call remember,FILE,TEXT): FILE is rewritten only when TEXT differs from what it holds, so that
# it can stand for TEXT among the prerequisites.
differs  = $(subst x$(1),,x$(2))$(subst x$(2),,x$(1))
remember = $(if $(BARE),,$(if $(or $(call differs,$(strip $(file <$(1))),$(strip $(2))),$(if $(wildcard $(1)),,new)),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip $(2)))))

# ---- packages ----------------------------------------------------------------
# Installs what is missing, and only that; nearly free when nothing is.
LINT_GOALS := test lint format check-tidy check-format
PACKAGES   := build $(if $(filter $(LINT_GOALS),$(MAKECMDGOALS)),lint) $(if $(filter test lint headers check-headers check-bench bench,$(MAKECMDGOALS)),bench) $(if $(filter fuzz,$(MAKECMDGOALS)),fuzz)
.PHONY: packages
packages: ; @third_party/packages.sh $(PACKAGES)

include third_party/deps.mk

# ---- modules -----------------------------------------------------------------
# The include table of docs/ARCHITECTURE.md: what a module may include, and what its tests link.
# A row names only rows above it, so the reverse of this order is the order of linking.
MODULES := base metrics crypto http1 http2 tls io config store push api engine net migrate app
USES_base    :=
USES_metrics := base
USES_crypto  := base
USES_http1   := base
USES_http2   := base
USES_tls     := base
USES_io      := base
USES_config  := base
USES_store   := base metrics crypto
USES_push    := base metrics crypto http2
USES_api     := base http1 push
USES_engine  := base metrics crypto http1 http2 tls io store push api
USES_net     := base io
USES_migrate := base metrics crypto store api
USES_app     := $(filter-out app,$(MODULES))
# The libraries that a module's own code needs.
LIBS_crypto := wolfssl argon2
LIBS_http1  := llhttp
LIBS_http2  := nghttp2
LIBS_tls    := wolfssl
LIBS_store  := lmdb
LIBS_push   := simdjson
LIBS_api    := simdjson
LIBS_net    := uv

# What a module's tests link besides: tests/support, and for some tests/mock.
KIT        = support $(if $(filter http2 engine net app,$(1)),mock)

reverse  = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
LINKED   := $(call reverse,$(MODULES))
# $(call with_uses,MODULE): it and what it may include, in link order.
with_uses = $(filter $(1) $(USES_$(1)),$(LINKED))
libs_of   = $(patsubst %,$(DEPS_LIB)/lib%.a,$(filter $(foreach m,$(1),$(LIBS_$(m))),$(DEPS_LIB_NAMES)))

$(foreach m,$(MODULES),\
  $(eval SRC_$(m)  := $(sort $(wildcard src/$(m)/*.cc)))\
  $(eval UNIT_$(m) := $(sort $(wildcard tests/unit/$(m)_*_test.cc))))
MOCK_MAIN   := $(sort $(wildcard tests/mock/*_main.cc))
MOCK        := $(filter-out $(MOCK_MAIN),$(sort $(wildcard tests/mock/*.cc)))
SUPPORT     := $(sort $(wildcard tests/support/*.cc))
FUZZ        := $(sort $(wildcard tests/fuzz/*_fuzz.cc))
SOAK        := $(sort $(wildcard tests/soak/*.cc))
SIM         := $(sort $(wildcard tests/sim/*.cc))
INTEGRATION := $(sort $(wildcard tests/integration/*_test.cc))
SOURCES     := $(foreach m,$(MODULES),$(SRC_$(m)))
TESTS       := $(foreach m,$(MODULES),$(UNIT_$(m))) $(MOCK) $(MOCK_MAIN) $(SUPPORT) $(SIM) $(SOAK) $(INTEGRATION) $(FUZZ) $(wildcard tests/tidy_test.cc)
HEADERS     := $(sort $(wildcard src/*/*.h tests/*/*.h bench/*.h))
TESTED      := $(strip $(foreach m,$(MODULES),$(if $(UNIT_$(m)),$(m))))
BENCH_MAIN  := $(sort $(wildcard bench/*_bench.cc bench/*_main.cc))
BENCH_PRELOAD := $(sort $(wildcard bench/*_preload.cc))
BENCH       := $(filter-out $(BENCH_MAIN) $(BENCH_PRELOAD),$(sort $(wildcard bench/*.cc)))
BENCH_PROGRAMS := $(patsubst %_main,%,$(BENCH_MAIN:bench/%.cc=%)) $(BENCH_PRELOAD:bench/%_preload.cc=%.so)
PROGRAMS    := $(patsubst tests/mock/%_main.cc,%,$(MOCK_MAIN))

# A removed source must leave its archive: the list of members is a prerequisite too.
$(foreach m,$(MODULES),\
  $(call remember,$(B)/.members/$(m),$(SRC_$(m)))\
  $(call remember,$(B)/.members/unit_$(m),$(UNIT_$(m))))
$(call remember,$(B)/.members/mock,$(MOCK))
$(call remember,$(B)/.members/support,$(SUPPORT))
$(call remember,$(B)/.members/sim,$(SIM))
$(call remember,$(B)/.members/soak,$(SOAK))
$(call remember,$(B)/.members/integration,$(INTEGRATION))
$(call remember,$(B)/.members/bench,$(BENCH))

# ---- version -----------------------------------------------------------------
# Only src/app/version.cc sees it, so a commit rebuilds one object.
VERSION := $(if $(BARE),,$(or $(if $(wildcard .git),$(shell git describe --always --dirty --tags 2>/dev/null)),0.1.0))
$(call remember,$(B)/.version,$(VERSION))

# ---- flags -------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wformat=2 \
  -Wimplicit-fallthrough -Werror
SRC_FLAGS  := -std=c++20 -fno-exceptions -fno-rtti $(WARNINGS) -Wconversion -Wsign-conversion
# Tests see the same classes without RTTI, but Catch2 throws.
TEST_FLAGS := -std=c++20 -fno-rtti $(WARNINGS)
INCLUDES      := -Isrc $(DEPS_INC)
TEST_INCLUDES := -Isrc -I. $(DEPS_INC) $(DEPS_TEST_INC) -DKNUCKLE_SOURCE_DIR='"$(CURDIR)"'

# g++ 12 takes its own instrumentation of std::variant and std::regex for uninitialized memory.
SANITIZE := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-maybe-uninitialized
# Overflow means what it does in the libraries: gcc inlines nothing across a difference in that.
MODE_FLAGS_release := -O2 -g -DNDEBUG -fno-strict-overflow -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS
MODE_FLAGS_debug   := -O0 -g -D_GLIBCXX_ASSERTIONS
MODE_FLAGS_asan    := $(SANITIZE) -fsanitize=address,undefined -D_GLIBCXX_ASSERTIONS
MODE_FLAGS_ubsan   := $(SANITIZE) -fsanitize=undefined -D_GLIBCXX_ASSERTIONS
MODE_FLAGS_tsan    := $(SANITIZE) -fsanitize=thread -D_GLIBCXX_ASSERTIONS
MODE_FLAGS_fuzz    := $(SANITIZE) -fsanitize=fuzzer-no-link,address,undefined -Wno-error
MODES := release debug asan ubsan tsan
ifeq ($(filter $(MODE),$(MODES)),)
$(error knuckle: error: no mode '$(MODE)'; there are: $(MODES))
endif
# mimalloc would hide from a sanitizer what it looks for.
MALLOC_release := $(MIMALLOC_O)
MALLOC_debug   := $(MIMALLOC_O)

LDFLAGS := -pie -pthread -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed
# libFuzzer is clang's.
CXX_of  = $(if $(filter fuzz,$(1)),clang++-19,$(CXX))
# The sanitizers' run-time libraries want the shared C++ library.
MODE_LDFLAGS_release := -static-libstdc++ -static-libgcc
MODE_LDFLAGS_debug   := -static-libstdc++ -static-libgcc

# The release binary is optimized as a whole where a knock passes (docs/adr/0026); LTO=0 links it in a second.
KNOCK_MODULES := base http1 http2 tls net io store push engine
KNOCK_OBJECTS := $(foreach m,$(KNOCK_MODULES),$(patsubst %.cc,$(B)/release/obj/%.o,$(SRC_$(m))))
$(KNOCK_OBJECTS): KNOCK_FLAGS = $(FOR_LTO)
LTO := 1
PRODUCT_FLAGS_release := $(if $(filter 1,$(LTO)),-flto=auto)

# ---- rules for one mode --------------------------------------------------------
say = $(if $(V),,@echo "  $(1) $(if $(2),$(2),$@)";)

# Archives and programs appear complete or not at all: another make may be using them.
define mode_rules
$(call remember,$(B)/$(1)/.flags,$(call CXX_of,$(1)) $(SRC_FLAGS) $(INCLUDES) $(subst $(CURDIR),,$(CODE_FLAGS)) $(MODE_FLAGS_$(1)) $(FOR_LTO) $(KNOCK_MODULES) $(file <$(DEPS_DIR)/pins.list))
$(call remember,$(B)/$(1)/.product_flags,$(PRODUCT_FLAGS_$(1)))

$(B)/$(1)/obj/src/%.o: src/%.cc $(B)/$(1)/.flags $(DEPS_DIR)/wolfssl/user_settings.h | $(DEPS_READY)
	$$(call say,CXX,$$<$(if $(filter release,$(1)),, [$(1)])) mkdir -p $$(@D) && \
	  $(call CXX_of,$(1)) $(SRC_FLAGS) $(CODE_FLAGS) $(MODE_FLAGS_$(1)) $$(KNOCK_FLAGS) $$(VERSION_DEFINE) $(INCLUDES) -MMD -MP -c $$< -o $$@
$(B)/$(1)/obj/tests/%.o: tests/%.cc $(B)/$(1)/.flags $(DEPS_DIR)/wolfssl/user_settings.h | $(DEPS_READY) $(FETCHED_TEST)
	$$(call say,CXX,$$<$(if $(filter release,$(1)),, [$(1)])) mkdir -p $$(@D) && \
	  $(call CXX_of,$(1)) $(TEST_FLAGS) $(CODE_FLAGS) $(MODE_FLAGS_$(1)) $$(PLAIN) $$(BINARY_DEFINES) $(TEST_INCLUDES) -MMD -MP -c $$< -o $$@
$(B)/$(1)/obj/bench/%.o: bench/%.cc $(B)/$(1)/.flags $(DEPS_DIR)/wolfssl/user_settings.h | $(DEPS_READY) $(FETCHED_TEST) $(FETCHED_BENCH)
	$$(call say,CXX,$$<$(if $(filter release,$(1)),, [$(1)])) mkdir -p $$(@D) && \
	  $(call CXX_of,$(1)) $(TEST_FLAGS) $(CODE_FLAGS) $(MODE_FLAGS_$(1)) $$(BINARY_DEFINES) $(TEST_INCLUDES) $(DEPS_BENCH_INC) -MMD -MP -c $$< -o $$@
$(B)/$(1)/obj/tests/sim/main.o: BINARY_DEFINES = -DKNUCKLE_COMMIT='"$(VERSION)"'
$(B)/$(1)/obj/tests/sim/main.o: $(B)/.version
$(B)/$(1)/obj/src/app/version.o: VERSION_DEFINE = -DKNUCKLE_VERSION='"$(VERSION)"'
$(B)/$(1)/obj/src/app/version.o: $(B)/.version
# Assertions by the hundred: optimizing them takes twice as long as all the rest of a test.
$(B)/$(1)/obj/tests/unit/% $(B)/$(1)/obj/tests/integration/% $(B)/$(1)/obj/tests/tidy_test.o: PLAIN = -O0 -U_FORTIFY_SOURCE
# See SANITIZE: here it is the optimizer alone that confuses g++ 12.
$(B)/$(1)/obj/tests/sim/%: PLAIN = -Wno-maybe-uninitialized
$(B)/$(1)/obj/tests/integration/% $(B)/$(1)/obj/tests/soak/% $(B)/$(1)/obj/bench/%: BINARY_DEFINES = -DKNUCKLE_BINARY='"$(CURDIR)/$(call knuckle,$(1))"' -DSIM_APNS_BINARY='"$(CURDIR)/$(B)/$(1)/sim_apns"'

$(foreach m,$(MODULES),$(call archive_rule,$(1),$(m),$(SRC_$(m))))
$(call archive_rule,$(1),mock,$(MOCK))
$(call archive_rule,$(1),support,$(SUPPORT))
$(call archive_rule,$(1),bench,$(BENCH))

$(call knuckle,$(1)): $(B)/$(1)/.product_flags $(MALLOC_$(1)) $(call objects,$(1),$(SRC_app)) $(call archives,$(1),$(filter-out app,$(LINKED))) $(DEPS_LIBS) $(B)/.members/app
	$$(call say,LD) $(call link,$(1),$(PRODUCT_FLAGS_$(1))) $$(filter %.o %.a,$$^) $(MODE_LDFLAGS_$(1)) -o $$@.new && mv $$@.new $$@

$(foreach p,$(PROGRAMS),
$(B)/$(1)/$(p): $(call objects,$(1),tests/mock/$(p)_main.cc) $(call archives,$(1),mock support $(filter-out app,$(LINKED))) $(DEPS_LIBS)
	$$(call say,LD) $(call link,$(1)) $$(filter %.o %.a,$$^) -o $$@.new && mv $$@.new $$@
)
$(foreach b,$(BENCH_MAIN:bench/%.cc=%),
$(B)/$(1)/bench/$(patsubst %_main,%,$(b)): $(B)/$(1)/.product_flags $(call objects,$(1),bench/$(b).cc) $(call archives,$(1),bench support mock $(LINKED)) $(DEPS_LIBS) $(HDR_A)
	$$(call say,LD) mkdir -p $$(@D) && $(call link,$(1),$(if $(filter floor_main micro_main,$(b)),$(PRODUCT_FLAGS_$(1)))) $$(filter %.o %.a,$$^) -lssl -lcrypto -o $$@.new && mv $$@.new $$@
)
$(foreach m,$(TESTED),
$(B)/$(1)/unit/$(m): $(call objects,$(1),$(UNIT_$(m))) $(CATCH2_A) $(call archives,$(1),$(call KIT,$(m)) $(call with_uses,$(m))) $(call libs_of,$(call with_uses,$(m))) $(B)/.members/unit_$(m)
	$$(call say,LD) mkdir -p $$(@D) && $(call link,$(1)) $$(filter %.o %.a,$$^) -o $$@.new && mv $$@.new $$@
)
$(B)/$(1)/integration: $(call objects,$(1),$(INTEGRATION)) $(CATCH2_A) $(call archives,$(1),support mock $(LINKED)) $(DEPS_LIBS) $(B)/.members/integration
	$$(call say,LD) $(call link,$(1)) $$(filter %.o %.a,$$^) -o $$@.new && mv $$@.new $$@
$(B)/$(1)/sim: $(call objects,$(1),$(SIM)) $(call archives,$(1),mock support $(call with_uses,engine)) $(call libs_of,$(call with_uses,engine)) $(MALLOC_$(1)) $(B)/.members/sim
	$$(call say,LD) $(call link,$(1)) $$(filter %.o %.a,$$^) -o $$@.new && mv $$@.new $$@
$(B)/$(1)/soak: $(call objects,$(1),$(SOAK)) $(call archives,$(1),support mock $(LINKED)) $(DEPS_LIBS) $(B)/.members/soak
	$$(call say,LD) $(call link,$(1)) $$(filter %.o %.a,$$^) -o $$@.new && mv $$@.new $$@
$(B)/$(1)/tidy_test: $(B)/$(1)/obj/tests/tidy_test.o $(CATCH2_A)
	$$(call say,LD) $(call link,$(1)) $$^ -o $$@.new && mv $$@.new $$@

-include $(patsubst %.o,%.d,$(call objects,$(1),$(SOURCES) $(TESTS) $(BENCH) $(BENCH_MAIN)))
endef

define archive_rule
$(B)/$(1)/lib/$(2).a: $(call objects,$(1),$(3)) $(B)/.members/$(2) | packages
	$$(call say,AR) mkdir -p $$(@D) && rm -f $$@.new && $(AR) rcsD $$@.new $$(filter %.o,$$^) && mv $$@.new $$@

endef
objects  = $(patsubst %.cc,$(B)/$(1)/obj/%.o,$(2))
archives = $(patsubst %,$(B)/$(1)/lib/%.a,$(2))
link     = $(call CXX_of,$(1)) $(CODE_FLAGS) $(MODE_FLAGS_$(1)) $(LDFLAGS) $(or $(2),-fno-lto)
knuckle  = $(if $(filter release,$(1)),$(B)/knuckle,$(B)/$(1)/knuckle)

$(foreach mode,$(MODES) fuzz,$(eval $(call mode_rules,$(mode))))

# ---- product -------------------------------------------------------------------
.PHONY: all run debug asan tsan ubsan fuzz test unit sim integration soak lint format headers bench peers install clean help
all: $(B)/knuckle ## build/knuckle, the release binary (default)
debug: $(B)/debug/knuckle ## build/debug/knuckle: -O0, all checks

run: $(B)/knuckle $(B)/release/sim_apns ## gateway and simulated APNs on loopback, one demo knock (ONCE=1: then exit)
	@BUILD=$(B) ONCE=$(ONCE) exec tests/run_demo.sh

# ---- tests ---------------------------------------------------------------------
# A check is a target check-…; it leaves "passed failed" in $(RESULTS)/<its name>.  tests/sum.sh adds
# them up, and counts a check that left nothing (did not compile, crashed) as failed.
RESULTS ?= $(B)/results
SIM_SEEDS := 600# about ten seconds
define check_rules
$(foreach m,$(TESTED),
.PHONY: check-unit-$(1)-$(m)
check-unit-$(1)-$(m): $(B)/$(1)/unit/$(m) ; @tests/run.sh $(RESULTS)/$$@ $$< $$(if $$(T),'$$(T)')
)
.PHONY: check-sim-$(1) check-integration-$(1) check-integration-$(1)-built
check-sim-$(1): $(B)/$(1)/sim ; @$$< --seeds tests/sim/seeds.txt --count $(SIM_SEEDS) --result $(RESULTS)/$$@ || :
check-integration-$(1)-built: $(B)/$(1)/integration $(call knuckle,$(1)) $(PROGRAMS:%=$(B)/$(1)/%)
check-integration-$(1): check-integration-$(1)-built ; @tests/run.sh $(RESULTS)/$$@ $(B)/$(1)/integration $$(if $$(T),'$$(T)')
endef
$(foreach mode,$(MODES),$(eval $(call check_rules,$(mode))))
check-integration-asan: | $(filter check-integration-release,$(MAKECMDGOALS))

units        = $(patsubst %,check-unit-$(1)-%,$(if $(M),$(or $(filter $(M),$(TESTED)),$(error knuckle: error: no unit tests for module '$(M)'; there are: $(strip $(TESTED)))),$(TESTED)))
integrations = $(if $(INTEGRATION),check-integration-$(1))
LINT_CHECKS := check-format check-headers check-tidy $(if $(wildcard tests/tidy_test.cc),check-tree)

# $(call run_checks,CHECKS): everything that can be built is built and run, then summed up.
# Integration tests come last, when nothing else keeps the processor busy.
define run_checks
+@mkdir -p $(B) && r=$$(mktemp -d $(B)/results.XXXXXX) && trap 'rm -rf $$r' EXIT && trap 'exit 130' INT TERM; \
$(MAKE) -k --no-print-directory RESULTS=$$r $(filter-out check-integration%,$(1)) \
  $(patsubst %,%-built,$(filter check-integration%,$(1))) || :; \
$(if $(filter check-integration%,$(1)),$(MAKE) -k --no-print-directory RESULTS=$$r $(filter check-integration%,$(1)) || :;) \
tests/sum.sh $$r $(1)
endef

test: packages ## everything that must be green; ends with 'N passed, M failed'
	$(call run_checks,$(LINT_CHECKS) check-binary check-bench check-wolfcrypt $(call units,release) check-sim-release $(call integrations,release) $(call units,asan) $(call integrations,asan))
unit: packages ## unit tests; M=module selects one module, T="[tag]" by tag, MODE=asan the mode
	$(call run_checks,$(call units,$(MODE)))
# Seeds that nobody has seen, unless FROM says where to begin.
SIM_FROM = $(or $(FROM),$(shell date +%s)000)
sim: packages ## the gateway simulated from fixed seeds; SEED=n one with its log, N=1000 new ones
ifneq ($(SEED)$(N),)
	+@$(MAKE) --no-print-directory $(B)/$(MODE)/sim
	@$(B)/$(MODE)/sim $(if $(SEED),--from $(SEED) --log,--from $(SIM_FROM) --count $(N))
else
	$(call run_checks,check-sim-$(MODE))
endif
integration: packages ## the real binary against the simulated APNs; T, MODE as above
	$(call run_checks,$(call integrations,$(MODE)))
MINUTES ?= 30
soak: packages ## MINUTES=30 of steady knocks and random faults; SEED=n other faults
	+@$(MAKE) --no-print-directory $(B)/$(MODE)/soak $(call knuckle,$(MODE)) $(PROGRAMS:%=$(B)/$(MODE)/%)
	@$(B)/$(MODE)/soak $(MINUTES) $(SEED)
lint: packages ## formatting, clang-tidy, headers, and the tree's own rules
	$(call run_checks,$(LINT_CHECKS))
asan tsan ubsan: packages ## unit and integration tests under that sanitizer (asan: with ubsan)
	$(call run_checks,$(call units,$@) $(call integrations,$@))

$(B)/release/bench/%.so: bench/%_preload.cc
	$(call say,LD) mkdir -p $(@D) && $(CXX) $(TEST_FLAGS) -O2 -fPIC -shared $< -o $@

# One part after the other and alone: what runs beside a benchmark is in its figures.
bench: packages ## the benchmarks' table, 20 minutes; QUICK=1 three; M="count saturated" parts (bench/README.md)
	+@$(MAKE) --no-print-directory $(B)/knuckle $(PROGRAMS:%=$(B)/release/%) $(BENCH_PROGRAMS:%=$(B)/release/bench/%)
	@exec python3 bench/run.py --build $(B) $(if $(QUICK),--quick) $(M)

# Each by its language's own package client, pinned; a benchmark takes along whatever is there.
peers: ## installs the other gateways that `make bench` compares with (bench/README.md)
	@exec python3 bench/peers.py --build $(B)

S ?= 60
FUZZED := $(patsubst tests/fuzz/%_fuzz.cc,%,$(FUZZ))
fuzz: $(F:%=$(B)/fuzz/%) ## S=60 seconds of libFuzzer on F=http1 (or another of tests/fuzz)
	@test -n "$(F)" || { echo "knuckle: error: fuzz what? F= one of: $(FUZZED)"; exit 1; }
	@mkdir -p $(B)/fuzz/corpus/$(F)
	$(B)/fuzz/$(F) -max_total_time=$(S) -artifact_prefix=$(B)/fuzz/ $(B)/fuzz/corpus/$(F) $(wildcard tests/fuzz/corpus/$(F))
# tests/fuzz/http1_fuzz.cc or tests/fuzz/http1_body_fuzz.cc: the module comes first.
define fuzz_rule
$(B)/fuzz/$(1): $(call objects,fuzz,tests/fuzz/$(1)_fuzz.cc) $(call archives,fuzz,$(call KIT,$(2)) $(call with_uses,$(2))) $(call libs_of,$(call with_uses,$(2)))
	$$(call say,LD) $(call link,fuzz) -fsanitize=fuzzer $$^ -o $$@.new && mv $$@.new $$@
endef
$(foreach f,$(FUZZED),$(eval $(call fuzz_rule,$(f),$(firstword $(subst _, ,$(f))))))

pass = @mkdir -p $(RESULTS) && echo 1 0 >$(RESULTS)/$@ && echo "  PASS $(@:check-%=%)"
.PHONY: check-format check-headers check-tidy check-tree check-binary check-bench check-wolfcrypt
CLANG_FORMAT := clang-format-19
CLANG_TIDY   := clang-tidy-19
FORMATTED    := $(SOURCES) $(TESTS) $(BENCH) $(BENCH_MAIN) $(BENCH_PRELOAD) $(HEADERS)

check-format: | packages
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED) || { echo "knuckle: error: the files above are not formatted; run: make format"; exit 1; }
	$(pass)
format: | packages ## rewrite our sources with clang-format
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)

# Each header compiles alone, and twice.
HEADERS_OK := $(patsubst %,$(B)/headers/%.ok,$(HEADERS))
headers: $(HEADERS_OK) ## check that each header compiles alone
check-headers: $(HEADERS_OK) ; $(pass)
$(HEADERS_OK): $(B)/headers/%.ok: % $(B)/release/.flags | $(DEPS_READY) $(FETCHED_TEST)
	$(call say,HDR,$<) mkdir -p $(@D) && printf '#include "%s"\n#include "%s"\n' $< $< | \
	  $(CXX) $(if $(filter src/%,$<),$(SRC_FLAGS) $(INCLUDES) -I.,$(TEST_FLAGS) $(TEST_INCLUDES) -DKNUCKLE_BINARY='""' -DSIM_APNS_BINARY='""') $(CODE_FLAGS) \
	  $(MODE_FLAGS_release) -MMD -MP -MT $@ -MF $(@:.ok=.d) -fsyntax-only -x c++ - && touch $@
-include $(HEADERS_OK:.ok=.d)

# One stamp per file, newer than its object, which knows the headers it depends on.
TIDY_OK := $(patsubst %.cc,$(B)/tidy/%.ok,$(SOURCES))
check-tidy: $(TIDY_OK) ; $(pass)
$(TIDY_OK): $(B)/tidy/%.ok: $(B)/release/obj/%.o .clang-tidy | packages
	$(call say,TIDY,$*.cc) mkdir -p $(@D) && \
	  $(CLANG_TIDY) --quiet $*.cc -- $(filter-out -Werror,$(SRC_FLAGS)) -O2 $(INCLUDES) -DKNUCKLE_VERSION='"0"' 2>$@.log || { grep -v 'warnings* generated' $@.log; exit 1; }; \
	touch $@

# Include table, banned names, files without tests: tests/tidy_test.cc reads the tree.
check-tree: $(B)/release/tidy_test ; @tests/run.sh $(RESULTS)/$@ $<

# The product needs nothing but libc at run time, and is hardened.
check-binary: $(B)/knuckle
	@libs=$$(readelf -dW $< | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|ld-linux.*)\.so' || :); \
	  test -z "$$libs" || { echo "knuckle: error: build/knuckle needs" $$libs "at run time; link it statically"; exit 1; }
	@readelf -dW $< | grep -q BIND_NOW && readelf -hW $< | grep -q 'DYN ' || { echo "knuckle: error: build/knuckle is not a PIE with full RELRO; see LDFLAGS"; exit 1; }
	$(pass)

# Benchmarks are not run here, but they compile.
check-bench: $(BENCH_PROGRAMS:%=$(B)/release/bench/%) ; $(pass)

# wolfCrypt's known-answer tests, against the library we link.
check-wolfcrypt: deps-selftest ; $(pass)

# ---- install -------------------------------------------------------------------
# An existing configuration is never overwritten.
ETC := $(DESTDIR)/etc/knuckle
install: $(B)/knuckle ## to DESTDIR, PREFIX (/usr/local): binary, unit, /etc/knuckle/knuckle.toml
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system $(ETC)
	install -m 755 $< $(DESTDIR)$(PREFIX)/bin/knuckle
	strip --strip-debug $(DESTDIR)$(PREFIX)/bin/knuckle
	sed 's#/usr/\(local/\)\{0,1\}bin/knuckle#$(PREFIX)/bin/knuckle#g' systemd/knuckle.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/knuckle.service
	chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/knuckle.service
	install -d -m 700 $(ETC)/keys
	test -e $(ETC)/knuckle.toml || install -m 644 conf/knuckle.toml $(ETC)/knuckle.toml

clean: ## remove build/
	rm -rf $(B)
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
