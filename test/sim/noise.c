/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, noise, and the parts in which answers leave. All of it goes by counters: the same commands
 * give the same noise. */
#include "test/sim/noise.h"

#include "test/sim/at.h"

#include <stdio.h>
#include <string.h>

/* A message in text mode (3GPP TS 27.005, 3.4.1): the next line is what somebody wrote. */
#define MESSAGE "\r\n+CMT: \"+4915112345678\",,\"26/01/01,12:00:00+04\"\r\n"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define PARTIAL_NS    (2 * NS_PER_MS)
#define STALE_NS      (20 * NS_PER_MS)
#define WAKE_NS       (2 * NS_PER_MS)  /* from the opening to the noise */
#define CHATTER_NS    (20 * NS_PER_MS) /* and to the boot lines */
#define CHATTER_MOST  1024             /* octets that were not read yet */
#define OPENING_LINES 3                /* before the answer to that one all of it was said */

/* Some look nearly like an answer. */
static const char *const urcs[] = {
    "+CREG: 1",     "RING",           "+CUSD: 0,\"OK\",15", "^RSSI: 18", "+QIND: \"csq\",20,99",
    "+CPIN: READY", "+CMTI: \"SM\",1"};

/* What modems say while they boot and some time after; none of these means a restart. */
static const char *const boots[] = {"SMS DONE",        "PB DONE",    "+CPIN: READY", "^SIMST:1",
                                    "+QIND: SMS DONE", "Call Ready", "+QUSIM: 1"};

static void say_first(struct at *at)
{
    struct noise *n = &at->noise;

    bytes_add(at->out, n->sayings[0].text, n->sayings[0].size);
    n->waiting--;
    memmove(n->sayings, n->sayings + 1, n->waiting * sizeof *n->sayings);
}

/* What is said after the opening is not later than so many command lines, however slow the machine is:
 * it must not meet a PIN now and then. */
static void end_opening(struct at *at)
{
    struct noise *n = &at->noise;

    if (++n->heard == OPENING_LINES && at_fault(at, FAULT_OPEN_GARBAGE) && clock_ns() >= at->ears)
        while (n->waiting > 0)
            say_first(at);
}

void noise_begin(struct at *at)
{
    const struct faults *f = &at->options->faults;
    struct noise *n = &at->noise;

    end_opening(at);
    n->answers++;
    n->urc = fault_every(f, FAULT_URC, n->answers);
    n->garbage = fault_every(f, FAULT_GARBAGE, n->answers);
    n->boot = fault_every(f, FAULT_BOOT_CHATTER, n->answers);
    n->split = n->wrong_length = n->stale = n->half = false;
}

/* What comes before an answer and is none: said at once, while the command is under way. */
static void say_strays(struct at *at, long number)
{
    static const struct {
        enum fault fault;
        const char *text;
    } strays[] = {
        {FAULT_STRAY_OK, MESSAGE "OK\r\n"},
        {FAULT_STRAY_TEXT, MESSAGE "+CSIM: 4,\"9000\"\r\n+CSIM: 4,\"9000\"\r\nOK\r\nRDY\r\n"
                                   "+CFUN: 1\r\nERROR\r\n"},
        {FAULT_STRAY_ERROR, "\r\nERROR\r\n"},
        {FAULT_STRAY_ANSWER, "\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n"},
    };

    for (size_t i = 0; i < COUNT(strays); i++)
        if (fault_nth(&at->options->faults, strays[i].fault, number))
            bytes_add(at->out, strays[i].text, strlen(strays[i].text));
}

void noise_sim(struct at *at, long number)
{
    const struct faults *f = &at->options->faults;
    struct noise *n = &at->noise;

    n->split |= fault_every(f, FAULT_URC_SPLIT, number);
    n->wrong_length |= fault_every(f, FAULT_WRONG_LENGTH, number);
    n->stale |= fault_nth(f, FAULT_STALE, number);
    say_strays(at, number);
    if (fault_nth(f, FAULT_HALF_LATE, number)) {
        n->half = true;
        n->rest = f->arg2[FAULT_HALF_LATE] * NS_PER_MS;
    }
    if (fault_nth(f, FAULT_HALF_LINE, number)) {
        n->half = true;
        n->rest = NOISE_NEVER;
    }
}

void noise_text(struct at *at, const char *text)
{
    bytes_add(&at->reply, text, strlen(text));
}

/* With noise the line ends are as odd as they come: CR CR LF before, a lone LF after. */
void noise_line(struct at *at, const char *text)
{
    bool odd = at->noise.garbage;

    if (at->verbose)
        noise_text(at, odd ? "\r\r\n" : "\r\n");
    noise_text(at, text);
    noise_text(at, odd ? "\n" : "\r\n");
}

void noise_urc(struct at *at)
{
    if (at->noise.urc)
        noise_line(at, urcs[at->noise.lines++ % COUNT(urcs)]);
}

void noise_around(struct at *at)
{
    static const char octets[] = "\0\0\xFE\x80\xC3\x95\0\xFF\r\r\n\n\r\n\r\n\n";

    if (at->noise.garbage)
        bytes_add(&at->reply, octets, sizeof octets - 1);
    for (int i = 0; at->noise.boot && i < 2; i++)
        noise_line(at, boots[at->noise.boots++ % COUNT(boots)]);
}

void noise_information(struct at *at, const char *text)
{
    size_t half = at->noise.split ? strlen(text) / 2 : 0;

    noise_urc(at);
    if (half == 0) {
        noise_line(at, text);
        return;
    }
    if (at->verbose)
        noise_text(at, "\r\n");
    bytes_add(&at->reply, text, half);
    noise_text(at, "\r\n");
    noise_text(at, urcs[at->noise.lines++ % COUNT(urcs)]);
    noise_text(at, "\r\n");
    noise_text(at, text + half);
    noise_text(at, "\r\n");
}

void noise_apdu(struct at *at, const char *name, const struct bytes *answer)
{
    char hex[2 * 512 + 1] = "", text[sizeof hex + 64];
    const char *blank = at_fault(at, FAULT_NO_BLANK) ? ""
                        : at_fault(at, FAULT_BLANKS) ? "   "
                                                     : " ";
    const char *gap = at_fault(at, FAULT_BLANKS) ? "  " : "";
    const char *quote = at_fault(at, FAULT_NO_QUOTES) ? "" : "\"";
    size_t announced;

    hex_write(hex, answer->data, answer->size < 512 ? answer->size : 512);
    for (char *c = hex; at_fault(at, FAULT_LOWER_CASE) && *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
    announced = strlen(hex);
    if (at->noise.wrong_length)
        announced = at->noise.wrong++ % 2 == 0 ? announced + 2 : announced - 2;
    snprintf(text, sizeof text, "%s:%s%zu,%s%s%s%s", name, blank, announced, gap, quote, hex,
             quote);
    at_cut(at, text);
    noise_information(at, text);
    at->noise.carrier = name;
    explicit_bzero(hex, sizeof hex);
    explicit_bzero(text, sizeof text);
}

/* Behind the next line that is not empty. */
static size_t line_end(const struct bytes *b, size_t from)
{
    bool empty = true;

    for (; from < b->size; from++) {
        bool end = b->data[from] == '\r' || b->data[from] == '\n';

        if (b->data[from] == '\n' && !empty)
            return from + 1;
        empty = empty && end;
    }
    return from;
}

static void cut(size_t *end, int64_t *pause, size_t at, int64_t then)
{
    if (at < *end) {
        *end = at;
        *pause = then;
    }
}

size_t noise_part(const struct at *at, int64_t *pause)
{
    const struct faults *f = &at->options->faults;
    size_t end = at->reply.size, half = end / 2;

    *pause = 0;
    if (at->noise.half && at->sent < half)
        cut(&end, pause, half, at->noise.rest);
    if (f->on[FAULT_SLOW_LINES])
        cut(&end, pause, line_end(&at->reply, at->sent), f->arg[FAULT_SLOW_LINES] * NS_PER_MS);
    if (f->on[FAULT_PARTIAL])
        cut(&end, pause, at->sent + (size_t)f->arg[FAULT_PARTIAL], PARTIAL_NS);
    return end;
}

void noise_end(struct at *at, int64_t now)
{
    char text[64];

    if (!at->noise.stale)
        return;
    snprintf(text, sizeof text, "\r\n%s: 4,\"9000\"\r\n\r\nOK\r\n",
             at->noise.carrier != NULL ? at->noise.carrier : "+CSIM");
    noise_say(at, now + STALE_NS, text, strlen(text));
}

void noise_say(struct at *at, int64_t due, const char *text, size_t size)
{
    struct noise *n = &at->noise;
    size_t place = n->waiting;

    if (n->waiting == NOISE_SAYINGS || size > sizeof n->sayings[0].text)
        return;
    for (; place > 0 && n->sayings[place - 1].due > due; place--)
        n->sayings[place] = n->sayings[place - 1];
    n->sayings[place] = (struct saying){.due = due, .size = size};
    memcpy(n->sayings[place].text, text, size);
    n->waiting++;
}

void noise_say_line(struct at *at, int64_t due, const char *line)
{
    char text[sizeof at->noise.sayings[0].text];
    int size = snprintf(text, sizeof text, "\r\n%s\r\n", line);

    noise_say(at, due, text, (size_t)size);
}

/* First what a line says that wakes, then what a modem says that has booted, and the rest of a
 * talk that somebody else began: an answer that nobody here asked for. */
void noise_opened(struct at *at, int64_t now)
{
    static const char wakes[] = "\0\0\0\xF8\xE0\x9F\x80\xFE\x1C"
                                "M\x83\"9\xF0";
    static const char rest[] = "\r\n^SIMST:1\r\n\r\nSMS DONE\r\n\r\n+CPIN: READY\r\n\r\nPB DONE\r\n"
                               "\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n";

    at->noise.heard = 0;
    if (!at_fault(at, FAULT_OPEN_GARBAGE) || now < at->ears)
        return;
    noise_say(at, now + WAKE_NS, wakes, sizeof wakes - 1);
    noise_say(at, now + CHATTER_NS, rest, sizeof rest - 1);
}

void noise_forget(struct at *at)
{
    at->noise.waiting = 0;
}

/* A line that nobody reads is not said again and again. */
static void chatter(struct at *at, int64_t now)
{
    struct noise *n = &at->noise;
    const char *line = urcs[n->lines++ % COUNT(urcs)];
    long ms = at->options->faults.arg[FAULT_CHATTER];

    n->chatter = now + (ms > 0 ? ms : 1) * NS_PER_MS;
    if (at->out->size > CHATTER_MOST)
        return;
    bytes_add(at->out, "\r\n", 2);
    bytes_add(at->out, line, strlen(line));
    bytes_add(at->out, "\r\n", 2);
}

/* Nothing is said while the modem is mute, nor inside an answer. */
int64_t noise_due(const struct at *at)
{
    const struct noise *n = &at->noise;
    int64_t due = n->waiting > 0 ? n->sayings[0].due : INT64_MAX;

    if (at->running && at->sent > 0)
        return 0;
    if (at_fault(at, FAULT_CHATTER) && n->chatter < due)
        due = n->chatter;
    if (due == INT64_MAX)
        return 0;
    return due > at->ears ? due : at->ears;
}

void noise_work(struct at *at, int64_t now)
{
    for (int64_t due = noise_due(at); due > 0 && due <= now; due = noise_due(at)) {
        if (at->noise.waiting > 0 && at->noise.sayings[0].due <= now)
            say_first(at);
        else
            chatter(at, now);
    }
}
