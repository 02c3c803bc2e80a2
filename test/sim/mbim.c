/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM messages, and the services Basic Connect and its extensions, see mbim.h. */
#include "test/sim/mbim.h"

#include <string.h>

enum { OPEN = 1, CLOSE = 2, COMMAND = 3, ERROR = 4, INDICATE = 7 };
#define DONE         0x80000000u
#define CUT          1 /* function errors: the rest of a cut message is not waited for */
#define LENGTH       3
#define NOT_OPENED   5
#define VERSION_3    0x0300u
#define FLAGS_OF_SIM 1u /* MBIMEx 3: PIN1 is off */

static const uint8_t basic[] = {0xA2, 0x89, 0xCC, 0x33, 0xBC, 0xBB, 0x8B, 0x4F,
                                0xB6, 0xB0, 0x13, 0x3E, 0xC2, 0xAA, 0xE6, 0xDF};
static const uint8_t uicc[] = {0xC2, 0xF6, 0x58, 0x8E, 0xF0, 0x37, 0x4B, 0xC9,
                               0x86, 0x65, 0xF4, 0xD4, 0x4B, 0xD0, 0x93, 0x67};
static const uint8_t extended[] = {0x3D, 0x01, 0xDC, 0xC5, 0xFE, 0xF5, 0x4D, 0x05,
                                   0x0D, 0x3A, 0xBE, 0xF7, 0x05, 0x8E, 0x9A, 0xAF};

static uint32_t number(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t mbim_value(const struct mbim_command *c, size_t at)
{
    return at + 4 <= c->size ? number(c->buffer + at) : 0;
}

void add32(struct bytes *b, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes_add8(b, value >> 8 * i & 0xFF);
}

void mbim_pad(struct bytes *b)
{
    while (b->size % 4 != 0)
        bytes_add8(b, 0);
}

/* ---- messages out ---- */

static struct bytes head(uint32_t type, uint32_t transaction, uint32_t size)
{
    struct bytes b = {0};

    add32(&b, type);
    add32(&b, size);
    add32(&b, transaction);
    return b;
}

static void say_word(struct device *d, uint32_t type, uint32_t transaction, uint32_t word)
{
    struct bytes b = head(DONE | type, transaction, 16);

    add32(&b, word);
    device_say(d, &b);
}

/* A radio state, which each client is told. */
static struct bytes foreign(void)
{
    struct bytes b = head(DONE | INDICATE, 0, 52);

    add32(&b, 1);
    add32(&b, 0);
    bytes_add(&b, basic, sizeof basic);
    add32(&b, 3);
    add32(&b, 8);
    add32(&b, 1);
    add32(&b, 1);
    return b;
}

static void answer(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    struct bytes b, other;

    if (a->silent) {
        bytes_free(&a->buffer);
        return;
    }
    b = head(DONE | COMMAND, c->transaction, 48 + (uint32_t)a->buffer.size);
    add32(&b, 1);
    add32(&b, 0);
    bytes_add(&b, c->uuid, 16);
    add32(&b, c->number);
    add32(&b, a->status);
    add32(&b, (uint32_t)a->buffer.size);
    bytes_add(&b, a->buffer.data, a->buffer.size);
    bytes_free(&a->buffer);
    if (device_fault(d, FAULT_TOGETHER)) {
        other = foreign();
        bytes_add(&b, other.data, other.size);
        bytes_free(&other);
    } else if (device_fault(d, FAULT_INDICATIONS)) {
        other = foreign();
        device_say(d, &other);
    }
    if (a->sim)
        device_say_later(d, &b, a->ms);
    else
        device_say(d, &b);
    if (device_fault(d, FAULT_INDICATIONS)) {
        other = foreign();
        device_say_later(d, &other, 0);
    }
}

static void restarted(struct device *d)
{
    (void)d; /* it is not opened any more, and says so when it is asked */
}

/* ---- Basic Connect ---- */

/* A text's place, and the text itself in the part behind all places, which begins at base. */
static void add_text(struct bytes *places, struct bytes *texts, size_t base, const char *text)
{
    add32(places, (uint32_t)(base + texts->size));
    add32(places, (uint32_t)(2 * strlen(text)));
    for (; *text != '\0'; text++) {
        bytes_add8(texts, (uint8_t)*text);
        bytes_add8(texts, 0);
    }
    mbim_pad(texts);
}

static void device_caps(const struct device *d, struct mbim_answer *a)
{
    static const uint32_t caps[] = {2, 1, 1, 2, 0x3F, 3, 1, 8};
    struct bytes texts = {0};

    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        add32(&a->buffer, caps[i]);
    add32(&a->buffer, 0);
    add32(&a->buffer, 0);
    add_text(&a->buffer, &texts, 64, d->options->imei);
    add_text(&a->buffer, &texts, 64, "1.0");
    add_text(&a->buffer, &texts, 64, "simmodem");
    bytes_add(&a->buffer, texts.data, texts.size);
    bytes_free(&texts);
}

static void ready_status(const struct device *d, struct mbim_answer *a)
{
    const bool absent = d->options->no_sim || d->absent, flags = d->extended >= VERSION_3;
    const size_t base = flags ? 32 : 28;
    struct bytes texts = {0};

    add32(&a->buffer, absent ? 2 : 1);
    if (flags)
        add32(&a->buffer, FLAGS_OF_SIM);
    if (absent) {
        for (int i = 0; i < 4; i++)
            add32(&a->buffer, 0);
    } else {
        add_text(&a->buffer, &texts, base, "001010123456789");
        add_text(&a->buffer, &texts, base, d->uicc->card->iccid);
    }
    add32(&a->buffer, 0);
    add32(&a->buffer, 0);
    bytes_add(&a->buffer, texts.data, texts.size);
    bytes_free(&texts);
}

static void register_state(struct mbim_answer *a)
{
    static const uint32_t state[] = {0, 3, 1, 0x20, 1}; /* home, automatic, LTE, packet */

    for (size_t i = 0; i < sizeof state / sizeof *state; i++)
        add32(&a->buffer, state[i]);
    for (int i = 0; i < 7; i++) /* no texts, no flags */
        add32(&a->buffer, 0);
}

static void add_service(struct bytes *b, const uint8_t *uuid, uint32_t commands)
{
    bytes_add(b, uuid, 16);
    add32(b, 0);
    add32(b, 0);
    add32(b, commands);
    for (uint32_t i = 1; i <= commands; i++)
        add32(b, i);
}

static void device_services(const struct device *d, struct mbim_answer *a)
{
    const uint8_t *const uuids[] = {basic, extended, uicc};
    const size_t count = device_fault(d, FAULT_NO_SERVICE) ? 2 : 3;
    struct bytes services = {0};

    add32(&a->buffer, (uint32_t)count);
    add32(&a->buffer, 0);
    for (size_t i = 0; i < count; i++) {
        add32(&a->buffer, (uint32_t)(8 + 8 * count + services.size));
        add32(&a->buffer, 16 + 12 + 4 * 4);
        add_service(&services, uuids[i], 4);
    }
    bytes_add(&a->buffer, services.data, services.size);
    bytes_free(&services);
}

static void basic_connect(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    switch (c->number) {
    case 1:
        device_caps(d, a);
        return;
    case 2:
        ready_status(d, a);
        return;
    case 9:
        register_state(a);
        return;
    case 16:
        device_services(d, a);
        return;
    case 19: /* the list of who is told what: as it was given */
        bytes_add(&a->buffer, c->buffer, c->size);
        return;
    default:
        a->status = STATUS_SUPPORT;
    }
}

/* The slots, and the version of the extensions, which all clients share. */
static void extensions(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    if (c->number == 7 && d->options->slots > 0 && !device_fault(d, FAULT_NO_SLOTS)) {
        add32(&a->buffer, 1);
        add32(&a->buffer, 12);
        add32(&a->buffer, 4);
        add32(&a->buffer, (uint32_t)d->options->slot - 1);
    } else if (c->number == 15 && c->size >= 4) {
        d->extended = VERSION_3;
        add32(&a->buffer, 0x0100 | VERSION_3 << 16);
    } else {
        a->status = STATUS_SUPPORT;
    }
}

/* ---- messages in ---- */

static void serve(struct device *d, const struct mbim_command *c)
{
    struct mbim_answer a = {0};

    if (memcmp(c->uuid, basic, 16) == 0)
        basic_connect(d, c, &a);
    else if (memcmp(c->uuid, extended, 16) == 0)
        extensions(d, c, &a);
    else if (memcmp(c->uuid, uicc, 16) == 0 && !device_fault(d, FAULT_NO_SERVICE))
        mbim_uicc(d, c, &a);
    else
        a.status = STATUS_SUPPORT;
    answer(d, c, &a);
}

static size_t take(struct device *d, const uint8_t *data, size_t size)
{
    struct mbim_command c = {0};
    uint32_t type, length;

    if (size < 12)
        return 0;
    type = number(data);
    length = number(data + 4);
    c.transaction = number(data + 8);
    if (type < OPEN || type > ERROR || length < 12 || length > 65536)
        return 1;
    if (size < length)
        return 0;
    if (type == OPEN) {
        d->opened = true;
        trace_note(d->trace, "mbim open");
        say_word(d, OPEN, c.transaction, 0);
    } else if (type == CLOSE) {
        d->opened = false;
        trace_note(d->trace, "mbim close");
        say_word(d, CLOSE, c.transaction, 0);
    } else if (!d->opened) {
        say_word(d, ERROR, c.transaction, NOT_OPENED);
    } else if (type == COMMAND && length >= 20 && number(data + 12) != 1) {
        say_word(d, ERROR, c.transaction, CUT);
    } else if (type == COMMAND && (length < 48 || number(data + 44) != length - 48)) {
        say_word(d, ERROR, c.transaction, LENGTH);
    } else if (type == COMMAND) {
        c.uuid = data + 20;
        c.number = number(data + 36);
        c.set = number(data + 40) == 1;
        c.buffer = data + 48;
        c.size = length - 48;
        serve(d, &c);
    }
    return length;
}

const struct protocol mbim_protocol = {.take = take, .restarted = restarted};
