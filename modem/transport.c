/* SPDX-License-Identifier: Apache-2.0 */
/* Which transport a device has, and what a transport may leave out. */
#include "modem/transport.h"

#include "modem/at_modem.h"
#include "modem/control_name.h"
#ifdef SIMKEY_PCSC
#include "modem/pcsc.h"
#endif

#include "modem/mbim.h"
#include "modem/qmi.h"

#include <string.h>

#ifndef SIMKEY_PCSC
/* What stands for card readers in a build without them: it never begins. */
static enum outcome never_begin(struct transport *transport, const struct transport_target *target,
                                struct deadline deadline, struct report *why)
{
    (void)transport, (void)target, (void)deadline;
    return report_set(why, OUTCOME_USAGE,
                      "this simkey was built without PC/SC and reaches no card reader: install "
                      "libpcsclite-dev and build it again");
}

static void never_end(struct transport *transport)
{
    (void)transport;
}

static const struct transport_ops transport_pcsc = {.noun = "card reader",
                                                    .ways = {"PC/SC", "PC/SC", "PC/SC"},
                                                    .restarted = "",
                                                    .service = "pcscd",
                                                    .begin = never_begin,
                                                    .end = never_end};
#endif

/* Which devices have which transport, by the beginning of their names. The last one fits all. */
static const struct {
    const char *prefix;
    const struct transport_ops *ops;
} transports[] = {{TRANSPORT_PCSC, &transport_pcsc}, {"", &transport_at}};

const struct transport_ops *transport_of(const char *device)
{
    struct control_name name;
    size_t row = 0;

    control_parse(device, &name);
    if (name.protocol == CONTROL_QMI)
        return &transport_qmi;
    if (name.protocol == CONTROL_MBIM)
        return &transport_mbim;
    while (strncmp(device, transports[row].prefix, strlen(transports[row].prefix)) != 0)
        row++;
    return transports[row].ops;
}

void transport_readers(char *names, size_t size, struct deadline deadline)
{
    names[0] = '\0';
#ifdef SIMKEY_PCSC
    pcsc_readers(names, size, deadline);
#else
    (void)size, (void)deadline;
#endif
}

enum outcome transport_begin(struct transport *transport, const struct transport_target *target,
                             struct deadline deadline, struct report *why)
{
    memset(transport, 0, sizeof *transport);
    transport->ops = target->ops != NULL ? target->ops : transport_of(target->device);
    return transport->ops->begin(transport, target, deadline, why);
}

void transport_end(struct transport *transport)
{
    transport->ops->end(transport);
}

enum outcome transport_wake(struct transport *transport, bool ready, int quiet_ms,
                            struct deadline deadline, struct report *why)
{
    if (transport->ops->wake == NULL)
        return OUTCOME_OK;
    return transport->ops->wake(transport, ready, quiet_ms, deadline, why);
}

bool transport_tells_iccid(const struct transport *transport)
{
    return transport->ops->iccid != NULL;
}

enum outcome transport_iccid(struct transport *transport, char iccid[ICCID_SIZE],
                             struct deadline deadline, struct report *why)
{
    iccid[0] = '\0';
    if (!transport_tells_iccid(transport))
        return report_set(why, OUTCOME_UNSUPPORTED, "only the SIM itself tells its ICCID");
    return transport->ops->iccid(transport, iccid, deadline, why);
}

enum outcome transport_registration(struct transport *transport, enum registration *state,
                                    struct deadline deadline, struct report *why)
{
    *state = REGISTRATION_UNKNOWN;
    if (transport->ops->registration == NULL)
        return OUTCOME_OK;
    return transport->ops->registration(transport, state, deadline, why);
}

enum outcome transport_diagnose(struct transport *transport, struct deadline deadline,
                                struct report *why)
{
    if (transport->ops->diagnose == NULL)
        return OUTCOME_OK;
    return transport->ops->diagnose(transport, deadline, why);
}

void transport_release(struct transport *transport, struct deadline deadline)
{
    if (transport->ops->release != NULL)
        transport->ops->release(transport, deadline);
}

enum outcome transport_confirm(struct transport *transport, struct deadline deadline,
                               struct report *why)
{
    if (transport->ops->line == NULL)
        return OUTCOME_OK;
    return transport->ops->line->confirm(transport, deadline, why);
}

enum outcome transport_listen(struct transport *transport, int quiet_ms, struct deadline deadline,
                              struct report *why)
{
    if (transport->ops->line == NULL)
        return OUTCOME_OK;
    return transport->ops->line->listen(transport, quiet_ms, deadline, why);
}

enum outcome transport_before_secret(struct transport *transport, struct deadline deadline,
                                     struct report *why)
{
    if (transport->ops->line == NULL)
        return OUTCOME_OK;
    return transport->ops->line->before_secret(transport, deadline, why);
}

enum outcome transport_no_sim(const struct transport *transport, struct report *why)
{
    if ((transport->events & EVENT_NO_SIM) == 0 || transport->ops->line == NULL)
        return OUTCOME_OK;
    return transport->ops->line->no_sim(transport, why);
}

bool transport_found(struct transport *transport, struct channel *channel)
{
    return transport->ops->line != NULL && transport->ops->line->found(transport, channel);
}

void transport_keep(struct transport *transport, struct transport_rest *rest)
{
    rest->length = 0;
    if (transport->ops->line != NULL)
        transport->ops->line->keep(transport, rest);
}

void transport_give(struct transport *transport, struct transport_rest *rest)
{
    if (transport->ops->line != NULL)
        transport->ops->line->give(transport, rest);
    rest->length = 0;
}
