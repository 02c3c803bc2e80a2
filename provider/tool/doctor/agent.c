/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor where simkey-agent does the work: whether it answers this user, and which steps are its
 * own matter. */
#include "provider/tool/doctor/doctor.h"

#include <string.h>

#define TOLD_BY "simkey-agent: " /* how a sentence begins that the agent itself answered */

bool doctor_by_agent(const struct doctor *doctor)
{
    return settings_agent(doctor->settings.device, NULL);
}

bool doctor_agent_matter(const char *step)
{
    static const char *const steps[] = {"pin-source", "run-dir", "port",  "permission",
                                        "holders",    "modem",   "sim",   "network",
                                        "channel",    "mias",    "typea", "safe2"};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strcmp(step, steps[i]) == 0)
            return true;
    return false;
}

void doctor_agent(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;
    const bool more = doctor->pin_set || settings->run_dir != NULL;
    static const char elsewhere[] =
        "simkey-agent has settings of its own (`device`, `allow`), in /etc/simkey/agent.conf; "
        "correct them there, then sudo systemctl reload simkey-agent. sudo simkey doctor "
        "--device PORT looks at a modem itself";
    struct report why = REPORT_INIT;

    if (token_identity(doctor->sim, &doctor->identity, doctor->iccid, &why) != OUTCOME_OK) {
        doctor_fail(doctor, why.outcome,
                    strncmp(why.text, TOLD_BY, sizeof TOLD_BY - 1) == 0 ? elsewhere : "", "%s",
                    why.text);
        return;
    }
    doctor->pin_set = true;
    doctor->found |= FOUND_MODEM | FOUND_SIM | FOUND_CHANNEL | FOUND_MIAS | FOUND_PIN_SOURCE;
    doctor_ok(doctor, "simkey-agent answers this user, and has the port and the PIN of %s %s%s",
              doctor->identity.manufacturer[0] != '\0' ? doctor->identity.manufacturer : "a modem",
              doctor->identity.model,
              more ? "; it uses its own pin, pin-source and run-dir: those set here mean nothing"
                   : "");
}
