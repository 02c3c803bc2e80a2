/* SPDX-License-Identifier: Apache-2.0 */
/* The modem before the hostile card. */
#include "test/fuzz/modem.h"

#include "modem/at_apdu.h"
#include "modem/hex.h"
#include "test/fuzz/line.h"
#include "test/fuzz/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MS     12000 /* later than most waits */
#define RESTART_MS  200
#define SESSION_MAX 19

static void say(const char *text)
{
    line_say(text, strlen(text), 5);
}

static void say_answer(const char *prefix, const uint8_t *answer, size_t length, bool torn,
                       unsigned delay_ms)
{
    char hex[2 * APDU_ANSWER_SIZE + 1], text[2 * APDU_ANSWER_SIZE + 64];

    hex_encode(answer, length, hex);
    if (torn)
        hex[length] = '\0';
    (void)snprintf(text, sizeof text, "\r\n%s %zu,\"%s\"\r\n\r\nOK\r\n", prefix, 2 * length, hex);
    line_say(text, strlen(text), delay_ms);
}

static void say_end(enum hostile_end end, const char *prefix, const uint8_t *answer, size_t length)
{
    char text[32];

    switch (end) {
    case HOSTILE_STRAY:
        say("\r\nOK\r\n");
        say_answer(prefix, answer, length, false, 5);
        break;
    case HOSTILE_TWICE:
        say_answer(prefix, answer, length, false, 5);
        say_answer(prefix, answer, length, false, 5);
        break;
    case HOSTILE_ANSWERS:
        say_answer(prefix, answer, length, false, 5);
        break;
    case HOSTILE_LATE:
        say_answer(prefix, answer, length, false, LATE_MS);
        break;
    case HOSTILE_CME:
        (void)snprintf(text, sizeof text, "\r\n+CME ERROR: %zu\r\n", length);
        say(text);
        break;
    case HOSTILE_ERROR:
        say("\r\nERROR\r\n");
        break;
    case HOSTILE_TORN:
        say_answer(prefix, answer, 2, true, 5);
        break;
    case HOSTILE_SILENT:
        break;
    case HOSTILE_RESTARTS:
        line_say("\r\nRDY\r\n", 7, RESTART_MS);
        break;
    case HOSTILE_GONE:
        line_unplug();
        break;
    }
}

static unsigned channel_of(uint8_t cla)
{
    return cla & 0x40 ? 4u + (cla & 0x0F) : cla & 0x03;
}

/* MANAGE CHANNEL of a card that does as it is told. */
static void manage(struct modem *modem, unsigned channel, const char *prefix,
                   const uint8_t *command, size_t length)
{
    struct watched watched = watch_command(&modem->card, channel, command, length);
    uint8_t opened[] = {(uint8_t)hostile_free_channel(&modem->card), 0x90, 0x00};
    const uint8_t none[] = {0x6A, 0x81};

    watched.sw = command[2] != 0 || opened[0] != 0 ? 0x9000 : 0x6A81;
    watched.first = opened[0];
    watched.answer_length = command[2] == 0 && opened[0] != 0 ? 3 : 2;
    watch_end(&modem->card, &watched, HOSTILE_ANSWERS, 0);
    if (watched.sw != 0x9000)
        say_answer(prefix, none, sizeof none, false, 5);
    else
        say_answer(prefix, watched.answer_length == 3 ? opened : opened + 1, watched.answer_length,
                   false, 5);
}

static void pass(struct modem *modem, unsigned session, const char *prefix, const char *value)
{
    uint8_t command[APDU_COMMAND_SIZE], answer[APDU_ANSWER_SIZE] = {0x90, 0x00};
    size_t length = at_parse_apdu(value, command, sizeof command), answer_length = 0;
    unsigned channel = session;
    enum hostile_end end;

    REQUIRE(length >= 4);
    if (session == 0)
        channel = channel_of(command[0]);
    else
        /* the modem's to fill in, but where it is tried whether this one does */
        REQUIRE(channel_of(command[0]) == 0 || channel_of(command[0]) == session);
    if (command[1] == INS_MANAGE_CHANNEL && !modem->from_input) {
        manage(modem, channel, prefix, command, length);
        return;
    }
    end = hostile_answer(&modem->card, channel, command, length, answer, &answer_length);
    if (end == HOSTILE_RESTARTS) {
        modem->card.echo = true;
        modem->deaf_until = line_now() + RESTART_MS;
    }
    say_end(end, prefix, answer, answer_length);
}

unsigned modem_session(const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);

    return number > 0 && number <= SESSION_MAX ? (unsigned)number : 0;
}

/* AT+CGLA=SESSION,... */
static void pass_session(struct modem *modem, const char *text)
{
    const char *value = strchr(text, ',');
    unsigned session = modem_session(text);

    REQUIRE(value != NULL);
    if (session == 0 || !modem->card.channels[session].open ||
        modem->card.channels[session].numbered)
        say("\r\n+CME ERROR: 21\r\n");
    else
        pass(modem, session, "+CGLA:", value + 1);
}

static void open_session(struct modem *modem)
{
    unsigned channel = hostile_free_channel(&modem->card);
    uint8_t kind = modem->from_input ? input_byte(&modem->card.input) : 0;
    char text[48];

    if (channel == 0 || (kind >= 0x80 && kind < 0xE0)) {
        (void)snprintf(text, sizeof text, "\r\n+CME ERROR: %d\r\n", kind & 0x1F);
        if (cme_is_no_sim(kind & 0x1F))
            hostile_reset(&modem->card);
        say(text);
        return;
    }
    (void)snprintf(text, sizeof text, "\r\n+CCHO: %u\r\n\r\nOK\r\n", channel);
    modem->card.disturbed = modem->card.disturbed || kind >= 0x80;
    if (kind < 0x80) {
        hostile_open(&modem->card, channel, true);
        say(text);
    } else if ((kind & 1) != 0) { /* its number is not heard, or late */
        hostile_open(&modem->card, channel, true);
        modem->card.channels[channel].owed = false;
        line_say(text, strlen(text), LATE_MS);
    }
}

static void close_session(struct modem *modem, const char *text)
{
    uint8_t kind = modem->from_input ? input_byte(&modem->card.input) : 0;
    unsigned session = modem_session(text);

    if (kind >= 0x80) {
        hostile_close_failed(&modem->card, session, HOSTILE_ERROR);
        say("\r\nERROR\r\n");
        return;
    }
    if (modem->card.channels[session].numbered) {
        say("\r\n+CME ERROR: 21\r\n");
        return;
    }
    if (session > 0) {
        hostile_close(&modem->card, session);
        modem->card.mistaken |= 1U << session; /* it may be in use by its number too */
    }
    say("\r\nOK\r\n");
}

/* Where the echo is back the modem has restarted, as far as anybody knows: what was open may be
 * somebody else's by now. */
static void forgive(struct modem *modem)
{
    for (unsigned i = 0; i < HOSTILE_CHANNELS; i++)
        modem->card.channels[i].owed = false;
}

void modem_heard(void *arg, const char *text)
{
    struct modem *modem = arg;

    if (line_now() < modem->deaf_until)
        return;
    if (modem->echo_stays || modem->card.echo) {
        forgive(modem);
        line_say(text, strlen(text), 0);
        line_say("\r", 1, 0);
    }
    if (strncmp(text, "ATE0", 4) == 0)
        modem->card.echo = modem->echo_stays;
    if (strncmp(text, "AT+CSIM=", 8) == 0 && modem->only_ccho)
        say("\r\n+CME ERROR: 4\r\n");
    else if (strncmp(text, "AT+CSIM=", 8) == 0)
        pass(modem, 0, "+CSIM:", text + 8);
    else if (strncmp(text, "AT+CGLA=", 8) == 0)
        pass_session(modem, text + 8);
    else if (strncmp(text, "AT+CCHO=", 8) == 0)
        open_session(modem);
    else if (strncmp(text, "AT+CCHC=", 8) == 0)
        close_session(modem, text + 8);
    else if (strncmp(text, "AT+CRSM=", 8) == 0 && modem->tells_iccid)
        say("\r\n+CRSM: 144,0,\"98883003000000000071\"\r\n\r\nOK\r\n");
    else if (strcmp(text, "AT+CPIN?") == 0)
        say("\r\n+CPIN: READY\r\n\r\nOK\r\n");
    else if (strncmp(text, "ATE0", 4) == 0 || strcmp(text, "AT") == 0 ||
             strncmp(text, "AT+CMEE", 7) == 0)
        say("\r\nOK\r\n");
    else
        say("\r\nERROR\r\n");
}
