/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a control device, and what befalls it, see device.h. */
#include "test/sim/device.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PART_NS  (2 * NS_PER_MS) /* between the parts of a message that leaves in parts */
#define READ_MAX 4096

bool device_fault(const struct device *d, enum fault fault)
{
    return d->options->faults.on[fault];
}

/* ---- messages out ---- */

/* Behind all that are due no later. */
static void put(struct device *d, int64_t due, struct bytes *message)
{
    size_t at = d->waiting;

    if (d->waiting == DEVICE_WAITING) {
        bytes_free(message);
        return;
    }
    while (at > 0 && d->queue[at - 1].due > due) {
        d->queue[at] = d->queue[at - 1];
        at--;
    }
    d->queue[at] = (struct outgoing){due, *message};
    d->waiting++;
    *message = (struct bytes){0};
}

void device_say(struct device *d, struct bytes *message)
{
    put(d, clock_ns(), message);
}

void device_say_later(struct device *d, struct bytes *message, long ms)
{
    int64_t now = clock_ns(), from = d->free_at > now ? d->free_at : now;

    d->free_at = from + ms * NS_PER_MS;
    put(d, d->free_at, message);
}

static void drop_all(struct device *d)
{
    for (size_t i = 0; i < d->waiting; i++)
        bytes_free(&d->queue[i].data);
    d->waiting = 0;
    d->in.size = 0;
    d->free_at = 0;
}

/* Moves what is due to the line, in parts where a fault has it so. */
static void send_due(struct device *d, struct pty *p, int64_t now)
{
    const struct faults *f = &d->options->faults;
    const size_t part = f->on[FAULT_PARTIAL] ? (size_t)f->arg[FAULT_PARTIAL] : SIZE_MAX;

    while (d->waiting > 0 && d->queue[0].due <= now && p->out.size == 0) {
        struct bytes *data = &d->queue[0].data;
        size_t size = data->size < part ? data->size : part;

        bytes_add(&p->out, data->data, size);
        data->size -= size;
        memmove(data->data, data->data + size, data->size);
        if (data->size > 0) {
            d->queue[0].due = now + PART_NS;
            for (size_t i = 1; i < d->waiting; i++) /* nothing comes between the parts */
                if (d->queue[i].due < d->queue[0].due)
                    d->queue[i].due = d->queue[0].due;
        } else {
            bytes_free(data);
            d->waiting--;
            memmove(d->queue, d->queue + 1, d->waiting * sizeof *d->queue);
        }
    }
}

/* ---- fate ---- */

static void reset_card(struct device *d)
{
    uicc_reset(d->uicc);
    if (d->trace->at)
        trace_note(d->trace, "control - RESET");
    memset(d->channels, 0, sizeof d->channels);
}

/* Power off and on: nothing of the talk is left. */
static void restart(struct device *d, int64_t now)
{
    const struct faults *f = &d->options->faults;

    reset_card(d);
    drop_all(d);
    memset(d->clients, 0, sizeof d->clients);
    d->opened = false;
    d->ears = now + f->arg2[FAULT_MODEM_RESET] * NS_PER_MS;
}

static void remove_sim(struct device *d, int64_t now)
{
    long ms = d->options->faults.arg2[FAULT_SIM_REMOVED];

    reset_card(d);
    d->absent = true;
    d->back_at = ms >= 0 ? now + ms * NS_PER_MS : 0;
}

static void trace_message(const struct device *d, const char *what, const uint8_t *apdu,
                          size_t size)
{
    char head[9] = "";

    if (!d->trace->at)
        return;
    if (apdu != NULL && size >= 4)
        hex_write(head, apdu, 4);
    if (head[0] != '\0')
        trace_note(d->trace, "control - %s %zu %s", what, 2 * size, head);
    else
        trace_note(d->trace, "control - %s", what);
}

enum befalls device_before(struct device *d, long *n, const char *what, const uint8_t *apdu,
                           size_t size)
{
    const struct faults *f = &d->options->faults;
    int64_t now = clock_ns();

    *n = ++d->sim_messages;
    trace_message(d, what, apdu, size);
    if (fault_nth(f, FAULT_CLIENTS_GONE, *n))
        memset(d->clients, 0, sizeof d->clients);
    if (fault_nth(f, FAULT_OTHER_SIM, *n) && d->other != NULL) {
        reset_card(d);
        d->uicc = d->other;
        d->other = NULL;
        reset_card(d);
    }
    if (fault_nth(f, FAULT_SIM_REMOVED, *n))
        remove_sim(d, now);
    if (fault_nth(f, FAULT_MODEM_RESET, *n)) {
        restart(d, now);
        d->protocol->restarted(d);
        return BEFALLS_SILENCE;
    }
    if (fault_nth(f, FAULT_HANG_UP, *n)) {
        restart(d, now);
        d->ears = 0;
        d->hang_up = true;
        d->gone_ns = f->arg2[FAULT_HANG_UP] * NS_PER_MS;
        return BEFALLS_SILENCE;
    }
    if (fault_nth(f, FAULT_MUTE_AT, *n)) {
        d->ears = now + f->arg2[FAULT_MUTE_AT] * NS_PER_MS;
        return BEFALLS_SILENCE;
    }
    if (d->options->no_sim || d->absent)
        return BEFALLS_NO_SIM;
    if (d->busy > 0) {
        d->busy--;
        return BEFALLS_BUSY;
    }
    return fault_nth(f, FAULT_ERROR_AT, *n) ? BEFALLS_FAILURE : BEFALLS_NOTHING;
}

static void intrude(struct device *d, enum fault fault, enum intrusion what, bool *done, long n)
{
    const struct faults *f = &d->options->faults;

    if (!f->on[fault] || *done || n < f->arg[fault])
        return;
    *done = uicc_intrude(d->uicc, what);
    if (*done && what == INTRUSION_CLOSE && d->trace->at)
        trace_note(d->trace, "control - RESET");
    if (*done && what == INTRUSION_CLOSE)
        memset(d->channels, 0, sizeof d->channels);
}

void device_after(struct device *d, long n)
{
    intrude(d, FAULT_FOREIGN, INTRUSION_SELECT, &d->foreign, n);
    intrude(d, FAULT_FOREIGN_MSE, INTRUSION_MSE, &d->foreign_mse, n);
    intrude(d, FAULT_LOSE_CHANNEL, INTRUSION_CLOSE, &d->lost, n);
    if (fault_nth(&d->options->faults, FAULT_REFRESH, n) && !d->absent)
        reset_card(d);
}

long device_late(const struct device *d, long n)
{
    const struct faults *f = &d->options->faults;

    return f->arg[FAULT_LATE] + (fault_nth(f, FAULT_LATE_AT, n) ? f->arg2[FAULT_LATE_AT] : 0);
}

/* ---- the SIM ---- */

static unsigned status_of(const struct bytes *answer)
{
    const uint8_t *end = answer->data + answer->size;

    return answer->size >= 2 ? (unsigned)end[-2] << 8 | end[-1] : 0;
}

uint8_t device_class(unsigned channel, uint8_t cla)
{
    unsigned kept = cla & 0x90u; /* proprietary, chaining */

    return (uint8_t)(channel < 4 ? kept | channel : kept | 0x40 | (channel - 4));
}

long device_apdu(struct device *d, enum source source, const uint8_t *command, size_t size,
                 bool follow, struct bytes *answer)
{
    long ms = uicc_exchange(d->uicc, source, command, size, answer);
    const uint8_t cla = size > 0 ? command[0] & 0x6F : 0;
    unsigned sw = status_of(answer);
    uint8_t again[262];

    if (follow && sw >> 8 == 0x6C && answer->size == 2 && size >= 4 && size <= 5) {
        memcpy(again, command, 4);
        again[4] = (uint8_t)sw;
        answer->size = 0;
        ms += uicc_exchange(d->uicc, SOURCE_FETCH, again, 5, answer);
        sw = status_of(answer);
    }
    for (int rounds = 0; follow && sw >> 8 == 0x61 && rounds < 16; rounds++) {
        const uint8_t get[] = {cla, 0xC0, 0x00, 0x00, (uint8_t)sw};

        answer->size -= 2;
        ms += uicc_exchange(d->uicc, SOURCE_FETCH, get, sizeof get, answer);
        sw = status_of(answer);
    }
    return ms;
}

long device_close_channel(struct device *d, unsigned channel, unsigned *sw)
{
    const uint8_t command[] = {0x00, 0x70, 0x80, (uint8_t)channel};
    struct bytes answer = {0};
    long ms = device_apdu(d, SOURCE_CCHO, command, sizeof command, false, &answer);

    *sw = status_of(&answer);
    bytes_free(&answer);
    if (channel < UICC_CHANNELS)
        d->channels[channel].open = false;
    return ms;
}

long device_open_channel(struct device *d, const uint8_t *aid, size_t aid_size, unsigned p2,
                         unsigned *channel, unsigned *sw, struct bytes *answer)
{
    static const uint8_t open[] = {0x00, 0x70, 0x00, 0x00, 0x01};
    uint8_t select[5 + 32 + 1] = {0x00, 0xA4, 0x04, (uint8_t)p2, (uint8_t)aid_size};
    struct bytes opened = {0};
    unsigned ignored;
    long ms = device_apdu(d, SOURCE_CCHO, open, sizeof open, true, &opened);

    *channel = opened.size == 3 ? opened.data[0] : 0;
    *sw = status_of(&opened);
    bytes_free(&opened);
    if (*channel == 0)
        return ms;
    if (aid_size > 0) {
        select[0] = device_class(*channel, 0x00);
        memcpy(select + 5, aid, aid_size);
        ms += device_apdu(d, SOURCE_CCHO, select, 5 + aid_size + (p2 != 0x0C), true, answer);
        *sw = status_of(answer);
        answer->size -= answer->size >= 2 ? 2 : 0;
    }
    if (*sw != 0x9000) {
        ms += device_close_channel(d, *channel, &ignored);
        *channel = 0;
        return ms;
    }
    d->channels[*channel].open = true;
    return ms;
}

unsigned device_read_file(struct device *d, unsigned file, struct bytes *data)
{
    const uint8_t mf[] = {0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00};
    const uint8_t ef[] = {0x00, 0xA4, 0x00, 0x0C, 0x02, (uint8_t)(file >> 8), (uint8_t)file};
    const uint8_t read[] = {0x00, 0xB0, 0x00, 0x00, 0x0A};
    struct bytes ignored = {0};
    unsigned sw;

    (void)uicc_exchange(d->uicc, SOURCE_MODEM, mf, sizeof mf, &ignored);
    ignored.size = 0;
    (void)uicc_exchange(d->uicc, SOURCE_MODEM, ef, sizeof ef, &ignored);
    sw = status_of(&ignored);
    bytes_free(&ignored);
    if (sw != 0x9000)
        return sw;
    (void)uicc_exchange(d->uicc, SOURCE_MODEM, read, sizeof read, data);
    if (data->size == 2 && data->data[0] == 0x6C) { /* the same again with the Le that it names */
        data->size = 0;
        (void)uicc_exchange(d->uicc, SOURCE_MODEM, read, sizeof read, data);
    }
    sw = status_of(data);
    data->size -= data->size >= 2 ? 2 : 0;
    return sw;
}

/* ---- the loop ---- */

static void take_input(struct device *d, struct pty *p, int64_t now)
{
    uint8_t read_now[READ_MAX];
    ssize_t n;

    while (p->master >= 0 && (n = read(p->master, read_now, sizeof read_now)) > 0)
        if (now >= d->ears)
            bytes_add(&d->in, read_now, (size_t)n);
    explicit_bzero(read_now, sizeof read_now);
}

static void take_messages(struct device *d)
{
    size_t used;

    while (d->in.size > 0 && (used = d->protocol->take(d, d->in.data, d->in.size)) > 0) {
        if (used > d->in.size) /* it restarted meanwhile */
            used = d->in.size;
        d->in.size -= used;
        memmove(d->in.data, d->in.data + used, d->in.size);
        explicit_bzero(d->in.data + d->in.size, used);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b > 0 && b < a ? b : a;
}

static bool wait_for_work(const struct device *d, const struct pty *p)
{
    int64_t now = clock_ns(), next = sooner(INT64_MAX, safe2_due(&d->uicc->safe2));
    struct pollfd fds[] = {{p->signals, POLLIN, 0},
                           {p->master, (short)(POLLIN | (p->out.size > 0 ? POLLOUT : 0)), 0},
                           {safe2_fd(&d->uicc->safe2), POLLIN, 0}};
    struct timespec timeout;
    int64_t wait;

    if (d->waiting > 0 && p->out.size == 0)
        next = sooner(next, d->queue[0].due);
    if (d->absent)
        next = sooner(next, d->back_at);
    if (p->master < 0)
        next = sooner(next, p->back_at);
    wait = next > now ? next - now : 0;
    timeout =
        (struct timespec){(time_t)(wait / (1000 * NS_PER_MS)), (long)(wait % (1000 * NS_PER_MS))};
    if (ppoll(fds, 3, next == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR) {
        perror("simmodem: cannot wait");
        return false;
    }
    return fds[0].revents == 0;
}

bool device_serve(struct device *d, struct pty *p)
{
    struct signalfd_siginfo info;

    d->protocol = d->options->protocol == PROTOCOL_MBIM ? &mbim_protocol : &qmi_protocol;
    d->busy = d->options->faults.arg[FAULT_BUSY];
    while (wait_for_work(d, p)) {
        int64_t now = clock_ns();

        take_input(d, p, now);
        safe2_work(&d->uicc->safe2, now);
        take_messages(d);
        if (d->absent && d->back_at > 0 && now >= d->back_at)
            d->absent = false;
        if (!pty_hang_up(p, &d->hang_up, d->gone_ns, now))
            return false;
        send_due(d, p, clock_ns());
        pty_send(p, clock_ns());
    }
    drop_all(d);
    bytes_free(&d->in);
    return read(p->signals, &info, sizeof info) == (ssize_t)sizeof info;
}
