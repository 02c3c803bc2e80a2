/* SPDX-License-Identifier: Apache-2.0 */
/* The card reader's transport on a PC/SC service that this file plays: which calls are made, what
 * their results become, and what happens to a call that does not return. */
#include "modem/forks.h"
#include "modem/transport.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#define READERS "Omnikey 00 00\0Virtual PCD 00 00\0Virtual PCD 00 01\0"

/* The service. One test at a time, but its calls come from other threads. */
static struct {
    LONG establish, connect, begin, transmit;
    DWORD protocol, event;
    const char *answer; /* of the card, as characters */
    size_t answer_length;
    uint8_t sent[APDU_COMMAND_SIZE];
    size_t sent_length;
    char connected[MAX_READERNAME];
    bool connect_hangs, transmit_hangs, takes_descriptor;
    int descriptor;
    sem_t go_on;
    _Atomic int contexts, cards, transactions;
} service;

static void play(void)
{
    memset(&service, 0, sizeof service);
    service.protocol = SCARD_PROTOCOL_T1;
    service.answer = "\x90\x00";
    service.answer_length = 2;
    (void)sem_init(&service.go_on, 0, 0);
}

static void hang(bool hangs)
{
    if (hangs)
        while (sem_wait(&service.go_on) != 0)
            ;
}

LONG SCardEstablishContext(DWORD scope, LPCVOID a, LPCVOID b, LPSCARDCONTEXT context)
{
    (void)scope, (void)a, (void)b;
    *context = 1;
    if (service.takes_descriptor)
        service.descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    service.contexts += service.establish == SCARD_S_SUCCESS;
    return service.establish;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
    (void)context;
    service.contexts--;
    return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR names, LPDWORD size)
{
    (void)context, (void)groups;
    if (*size < sizeof READERS)
        return SCARD_E_INSUFFICIENT_BUFFER;
    memcpy(names, READERS, sizeof READERS);
    *size = sizeof READERS;
    return SCARD_S_SUCCESS;
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR name, DWORD mode, DWORD protocols,
                  LPSCARDHANDLE card, LPDWORD protocol)
{
    (void)context, (void)protocols;
    CU_ASSERT(mode == SCARD_SHARE_SHARED);
    (void)snprintf(service.connected, sizeof service.connected, "%s", name);
    hang(service.connect_hangs);
    *card = 2;
    *protocol = service.protocol;
    service.cards += service.connect == SCARD_S_SUCCESS;
    return service.connect;
}

LONG SCardReconnect(SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD what, LPDWORD protocol)
{
    (void)card, (void)mode, (void)protocols;
    CU_ASSERT(what == SCARD_LEAVE_CARD);
    *protocol = service.protocol;
    service.begin = SCARD_S_SUCCESS;
    return SCARD_S_SUCCESS;
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD what)
{
    (void)card;
    CU_ASSERT(what == SCARD_LEAVE_CARD);
    service.cards--;
    return SCARD_S_SUCCESS;
}

LONG SCardBeginTransaction(SCARDHANDLE card)
{
    (void)card;
    service.transactions += service.begin == SCARD_S_SUCCESS;
    return service.begin;
}

LONG SCardEndTransaction(SCARDHANDLE card, DWORD what)
{
    (void)card;
    CU_ASSERT(what == SCARD_LEAVE_CARD);
    service.transactions--;
    return SCARD_S_SUCCESS;
}

LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *pci, LPCBYTE command, DWORD length,
                   SCARD_IO_REQUEST *received, LPBYTE answer, LPDWORD answer_length)
{
    (void)card, (void)received;
    CU_ASSERT(pci->dwProtocol == service.protocol);
    hang(service.transmit_hangs);
    memcpy(service.sent, command, length);
    service.sent_length = length;
    memcpy(answer, service.answer, service.answer_length);
    *answer_length = service.answer_length;
    return service.transmit;
}

LONG SCardGetStatusChange(SCARDCONTEXT context, DWORD ms, SCARD_READERSTATE *states, DWORD count)
{
    (void)context, (void)ms;
    CU_ASSERT(count == 1);
    states->dwEventState = service.event;
    return service.event == 0 ? SCARD_E_TIMEOUT : SCARD_S_SUCCESS;
}

/* Nobody waits; the lock's file is the test's, "" if there is none. */
static char lock_path[192];

static bool always_first(void *arg)
{
    (void)arg;
    return true;
}

static int open_lock(void *arg)
{
    (void)arg;
    if (lock_path[0] == '\0')
        return -1;
    forks_hold();
    return forks_note(open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

struct seat {
    struct transport transport;
    struct trace trace;
    struct channel channel;
    struct report why;
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length;
};

static enum outcome sit(struct seat *seat, const char *device, int ms)
{
    static const struct port_turn turn = {always_first, open_lock, NULL};
    const struct transport_target target = {.device = device, .trace = &seat->trace, .turn = &turn};

    memset(seat, 0, sizeof *seat);
    report_clear(&seat->why);
    seat->channel.number = 2;
    return transport_begin(&seat->transport, &target, deadline_in(ms), &seat->why);
}

static void rise(struct seat *seat)
{
    seat->transport.ops->end(&seat->transport);
    EXPECT_NUMBER(service.transactions, 0);
    EXPECT_NUMBER(service.cards, 0);
    EXPECT_NUMBER(service.contexts, 0);
}

static enum outcome say(struct seat *seat, const char *hex, int timeout_ms)
{
    uint8_t command[APDU_COMMAND_SIZE];
    size_t length = bytes_of(hex, command, sizeof command);

    struct exchange exchange = {.command = command,
                                .length = length,
                                .timeout_ms = timeout_ms,
                                .secrecy = SECRET_NOTHING,
                                .answer = seat->answer};
    enum outcome outcome = seat->transport.ops->exchange(&seat->transport, &seat->channel,
                                                         &exchange, deadline_in(5000), &seat->why);

    seat->length = exchange.answer_length;
    return outcome;
}

static void a_reader_is_found_by_name_part_and_number(void)
{
    static const struct {
        const char *device, *name;
        enum outcome outcome;
    } table[] = {
        {"pcsc:Virtual PCD 00 01", "Virtual PCD 00 01", OUTCOME_OK},
        {"pcsc:omni", "Omnikey 00 00", OUTCOME_OK},
        {"pcsc:2", "Virtual PCD 00 01", OUTCOME_OK},
        {"pcsc:0", "Omnikey 00 00", OUTCOME_OK},
        {"pcsc:3", "", OUTCOME_NO_MODEM},
        {"pcsc:Gemalto", "", OUTCOME_NO_MODEM},
        {"pcsc:Virtual", "", OUTCOME_USAGE},
        {"pcsc:", "", OUTCOME_USAGE},
    };
    struct seat seat;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        play();
        EXPECT(sit(&seat, table[i].device, 2000), table[i].outcome, &seat.why);
        EXPECT_TEXT(service.connected, table[i].name);
        if (table[i].outcome != OUTCOME_OK)
            EXPECT_SAYS(seat.why.text, "\"Virtual PCD 00 00\", \"Virtual PCD 00 01\"");
        rise(&seat);
    }
}

static void commands_have_the_form_of_their_protocol(void)
{
    static const struct {
        DWORD protocol;
        const char *command, *sent;
    } table[] = {
        {SCARD_PROTOCOL_T1, "00A40804022FE200", "02A40804022FE200"},
        {SCARD_PROTOCOL_T0, "00A40804022FE200", "02A40804022FE2"},
        {SCARD_PROTOCOL_T0, "00A40804022FE2", "02A40804022FE2"},
        {SCARD_PROTOCOL_T1, "80200081", "82200081"},
        {SCARD_PROTOCOL_T0, "80200081", "8220008100"},
        {SCARD_PROTOCOL_T0, "00B0000010", "02B0000010"},
    };
    struct seat seat;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        play();
        service.protocol = table[i].protocol;
        EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
        EXPECT(say(&seat, table[i].command, 1000), OUTCOME_OK, &seat.why);
        EXPECT_BYTES(service.sent, service.sent_length, table[i].sent);
        EXPECT_BYTES(seat.answer, seat.length, "9000");
        rise(&seat);
    }
}

static void results_become_outcomes(void)
{
    static const struct {
        LONG result;
        DWORD event;
        enum outcome outcome;
        const char *says;
    } table[] = {
        {SCARD_W_RESET_CARD, 0, OUTCOME_LOST, "another program reset the card"},
        {SCARD_W_REMOVED_CARD, 0, OUTCOME_NO_SIM, "no card in the reader \"Omnikey 00 00\""},
        {SCARD_E_NOT_TRANSACTED, SCARD_STATE_EMPTY, OUTCOME_NO_SIM, "no card in the reader"},
        {SCARD_E_NOT_TRANSACTED, 0, OUTCOME_LOST, "80100016"},
        {SCARD_E_READER_UNAVAILABLE, 0, OUTCOME_NO_MODEM, "is gone"},
        {SCARD_E_NO_SERVICE, 0, OUTCOME_NO_MODEM, "pcscd is not running"},
        {SCARD_F_COMM_ERROR, 0, OUTCOME_NO_MODEM, "pcscd is not running"},
    };
    struct seat seat;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        play();
        EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
        service.transmit = table[i].result;
        service.event = table[i].event;
        EXPECT(say(&seat, "00A40804022FE2", 1000), table[i].outcome, &seat.why);
        EXPECT_SAYS(seat.why.text, table[i].says);
        EXPECT_NUMBER(seat.transport.events, table[i].result == SCARD_W_RESET_CARD ? EVENT_RESTARTED
                                             : table[i].outcome == OUTCOME_NO_SIM  ? EVENT_NO_SIM
                                                                                   : 0);
        rise(&seat);
    }
}

static void an_answer_of_nothing_is_a_failure(void)
{
    struct seat seat;

    play();
    service.answer_length = 0;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
    EXPECT(say(&seat, "00A40804022FE2", 1000), OUTCOME_LOST, &seat.why);
    rise(&seat);
}

static void without_card_service_or_right_there_is_a_sentence(void)
{
    struct seat seat;

    play();
    service.connect = SCARD_E_NO_SMARTCARD;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_NO_SIM, &seat.why);
    rise(&seat);
    service.connect = SCARD_W_UNRESPONSIVE_CARD;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_NO_SIM, &seat.why);
    rise(&seat);
    service.establish = SCARD_E_NO_SERVICE;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_NO_MODEM, &seat.why);
    EXPECT_SAYS(seat.why.text, "pcscd is not running");
    rise(&seat);
}

static void a_reset_before_the_transaction_does_no_harm(void)
{
    struct seat seat;

    play();
    service.begin = SCARD_W_RESET_CARD;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
    EXPECT(say(&seat, "00A40804022FE2", 1000), OUTCOME_OK, &seat.why);
    rise(&seat);
}

/* Waits until a call that was left behind has cleaned up. */
static void expect_clean(void)
{
    struct deadline patience = deadline_in(5000);

    while (service.contexts > 0 && !deadline_passed(patience))
        deadline_sleep(patience, 10);
    EXPECT_NUMBER(service.contexts, 0);
    EXPECT_NUMBER(service.transactions, 0);
    EXPECT_NUMBER(service.cards, 0);
}

static void a_card_that_another_program_has_for_itself_is_busy(void)
{
    struct seat seat;

    play();
    service.connect = SCARD_E_SHARING_VIOLATION;
    EXPECT(sit(&seat, "pcsc:0", 100), OUTCOME_PORT_BUSY, &seat.why);
    EXPECT_SAYS(seat.why.text, "in use by another program");
    seat.transport.ops->end(&seat.transport);
    expect_clean();
}

static void a_connection_that_never_comes_ends_at_the_deadline(void)
{
    struct folder folder;
    struct seat seat;
    int64_t since;

    play();
    folder_make(&folder);
    (void)snprintf(lock_path, sizeof lock_path, "%s/turn", folder.path);
    service.connect_hangs = true;
    for (int i = 0; i < 2; i++) {
        since = monotonic_ms();
        EXPECT(sit(&seat, "pcsc:0", 200), OUTCOME_PORT_BUSY, &seat.why);
        EXPECT_TOOK(since, 190, 1500);
        seat.transport.ops->end(&seat.transport);
        EXPECT_NUMBER(service.contexts, 1); /* the second one did not even ask */
    }
    (void)sem_post(&service.go_on);
    expect_clean();
    service.connect_hangs = false;
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
    rise(&seat);
    lock_path[0] = '\0';
    folder_remove(&folder);
}

/* A name in the kernel that any user may take is nobody's turn. */
static void a_strangers_socket_holds_up_nobody(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat pcscd = {.st_ino = 0};
    struct seat seat;
    int stranger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), length;

    play();
    (void)stat("/run/pcscd/pcscd.comm", &pcscd);
    length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "simkey-%llx-%llx-pcsc:0",
                      (unsigned long long)pcscd.st_dev, (unsigned long long)pcscd.st_ino);
    CU_ASSERT_EQUAL(bind(stranger, (const struct sockaddr *)&name,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)),
                    0);
    EXPECT(sit(&seat, "pcsc:0", 500), OUTCOME_OK, &seat.why);
    rise(&seat);
    (void)close(stranger);
}

/* Its own processes' turn is waited for, up to the deadline. */
static void the_own_users_turn_is_waited_for(void)
{
    struct folder folder;
    struct seat seat;
    int64_t since = monotonic_ms();
    int other;

    play();
    folder_make(&folder);
    (void)snprintf(lock_path, sizeof lock_path, "%s/turn", folder.path);
    other = open_lock(NULL);
    CU_ASSERT_EQUAL(flock(other, LOCK_EX), 0);
    EXPECT(sit(&seat, "pcsc:0", 200), OUTCOME_PORT_BUSY, &seat.why);
    EXPECT_TOOK(since, 190, 1500);
    rise(&seat);
    (void)close(other);
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
    rise(&seat);
    lock_path[0] = '\0';
    folder_remove(&folder);
}

/* With 0 to 2 closed the library's socket would be one of them, and hear what the program says. */
static void the_librarys_descriptors_are_none_of_the_programs(void)
{
    struct seat seat;
    int status = -1;
    pid_t child = fork_child();

    if (child == 0) {
        play();
        service.takes_descriptor = true;
        (void)close(0), (void)close(1), (void)close(2);
        _exit(sit(&seat, "pcsc:0", 2000) == OUTCOME_OK && service.descriptor > 2 &&
                      fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0
                  ? 0
                  : 1);
    }
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
}

static void an_answer_that_never_comes_ends_at_the_time_out(void)
{
    struct seat seat;
    int64_t since = monotonic_ms();

    play();
    EXPECT(sit(&seat, "pcsc:0", 2000), OUTCOME_OK, &seat.why);
    service.transmit_hangs = true;
    EXPECT(say(&seat, "002A9E9A00", 200), OUTCOME_TIMEOUT, &seat.why);
    EXPECT(say(&seat, "002A9E9A00", 200), OUTCOME_TIMEOUT, &seat.why);
    EXPECT_TOOK(since, 190, 1500);
    seat.transport.ops->end(&seat.transport);
    EXPECT_NUMBER(service.transactions, 1);
    (void)sem_post(&service.go_on);
    expect_clean();
}

void add_pcsc_suite(void)
{
    static const struct test tests[] = {
        TEST(a_reader_is_found_by_name_part_and_number),
        TEST(commands_have_the_form_of_their_protocol),
        TEST(results_become_outcomes),
        TEST(an_answer_of_nothing_is_a_failure),
        TEST(without_card_service_or_right_there_is_a_sentence),
        TEST(a_reset_before_the_transaction_does_no_harm),
        TEST(a_card_that_another_program_has_for_itself_is_busy),
        TEST(a_connection_that_never_comes_ends_at_the_deadline),
        TEST(an_answer_that_never_comes_ends_at_the_time_out),
        TEST(a_strangers_socket_holds_up_nobody),
        TEST(the_own_users_turn_is_waited_for),
        TEST(the_librarys_descriptors_are_none_of_the_programs),
    };

    ADD_SUITE("pcsc", tests);
}
