/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of what is said on the line (`trace = at`) or to the card (`trace = apdu`), or of the calls
 * that OpenSSL makes (`trace = provider`), to stderr or a file. Secrets are masked by those who call it: they know which bytes are secret. */
#ifndef SIMKEY_MODEM_TRACE_H
#define SIMKEY_MODEM_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_level { TRACE_OFF, TRACE_APDU, TRACE_AT, TRACE_PROVIDER };

/* What of an exchange is secret. */
enum secrecy {
    SECRET_NOTHING = 0,
    SECRET_COMMAND = 1, /* the command's data field: a PIN */
    SECRET_ANSWER = 2,  /* the answer's data: a private blob, deciphered data, random bytes */
};

struct trace {
    enum trace_level level;
    const char *path; /* NULL: stderr; borrowed from the settings */
};

/* How much of an AT line is not shown. */
enum masking {
    MASK_NOTHING,
    MASK_VALUE, /* what stands behind the first quote or comma */
    MASK_ALL,   /* everything but its length */
};

/* One AT line, direction '>' (to the modem) or '<'. What is not
 * printable ASCII is shown as "\x1b". */
void trace_line(const struct trace *trace, char direction, const char *line, enum masking masking);

/* A sentence beside the dialogue, at any level but off. It must not hold control characters. */
void trace_note(const struct trace *trace, const char *sentence);

/* A call of OpenSSL's: the function that is called, and one sentence of it, in which control characters
 * are made visible. At the level of the provider only. */
#define TRACE_CALL_SIZE 512
void trace_call(const struct trace *trace, const char *function, const char *sentence);

/* One APDU and its answer (answer with its status word, NULL when none came), ms it took. With
 * SECRET_COMMAND the data field is replaced by its length, with SECRET_ANSWER the answer's data. */
void trace_apdu(const struct trace *trace, const uint8_t *command, size_t command_length,
                const uint8_t *answer, size_t answer_length, int64_t ms, int secrecy);

#endif
