/* SPDX-License-Identifier: Apache-2.0 */
/* One AT dialogue (3GPP TS 27.007, ITU-T V.250): send a line, skip the unsolicited, collect the
 * answer, recognise every final result. It does not know APDUs. */
#ifndef SIMKEY_MODEM_AT_H
#define SIMKEY_MODEM_AT_H

#include "modem/event.h"
#include "modem/outcome.h"
#include "modem/port.h"
#include "modem/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest classic line is `+CSIM: 516,"` and 516 hex digits; room for blanks and for prefixes.
 */
#define AT_LINE_SIZE 640

/* Room for a short answer: that to the opening of a channel. */
#define AT_STRAY_SIZE 48

enum at_final {
    AT_FINAL_NONE, /* not a final result */
    AT_FINAL_OK,
    AT_FINAL_ERROR, /* an error without a number: ERROR, NO CARRIER, COMMAND NOT SUPPORT, ... */
    AT_FINAL_CME,   /* +CME ERROR with a number, or with a text that stands for one */
};

/* Recognises a final result. *cme gets the number for AT_FINAL_CME (CME_UNKNOWN for an unknown
 * text), else -1. */
enum at_final at_final_result(const char *line, int *cme);

/* How the line that answers a command is told from unsolicited ones. */
enum at_answer {
    AT_ANSWER_NONE,     /* no line is awaited, only the final result */
    AT_ANSWER_PREFIXED, /* the line starts with the prefix; what follows it is the value */
    AT_ANSWER_BARE_HEX, /* the same, or a line of nothing but hex digits, also in quotes (CGSN, CCHO of some modems)
                         */
    AT_ANSWER_TEXT, /* the same, or the first line that is not known to be unsolicited (CGMI, CGMM,
                       CGMR) */
};

struct at {
    struct port *port;
    const struct trace *trace;
    unsigned *events; /* bits of enum event; borrowed */
    bool echo_stays;  /* in spite of ATE0; set by at_start, or by a caller that remembers it */
    unsigned echoes;  /* how many came at all, also behind another one's OK or in a message */
    char stray[AT_STRAY_SIZE]; /* the last answer that nothing was asked for, "+CSIM: 6,..." */
    /* the modem shows a message: the next line is its text; what followed may be text too */
    bool skip_text, messages;
    unsigned breaks; /* line feeds since the last line */
    bool unsettled;  /* an OK came before the answer that it belongs to: another one may follow */
    uint32_t taken;  /* checksum of the last answer that was taken */
    bool unanswered; /* a question came to no end: those that follow wait less */
    int no_sim;      /* the number of +CME ERROR behind EVENT_NO_SIM; 0: CME_NO_SIM */
    /* while the line is brought into step: what may still be answered, and where that goes */
    const struct at_command *owed;
    struct at_result *owed_result;
    bool prompted;    /* the modem was at the prompt for a message's text */
    bool escaped;     /* and was told to leave it */
    bool unheard;     /* nothing came for the last command, not even its echo */
    bool refused;     /* the last one ended in an error without a number */
    unsigned deaf;    /* bits of enum at_deaf; set by a caller that remembers them */
    bool iccid_asked; /* the modem did not tell the ICCID, and that was noted */
    bool gap_asked;   /* commands are lost, but not for want of a gap, see at_learn_gap */
    int64_t heard_at; /* monotonic_ms when something came last */
    unsigned overdue; /* reads behind the deadline */
    /* what was read and not yet consumed */
    char input[AT_LINE_SIZE];
    size_t input_length;
};

/* What this modem does not answer, or does not have. */
enum at_deaf {
    AT_DEAF_COMPOUND = 1, /* ATE0V1Q0 in one line */
    AT_DEAF_CMEE = 2,
    AT_DEAF_ICCID_ONCE = 4, /* every way to the ICCID, in one operation */
    AT_DEAF_ICCID = 8,      /* the same in two: it is not asked any more */
    AT_DEAF_OPEN = 16,      /* MANAGE CHANNEL OPEN by AT+CSIM with Le 01: it wants 00 */
};

/* Binds the dialogue to an open port; what it notices goes to *events, 0 at first. */
void at_init(struct at *at, struct port *port, const struct trace *trace, unsigned *events);

/* Whether an event was noticed; notes that it was, or that it was not. */
static inline bool at_saw(const struct at *at, enum event event)
{
    return (*at->events & (unsigned)event) != 0;
}

static inline void at_note(struct at *at, enum event event, bool happened)
{
    *at->events = happened ? *at->events | (unsigned)event : *at->events & ~(unsigned)event;
}

/* Start-up: `AT` until answered (up to 8 times, 250 ms each), then ATE0V1Q0 (or ATE0, ATV1, ATQ0)
 * and AT+CMEE=1. What of these a modem does not answer that answers `AT` is noted in at->deaf. Errors:
 * OUTCOME_NO_MODEM when nothing answers. */
enum outcome at_start(struct at *at, struct deadline deadline, struct report *why);

/* After an answer that did not come: discards input until the line was quiet for quiet_ms
 * milliseconds, then `AT` until a clean OK, for 20 s at most: the modem may still work on an earlier
 * command. idle: it cannot any more, so that at_start's patience is enough (OUTCOME_NO_MODEM). */
enum outcome at_resync(struct at *at, int quiet_ms, bool idle, struct deadline deadline,
                       struct report *why);

/* Listens for quiet_ms milliseconds of silence, to notice what no command asked for (EVENT_UNASKED,
 * EVENT_RESTARTED). */
enum outcome at_listen(struct at *at, int quiet_ms, struct deadline deadline, struct report *why);

/* Proves that nothing is outstanding: sends one `AT`, whose OK shows that all that was asked before has
 * been answered. For answers that nothing else proves. Errors: OUTCOME_LOST if an answer came
 * that was not the one taken; those of at_command. */
enum outcome at_confirm(struct at *at, struct deadline deadline, struct report *why);

#define AT_OUT_OF_STEP                                                                             \
    "the modem's answers are out of step, one came without a command: end any other "              \
    "program that uses the port"

struct at_command {
    const char *line; /* without the CR */
    enum at_answer answer;
    const char *prefix; /* such as "+CSIM:"; NULL with AT_ANSWER_NONE */
    int timeout_ms;     /* of this exchange, inside the operation's deadline */
    int secrecy;        /* enum secrecy, for the trace */
    bool question; /* to the modem itself: where its answer is in doubt it is asked once more */
    bool once;     /* a PIN: never said again, not even where the SIM is said to be busy */
    bool brief;    /* that the SIM is busy is an answer to it too */
    bool to_sim;   /* on a channel, or opens one */
};

struct at_result {
    enum at_final final;
    int cme;                  /* for AT_FINAL_CME, else -1 */
    char value[AT_LINE_SIZE]; /* what followed the prefix, blanks trimmed; "" when no such line came
                               */
    unsigned values;          /* how many such lines came */
    bool differ;              /* not all of them say the same */
    bool early;               /* an OK came before the first one */
    bool said;                /* the command went out, at least in part */
    bool silent;              /* a question that was not answered: final is AT_FINAL_ERROR */
};

/* Sends one command and collects its answer until the final result. OUTCOME_OK means that a final
 * result came, good or bad: see result->final. "+CME ERROR: 14" (SIM busy) is waited out here, with
 * a growing pause, for about 10 s in all: the card has not seen the command. (Only the modem says so:
 * with command->once that is the answer; so it is with command->brief.) After an error the line is drained, because some modems
 * send two finals.
 *
 * A final result may belong to something else: the text of a message, another program's command. So a command that
 * is owed a line is not ended by an OK without it, nor, unless it is a question, by an error: the
 * line is brought into step (`AT`), and an answer that comes until then is the answer. A question is
 * then asked once more. A question that comes to no end within its time, of a modem that answers `AT`
 * then, is as good as refused (result->silent), or answered, where its line came. Two answers that differ are OUTCOME_LOST. Whatever comes of it, nothing is
 * outstanding afterwards, so that the caller may repeat what may be repeated.
 *
 * With command->once nothing is said while EVENT_FOREIGN or EVENT_RESTARTED is set: the channel may
 * belong to another program by now. Nor where a final result or an echo comes behind the last answer:
 * then that was the answer to another command.
 *
 * With command->to_sim nothing is said while EVENT_RESTARTED is set (OUTCOME_LOST), nor while
 * EVENT_NO_SIM is: then that is the answer again. After either no channel is left, and its number may be
 * another program's.
 *
 * Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT, OUTCOME_LOST. result->value may hold a secret: the
 * caller cleanses it. */
enum outcome at_command(struct at *at, const struct at_command *command, struct deadline deadline,
                        struct at_result *result, struct report *why);

/* What answers a command to a SIM that is gone (EVENT_NO_SIM). */
struct at_result at_no_sim(const struct at *at);

/* A number: decimal digits. Returns false if there is none or it does not fit. *text moves behind
 * it and behind one comma that follows; blanks and quotes around are skipped. */
bool at_take_number(const char **text, long *number);

/* A word up to the next comma, quotes taken off. Returns false when it is empty or does not fit in
 * size bytes with its NUL. *text moves behind the comma. */
bool at_take_word(const char **text, char *word, size_t size);

/* The word up to the next comma without its quotes and blanks, and its length; *text moves behind the
 * comma. */
size_t at_next_word(const char **text, const char **word);

/* Turns an error final into an outcome and a sentence; what says what was tried ("open a channel").
 */
enum outcome at_outcome(const struct at_result *result, const char *what, struct report *why);

#endif
