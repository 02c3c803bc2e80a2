/* SPDX-License-Identifier: Apache-2.0 */
/* APDUs to a card in a card reader (PC/SC): a connection and a transaction for one operation, and
 * nothing in between. PC/SC knows no deadlines: while another program has a transaction,
 * SCardConnect and SCardBeginTransaction wait for ever, and every call does if pcscd hangs.
 * Therefore each call runs in a thread that is left behind at the deadline and cleans up after
 * itself. */
#include "modem/pcsc.h"

#include "modem/descriptor.h"
#include "modem/forks.h"
#include "modem/manage_channel.h"
#include "modem/text.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>
#include <winscard.h>

#define PROTOCOLS   (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define POLL_MS     10
#define OVERTAKE_MS 100 /* the first in the queue is stopped if it leaves a free card for so long */
#define LEAVE_MS    2000 /* how long the end of an operation may take */
#define REMOVAL_MS  1000 /* how long pcscd may take to notice that a card is gone */

#define NO_PCSCD                                                                                   \
    "the card reader \"%s\" cannot be reached: pcscd is not running (systemctl start "             \
    "pcscd.socket)"
#define BUSY                                                                                       \
    "the card at \"%s\" is in use by another program, or pcscd hangs: wait for it, or raise "      \
    "`timeout`"
#define MUTE "the card in the reader \"%s\" does not answer: is it the right way round, and clean?"

enum { CALL_RUNS, CALL_DONE, CALL_LEFT };

/* On the heap, because a call that was left behind goes on using it. */
struct reader {
    char name[MAX_READERNAME];        /* what was asked for, then the reader's own */
    char known[256];                  /* the readers there are, for people */
    char all[TRANSPORT_READERS_SIZE]; /* as PC/SC lists them */
    unsigned matches;                 /* how many of them fit */
    SCARDCONTEXT context;
    SCARDHANDLE card;
    bool established, connected;
    DWORD protocol;
    uint8_t command[APDU_COMMAND_SIZE], answer[APDU_ANSWER_SIZE];
    DWORD command_length, answer_length;
    struct deadline deadline;
    int turn, done; /* descriptors */
    int sample;     /* the number that done had at first */
    LONG (*call)(struct reader *);
    LONG result;
    _Atomic int state;
};

/* The transport's own; the reader is NULL where a call of it was left behind. */
struct pcsc {
    struct reader *reader;
    const struct trace *trace;
    char name[128]; /* of the reader, harmless */
};

static void reader_free(struct reader *reader)
{
    forks_close(reader->turn);
    forks_close(reader->done);
    explicit_bzero(reader, sizeof *reader);
    free(reader);
}

/* The end of an operation: the card stays as it is, powered and with its channels. */
static LONG leave(struct reader *reader)
{
    if (reader->connected) {
        (void)SCardEndTransaction(reader->card, SCARD_LEAVE_CARD);
        (void)SCardDisconnect(reader->card, SCARD_LEAVE_CARD);
    }
    if (reader->established)
        (void)SCardReleaseContext(reader->context);
    return SCARD_S_SUCCESS;
}

static void *run(void *arg)
{
    struct reader *reader = arg;
    uint64_t one = 1;

    reader->result = reader->call(reader);
    if (atomic_exchange(&reader->state, CALL_DONE) == CALL_LEFT) {
        if (reader->call != leave)
            (void)leave(reader);
        reader_free(reader);
        return NULL;
    }
    while (write(reader->done, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

/* Makes a call, result in reader->result. False if the deadline passed first: then the reader is
 * not ours any more. */
static bool bounded(struct pcsc *pcsc, LONG (*call)(struct reader *), struct deadline deadline)
{
    struct reader *reader = pcsc->reader;
    struct pollfd done = {.fd = reader->done, .events = POLLIN, .revents = 0};
    sigset_t all, before;
    pthread_t thread;
    uint64_t count;
    Dl_info module;
    int failed;

    reader->call = call;
    atomic_store(&reader->state, CALL_RUNS);
    (void)sigfillset(&all); /* the program's signals are for its own threads */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, NULL, run, reader);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        reader->result = call == leave ? leave(reader) : SCARD_E_NO_MEMORY;
        return true;
    }
    while (poll(&done, 1, deadline_left(deadline)) < 0 && errno == EINTR)
        ;
    if (atomic_exchange(&reader->state, CALL_LEFT) == CALL_RUNS) {
        pcsc->reader = NULL;
        (void)pthread_detach(thread);
        /* its code must stay where it is, even if the program unloads the provider */
        if (dladdr((const void *)&transport_pcsc, &module) != 0)
            (void)dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        return false;
    }
    (void)pthread_join(thread, NULL);
    (void)!read(reader->done, &count, sizeof count);
    return true;
}

/* Finds the reader: the N-th one, the one of that name, or the only one with that in its name. */
static LONG choose(struct reader *reader)
{
    char *end;
    const char *found = NULL;
    DWORD size = sizeof reader->all;
    LONG result = SCardListReaders(reader->context, NULL, reader->all, &size);
    unsigned long number = strtoul(reader->name, &end, 10);
    bool numbered = *end == '\0' && end != reader->name, exact = false;

    if (result != SCARD_S_SUCCESS)
        return result;
    for (const char *name = reader->all; *name != '\0' && !exact; name += strlen(name) + 1) {
        size_t used = strlen(reader->known);

        (void)snprintf(reader->known + used, sizeof reader->known - used, "%s\"%.*s\"",
                       used > 0 ? ", " : "", MAX_READERNAME, name);
        exact = numbered ? number-- == 0 : strcmp(name, reader->name) == 0;
        if (!exact && (numbered || strcasestr(name, reader->name) == NULL))
            continue;
        reader->matches = exact ? 1 : reader->matches + 1;
        found = name;
    }
    if (reader->matches != 1)
        return SCARD_E_UNKNOWN_READER;
    (void)snprintf(reader->name, sizeof reader->name, "%.*s", MAX_READERNAME - 1, found);
    return SCARD_S_SUCCESS;
}

static LONG reach(struct reader *reader)
{
    struct descriptor_hold hold;
    LONG result;

    descriptor_hold(&hold, reader->sample); /* for the library's socket */
    result = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &reader->context);
    descriptor_let_go(&hold);
    reader->established = result == SCARD_S_SUCCESS;
    return result;
}

static LONG list_all(struct reader *reader)
{
    DWORD size = sizeof reader->all;
    LONG result = reach(reader);

    return result == SCARD_S_SUCCESS ? SCardListReaders(reader->context, NULL, reader->all, &size)
                                     : result;
}

static LONG take(struct reader *reader)
{
    LONG result = reach(reader);

    if (result == SCARD_S_SUCCESS)
        result = choose(reader);
    if (result != SCARD_S_SUCCESS)
        return result;
    while ((result = SCardConnect(reader->context, reader->name, SCARD_SHARE_SHARED, PROTOCOLS,
                                  &reader->card, &reader->protocol)) == SCARD_E_SHARING_VIOLATION &&
           !deadline_passed(reader->deadline))
        deadline_sleep(reader->deadline, POLL_MS); /* another program has it for itself alone */
    reader->connected = result == SCARD_S_SUCCESS;
    if (reader->connected)
        result = SCardBeginTransaction(reader->card);
    if (reader->connected && result == SCARD_W_RESET_CARD &&
        SCardReconnect(reader->card, SCARD_SHARE_SHARED, PROTOCOLS, SCARD_LEAVE_CARD,
                       &reader->protocol) == SCARD_S_SUCCESS)
        result = SCardBeginTransaction(reader->card);
    return result;
}

static LONG transmit(struct reader *reader)
{
    const SCARD_IO_REQUEST *pci =
        reader->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    SCARD_READERSTATE state = {.szReader = reader->name, .dwCurrentState = SCARD_STATE_PRESENT};
    LONG result;

    reader->answer_length = sizeof reader->answer;
    result = SCardTransmit(reader->card, pci, reader->command, reader->command_length, NULL,
                           reader->answer, &reader->answer_length);
    if (result == SCARD_S_SUCCESS && reader->answer_length < 2)
        result = SCARD_E_NOT_TRANSACTED;
    /* the card may have been pulled: pcscd notices a moment later */
    if (result == SCARD_E_NOT_TRANSACTED &&
        SCardGetStatusChange(reader->context, REMOVAL_MS, &state, 1) == SCARD_S_SUCCESS &&
        (state.dwEventState & SCARD_STATE_EMPTY) != 0)
        result = SCARD_W_REMOVED_CARD;
    return result;
}

/* What people are told; %s is the reader. */
static const struct {
    LONG result;
    enum outcome outcome;
    const char *words;
} failures[] = {
    {SCARD_E_NO_SERVICE, OUTCOME_NO_MODEM, NO_PCSCD},
    {SCARD_E_SERVICE_STOPPED, OUTCOME_NO_MODEM, NO_PCSCD},
    {SCARD_F_COMM_ERROR, OUTCOME_NO_MODEM, NO_PCSCD},
    {SCARD_W_SECURITY_VIOLATION, OUTCOME_NO_MODEM,
     "pcscd does not let this user use the card reader \"%s\": a polkit rule can"},
    {SCARD_E_NO_READERS_AVAILABLE, OUTCOME_NO_MODEM, "no card reader \"%s\": pcscd sees none"},
    {SCARD_E_READER_UNAVAILABLE, OUTCOME_NO_MODEM, "the card reader \"%s\" is gone"},
    {SCARD_E_NO_SMARTCARD, OUTCOME_NO_SIM, "no card in the reader \"%s\""},
    {SCARD_W_REMOVED_CARD, OUTCOME_NO_SIM, "no card in the reader \"%s\""},
    {SCARD_W_UNRESPONSIVE_CARD, OUTCOME_NO_SIM, MUTE},
    {SCARD_W_UNPOWERED_CARD, OUTCOME_NO_SIM, MUTE},
    {SCARD_E_PROTO_MISMATCH, OUTCOME_NO_SIM, MUTE},
    {SCARD_W_RESET_CARD, OUTCOME_LOST, "another program reset the card in the reader \"%s\""},
    {SCARD_E_SHARING_VIOLATION, OUTCOME_PORT_BUSY, BUSY},
    {SCARD_E_NO_MEMORY, OUTCOME_SYSTEM, "memory or threads ran out for the card reader \"%s\""},
};

static enum outcome failed(const struct reader *reader, struct report *why)
{
    if (reader->result == SCARD_E_UNKNOWN_READER && reader->matches > 1)
        return report_set(why, OUTCOME_USAGE, "several card readers have \"%s\" in their name: %s",
                          reader->name, reader->known);
    if (reader->result == SCARD_E_UNKNOWN_READER)
        return report_set(why, OUTCOME_NO_MODEM, "no card reader \"%s\": pcscd sees %s",
                          reader->name, reader->known);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (failures[i].result == reader->result)
            return report_set(why, failures[i].outcome, failures[i].words, reader->name);
    return report_set(why, OUTCOME_LOST, "the card reader \"%s\" reached no card (%08lX)",
                      reader->name, (unsigned long)reader->result & 0xFFFFFFFF);
}

static enum outcome busy(const char *device, struct report *why)
{
    return report_set(why, OUTCOME_PORT_BUSY, BUSY, device);
}

/* The processes of one user queue up by a file that nobody else can open, so that not each of them
 * leaves a call behind when another program does not let the card go. Without that file, or with
 * other users, they queue up in pcscd: the transaction is the lock that counts. */
static enum outcome take_turn(struct reader *reader, const struct transport_target *target,
                              struct deadline deadline, struct report *why)
{
    const struct port_turn *turn = target->turn;

    if (turn == NULL)
        return OUTCOME_OK;
    reader->turn = turn->own_lock(turn->arg);
    for (int64_t free_since = 0;;) {
        bool first = turn->first(turn->arg);

        if (reader->turn >= 0 && flock(reader->turn, LOCK_EX | LOCK_NB) != 0 &&
            (errno == EWOULDBLOCK || errno == EINTR))
            free_since = 0;
        else if (free_since == 0)
            free_since = monotonic_ms();
        if (free_since != 0 && (first || monotonic_ms() - free_since >= OVERTAKE_MS))
            return OUTCOME_OK;
        if (free_since != 0 && reader->turn >= 0)
            (void)flock(reader->turn, LOCK_UN);
        if (deadline_passed(deadline))
            return busy(target->device, why);
        deadline_sleep(deadline, POLL_MS);
    }
}

/* What calls are made for, with the descriptor that tells their end. */
static enum outcome make_reader(struct pcsc *pcsc, struct deadline deadline, struct report *why)
{
    struct reader *reader = pcsc->reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    reader->turn = -1;
    forks_hold();
    reader->sample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    reader->done = forks_note(descriptor_high(reader->sample));
    reader->deadline = deadline;
    if (reader->done < 0)
        return report_set(why, OUTCOME_SYSTEM, "no descriptor is left for the card reader");
    return OUTCOME_OK;
}

void pcsc_readers(char *names, size_t size, struct deadline deadline)
{
    struct pcsc pcsc = {.reader = NULL};
    struct report why = REPORT_INIT;
    bool made = make_reader(&pcsc, deadline, &why) == OUTCOME_OK;

    names[0] = '\0';
    if (made && bounded(&pcsc, list_all, deadline)) {
        if (pcsc.reader->result == SCARD_S_SUCCESS && size >= sizeof pcsc.reader->all)
            memcpy(names, pcsc.reader->all, sizeof pcsc.reader->all);
        (void)bounded(&pcsc, leave, deadline_in(LEAVE_MS));
    }
    if (pcsc.reader != NULL)
        reader_free(pcsc.reader);
}

static enum outcome pcsc_begin(struct transport *transport, const struct transport_target *target,
                               struct deadline deadline, struct report *why)
{
    struct pcsc *pcsc = transport->self = calloc(1, sizeof *pcsc);
    struct reader *reader;
    bool taken;
    int turn;

    if (pcsc == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (make_reader(pcsc, deadline, why) != OUTCOME_OK)
        return why->outcome;
    reader = pcsc->reader;
    pcsc->trace = target->trace;
    (void)snprintf(reader->name, sizeof reader->name, "%s",
                   target->device + sizeof TRANSPORT_PCSC - 1);
    if (take_turn(reader, target, deadline, why) != OUTCOME_OK)
        return why->outcome;
    turn = reader->turn;
    taken = bounded(pcsc, take, deadline);
    if (!taken) /* the reader is its thread's, which closes the descriptor too */
        return busy(target->device, why);
    forks_close(turn);
    reader->turn = -1;
    (void)text_copy(pcsc->name, sizeof pcsc->name, reader->name);
    return reader->result == SCARD_S_SUCCESS ? OUTCOME_OK : failed(reader, why);
}

static enum outcome pcsc_exchange(struct transport *transport, const struct channel *channel,
                                  struct exchange *exchange, struct deadline deadline,
                                  struct report *why)
{
    struct pcsc *pcsc = transport->self;
    struct reader *reader = pcsc->reader;
    size_t length = exchange->length;
    enum outcome outcome = exchange_check(exchange, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (reader == NULL || deadline_passed(deadline))
        return report_set(why, OUTCOME_TIMEOUT, "no time is left for the card");
    memcpy(reader->command, exchange->command, length);
    reader->command[0] = cla_with_channel(reader->command[0], channel->number);
    /* T=0 has five bytes at least, and no Le behind data: the answer waits for GET RESPONSE */
    if (reader->protocol == SCARD_PROTOCOL_T0 && length == 4)
        reader->command[length++] = 0;
    else if (reader->protocol == SCARD_PROTOCOL_T0 && length == 6u + reader->command[4])
        length--;
    reader->command_length = length;
    if (!bounded(pcsc, transmit, deadline_within(deadline, exchange->timeout_ms)))
        return report_set(why, OUTCOME_TIMEOUT,
                          "the card in the reader \"%s\" did not answer in time", pcsc->name);
    if (reader->result == SCARD_W_RESET_CARD)
        transport->events |= EVENT_RESTARTED; /* its channels are gone */
    if (reader->result != SCARD_S_SUCCESS)
        outcome = failed(reader, why);
    else
        memcpy(exchange->answer, reader->answer, exchange->answer_length = reader->answer_length);
    if (outcome == OUTCOME_NO_SIM)
        transport->events |= EVENT_NO_SIM;
    explicit_bzero(reader->command, sizeof reader->command);
    explicit_bzero(reader->answer, sizeof reader->answer);
    return outcome;
}

static enum outcome on_basic(void *arg, const struct channel *channel, struct exchange *exchange,
                             struct deadline deadline, struct report *why)
{
    return pcsc_exchange(arg, channel, exchange, deadline, why);
}

static enum outcome pcsc_open(struct transport *transport, const struct channel_wish *wish,
                              struct channel *channel, struct deadline deadline, struct report *why)
{
    const struct pcsc *pcsc = transport->self;
    const struct basic_channel basic = {on_basic, transport, pcsc->trace, &transport->events};
    enum outcome outcome = manage_channel_open(&basic, wish->all, channel, deadline, why);

    if (outcome == OUTCOME_CARRIER_REFUSED)
        outcome =
            report_sw(why, OUTCOME_REFUSED, why->sw, "the card does not open a logical channel");
    return outcome;
}

static enum outcome pcsc_close(struct transport *transport, struct channel *channel,
                               struct deadline deadline, struct report *why)
{
    const struct pcsc *pcsc = transport->self;
    const struct basic_channel basic = {on_basic, transport, pcsc->trace, &transport->events};

    return manage_channel_close(&basic, channel, deadline, why);
}

static void pcsc_end(struct transport *transport)
{
    struct pcsc *pcsc = transport->self;
    struct reader *reader = pcsc != NULL ? pcsc->reader : NULL;

    if (reader != NULL && (!reader->established || bounded(pcsc, leave, deadline_in(LEAVE_MS))))
        reader_free(reader);
    free(pcsc);
    transport->self = NULL;
}

/* Its name stands for a modem's. */
static enum outcome pcsc_identity(struct transport *transport, struct modem_identity *identity,
                                  struct deadline deadline, struct report *why)
{
    const struct pcsc *pcsc = transport->self;

    (void)deadline, (void)why;
    memset(identity, 0, sizeof *identity);
    (void)snprintf(identity->model, sizeof identity->model, "%.*s", (int)sizeof identity->model - 1,
                   pcsc->name);
    return OUTCOME_OK;
}

const struct transport_ops transport_pcsc = {.noun = "card reader",
                                             .ways = {"PC/SC", "PC/SC", "PC/SC"},
                                             .restarted = "another program reset the card",
                                             .service = "pcscd",
                                             .carrier = CARRIER_CSIM,
                                             .begin = pcsc_begin,
                                             .open = pcsc_open,
                                             .exchange = pcsc_exchange,
                                             .close = pcsc_close,
                                             .end = pcsc_end,
                                             .identity = pcsc_identity};
