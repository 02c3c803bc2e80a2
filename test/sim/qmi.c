/* SPDX-License-Identifier: Apache-2.0 */
/* QMI frames, client ids, and what the modem tells of itself, see qmi.h. */
#include "test/sim/qmi.h"

#include <string.h>

#define SERVICES 4

static const struct {
    unsigned id, major, minor;
} services[SERVICES] = {{0x00, 1, 5}, {0x02, 1, 14}, {0x03, 1, 25}, {0x0B, 1, 46}};

void le16(struct bytes *b, unsigned value)
{
    bytes_add8(b, value & 0xFF);
    bytes_add8(b, value >> 8 & 0xFF);
}

void le32(struct bytes *b, uint32_t value)
{
    le16(b, value & 0xFFFF);
    le16(b, value >> 16);
}

static unsigned number(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

void qmi_add(struct bytes *b, unsigned type, const void *value, size_t size)
{
    bytes_add8(b, type);
    le16(b, (unsigned)size);
    bytes_add(b, value, size);
}

const uint8_t *qmi_part(const struct qmi_request *r, unsigned type, size_t least, size_t *size)
{
    for (size_t at = 0; at + 3 <= r->size; at += 3 + number(r->parts + at + 1)) {
        *size = number(r->parts + at + 1);
        if (at + 3 + *size > r->size)
            break;
        if (r->parts[at] == type)
            return *size >= least ? r->parts + at + 3 : NULL;
    }
    *size = 0;
    return NULL;
}

/* ---- messages out ---- */

static struct bytes frame(const struct qmi_request *r, unsigned kind, const struct bytes *parts)
{
    const bool ctl = r->service == 0;
    struct bytes b = {0};

    bytes_add8(&b, 0x01);
    le16(&b, (ctl ? 11u : 12u) + (unsigned)parts->size);
    bytes_add8(&b, 0x80);
    bytes_add8(&b, r->service);
    bytes_add8(&b, r->client);
    bytes_add8(&b, ctl ? kind : 2 * kind); /* 1 and 2, or 2 and 4 */
    if (ctl)
        bytes_add8(&b, r->transaction);
    else
        le16(&b, r->transaction);
    le16(&b, r->id);
    le16(&b, (unsigned)parts->size);
    bytes_add(&b, parts->data, parts->size);
    return b;
}

static struct bytes indication(unsigned service, unsigned client, unsigned id,
                               const struct bytes *parts)
{
    const struct qmi_request head = {.service = service, .client = client, .id = id};

    return frame(&head, 2, parts);
}

void qmi_indicate(struct device *d, unsigned service, unsigned client, unsigned id,
                  struct bytes *parts)
{
    struct bytes b = indication(service, client, id, parts);

    bytes_free(parts);
    device_say_later(d, &b, 0);
}

/* NAS, serving system: for all; and a card status for our own client, that nobody asked for. */
static struct bytes foreign(unsigned client)
{
    static const uint8_t serving[] = {1, 1, 1, 2, 1, 8};
    struct bytes parts = {0}, b, other;

    qmi_add(&parts, 0x01, serving, sizeof serving);
    b = indication(0x03, 0xFF, 0x0024, &parts);
    other = indication(0x0B, client, 0x0032, &parts);
    bytes_add(&b, other.data, other.size);
    bytes_free(&other);
    bytes_free(&parts);
    return b;
}

/* The order of the parts turned round, with unknown ones before, between and behind. */
static struct bytes turned(const struct bytes *parts)
{
    static const uint8_t unknown[] = {1, 2, 3, 4, 5};
    struct bytes b = {0};
    size_t starts[32], count = 0;

    for (size_t at = 0; at + 3 <= parts->size && count < 32; at += 3 + number(parts->data + at + 1))
        starts[count++] = at;
    qmi_add(&b, 0xE1, unknown, sizeof unknown);
    while (count-- > 0) {
        bytes_add(&b, parts->data + starts[count], 3 + number(parts->data + starts[count] + 1));
        qmi_add(&b, 0xE2, unknown, 0);
    }
    return b;
}

static void answer(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    struct bytes parts = {0}, b, other;
    uint8_t result[4] = {a->error != 0, 0, (uint8_t)a->error, (uint8_t)(a->error >> 8)};

    qmi_add(&parts, 0x02, result, sizeof result);
    bytes_add(&parts, a->parts.data, a->parts.size);
    bytes_free(&a->parts);
    if (device_fault(d, FAULT_ODD_PARTS)) {
        other = turned(&parts);
        bytes_free(&parts);
        parts = other;
    }
    b = frame(r, 1, &parts);
    bytes_free(&parts);
    if (device_fault(d, FAULT_TOGETHER)) {
        other = foreign(r->client);
        bytes_add(&b, other.data, other.size);
        bytes_free(&other);
    } else if (device_fault(d, FAULT_INDICATIONS)) {
        other = foreign(r->client);
        device_say(d, &other);
    }
    if (r->service == 0x0B)
        device_say_later(d, &b, a->ms);
    else
        device_say(d, &b);
    if (device_fault(d, FAULT_INDICATIONS)) {
        other = foreign(r->client);
        device_say_later(d, &other, 0);
    }
}

static void restarted(struct device *d)
{
    struct bytes parts = {0}, b;

    if (!device_fault(d, FAULT_SYNC))
        return;
    b = indication(0x00, 0x00, 0x0027, &parts);
    device_say(d, &b);
}

/* ---- CTL ---- */

static bool is_service(unsigned id)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (services[i].id == id)
            return id != 0;
    return false;
}

static void allocate(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    const struct faults *f = &d->options->faults;
    const long limit = f->on[FAULT_CLIENT_LIMIT] ? f->arg[FAULT_CLIENT_LIMIT] : 10;
    long taken = 0;
    size_t size;
    const uint8_t *service = qmi_part(r, 0x01, 1, &size);
    uint8_t value[2];

    if (service == NULL || !is_service(service[0]) ||
        (service[0] == 0x0B && device_fault(d, FAULT_NO_SERVICE))) {
        a->error = service == NULL ? ERROR_MISSING : 31; /* invalid service type */
        return;
    }
    for (unsigned i = 1; i < DEVICE_CLIENTS; i++)
        taken += d->clients[i].service == service[0];
    for (unsigned i = 1; i < DEVICE_CLIENTS && taken < limit; i++) {
        if (d->clients[i].service != 0)
            continue;
        d->clients[i].service = service[0];
        value[0] = service[0];
        value[1] = (uint8_t)i;
        qmi_add(&a->parts, 0x01, value, sizeof value);
        trace_note(d->trace, "qmi client %u of service %u allocated", i, service[0]);
        return;
    }
    a->error = ERROR_NO_CLIENT;
}

static void release(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    size_t size;
    const uint8_t *which = qmi_part(r, 0x01, 2, &size);

    if (which == NULL || which[1] >= DEVICE_CLIENTS || which[1] == 0 ||
        d->clients[which[1]].service != which[0]) {
        a->error = ERROR_CLIENT;
        return;
    }
    d->clients[which[1]].service = 0;
    qmi_add(&a->parts, 0x01, which, 2);
    trace_note(d->trace, "qmi client %u of service %u released", which[1], which[0]);
}

static void ctl(struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    struct bytes list = {0};

    switch (r->id) {
    case 0x0021: /* the versions of the services */
        bytes_add8(&list, SERVICES);
        for (size_t i = 0; i < SERVICES; i++) {
            bytes_add8(&list, services[i].id);
            le16(&list, services[i].major);
            le16(&list, services[i].minor);
        }
        qmi_add(&a->parts, 0x01, list.data, list.size);
        bytes_free(&list);
        return;
    case 0x0022:
        allocate(d, r, a);
        return;
    case 0x0023:
        release(d, r, a);
        return;
    case 0x0027: /* sync takes everybody's */
        memset(d->clients, 0, sizeof d->clients);
        trace_note(d->trace, "qmi sync");
        return;
    default:
        a->error = ERROR_COMMAND;
    }
}

/* ---- DMS, NAS ---- */

static void add_text(struct qmi_answer *a, unsigned type, const char *text)
{
    qmi_add(&a->parts, type, text, strlen(text));
}

static void dms(const struct device *d, const struct qmi_request *r, struct qmi_answer *a)
{
    switch (r->id) {
    case 0x0021:
        add_text(a, 0x01, "Simulated");
        return;
    case 0x0022:
        add_text(a, 0x01, "simmodem");
        return;
    case 0x0023:
        add_text(a, 0x01, "1.0");
        return;
    case 0x0025:
        add_text(a, 0x10, "0");
        add_text(a, 0x11, d->options->imei);
        return;
    default:
        a->error = ERROR_COMMAND;
    }
}

static void nas(const struct qmi_request *r, struct qmi_answer *a)
{
    static const uint8_t registered[] = {1, 1, 1, 2, 1, 8}; /* LTE */

    if (r->id == 0x0024)
        qmi_add(&a->parts, 0x01, registered, sizeof registered);
    else
        a->error = ERROR_COMMAND;
}

/* ---- messages in ---- */

/* True if the parts fill their place in the frame. */
static bool whole(const struct qmi_request *r)
{
    size_t at = 0;

    while (at + 3 <= r->size)
        at += 3 + number(r->parts + at + 1);
    return at == r->size;
}

static void serve(struct device *d, const struct qmi_request *r, bool well_formed)
{
    struct qmi_answer a = {0};

    if (!well_formed)
        a.error = ERROR_MALFORMED;
    else if (r->service != 0 &&
             (r->client >= DEVICE_CLIENTS || d->clients[r->client].service != r->service))
        a.error = ERROR_CLIENT;
    else if (r->service == 0x00)
        ctl(d, r, &a);
    else if (r->service == 0x02)
        dms(d, r, &a);
    else if (r->service == 0x03)
        nas(r, &a);
    else
        qmi_uim(d, r, &a);
    if (a.silent) {
        bytes_free(&a.parts);
        return;
    }
    answer(d, r, &a);
    if (d->rest.size > 0)
        qmi_uim_follow(d);
}

static size_t take(struct device *d, const uint8_t *data, size_t size)
{
    struct qmi_request r = {0};
    size_t length, head;

    if (data[0] != 0x01)
        return 1;
    if (size < 6)
        return 0;
    length = number(data + 1) + 1;
    if (length < 12 || data[3] != 0x00)
        return 1;
    if (size < length)
        return 0;
    r.service = data[4];
    r.client = data[5];
    head = r.service == 0 ? 12 : 13;
    if (length < head)
        return length;
    r.transaction = r.service == 0 ? data[7] : number(data + 7);
    r.id = number(data + head - 4);
    r.parts = data + head;
    r.size = length - head;
    if (data[6] == 0x00)
        serve(d, &r, number(data + head - 2) == r.size && whole(&r));
    return length;
}

const struct protocol qmi_protocol = {.take = take, .restarted = restarted};
