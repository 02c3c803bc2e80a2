/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: the steps from the provider to a signature, in their order. How their results are
 * printed is in report.c, what a step looks at in the other files. */
#include "provider/tool/doctor/doctor.h"

#include <stdlib.h>

static const struct step {
    const char *name;
    unsigned needs, gives; /* enum finding */
    void (*judge)(struct doctor *doctor);
} steps[] = {
    {"provider", 0, 0, doctor_provider},
    {"settings", 0, FOUND_SETTINGS, doctor_settings},
    {"agent", FOUND_SETTINGS, FOUND_SIM, doctor_agent}, /* only where it is in use */
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
    {"pin-source", FOUND_SETTINGS, FOUND_PIN_SOURCE, doctor_pin_source}, /* if the SIM wants one */
    {"pin", FOUND_MIAS, FOUND_TRIES, doctor_pin},
    {"certificate", FOUND_MIAS, FOUND_CERTIFICATE, doctor_certificate},
    {"key", FOUND_CERTIFICATE, FOUND_KEY, doctor_key},
    {"signature", FOUND_KEY | FOUND_TRIES | FOUND_PIN_SOURCE | FOUND_RIGHT_SIM, 0,
     doctor_signature},
};
#define STEPS (sizeof steps / sizeof steps[0])

/* True if the step is walked through: with the agent, the step that asks it is in the place of those that are
 * its matter. */
static bool is_step(const struct step *step, bool by_agent)
{
    return by_agent ? !doctor_agent_matter(step->name) : step->judge != doctor_agent;
}

/* The step to blame for what is missing: the first one that was judged and did not give it. */
static const char *blame(unsigned missing, unsigned found, bool by_agent)
{
    const char *name = NULL;

    for (size_t i = STEPS; i > 0; i--)
        if ((steps[i - 1].gives & missing) != 0 && is_step(&steps[i - 1], by_agent)) {
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
        const bool by_agent = doctor_by_agent(doctor);

        doctor->step = steps[i].name;
        if (!is_step(&steps[i], by_agent))
            continue;
        if (missing == 0)
            steps[i].judge(doctor);
        else
            doctor_skip(doctor, "", "not judged, because of the step %s",
                        blame(missing, doctor->found, by_agent));
    }
}

static enum outcome run_doctor(const struct command_line *line, struct sim *none,
                               struct report *why)
{
    struct doctor *doctor = calloc(1, sizeof *doctor);
    enum outcome outcome = OUTCOME_OK;

    (void)none;
    if (doctor == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    doctor->line = line;
    doctor->json = (line->given & OPTION_JSON) != 0;
    tree_begin_array(&doctor->steps);
    doctor->first = (struct report)REPORT_INIT;
    doctor->trace = -1;
    settings_init(&doctor->settings);
    if (line->report != NULL && line->options[settings_index("trace")] != NULL)
        outcome =
            report_set(why, OUTCOME_USAGE, "--report makes a trace of its own: leave out --trace");
    if (outcome == OUTCOME_OK)
        outcome = doctor_file(doctor, why);
    if (outcome == OUTCOME_OK)
        walk(doctor);
    if (outcome == OUTCOME_OK && line->report != NULL)
        outcome = doctor_send(doctor, why);
    if (doctor->json && outcome == OUTCOME_OK)
        outcome = tree_print(&doctor->steps, why);
    if (outcome == OUTCOME_OK && doctor->first.outcome != OUTCOME_OK) {
        *why = doctor->first;
        outcome = why->outcome;
    }
    tree_clear(&doctor->steps);
    signing_key_clear(&doctor->signing);
    EVP_PKEY_free(doctor->expected);
    sim_free(doctor->sim);
    settings_clear(&doctor->settings);
    free(doctor);
    return outcome;
}

const struct command command_doctor = {
    .name = "doctor",
    .operands = "[FILE]",
    .purpose = "walks from the provider to a signature and says what to do where it fails;\n"
               "    ends with the exit status of the first failure",
    .options = OPTION_JSON | OPTION_REPORT,
    .without_sim = true,
    .run = run_doctor};
