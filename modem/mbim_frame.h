/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM messages, written and read. All numbers are little endian.
 *
 *   0    u32 type, u32 length of all of it, u32 transaction
 *        1 OPEN {u32 longest message}      80000001 OPEN_DONE {u32 status}
 *        2 CLOSE                           80000002 CLOSE_DONE {u32 status}
 *        3 COMMAND                         80000003 COMMAND_DONE
 *        4 HOST_ERROR {u32 error}          80000004 FUNCTION_ERROR {u32 error}
 *                                          80000007 INDICATE
 *   12   of 3 and 7: u32 number of fragments, u32 which one (from 0); always 1 and 0 here
 *   20   the service's UUID (16 bytes), u32 command
 *   40   COMMAND: u32 0 query, 1 set; COMMAND_DONE: u32 status; INDICATE: nothing
 *        u32 length of the buffer, the buffer
 *
 * What is in a buffer is in mbim_message.h. */
#ifndef SIMKEY_MODEM_MBIM_FRAME_H
#define SIMKEY_MODEM_MBIM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest message that this program writes (PATH_MOST in mbim_message.c is made to fit), and the longest
 * one that is read, in bytes; all answers to its commands are shorter. */
#define MBIM_FRAME_SIZE  1024
#define MBIM_STREAM_SIZE 4096

#define MBIM_UUID_SIZE 16

enum mbim_type {
    MBIM_OPEN = 1,
    MBIM_CLOSE = 2,
    MBIM_COMMAND = 3,
    MBIM_HOST_ERROR = 4,
    MBIM_OPEN_DONE = 5, /* from here on the types with bit 31, in the order of the table */
    MBIM_CLOSE_DONE,
    MBIM_COMMAND_DONE,
    MBIM_FUNCTION_ERROR,
    MBIM_INDICATE,
};

enum mbim_service {
    MBIM_BASIC,    /* Basic Connect */
    MBIM_UICC,     /* Microsoft's low level access to the UICC */
    MBIM_PROXY,    /* Proxy Control, of mbim-proxy alone */
    MBIM_EXTENDED, /* Microsoft's extensions of Basic Connect */
    MBIM_OTHER,    /* only read: any other */
};

struct mbim_frame {
    uint8_t data[MBIM_FRAME_SIZE];
    size_t length;
    bool full; /* something had no room: it is not to be sent */
};

/* A message that was read, or the head of one that is written. */
struct mbim_message {
    enum mbim_type type;
    uint32_t transaction;
    uint32_t word; /* OPEN: longest message; DONE: status; COMMAND: 1 if it sets; errors: which */
    enum mbim_service service;
    uint32_t command;
    bool fragment;         /* a part of a message that was cut, or too short: it has no content */
    const uint8_t *buffer; /* points into what it was read from */
    size_t length;
};

/* Begins a message with an empty buffer. */
void mbim_begin(struct mbim_frame *frame, const struct mbim_message *head);
void mbim_number(struct mbim_frame *frame, uint32_t transaction);

/* These append to the buffer: a number; bytes, padded to a multiple of 4. */
void mbim_put(struct mbim_frame *frame, uint32_t value);
void mbim_put_bytes(struct mbim_frame *frame, const void *bytes, size_t length);

/* Reads a whole message. False if it is none. */
bool mbim_read(const uint8_t *data, size_t length, struct mbim_message *message);

uint32_t mbim_u32(const uint8_t *at);

/* A number of the buffer, 0 where it ends before. */
uint32_t mbim_get(const struct mbim_message *message, size_t offset);

/* Bytes of the buffer, by their offset and size. NULL if they are not in it. */
const uint8_t *mbim_bytes(const struct mbim_message *message, uint32_t offset, uint32_t size);

/* ---- the stream, as that of qmi_frame.h ---- */

struct mbim_stream {
    uint8_t data[MBIM_STREAM_SIZE];
    size_t length;
    size_t used; /* of the message that was given last */
    size_t skip; /* of a message that is too long, still to come */
};

uint8_t *mbim_stream_room(struct mbim_stream *stream, size_t *size);
void mbim_stream_add(struct mbim_stream *stream, size_t length);
void mbim_stream_forget(struct mbim_stream *stream);
/* A message whose buffer does not fit it comes with an empty one. */
bool mbim_stream_next(struct mbim_stream *stream, struct mbim_message *message);

#endif
