/* SPDX-License-Identifier: Apache-2.0 */
/* A modem with a control device in place of an AT port (QMI or MBIM): messages in, messages out, each
 * at its time; what befalls it and its SIM by the number of the SIM message. What a message means is
 * in qmi.c and mbim.c. */
#ifndef SIMKEY_SIM_DEVICE_H
#define SIMKEY_SIM_DEVICE_H

#include "test/sim/bytes.h"
#include "test/sim/options.h"
#include "test/sim/pty.h"
#include "test/sim/uicc.h"

#define DEVICE_WAITING 128
#define DEVICE_CLIENTS 64

struct device;

/* A protocol. */
struct protocol {
    /* Takes one message off the beginning; returns its octets, 0: more are to come. */
    size_t (*take)(struct device *d, const uint8_t *data, size_t size);
    /* The modem restarted, and says so. */
    void (*restarted)(struct device *d);
};

extern const struct protocol qmi_protocol;  /* qmi.c */
extern const struct protocol mbim_protocol; /* mbim.c */

struct outgoing {
    int64_t due;
    struct bytes data;
};

/* What a client has of the modem: a QMI client id. */
struct client {
    unsigned service; /* 0: not given out */
};

/* A channel that a program opened. */
struct opened {
    bool open;
    uint32_t group; /* MBIM */
};

struct device {
    const struct options *options;
    struct uicc *uicc, *other;
    const struct trace *trace;
    const struct protocol *protocol;
    struct outgoing queue[DEVICE_WAITING]; /* in the order in which they leave */
    size_t waiting;
    struct bytes in;
    long sim_messages;
    long busy;       /* SIM messages still to be refused as too early */
    int64_t free_at; /* clock_ns() when the SIM has done what it was asked for */
    int64_t ears;    /* from which on the modem hears */
    bool absent;     /* no SIM is in */
    int64_t back_at; /* when it is back, 0: never */
    bool hang_up;    /* the line is to be closed, for so long: */
    int64_t gone_ns;
    bool lost, foreign, foreign_mse; /* these have struck */
    struct client clients[DEVICE_CLIENTS];
    struct opened channels[UICC_CHANNELS];
    bool opened;       /* MBIM: OPEN came */
    unsigned extended; /* MBIM: the version of the extensions, 0x0300 */
    uint32_t tokens;   /* of long answers; the one that is being given: */
    struct bytes rest;
    unsigned rest_client;
};

/* Serves until SIGTERM or SIGINT; false after a sentence on stderr. */
bool device_serve(struct device *d, struct pty *p);

/* A message leaves: at once, or when the SIM, which works on it for ms milliseconds, is done. It is
 * taken over. */
void device_say(struct device *d, struct bytes *message);
void device_say_later(struct device *d, struct bytes *message, long ms);

bool device_fault(const struct device *d, enum fault fault);

/* A SIM message comes: counts it, and has befall what its number says. With --trace-at there is a line for
 * it in the trace: what ("OPEN"), of an APDU its header. */
enum befalls {
    BEFALLS_NOTHING,
    BEFALLS_SILENCE, /* it is swallowed */
    BEFALLS_BUSY,    /* the SIM is not ready */
    BEFALLS_FAILURE, /* the modem's own error; the card has not seen it */
    BEFALLS_NO_SIM
};
enum befalls device_before(struct device *d, long *n, const char *what, const uint8_t *apdu,
                           size_t size);
/* It has been answered; the milliseconds that are added to its answer are to be asked for before. */
void device_after(struct device *d, long n);
long device_late(const struct device *d, long n);

/* ---- the SIM, as a modem's firmware uses it ---- */

/* One APDU; the modem follows 61xx and 6Cxx if it is one that does. Returns its milliseconds. */
long device_apdu(struct device *d, enum source source, const uint8_t *command, size_t size,
                 bool follow, struct bytes *answer);

/* The class octet of a command on a channel, the rest of it as given. */
uint8_t device_class(unsigned channel, uint8_t cla);

/* MANAGE CHANNEL and SELECT (P2; aid_size 0: nothing is selected). *channel is 0 where it fails; *sw is
 * the word that says why; *answer is that to SELECT. */
long device_open_channel(struct device *d, const uint8_t *aid, size_t aid_size, unsigned p2,
                         unsigned *channel, unsigned *sw, struct bytes *answer);
long device_close_channel(struct device *d, unsigned channel, unsigned *sw);

/* What the modem reads of a file below the MF for itself. Returns the status word. */
unsigned device_read_file(struct device *d, unsigned file, struct bytes *data);

#endif
