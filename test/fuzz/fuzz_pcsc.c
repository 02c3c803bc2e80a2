/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the card reader's transport on a PC/SC service that the input plays. The first byte:
 * how many commands, and the protocol; then a byte of length and the reader's name that is wanted.
 * Each call of the service takes a byte for its result (see result()); SCardTransmit takes an answer
 * as a byte of length and data, SCardListReaders a list. A call may hang until all is over. */
#include "modem/transport.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/line.h"
#include "test/fuzz/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winscard.h>

#define OPERATION_MS 5000
#define SLACK_MS     2200 /* the end of an operation may take two seconds */

static struct {
    struct span input;
    DWORD protocol;
    int contexts, cards, transactions;
} service;

/* ---- the service ---- */

static LONG result(void)
{
    static const LONG results[] = {
        SCARD_S_SUCCESS,           SCARD_E_NO_SERVICE,         SCARD_E_SERVICE_STOPPED,
        SCARD_F_COMM_ERROR,        SCARD_W_SECURITY_VIOLATION, SCARD_E_NO_READERS_AVAILABLE,
        SCARD_E_UNKNOWN_READER,    SCARD_E_READER_UNAVAILABLE, SCARD_E_NO_SMARTCARD,
        SCARD_W_REMOVED_CARD,      SCARD_W_UNRESPONSIVE_CARD,  SCARD_W_RESET_CARD,
        SCARD_E_SHARING_VIOLATION, SCARD_E_NOT_TRANSACTED,     SCARD_E_PROTO_MISMATCH,
        SCARD_E_TIMEOUT,           (LONG)0xFFFFFFFF,
    };
    uint8_t kind = input_byte(&service.input) & 0x3F;

    return kind < 32 ? SCARD_S_SUCCESS
                     : results[(kind - 32) % (sizeof results / sizeof results[0])];
}

LONG SCardEstablishContext(DWORD scope, LPCVOID a, LPCVOID b, LPSCARDCONTEXT context)
{
    LONG what = result();

    (void)scope, (void)a, (void)b;
    *context = 1;
    service.contexts += what == SCARD_S_SUCCESS;
    return what;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
    REQUIRE(context == 1 && service.cards == 0);
    service.contexts--;
    return SCARD_S_SUCCESS;
}

/* Names end with a NUL each, the list with another one; none is longer than MAX_READERNAME. */
LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR names, LPDWORD size)
{
    LONG what = result();
    DWORD used = 0;

    (void)context, (void)groups;
    for (unsigned left = input_byte(&service.input) % 20; left > 0; left--) {
        struct span name =
            input_bytes(&service.input, input_byte(&service.input) % (size_t)MAX_READERNAME);
        const uint8_t *nul = name.length > 0 ? memchr(name.data, 0, name.length) : NULL;
        size_t length = nul != NULL ? (size_t)(nul - name.data) : name.length;

        if (length == 0)
            continue;
        if (used + length + 2 > *size)
            return SCARD_E_INSUFFICIENT_BUFFER;
        memcpy(names + used, name.data, length);
        names[used + length] = '\0';
        used += (DWORD)length + 1;
    }
    names[used++] = '\0';
    *size = used;
    return what;
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR name, DWORD mode, DWORD protocols,
                  LPSCARDHANDLE card, LPDWORD protocol)
{
    LONG what = result();

    REQUIRE(context == 1 && mode == SCARD_SHARE_SHARED && protocols != 0);
    REQUIRE(strlen(name) < MAX_READERNAME);
    *card = 2;
    *protocol = service.protocol;
    service.cards += what == SCARD_S_SUCCESS;
    return what;
}

LONG SCardReconnect(SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD how, LPDWORD protocol)
{
    REQUIRE(card == 2 && mode == SCARD_SHARE_SHARED && protocols != 0 && how == SCARD_LEAVE_CARD);
    *protocol = service.protocol;
    return result();
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD how)
{
    REQUIRE(card == 2 && how == SCARD_LEAVE_CARD && service.transactions <= 1);
    service.cards--;
    service.transactions = 0; /* as pcscd does */
    return SCARD_S_SUCCESS;
}

LONG SCardBeginTransaction(SCARDHANDLE card)
{
    LONG what = result();

    REQUIRE(card == 2);
    service.transactions += what == SCARD_S_SUCCESS;
    return what;
}

LONG SCardEndTransaction(SCARDHANDLE card, DWORD how)
{
    REQUIRE(card == 2 && how == SCARD_LEAVE_CARD);
    service.transactions = 0;
    return SCARD_S_SUCCESS;
}

LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *pci, LPCBYTE command, DWORD length,
                   SCARD_IO_REQUEST *received, LPBYTE answer, LPDWORD answer_length)
{
    LONG what = result();
    size_t wanted = input_byte(&service.input);
    struct span data = input_bytes(&service.input, wanted == 0xFF ? *answer_length : wanted);

    (void)received;
    REQUIRE(card == 2 && pci != NULL && service.transactions == 1);
    REQUIRE(length >= (service.protocol == SCARD_PROTOCOL_T0 ? 5u : 4u));
    REQUIRE(length <= APDU_COMMAND_SIZE && (command[0] & 0x43) != 0xFF);
    if (data.length > *answer_length)
        return SCARD_E_INSUFFICIENT_BUFFER;
    if (data.length > 0)
        memcpy(answer, data.data, data.length);
    *answer_length = (DWORD)data.length;
    return what;
}

LONG SCardGetStatusChange(SCARDCONTEXT context, DWORD ms, SCARD_READERSTATE *states, DWORD count)
{
    LONG what = result();

    REQUIRE(context == 1 && count == 1 && ms < OPERATION_MS);
    states->dwEventState = input_byte(&service.input);
    return what;
}

/* ---- the target ---- */

static void exchange(struct transport *transport, const struct channel *channel, unsigned which,
                     struct deadline deadline)
{
    static const uint8_t command[] = {0x00, 0xA4, 0x04, 0x04, 0x02, 0x3F, 0x00, 0x00};
    static const uint8_t lengths[] = {8, 7, 4};
    struct report why = REPORT_INIT;
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange exchange = {.command = command,
                                .length = lengths[which % 3],
                                .timeout_ms = 2000,
                                .secrecy = SECRET_COMMAND,
                                .answer = answer};
    enum outcome outcome = transport->ops->exchange(transport, channel, &exchange, deadline, &why);

    check_report(outcome, &why);
    REQUIRE(outcome != OUTCOME_OK ||
            (exchange.answer_length >= 2 && exchange.answer_length <= sizeof answer));
}

static void use(struct transport *transport, unsigned count, struct deadline deadline)
{
    const struct channel_wish wish = {.carrier = CARRIER_AUTO};
    struct report why = REPORT_INIT;
    struct channel channel;
    enum outcome outcome = transport->ops->open(transport, &wish, &channel, deadline, &why);

    check_report(outcome, &why);
    REQUIRE(channel.open == (outcome == OUTCOME_OK) && channel.number < 20);
    for (unsigned i = 0; i < count; i++)
        exchange(transport, &channel, i, deadline);
    if (channel.open)
        (void)transport->ops->close(transport, &channel, deadline, &why);
}

static void never_heard(void *arg, const char *text)
{
    (void)arg, (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    uint8_t head = input_byte(&input);
    char *name = input_text(input_bytes(&input, input_byte(&input) % 64)), device[80];
    const struct transport_target target = {.device = device};
    struct report why = REPORT_INIT;
    struct transport transport;
    struct modem_identity identity;
    struct deadline deadline;
    enum outcome outcome;

    line_start(never_heard, NULL);
    (void)snprintf(device, sizeof device, "%s%s", TRANSPORT_PCSC, name);
    free(name);
    memset(&service, 0, sizeof service);
    service.input = input;
    threads_start(&service.input);
    service.protocol = head & 0x80 ? SCARD_PROTOCOL_T0 : head & 0x40 ? 4 : SCARD_PROTOCOL_T1;
    deadline = deadline_in(OPERATION_MS);
    outcome = transport_begin(&transport, &target, deadline, &why);
    check_report(outcome, &why);
    if (outcome == OUTCOME_OK) {
        REQUIRE(transport.ops->identity(&transport, &identity, deadline, &why) == OUTCOME_OK);
        for (const char *c = identity.model; *c != '\0'; c++)
            REQUIRE((unsigned char)*c >= ' ' && *c != 0x7F);
        use(&transport, head % 4, deadline);
    }
    transport_end(&transport);
    REQUIRE(monotonic_ms() <= deadline.at_ms + SLACK_MS);
    threads_end(); /* a call that was left behind cleans up after itself */
    REQUIRE(service.transactions == 0);
    REQUIRE(service.cards == 0);
    REQUIRE(service.contexts == 0);
    return 0;
}
