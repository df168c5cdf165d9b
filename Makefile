# tidemill: every task of the house.
#
#   make            build/tidemill            make test        every test that fits in ten minutes
#   make deps       Debian packages           make test-long   the whole suite, three sanitizers
#   make demo       a real job, real data     make bench       against the peers (B=name for one)
#   make tidy       the rules of the house    make unit ROOM=kernel   the C tests of one room
#   make asan       a sanitized binary        make fuzz        fuzzers (FUZZ_SECONDS=60 each)
#   make golden-accept CASE=name              take what a golden folder prints today as expected
#   make install PREFIX=/usr/local DESTDIR=
#
# Files are found by their names: a new runtime/<room>/*.c, stage, Lua module or test needs no line
# here. Everything that is made lives under BUILD, so builds with different BUILD never collide.

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
SANITIZE ?=
FUZZ_SECONDS ?= 60
VENV ?= $(BUILD)/venv
SEED ?= 1

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc) --no-print-directory
endif

# The rooms, lowest first. A room includes only rooms before it; `make tidy` checks that.
ROOMS := base store column kernel format io expr state stage operator connector plan delivery \
  exec script service cli

# ---------------------------------------------------------------- compiler and libraries

# Evaluated once, at first use: `make deps` must work before the libraries are there.
once = $(eval $(1) := $(2))$($(1))
LIB_CFLAGS = $(call once,LIB_CFLAGS,$(shell \
  pkg-config --cflags lua5.4 libuv msgpack zlib libzstd 2>/dev/null))
# A static library where there is one: no dynamic loading, so that small jobs start at once.
find_lib = $(shell $(CC) -print-file-name=$(1).a | grep / || echo $(2))
LIBS = $(call once,LIBS,$(call find_lib,liblua5.4,-llua5.4) \
  $(call find_lib,libmsgpackc,-lmsgpackc) \
  $(call find_lib,libzstd,-lzstd) $(call find_lib,libz,-lz) $(call find_lib,libuv_a,-luv) \
  -lm -ldl -lpthread)

ifeq ($(SANITIZE),)
OPTIMISE := -O3
else
OPTIMISE := -O1 -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif
# Assertions stay on. No contraction to fused multiply-add: a result is the same on every machine.
CFLAGS ?= -g
ALL_CFLAGS = -std=gnu17 $(OPTIMISE) $(CFLAGS) -fno-omit-frame-pointer -fno-semantic-interposition \
  -fvisibility=hidden -ffp-contract=off -Wall -Wextra -Werror -Iruntime -Iruntime/include -I. \
  -DTM_VERSION='"$(VERSION)"' $(LIB_CFLAGS)
LINK = $(CC) $(OPTIMISE) -g $(LDFLAGS)

# ---------------------------------------------------------------- what there is

SRC := $(wildcard $(ROOMS:%=runtime/%/*.c))
LIB_SRC := $(filter-out runtime/cli/main.c,$(SRC))
TEST_SRC := $(wildcard $(ROOMS:%=tests/%/*.c))
SUPPORT_SRC := $(filter-out tests/support/plain_runner.c,$(wildcard tests/support/*.c))
STAGE_SRC := $(sort $(wildcard runtime/operator/[!_]*.c runtime/connector/[!_]*.c))
FORMAT_SRC := $(sort $(wildcard runtime/format/[!_]*.c))
LUA_SRC := $(sort $(shell find lua stdlib -name '*.lua' 2>/dev/null))
GEN_SRC := $(BUILD)/gen/lua_embed.c $(BUILD)/gen/format_table.c \
  $(if $(wildcard runtime/stage/stage.h),$(BUILD)/gen/stage_table.c)

OBJ := $(BUILD)/obj
GEN_OBJ := $(GEN_SRC:$(BUILD)/gen/%.c=$(OBJ)/gen/%.o)
LIB_OBJ := $(LIB_SRC:%.c=$(OBJ)/%.o) $(GEN_OBJ)
TEST_OBJ := $(TEST_SRC:%.c=$(OBJ)/%.o)
LIB := $(BUILD)/libtidemill.a

# ---------------------------------------------------------------- the program

.DEFAULT_GOAL := all
.PHONY: all lib deps demo test test-long test-programs test-builds bench tidy asan tsan fuzz \
  fuzzers install unit golden-accept clean FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

# No main yet: the library is all there is to build.
all: $(LIB) $(if $(wildcard runtime/cli/main.c),$(BUILD)/tidemill)
lib: $(LIB)

$(BUILD)/tidemill: $(OBJ)/runtime/cli/main.o $(LIB)
	@echo "  link $@"
	@$(LINK) $^ $(LIBS) -o $@

$(LIB): $(LIB_OBJ) $(BUILD)/sources
	@rm -f $@
	@$(AR) rcs $@ $(LIB_OBJ)

# Changes when a file comes or goes, so that what is gone is not linked any more.
$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(SRC) $(TEST_SRC) $(SUPPORT_SRC)' | cmp -s - $@ || \
	  echo '$(SRC) $(TEST_SRC) $(SUPPORT_SRC)' > $@

$(OBJ)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(OBJ)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

-include $(wildcard $(OBJ)/*/*/*.d $(OBJ)/gen/*.d)

# Says in one line what is missing, else notes compiler and flags: a change of them rebuilds all.
# Preprocessing leaves one package name for every header that is not there.
define NEEDED
#if !__has_include(<lua.h>)
liblua5.4-dev
#endif
#if !__has_include(<uv.h>)
libuv1-dev
#endif
#if !__has_include(<msgpack.h>)
libmsgpack-dev
#endif
#if !__has_include(<zlib.h>)
zlib1g-dev
#endif
#if !__has_include(<zstd.h>)
libzstd-dev
#endif
#if __STDC_VERSION__ < 201710L || !defined __SIZEOF_INT128__ || \
    (defined __clang__ ? __clang_major__ < 13 : __GNUC__ < 11)
too-old
#endif
endef
export NEEDED

$(BUILD)/flags: FORCE
	@command -v $(firstword $(CC)) >/dev/null || \
	  { echo "tidemill: no C compiler '$(CC)'; 'make deps' installs gcc" >&2; exit 1; }
	@command -v pkg-config >/dev/null || \
	  { echo "tidemill: pkg-config is missing; 'make deps' installs it" >&2; exit 1; }
	@needed=$$(printf '%s\n' "$$NEEDED" | $(CC) -std=gnu17 $(LIB_CFLAGS) -E -P -x c - 2>&1 | xargs); \
	case "$$needed" in \
	  "") ;; \
	  *too-old*|*rror:*) echo "tidemill: '$(CC)' is too old: gcc 11 or clang 13 or newer, for a" \
	    "64-bit machine, is needed" >&2; exit 1 ;; \
	  *) echo "tidemill: missing $$needed; 'make deps' installs what is missing" >&2; exit 1 ;; \
	esac
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS))' | cmp -s - $@ || \
	  echo '$(subst ','\'',$(CC) $(ALL_CFLAGS))' > $@

# ---------------------------------------------------------------- generated sources

# A stage is a file that defines `const tm_stage tm_stage_<its name>`.
$(BUILD)/gen/stage_table.c: FORCE
	@mkdir -p $(@D)
	@{ echo '#include "stage/stage.h"'; \
	  names=$$(for f in $(STAGE_SRC); do n=$$(basename $$f .c); \
	    grep -q "^const tm_stage tm_stage_$$n\b" $$f && echo $$n; done; true); \
	  for n in $$names; do echo "extern const tm_stage tm_stage_$$n;"; done; \
	  echo 'extern const tm_stage *const tm_stage_table[];'; \
	  echo 'const tm_stage *const tm_stage_table[] = {'; \
	  for n in $$names; do echo "  &tm_stage_$$n,"; done; \
	  echo '  NULL};'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# A format is a file that defines `const tm_format tm_format_<its name>`.
$(BUILD)/gen/format_table.c: FORCE
	@mkdir -p $(@D)
	@{ echo '#include "format/format.h"'; \
	  names=$$(for f in $(FORMAT_SRC); do n=$$(basename $$f .c); \
	    grep -q "^const tm_format tm_format_$$n\b" $$f && echo $$n; done; true); \
	  for n in $$names; do echo "extern const tm_format tm_format_$$n;"; done; \
	  echo 'const tm_format *const tm_formats[] = {'; \
	  for n in $$names; do echo "  &tm_format_$$n,"; done; \
	  echo '  NULL};'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# lua/a/b.lua is module "a.b", stdlib/a.lua is "tidemill.a". The assembler includes the bytes.
$(BUILD)/gen/lua_embed.c: FORCE
	@mkdir -p $(@D)
	@module() { echo $$1 | sed 's#^lua/##; s#^stdlib/#tidemill/#; s#\.lua$$##; s#/#.#g'; }; \
	{ echo '#include "script/embedded.h"'; i=0; \
	  for f in $(LUA_SRC); do i=$$((i+1)); echo "extern const char tm_lua_$$i[];"; \
	    printf '__asm__(".section .rodata; tm_lua_%d: .incbin \\"%s\\"; .byte 0; .previous");\n' \
	      $$i $$f; \
	  done; echo 'const tm_embedded tm_embedded_lua[] = {'; i=0; \
	  for f in $(LUA_SRC); do i=$$((i+1)); \
	    echo "  {\"$$(module $$f)\", tm_lua_$$i, $$(wc -c < $$f)},"; \
	  done; echo '  {NULL, NULL, 0}};'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(OBJ)/gen/lua_embed.o: $(LUA_SRC)

# ---------------------------------------------------------------- tests

# One Criterion program of all rooms; Criterion finds the tests in it.
# Under sanitizers a runner of our own stands in for Criterion's, which hides leaks from one and
# maps memory where another forbids it.
RUNNER := $(if $(SANITIZE),$(OBJ)/tests/support/plain_runner.o)

# What tests of several rooms share; a program takes from it what it needs.
SUPPORT := $(BUILD)/support.a
$(SUPPORT): $(SUPPORT_SRC:%.c=$(OBJ)/%.o) $(BUILD)/sources
	@rm -f $@
	@$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/tests: $(TEST_OBJ) $(RUNNER) $(SUPPORT) $(LIB) $(BUILD)/sources
	@echo "  link $@"
	@$(LINK) $(TEST_OBJ) $(RUNNER) $(SUPPORT) $(LIB) $(LIBS) -lcriterion -o $@
test-programs: all $(if $(TEST_SRC),$(BUILD)/tests)

# The tests of one room, linked with the rooms up to it only:
# `make unit ROOM=kernel FILTER='cast/*'`.
# The table of stages names those of operator and connector, so whoever has it links both.
UNIT_LAST = $(if $(filter stage operator,$(ROOM)),connector,$(ROOM))
UNIT_ROOMS = $(shell echo $(ROOMS) | sed 's/\b$(UNIT_LAST)\b.*/$(UNIT_LAST)/')
UNIT_OBJ = $(patsubst %.c,$(OBJ)/%.o,$(wildcard $(UNIT_ROOMS:%=runtime/%/*.c))) \
  $(if $(filter operator,$(UNIT_ROOMS)),$(GEN_OBJ),$(if $(filter format,$(UNIT_ROOMS)),\
  $(OBJ)/gen/format_table.o))
UNIT_TESTS = $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/$(ROOM)/*.c))
ifneq ($(ROOM),)
$(BUILD)/unit-$(ROOM).a: $(filter-out %/cli/main.o,$(UNIT_OBJ)) $(BUILD)/sources
	@rm -f $@
	@$(AR) rcs $@ $(filter %.o,$^)
$(BUILD)/unit-$(ROOM): $(UNIT_TESTS) $(RUNNER) $(SUPPORT) $(BUILD)/unit-$(ROOM).a
	@echo "  link $@"
	@$(LINK) $^ $(LIBS) -lcriterion -o $@
unit: $(BUILD)/unit-$(ROOM)
	$< $(if $(FILTER),--filter '$(FILTER)')
else
unit:
	@echo "usage: make unit ROOM=base [FILTER='suite/test']" >&2; exit 2
endif

# Everything that fits in ten minutes. The runner sums up; its last line is `N passed, N failed`.
test: deps
	+@$(BUILD_TESTS)
	@$(RUN_TESTS)
# The whole suite under every sanitizer, and long random runs from any SEED.
test-long: deps
	+@$(BUILD_TESTS)
	@$(RUN_TESTS) --long
BUILD_TESTS = $(MAKE) test-builds || { echo "0 passed, 1 failed"; exit 1; }
RUN_TESTS = python3 tests/run_tests.py --build $(BUILD) --python $(VENV)/bin/python --seed $(SEED) \
  $(ONLY)
test-builds: test-programs asan tsan $(VENV)/.made
asan:
	@$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined test-programs
tsan:
	@$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread test-programs
golden-accept: all
	@python3 tests/golden/golden.py --tidemill $(BUILD)/tidemill --accept $(CASE)

$(VENV)/.made: tests/requirements.txt
	@echo "  venv $(VENV)"
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

# The rules of the house: what they are stands at the top of tidy.lua.
tidy: $(LIB)
	@lua5.4 tests/tidy/tidy_test.lua
	@lua5.4 tests/tidy/tidy.lua . $(LIB)

bench: deps
	@$(MAKE) all $(VENV)/.made
	@TIDEMILL=$(BUILD)/tidemill $(VENV)/bin/python tests/bench/bench.py $(B)

# tests/fuzz/<name>_fuzz.c each define LLVMFuzzerTestOneInput; inputs that were found stay in BUILD.
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
fuzz:
	@command -v clang >/dev/null || { echo "tidemill: make fuzz needs clang" >&2; exit 1; }
	@$(MAKE) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@for f in $(FUZZERS); do mkdir -p $(BUILD)/fuzz/corpus/$$f; echo "  fuzz $$f"; \
	  $(BUILD)/fuzz/$${f}_fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=1 \
	    -rss_limit_mb=512 -artifact_prefix=$(BUILD)/fuzz/ -verbosity=0 -print_final_stats=1 \
	    $(BUILD)/fuzz/corpus/$$f || exit 1; done
fuzzers: $(FUZZERS:%=$(BUILD)/%_fuzz)
$(BUILD)/%_fuzz: $(OBJ)/tests/fuzz/%_fuzz.o $(LIB)
	@echo "  link $@"
	@$(LINK) -fsanitize=fuzzer $^ $(LIBS) -o $@

# ---------------------------------------------------------------- packages, demo, installing

PACKAGES := gcc libc6-dev make pkg-config binutils lua5.4 liblua5.4-dev libuv1-dev libmsgpack-dev \
  zlib1g-dev libzstd-dev libcriterion-dev python3 python3-venv
deps:
	@command -v dpkg-query >/dev/null || \
	  { echo "not a Debian system; needed: $(PACKAGES)"; exit 0; }; \
	missing=; for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || \
	    missing="$$missing $$p"; done; \
	[ -z "$$missing" ] || { echo "installing$$missing"; \
	  [ $$(id -u) = 0 ] && as_root= || as_root=sudo; \
	  $$as_root apt-get update -q && $$as_root env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -q -y --no-install-recommends $$missing; }

DEMO := pipelines/flights/eod.lua --date 2013-01-31 --param 'days=2013-01-*' \
  --param out=$(BUILD)/demo
demo: deps
	@$(MAKE) all
	@$(BUILD)/tidemill run $(DEMO)

install: all
	@install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/include/tidemill" \
	  "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	install -m 755 $(BUILD)/tidemill "$(DESTDIR)$(PREFIX)/bin/tidemill"
	@for header in $(wildcard runtime/include/tidemill/*.h); do \
	  install -m 644 $$header "$(DESTDIR)$(PREFIX)/include/tidemill/"; done
	@printf '%s\n' 'Name: tidemill' 'Description: headers for native modules' 'Version: $(VERSION)' \
	  'Cflags: -I"$(PREFIX)/include"' > "$(DESTDIR)$(PREFIX)/lib/pkgconfig/tidemill.pc"

clean:
	rm -rf $(BUILD)
