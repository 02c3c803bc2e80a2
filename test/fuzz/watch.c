/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, as the card sees them. */
#include "test/fuzz/watch.h"

#include <string.h>

#define PIN_REFERENCE  0x81 /* the applet's PIN */
#define PIN1_REFERENCE 0x01
#define P1_BY_NAME     0x04
#define P1_CLOSE       0x80

/* The four cases of a short command (ISO 7816-4, 5.1). */
static struct watched check_shape(const uint8_t *command, size_t length)
{
    struct watched watched = {.lc = 0};

    REQUIRE(length >= 4 && length <= APDU_COMMAND_SIZE);
    watched.ins = command[1];
    watched.p1 = command[2];
    watched.p2 = command[3];
    if (length == 4)
        return watched;
    if (length == 5) {
        watched.le = command[4] == 0 ? 256 : command[4];
        return watched;
    }
    watched.lc = command[4];
    REQUIRE(watched.lc > 0);
    REQUIRE(length == 5 + watched.lc || length == 6 + watched.lc);
    if (length == 6 + watched.lc)
        watched.le = command[length - 1] == 0 ? 256 : command[length - 1];
    return watched;
}

static bool tries_known(uint16_t sw)
{
    return (sw & 0xFFF0) == 0x63C0;
}

/* The applet's or the card's word that something is selected (ISO 7816-4, 5.6). */
static bool selects(uint16_t sw)
{
    return sw == 0x9000 || (sw & 0xFF00) == 0x9100 || (sw & 0xFF00) == 0x6200 ||
           (sw & 0xFF00) == 0x6300;
}

static bool *refusal_of(struct hostile *card, uint8_t p2)
{
    return &card->refused[card->source][p2 == PIN1_REFERENCE];
}

static bool by_person(const struct hostile *card)
{
    return card->tries_wanted != TRIES_SOFTWARE || card->change_wanted;
}

/* By which a channel in doubt is asked whose it is: harmless on any. */
static bool is_question(const struct watched *watched)
{
    return watched->ins == INS_STATUS || watched->ins == INS_SAFE2 ||
           ((watched->ins == INS_VERIFY || watched->ins == INS_IOTSAFE) && watched->lc == 0);
}

/* MANAGE CHANNEL on the channel itself: of one that is not open that does nothing. */
static bool closes_itself(const struct watched *watched)
{
    return watched->ins == INS_MANAGE_CHANNEL && watched->p1 == P1_CLOSE && watched->p2 == 0;
}

/* On the basic channel channels are managed, and what waits for a modem that fetches nothing on others is
 * fetched; elsewhere a channel must be open, or is asked whose it is, in parts too. The modem's own channel is not closed: 1, unless it is known, or was asked, or was
 * closed by the last command, so that nobody can have got it since. */
static void check_channel(const struct hostile *card, const struct watched *watched)
{
    REQUIRE(watched->channel < HOSTILE_CHANNELS);
    if (watched->channel > 0)
        REQUIRE(card->channels[watched->channel].open || is_question(watched) ||
                closes_itself(watched) || watched->ins == INS_GET_RESPONSE || card->reset_unheard ||
                (card->mistaken & 1U << watched->channel) != 0);
    else
        REQUIRE(watched->ins == INS_MANAGE_CHANNEL || watched->ins == INS_GET_RESPONSE);
    if (watched->ins == INS_MANAGE_CHANNEL && watched->p1 == P1_CLOSE && watched->channel == 0)
        REQUIRE(watched->p2 > 0 && watched->p2 < HOSTILE_CHANNELS &&
                (watched->p2 != 1 || card->channels[1].open || card->channels[1].disowned ||
                 card->just_closed == 1 || (card->mistaken & 1U << 1) != 0));
}

/* What the card said right before allows a try. */
static void check_tries(const struct hostile *card, const struct watched *watched)
{
    int left = tries_known(card->state) ? card->state & 0x0F : -1;

    /* a person's PIN goes out on 9000 too, which may be another answer's where they are off by one */
    REQUIRE((card->asked && card->asked_on == watched->channel) ||
            (by_person(card) && card->shifted));
    REQUIRE(card->state != 0x6983 && left != 0);
    if (card->tries_wanted == TRIES_SOFTWARE)
        REQUIRE(left >= TRIES_SOFTWARE);
    else if (card->tries_wanted == TRIES_PERSON)
        REQUIRE(left >= TRIES_PERSON || card->state == 0x9000 || (card->state & 0xFF00) == 0x9100 ||
                card->state == 0x6984);
    if (!by_person(card) && card->remembers && watched->p2 == PIN_REFERENCE)
        REQUIRE(left >= card->before);
}

static void check_pin(struct hostile *card, const struct watched *watched, uint8_t cla)
{
    REQUIRE(watched->ins != INS_UNBLOCK); /* nobody asked for it */
    REQUIRE(watched->ins != INS_CHANGE || (card->change_wanted && watched->lc > 0));
    if ((watched->ins != INS_VERIFY && watched->ins != INS_CHANGE) || watched->lc == 0)
        return;
    if (watched->ins == INS_VERIFY)
        REQUIRE(cla == (cla & 0x4F) &&
                ((watched->p2 == PIN_REFERENCE && watched->lc >= 4 && watched->lc <= 16) ||
                 (watched->p2 == PIN1_REFERENCE && watched->lc == 8)));
    REQUIRE(!card->echo);
    REQUIRE(card->channels[watched->channel].selected);
    check_tries(card, watched);
    if (!by_person(card)) {
        REQUIRE(card->source != SOURCE_NONE);
        REQUIRE(!*refusal_of(card, watched->p2));
    } else {
        REQUIRE(card->verifies == 0);
    }
    card->verifies++;
}

/* What a PIN opened is used only by programs whose own PIN was accepted too, there or elsewhere. */
static void check_ride(const struct hostile *card, const struct watched *watched)
{
    unsigned sources = card->channels[watched->channel].sources;

    if (watched->ins == INS_PSO && sources != 0)
        REQUIRE(card->source != SOURCE_NONE &&
                ((sources | card->proved) & 1U << card->source) != 0);
}

struct watched watch_command(struct hostile *card, unsigned channel, const uint8_t *command,
                             size_t length)
{
    struct watched watched = check_shape(command, length);

    watched.channel = channel;
    if (watched.ins != INS_GET_RESPONSE)
        watch_settle(card);
    check_channel(card, &watched);
    card->just_closed =
        watched.ins == INS_MANAGE_CHANNEL && watched.p1 == P1_CLOSE ? watched.p2 : 0;
    check_pin(card, &watched, command[0]);
    check_ride(card, &watched);
    return watched;
}

/* ---- afterwards ---- */

static void note_refusal(struct hostile *card, uint8_t p2)
{
    if (!by_person(card))
        *refusal_of(card, p2) = true;
}

void watch_settle(struct hostile *card)
{
    if (card->verify_under_way)
        note_refusal(card, PIN_REFERENCE);
    card->verify_under_way = false;
}

static void note_accepted(struct hostile *card, const struct watched *watched)
{
    if (by_person(card)) { /* a person's success clears what is remembered */
        memset(card->refused, 0, sizeof card->refused);
        card->told = card->before = -1;
    } else if (watched->p2 == PIN_REFERENCE || watched->ins == INS_GET_RESPONSE) {
        card->channels[watched->channel].sources |= 1U << card->source;
        card->proved |= 1U << card->source;
    }
}

/* The status word of a VERIFY or CHANGE with data. */
static void note_verified(struct hostile *card, const struct watched *watched)
{
    bool accepted = watched->sw == 0x9000 || (watched->sw & 0xFF00) == 0x9100 ||
                    (watched->sw == 0x6984 && watched->p2 == PIN1_REFERENCE);

    card->verify_under_way = (watched->sw & 0xFF00) == 0x6100 ||
                             (watched->ins == INS_GET_RESPONSE && (watched->sw & 0xFF00) == 0x6C00);
    if (accepted)
        note_accepted(card, watched);
    else if (!card->verify_under_way)
        note_refusal(card, watched->p2);
    if (tries_known(watched->sw) && watched->p2 == PIN_REFERENCE)
        card->told = watched->sw & 0x0F;
}

static void note_state(struct hostile *card, const struct watched *watched)
{
    bool question = watched->ins == INS_VERIFY && watched->lc == 0;

    card->asked = question || (card->asked && watched->ins == INS_GET_RESPONSE);
    card->asked_on = watched->channel;
    card->state = watched->sw;
    if (card->asked && tries_known(watched->sw) && watched->answer_length == 2 &&
        watched->p2 == PIN_REFERENCE) { /* with data it is another command's answer */
        card->before = card->told;
        card->told = watched->sw & 0x0F;
    }
}

/* Whether an applet is freshly selected on the channel. */
static void note_selection(struct hostile_channel *channel, const struct watched *watched)
{
    bool select = watched->ins == INS_SELECT && watched->p1 == P1_BY_NAME,
         fetch = watched->ins == INS_GET_RESPONSE,
         question = (watched->ins == INS_VERIFY && watched->lc == 0) || watched->ins == INS_STATUS,
         on = select || (fetch && channel->select_under_way);

    if (on) {
        channel->select_under_way =
            (watched->sw & 0xFF00) == 0x6100 || (fetch && (watched->sw & 0xFF00) == 0x6C00);
        /* 61xx: done, and what waits need not be fetched. What a PIN opened may stay open. */
        channel->selected = selects(watched->sw) || (select && (watched->sw & 0xFF00) == 0x6100);
    } else if (!fetch && !question) {
        channel->selected = channel->select_under_way = false;
    }
}

/* Some modems fetch an answer by the basic channel's class only: it is that of the channel which refused. */
static void note_fetch(struct hostile *card, const struct watched *watched)
{
    const bool fetch = watched->ins == INS_GET_RESPONSE;

    if (fetch && watched->channel == 0 && card->fetched_for > 0) {
        card->channels[card->fetched_for].selected = selects(watched->sw);
        if ((watched->sw & 0xFF00) == 0x6100 || (watched->sw & 0xFF00) == 0x6C00)
            return;
    }
    card->fetched_for =
        fetch && card->channels[watched->channel].select_under_way ? watched->channel : 0;
}

/* What an applet says that does not know STATUS: then the channel is no network application's. */
static bool knows_no_status(uint16_t sw)
{
    const unsigned sw1 = sw >> 8;

    return sw1 == 0x67 || sw1 == 0x68 || sw1 == 0x69 || sw1 == 0x6B || sw == 0x6A86 ||
           sw == 0x6A88 || sw == 0x6D00 || sw == 0x6E00;
}

/* What STATUS is answered. With more data than were asked for, or with an end that does not come, that is
 * no word of the card's: the channel may be the modem's own. */
static void note_owner(struct hostile *card, const struct watched *watched)
{
    struct hostile_channel *channel = &card->channels[watched->channel];
    bool fetch = watched->ins == INS_GET_RESPONSE;
    size_t got = watched->answer_length - 2;

    if (watched->ins == INS_STATUS && watched->p2 == 0x01)
        channel->used = watched->sw == 0x9000 && got > 0;
    else if (watched->ins == INS_VERIFY && watched->lc == 0 && channel->status_asked)
        channel->used = tries_known(watched->sw) || watched->sw == 0x9000 ||
                        watched->sw == 0x6983 || watched->sw == 0x6984;
    else if (!is_question(watched) && !fetch)
        channel->used = false;
    channel->status_asked = (watched->ins == INS_STATUS && watched->p2 != 0x01) || /* by name */
                            (fetch && channel->status_asked);
    if (!channel->status_asked)
        return;
    channel->disowned = knows_no_status(watched->sw);
    if (card->numberless && watched->sw == 0x9000) /* it may be the one that was opened */
        channel->open = true;
    channel->claimed = !channel->disowned || (fetch ? got != watched->le : got > watched->le);
    /* another command's answer: nothing that follows is believed */
    if (watched->sw == 0x9000 && got > watched->le)
        card->disturbed = true;
}

/* A command that the card refuses by its form does nothing. */
static bool refused_by_form(const struct watched *watched)
{
    const unsigned sw1 = watched->sw >> 8;

    return watched->answer_length == 2 &&
           (sw1 == 0x67 || sw1 == 0x69 || sw1 == 0x6B || watched->sw == 0x6A86 ||
            watched->sw == 0x6D00 || watched->sw == 0x6E00);
}

static void note_channels(struct hostile *card, const struct watched *watched, bool heard)
{
    bool ok = watched->sw == 0x9000 || (watched->sw & 0xFF00) == 0x9100;

    card->numberless = watched->p1 != P1_CLOSE && ok && watched->answer_length == 2;
    if (watched->p1 == P1_CLOSE && refused_by_form(watched)) {
        return;
    } else if (watched->p1 == P1_CLOSE) {
        hostile_close(card, watched->channel > 0 ? watched->channel : watched->p2);
    } else if (ok && watched->answer_length == 3 && watched->first >= 1 &&
               watched->first < HOSTILE_CHANNELS) {
        hostile_open(card, watched->first, false);
        card->channels[watched->first].numbered = true;
        card->channels[watched->first].owed = heard;
    }
}

/* The questions to a channel that may be somebody else's, and their answers' further parts. */
static bool before_closing(const struct hostile_channel *channel, const struct watched *watched)
{
    return watched->ins == INS_STATUS || watched->ins == INS_SAFE2 || watched->ins == INS_IOTSAFE ||
           (watched->ins == INS_GET_RESPONSE && channel->status_asked);
}

/* No answer, or none that can be trusted. */
static void note_failure(struct hostile *card, const struct watched *watched, enum hostile_end end,
                         bool seen)
{
    bool pin = (watched->ins == INS_VERIFY || watched->ins == INS_CHANGE) && watched->lc > 0;

    if (!seen && !pin) /* a modem that is busy has not passed it on */
        return;
    if (!seen && !card->called_busy) { /* believed of a PIN once, because it may lie */
        card->called_busy = true;
        card->verifies--;
        return;
    }
    /* the same question before it was answered, perhaps only now: twice what was said before that */
    if (watched->ins != INS_VERIFY || watched->lc > 0 || card->asked_on != watched->channel)
        card->asked = false;
    if (watched->ins == INS_MANAGE_CHANNEL) /* what could not be closed stays open */
        card->disturbed = true;
    if (watched->ins == INS_MANAGE_CHANNEL && watched->p1 == P1_CLOSE)
        hostile_close_failed(card, watched->channel > 0 ? watched->channel : watched->p2, end);
    /* a device that vanishes while a channel is asked before its closing: as while it is closed */
    if (end == HOSTILE_GONE && before_closing(&card->channels[watched->channel], watched))
        card->channels[watched->channel].owed = false;
    if (watched->ins == INS_STATUS ||
        (watched->ins == INS_GET_RESPONSE && card->channels[watched->channel].status_asked))
        card->channels[watched->channel].claimed = true;
    if (pin)
        note_refusal(card, watched->p2);
    if ((watched->ins != INS_VERIFY || watched->lc > 0) && watched->ins != INS_STATUS)
        card->channels[watched->channel].selected = false;
}

void watch_end(struct hostile *card, const struct watched *watched, enum hostile_end end,
               size_t cme)
{
    bool heard = end == HOSTILE_ANSWERS;
    struct watched same = *watched;

    if (!heard && end != HOSTILE_CME && end != HOSTILE_ERROR)
        card->disturbed = true;
    /* what is said twice, the second time behind the next question, answers that if nothing else
     * does, and two such answers answer two: no program can tell */
    same.sw = card->twice;
    card->shifted = card->shifted || card->copies > 0;
    if (card->shifted && watched->sw == 0x9000 && watched->answer_length == 3 &&
        watched->first < HOSTILE_CHANNELS)
        card->mistaken |= 1U << watched->first;
    if (end == HOSTILE_SILENT && card->copies > 0) {
        card->copies--;
    } else {
        card->copies = end == HOSTILE_TWICE ? card->copies + 1 : 0;
        card->twice = end == HOSTILE_TWICE ? watched->sw : 0;
    }
    if (end == HOSTILE_SILENT && same.sw != 0 &&
        ((watched->ins == INS_VERIFY && watched->lc == 0) || watched->ins == INS_SELECT)) {
        note_state(card, &same);
        note_selection(&card->channels[watched->channel], &same);
        if (card->copies == 0)
            card->twice = 0;
        return;
    }
    if (watched->answer_length == 0) {
        note_failure(card, watched, end, !(end == HOSTILE_CME && cme == CME_SIM_BUSY));
        if (end == HOSTILE_RESTARTS || (end == HOSTILE_CME && cme_is_no_sim((int)cme))) {
            hostile_reset(card); /* nothing is open on a SIM that is not there */
            card->reset_unheard = card->shifted && end == HOSTILE_CME;
        }
        return;
    }
    if (watched->ins == INS_MANAGE_CHANNEL) {
        /* what was said twice before passes for this answer: if it was a refusal, for one, and the
         * number that comes behind it could be another program's */
        note_channels(card, watched, heard && same.sw == 0 && !card->shifted);
        return;
    }
    /* some modems say OK before the answer, and some say all twice */
    if (!heard && end != HOSTILE_TWICE && end != HOSTILE_STRAY) {
        note_failure(card, watched, end, true);
        return;
    }
    if ((watched->ins == INS_VERIFY || watched->ins == INS_CHANGE) && watched->lc > 0)
        note_verified(card, watched);
    else if (watched->ins == INS_GET_RESPONSE && card->verify_under_way)
        note_verified(card, watched);
    note_owner(card, watched);
    note_state(card, watched);
    note_fetch(card, watched);
    note_selection(&card->channels[watched->channel], watched);
}
