/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: from the modem's first answer to the applets of its SIM. No PIN is known here. */
#include "apdu/aid.h"
#include "apdu/typea.h"
#include "provider/objects.h"
#include "provider/tool/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- modem, SIM, network ---- */

/* Also where the SIM's part of the questions failed. */
static bool modem_told(const struct modem_identity *identity)
{
    return identity->manufacturer[0] != '\0' || identity->model[0] != '\0' ||
           identity->imei[0] != '\0' || identity->sim_state[0] != '\0';
}

/* True for a card reader, which cannot be asked what a modem is asked: that is no failure. */
static bool only_unasked(const struct doctor *doctor)
{
    enum outcome outcome = doctor->identity_outcome;

    return doctor->transport->service != NULL &&
           (outcome == OUTCOME_REFUSED || outcome == OUTCOME_UNSUPPORTED ||
            outcome == OUTCOME_CARRIER_REFUSED);
}

void doctor_modem(struct doctor *doctor)
{
    const struct modem_identity *identity = &doctor->identity;
    bool told;

    doctor->identity_why = (struct report)REPORT_INIT;
    doctor->identity_outcome =
        token_identity(doctor->sim, &doctor->identity, doctor->iccid, &doctor->identity_why);
    told = modem_told(identity);
    if (doctor->identity_outcome != OUTCOME_OK && !told && !only_unasked(doctor)) {
        if (!doctor_control_unreachable(doctor, &doctor->identity_why))
            doctor_report(doctor, &doctor->identity_why);
        return;
    }
    doctor->found |= FOUND_MODEM;
    if (doctor->transport->service != NULL)
        doctor_ok(doctor, "the %s answers%s%s", doctor->transport->noun,
                  identity->model[0] != '\0' ? ": " : "", identity->model);
    else if (!told)
        doctor_warn(doctor, "", "something answers, but tells neither its name nor its IMEI");
    else
        doctor_ok(doctor, "%s %s, IMEI %s",
                  identity->manufacturer[0] != '\0' ? identity->manufacturer : "a modem",
                  identity->model, identity->imei[0] != '\0' ? identity->imei : "not told");
}

void doctor_sim(struct doctor *doctor)
{
    const char *state = doctor->identity.sim_state;
    struct report why = REPORT_INIT;

    if (strcmp(state, "SIM PIN") == 0) {
        (void)report_set(&why, OUTCOME_PIN_MISSING, "the SIM waits for its own PIN1");
        doctor_report(doctor, &why);
    } else if (strcmp(state, "SIM PUK") == 0) {
        (void)report_set(&why, OUTCOME_PIN_BLOCKED,
                         "the SIM's own PIN1 is blocked: it needs the PUK");
        doctor_report(doctor, &why);
    } else if (doctor->identity_outcome != OUTCOME_OK && !only_unasked(doctor)) {
        doctor_report(doctor, &doctor->identity_why);
    } else if (state[0] != '\0' && strcmp(state, "READY") != 0) {
        (void)report_set(&why, OUTCOME_NO_SIM, "the SIM is not ready: the modem says \"%.40s\"",
                         state);
        doctor_report(doctor, &why);
    } else {
        doctor->found |= FOUND_SIM;
        if (doctor->transport->service != NULL)
            doctor_ok(doctor, "a SIM is in the %s", doctor->transport->noun);
        else if (state[0] == '\0')
            doctor_warn(doctor, "", "the modem does not tell the SIM's state; going on");
        else
            doctor_ok(doctor, "the SIM is ready");
    }
}

void doctor_network(struct doctor *doctor)
{
    static const char remedy[] = "check antenna, subscription and APN; the SIM's keys work without "
                                 "a network, connections and safe2 do not";
    enum registration state = REGISTRATION_UNKNOWN;
    struct report why = REPORT_INIT;

    if (doctor->transport->registration == NULL)
        doctor_skip(doctor, "", "a %s has no network", doctor->transport->noun);
    else if (sim_registration(doctor->sim, &state, &why) != OUTCOME_OK)
        doctor_report(doctor, &why);
    else if (state == REGISTRATION_DONE)
        doctor_ok(doctor, "the modem is registered");
    else if (state == REGISTRATION_NONE)
        doctor_warn(doctor, remedy, "the modem is not registered with a network");
    else
        doctor_warn(doctor, remedy,
                    "the modem does not tell whether it is registered with a network");
}

/* Whether it is the SIM that FILE names: the PIN that is configured is that one's, and no other one
 * gets it. Where the modem does not tell, the SIM itself is asked. */
static void judge_wanted(struct doctor *doctor)
{
    struct report why = REPORT_INIT;
    char iccid[ICCID_SIZE];

    memcpy(iccid, doctor->iccid, sizeof iccid);
    if (iccid[0] == '\0' && sim_card_iccid(doctor->sim, iccid, &why) != OUTCOME_OK) {
        doctor_fail(
            doctor, OUTCOME_WRONG_SIM, "leave the file out, if this is the SIM you mean",
            "neither the modem nor the SIM tells it, so that it cannot be compared with %s: "
            "no PIN is tried (%s)",
            doctor->wanted, why.text);
    } else if (strcmp(iccid, doctor->wanted) != 0) {
        doctor_fail(doctor, OUTCOME_WRONG_SIM, DOCTOR_REPLACED,
                    "the SIM in the modem is %s, but %s names %s: no PIN is tried on it", iccid,
                    doctor->line->operands[0], doctor->wanted);
    } else {
        doctor->found |= FOUND_RIGHT_SIM;
        doctor_ok(doctor, "%s, as %s says", iccid, doctor->line->operands[0]);
    }
}

void doctor_iccid(struct doctor *doctor)
{
    struct report why = REPORT_INIT;

    if (doctor->wanted[0] != '\0') {
        judge_wanted(doctor);
        return;
    }
    doctor->found |= FOUND_RIGHT_SIM;
    if (doctor->iccid[0] == '\0' && sim_card_iccid(doctor->sim, doctor->iccid, &why) != OUTCOME_OK)
        doctor->iccid[0] = '\0';
    if (doctor->iccid[0] != '\0')
        doctor_ok(doctor, "%s", doctor->iccid);
    else
        doctor_warn(doctor,
                    "nothing to do unless a URI or key reference names an `iccid`: then "
                    "the SIM itself is asked",
                    "neither the modem nor the SIM tells it");
}

/* ---- channel and applets ---- */

static enum outcome probe(struct doctor *doctor, const struct aid *applet, enum carrier *carrier,
                          struct report *why)
{
    return sim_probe(doctor->sim, applet->bytes, applet->length, applet->name, carrier, why);
}

/* Where the modem both opens and selects, a missing applet looks like a missing channel: then the
 * others are asked. */
void doctor_channel(struct doctor *doctor)
{
    static const enum known_aid others[] = {AID_FILES, AID_SAFE2, AID_IOTSAFE, AID_IOTSAFE_THALES,
                                            AID_IOTSAFE_OTHER};
    struct report *why = &doctor->mias_why;
    bool missing;

    *why = (struct report)REPORT_INIT;
    doctor->mias_outcome = probe(doctor, &aids[AID_MIAS], &doctor->carrier, why);
    missing = doctor->mias_outcome == OUTCOME_NO_APPLET ||
              ((doctor->mias_outcome == OUTCOME_CARRIER_REFUSED ||
                doctor->mias_outcome == OUTCOME_REFUSED) &&
               doctor->transport->carrier == CARRIER_AUTO);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct report ignored = REPORT_INIT;

        if (missing && doctor->carrier == CARRIER_AUTO)
            (void)probe(doctor, &aids[others[i]], &doctor->carrier, &ignored);
    }
    if (missing && doctor->carrier != CARRIER_AUTO)
        doctor->mias_outcome = OUTCOME_NO_APPLET;
    if (doctor->mias_outcome == OUTCOME_OK || doctor->carrier != CARRIER_AUTO ||
        (doctor->transport->carrier != CARRIER_AUTO && doctor->mias_outcome == OUTCOME_NO_APPLET)) {
        doctor->found |= FOUND_CHANNEL;
        doctor_ok(doctor, "a logical channel to the SIM can be opened by %s",
                  doctor->transport->ways[doctor->carrier]);
    } else if (!doctor_control_refused(doctor, why)) {
        doctor_report(doctor, why);
    }
}

void doctor_mias(struct doctor *doctor)
{
    struct token_item list[TOKEN_ITEMS];
    struct report why = REPORT_INIT;
    size_t count;

    if (doctor->mias_outcome != OUTCOME_OK && doctor->mias_outcome != OUTCOME_NO_APPLET) {
        doctor_report(doctor, &doctor->mias_why);
        return;
    }
    /* another family, or one that the settings name */
    if ((doctor->mias_outcome != OUTCOME_OK || doctor->settings.applet == TOKEN_APPLET_IOTSAFE) &&
        token_list(doctor->sim, list, &count, &why) != OUTCOME_OK) {
        doctor_report(doctor, &why);
        return;
    }
    doctor->found |= FOUND_MIAS;
    doctor_ok(doctor, "the applet with the keys is there%s",
              token_applet_known(doctor->sim) == TOKEN_APPLET_IOTSAFE ? ": IoT SAFE" : "");
}

/* Reads Type A's certificate from one of its places: the subject, or the reason why there is none. */
static enum outcome typea_in(struct doctor *doctor, enum typea_store store, char *subject,
                             size_t size, struct report *why)
{
    struct typea_blob blob = {NULL, 0};
    X509 *certificate = NULL;
    enum outcome outcome = typea_certificate(doctor->sim, NULL, store, &blob, why);

    subject[0] = '\0';
    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(NULL, blob.data, blob.length, &certificate, why);
    if (outcome == OUTCOME_OK)
        doctor_subject(certificate, subject, size);
    X509_free(certificate);
    typea_blob_clear(&blob);
    return outcome;
}

static bool absent(enum outcome outcome)
{
    return outcome == OUTCOME_NOT_FOUND || outcome == OUTCOME_NO_APPLET;
}

void doctor_typea(struct doctor *doctor)
{
    char subject[256];
    struct report why = REPORT_INIT, by_file = REPORT_INIT;
    enum outcome outcome = typea_in(doctor, TYPEA_OBJECTS, subject, sizeof subject, &why), other;

    if (outcome == OUTCOME_OK) {
        doctor_ok(doctor, "Type A is in the applet's data objects: %s", subject);
        return;
    }
    if (outcome == OUTCOME_PIN_MISSING) { /* the step `signature` alone gets the PIN */
        doctor_ok(doctor,
                  "Type A is in the applet's data objects, behind the signing PIN, which is not "
                  "tried for it here");
        return;
    }
    /* the objects are mIAS's: without it there are none, whatever a modem says of it */
    if (!absent(outcome) && doctor->mias_outcome != OUTCOME_NO_APPLET) {
        doctor_report(doctor, &why);
        return;
    }
    other = typea_in(doctor, TYPEA_FILES, subject, sizeof subject, &by_file);
    if (other == OUTCOME_OK)
        doctor_ok(doctor, "Type A is in the older files: %s", subject);
    else if (other == OUTCOME_PIN_MISSING && doctor->settings.sim_pin_source != NULL)
        doctor_ok(doctor, "Type A may be in the older files, behind PIN1, which is not tried here");
    else if (other == OUTCOME_PIN_MISSING)
        doctor_warn(doctor, "set `sim-pin-source` to a file with PIN1, if Type A is wanted",
                    "Type A may be in the older files, behind PIN1");
    else if (absent(other))
        doctor_warn(doctor, "nothing to do unless sim:available is wanted",
                    "this SIM has no Type A: sim:available does not work with it");
    else
        doctor_report(doctor, &by_file);
}

/* Over AT+CCHO a missing applet looks like any other failure, also of AT+CSIM, which is no way here and is
 * tried after it. */
static bool may_lack(const struct doctor *doctor, enum outcome outcome)
{
    return doctor->carrier == CARRIER_CCHO &&
           (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_REFUSED ||
            outcome == OUTCOME_LOST);
}

void doctor_safe2(struct doctor *doctor)
{
    static const char remedy[] = "nothing to do unless safe2 is wanted";
    struct report why = REPORT_INIT;
    enum carrier carrier = CARRIER_AUTO;
    enum outcome outcome = probe(doctor, &aids[AID_SAFE2], &carrier, &why);

    if (outcome == OUTCOME_OK)
        doctor_ok(doctor, "the applet is there");
    else if (outcome == OUTCOME_NO_APPLET)
        doctor_warn(doctor, remedy,
                    "this SIM has no SAFE2: the command safe2 does not work with it");
    else if (may_lack(doctor, outcome))
        doctor_warn(
            doctor, remedy,
            "the modem opens no channel to SAFE2 by AT+CCHO: this SIM does not have it, or no "
            "channel is free (%s)",
            why.text);
    else
        doctor_report(doctor, &why);
}
