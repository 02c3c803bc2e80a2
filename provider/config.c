/* SPDX-License-Identifier: Apache-2.0 */
/* Where the provider's settings come from, and the SIMs that they lead to. What the settings mean
 * is apdu/settings' matter. */
#include "provider/provider.h"
#include "provider/uri.h"

#include <openssl/params.h>
#include <stdlib.h>

/* The provider's section of openssl.cnf. The core gives values only by name. */
static enum outcome load_section(const struct provider *provider, struct settings *settings,
                                 struct report *why)
{
    char *values[SETTINGS_COUNT] = {NULL};
    OSSL_PARAM params[SETTINGS_COUNT + 1];
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        params[i] = OSSL_PARAM_construct_utf8_ptr(settings_name(i), &values[i], 0);
    params[SETTINGS_COUNT] = OSSL_PARAM_construct_end();
    if (!provider->core.get_params(provider->handle, params))
        return OUTCOME_OK;
    for (size_t i = 0; i < SETTINGS_COUNT && outcome == OUTCOME_OK; i++)
        if (values[i] != NULL)
            outcome = settings_set(settings, settings_name(i), values[i], why);
    if (outcome != OUTCOME_OK)
        report_prefix(why, "openssl.cnf");
    return outcome;
}

void config_load(struct provider *provider)
{
    struct report *why = &provider->configured;

    report_clear(why);
    settings_init(&provider->settings);
    if (settings_load_file(&provider->settings, NULL, why) == OUTCOME_OK &&
        load_section(provider, &provider->settings, why) == OUTCOME_OK)
        settings_load_environment(&provider->settings, why);
}

static struct sim *find(struct provider_sim *from, const struct provider_sim *until,
                        const struct settings *settings)
{
    for (; from != until; from = from->next)
        if (settings_equal(sim_settings(from->sim), settings))
            return sim_ref(from->sim);
    return NULL;
}

/* Finds the SIM of these settings or adds it. */
static enum outcome find_or_add(struct provider *provider, const struct settings *settings,
                                struct sim **sim, struct report *why)
{
    struct provider_sim *head = atomic_load(&provider->sims);
    struct provider_sim *searched = NULL;
    struct provider_sim *entry = NULL;
    enum outcome outcome = OUTCOME_OK;

    *sim = find(head, NULL, settings);
    if (*sim != NULL)
        return OUTCOME_OK;
    entry = malloc(sizeof(*entry));
    if (entry == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = sim_new(&entry->sim, settings, why);
    if (outcome != OUTCOME_OK) {
        free(entry);
        return outcome;
    }
    for (;;) {
        entry->next = head;
        if (atomic_compare_exchange_weak(&provider->sims, &head, entry)) {
            *sim = sim_ref(entry->sim);
            return OUTCOME_OK;
        }
        /* Another thread was faster, perhaps with the same SIM: look at what it added. */
        searched = entry->next;
        *sim = find(head, searched, settings);
        if (*sim != NULL) {
            sim_free(entry->sim);
            free(entry);
            return OUTCOME_OK;
        }
    }
}

enum outcome config_sim(struct provider *provider, const struct uri *uri, struct sim **sim,
                        struct report *why)
{
    struct settings settings;
    enum outcome outcome;

    *sim = NULL;
    if (provider->configured.outcome != OUTCOME_OK) {
        *why = provider->configured;
        return why->outcome;
    }
    settings_init(&settings);
    outcome = settings_copy(&settings, &provider->settings, why);
    if (outcome == OUTCOME_OK)
        outcome = uri_apply(uri, &settings, why);
    if (outcome == OUTCOME_OK)
        outcome = find_or_add(provider, &settings, sim, why);
    settings_clear(&settings);
    return outcome;
}

void config_farewell(const struct provider *provider)
{
    const struct provider_sim *entry = atomic_load(&provider->sims);

    /* who exits in the middle of an operation would wait for himself */
    for (; entry != NULL; entry = entry->next)
        if (!sim_in_use(entry->sim))
            sim_close(entry->sim);
}

void config_clear(struct provider *provider)
{
    struct provider_sim *entry = atomic_exchange(&provider->sims, NULL);

    while (entry != NULL) {
        struct provider_sim *next = entry->next;

        sim_free(entry->sim);
        free(entry);
        entry = next;
    }
    settings_clear(&provider->settings);
}
