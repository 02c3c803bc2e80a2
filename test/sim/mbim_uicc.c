/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM's low level access to the UICC, see mbim.h. */
#include "test/sim/mbim.h"

#include <string.h>

#define AID_MAX  32
#define APDU_MAX 261

/* SW1 is the first byte of a status. */
static void add_word(struct bytes *b, unsigned sw)
{
    add32(b, (sw >> 8 & 0xFF) | (sw & 0xFF) << 8);
}

static void open_channel(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    const struct faults *f = &d->options->faults;
    const uint32_t size = mbim_value(c, 0), offset = mbim_value(c, 4), p2 = mbim_value(c, 8);
    struct bytes answer = {0};
    unsigned channel = 0, sw = 0;

    if (c->size < 16 || size > AID_MAX || offset > c->size || size > c->size - offset ||
        p2 > 0xFF) {
        a->status = STATUS_PARAMETERS;
        return;
    }
    if (device_fault(d, FAULT_OPEN_DENIED)) {
        a->status = STATUS_DENIED;
        return;
    }
    if (f->on[FAULT_SELECT_P2] && (long)p2 != f->arg[FAULT_SELECT_P2])
        a->status = STATUS_SELECT; /* for a reason of the modem's own, without a word of the card */
    else
        a->ms += device_open_channel(d, c->buffer + offset, size, p2, &channel, &sw, &answer);
    if (channel == 0 && a->status == 0)
        a->status = sw == 0x6A81 ? STATUS_CHANNELS : STATUS_SELECT;
    if (channel != 0)
        d->channels[channel].group = mbim_value(c, 12);
    add_word(&a->buffer, sw);
    add32(&a->buffer, channel);
    add32(&a->buffer, (uint32_t)answer.size);
    add32(&a->buffer, answer.size > 0 ? 16 : 0);
    bytes_add(&a->buffer, answer.data, answer.size);
    mbim_pad(&a->buffer);
    bytes_free(&answer);
}

/* One of the group's, or all of them. */
static void close_channel(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    const uint32_t channel = mbim_value(c, 0), group = mbim_value(c, 4);
    unsigned sw = 0x9000;

    if (channel >= UICC_CHANNELS ||
        (channel > 0 && (!d->channels[channel].open || d->channels[channel].group != group))) {
        a->status = STATUS_CHANNEL;
        return;
    }
    for (unsigned i = 1; i < UICC_CHANNELS; i++)
        if (d->channels[i].open && d->channels[i].group == group && (channel == 0 || channel == i))
            a->ms += device_close_channel(d, i, &sw);
    add_word(&a->buffer, sw);
}

/* The class as the modem builds it: by the type and the channel alone. */
static uint8_t built(uint32_t type, unsigned channel)
{
    return device_class(channel, type == 1 ? 0x80 : 0x00);
}

static bool wants_le(const struct device *d, const uint8_t *command, size_t size)
{
    return device_fault(d, FAULT_NEED_LE) && (size == 4 || (size > 5 && size == 5u + command[4]));
}

static void pass_apdu(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    const uint32_t channel = mbim_value(c, 0), type = mbim_value(c, 8);
    const uint32_t size = mbim_value(c, 12), offset = mbim_value(c, 16);
    uint8_t command[APDU_MAX];
    struct bytes answer = {0};
    unsigned sw;

    if (size < 4 || size > APDU_MAX || offset > c->size || size > c->size - offset || type > 1) {
        a->status = STATUS_PARAMETERS;
        return;
    }
    if (channel == 0 || channel >= UICC_CHANNELS || !d->channels[channel].open) {
        a->status = STATUS_CHANNEL;
        return;
    }
    memcpy(command, c->buffer + offset, size);
    if (device_fault(d, FAULT_BUILD_CLASS))
        command[0] = built(type, channel);
    else if (device_fault(d, FAULT_SWAP_CLASS))
        command[0] = built(!type, channel);
    /* the modem does GET RESPONSE, as it is written */
    a->ms += device_apdu(d, SOURCE_CGLA, command, size, !device_fault(d, FAULT_NO_FETCH), &answer);
    sw = (unsigned)answer.data[answer.size - 2] << 8 | answer.data[answer.size - 1];
    answer.size -= 2;
    if (wants_le(d, command, size))
        answer.size = 0;
    add_word(&a->buffer, sw);
    add32(&a->buffer, (uint32_t)answer.size);
    add32(&a->buffer, answer.size > 0 ? 12 : 0);
    bytes_add(&a->buffer, answer.data, answer.size);
    mbim_pad(&a->buffer);
    explicit_bzero(command, sizeof command);
    bytes_free(&answer);
}

static void tell_atr(struct mbim_answer *a)
{
    static const uint8_t atr[] = {0x3B, 0x9F, 0x96, 0x80};

    add32(&a->buffer, sizeof atr);
    add32(&a->buffer, 8);
    bytes_add(&a->buffer, atr, sizeof atr);
}

void mbim_uicc(struct device *d, const struct mbim_command *c, struct mbim_answer *a)
{
    static const uint32_t statuses[] = {[BEFALLS_BUSY] = STATUS_BUSY,
                                        [BEFALLS_FAILURE] = STATUS_FAILURE,
                                        [BEFALLS_NO_SIM] = STATUS_NO_SIM};
    static const char *const names[] = {"", "", "OPEN", "CLOSE", "APDU"};
    const size_t size = c->number == 4 && c->size > 20 ? mbim_value(c, 12) : 0;
    enum befalls befalls;
    long n;

    if (c->number == 1) {
        tell_atr(a);
        return;
    }
    if (c->number < 2 || c->number > 4) {
        a->status = STATUS_SUPPORT;
        return;
    }
    a->sim = true;
    befalls =
        device_before(d, &n, names[c->number], c->buffer + 20, size <= c->size - 20 ? size : 0);
    a->silent = befalls == BEFALLS_SILENCE;
    if (befalls != BEFALLS_NOTHING) {
        a->status = a->silent ? 0 : statuses[befalls];
        return;
    }
    a->ms = device_late(d, n);
    if (c->number == 2)
        open_channel(d, c, a);
    else if (c->number == 3)
        close_channel(d, c, a);
    else
        pass_apdu(d, c, a);
    device_after(d, n);
}
