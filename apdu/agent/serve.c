/* SPDX-License-Identifier: Apache-2.0 */
/* The child that serves one connection: one request, its turn, the operation by the direct way, one
 * answer, one line in the log. Nothing is done for a client that has gone away. */
#include "apdu/agent/child.h"
#include "apdu/agent/say.h"
#include "apdu/session/sim_state.h"
#include "apdu/token_ops.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a client may take to send its request, once it is connected. */
#define REQUEST_MS 5000
#define PARENT_MS  5000 /* until the parent has closed its end, which it does at once */

struct service {
    const struct child *child;
    struct peer peer;
    struct agent_request request;
    /* The key's name as it was asked for; in the request is what the rules hand on of it. */
    struct token_name asked;
    struct agent_answer answer;
    struct deadline deadline; /* the caller's: for its turn */
    /* The modem's: for the operation, once it has its turn. One that was broken off would cost the others
     * the session, and the wait for a late answer. */
    struct deadline limit;
    struct sim *sims[MODEMS_ALL];    /* those that were worked with; they end with the process */
    uint8_t *owned;                  /* what answer.data borrows, from malloc */
    size_t owned_length;             /* bytes to cleanse */
    uint8_t result[TOKEN_PLAIN_MAX]; /* the same, of fixed size */
    uint8_t packet[AGENT_ANSWER_MAX];
};

_Static_assert(TOKEN_PLAIN_MAX >= TOKEN_SIGNATURE_MAX, "result has room for a signature");

/* ---- the client, and the turn ---- */

/* True while the client waits for its answer. It sends nothing more: whatever comes means that it has ended. */
static bool client_waits(void *arg)
{
    struct pollfd connection = {.fd = CHILD_CONNECTION, .events = POLLIN | POLLRDHUP};

    (void)arg;
    return poll(&connection, 1, 0) == 0;
}

/* Waits until the parent has closed its own descriptor of the connection: the process that closes it last may
 * be held up by what the client attached to it, see away.h. */
static void wait_for_parent(void)
{
    struct pollfd control = {.fd = CHILD_CONTROL, .events = POLLIN};
    unsigned char byte;

    if (poll(&control, 1, PARENT_MS) != 1 || recv(CHILD_CONTROL, &byte, 1, MSG_DONTWAIT) != 1 ||
        byte != CONTROL_YOURS)
        _exit(0);
}

/* Control messages are not received: descriptors that are attached go no further than the kernel. */
static bool take_request(struct service *service, struct report *why)
{
    uint8_t packet[AGENT_REQUEST_MAX + 1];
    struct pollfd connection = {.fd = CHILD_CONNECTION, .events = POLLIN};
    ssize_t length = -1;
    bool good;

    if (poll(&connection, 1, REQUEST_MS) > 0)
        length = recv(CHILD_CONNECTION, packet, sizeof packet, MSG_DONTWAIT);
    if (length <= 0)
        _exit(0);
    good = agent_read_request(packet, (size_t)length, &service->request, why);
    explicit_bzero(packet, sizeof packet);
    return good;
}

/* Waits for the turn at a modem. False when time is up; does not come back if the client or the parent
 * goes away meanwhile. */
static bool take_turn(const struct service *service, unsigned char modem)
{
    struct pollfd ready[] = {{.fd = CHILD_CONTROL, .events = POLLIN},
                             {.fd = CHILD_CONNECTION, .events = POLLIN | POLLRDHUP}};
    unsigned char given;

    if (send(CHILD_CONTROL, &modem, 1, MSG_NOSIGNAL) != 1)
        _exit(0);
    while (!deadline_passed(service->deadline)) {
        const int count = poll(ready, 2, deadline_left(service->deadline));

        if (count <= 0)
            continue;
        if (ready[1].revents != 0)
            _exit(0);
        if (recv(CHILD_CONTROL, &given, 1, MSG_DONTWAIT) != 1)
            _exit(0);
        return given == modem;
    }
    return false;
}

static void give_turn(void)
{
    const unsigned char done = CONTROL_DONE;

    (void)send(CHILD_CONTROL, &done, 1, MSG_NOSIGNAL);
}

static enum outcome refuse_use(const struct service *service, struct report *why)
{
    return report_set(
        why, OUTCOME_REFUSED,
        "this user may not do that (%s%s) with this key: `allow` in %.100s says who may "
        "do what",
        rules_word(&service->request),
        service->request.operation == AGENT_LIST ? ", which `read` allows" : "",
        service->child->config.path);
}

/* ---- the operations ---- */

/* Takes over the certificate, if there is one, and what the SIM is. */
static void give_content(struct service *service, const struct token_content *content)
{
    memcpy(service->answer.iccid, content->iccid, ICCID_SIZE);
    service->answer.data = service->owned = content->certificate;
    service->answer.length = service->owned_length = content->length;
}

static enum outcome do_read(struct service *service, struct sim *sim, struct report *why)
{
    struct agent_answer *answer = &service->answer;
    const struct agent_request *request = &service->request;
    struct token_content content;
    enum outcome outcome =
        token_read(sim, request->key.iccid, &request->key.name, request->option, &content, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    answer->list[0] = content.item;
    answer->count = 1;
    memcpy(answer->point, content.point, content.point_length);
    answer->point_length = content.point_length;
    give_content(service, &content);
    return OUTCOME_OK;
}

static enum outcome do_certificate(struct service *service, struct sim *sim, struct report *why)
{
    const struct agent_request *request = &service->request;
    struct token_content content;
    enum outcome outcome = token_certificate(sim, request->key.iccid, request->key.name.applet,
                                             request->option, &content, why);

    if (outcome == OUTCOME_OK)
        give_content(service, &content);
    return outcome;
}

static enum outcome do_sign(struct service *service, struct sim *sim, struct report *why)
{
    const struct agent_request *request = &service->request;
    const struct token_digest digest = {.scheme = request->scheme,
                                        .hash = request->hash,
                                        .data = request->data,
                                        .length = request->length};

    if (request->option == AGENT_DISTRUST)
        sim_forget(sim);
    service->answer.data = service->result;
    return token_sign(sim, &request->key, &digest, service->result, &service->answer.length,
                      service->limit, why);
}

static enum outcome do_decrypt(struct service *service, struct sim *sim, struct report *why)
{
    const struct agent_request *request = &service->request;

    service->answer.data = service->result;
    return token_decrypt(sim, &request->key, (enum token_padding)request->option, request->hash,
                         request->data, request->length, service->result, &service->answer.length,
                         why);
}

static enum outcome wrong_sim(const struct service *service, struct report *why)
{
    return report_set(why, OUTCOME_WRONG_SIM, "none of the agent's modems has the SIM %s",
                      service->request.key.iccid);
}

/* For the operations that compare no ICCID: a line for one SIM gives nothing of another one's. */
static enum outcome check_sim(const struct service *service, struct sim *sim, struct report *why)
{
    const struct agent_request *request = &service->request;
    char iccid[ICCID_SIZE];
    enum outcome outcome;

    if (request->key.iccid[0] == '\0' ||
        (request->operation != AGENT_LIST && request->operation != AGENT_TRIES))
        return OUTCOME_OK;
    outcome = sim_iccid(sim, iccid, service->limit, why);
    if (outcome == OUTCOME_OK && strcmp(iccid, request->key.iccid) != 0)
        return wrong_sim(service, why);
    return outcome;
}

static enum outcome do_identity(struct service *service, struct sim *sim, struct report *why)
{
    struct agent_answer *answer = &service->answer;
    const char *wanted = service->request.key.iccid;
    enum outcome outcome = token_identity(sim, &answer->identity, answer->iccid, why);

    if (outcome == OUTCOME_OK && wanted[0] != '\0' && strcmp(wanted, answer->iccid) != 0)
        return wrong_sim(service, why);
    return outcome;
}

static enum outcome do_available(struct service *service, struct sim *sim, struct report *why)
{
    const struct agent_request *request = &service->request;
    const struct typea_wish wish = {.iccid = request->key.iccid,
                                    .store = (enum typea_store)(request->option & ~AGENT_PRIVATE),
                                    .private_key = (request->option & AGENT_PRIVATE) != 0};
    struct typea_blob blob = {.data = NULL};
    enum outcome outcome = token_available(sim, &wish, &blob, why);

    service->answer.data = service->owned = blob.data;
    service->answer.length = service->owned_length = blob.length;
    return outcome;
}

static enum outcome do_operation(struct service *service, struct sim *sim, struct report *why)
{
    struct agent_answer *answer = &service->answer;

    switch (service->request.operation) {
    case AGENT_LIST:
        return token_list_of(sim, service->request.key.name.applet, answer->list, &answer->count,
                             why);
    case AGENT_READ:
        return do_read(service, sim, why);
    case AGENT_SIGN:
        return do_sign(service, sim, why);
    case AGENT_DECRYPT:
        return do_decrypt(service, sim, why);
    case AGENT_ALGORITHMS:
        return token_algorithms(sim, &service->request.key, &answer->set, why);
    case AGENT_IDENTITY:
        return do_identity(service, sim, why);
    case AGENT_TRIES:
        return token_pin_status(sim, &answer->pin, &answer->refused, why);
    case AGENT_AVAILABLE:
        return do_available(service, sim, why);
    case AGENT_CERTIFICATE:
        return do_certificate(service, sim, why);
    case AGENT_OPERATIONS:
        break;
    }
    return report_set(why, OUTCOME_USAGE, "there is no such operation");
}

static bool is_named(const struct token_name *name)
{
    return name->id_length > 0 || name->label[0] != '\0';
}

/* Whether what was asked for means this key, the SIM's first. */
static bool is_asked(const struct token_name *asked, const struct token_name *key)
{
    const bool counted = key->container != TOKEN_CONTAINER_NONE;

    if (asked->applet != TOKEN_APPLET_ANY && (asked->applet == TOKEN_APPLET_MIAS) != counted)
        return false;
    if (asked->id_length > 0)
        return !counted && asked->id_length == key->id_length &&
               memcmp(asked->id, key->id, key->id_length) == 0;
    return asked->label[0] == '\0' || strcmp(asked->label, key->label) == 0;
}

/* For an `allow` line with `signing` alone, which is for the SIM's first key: where the key has no container,
 * the rules hand on no name (same_key in rules.c). The SIM's list says which key is the first one, and that
 * has to be the one that was asked for. */
static enum outcome find_first(struct service *service, struct sim *sim, struct report *why)
{
    const struct token_name *asked = &service->asked;
    struct token_name *name = &service->request.key.name;
    struct token_item *list = service->answer.list;
    size_t count, i = 0;
    enum outcome outcome;

    if (name->container != TOKEN_CONTAINER_NONE || is_named(name) ||
        (!is_named(asked) && asked->applet == name->applet))
        return OUTCOME_OK;
    outcome = token_list_of(sim, name->applet, list, &count, why);
    while (outcome == OUTCOME_OK && i < count && (list[i].empty || list[i].no_signing))
        i++;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (i == count || !is_asked(asked, &list[i].name))
        return refuse_use(service, why);
    if (list[i].name.container != TOKEN_CONTAINER_NONE) { /* the first is container 0 */
        name->applet = TOKEN_APPLET_MIAS;
        return OUTCOME_OK;
    }
    *name = list[i].name;
    if (name->id_length > 0) /* one part is a name for commands */
        name->label[0] = '\0';
    return OUTCOME_OK;
}

/* One modem, in its turn. */
static enum outcome work_with(struct service *service, unsigned char modem,
                              const struct settings *settings, struct report *why)
{
    struct sim *sim = NULL;
    enum outcome outcome;

    if (!take_turn(service, modem))
        return report_set(
            why, OUTCOME_TIMEOUT,
            "the SIM was in use for the whole time-out: try again, or raise `timeout`");
    if (!client_waits(NULL))
        _exit(0);
    outcome = sim_new(&sim, settings, why);
    service->sims[modem] = sim;
    if (outcome == OUTCOME_OK) {
        sim_act_for(sim, service->child->parent);
        sim_ask_before(sim, client_waits, NULL);
        service->limit = deadline_in((int64_t)settings->timeout * 1000);
        sim_limit(sim, service->limit);
        outcome = check_sim(service, sim, why);
        if (outcome == OUTCOME_OK)
            outcome = find_first(service, sim, why);
        if (outcome == OUTCOME_OK)
            outcome = do_operation(service, sim, why);
    }
    give_turn();
    return outcome; /* the channel stays, as the agent's */
}

/* ---- which modem ---- */

/* What a record says of its SIM's ICCID: a hint. */
static bool record_has(const struct settings *settings, const char *iccid)
{
    struct record record;

    return record_peek(settings, &record) &&
           (strcmp(record.quirks.iccid, iccid) == 0 ||
            (record.shared.level > LEVEL_CLOSED && strcmp(record.shared.iccid, iccid) == 0) ||
            (record.second.level > LEVEL_CLOSED && strcmp(record.second.iccid, iccid) == 0));
}

/* The modems to try, in their order: the first alone where no SIM is named. */
static size_t choose_modems(const struct service *service, unsigned char order[MODEMS_ALL])
{
    const struct modems *modems = &service->child->modems;
    const char *iccid = service->request.key.iccid, *name;
    size_t count = 0;

    for (unsigned char i = 0; conf_modem(modems, i, &name) != NULL; i++)
        order[count++] = i;
    if (iccid[0] == '\0' || count == 1)
        return 1;
    for (size_t i = 1; i < count; i++)
        if (record_has(conf_modem(modems, i, &name), iccid)) {
            order[0] = (unsigned char)i;
            order[i] = 0;
            break;
        }
    return count;
}

static bool is_elsewhere(enum outcome outcome)
{
    return outcome == OUTCOME_WRONG_SIM || outcome == OUTCOME_NO_SIM || outcome == OUTCOME_NO_MODEM;
}

static enum outcome work(struct service *service, struct report *why)
{
    const struct child *child = service->child;
    unsigned char order[MODEMS_ALL] = {0};
    const size_t count = choose_modems(service, order);
    struct token_name used;
    struct report first = REPORT_INIT;
    const char *name;
    bool allowed = false;

    for (size_t i = 0; i < count; i++) {
        const struct settings *settings = conf_modem(&child->modems, order[i], &name);
        enum outcome outcome;

        service->request.key.name = service->asked;
        if (!rules_allow(&child->config.rules, &service->peer, child->socket_group,
                         &service->request, name, &used))
            continue;
        service->request.key.name = used;
        report_clear(why);
        outcome = work_with(service, order[i], settings, why);
        if (!is_elsewhere(outcome) || count == 1)
            return outcome;
        if (!allowed)
            first = *why;
        allowed = true;
    }
    if (allowed) {
        *why = first;
        return why->outcome;
    }
    return refuse_use(service, why);
}

/* ---- the answer, and the log ---- */

static void send_answer(struct service *service, const struct report *why)
{
    size_t length;

    service->answer.why = *why;
    length = agent_write_answer(service->request.operation, &service->answer, service->packet);
    (void)send(CHILD_CONNECTION, service->packet, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    explicit_bzero(service->packet, length);
    explicit_bzero(service->result, sizeof service->result);
    if (service->owned != NULL)
        explicit_bzero(service->owned, service->owned_length);
}

static void log_use(const struct service *service, const char *program, const struct report *why,
                    int64_t began)
{
    const enum agent_operation operation = service->request.operation;
    const bool keyed = operation == AGENT_READ || operation == AGENT_SIGN ||
                       operation == AGENT_DECRYPT || operation == AGENT_ALGORITHMS;
    char user[64], key[TOKEN_NAME_TEXT] = "";

    say_user(service->peer.uid, user, sizeof user);
    if (keyed)
        (void)token_name_text(&service->asked, key);
    agent_say("pid %ld (%s) of %s: %s%s%s%s: %s, %lld ms", (long)service->peer.pid, program, user,
              rules_word(&service->request),
              operation == AGENT_AVAILABLE && (service->request.option & AGENT_PRIVATE) != 0
                  ? " (the key)"
                  : "",
              key[0] != '\0' ? " " : "", key, why->outcome == OUTCOME_OK ? "done" : why->text,
              (long long)(monotonic_ms() - began));
}

/* The caller's time, but not more than the modems' settings give an operation. */
static struct deadline own_deadline(const struct service *service)
{
    return deadline_within(deadline_in(conf_timeout(&service->child->modems)),
                           service->request.patience);
}

int child_serve(const struct child *child)
{
    static struct service service;
    const int64_t began = monotonic_ms();
    struct report why = REPORT_INIT;
    char program[32];

    service.child = child;
    wait_for_parent();
    if (!peer_of(CHILD_CONNECTION, &service.peer))
        return 1;
    if (take_request(&service, &why)) {
        service.asked = service.request.key.name;
        service.deadline = own_deadline(&service);
        (void)work(&service, &why);
    } else {
        service.asked = (struct token_name)TOKEN_NAME_NONE;
        service.request.operation = AGENT_OPERATIONS;
    }
    say_program(service.peer.pid, program, sizeof program); /* after the answer it may be gone */
    send_answer(&service, &why);
    log_use(&service, program, &why, began);
    return 0;
}
