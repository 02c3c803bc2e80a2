/* SPDX-License-Identifier: Apache-2.0 */
/* What a `sim:` URI may choose and change of what is configured. */
#include "provider/uri.h"

#include <string.h>

static const char *value_of(const struct uri *uri, const char *name)
{
    for (size_t i = 0; i < uri->setting_count; i++)
        if (strcmp(uri->settings[i].name, name) == 0)
            return uri->settings[i].value;
    return NULL;
}

enum outcome uri_modems(const struct uri *uri, const char *iccid, const struct modems *modems,
                        const struct settings *list[], size_t *count, struct report *why)
{
    const char *device = value_of(uri, "device");

    *count = 1;
    if (uri->modem[0] != '\0')
        return modems_named(modems, uri->modem, &list[0], why);
    if (device != NULL) {
        list[0] = modems_with_device(modems, device);
        return list[0] != NULL
                   ? OUTCOME_OK
                   : report_set(why, OUTCOME_USAGE,
                                "the device in the sim: URI is not one of the configured ones, and "
                                "a URI may come from people who must not choose it: set `device` "
                                "in " SETTINGS_FILE ", SIMKEY_DEVICE or --device");
    }
    if (iccid[0] == '\0' || modems->count == 0)
        return modems_named(modems, NULL, &list[0], why);
    *count = 0;
    if (modems->first.device != NULL)
        list[(*count)++] = &modems->first;
    for (size_t i = 0; i < modems->count; i++)
        list[(*count)++] = &modems->further[i].settings;
    return OUTCOME_OK;
}

/* A longer wait than anybody wants would be a way to stop a program. */
static enum outcome check_timeout(unsigned before, const struct settings *settings,
                                  struct report *why)
{
    unsigned most = before > URI_TIMEOUT_MAX ? before : URI_TIMEOUT_MAX;

    if (settings->timeout <= most)
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "timeout may be at most %u in a URI: set longer ones in the configuration",
                      most);
}

/* What stays open on the SIM with the PIN verified is a matter of the configuration. */
static enum outcome check_session(enum session_manner before, const struct settings *settings,
                                  struct report *why)
{
    static const int open[] = {[SESSION_PRIVATE] = 0, [SESSION_SHARED] = 1, [SESSION_KEEP] = 2};

    if (open[settings->session] <= open[before])
        return OUTCOME_OK;
    return report_set(
        why, OUTCOME_USAGE,
        "session may only leave less open on the SIM than is configured, in a URI: set "
        "it in the configuration");
}

enum outcome uri_apply(const struct uri *uri, struct settings *settings, struct report *why)
{
    const unsigned timeout = settings->timeout;
    const enum session_manner session = settings->session;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < uri->setting_count && outcome == OUTCOME_OK; i++) {
        const struct uri_setting *setting = &uri->settings[i];

        if (strcmp(setting->name, "device") != 0)
            outcome = settings_set(settings, setting->name, setting->value, why);
        else if (!settings_same_device(settings->device, setting->value))
            outcome = report_set(why, OUTCOME_USAGE, "device is not that of the modem it names");
    }
    if (outcome == OUTCOME_OK)
        outcome = check_timeout(timeout, settings, why);
    if (outcome == OUTCOME_OK)
        outcome = check_session(session, settings, why);
    if (outcome != OUTCOME_OK)
        report_prefix(why, "the sim: URI");
    return outcome;
}
