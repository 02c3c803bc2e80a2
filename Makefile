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
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
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
	$(CC) $(LDFLAGS) -o $@ $^ -lcrypto -lz

$(OUT)/unit: $(UNIT) $(MODULE) $(APDU) $(MODEM)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcrypto -lcunit

$(OUT)/port_shim.so: test/unit/port_shim.c Makefile
	$(CC) -I. -D_GNU_SOURCE -O2 -g -std=c11 $(WARNINGS) -fPIC -shared -o $@ $<

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
