# SPDX-License-Identifier: Apache-2.0
# simkey: `make demo` and `make test` do all their set-up; `make help` lists the targets.

CC ?= gcc
PREFIX ?= /usr/local
SANITIZE ?=
# Sanitized objects have a folder of their own, so that both kinds of build stand side by side.
OUT := build$(if $(SANITIZE),/sanitize)

# The module is made small where nobody says by CFLAGS (Debian's dpkg-buildflags do) how to compile.
SMALL := $(if $(SANITIZE),,$(if $(filter undefined default,$(origin CFLAGS)),1))

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden -fstack-protector-strong \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -Wno-error)
override CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DOPENSSL_NO_DEPRECATED -MMD -MP \
	$(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
override LDFLAGS += -Wl,-z,relro,-z,now,-z,noexecstack $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# Card readers by PC/SC, where its library is there; PCSC=0 builds without.
PCSC ?= $(shell pkg-config --exists libpcsclite 2>/dev/null && echo 1 || echo 0)

# PROVIDER=0: safe2 and the suites of modem/ and apdu/ alone, for which no OpenSSL is needed.
PROVIDER ?= 1

sources = $(sort $(wildcard $(1)))
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

# What simkey-agent has in place of two libraries.
AGENT_LATE := $(call objects,modem/late.c)
MODEM := $(filter-out $(AGENT_LATE),$(call objects,$(call sources,modem/*.c)))
ifeq ($(PCSC),1)
$(OUT)/obj/modem/pcsc.o $(OUT)/small/modem/pcsc.o $(OUT)/obj/test/unit/test_pcsc.o: override CPPFLAGS += $(shell pkg-config --cflags libpcsclite)
$(OUT)/obj/modem/transport.o $(OUT)/small/modem/transport.o $(OUT)/obj/test/unit/main.o: override CPPFLAGS += -DSIMKEY_PCSC
$(OUT)/obj/modem/late.o: override CPPFLAGS += -DSIMKEY_PCSC $(shell pkg-config --cflags libpcsclite)
else
MODEM := $(filter-out %/pcsc.o,$(MODEM))
endif
# apdu/safe2 is the safe2 command, and its applet.
SAFE2_APPLET := $(call objects,apdu/safe2/applet.c)
SAFE2 := $(filter-out $(SAFE2_APPLET),$(call objects,$(call sources,apdu/safe2/*.c)))
# apdu/agent is simkey-agent, and how the others speak to it.
AGENT_CLIENT := $(call objects,apdu/agent/client.c apdu/agent/client_packet.c)
AGENT := $(filter-out $(AGENT_CLIENT),$(call objects,$(call sources,apdu/agent/*.c)))
APDU := $(call objects,$(call sources,apdu/*.c apdu/card/*.c apdu/applet/*.c apdu/session/*.c)) $(SAFE2_APPLET) \
	$(AGENT_CLIENT)
# provider/tool is the simkey command, which shares a few files of the module.
TOOL := $(call objects,$(call sources,provider/tool/*.c provider/tool/doctor/*.c))
MODULE := $(call objects,$(call sources,provider/*.c))
TOOL_SHARED := $(call objects,provider/uri.c provider/uri_format.c provider/uri_apply.c provider/keyref.c provider/objects.c \
	provider/openssl_conf.c provider/proof.c provider/scheme.c provider/signing.c)
SIM := $(call objects,$(call sources,test/sim/*.c))
# port_shim.c is preloaded into the suites that need it, see there.
UNIT := $(filter-out %/port_shim.o,$(call objects,$(call sources,test/unit/*.c)))
ifneq ($(PCSC),1)
UNIT := $(filter-out %/test_pcsc.o,$(UNIT))
endif
# The model test is linked by itself first, see there.
MODEL := $(filter %/test_model.o,$(UNIT)) $(filter $(OUT)/obj/test/unit/model%.o,$(UNIT))
UNIT := $(filter-out $(MODEL),$(UNIT))
# So are the suites of simmodem's card, whose names are also those of what it is talked to with.
SIM_SUITES := $(filter $(OUT)/obj/test/unit/test_sim_%.o,$(UNIT)) $(filter %/sim_seat.o,$(UNIT))
UNIT := $(filter-out $(SIM_SUITES),$(UNIT))
CRYPTO := -lssl -lcrypto
ALL := $(addprefix $(OUT)/,simkey.so simkey safe2 simkey-agent simmodem)
NEEDED := 'libcrypto >= 3.0' 'libssl >= 3.0' libserialport zlib libcjson
ifneq ($(PROVIDER),1)
UNIT := $(filter-out %/test_uri.o %/test_keyref.o %/test_config.o %/test_token.o %/token_memory.o,$(UNIT))
$(OUT)/obj/test/unit/main.o: override CPPFLAGS += -DSIMKEY_NO_PROVIDER
MODULE :=
CRYPTO :=
ALL := $(OUT)/safe2
NEEDED := libserialport zlib
endif

LIBS := -lserialport -lz $(if $(filter 1,$(PCSC)),-lpcsclite -pthread)

.PHONY: all
all: $(ALL)

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# What knows of the switch is built again when it is turned.
$(OUT)/obj/pcsc-$(PCSC):
	@mkdir -p $(@D)
	@rm -f $(OUT)/obj/pcsc-? && touch $@
$(OUT)/obj/modem/transport.o $(OUT)/obj/test/unit/main.o $(AGENT_LATE): $(OUT)/obj/pcsc-$(PCSC)
$(OUT)/obj/provider-$(PROVIDER):
	@mkdir -p $(@D)
	@rm -f $(OUT)/obj/provider-? && touch $@
$(OUT)/obj/test/unit/main.o: $(OUT)/obj/provider-$(PROVIDER)

# The small module has objects of its own, compiled for size and all before the compiler at once, so
# that only what the module uses stays in it; and no unwind tables, which programs in C never need. What
# this compiler, its linker and the C library can do of that is asked once.
IN_MODULE := $(MODULE) $(APDU) $(MODEM)
ifneq ($(SMALL),)
IN_MODULE := $(IN_MODULE:$(OUT)/obj/%=$(OUT)/small/%)
SMALL_COMPILE = $$(head -n 1 $(OUT)/small/flags)
# Warnings are the matter of compiling.
SMALL_LINK = $(CFLAGS) $$(cat $(OUT)/small/flags) -w
endif
$(OUT)/small/flags: Makefile test/small_flags.sh | needed
	@mkdir -p $(@D)
	@sh test/small_flags.sh $(CC) >$@.$$$$ && mv $@.$$$$ $@
$(OUT)/small/%.o: %.c Makefile $(OUT)/small/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(SMALL_COMPILE) -DSIMKEY_SMALL_MODULE -c -o $@ $<
$(OUT)/small/modem/transport.o: $(OUT)/obj/pcsc-$(PCSC)

$(OUT)/simkey.so: $(IN_MODULE) provider/simkey.map
	$(CC) $(LDFLAGS) $(SMALL_LINK) -shared \
		-Wl,--version-script=provider/simkey.map $(if $(SANITIZE),,-Wl,-z,defs) \
		-o $@ $(IN_MODULE) $(LIBS) -lcrypto

$(OUT)/simkey: $(TOOL) $(TOOL_SHARED) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -pie -o $@ $^ $(LIBS) -lcrypto -lcjson

$(OUT)/safe2: $(SAFE2) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -pie -o $@ $^ $(LIBS)

$(OUT)/simkey-agent: $(AGENT) $(AGENT_LATE) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -pie -o $@ $^ $(filter-out -lz -lpcsclite,$(LIBS)) -ldl

$(OUT)/simmodem: $(SIM)
	$(CC) $(LDFLAGS) -pie -o $@ $^ -lssl -lcrypto -lz

# The model test has the code that it tests to itself, on the fuzz targets' line and its clock: all of
# it is one object, of which nothing but the suite is seen. Without groups of sections, of which the
# linker keeps one each: gcc's helpers for i386 are in such, and each object must keep its own.
LD ?= ld
OBJCOPY ?= objcopy
ON_MODEL_LINE := $(addprefix $(OUT)/replay/,modem/port.o modem/deadline.o)
MODELLED := $(APDU) $(filter-out %/port.o %/deadline.o,$(MODEM)) $(ON_MODEL_LINE) $(OUT)/obj/test/fuzz/line.o
$(OUT)/model.o: $(MODEL) $(MODELLED)
	$(LD) -r --force-group-allocation -o $@.all $^
	$(OBJCOPY) --keep-global-symbol=add_model_suite $@.all $@
	@rm -f $@.all

$(OUT)/sim.o: $(SIM_SUITES) $(filter-out %/main.o,$(SIM))
	$(LD) -r --force-group-allocation -o $@.all $^
	$(OBJCOPY) --wildcard --keep-global-symbol='add_sim_*_suite' $@.all $@
	@rm -f $@.all

$(OUT)/unit: $(UNIT) $(OUT)/model.o $(if $(filter 1,$(PROVIDER)),$(OUT)/sim.o) $(MODULE) $(filter-out %/main.o,$(AGENT)) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) $(CRYPTO) -lcunit

$(OUT)/port_shim.so: test/unit/port_shim.c Makefile
	$(CC) -I. -D_GNU_SOURCE -O2 -g -std=c11 $(WARNINGS) -fPIC -shared -o $@ $<

# C programs of the end-to-end tests; the second one is the soak test's.
WORKER := $(OUT)/obj/test/e2e/worker.o
API := $(filter-out $(WORKER),$(call objects,$(call sources,test/e2e/*.c)))
$(OUT)/api: $(API)
	$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread
$(OUT)/worker: $(WORKER)
	$(CC) $(LDFLAGS) -o $@ $^ -lcrypto -lpthread

# Allocations that fail: a library to preload, see there, and a program that drives it.
MEMORY := $(OUT)/obj/test/memory/memory.o
$(OUT)/memory: $(MEMORY)
	$(CC) $(LDFLAGS) -o $@ $^ -lcrypto -ldl
$(OUT)/memory_fail.so: test/memory/fail.c Makefile
	$(CC) -I. -D_GNU_SOURCE -O2 -g -std=c11 $(WARNINGS) -fPIC -shared -o $@ $< -ldl

# The C program of the bench.
BENCH := $(call objects,$(call sources,test/bench/*.c))
$(OUT)/handshake: $(BENCH)
	$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread

# C programs of the test on a USB port, which run in its guest.
USB := $(call objects,$(call sources,test/usb/*.c))
$(OUT)/usb/again: $(OUT)/obj/test/usb/again.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcrypto
$(OUT)/usb/half.so: $(OUT)/obj/test/usb/half.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared -o $@ $^

# Fuzz targets, for clang: `make fuzz` builds them apart. What they replace of the system's is put in
# by headers: the line and its clock (test/fuzz/line.c), /proc (proc.c), threads (threads.c).
FUZZ := $(call objects,$(call sources,test/fuzz/*.c))
ifneq ($(PCSC),1)
FUZZ := $(filter-out %/fuzz_pcsc.o,$(FUZZ))
endif
FUZZ_REPLAY := $(OUT)/obj/test/fuzz/replay.o
FUZZ_TARGETS := $(filter $(OUT)/obj/test/fuzz/fuzz_%.o,$(FUZZ))
FUZZ_SHARED := $(filter-out $(FUZZ_TARGETS) $(FUZZ_REPLAY),$(FUZZ))
FUZZERS := $(FUZZ_TARGETS:$(OUT)/obj/test/fuzz/%.o=$(OUT)/%)
FUZZED := $(MODULE) $(filter-out %/agent/main.o,$(AGENT)) $(APDU) $(MODEM) $(filter-out %/tool/main.o,$(TOOL))
SECONDS ?= 60
PCSC_FLAGS := $(if $(filter 1,$(PCSC)),$(shell pkg-config --cflags libpcsclite) -DSIMKEY_PCSC)
# What is fuzzed counts as covered, not the modem and the card that the fuzzer plays.
ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(FUZZ): override CFLAGS += -fno-sanitize=fuzzer-no-link
endif
ON_LINE := modem/port.o modem/deadline.o
ON_PROC := $(patsubst %.c,%.o,$(wildcard apdu/session/rundir.c modem/descriptor.c provider/tool/holders.c))
ON_THREADS := $(if $(filter 1,$(PCSC)),modem/pcsc.o)
$(OUT)/obj/test/fuzz/fuzz_pcsc.o $(OUT)/obj/test/fuzz/replay.o: override CPPFLAGS += $(PCSC_FLAGS)
ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(addprefix $(OUT)/obj/,$(ON_LINE)): override CPPFLAGS += -include test/fuzz/redirect.h
$(addprefix $(OUT)/obj/,$(ON_PROC)): override CPPFLAGS += -include test/fuzz/redirect_proc.h
$(addprefix $(OUT)/obj/,$(ON_THREADS)): override CPPFLAGS += -include test/fuzz/redirect_pcsc.h
endif
$(FUZZERS): $(OUT)/%: $(OUT)/obj/test/fuzz/%.o $(FUZZ_SHARED) $(FUZZED)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lcrypto -lcjson

# All targets in one program that gives them files: their corpora as a test, with any compiler.
REPLAYED := $(FUZZ_TARGETS:$(OUT)/obj/%=$(OUT)/replay/%)
REDIRECTED := $(ON_LINE) $(ON_PROC) $(ON_THREADS)
REPLAY := $(FUZZ_REPLAY) $(REPLAYED) $(FUZZ_SHARED) $(addprefix $(OUT)/replay/,$(REDIRECTED))
$(OUT)/replay/test/fuzz/fuzz_%.o: override CPPFLAGS += $(PCSC_FLAGS) -DLLVMFuzzerTestOneInput=$(subst fuzz_,replay_,$(notdir $*))
$(addprefix $(OUT)/replay/,$(ON_LINE)): override CPPFLAGS += -include test/fuzz/redirect.h
$(addprefix $(OUT)/replay/,$(ON_PROC)): override CPPFLAGS += -include test/fuzz/redirect_proc.h
$(addprefix $(OUT)/replay/,$(ON_THREADS)): override CPPFLAGS += -include test/fuzz/redirect_pcsc.h $(PCSC_FLAGS)
$(OUT)/replay/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/fuzz-replay: $(REPLAY) $(filter-out $(addprefix $(OUT)/obj/,$(REDIRECTED)),$(FUZZED))
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcrypto -lcjson

# What is needed is named before the compiler complains of it.
.PHONY: needed
needed:
	@command -v $(firstword $(CC)) >/dev/null || { echo "simkey: no compiler: $(CC)" >&2; exit 1; }
	@command -v pkg-config >/dev/null || \
		{ echo "simkey: pkg-config is missing; \`make deps\` installs it on Debian and Ubuntu" >&2; exit 1; }
	@missing=; for library in $(NEEDED); do \
		pkg-config --exists "$$library" || missing="$$missing $$library"; done; \
	[ -z "$$missing" ] || { echo "simkey: the development files of these libraries are missing:" \
		"$$missing; \`make deps\` installs them on Debian and Ubuntu" >&2; exit 1; }

OBJECTS := $(sort $(MODEM) $(APDU) $(SAFE2) $(AGENT) $(AGENT_LATE) $(TOOL) $(MODULE) $(TOOL_SHARED) $(SIM) $(UNIT) $(MODEL) $(SIM_SUITES) $(API) $(WORKER) $(MEMORY) $(BENCH) $(USB) $(FUZZ))
$(OBJECTS): | needed

.PHONY: tests usb everything fuzzers
tests: all $(OUT)/unit $(OUT)/port_shim.so $(OUT)/api $(OUT)/worker $(OUT)/memory $(OUT)/memory_fail.so \
	$(if $(filter 1,$(PROVIDER)),$(OUT)/fuzz-replay)
everything: tests $(OUT)/handshake $(USB) $(FUZZ)
usb: all $(OUT)/usb/again $(OUT)/usb/half.so
fuzzers: $(FUZZERS)

.PHONY: deps demo test soak test-faults test-usb fuzz bench bench-readme lint format clean help \
	install uninstall deb test-install test-matrix
deps:
	@sh test/deps.sh

# A second make, because what deps installs was not there when this one read its rules.
demo:
	@sh test/deps.sh demo
	@$(MAKE) --no-print-directory -s -j2 all
	@BUILD=$(OUT) test/e2e/demo.sh

test: deps
	@$(MAKE) --no-print-directory -s -j2 tests
	@sh test/all.sh $(OUT) '$(SANITIZE)'

test-usb:
	@sh test/deps.sh usb
	@$(MAKE) --no-print-directory -s -j2 usb
	@E2E_BUILD=$(OUT) /usr/bin/python3 test/usb/run.py '$(ONLY)'

test-faults: deps
	@$(MAKE) --no-print-directory -s -j2 tests
	@E2E_BUILD=$(OUT) E2E_SANITIZE='$(SANITIZE)' E2E_LIBASAN=$$(gcc -print-file-name=libasan.so) \
		/usr/bin/python3 test/e2e/fault_pairs.py </dev/null
	@$(if $(ONLY),,E2E_FAULTS=iotsafe E2E_BUILD=$(OUT) E2E_SANITIZE='$(SANITIZE)' \
		E2E_LIBASAN=$$(gcc -print-file-name=libasan.so) \
		/usr/bin/python3 test/e2e/run.py '^(faults|iotsafe_pairs): ' </dev/null)

soak: deps
	@$(MAKE) --no-print-directory -s -j2 tests
	@E2E_BUILD=$(OUT) E2E_SANITIZE='$(SANITIZE)' E2E_LIBASAN=$$(gcc -print-file-name=libasan.so) \
		/usr/bin/python3 test/e2e/soak.py </dev/null

# What a handshake costs, see test/bench/run.py. bench-readme prints the summary for test/README.md from
# what the last run left.
bench:
	@sh test/deps.sh bench
	@$(MAKE) --no-print-directory -s -j2 all $(OUT)/handshake
	@E2E_BUILD=$(OUT) /usr/bin/python3 test/bench/run.py $(if $(QUICK),--quick) $(ONLY)

bench-readme:
	@E2E_BUILD=$(OUT) /usr/bin/python3 test/bench/run.py --readme

fuzz:
	@sh test/deps.sh lint
	@$(MAKE) --no-print-directory -s -j2 CC=clang OUT=build/fuzz \
		SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@FULL=$(FULL) sh test/fuzz/run.sh build/fuzz $(SECONDS) $(addprefix fuzz_,$(TARGETS))

lint:
	@sh test/deps.sh lint
	@test/lint.sh

format:
	clang-format -i $(wildcard */*.[ch] */*/*.[ch] */*/*/*.[ch])

# Where what is installed goes. The module goes where OpenSSL looks for modules by itself.
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
MODULESDIR ?= $(shell pkg-config --variable=modulesdir libcrypto 2>/dev/null)
DOCDIR := $(DATADIR)/doc/simkey
EXAMPLES := $(DOCDIR)/examples
COMPLETIONS := $(DATADIR)/bash-completion/completions
PAGES := provider/tool/simkey.1 apdu/safe2/safe2.1 test/sim/simmodem.1 provider/provider-simkey.7 \
	apdu/agent/simkey-agent.8
UNITS := simkey-agent.socket simkey-agent.service
INSTALL ?= install

# All files that are installed but the documents, which have a folder to themselves.
INSTALLED = $(addprefix $(BINDIR)/,simkey safe2 simkey-agent simmodem) $(MODULESDIR)/simkey.so \
	$(foreach page,$(PAGES),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
	$(addprefix $(COMPLETIONS)/,simkey safe2 simmodem) $(TMPFILESDIR)/simkey.conf \
	$(SYSUSERSDIR)/simkey-agent.conf $(addprefix $(UNITDIR)/,$(UNITS))

# Files that are a package's are left to it; with DESTDIR nothing of this system is touched.
.PHONY: not-packaged
not-packaged:
	@[ -n '$(DESTDIR)' ] || sh configs/install/packaged.sh $(INSTALLED) $(DOCDIR)

# The examples name what is installed: OpenSSL finds the module without a `module =` line.
install: not-packaged all
	@[ '$(PROVIDER)' = 1 ] || { echo "simkey: PROVIDER=0 builds safe2 alone, which is one file:" \
		"copy $(OUT)/safe2" >&2; exit 1; }
	@[ -n '$(MODULESDIR)' ] || { echo "simkey: pkg-config does not know OpenSSL's modules directory;" \
		"give MODULESDIR=..." >&2; exit 1; }
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MODULESDIR) $(DESTDIR)$(EXAMPLES) \
		$(DESTDIR)$(COMPLETIONS) $(DESTDIR)$(TMPFILESDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 755 $(OUT)/simkey $(OUT)/safe2 $(OUT)/simkey-agent $(OUT)/simmodem $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(OUT)/simkey.so $(DESTDIR)$(MODULESDIR)
	for page in $(PAGES); do $(INSTALL) -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.} || exit; done
	for tool in simkey safe2 simmodem; do \
		$(INSTALL) -m 644 configs/install/completion.bash $(DESTDIR)$(COMPLETIONS)/$$tool || exit; done
	$(INSTALL) -m 644 configs/install/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/simkey.conf
	$(INSTALL) -m 644 configs/agent/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/simkey-agent.conf
	for unit in $(UNITS); do sed 's|^# /etc/systemd/system/[^:]*: |# |; s|/usr/local/bin/|$(BINDIR)/|' configs/agent/$$unit \
		>$(DESTDIR)$(UNITDIR)/$$unit && chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit; done
	for file in README.md provider/README.md test/README.md; do \
		$(INSTALL) -d $(DESTDIR)$(DOCDIR)/$$(dirname $$file) && \
		sed 's|(configs/|(examples/|g; s|(../configs/|(../examples/|g' $$file >$(DESTDIR)$(DOCDIR)/$$file && \
		chmod 644 $(DESTDIR)$(DOCDIR)/$$file || exit; done
	cd configs && for file in $$(find . -path ./debian -prune -o -path ./install -prune -o -type f -print); do \
		mode=644; [ ! -x $$file ] || mode=755; \
		$(INSTALL) -d $(DESTDIR)$(EXAMPLES)/$${file%/*} && \
		sed 's|^# module = /opt/simkey/.*|# module = $(MODULESDIR)/simkey.so|; s|/usr/local/bin/|$(BINDIR)/|' \
			$$file >$(DESTDIR)$(EXAMPLES)/$$file && chmod $$mode $(DESTDIR)$(EXAMPLES)/$$file || exit; done
	@# now, and not only at the next start: root's first use would make a run-dir that only root can read
	@[ -n '$(DESTDIR)' ] || ! command -v systemd-tmpfiles >/dev/null || \
		systemd-tmpfiles --create $(TMPFILESDIR)/simkey.conf || :

# All that install puts there, and those of its folders that are empty then.
uninstall: not-packaged
	@[ -n '$(MODULESDIR)' ] || { echo "simkey: give the MODULESDIR=... of the installation" >&2; exit 1; }
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)/run/simkey $(DESTDIR)/var/lib/simkey
	for folder in $(COMPLETIONS) $(dir $(COMPLETIONS)) $(TMPFILESDIR) $(SYSUSERSDIR) $(UNITDIR) $(dir $(UNITDIR)) $(dir $(DOCDIR)) $(MANDIR)/man1 $(MANDIR)/man7 $(MANDIR)/man8; do \
		rmdir $(DESTDIR)$$folder 2>/dev/null || :; done

# Debian packages, into build/deb/.
deb:
	@sh test/deps.sh deb
	@sh configs/debian/build.sh

# The packages in fresh systems (debootstrap, root), through the documents' words: SUITE=trixie for another.
test-install:
	@sh test/deps.sh chroot
	@test/chroot/install.sh $(or $(SUITE),bookworm)

# Builds and tests in fresh systems with other OpenSSLs: CELLS="sid i386" for some.
test-matrix:
	@sh test/deps.sh chroot
	@test/chroot/matrix.sh $(CELLS)

clean:
	rm -rf build

help:
	@echo "make                  builds simkey.so, simkey, safe2, simkey-agent and simmodem into build/"
	@echo "make deps             installs what building and testing need (Debian, Ubuntu)"
	@echo "make demo             mutual TLS with a key in a simulated SIM, explained"
	@echo "make test             all tests; ONLY=unit or ONLY=PATTERN: a part of them"
	@echo "                      SEED=n ONLY=unit: the model test's walks from that one on; STEPS=n of them"
	@echo "                      FAULT_REPORT=FILE: keeps the table of the fault matrix"
	@echo "make test-faults      random pairs of faults; PAIRS=n (200), SEED=n repeats a run; then every fault with"
	@echo "                      a key of IoT SAFE, and all pairs of the ways of its cards"
	@echo "make soak             10,000 signatures of 8 processes that are killed, stopped, forked and"
	@echo "                      disturbed; SIGNATURES=n, SEED=n repeats a run"
	@echo "make PCSC=0           builds without PC/SC even if libpcsclite is there"
	@echo "make PROVIDER=0       builds only safe2, without OpenSSL"
	@echo "make SANITIZE=address,undefined test   the same with sanitizers"
	@echo "make test-usb         the cable is pulled out: a USB port in a guest of QEMU; ONLY=PATTERN"
	@echo "make bench            what a handshake costs, into build/bench; QUICK=1: in a minute or two"
	@echo "make bench-readme     the summary of the last bench, for test/README.md"
	@echo "make fuzz             all fuzz targets; SECONDS=n: so long each (60), or FULL=1: 200,000"
	@echo "                      sessions and a million inputs of each other target; TARGETS=\"...\""
	@echo "make lint             layout, warnings, static analysis"
	@echo "make format           lays out all C files"
	@echo "make install          into PREFIX (/usr/local) and OpenSSL's modules directory; DESTDIR=DIR"
	@echo "make uninstall        takes it away again"
	@echo "make deb              Debian packages, into build/deb/"
	@echo "make test-install     installs them in fresh chroots; SUITE=trixie (bookworm)"
	@echo "make test-matrix      builds and tests in chroots of other Debians, with other OpenSSLs;"
	@echo "                      CELLS=\"sid i386\": some of them"
	@echo "make clean            removes build/"

-include $(shell find $(OUT)/obj $(OUT)/small $(OUT)/replay -name '*.d' 2>/dev/null)
