/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: the steps from the provider to a signature, in their order, and how their results
 * are printed. What a step looks at is in cmd_doctor_*.c. */
#include "provider/tool/doctor/doctor.h"
#include "modem/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 1024

static const struct step {
    const char *name;
    unsigned needs, gives; /* enum finding */
    void (*judge)(struct doctor *doctor);
} steps[] = {
    {"provider", 0, 0, doctor_provider},
    {"settings", 0, FOUND_SETTINGS, doctor_settings},
    {"pin-source", FOUND_SETTINGS, FOUND_PIN_SOURCE, doctor_pin_source},
    {"run-dir", FOUND_SETTINGS, 0, doctor_run_dir},
    {"ownership", 0, 0, doctor_ownership},
    {"port", FOUND_SETTINGS, FOUND_PORT, doctor_port},
    {"permission", FOUND_PORT, FOUND_ACCESS, doctor_permission},
    {"holders", FOUND_PORT, 0, doctor_holders},
    {"modem", FOUND_ACCESS, FOUND_MODEM, doctor_modem},
    {"sim", FOUND_MODEM, FOUND_SIM, doctor_sim},
    {"network", FOUND_SIM, 0, doctor_network},
    {"iccid", FOUND_SIM, FOUND_RIGHT_SIM, doctor_iccid},
    {"channel", FOUND_SIM, FOUND_CHANNEL, doctor_channel},
    {"mias", FOUND_CHANNEL, FOUND_MIAS, doctor_mias},
    {"typea", FOUND_CHANNEL, 0, doctor_typea},
    {"safe2", FOUND_CHANNEL, 0, doctor_safe2},
    {"pin", FOUND_MIAS, FOUND_TRIES, doctor_pin},
    {"certificate", FOUND_MIAS, FOUND_CERTIFICATE, doctor_certificate},
    {"key", FOUND_CERTIFICATE, FOUND_KEY, doctor_key},
    {"signature", FOUND_KEY | FOUND_TRIES | FOUND_PIN_SOURCE | FOUND_RIGHT_SIM, 0,
     doctor_signature},
};
#define STEPS (sizeof steps / sizeof steps[0])

/* What to do where an outcome says no more than its sentence. */
static const struct {
    enum outcome outcome;
    const char *remedy;
} remedies[] = {
    {OUTCOME_NO_MODEM, "look at the step holders; try the modem's other ports (ls -l "
                       "/dev/serial/by-id/) and other values of `baud`; see what is said: simkey "
                       "doctor --trace at"},
    {OUTCOME_PORT_BUSY, "wait for that program's end, or end it"},
    {OUTCOME_NO_SIM, "insert the SIM, clean its contacts, restart the modem"},
    {OUTCOME_TIMEOUT, "look at the step holders; wait a minute and try again, then restart the "
                      "modem; simkey doctor --trace at shows where it stops"},
    {OUTCOME_CARRIER_REFUSED, "the modem's manual says how AT+CSIM or AT+CCHO is unlocked; try the "
                              "modem's other AT port"},
    {OUTCOME_REFUSED, "restart the modem; simkey doctor --trace apdu shows what is refused"},
    {OUTCOME_LOST, "try again, then restart the modem"},
    {OUTCOME_BAD_DATA, "try again; if it stays, simkey doctor --trace at shows what came"},
    {OUTCOME_NO_APPLET, "this SIM is of another kind: ask where it comes from for one with the "
                        "applet"},
    {OUTCOME_PIN_MISSING, "unlock PIN1: let ModemManager or the modem's own settings do it, or "
                          "AT+CPIN=\"<PIN1>\" in a terminal program"},
    {OUTCOME_PIN_BLOCKED, "ask where the SIM comes from for its PUK, or for another SIM"},
};

/* Texts of others go into JSON as they go onto the terminal: as valid UTF-8 and without controls. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    char shown[2 * TEXT_SIZE];

    (void)text_copy(shown, sizeof shown, text);
    (void)cJSON_AddStringToObject(object, name, shown);
}

static void say(struct doctor *doctor, const char *result, const char *remedy, const char *text)
{
    cJSON *object;

    if (!doctor->json) {
        terminal_make_room();
        text_line(stdout, "%-8s %-12s %s", result, doctor->step, text);
        if (remedy[0] != '\0')
            text_line(stdout, "%21s -> %s", "", remedy);
        (void)fflush(stdout); /* the next step may take its time */
        return;
    }
    object = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(object, "step", doctor->step);
    (void)cJSON_AddStringToObject(object, "result", result);
    add_text(object, "text", text);
    add_text(object, "remedy", remedy);
    (void)cJSON_AddItemToArray(doctor->list, object);
}

void doctor_ok(struct doctor *doctor, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(doctor, "ok", "", text);
}

void doctor_warn(struct doctor *doctor, const char *remedy, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(doctor, "warning", remedy, text);
}

void doctor_skip(struct doctor *doctor, const char *remedy, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(doctor, "skipped", remedy, text);
}

void doctor_fail(struct doctor *doctor, enum outcome outcome, const char *remedy,
                 const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(doctor, "failure", remedy, text);
    if (doctor->first.outcome == OUTCOME_OK)
        (void)report_set(&doctor->first, outcome, "%s: %s", doctor->step, text);
}

void doctor_report(struct doctor *doctor, const struct report *why)
{
    const char *remedy = "";

    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++)
        if (remedies[i].outcome == why->outcome)
            remedy = remedies[i].remedy;
    doctor_fail(doctor, why->outcome, remedy, "%s", why->text);
}

/* The step to blame for what is missing: the first one that was judged and did not give it. */
static const char *blame(unsigned missing, unsigned found)
{
    const char *name = NULL;

    for (size_t i = STEPS; i > 0; i--)
        if ((steps[i - 1].gives & missing) != 0) {
            name = steps[i - 1].name;
            missing |= steps[i - 1].needs & ~found;
        }
    return name;
}

/* The steps, each if what it needs was found. */
static void walk(struct doctor *doctor)
{
    for (size_t i = 0; i < STEPS; i++) {
        unsigned missing = steps[i].needs & ~doctor->found;

        doctor->step = steps[i].name;
        if (missing == 0)
            steps[i].judge(doctor);
        else
            doctor_skip(doctor, "", "not judged, because of the step %s",
                        blame(missing, doctor->found));
    }
}

enum outcome cmd_doctor(const struct command_line *line, struct sim *none, struct report *why)
{
    struct doctor *doctor = calloc(1, sizeof *doctor);
    enum outcome outcome = OUTCOME_OK;
    char *text;

    (void)none;
    if (doctor == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    doctor->line = line;
    doctor->json = (line->given & OPTION_JSON) != 0;
    doctor->list = cJSON_CreateArray();
    doctor->first = (struct report)REPORT_INIT;
    settings_init(&doctor->settings);
    outcome = doctor_wanted(line, doctor->wanted, why);
    if (outcome == OUTCOME_OK)
        walk(doctor);
    if (doctor->json && outcome == OUTCOME_OK) {
        text = cJSON_Print(doctor->list);
        if (text != NULL)
            printf("%s\n", text);
        else
            outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
        free(text);
    }
    if (outcome == OUTCOME_OK && doctor->first.outcome != OUTCOME_OK) {
        *why = doctor->first;
        outcome = why->outcome;
    }
    cJSON_Delete(doctor->list);
    signing_key_clear(&doctor->signing);
    sim_free(doctor->sim);
    settings_clear(&doctor->settings);
    free(doctor);
    return outcome;
}
