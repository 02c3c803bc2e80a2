/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: how a step's result is printed, and what to do where an outcome alone tells it. */
#include "modem/text.h"
#include "provider/tool/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE 1024

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
    {OUTCOME_NO_APPLET,
     "ask the SIM's supplier for one with the applet; or, if it has IoT SAFE under "
     "another AID, for that: it belongs into the setting `aid`"},
    {OUTCOME_PIN_MISSING, "unlock PIN1: let ModemManager or the modem's own settings do it, or "
                          "AT+CPIN=\"<PIN1>\" in a terminal program"},
    {OUTCOME_PIN_BLOCKED, "ask the SIM's supplier for its PUK, or for another SIM"},
};

static void add_step(struct doctor *doctor, const char *result, const char *remedy,
                     const char *text)
{
    struct tree *steps = &doctor->steps;
    cJSON *object = tree_add_object(steps, steps->root, NULL);

    tree_add_text(steps, object, "step", doctor->step);
    tree_add_text(steps, object, "result", result);
    tree_add_text(steps, object, "text", text);
    tree_add_text(steps, object, "remedy", remedy);
}

static void say(struct doctor *doctor, const char *result, const char *remedy, const char *text)
{
    if (!doctor->json) {
        terminal_make_room();
        text_line(stdout, "%-8s %-12s %s", result, doctor->step, text);
        if (remedy[0] != '\0')
            text_line(stdout, "%21s -> %s", "", remedy);
        (void)fflush(stdout); /* the next step may take its time */
    }
    if (doctor->json || doctor->line->report != NULL)
        add_step(doctor, result, remedy, text);
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
