/* SPDX-License-Identifier: Apache-2.0 */
/* QMI's service UIM: the card, its channels, its APDUs, see qmi.h. */
#include "test/sim/qmi.h"

#include <string.h>

static unsigned status_of(const struct bytes *answer)
{
    return (unsigned)answer->data[answer->size - 2] << 8 | answer->data[answer->size - 1];
}

static void add_word(struct qmi_answer *a, unsigned type, unsigned sw)
{
    const uint8_t word[] = {(uint8_t)(sw >> 8), (uint8_t)sw};

    qmi_add(&a->parts, type, word, sizeof word);
}

/* The slot of a request, which is a logical one: there is one. */
static bool good_slot(const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size;
    const uint8_t *slot = qmi_part(r, 0x01, 1, &size);

    if (slot == NULL)
        a->error = ERROR_MISSING;
    else if (slot[0] != 1)
        a->error = ERROR_ARGUMENT;
    return a->error == 0;
}

/* ---- channels ---- */

static void open_channel(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    static const uint8_t selects[] = {0x0C, 0x04, 0x00}; /* P2 of SELECT: nothing, FCP, FCI */
    size_t size, ignored;
    const uint8_t *aid = qmi_part(r, 0x10, 1, &size);
    const uint8_t *wanted = qmi_part(r, 0x11, 1, &ignored);
    struct bytes answer = {0}, value = {0};
    unsigned channel, sw;
    uint8_t number;

    if (!good_slot(r, a))
        return;
    if (device_fault(d, FAULT_OPEN_DENIED)) {
        a->error = ERROR_DENIED;
        return;
    }
    if ((aid != NULL && (aid[0] > 32 || aid[0] + 1u != size)) ||
        (wanted != NULL && wanted[0] >= sizeof selects)) {
        a->error = ERROR_ARGUMENT;
        return;
    }
    a->ms +=
        device_open_channel(d, aid != NULL ? aid + 1 : NULL, aid != NULL ? aid[0] : 0,
                            wanted != NULL ? selects[wanted[0]] : 0x00, &channel, &sw, &answer);
    if (channel == 0) {
        a->error = sw == 0x6A81 ? ERROR_RESOURCES : ERROR_STATE;
        add_word(a, 0x11, sw);
        bytes_free(&answer);
        return;
    }
    number = (uint8_t)channel;
    qmi_add(&a->parts, 0x10, &number, 1);
    add_word(a, 0x11, sw);
    if (answer.size > 0 && answer.size < 256) {
        bytes_add8(&value, (unsigned)answer.size);
        bytes_add(&value, answer.data, answer.size);
        qmi_add(&a->parts, 0x12, value.data, value.size);
    }
    bytes_free(&value);
    bytes_free(&answer);
}

/* An older open too, but nobody uses it. */
static void logical_channel(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size;
    const uint8_t *channel = qmi_part(r, 0x11, 1, &size);
    unsigned sw;

    if (!good_slot(r, a))
        return;
    if (channel == NULL) {
        a->error = ERROR_MISSING;
        return;
    }
    if (channel[0] == 0 || channel[0] >= UICC_CHANNELS || !d->channels[channel[0]].open) {
        a->error = ERROR_HANDLE;
        return;
    }
    a->ms += device_close_channel(d, channel[0], &sw);
    if (sw != 0x9000)
        a->error = ERROR_INTERNAL;
}

/* ---- APDUs ---- */

/* The answer at once, or its length and a token. */
static void deliver(struct device *d, const struct qmi_request *r, const struct bytes *answer,
                    struct qmi_answer *a)
{
    const struct faults *f = &d->options->faults;
    struct bytes value = {0};

    if (f->on[FAULT_LONG_ANSWER] && answer->size > (size_t)f->arg[FAULT_LONG_ANSWER]) {
        d->tokens++;
        d->rest_client = r->client;
        bytes_add(&d->rest, answer->data, answer->size);
        le16(&value, (unsigned)answer->size);
        le32(&value, d->tokens);
        qmi_add(&a->parts, 0x11, value.data, value.size);
    } else {
        le16(&value, (unsigned)answer->size);
        bytes_add(&value, answer->data, answer->size);
        qmi_add(&a->parts, 0x10, value.data, value.size);
    }
    bytes_free(&value);
}

void qmi_uim_follow(struct device *d)
{
    const size_t most = (size_t)d->options->faults.arg[FAULT_LONG_ANSWER];

    for (size_t at = 0; at < d->rest.size; at += most) {
        size_t left = d->rest.size - at, part = left < most ? left : most;
        struct bytes value = {0}, parts = {0};

        le32(&value, d->tokens);
        le16(&value, (unsigned)d->rest.size);
        le16(&value, (unsigned)at);
        le16(&value, (unsigned)part);
        bytes_add(&value, d->rest.data + at, part);
        qmi_add(&parts, 0x01, value.data, value.size);
        bytes_free(&value);
        qmi_indicate(d, 0x0B, d->rest_client, 0x003B, &parts);
    }
    bytes_free(&d->rest);
    d->rest = (struct bytes){0};
}

/* Without Le some modems hand over no data. */
static bool wants_le(const struct device *d, const uint8_t *command, size_t size)
{
    return device_fault(d, FAULT_NEED_LE) && (size == 4 || (size > 5 && size == 5u + command[4]));
}

static void send_apdu(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size, ignored, given;
    const uint8_t *apdu = qmi_part(r, 0x02, 2 + 4, &size);
    const uint8_t *channel = qmi_part(r, 0x10, 0, &given);
    const uint8_t *procedure = qmi_part(r, 0x11, 1, &ignored);
    const unsigned number = channel != NULL && given > 0 ? channel[0] : 0;
    uint8_t command[261];
    struct bytes answer = {0};

    if (!good_slot(r, a))
        return;
    if (apdu == NULL || size - 2 > sizeof command || (channel != NULL && given == 0) ||
        size - 2 != (size_t)(apdu[0] | (unsigned)apdu[1] << 8) ||
        (procedure != NULL && device_fault(d, FAULT_NO_PROCEDURE))) {
        a->error = ERROR_ARGUMENT;
        return;
    }
    if (number > 0 && (number >= UICC_CHANNELS || !d->channels[number].open)) {
        a->error = ERROR_HANDLE;
        return;
    }
    memcpy(command, apdu + 2, size - 2);
    if (device_fault(d, FAULT_BUILD_CLASS))
        command[0] = device_class(number, command[0]);
    a->ms +=
        device_apdu(d, SOURCE_CGLA, command, size - 2,
                    d->options->get_response || procedure == NULL || procedure[0] == 1, &answer);
    if (answer.size > 2 && wants_le(d, command, size - 2)) {
        unsigned sw = status_of(&answer);

        answer.size = 0;
        bytes_add16(&answer, sw);
    }
    deliver(d, r, &answer, a);
    explicit_bzero(command, sizeof command);
    bytes_free(&answer);
}

/* ---- the card ---- */

/* EF.ICCID is the only file that is read so: all of it, or from an offset so many bytes. */
static void read_transparent(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size;
    const uint8_t *file = qmi_part(r, 0x02, 2, &size), *range = qmi_part(r, 0x03, 4, &size);
    const size_t from = range != NULL ? range[0] | (size_t)range[1] << 8 : 0;
    size_t length = range != NULL ? range[2] | (size_t)range[3] << 8 : 0;
    struct bytes data = {0}, value = {0};
    unsigned sw;

    if (file == NULL) {
        a->error = ERROR_MISSING;
        return;
    }
    sw = device_read_file(d, file[0] | (unsigned)file[1] << 8, &data);
    if (sw == 0x9000 && from > data.size)
        sw = 0x6B00;
    add_word(a, 0x10, sw);
    if (sw == 0x9000) {
        if (length == 0 || length > data.size - from)
            length = data.size - from;
        le16(&value, (unsigned)length);
        bytes_add(&value, data.data + from, length);
        qmi_add(&a->parts, 0x11, value.data, value.size);
    } else {
        a->error = 80; /* SIM file not found */
    }
    bytes_free(&value);
    bytes_free(&data);
}

/* One card with a USIM, which is ready or waits for PIN1. */
static void card_status(const struct device *d, struct qmi_answer *a)
{
    static const uint8_t index[] = {0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1};
    const bool absent = d->options->no_sim || d->absent;
    const struct pin *pin = &d->uicc->card->pins[PIN_UICC1];
    struct bytes b = {0};

    bytes_add(&b, index, sizeof index);
    bytes_add8(&b, absent ? 0 : 1);
    bytes_add8(&b, 3);
    bytes_add8(&b, 0);
    bytes_add8(&b, 0);
    bytes_add8(&b, absent ? 1 : 0);
    bytes_add8(&b, absent ? 0 : 1);
    if (!absent) {
        bytes_add8(&b, 2); /* USIM */
        bytes_add8(&b, 7); /* ready */
        bytes_add8(&b, 2); /* personalisation: ready */
        bytes_add8(&b, 0);
        bytes_add8(&b, 0);
        bytes_add8(&b, 0);
        bytes_add8(&b, (unsigned)usim_applet.aid_size);
        bytes_add(&b, usim_applet.aid, usim_applet.aid_size);
        bytes_add8(&b, 0);
        bytes_add8(&b, 3); /* PIN1 is not asked for by the network */
        bytes_add8(&b, pin->tries);
        bytes_add8(&b, 10);
        bytes_add8(&b, 1);
        bytes_add8(&b, 3);
        bytes_add8(&b, 10);
    }
    qmi_add(&a->parts, 0x10, b.data, b.size);
    bytes_free(&b);
}

static void slot_status(const struct device *d, struct qmi_answer *a)
{
    const long slots = d->options->slots > 0 ? d->options->slots : 1;
    struct bytes b = {0}, more = {0}, eids = {0};

    if (device_fault(d, FAULT_NO_SLOTS)) {
        a->error = ERROR_SUPPORT;
        return;
    }
    bytes_add8(&b, (unsigned)slots);
    bytes_add8(&more, (unsigned)slots);
    bytes_add8(&eids, (unsigned)slots);
    for (long i = 1; i <= slots; i++) {
        const bool active = i == d->options->slot, absent = d->options->no_sim || d->absent;

        le32(&b, absent ? 1 : 2);
        le32(&b, active);
        bytes_add8(&b, active ? 1 : 0);
        bytes_add8(&b, active && !absent ? 10 : 0);
        if (active && !absent)
            bytes_add(&b, d->uicc->card->ef_iccid, 10);
        le32(&more, 2); /* UICC */
        bytes_add8(&more, 1);
        bytes_add8(&more, 0); /* no ATR */
        bytes_add8(&more, 0);
        bytes_add8(&eids, 0);
    }
    qmi_add(&a->parts, 0x12, eids.data, eids.size);
    qmi_add(&a->parts, 0x11, more.data, more.size);
    qmi_add(&a->parts, 0x10, b.data, b.size);
    bytes_free(&b);
    bytes_free(&more);
    bytes_free(&eids);
}

static void get_atr(struct qmi_answer *a)
{
    static const uint8_t atr[] = {4, 0x3B, 0x9F, 0x96, 0x80};

    qmi_add(&a->parts, 0x10, atr, sizeof atr);
}

/* Those that reach the SIM, and are counted. */
static void sim_message(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    static const unsigned errors[] = {[BEFALLS_BUSY] = ERROR_NOT_READY,
                                      [BEFALLS_FAILURE] = ERROR_INTERNAL,
                                      [BEFALLS_NO_SIM] = ERROR_NO_SIM};
    const char *what = r->id == 0x003B   ? "APDU"
                       : r->id == 0x003F ? "CLOSE"
                       : r->id == 0x0042 ? "OPEN"
                                         : "ICCID";
    size_t size = 0;
    const uint8_t *apdu = r->id == 0x003B ? qmi_part(r, 0x02, 2, &size) : NULL;
    long n;
    enum befalls befalls =
        device_before(d, &n, what, apdu != NULL ? apdu + 2 : NULL, apdu != NULL ? size - 2 : 0);

    a->silent = befalls == BEFALLS_SILENCE;
    if (d->clients[r->client].service != r->service && !a->silent) {
        a->error = ERROR_CLIENT;
        return;
    }
    if (befalls != BEFALLS_NOTHING) {
        a->error = a->silent ? 0 : errors[befalls];
        return;
    }
    a->ms = device_late(d, n);
    if (r->id == 0x003B)
        send_apdu(d, r, a);
    else if (r->id == 0x003F)
        logical_channel(d, r, a);
    else if (r->id == 0x0042)
        open_channel(d, r, a);
    else
        read_transparent(d, r, a);
    device_after(d, n);
}

void qmi_uim(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size;
    const uint8_t *mask = qmi_part(r, 0x01, 4, &size);

    switch (r->id) {
    case 0x0000:
        return;
    case 0x0020:
    case 0x003B:
    case 0x003F:
    case 0x0042:
        sim_message(d, r, a);
        return;
    case 0x002E:
        if (mask == NULL)
            a->error = ERROR_MISSING;
        else
            qmi_add(&a->parts, 0x10, mask, 4);
        return;
    case 0x002F:
        card_status(d, a);
        return;
    case 0x0041:
        get_atr(a);
        return;
    case 0x0047:
        slot_status(d, a);
        return;
    default:
        a->error = ERROR_COMMAND;
    }
}
