/* SPDX-License-Identifier: Apache-2.0 */
/* The misbehaviours that --fault NAME[:ARG[,ARG2]] asks for. A new one needs a line in the enum, a
 * line in the table of faults.c, and its effect at the place where it belongs:
 *
 *   noise.c   the shape of outgoing text and when its parts leave
 *   gate.c    what befalls a SIM command by its number: errors, silence, delays
 *   life.c    reset, REFRESH, removal, another SIM, hang-up, what other programs do
 *   simcmd.c  what the modem makes of an APDU, uicc.c: what the card does */
#ifndef SIMKEY_SIM_FAULTS_H
#define SIMKEY_SIM_FAULTS_H

#include <stdbool.h>
#include <stdio.h>

/* In the order of --help. N is the number of a SIM command, from 1 on, unless said otherwise. */
enum fault {
    /* Text */
    FAULT_ECHO_STAYS,   /* ATE0 answers OK and changes nothing */
    FAULT_ECHO_RETURNS, /* echo is on again after the n-th */
    FAULT_LOWER_CASE,   /* hexadecimal answers in lower case */
    FAULT_NO_QUOTES,    /* +CSIM: 4,9000 */
    FAULT_NO_BLANK,     /* +CSIM:4,"9000" */
    FAULT_BLANKS,       /* +CSIM:   4,  "9000" */
    FAULT_BARE_CCHO,    /* the session without "+CCHO: " */
    FAULT_SESSION16,    /* a session of 16 hexadecimal digits */
    FAULT_QUOTED_IMEI,  /* AT+CGSN answers in quotes */
    FAULT_NO_CCHC,      /* AT+CCHC does not exist */
    FAULT_CME_TEXT,     /* +CME ERROR as text whatever AT+CMEE says */
    FAULT_PLAIN_ERROR,  /* ERROR whatever AT+CMEE says */
    FAULT_NO_COMPOUND,  /* ATE0V1Q0 is refused */
    FAULT_TWO_FINALS,   /* +CME ERROR is followed by ERROR */
    FAULT_GARBAGE,      /* noise around every n-th answer of any command */
    FAULT_OPEN_GARBAGE, /* noise and a stale answer whenever a client opens the port */
    FAULT_BOOT_CHATTER, /* boot lines around every n-th answer of any command */
    FAULT_STALE,        /* an old answer after that of the n-th */
    FAULT_STRAY_OK,     /* a message that says OK while the n-th is under way */
    FAULT_STRAY_TEXT,   /* the same with lines that look like an answer, an error, a restart */
    FAULT_STRAY_ERROR,  /* another program's ERROR then */
    FAULT_STRAY_ANSWER, /* another program's answer and OK then */
    FAULT_OK_FIRST,     /* OK comes before the lines that it ends */
    FAULT_NO_ANSWER,    /* the K-th question is not answered */
    FAULT_NO_END,       /* the same question is answered without OK */
    FAULT_URC,          /* unsolicited lines around every n-th answer of any command */
    FAULT_CHATTER,      /* an unsolicited line every ms, between answers */
    FAULT_SMS_PROMPT,   /* text entry of a message, from the start or instead of the n-th */
    FAULT_URC_SPLIT,    /* an unsolicited line inside the answer line of every n-th */
    FAULT_WRONG_LENGTH, /* every n-th announces another length than it has */
    FAULT_SLOW_LINES,   /* ms between the lines of an answer */
    FAULT_PARTIAL,      /* answers leave k octets at a time */
    /* Time */
    FAULT_MUTE,      /* hears and says nothing for the first ms */
    FAULT_MUTE_AT,   /* the n-th is swallowed, and the same for ms */
    FAULT_LATE,      /* every SIM command answers ms later */
    FAULT_LATE_AT,   /* the n-th answers ms later */
    FAULT_HALF_LINE, /* half of the n-th answer, the rest never */
    FAULT_HALF_LATE, /* half of the n-th answer, the rest ms later */
    FAULT_GAP,       /* a command within ms of the last final result is not heard */
    FAULT_GAP_ERROR, /* the same, it is answered ERROR */
    FAULT_BUSY,      /* the first n answer +CME ERROR: 14 */
    FAULT_PIN_BUSY,  /* k VERIFYs with a PIN answer +CME ERROR, unseen by the card */
    /* Errors */
    FAULT_CME,       /* the n-th answers +CME ERROR, unseen by the card */
    FAULT_CME_AFTER, /* the same, but the card has done it */
    FAULT_ERROR_AT,  /* the n-th answers ERROR, unseen by the card */
    /* Carrier and card */
    FAULT_GET_RESPONSE,      /* the modem follows 61xx and 6Cxx itself */
    FAULT_6100_FOREVER,      /* from the n-th on there is no end of 61xx */
    FAULT_6CXX,              /* case 2 commands answer 6Cxx first */
    FAULT_REFUSE_LE,         /* case 4 commands with Le are refused */
    FAULT_NO_MANAGE_CHANNEL, /* MANAGE CHANNEL over AT+CSIM is refused */
    FAULT_OPEN_LE, /* over AT+CSIM MANAGE CHANNEL: 6700 with Le 01 to open, and with a Le to close */
    FAULT_NO_CLOSE,  /* over AT+CSIM MANAGE CHANNEL does not close */
    FAULT_NO_NUMBER, /* over AT+CSIM opening a channel answers 9000 without its number */
    FAULT_NO_CSIM_CHANNELS, /* over AT+CSIM commands on a channel are refused: 6E00, or 4 digits of SW, or a +CME ERROR */
    FAULT_EMPTY_CSIM,  /* over AT+CSIM commands on a channel are answered OK alone, not passed on */
    FAULT_SELECT_ONLY, /* over AT+CSIM a channel takes SELECT and GET RESPONSE only */
    FAULT_CCHO_ERROR,  /* AT+CCHO opens the channel and answers +CME ERROR */
    FAULT_CCHO_MISSING, /* AT+CCHO for an applet that the SIM does not have: ERROR, or another error */
    FAULT_PLAIN_CLASS,    /* AT+CGLA hands the CLA on as it is */
    FAULT_BASIC_RESPONSE, /* over AT+CSIM GET RESPONSE is taken with CLA 00 only, for any channel */
    FAULT_NO_CCHO,        /* no AT+CCHO, AT+CGLA, AT+CCHC */
    FAULT_NO_CSIM,        /* no AT+CSIM */
    FAULT_MAX_LENGTH,     /* longer APDUs and answers are refused */
    FAULT_MAX_LINE,       /* a command line of more than K characters: ERROR */
    FAULT_LEAKED,         /* channels that others left open */
    /* Life */
    FAULT_LOSE_CHANNEL, /* after the n-th the programs' channels are gone */
    FAULT_FOREIGN,      /* after the n-th others select another application */
    FAULT_FOREIGN_MSE,  /* after the n-th others set another security environment */
    FAULT_REFRESH,      /* the card is reset after the n-th */
    FAULT_MODEM_RESET,  /* the modem restarts at the n-th */
    FAULT_BOOT_WORDS, /* a restart is told by ^SYSSTART (1), by *ATREADY (2), not at all (3), nor by the echo (4) */
    FAULT_SIM_REMOVED, /* the SIM is gone at the n-th */
    FAULT_OTHER_SIM,   /* another SIM is in at the n-th */
    FAULT_HANG_UP,     /* the pty is closed at the n-th */
    /* Remote administration, by the number of a command to the IoT SAFE applet */
    FAULT_IOTSAFE_6984, /* it is under way at the n-th and k following */
    FAULT_IOTSAFE_6989, /* it has ended, the n-th is not done */
    FAULT_IOTSAFE_63CF, /* it has ended, the n-th is done */
    /* Only with --protocol qmi or mbim */
    FAULT_CLIENTS_GONE, /* at the n-th the client ids are gone */
    FAULT_CLIENT_LIMIT, /* so many client ids there are */
    FAULT_SYNC,         /* the restart is told: QMI, CTL Sync; MBIM: not opened */
    FAULT_OPEN_DENIED,  /* opening a channel is not allowed */
    FAULT_NO_SLOTS,     /* the modem does not tell of its slots */
    FAULT_NO_PROCEDURE, /* the switch for procedure bytes is refused */
    FAULT_LONG_ANSWER,  /* longer answers come in parts, by indications */
    FAULT_ODD_PARTS,    /* unknown parts, and all in another order */
    FAULT_INDICATIONS,  /* foreign messages before and behind each answer */
    FAULT_TOGETHER,     /* the answer leaves together with the next message */
    FAULT_BUILD_CLASS,  /* the modem builds the class itself */
    FAULT_SWAP_CLASS,   /* it builds it, and takes the types the other way round */
    FAULT_NO_FETCH,     /* the modem leaves 61xx to the host */
    FAULT_NEED_LE,      /* without Le no data come */
    FAULT_SELECT_P2,    /* selecting with another P2 fails */
    FAULT_NO_SERVICE,   /* no UIM, no UICC access */
    FAULT_COUNT
};

#define FAULT_NO_ARG (-1L) /* an argument that may be left out was */

struct faults {
    bool on[FAULT_COUNT];
    long arg[FAULT_COUNT]; /* 0 where the fault is off */
    long arg2[FAULT_COUNT];
};

/* Reads NAME[:ARG[,ARG2]]; the same name again replaces what stood before. Returns false after a
 * sentence on stderr when it is unknown or an argument is wrong. */
bool faults_add(struct faults *f, const char *text);
void faults_list(FILE *out);

/* Is it asked for, and for the n-th of what it counts, or for every so many of them? */
bool fault_nth(const struct faults *f, enum fault fault, long n);
bool fault_every(const struct faults *f, enum fault fault, long n);

#endif
