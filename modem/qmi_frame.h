/* SPDX-License-Identifier: Apache-2.0 */
/* QMI frames (QMUX), written and read. All numbers are little endian.
 *
 *   0    01                  marker
 *   1    u16                 how many bytes follow the marker
 *   3    00 or 80            from the host, from the modem
 *   4    u8                  service: 00 CTL, 02 DMS, 03 NAS, 0B UIM
 *   5    u8                  client id; 00 for CTL; FF: an indication for all
 *   6    CTL:    u8 kind (00 request, 01 response, 02 indication), u8 transaction
 *        else:   u8 kind (00 request, 02 response, 04 indication), u16 transaction
 *        u16 message, u16 length of the TLVs, TLVs: u8 type, u16 length, value
 *
 * What a message means is in qmi_message.h. */
#ifndef SIMKEY_MODEM_QMI_FRAME_H
#define SIMKEY_MODEM_QMI_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest frame that this program writes, in bytes. */
#define QMI_FRAME_SIZE 1024
/* The longest one that is read, in bytes; all answers to this program's messages are shorter. A longer frame
 * is passed over. */
#define QMI_STREAM_SIZE 4096

enum qmi_service { QMI_CTL = 0x00, QMI_DMS = 0x02, QMI_NAS = 0x03, QMI_UIM = 0x0B };
enum qmi_kind { QMI_REQUEST, QMI_RESPONSE, QMI_INDICATION };

#define QMI_EVERYBODY 0xFF /* the client id of an indication for all */

struct qmi_frame {
    uint8_t data[QMI_FRAME_SIZE];
    size_t length;
    bool full; /* a TLV had no room: the frame is not to be sent */
};

/* A message that was read; tlvs point into what it was read from. */
struct qmi_message {
    uint8_t service, client;
    enum qmi_kind kind;
    bool from_modem;
    uint16_t transaction, id;
    const uint8_t *tlvs;
    size_t length;
};

/* Begins a frame. The transaction of CTL has 8 bits. */
void qmi_begin(struct qmi_frame *frame, const struct qmi_message *head);

/* Sets the transaction of a frame that is written. */
void qmi_number(struct qmi_frame *frame, uint16_t transaction);

/* Appends a TLV of a request, in the order of the calls. */
void qmi_put(struct qmi_frame *frame, uint8_t type, const void *value, size_t length);

/* Reads a whole frame. False if it is none. */
bool qmi_read(const uint8_t *data, size_t length, struct qmi_message *message);

/* The value of a message's first TLV of that type, and its length in bytes. NULL if there is none, or it is
 * shorter than least. */
const uint8_t *qmi_find(const struct qmi_message *message, uint8_t type, size_t least,
                        size_t *length);

/* ---- numbers ---- */

uint16_t qmi_u16(const uint8_t *at);
uint32_t qmi_u32(const uint8_t *at);

/* ---- the stream ---- */

/* Bytes as they come: a frame in pieces, several at once, and what is no frame between them. */
struct qmi_stream {
    uint8_t data[QMI_STREAM_SIZE];
    size_t length;
    size_t used; /* of the message that was given last */
    size_t skip; /* of a frame that is too long, still to come */
};

/* Where the next bytes go; *size is at least 1 after qmi_stream_next returned false. */
uint8_t *qmi_stream_room(struct qmi_stream *stream, size_t *size);
void qmi_stream_add(struct qmi_stream *stream, size_t length);

/* Drops what is there: the beginning of a frame that does not end, or lied about its length. */
void qmi_stream_forget(struct qmi_stream *stream);

/* The next message, which is good until the next call. One whose TLVs do not fit it comes without any:
 * an answer that makes no sense is known to be one. False: more bytes are wanted. */
bool qmi_stream_next(struct qmi_stream *stream, struct qmi_message *message);

#endif
