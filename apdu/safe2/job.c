/* SPDX-License-Identifier: Apache-2.0 */
/* safe2's jobs: start one, poll until it ends, try again if it failed. */
#include "apdu/outfile.h"
#include "apdu/safe2/run.h"
#include "modem/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_POLL_MS        2000 /* a quick answer need not wait for a whole interval */
#define REGISTRATION_POLL_MS 2000
#define REGISTRATION_LAST_MS 1000 /* for the last question, when the wait is over */

static void show(const struct safe2_run *run, const char *what, int64_t since_ms)
{
    if (run->terminal)
        (void)fprintf(stderr, "\r\033[K%s, %d s", what, (int)((monotonic_ms() - since_ms) / 1000));
}

static enum outcome interrupted(struct report *why)
{
    return report_set(why, OUTCOME_REFUSED, "interrupted; a running job goes on in the SIM");
}

/* The IMEI's digits two in a byte, in their order, F padded: 356938035643809 is 35 69 38 03 56 43
 * 80 9F. */
static size_t pack_imei(const char *imei, uint8_t id[SAFE2_ID_MAX])
{
    size_t digits = strspn(imei, "0123456789");

    if (digits < 14 || digits > 16 || imei[digits] != '\0')
        return 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = (uint8_t)(imei[i] - '0');

        id[i / 2] =
            i % 2 == 0 ? (uint8_t)(digit << 4 | 0x0F) : (uint8_t)((id[i / 2] & 0xF0) | digit);
    }
    return (digits + 1) / 2;
}

static enum outcome find_id(const struct safe2_run *run, uint8_t id[SAFE2_ID_MAX], size_t *length,
                            struct report *why)
{
    struct modem_identity identity = {.imei = ""};
    char iccid[ICCID_SIZE];
    enum outcome outcome;

    memcpy(id, run->line->id, SAFE2_ID_MAX);
    *length = run->line->id_length;
    if (*length > 0)
        return OUTCOME_OK;
    outcome = sim_identity(run->sim, &identity, iccid, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    *length = pack_imei(identity.imei, id);
    if (*length == 0)
        return report_set(why, OUTCOME_USAGE,
                          "the modem does not tell its IMEI: give the device's id by --device-id");
    return OUTCOME_OK;
}

/* One job's time begins: nothing that it needs lasts longer. */
static void begin(struct safe2_run *run)
{
    run->until = deadline_in(run->line->timeout_ms);
    sim_limit(run->sim, run->until);
}

static enum outcome no_network(const struct safe2_run *run, struct report *why)
{
    return report_set(why, OUTCOME_TIMEOUT,
                      "the modem did not register with a network within %d s: check antenna and "
                      "subscription, or do not wait for it by --registration 0",
                      (int)((run->line->registration_ms + 999) / 1000));
}

/* The applet can do nothing before the modem is in a network. The wait is not the job's, whose time
 * begins anew behind it: it may last longer. */
static enum outcome wait_for_network(struct safe2_run *run, struct report *why)
{
    int64_t since = monotonic_ms();
    struct deadline until = deadline_in(run->line->registration_ms);
    bool told = false;
    enum registration state;

    while (run->line->registration_ms > 0) {
        enum outcome outcome = sim_registration(run->sim, &state, why);

        if (told && outcome == OUTCOME_TIMEOUT && deadline_passed(until))
            return no_network(run, why);
        if (outcome == OUTCOME_OK && state != REGISTRATION_NONE)
            break;
        if (outcome != OUTCOME_OK)
            return outcome;
        if (deadline_passed(until))
            return no_network(run, why);
        told = true;
        sim_limit(run->sim, (struct deadline){until.at_ms + REGISTRATION_LAST_MS});
        show(run, "waiting for the network", since);
        if (!safe2_pause(run, deadline_left(until) < REGISTRATION_POLL_MS ? deadline_left(until)
                                                                          : REGISTRATION_POLL_MS))
            return interrupted(why);
    }
    begin(run);
    return OUTCOME_OK;
}

/* The SIM may be out of reach for a while (others use it, it is reset, the cable is pulled) and the
 * job go on. */
static bool passing(enum outcome outcome)
{
    return outcome == OUTCOME_LOST || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_PORT_BUSY ||
           outcome == OUTCOME_NO_MODEM || outcome == OUTCOME_CARRIER_REFUSED ||
           outcome == OUTCOME_BAD_DATA;
}

/* Polls until the job is over. */
static enum outcome await_end(struct safe2_run *run, enum safe2_job job,
                              struct safe2_status *status, struct report *why)
{
    const struct safe2_line *line = run->line;
    int64_t since = monotonic_ms();
    struct deadline until = run->until;
    int64_t wait = line->interval_ms < FIRST_POLL_MS ? line->interval_ms : FIRST_POLL_MS;
    enum outcome outcome = OUTCOME_OK;
    struct report before = REPORT_INIT;
    bool polled = false;

    memset(status, 0, sizeof *status);
    for (;;) {
        struct safe2_status now;
        int64_t left = deadline_left(until);

        if (!safe2_pause(run, wait < left ? wait : left))
            return interrupted(why);
        if (deadline_passed(until))
            break;
        outcome = safe2_status(run->sim, job, &now, why);
        if (deadline_passed(until) && outcome != OUTCOME_OK && polled) {
            outcome = before.outcome; /* it ran out of time: the one before it knows more */
            *why = before;
            break;
        }
        if (outcome == OUTCOME_OK)
            *status = now;
        if (outcome == OUTCOME_OK && (!status->known || safe2_phase(status) != SAFE2_BUSY))
            return OUTCOME_OK;
        if (outcome != OUTCOME_OK && !passing(outcome))
            return outcome;
        polled = true;
        report_clear(&before);
        if (outcome != OUTCOME_OK)
            before = *why;
        show(run, "the SIM is working", since);
        wait = line->interval_ms;
    }
    if (outcome == OUTCOME_OK)
        return report_set(
            why, OUTCOME_TIMEOUT,
            "the job did not end within %d s (state %04X, result %04X): is the server "
            "reachable from the SIM?",
            (int)(line->timeout_ms / 1000), status->state, status->result);
    report_prefix(why, "the job did not end within %d s", (int)(line->timeout_ms / 1000));
    return outcome;
}

static enum outcome failed(const char *what, const struct safe2_status *status, struct report *why)
{
    return report_set(
        why, OUTCOME_REFUSED,
        "%s failed (state %04X, result %04X): wrong key, unknown SIM, or no way to the "
        "server; the server's logs tell which",
        what, status->state, status->result);
}

/* A job may be left over from a safe2 that was killed: then its end is waited for. If another safe2
 * lives, the job is its own, and the refusal stands. Returns true if the refused command may be
 * said again. */
static bool outlast(struct safe2_run *run, enum outcome *refused, struct report *why)
{
    static const enum safe2_job jobs[] = {SAFE2_RECEIVING, SAFE2_SENDING};
    struct report other = REPORT_INIT;
    struct safe2_status status = {.known = false};
    bool waited = why->sw == 0; /* refused because of a job, which may be over by now */
    enum outcome outcome;

    if (*refused != OUTCOME_REFUSED || run->other)
        return false;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        outcome = safe2_status(run->sim, jobs[i], &status, &other);
        if (outcome != OUTCOME_OK || !status.known || status.state == 0 ||
            safe2_phase(&status) != SAFE2_BUSY)
            continue;
        outcome = await_end(run, jobs[i], &status, &other);
        if (outcome != OUTCOME_OK) {
            *refused = outcome;
            *why = other;
            return false;
        }
        waited = true;
    }
    return waited;
}

static enum outcome get_once(struct safe2_run *run, const uint8_t *id, size_t id_length,
                             uint8_t *data, size_t *length, struct report *why)
{
    struct safe2_status status = {.known = false};
    enum outcome outcome = safe2_request(run->sim, id, id_length, why);

    if (outlast(run, &outcome, why))
        outcome = safe2_request(run->sim, id, id_length, why);
    if (outcome == OUTCOME_OK)
        outcome = await_end(run, SAFE2_RECEIVING, &status, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    switch (safe2_phase(&status)) {
    case SAFE2_READY:
        return safe2_fetch(run->sim, data, length, why);
    case SAFE2_DONE:
        return report_set(
            why, OUTCOME_REFUSED,
            "the server's answer is empty (state %04X, result %04X): no configuration "
            "is enrolled, put one on the server",
            status.state, status.result);
    case SAFE2_FAILED:
    case SAFE2_BUSY:
        break;
    }
    return failed("the request", &status, why);
}

static enum outcome send_once(struct safe2_run *run, const uint8_t *id, size_t id_length,
                              const uint8_t *data, size_t length, struct report *why)
{
    struct safe2_status status = {.known = false};
    enum outcome outcome = safe2_send(run->sim, id, id_length, data, length, why);

    if (outlast(run, &outcome, why))
        outcome = safe2_send(run->sim, id, id_length, data, length, why);
    if (outcome == OUTCOME_OK)
        outcome = await_end(run, SAFE2_SENDING, &status, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!status.known) {
        (void)fprintf(stderr, "safe2: sent, result unknown: this applet does not report it\n");
        return OUTCOME_OK;
    }
    return safe2_phase(&status) == SAFE2_FAILED ? failed("sending", &status, why) : OUTCOME_OK;
}

/* True if the job failed in a way that may be over the next time, and another try is left. */
static bool try_again(struct safe2_run *run, enum outcome outcome, unsigned tries,
                      const struct report *why)
{
    if ((outcome != OUTCOME_REFUSED && outcome != OUTCOME_TIMEOUT) || run->caught != 0 ||
        tries >= run->line->retries)
        return false;
    if (run->terminal)
        (void)fputs("\r\033[K", stderr);
    text_line(stderr, "safe2: %s; trying again in %d s", why->text,
              (int)(run->line->retry_delay_ms / 1000));
    if (!safe2_pause(run, run->line->retry_delay_ms))
        return false;
    begin(run);
    return true;
}

enum outcome safe2_get_command(struct safe2_run *run, struct report *why)
{
    uint8_t id[SAFE2_ID_MAX], data[SAFE2_DATA_MAX];
    size_t id_length, length = 0;
    unsigned tries = 0;
    enum outcome outcome;

    begin(run);
    outcome = run->line->out != NULL ? outfile_check(run->line->out, why) : OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = wait_for_network(run, why);
    if (outcome == OUTCOME_OK)
        outcome = find_id(run, id, &id_length, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    do {
        outcome = get_once(run, id, id_length, data, &length, why);
        sim_close(run->sim); /* others may need it while we wait or apply */
    } while (outcome != OUTCOME_OK && try_again(run, outcome, tries++, why));
    if (outcome == OUTCOME_OK)
        outcome = safe2_apply(run, data, length, why);
    explicit_bzero(data, sizeof data);
    return outcome;
}

/* Reads until there is more than fits, or the end. What stdin is, its giver knows; a file by its name
 * may be a pipe that nobody writes, or a terminal. */
static enum outcome read_all(int fd, const char *path, uint8_t *data, size_t *length,
                             struct deadline until, struct report *why)
{
    struct pollfd watch = {.fd = fd, .events = POLLIN, .revents = 0};

    for (*length = 0; *length <= SAFE2_SEND_MAX;) {
        int ready = fd == STDIN_FILENO ? 1 : poll(&watch, 1, deadline_left(until));
        ssize_t got = ready > 0 ? read(fd, data + *length, SAFE2_SEND_MAX + 1 - *length) : -1;

        if (ready == 0)
            return report_set(why, OUTCOME_TIMEOUT,
                              "nothing could be read from %s within the job's time", path);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return report_set(why, OUTCOME_USAGE, "cannot read %s: %s", path, strerror(errno));
        *length += got > 0 ? (size_t)got : 0;
    }
    return OUTCOME_OK;
}

static enum outcome read_telemetry(const char *path, uint8_t *data, size_t *length,
                                   struct deadline until, struct report *why)
{
    int fd = strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0
                 ? STDIN_FILENO
                 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum outcome outcome;

    if (fd < 0)
        return report_set(why, OUTCOME_USAGE, "cannot read %s: %s", path, strerror(errno));
    outcome = read_all(fd, path, data, length, until, why);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (*length < 1 || *length > SAFE2_SEND_MAX)
        return report_set(why, OUTCOME_USAGE, "telemetry must have 1 to %d bytes; %s has %s",
                          SAFE2_SEND_MAX, path, *length == 0 ? "none" : "more");
    return OUTCOME_OK;
}

enum outcome safe2_send_command(struct safe2_run *run, struct report *why)
{
    uint8_t id[SAFE2_ID_MAX], data[SAFE2_SEND_MAX + 1];
    size_t id_length, length = 0;
    unsigned tries = 0;
    enum outcome outcome;

    safe2_hold_signals(false);
    outcome = read_telemetry(run->line->operands[0], data, &length,
                             deadline_in(run->line->timeout_ms), why);
    safe2_hold_signals(true);
    begin(run);
    if (outcome == OUTCOME_OK)
        outcome = wait_for_network(run, why);
    if (outcome == OUTCOME_OK)
        outcome = find_id(run, id, &id_length, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    do {
        outcome = send_once(run, id, id_length, data, length, why);
        sim_close(run->sim);
    } while (outcome != OUTCOME_OK && try_again(run, outcome, tries++, why));
    return outcome;
}

enum outcome safe2_status_command(struct safe2_run *run, struct report *why)
{
    static const char *const words[] = {[SAFE2_BUSY] = "busy or idle",
                                        [SAFE2_DONE] = "done",
                                        [SAFE2_READY] = "data ready",
                                        [SAFE2_FAILED] = "failed"};
    static const struct {
        const char *name;
        enum safe2_job job;
    } jobs[] = {{"receive", SAFE2_RECEIVING}, {"send", SAFE2_SENDING}};

    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        struct safe2_status status = {.known = false};
        enum outcome outcome = safe2_status(run->sim, jobs[i].job, &status, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (status.known)
            printf("%s: state %04X result %04X (%s)\n", jobs[i].name, status.state, status.result,
                   words[safe2_phase(&status)]);
        else
            printf("%s: unknown, this applet does not report it\n", jobs[i].name);
    }
    return OUTCOME_OK;
}
