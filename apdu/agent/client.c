/* SPDX-License-Identifier: Apache-2.0 */
/* See client.h. An agent that is being started anew is waited for: a request that it took and did not answer
 * is sent again within the caller's time. Signing twice costs nothing but time. */
#include "apdu/agent/client.h"

#include "apdu/agent/protocol.h"
#include "apdu/applet/mias.h"
#include "apdu/session/sim_state.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* How long an agent that does not listen may take to be started anew. */
#define RESTART_MS 3000
/* Pauses between two connections. */
#define PAUSE_FIRST_MS   5
#define PAUSE_LONGEST_MS 100
/* The agent gets this much less time than the caller has, so that its own sentence about the time-out still
 * comes in time. */
#define WORD_MS 50

/* One question. */
struct talk {
    const struct agent_request *request;
    struct agent_answer *answer;
    const char *path;
    enum token_applet applet; /* of the settings */
    struct deadline deadline;
    uint8_t *packet; /* the answer's */
    size_t length;
    bool met; /* an agent took a request that it did not answer */
};

static bool agent_device(const char *device)
{
    return settings_agent(device, NULL);
}

/* ---- the connection ---- */

static enum outcome say_unreachable(const struct talk *talk, int error, struct report *why)
{
    if (error == EACCES || error == EPERM)
        return report_set(
            why, OUTCOME_NO_MODEM,
            "this user may not use simkey-agent (%.200s): `adduser USER simkey`, then "
            "log in or start the service again",
            talk->path);
    if (error == ENOENT || error == ENOTDIR || error == ECONNREFUSED)
        return report_set(why, OUTCOME_NO_MODEM,
                          "simkey-agent does not run (%.200s): `systemctl status "
                          "simkey-agent.socket simkey-agent` says why",
                          talk->path);
    return report_set(why, OUTCOME_SYSTEM, "cannot reach simkey-agent (%.200s): %s", talk->path,
                      strerror(error));
}

/* A connected socket, noted; -1 and errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, saved;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    forks_hold();
    fd = forks_note(
        descriptor_high(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    saved = errno;
    forks_close(fd);
    errno = saved;
    return -1;
}

/* ---- one exchange ---- */

enum turn { TURN_DONE, TURN_AGAIN, TURN_FAILED };

static enum turn send_request(const struct talk *talk, int fd)
{
    uint8_t packet[AGENT_REQUEST_MAX];
    struct agent_request request = *talk->request;
    const int left = deadline_left(talk->deadline);
    size_t length;
    ssize_t sent;

    if (request.key.name.applet == TOKEN_APPLET_ANY)
        request.key.name.applet = talk->applet;
    request.patience = left > 2 * WORD_MS ? (uint32_t)(left - WORD_MS) : (uint32_t)left;
    length = agent_write_request(&request, packet);
    sent = send(fd, packet, length, MSG_NOSIGNAL);
    explicit_bzero(&request, sizeof request);
    explicit_bzero(packet, sizeof packet);
    return sent == (ssize_t)length ? TURN_DONE : TURN_AGAIN;
}

/* The length of the packet that has come; 0: the connection has ended; -1: there is none yet. */
static ssize_t wait_packet(const struct talk *talk, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t length = -1;

    while (length < 0 && !deadline_passed(talk->deadline)) {
        (void)poll(&ready, 1, deadline_left(talk->deadline));
        length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        if (length < 0 && errno != EAGAIN && errno != EINTR)
            length = 0; /* it was closed before it was read */
    }
    return length;
}

static enum turn take_answer(struct talk *talk, int fd, struct report *why)
{
    const ssize_t length = wait_packet(talk, fd);

    if (length < 0) {
        (void)report_set(why, OUTCOME_TIMEOUT,
                         "simkey-agent did not answer in time: the SIM is slow, or the modem "
                         "silent; the agent's log says what became of it");
        return TURN_FAILED;
    }
    talk->met = true;
    if (length == 0)
        return TURN_AGAIN;
    if (length > AGENT_ANSWER_MAX || (talk->packet = malloc((size_t)length)) == NULL) {
        (void)report_set(why, length > AGENT_ANSWER_MAX ? OUTCOME_BAD_DATA : OUTCOME_SYSTEM,
                         "the agent's answer is too long, or memory is out");
        return TURN_FAILED;
    }
    talk->length = (size_t)length;
    if (recv(fd, talk->packet, talk->length, MSG_DONTWAIT) == length &&
        agent_read_answer(talk->request->operation, talk->packet, talk->length, talk->answer))
        return TURN_DONE;
    (void)report_set(why, OUTCOME_BAD_DATA,
                     "what answers at %.200s speaks another version than this simkey: install both "
                     "in the same version",
                     talk->path);
    return TURN_FAILED;
}

static enum turn exchange_once(struct talk *talk, int64_t patient_until, struct report *why)
{
    int fd = connect_to(talk->path);
    enum turn turn;

    if (fd < 0 && (errno == EAGAIN || errno == EINTR ||
                   (errno == ECONNREFUSED && (talk->met || monotonic_ms() < patient_until))))
        return TURN_AGAIN;
    if (fd < 0) {
        (void)say_unreachable(talk, errno, why);
        return TURN_FAILED;
    }
    turn = send_request(talk, fd);
    if (turn == TURN_DONE)
        turn = take_answer(talk, fd, why);
    forks_close(fd);
    return turn;
}

/* Until the agent has answered, or time is up. The caller ends it with talk_end. */
static enum outcome talk_begin(struct talk *talk, struct sim *sim, struct agent_answer *answer,
                               struct report *why)
{
    const int64_t patient_until = monotonic_ms() + RESTART_MS;
    int pause = PAUSE_FIRST_MS;
    enum turn turn;

    talk->answer = answer;
    talk->applet = sim->settings.applet;
    if (!settings_agent(sim->settings.device, &talk->path) || talk->path == NULL)
        talk->path = AGENT_SOCKET;
    while ((turn = exchange_once(talk, patient_until, why)) == TURN_AGAIN) {
        if (deadline_passed(talk->deadline))
            return report_set(
                why, OUTCOME_TIMEOUT,
                "simkey-agent was too busy for this request, or ended while it did it: try again; "
                "its log says more");
        deadline_sleep(talk->deadline, pause);
        pause = 2 * pause < PAUSE_LONGEST_MS ? 2 * pause : PAUSE_LONGEST_MS;
    }
    if (turn == TURN_FAILED)
        return why->outcome;
    *why = talk->answer->why;
    if (why->outcome != OUTCOME_OK)
        report_prefix(why, "simkey-agent");
    return why->outcome;
}

static void talk_end(struct talk *talk)
{
    if (talk->packet != NULL)
        explicit_bzero(talk->packet, talk->length);
    free(talk->packet);
    talk->packet = NULL;
}

/* ---- the operations ---- */

static enum outcome agent_list(struct sim *sim, enum token_applet applet, struct token_item *list,
                               size_t *count, struct deadline deadline, struct report *why)
{
    const struct agent_request request = {
        .operation = AGENT_LIST, .key.name = {.container = TOKEN_CONTAINER_NONE, .applet = applet}};
    struct agent_answer answer;
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome = talk_begin(&talk, sim, &answer, why);

    *count = 0;
    if (outcome == OUTCOME_OK) {
        *count = answer.count;
        memcpy(list, answer.list, answer.count * sizeof list[0]);
    }
    talk_end(&talk);
    return outcome;
}

/* A copy for the caller, by malloc; NULL of nothing. */
static enum outcome copy_data(const struct agent_answer *answer, uint8_t **data, size_t *length,
                              struct report *why)
{
    if (answer->length == 0)
        return OUTCOME_OK;
    *data = malloc(answer->length);
    if (*data == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    memcpy(*data, answer->data, answer->length);
    *length = answer->length;
    return OUTCOME_OK;
}

/* By the number of the candidate, or of the certificate. */
static enum outcome read_content(struct sim *sim, enum agent_operation operation, const char *iccid,
                                 const struct token_name *name, unsigned number,
                                 struct token_content *content, struct deadline deadline,
                                 struct report *why)
{
    struct agent_request request = {.operation = operation, .key.name = *name};
    struct agent_answer answer;
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome;

    if (number > UINT8_MAX)
        return report_set(why, OUTCOME_NOT_FOUND, "there is no further certificate");
    request.option = (uint8_t)number;
    strncpy(request.key.iccid, iccid != NULL ? iccid : "", ICCID_SIZE - 1);
    outcome = talk_begin(&talk, sim, &answer, why);
    if (outcome == OUTCOME_OK) {
        content->item = answer.list[0];
        memcpy(content->point, answer.point, sizeof content->point);
        content->point_length = answer.point_length;
        memcpy(content->iccid, answer.iccid, ICCID_SIZE);
        outcome = copy_data(&answer, &content->certificate, &content->length, why);
    }
    talk_end(&talk);
    return outcome;
}

static enum outcome agent_read(struct sim *sim, const char *iccid, const struct token_name *name,
                               unsigned candidate, struct token_content *content,
                               struct deadline deadline, struct report *why)
{
    return read_content(sim, AGENT_READ, iccid, name, candidate, content, deadline, why);
}

static enum outcome agent_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                                      unsigned number, struct token_content *content,
                                      struct deadline deadline, struct report *why)
{
    const struct token_name any = {.container = TOKEN_CONTAINER_NONE, .applet = applet};

    return read_content(sim, AGENT_CERTIFICATE, iccid, &any, number, content, deadline, why);
}

/* A name with a container gets mIAS's key reference, which follows from that. Other names keep both id and
 * label: the `allow` lines may name the key by either. */
static void agent_complete(const struct token_item *item, enum token_key_type type,
                           struct token_name *name)
{
    if (item->name.container == TOKEN_CONTAINER_NONE)
        return;
    name->id_length = 1;
    name->id[0] = (uint8_t)mias_key_id(item->name.container, item->decrypts, item->bits, type);
}

/* Signs or decrypts: data there, data back, which have room for TOKEN_SIGNATURE_MAX. */
static enum outcome use_key(struct sim *sim, struct agent_request *request, const uint8_t *data,
                            size_t data_length, struct deadline deadline, uint8_t *result,
                            size_t *length, struct report *why)
{
    struct agent_answer answer;
    struct talk talk = {.request = request, .deadline = deadline};
    enum outcome outcome;

    if (data_length > AGENT_DATA_MAX)
        return report_set(why, OUTCOME_UNSUPPORTED, "no key of a SIM takes that many bytes");
    memcpy(request->data, data, data_length);
    request->length = data_length;
    outcome = talk_begin(&talk, sim, &answer, why);
    if (outcome == OUTCOME_OK) {
        memcpy(result, answer.data, answer.length);
        *length = answer.length;
    }
    talk_end(&talk);
    explicit_bzero(request->data, sizeof request->data);
    return outcome;
}

/* the caller has room for what the agent may answer */
_Static_assert(AGENT_DATA_MAX <= TOKEN_SIGNATURE_MAX, "a signature");
_Static_assert(AGENT_DATA_MAX <= TOKEN_PLAIN_MAX, "a plain text");

static enum outcome agent_sign(struct sim *sim, const struct token_key *key,
                               const struct token_digest *digest, uint8_t *signature,
                               size_t *length, struct deadline deadline, struct report *why)
{
    struct agent_request request = {
        .operation = AGENT_SIGN, .key = *key, .scheme = digest->scheme, .hash = digest->hash};

    if (atomic_exchange(&sim->forget, false))
        request.option = AGENT_DISTRUST;
    return use_key(sim, &request, digest->data, digest->length, deadline, signature, length, why);
}

static enum outcome agent_decrypt(struct sim *sim, const struct token_key *key,
                                  enum token_padding padding, enum token_hash hash,
                                  const uint8_t *cryptogram, size_t cryptogram_length,
                                  uint8_t *plain, size_t *length, struct deadline deadline,
                                  struct report *why)
{
    struct agent_request request = {
        .operation = AGENT_DECRYPT, .key = *key, .hash = hash, .option = (uint8_t)padding};

    return use_key(sim, &request, cryptogram, cryptogram_length, deadline, plain, length, why);
}

static enum outcome agent_algorithms(struct sim *sim, const struct token_key *key, uint64_t *set,
                                     struct deadline deadline, struct report *why)
{
    const struct agent_request request = {.operation = AGENT_ALGORITHMS, .key = *key};
    struct agent_answer answer;
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome = talk_begin(&talk, sim, &answer, why);

    *set = outcome == OUTCOME_OK ? answer.set : 0;
    talk_end(&talk);
    return outcome;
}

static enum outcome agent_tries(struct sim *sim, struct token_pin *state, size_t *refused,
                                struct deadline deadline, struct report *why)
{
    const struct agent_request request = {.operation = AGENT_TRIES,
                                          .key.name.container = TOKEN_CONTAINER_NONE};
    struct agent_answer answer;
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome = talk_begin(&talk, sim, &answer, why);

    if (outcome == OUTCOME_OK) {
        *state = answer.pin;
        *refused = answer.refused;
    }
    talk_end(&talk);
    return outcome;
}

static enum outcome agent_available(struct sim *sim, const struct typea_wish *wish,
                                    struct typea_blob *blob, struct deadline deadline,
                                    struct report *why)
{
    struct agent_request request = {.operation = AGENT_AVAILABLE,
                                    .key.name.container = TOKEN_CONTAINER_NONE};
    struct agent_answer answer;
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome;

    request.option = (uint8_t)(wish->store | (wish->private_key ? AGENT_PRIVATE : 0));
    strncpy(request.key.iccid, wish->iccid != NULL ? wish->iccid : "", ICCID_SIZE - 1);
    outcome = talk_begin(&talk, sim, &answer, why);
    if (outcome == OUTCOME_OK)
        outcome = copy_data(&answer, &blob->data, &blob->length, why);
    talk_end(&talk);
    return outcome;
}

static enum outcome ask_identity(struct sim *sim, const char *wanted, struct deadline deadline,
                                 struct agent_answer *answer, struct report *why)
{
    struct agent_request request = {.operation = AGENT_IDENTITY,
                                    .key.name.container = TOKEN_CONTAINER_NONE};
    struct talk talk = {.request = &request, .deadline = deadline};
    enum outcome outcome;

    strncpy(request.key.iccid, wanted, ICCID_SIZE - 1);
    outcome = talk_begin(&talk, sim, answer, why);
    talk_end(&talk);
    return outcome;
}

static enum outcome agent_identity(struct sim *sim, struct modem_identity *identity, char *iccid,
                                   struct report *why)
{
    struct agent_answer answer;
    enum outcome outcome = ask_identity(sim, "", sim_deadline(sim), &answer, why);

    if (outcome == OUTCOME_OK) {
        *identity = answer.identity;
        memcpy(iccid, answer.iccid, ICCID_SIZE);
    }
    return outcome;
}

enum outcome agent_iccid(struct sim *sim, const char *wanted, char iccid[ICCID_SIZE],
                         struct deadline deadline, struct report *why)
{
    struct agent_answer answer;
    enum outcome outcome = ask_identity(sim, wanted, deadline, &answer, why);

    iccid[0] = '\0';
    if (outcome == OUTCOME_OK)
        memcpy(iccid, answer.iccid, ICCID_SIZE);
    return outcome;
}

static enum outcome agent_close(struct sim *sim, struct sim_found *found, struct report *why)
{
    (void)sim, (void)found;
    return report_set(
        why, OUTCOME_UNSUPPORTED,
        "simkey-agent keeps its channel by itself, and closes it when nobody needs it: "
        "`systemctl stop simkey-agent` does it now");
}

const struct token_ops token_agent = {
    .name = "simkey-agent",
    .elsewhere = SETTINGS_ELSEWHERE,
    .takes_device = agent_device,
    .list = FOR_TOOLS(agent_list),
    .read = agent_read,
    .complete = agent_complete,
    .sign = agent_sign,
    .decrypt = agent_decrypt,
    .algorithms = FOR_TOOLS(agent_algorithms),
    .certificate = agent_certificate,
    .pin_status = FOR_TOOLS(agent_tries),
    .available = agent_available,
    .identity = FOR_TOOLS(agent_identity),
    .close = FOR_TOOLS(agent_close),
};
