/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, responses and the T=0 rules (61xx, 6Cxx, Le, chaining), once for all applets. It does
 * not know which applet or which modem: the raw exchange is a function, which lets the tests put a
 * scripted card behind it. */
#ifndef SIMKEY_APDU_CARD_APDU_H
#define SIMKEY_APDU_CARD_APDU_H

#include "modem/channel.h"
#include "modem/deadline.h"
#include "modem/outcome.h"
#include "modem/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APDU_LE_NONE   (-1)
#define APDU_LE_ALL    256  /* Le 00: whatever there is */
#define APDU_CLA_CHAIN 0x10 /* ISO 7816-4, 5.4.1: not the last command of a chain */

/* Usual time-outs of one exchange, milliseconds. */
#define APDU_TIMEOUT_MS 5000
#define APDU_TIMEOUT_KEY_MS                                                                        \
    20000 /* private-key operations: a slow card, and the modem's own queue */

/* A short command APDU (ISO 7816-4, 5.1). */
struct apdu {
    uint8_t cla, ins, p1, p2;
    const uint8_t *data;
    size_t lc;      /* 0..255 */
    int le;         /* APDU_LE_NONE, or 1..256 */
    int timeout_ms; /* 0: APDU_TIMEOUT_MS */
    int secrecy;    /* enum secrecy; VERIFY, CHANGE and UNBLOCK are secret without being told */
    bool brief;     /* a SIM that is busy is not waited for: OUTCOME_TIMEOUT with why->cme */
    bool unfetched; /* 61xx means 9000: the data that wait are not fetched */
    /* it reads, or does the same when it comes twice: sent once more where its answer was not heard
     * or is none of its own. VERIFY, CHANGE and UNBLOCK are never. */
    bool repeatable;
};

struct answer {
    uint8_t data[4096];
    size_t length;
    uint16_t sw;
};

/* The raw exchange: a command, an answer with its SW. One channel's. */
typedef enum outcome apdu_exchange_fn(void *arg, struct exchange *exchange,
                                      struct deadline deadline, struct report *why);

/* Whether a PIN may be sent on the channel now: only directly behind a SELECT of the applet that was
 * answered 9000, with nothing but questions for the state of a PIN between. Kept by apdu_send and
 * file_select_applet; apdu/applet/pin.c goes by it. */
struct selection {
    uint8_t aid[16];
    size_t aid_length; /* 0: something else came since */
    bool passed;       /* a PIN was handed on: the card may have seen it */
    bool pinless;      /* IoT SAFE's applet was selected last, by its AID: see apdu_is_pin */
    int64_t asked_ms;  /* how long the question for a PIN's state took */
};

/* What a modem turned out to want otherwise, and what its SIM has: bits of one word. */
enum card_quirk {
    QUIRK_SHORT_LINES = 1,    /* no AT line of more than 512 characters: smaller pieces */
    QUIRK_BASIC_RESPONSE = 2, /* by AT+CSIM GET RESPONSE is taken with CLA 00 only */
    QUIRK_PLAIN_CLASS = 4,    /* AT+CGLA does not put the channel into the CLA */
    QUIRK_CLASS_PUT = 8,      /* none: it was seen to do so */
    QUIRK_BARE_CLASS = 16,    /* IoT SAFE's applet takes its commands with CLA 00, not 80 */
    QUIRK_NO_MIAS = 32,       /* this SIM has IoT SAFE's applet, and does not have mIAS's */
    QUIRK_AID = 64, /* two bits: under which of its AIDs (struct applet), 0 is not known */
    QUIRK_MIAS_FAILED =
        256, /* a modem that opens by an AID failed with mIAS's, and not with IoT SAFE's */
    QUIRKS_ALL = 511
};
#define QUIRK_AIDS (3 * QUIRK_AID)

/* One channel to a card. */
struct card {
    apdu_exchange_fn *exchange;
    void (*doubt)(void *arg); /* an answer made no sense, see apdu_doubt; may be NULL */
    void *arg;
    struct deadline deadline; /* of the whole operation */
    const struct trace *trace;
    /* learnt from the answers, kept by the session */
    bool *no_le;                 /* case-4 commands go without Le */
    unsigned *max_read;          /* the largest Le of READ BINARY that worked, 256 at first */
    unsigned *quirks;            /* bits of enum card_quirk; NULL: none */
    struct selection *selection; /* NULL: it is not kept, and no PIN is sent */
    const uint8_t *iotsafe;      /* an AID of IoT SAFE's applet beside the known ones, or NULL */
    size_t iotsafe_length;
    /* NULL, or what has to be made sure of before a PIN leaves; gets arg */
    enum outcome (*before_pin)(void *arg, struct report *why);
};

/* Notes that the applet was selected on the channel, and the card said 9000; whether that was the
 * last thing on it. */
void card_note_selected(const struct card *card, const uint8_t *aid, size_t aid_length);
bool card_just_selected(const struct card *card, const uint8_t *aid, size_t aid_length);

/* Sends a command and collects the whole answer: 61xx by GET RESPONSE (same CLA, or without its
 * proprietary bit where that is refused; what came before is kept, rounds are capped), 6Cxx by the same command with the right Le, 6700 or a modem's
 * refusal of a case-4 command by one without Le. 91xx counts as 9000 (a proactive command waits). A
 * repeatable command whose exchange failed in the modem (+CME ERROR 0, 13, 100), or whose answer
 * cannot be its own, is sent once more. OUTCOME_OK means that the card answered: look at answer->sw.
 * Its data are no more than was asked for, and as many as 61xx announced. */
enum outcome apdu_send(const struct card *card, const struct apdu *command, struct answer *answer,
                       struct report *why);

/* Sends data of any length as a chain of commands of at most piece bytes (CLA 10 on all but the
 * last). Where the modem refuses the first one, pieces that fit in an AT line of 512 characters are
 * tried, and remembered. The answer is the last one's, or that of the first command that was refused. */
enum outcome apdu_send_chain(const struct card *card, const struct apdu *command, size_t piece,
                             struct answer *answer, struct report *why);

/* Turns a status word that was not awaited into an outcome and a sentence; what says what was asked
 * for ("sign"). */
enum outcome apdu_refused(const struct answer *answer, const char *what, struct report *why);

/* True for an instruction whose data are a PIN or a PUK, of which a wrong one costs a try: VERIFY,
 * CHANGE, DISABLE, ENABLE, UNBLOCK (ISO 7816-4, 11.6; ETSI TS 102 221, 11.1.9 to 11.1.13), also in their
 * odd form. */
bool apdu_pin_instruction(uint8_t ins);

/* True for a command that has such data, as far as is known: nothing may repeat it (before_pin in struct
 * card), and nobody may read it. To IoT SAFE's applet, which has no PIN, 24 is PUT PUBLIC KEY, and 2C and
 * 2D are VERIFY SIGNATURE; so they are where it was selected on this channel in this operation. */
bool apdu_is_pin(const struct card *card, const struct apdu *command);

/* Whether an AID is one of IoT SAFE's applet; and an instruction that is another command there. */
bool card_is_iotsafe(const struct card *card, const uint8_t *aid, size_t aid_length);
bool apdu_iotsafe_instruction(uint8_t ins);

/* Tells the channel that the last answer cannot be its command's: nothing is sent there before no
 * answer is outstanding. */
void apdu_doubt(const struct card *card);

/* 9000; 62xx and 63xx are warnings that the caller judges. */
#define SW_OK             0x9000
#define SW_CLOSED_CHANNEL 0x6881 /* no such logical channel, or none that is open */

/* Cleanses an answer that held a secret. */
void answer_clear(struct answer *answer);

#endif
