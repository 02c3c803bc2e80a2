/* SPDX-License-Identifier: Apache-2.0 */
/* Where the provider's settings come from, and the SIMs that they lead to. What the settings mean
 * is apdu/settings' matter. */
#include "modem/text.h"
#include "provider/openssl_conf.h"
#include "provider/provider.h"
#include "provider/uri.h"

#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

/* The core gives the values of our section in openssl.cnf only by name. */
static const char *core_value(void *arg, const char *name)
{
    const struct provider *provider = arg;
    char *value = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(name, &value, 0),
                           OSSL_PARAM_construct_end()};

    return provider->core.get_params(provider->handle, params) ? value : NULL;
}

static enum outcome load_section(struct provider *provider, struct settings *settings,
                                 struct report *why)
{
    enum outcome outcome = openssl_conf_take(settings, core_value, provider, why);

    if (outcome != OUTCOME_OK)
        report_prefix(why, "openssl.cnf");
    return outcome;
}

/* A name that is not one of ours: the core does not tell of it, so the file is read for it, and only
 * where there is a trace to say it in. It is the file that OpenSSL loads by itself; a program may have
 * loaded another. */
static void note_unknown(const struct trace *trace)
{
    char *path = trace->level != TRACE_OFF ? CONF_get1_default_config_file() : NULL;
    CONF *conf = path != NULL ? NCONF_new(NULL) : NULL;
    struct report ignored = REPORT_INIT;
    const char *section = NULL;
    char names[256], note[640], shown[sizeof note * TEXT_GROWTH];

    if (conf != NULL && openssl_conf_check(path, &ignored) == OUTCOME_OK)
        section = openssl_conf_section(conf, path);
    if (section != NULL && openssl_conf_unknown(conf, section, names, sizeof names)) {
        (void)snprintf(note, sizeof note,
                       "simkey's section of %.300s has settings that simkey does not know: %s",
                       path, names);
        (void)text_copy(shown, sizeof shown, note);
        trace_note(trace, shown);
    }
    NCONF_free(conf);
    OPENSSL_free(path);
}

/* What file, openssl.cnf and environment say. Never changed once it is there. */
struct config {
    struct modems modems;
    struct report why; /* what is wrong with them */
};

static void free_config(struct config *config)
{
    if (config != NULL)
        modems_clear(&config->modems);
    free(config);
}

static struct config *read_config(struct provider *provider, struct report *why)
{
    struct config *config = calloc(1, sizeof(*config));
    enum outcome outcome;

    if (config == NULL) {
        report_set(why, OUTCOME_SYSTEM, "out of memory");
        return NULL;
    }
    modems_init(&config->modems);
    report_clear(&config->why);
    outcome = modems_load_file(&config->modems, NULL, &config->why);
    if (outcome == OUTCOME_OK)
        outcome = load_section(provider, &config->modems.first, &config->why);
    if (outcome == OUTCOME_OK)
        outcome = settings_load_environment(&config->modems.first, &config->why);
    if (outcome == OUTCOME_OK)
        outcome = modems_complete(&config->modems, &config->why);
    if (outcome != OUTCOME_SYSTEM)
        return config;
    *why = config->why; /* that may pass */
    free_config(config);
    return NULL;
}

/* The configuration, read now if that did not work before. The core is asked without any lock, so
 * that two threads may read it at once: the second one takes what the first one has. NULL with a
 * report if it cannot be had, or is wrong. */
static const struct config *get_config(struct provider *provider, struct report *why)
{
    struct config *config = atomic_load(&provider->config);
    struct config *there = NULL;

    if (config == NULL) {
        config = read_config(provider, why);
        if (config == NULL)
            return NULL;
        if (!atomic_compare_exchange_strong(&provider->config, &there, config)) {
            free_config(config);
            config = there;
        }
    }
    if (config->why.outcome == OUTCOME_OK)
        return config;
    *why = config->why;
    return NULL;
}

void config_load(struct provider *provider)
{
    struct report later = REPORT_INIT;
    const struct config *config = get_config(provider, &later);

    if (config != NULL)
        note_unknown(&config->modems.first.trace);
}

const struct trace *config_trace(struct provider *provider)
{
    struct report ignored = REPORT_INIT;
    const struct config *config = get_config(provider, &ignored);

    return config != NULL ? &config->modems.first.trace : NULL;
}

enum log_target config_log(const struct provider *provider)
{
    const struct config *config = atomic_load(&provider->config);
    const char *word = secure_getenv("SIMKEY_LOG");
    struct settings settings;
    struct report ignored = REPORT_INIT;
    enum log_target target;

    if (config != NULL && (config->why.outcome == OUTCOME_OK ||
                           config->modems.first.log != LOG_TO_NOWHERE || word == NULL))
        return config->modems.first.log;
    if (word == NULL)
        return LOG_TO_NOWHERE;
    settings_init(&settings);
    (void)settings_set(&settings, "log", word, &ignored);
    target = settings.log;
    settings_clear(&settings);
    return target;
}

bool config_traces(const struct provider *provider, enum trace_level level)
{
    const struct config *config = atomic_load(&provider->config);

    return config != NULL && config->why.outcome == OUTCOME_OK &&
           config->modems.first.trace.level == level;
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

/* The SIM behind one modem, as the URI wants to be led to it. */
static enum outcome sim_behind(struct provider *provider, const struct uri *uri,
                               const struct settings *modem, struct sim **sim, struct report *why)
{
    struct settings settings;
    enum outcome outcome = settings_copy(&settings, modem, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = uri_apply(uri, &settings, why);
    if (outcome == OUTCOME_OK)
        outcome = find_or_add(provider, &settings, sim, why);
    settings_clear(&settings);
    return outcome;
}

enum outcome config_choice(struct provider *provider, const struct uri *uri, const char *iccid,
                           struct choice **choice, struct report *why)
{
    const struct config *config = get_config(provider, why);
    const struct settings *list[MODEMS_ALL];
    struct sim *sims[MODEMS_ALL] = {NULL};
    size_t count = 0;
    enum outcome outcome;

    *choice = NULL;
    if (config == NULL)
        return why->outcome;
    outcome = uri_modems(uri, iccid, &config->modems, list, &count, why);
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++)
        outcome = sim_behind(provider, uri, list[i], &sims[i], why);
    if (outcome == OUTCOME_OK)
        outcome = choice_new(choice, sims, count, iccid, why);
    for (size_t i = 0; i < count; i++)
        sim_free(sims[i]);
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
    free_config(atomic_exchange(&provider->config, NULL));
}
