/* SPDX-License-Identifier: Apache-2.0 */
/* Takes command APDUs apart, manages logical channels, selects applets, and shapes answers as the
 * transmission protocol does (61xx with GET RESPONSE, 6Cxx). Knows no applet but by the table. */
#include "test/sim/uicc.h"

#include "test/sim/image.h"

#include <string.h>

#define MODEM_VIEW   UICC_CHANNELS
#define ENDLESS_PART 16

/* In the order in which a partial AID finds them. */
static const struct applet *const applets[] = {&mias_applet, &iotsafe_applet, &telecom_applet,
                                               &usim_applet, &safe2_applet};

#define APPLETS (sizeof applets / sizeof *applets)

void uicc_forget_answers(struct channel *c)
{
    bytes_free(&c->waiting.data);
    bytes_free(&c->held.data);
    c->holding = false;
}

void uicc_channel_close(struct channel *c)
{
    uicc_forget_answers(c);
    if (c->state != NULL)
        c->applet->deselect(c->state);
    *c = (struct channel){.open = false};
}

void uicc_channel_select(struct uicc *u, struct channel *c, const struct applet *applet,
                         unsigned p2, struct bytes *answer)
{
    if (c->state != NULL)
        c->applet->deselect(c->state);
    c->applet = applet;
    c->state = applet->select(u, p2, answer);
}

/* A new channel stands in the MF. */
void uicc_channel_open(struct uicc *u, struct channel *c)
{
    uicc_channel_close(c);
    c->open = true;
    uicc_channel_select(u, c, &mf_applet, 0x0C, NULL);
}

void uicc_reset(struct uicc *u)
{
    safe2_reset(&u->safe2);
    for (size_t i = 0; i <= UICC_CHANNELS; i++)
        uicc_channel_close(&u->channels[i]);
    iotsafe_reset(u);
    uicc_channel_open(u, &u->channels[0]);
    uicc_channel_open(u, &u->channels[MODEM_VIEW]);
}

void uicc_start(struct uicc *u, struct card *card, const struct options *options,
                const struct trace *trace)
{
    *u = (struct uicc){.card = card,
                       .options = options,
                       .trace = trace,
                       .wrong_signatures = options->wrong_signature};
    image_build(card, options, &u->files, &u->mias_files);
    safe2_start(&u->safe2, card, options, trace);
    uicc_reset(u);
    iotsafe_start(u);
}

void uicc_end(struct uicc *u)
{
    for (size_t i = 0; i <= UICC_CHANNELS; i++)
        uicc_channel_close(&u->channels[i]);
    iotsafe_reset(u);
    safe2_end(&u->safe2);
    tree_free(&u->files);
    tree_free(&u->mias_files);
}

/* Class octet (ISO 7816-4 5.4.1):
 *   000c ssnn  interindustry, channel nn           01sc nnnn  the same, channel 4 + nnnn
 *   100c ssnn  proprietary, the same coding        11sc nnnn  the same, channel 4 + nnnn
 * c: chaining, s: secure messaging, which nobody here does. Returns 9000 or a status word. */
static unsigned parse_class(struct command *cmd)
{
    uint8_t cla = cmd->cla;

    if (cla == 0xFF || (cla & 0x60) == 0x20)
        return 0x6E00;
    cmd->proprietary = (cla & 0x80) != 0;
    cmd->chained = (cla & 0x10) != 0;
    if (cla & 0x40) {
        cmd->channel = 4u + (cla & 0x0Fu);
        return cla & 0x20 ? 0x6882 : 0x9000;
    }
    cmd->channel = cla & 0x03u;
    return cla & 0x0C ? 0x6882 : 0x9000;
}

/* Short form only: header, header Le, header Lc data, header Lc data Le. */
static unsigned parse_body(struct command *cmd, const uint8_t *raw, size_t size)
{
    cmd->le = 256;
    if (size == 4)
        return 0x9000;
    if (size == 5) {
        cmd->has_le = true;
        cmd->le = raw[4] == 0 ? 256 : raw[4];
        return 0x9000;
    }
    cmd->lc = raw[4];
    cmd->data = raw + 5;
    if (cmd->lc == 0 || size < 5 + cmd->lc || size > 6 + cmd->lc)
        return 0x6700;
    if (size == 6 + cmd->lc) {
        cmd->has_le = true;
        cmd->le = raw[size - 1] == 0 ? 256 : raw[size - 1];
    }
    return 0x9000;
}

static unsigned status_of_rest(size_t size)
{
    return 0x6100 | (size > 255 ? 0u : (unsigned)size);
}

/* Moves up to size octets of what waits into out; the status word tells of the rest. */
static void deliver(struct channel *c, size_t size, struct response *out)
{
    struct bytes *data = &c->waiting.data;
    size_t part = size < data->size ? size : data->size;

    bytes_add(&out->data, data->data, part);
    out->secret = c->waiting.secret;
    memmove(data->data, data->data + part, data->size - part);
    data->size -= part;
    if (data->size > 0) {
        out->sw = status_of_rest(data->size);
        return;
    }
    out->sw = c->waiting.sw;
    bytes_free(data);
}

/* The card whose data have no end: what waits, in small parts, then zeros. */
static void deliver_for_ever(struct channel *c, struct response *out)
{
    static const uint8_t zeros[ENDLESS_PART] = {0};

    if (c->waiting.data.size > 0)
        deliver(c, ENDLESS_PART, out);
    else
        bytes_add(&out->data, zeros, sizeof zeros);
    out->sw = 0x6100;
}

/* GET RESPONSE, and ENVELOPE without data, by which some stacks continue. */
static void get_response(struct channel *c, const struct command *cmd, struct response *out)
{
    if (out->endless)
        deliver_for_ever(c, out);
    else if (c->waiting.data.size == 0)
        out->sw = 0x6985;
    else if (cmd->p1 != 0 || cmd->p2 != 0)
        out->sw = 0x6B00;
    else if (cmd->lc != 0)
        out->sw = 0x6700;
    else if (cmd->le < 256 && cmd->le > c->waiting.data.size)
        out->sw = 0x6C00 | (unsigned)c->waiting.data.size;
    else
        deliver(c, cmd->le, out);
}

static void manage_open(struct uicc *u, struct channel *on, const struct command *cmd,
                        struct response *r)
{
    unsigned limit = (unsigned)u->options->channels;
    bool correct_le = cmd->has_le && cmd->le == 1;

    if (cmd->p2 != 0) {
        /* The caller names the channel. */
        r->sw = cmd->p2 > limit ? 0x6881 : u->channels[cmd->p2].open ? 0x6A86 : 0x9000;
        if (r->sw == 0x9000)
            uicc_channel_open(u, &u->channels[cmd->p2]);
        return;
    }
    r->sw = 0x6C01;
    if (!correct_le && (u->options->t0 || cmd->le != 256))
        return;
    on->warned = !on->warned && u->options->faults.on[FAULT_6CXX];
    if (on->warned)
        return;
    for (unsigned n = 1; n <= limit; n++) {
        if (u->channels[n].open)
            continue;
        uicc_channel_open(u, &u->channels[n]);
        bytes_add8(&r->data, n);
        r->sw = 0x9000;
        return;
    }
    r->sw = 0x6A81; /* none is free */
}

/* Closing: TS 102 221 11.1.17 leaves the status word of a channel that is not open to the card; a
 * Java Card UICC warns with 6200, "logical channel already closed" (GlobalPlatform Card
 * Specification 11.7.3.2). A channel that the card does not have is 6881, the basic one cannot be
 * closed: 6A86. */
static void manage_close(struct uicc *u, const struct command *cmd, struct response *r)
{
    unsigned n = cmd->p2 != 0 ? cmd->p2 : cmd->channel;

    if (n == 0)
        r->sw = 0x6A86;
    else if (n > (unsigned)u->options->channels)
        r->sw = 0x6881;
    else if (!u->channels[n].open)
        r->sw = 0x6200;
    else
        r->sw = 0x9000;
    if (r->sw == 0x9000)
        uicc_channel_close(&u->channels[n]);
}

static void manage_channel(struct uicc *u, struct channel *on, const struct command *cmd,
                           struct response *r)
{
    if (cmd->proprietary)
        r->sw = 0x6E00;
    else if (cmd->lc != 0)
        r->sw = 0x6700;
    else if (cmd->p1 == 0x00)
        manage_open(u, on, cmd, r);
    else if (cmd->p1 == 0x80)
        manage_close(u, cmd, r);
    else
        r->sw = 0x6A86;
}

static bool aid_matches(const struct uicc *u, const struct applet *a, const struct command *cmd)
{
    if (!a->present(u) || cmd->lc == 0)
        return false;
    if (a->is_called != NULL)
        return a->is_called(u, cmd->data, cmd->lc);
    return cmd->lc <= a->aid_size && memcmp(a->aid, cmd->data, cmd->lc) == 0;
}

/* SELECT by AID, full or its leading part; P2 bits 1-2: first or only, last, next, previous. */
static const struct applet *find_applet(const struct uicc *u, const struct channel *c,
                                        const struct command *cmd)
{
    size_t matches[APPLETS];
    size_t count = 0, current = APPLETS;

    for (size_t i = 0; i < APPLETS; i++) {
        if (!aid_matches(u, applets[i], cmd))
            continue;
        if (applets[i] == c->applet)
            current = count;
        matches[count++] = i;
    }
    switch (cmd->p2 & 0x03) {
    case 0:
        return count > 0 ? applets[matches[0]] : NULL;
    case 1:
        return count > 0 ? applets[matches[count - 1]] : NULL;
    case 2:
        return current + 1 < count ? applets[matches[current + 1]] : NULL;
    default:
        return current > 0 && current < count ? applets[matches[current - 1]] : NULL;
    }
}

static void select_aid(struct uicc *u, struct channel *c, const struct command *cmd,
                       struct response *r)
{
    const struct applet *a;

    if (cmd->proprietary) {
        r->sw = 0x6E00;
        return;
    }
    if ((cmd->p2 & 0xF0) != 0 || (cmd->p2 & 0x0C) == 0x08 || cmd->lc > 16) {
        r->sw = cmd->lc > 16 ? 0x6700 : 0x6A86;
        return;
    }
    a = find_applet(u, c, cmd);
    r->sw = a == NULL ? 0x6A82 : a->may_select(u, c, cmd->p2);
    if (r->sw == 0x9000)
        uicc_channel_select(u, c, a, cmd->p2, &r->data);
}

/* A command comes again with the Le that 6Cxx gave. */
static bool give_held(struct channel *c, const struct command *cmd, struct response *r)
{
    const uint8_t header[4] = {cmd->cla, cmd->ins, cmd->p1, cmd->p2};

    if (!c->holding || cmd->lc != 0 || !cmd->has_le || cmd->le != c->held.data.size ||
        memcmp(header, c->held_header, sizeof header) != 0)
        return false;
    *r = c->held;
    r->ms = 0;
    c->held = (struct response){0};
    c->holding = false;
    return true;
}

static void hold(struct channel *c, const struct command *cmd, struct response *r)
{
    const uint8_t header[4] = {cmd->cla, cmd->ins, cmd->p1, cmd->p2};
    unsigned sw = 0x6C00 | (unsigned)(r->data.size & 0xFF);
    long ms = r->ms;

    memcpy(c->held_header, header, sizeof header);
    c->held = *r;
    c->holding = true;
    *r = (struct response){.sw = sw, .ms = ms};
}

/* What the applet answered, as it leaves the card:
 *   no Le, or T=0 with incoming data, or
 *   an applet or a fault that has it so   61xx, data by GET RESPONSE
 *   Le smaller than the data              incoming data: so many, then 61xx; none: 6Cxx
 *   Le larger, T=0, no incoming data,
 *   or the fault 6cxx whatever Le says    6Cxx
 *   else                                  data at once */
static void shape(const struct uicc *u, struct channel *c, const struct command *cmd,
                  struct response *r)
{
    size_t size = r->data.size;
    bool t0 = u->options->t0;
    bool always = u->options->faults.on[FAULT_6CXX];
    struct response out = {.ms = r->ms};

    if (size == 0)
        return;
    r->fetch |= r->endless;
    if (!r->fetch && cmd->has_le && cmd->lc == 0 && size <= 256 &&
        (always || size > cmd->le || (t0 && size != cmd->le))) {
        hold(c, cmd, r);
        return;
    }
    c->waiting = *r;
    if (r->fetch || !cmd->has_le || (t0 && cmd->lc > 0))
        out.sw = status_of_rest(size);
    else
        deliver(c, cmd->le, &out);
    *r = out;
}

static void dispatch(struct uicc *u, struct channel *c, const struct command *cmd,
                     struct response *r)
{
    if (cmd->ins == 0xC0 || (cmd->ins == 0xC2 && cmd->lc == 0)) {
        get_response(c, cmd, r);
        return;
    }
    if (give_held(c, cmd, r))
        return;
    uicc_forget_answers(c);
    if (cmd->ins == 0x70) {
        manage_channel(u, c, cmd, r);
        if (cmd->p1 == 0x00)
            return; /* with or without Le: the number comes at once */
    } else if (cmd->ins == 0xA4 && cmd->p1 == 0x04) {
        select_aid(u, c, cmd, r);
    } else {
        c->applet->process(u, c->state, cmd, r);
    }
    if (c->open)
        shape(u, c, cmd, r);
}

static unsigned check(struct uicc *u, enum source source, const struct command *cmd)
{
    const struct faults *f = &u->options->faults;
    long refusal = f->arg[FAULT_NO_MANAGE_CHANNEL], on_channels = f->arg[FAULT_NO_CSIM_CHANNELS];
    long le = f->arg[FAULT_OPEN_LE], response = f->arg[FAULT_BASIC_RESPONSE];

    if (!u->channels[cmd->channel].open)
        return 0x6881;
    if (source == SOURCE_CSIM && cmd->ins == 0x70 && u->options->no_manage_channel)
        return refusal > 999 ? (unsigned)refusal : 0x6881;
    if (source == SOURCE_CSIM && cmd->ins == 0x70 && cmd->has_le && f->on[FAULT_OPEN_LE] &&
        le > 999 && (cmd->p1 == 0x80 || cmd->le == 1))
        return (unsigned)le;
    if (source == SOURCE_CSIM && cmd->ins == 0x70 && cmd->p1 == 0x80 && f->on[FAULT_NO_CLOSE])
        return 0x6D00;
    if (source == SOURCE_CSIM && cmd->channel > 0 && f->on[FAULT_NO_CSIM_CHANNELS])
        return on_channels > 999 ? (unsigned)on_channels : 0x6E00;
    if (source == SOURCE_CSIM && cmd->channel > 0 && cmd->ins == 0xC0 &&
        f->on[FAULT_BASIC_RESPONSE] && response > 999)
        return (unsigned)response;
    if (u->options->reject_le && (source == SOURCE_CSIM || source == SOURCE_CGLA) && cmd->lc > 0 &&
        cmd->has_le)
        return 0x6700;
    return 0x9000;
}

/* Where data wait for GET RESPONSE; the basic channel if nowhere. */
static unsigned waiting_channel(const struct uicc *u)
{
    unsigned channel = UICC_CHANNELS;

    while (--channel > 0)
        if (u->channels[channel].open && u->channels[channel].waiting.data.size > 0)
            break;
    return channel;
}

/* An applet whose commands have names of their own has no PIN either: INS 24 is another command. */
static void name_command(const struct channel *c, const struct command *cmd,
                         struct trace_entry *entry)
{
    bool secret = false;

    if (c->applet->command_name != NULL)
        entry->words = c->applet->command_name(cmd->ins, cmd->p1, &secret);
    if (entry->words != NULL)
        entry->masked = secret;
}

long uicc_exchange(struct uicc *u, enum source source, const uint8_t *raw, size_t size,
                   struct bytes *answer)
{
    static const char *const sources[] = {"csim", "cgla", "ccho", "modem", "modem"};
    struct command cmd = {.le = 256};
    struct response r = {.sw = 0x6700};
    struct trace_entry entry = {.source = sources[source],
                                .channel = -1,
                                .command = raw,
                                .command_size = size,
                                .masked = trace_carries_pin(raw, size)};
    size_t start = answer->size;

    if (size >= 4) {
        cmd = (struct command){.cla = raw[0], .ins = raw[1], .p1 = raw[2], .p2 = raw[3]};
        r.sw = parse_class(&cmd);
        if (r.sw == 0x9000) {
            entry.channel = (int)cmd.channel;
            r.sw = parse_body(&cmd, raw, size);
        }
        if (r.sw == 0x9000)
            r.sw = check(u, source, &cmd);
        if (r.sw == 0x9000) {
            bool own = source == SOURCE_MODEM && cmd.channel == 0;

            if (source == SOURCE_CSIM && cmd.ins == 0xC0 &&
                u->options->faults.on[FAULT_BASIC_RESPONSE])
                cmd.channel = waiting_channel(u);
            r.endless = u->endless && source != SOURCE_MODEM && source != SOURCE_CCHO;
            name_command(&u->channels[own ? MODEM_VIEW : cmd.channel], &cmd, &entry);
            dispatch(u, &u->channels[own ? MODEM_VIEW : cmd.channel], &cmd, &r);
            if (source != SOURCE_MODEM && r.sw == 0x9000 && u->options->iotsafe_9110)
                r.sw = 0x9110;
        }
    }
    bytes_add(answer, r.data.data, r.data.size);
    bytes_add16(answer, r.sw);
    bytes_free(&r.data);
    entry.answer = answer->data + start;
    entry.answer_size = answer->size - start;
    entry.secret = r.secret;
    trace_apdu(u->trace, &entry);
    return r.ms;
}
