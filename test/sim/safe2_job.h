/* SPDX-License-Identifier: Apache-2.0 */
/* One job of the SAFE2 applet: a request to the server by a process of its own, so that the modem
 * goes on meanwhile. Also what is personalised for it, and the pieces that the process is made of.
 */
#ifndef SIMKEY_SIM_SAFE2_JOB_H
#define SIMKEY_SIM_SAFE2_JOB_H

#include "test/sim/card.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SAFE2_ID_MAX   16
#define SAFE2_DATA_MAX 256 /* what one answer carries */
#define SAFE2_KEY_SIZE 16

/* As P1 of the question for the state counts them from 1. */
enum safe2_job { SAFE2_SEND, SAFE2_GET, SAFE2_JOBS };

/* Result codes. The vendor publishes none: these are simmodem's own. What the server answers
 * instead of 200 is given as its status in decimal digits, 0404 for 404. */
enum safe2_result {
    SAFE2_SUCCESS = 0x0000,
    SAFE2_NO_NAME = 0x0001,    /* the server's name does not resolve */
    SAFE2_NO_SERVER = 0x0002,  /* nobody takes the connection */
    SAFE2_TIMEOUT = 0x0003,    /* the server or the network takes too long */
    SAFE2_HANDSHAKE = 0x0004,  /* TLS fails: wrong key, unknown identity, no common suite */
    SAFE2_DHE = 0x0005,        /* the server insists on Diffie-Hellman */
    SAFE2_BROKEN_OFF = 0x0006, /* the connection ends before the answer does */
    SAFE2_NO_HTTP = 0x0007,    /* the answer cannot be understood */
    SAFE2_TOO_LONG = 0x0008,   /* the answer is longer than the SIM takes */
    SAFE2_NO_DATA = 0x0009,    /* the card's SAFE2 data are missing or damaged */
    SAFE2_DIED = 0x000A,       /* the job ended without a word */
    SAFE2_CUT_SHORT = 0x000B   /* the card was reset meanwhile */
};

/* private/safe2 in the card directory, see safe2_card.c. */
struct safe2_data {
    char host[256];
    char port[6];
    char config_path[128], data_path[128];
    bool raw_identity; /* the octets of EF.ICCID, else the ICCID's digits */
    bool digits_query; /* the ICCID's digits, else EF.ICCID in hexadecimal */
    uint8_t key[SAFE2_KEY_SIZE];
};

/* Whether what the command line says about SAFE2 can be used; false after a sentence on stderr. */
bool safe2_check_options(const struct options *o);
/* Makes private/safe2 with a fresh key; false after a sentence on stderr. */
bool safe2_card_make(const struct options *o);
bool safe2_card_has(const struct card *card);
/* Reads it, with what the command line puts in its place; false after a sentence on stderr. The
 * caller cleanses out. */
bool safe2_card_read(const struct card *card, const struct options *o, struct safe2_data *out);

struct safe2_request {
    enum safe2_job job;
    const struct card *card;
    const struct options *options;
    uint8_t id[SAFE2_ID_MAX];
    size_t id_size;
    uint8_t body[SAFE2_DATA_MAX]; /* of SAFE2_SEND */
    size_t size;
};

/* What became of it. Goes through the pipe in one piece, which PIPE_BUF (4096) allows. */
struct safe2_report {
    unsigned result; /* enum safe2_result or the server's status */
    unsigned tries;
    bool shaken;          /* the handshake was done; the next two are set */
    bool dhe;             /* with Diffie-Hellman */
    char suite[40];       /* "" before the handshake */
    char identity[48];    /* digits:8988... or raw:98... */
    char server[264 + 8]; /* HOST:PORT */
    char detail[120];     /* why it failed, in the words of the library */
    unsigned status;      /* of HTTP, 0: none */
    size_t size;          /* of the configuration that came, or of the telemetry that went */
    uint8_t data[SAFE2_DATA_MAX];
};

struct safe2_worker {
    pid_t pid; /* 0: none */
    int fd;    /* where its report comes, -1 */
    int64_t deadline;
};

/* Starts the process; false if there is none. */
bool safe2_worker_start(struct safe2_worker *w, const struct safe2_request *request);
/* Takes the report once it is there, or finds that none will come; false: not yet. */
bool safe2_worker_poll(struct safe2_worker *w, int64_t now, struct safe2_report *report);
/* Ends the process, if there is one, and waits for its end. */
void safe2_worker_kill(struct safe2_worker *w);

/* One try: connects, asks, and takes the answer until the deadline. Returns whether another try
 * makes sense (safe2_net.c). */
bool safe2_try(const struct safe2_request *request, const struct safe2_data *data, int64_t deadline,
               struct safe2_report *report);

/* The request as octets (safe2_http.c). */
void safe2_http_request(const struct safe2_request *request, const struct safe2_data *data,
                        struct bytes *out);

enum safe2_http_at {
    HTTP_STATUS_LINE,
    HTTP_HEADERS,
    HTTP_BODY,        /* so many octets */
    HTTP_BODY_TO_END, /* as many as come until the server closes */
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
    HTTP_DONE,
    HTTP_BAD,
    HTTP_LONG /* longer than the limit */
};

/* An answer while it comes. */
struct safe2_http {
    enum safe2_http_at at;
    bool wants_body; /* else it is done when the headers are */
    unsigned status;
    bool chunked, has_length;
    uint64_t left; /* of the body or the chunk */
    size_t heads;  /* octets that were not body */
    char line[256];
    size_t fill;
    uint8_t body[SAFE2_DATA_MAX];
    size_t size, limit;
};

/* Takes octets of the answer; at says whether more are wanted. */
void safe2_http_take(struct safe2_http *h, const uint8_t *data, size_t size);
bool safe2_http_wants_more(const struct safe2_http *h);

#endif
