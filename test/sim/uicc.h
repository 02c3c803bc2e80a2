/* SPDX-License-Identifier: Apache-2.0 */
/* The card as a whole: logical channels, which applet is selected on each, and how APDUs come in
 * and answers go out. What an applet does is its own file's matter. */
#ifndef SIMKEY_SIM_UICC_H
#define SIMKEY_SIM_UICC_H

#include "test/sim/apdu.h"
#include "test/sim/card.h"
#include "test/sim/fs.h"
#include "test/sim/options.h"
#include "test/sim/safe2.h"
#include "test/sim/trace.h"

#define UICC_CHANNELS 20

struct uicc;
struct channel;

/* What an applet is. The table of them is in uicc.c: a new one is a line there and a file. */
struct applet {
    const uint8_t *aid; /* NULL: is_called knows */
    size_t aid_size;
    /* Whether this card has it. */
    bool (*present)(const struct uicc *card);
    /* 9000, or why it may not be selected on this channel now. */
    unsigned (*may_select)(const struct uicc *card, const struct channel *on, unsigned p2);
    /* Makes the state of a selection (never NULL), and appends the answer that P2 asks for. */
    void *(*select)(struct uicc *card, unsigned p2, struct bytes *answer);
    void (*deselect)(void *state);
    /* Any command but SELECT by AID, MANAGE CHANNEL and GET RESPONSE. */
    void (*process)(struct uicc *card, void *state, const struct command *cmd, struct response *r);
    /* May be NULL. Whether an AID or its leading part is one of several that it has. */
    bool (*is_called)(const struct uicc *card, const uint8_t *aid, size_t size);
    /* May be NULL: its commands have the usual names. Those of its own, for the trace, or NULL; secret:
     * the command's data are masked. */
    const char *(*command_name)(uint8_t ins, uint8_t p1, bool *secret);
};

struct channel {
    bool open;
    bool leaked; /* from the start, by the fault of that name */
    const struct applet *applet;
    void *state;
    /* Waiting for GET RESPONSE. */
    struct response waiting;
    /* An answer held back by 6Cxx until the same command comes with the right Le. */
    struct response held;
    uint8_t held_header[4];
    bool holding;
    bool warned; /* MANAGE CHANNEL was answered with 6C01 */
};

struct uicc {
    struct card *card;
    const struct options *options;
    const struct trace *trace;
    struct tree files;      /* of the UICC */
    struct tree mias_files; /* of mIAS */
    long wrong_signatures;  /* still to come, OPTION_ALWAYS: all */
    bool endless;           /* FAULT_6100_FOREVER has begun */
    struct safe2 safe2;
    struct iotsafe iotsafe;
    /* The last one is the modem's own view of the basic channel: what the modem reads for itself
     * does not disturb what a client has selected there, as in modems that put the selection back.
     */
    struct channel channels[UICC_CHANNELS + 1];
};

void uicc_start(struct uicc *u, struct card *card, const struct options *options,
                const struct trace *trace);
void uicc_end(struct uicc *u);
/* Power off and on: all channels are gone, PINs unverified. */
void uicc_reset(struct uicc *u);

/* What uicc.c does to a channel, for others that do it too. */
void uicc_channel_open(struct uicc *u, struct channel *c);
void uicc_channel_close(struct channel *c);
void uicc_channel_select(struct uicc *u, struct channel *c, const struct applet *applet,
                         unsigned p2, struct bytes *answer);
void uicc_forget_answers(struct channel *c);

/* Opens so many channels that nobody will close, the highest first; FAULT_NO_ARG: all. */
void uicc_leak(struct uicc *u, long count);

/* What other programs do to the channels that programs have: the supplementary ones that are open
 * and not leaked, and the basic one if an applet was selected there. */
enum intrusion {
    INTRUSION_CLOSE,  /* close them */
    INTRUSION_SELECT, /* select the UICC application on them */
    INTRUSION_MSE     /* select mIAS, verify its PIN and set another key's environment */
};

/* False if there was no such channel. */
bool uicc_intrude(struct uicc *u, enum intrusion what);

/* Who sends an APDU (see trace.h). SOURCE_MODEM means the modem's own view of the basic channel,
 * SOURCE_FETCH what the modem adds to a client's command. */
enum source { SOURCE_CSIM, SOURCE_CGLA, SOURCE_CCHO, SOURCE_MODEM, SOURCE_FETCH };

/* Every APDU of everybody goes through here: command in, answer with its status word out
 * (appended). Returns the milliseconds that the card takes. */
long uicc_exchange(struct uicc *u, enum source source, const uint8_t *command, size_t size,
                   struct bytes *answer);

extern const struct applet mf_applet;      /* no AID: what a new channel has, telecom.c */
extern const struct applet usim_applet;    /* the network's application, telecom.c */
extern const struct applet telecom_applet; /* the UICC application, telecom.c */
extern const struct applet mias_applet;    /* mias.c */
extern const struct applet iotsafe_applet; /* iotsafe.c */
extern const struct applet safe2_applet;   /* safe2.c */

#endif
