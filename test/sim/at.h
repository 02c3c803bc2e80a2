/* SPDX-License-Identifier: Apache-2.0 */
/* The modem's AT front end: octets in, answers out. One command line at a time; while one runs its
 * answer is ready but held until it is due. The commands that reach the SIM are in simcmd.c. */
#ifndef SIMKEY_SIM_AT_H
#define SIMKEY_SIM_AT_H

#include "test/sim/life.h"
#include "test/sim/noise.h"
#include "test/sim/options.h"
#include "test/sim/uicc.h"

#define AT_LINE     1100 /* longest command line; the longest AT+CSIM has 540 characters */
#define AT_SESSIONS UICC_CHANNELS

struct session {
    unsigned channel; /* 0: unused */
    char name[20];
};

enum registration { REGISTRATION_CREG, REGISTRATION_CGREG, REGISTRATION_CEREG, REGISTRATIONS };

struct at {
    const struct options *options;
    struct uicc *uicc;
    const struct trace *trace;
    struct bytes *out; /* what goes to the line now; the line's */
    bool echo, verbose, quiet;
    int cmee;
    int functionality;               /* of AT+CFUN */
    int registration[REGISTRATIONS]; /* <n>: what is told of it */
    size_t characters;               /* of AT+CSCS */
    char line[AT_LINE + 1];
    char last[AT_LINE + 1]; /* for A/ */
    size_t fill;
    bool overlong;
    bool running;
    int64_t due;        /* clock_ns() when the next part of the answer leaves */
    struct bytes reply; /* the answer held until then */
    size_t sent;        /* so much of it has left */
    long ms;            /* what the SIM takes for the running line */
    struct noise noise;
    struct life life;
    long sim_commands; /* so many came */
    long busy;         /* SIM commands still to be answered with 14 */
    long pin_busy;     /* VERIFYs with a PIN still to be answered with an error */
    int64_t ears;      /* clock_ns() from which on the modem hears */
    struct session sessions[AT_SESSIONS];
    unsigned session_count;
};

/* other: the SIM that may take this one's place, or NULL. */
void at_start(struct at *at, const struct options *o, struct uicc *uicc, struct uicc *other,
              const struct trace *trace, struct bytes *out);
void at_end(struct at *at);
/* Takes one character; only while !at->running. */
void at_character(struct at *at, char c);
/* clock_ns() when the modem has something to do, 0: never; and doing it. */
int64_t at_due(const struct at *at);
void at_work(struct at *at, int64_t now);

/* Result codes of a command: a +CME ERROR number, or one of these. */
#define AT_OK        (-1)
#define AT_ERROR     (-2) /* ERROR whatever AT+CMEE says */
#define AT_SWALLOWED (-3) /* no answer at all */
#define AT_UNENDED   (-4) /* its lines, and no result */

enum at_form { AT_EXECUTE, AT_READ, AT_SET, AT_TEST };

/* One command of a line: its form and what stands after '='. */
struct at_call {
    enum at_form form;
    const char *arguments;
};

/* Appends an information line to the answer. */
void at_line(struct at *at, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Cuts a line where a fault has the modem cut it. */
void at_cut(const struct at *at, char *text);
bool at_fault(const struct at *at, enum fault f);

/* The commands that concern the SIM. */
struct at_command {
    const char *name; /* with its leading + # or % */
    int (*run)(struct at *at, const struct at_call *call);
    bool sim; /* wants the SIM: 10 without, 14 while it is busy */
};

extern const struct at_command sim_commands[];
extern const size_t sim_command_count;
extern const struct at_command network_commands[];
extern const size_t network_command_count;

/* All settings as after power on. */
void at_power_on(struct at *at);
/* Echo, verbose and the like. */
void at_defaults(struct at *at);
/* Drops what was heard of a command line, and what is still to be said. */
void at_drop(struct at *at);
/* The card was reset: no session is left. */
void at_forget_sessions(struct at *at);

#endif
