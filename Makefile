# SPDX-License-Identifier: Apache-2.0
# simkey: `make demo` and `make test` do all their set-up; `make help` lists the targets.

CC ?= gcc
PREFIX ?= /usr/local
SANITIZE ?=
# Sanitized objects have a folder of their own, so that both kinds of build stand side by side.
OUT := build$(if $(SANITIZE),/sanitize)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden -fstack-protector-strong \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -Wno-error)
override CPPFLAGS += -I. -D_GNU_SOURCE -DOPENSSL_NO_DEPRECATED -MMD -MP \
	$(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
override LDFLAGS += -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE))

sources = $(sort $(wildcard $(1)))
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

MODEM := $(call objects,$(call sources,modem/*.c))
# apdu/cmd_*.c is the safe2 command.
SAFE2 := $(call objects,$(call sources,apdu/cmd_*.c))
APDU := $(filter-out $(SAFE2),$(call objects,$(call sources,apdu/*.c)))
# provider/cmd_*.c is the simkey tool; the rest is the module, a few files of which the tool shares.
TOOL := $(call objects,$(call sources,provider/cmd_*.c))
MODULE := $(filter-out $(TOOL),$(call objects,$(call sources,provider/*.c)))
TOOL_SHARED := $(call objects,provider/uri.c provider/keyref.c provider/objects.c)
SIM := $(call objects,$(call sources,test/sim/*.c))
# port_shim.c is preloaded into the suites that need it, see there.
UNIT := $(filter-out %/port_shim.o,$(call objects,$(call sources,test/unit/*.c)))

LIBS := -lserialport -lz

.PHONY: all
all: $(OUT)/simkey.so $(OUT)/simkey $(OUT)/safe2 $(OUT)/simmodem

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT)/simkey.so: $(MODULE) $(APDU) $(MODEM) provider/simkey.map
	$(CC) $(LDFLAGS) -shared -Wl,--version-script=provider/simkey.map $(if $(SANITIZE),,-Wl,-z,defs) \
		-o $@ $(MODULE) $(APDU) $(MODEM) $(LIBS) -lcrypto

$(OUT)/simkey: $(TOOL) $(TOOL_SHARED) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcrypto -lcjson

$(OUT)/safe2: $(SAFE2) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/simmodem: $(SIM)
	$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lz

$(OUT)/unit: $(UNIT) $(MODULE) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcrypto -lcunit

$(OUT)/port_shim.so: test/unit/port_shim.c Makefile
	$(CC) -I. -D_GNU_SOURCE -O2 -g -std=c11 $(WARNINGS) -fPIC -shared -o $@ $<

# A C program of the end-to-end tests.
API := $(call objects,$(call sources,test/e2e/*.c))
$(OUT)/api: $(API)
	$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread

# Fuzz targets, for clang: `make fuzz` builds them apart, and modem/port.c and modem/deadline.c run
# on the line and the clock of test/fuzz/line.c there.
FUZZ := $(call objects,$(call sources,test/fuzz/*.c))
FUZZ_TARGETS := $(filter $(OUT)/obj/test/fuzz/fuzz_%.o,$(FUZZ))
FUZZERS := $(FUZZ_TARGETS:$(OUT)/obj/test/fuzz/%.o=$(OUT)/%)
SECONDS ?= 60
ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(OUT)/obj/modem/port.o $(OUT)/obj/modem/deadline.o: override CPPFLAGS += -include test/fuzz/redirect.h
endif
$(FUZZERS): $(OUT)/%: $(OUT)/obj/test/fuzz/%.o $(filter-out $(FUZZ_TARGETS),$(FUZZ)) $(MODULE) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lcrypto

# What is needed is named before the compiler complains of it.
NEEDED := 'libcrypto >= 3.0' 'libssl >= 3.0' libserialport zlib libcjson
.PHONY: needed
needed:
	@command -v $(firstword $(CC)) >/dev/null || { echo "simkey: no compiler: $(CC)" >&2; exit 1; }
	@command -v pkg-config >/dev/null || \
		{ echo "simkey: pkg-config is missing; \`make deps\` installs it on Debian and Ubuntu" >&2; exit 1; }
	@missing=; for library in $(NEEDED); do \
		pkg-config --exists "$$library" || missing="$$missing $$library"; done; \
	[ -z "$$missing" ] || { echo "simkey: the development files of these libraries are missing:" \
		"$$missing; \`make deps\` installs them on Debian and Ubuntu" >&2; exit 1; }

OBJECTS := $(sort $(MODEM) $(APDU) $(SAFE2) $(TOOL) $(MODULE) $(TOOL_SHARED) $(SIM) $(UNIT) $(API) $(FUZZ))
$(OBJECTS): | needed

.PHONY: tests everything fuzzers
tests: all $(OUT)/unit $(OUT)/port_shim.so $(OUT)/api
everything: tests $(FUZZ)
fuzzers: $(FUZZERS)

.PHONY: deps demo test fuzz lint format clean help
deps:
	@sh test/deps.sh

# A second make, because what deps installs was not there when this one read its rules.
demo: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(OUT) test/e2e/demo.sh

test: deps
	@$(MAKE) --no-print-directory -s -j2 tests
	@sh test/all.sh $(OUT) '$(SANITIZE)'

fuzz:
	@sh test/deps.sh lint
	@$(MAKE) --no-print-directory -s -j2 CC=clang OUT=build/fuzz \
		SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@sh test/fuzz/run.sh build/fuzz $(SECONDS)

lint:
	@sh test/deps.sh lint
	@test/lint.sh

format:
	clang-format -i $(wildcard */*.[ch] test/*/*.[ch])

clean:
	rm -rf build

help:
	@echo "make                  builds simkey.so, simkey, safe2 and simmodem into build/"
	@echo "make deps             installs what building and testing need (Debian, Ubuntu)"
	@echo "make demo             mutual TLS with a key in a simulated SIM, explained"
	@echo "make test             all tests; ONLY=unit or ONLY=PATTERN: a part of them"
	@echo "make SANITIZE=address,undefined test   the same with sanitizers"
	@echo "make fuzz             all fuzz targets; SECONDS=n: so long each (60)"
	@echo "make lint             layout, warnings, static analysis"
	@echo "make format           lays out all C files"
	@echo "make clean            removes build/"

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
