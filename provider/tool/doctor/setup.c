/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor, before any device is touched: which provider a program of this environment gets, and
 * where the settings come from. */
#include "provider/tool/doctor/doctor.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What programs name by OPENSSL_CONF, as README has it. */
#define SERVICES_CONF "/etc/simkey/openssl.cnf"

/* ---- the provider ---- */

struct line_up {
    OSSL_PROVIDER *simkey;
    bool complete; /* default or fips is there */
    bool first;    /* simkey is named before it */
    char names[256];
};

static int look(OSSL_PROVIDER *provider, void *arg)
{
    struct line_up *line_up = arg;
    const char *name = OSSL_PROVIDER_get0_name(provider);
    size_t used = strlen(line_up->names);

    (void)snprintf(line_up->names + used, sizeof line_up->names - used, "%s%s",
                   used > 0 ? ", " : "", name);
    if (strcmp(name, "simkey") == 0) {
        line_up->simkey = provider;
        line_up->first = !line_up->complete;
    }
    line_up->complete =
        line_up->complete || strcmp(name, "default") == 0 || strcmp(name, "fips") == 0;
    return 1;
}

/* The file that a provider's code was loaded from. */
static const char *module_of(const OSSL_PROVIDER *provider)
{
    const OSSL_DISPATCH *dispatch = OSSL_PROVIDER_get0_dispatch(provider);
    Dl_info info;

    if (dispatch == NULL || dladdr(dispatch, &info) == 0 || info.dli_fname == NULL)
        return "a file unknown";
    return info.dli_fname;
}

static const char *version_of(const OSSL_PROVIDER *provider)
{
    char *version = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
                           OSSL_PARAM_construct_end()};

    return OSSL_PROVIDER_get_params(provider, params) == 1 && version != NULL ? version : "?";
}

/* The directory that libcrypto looks into for modules without a path. */
static const char *modules_directory(void)
{
    const char *set = secure_getenv("OPENSSL_MODULES");

    return set != NULL ? set : OPENSSL_info(OPENSSL_INFO_MODULES_DIR);
}

/* Remembers the module's file for the step ownership. */
static void note_module(struct doctor *doctor, const char *path)
{
    if (path != NULL && strchr(path, '/') != NULL)
        (void)snprintf(doctor->module, sizeof doctor->module, "%s", path);
}

/* openssl.cnf activates it. */
static void judge_active(struct doctor *doctor, OSSL_LIB_CTX *libctx, const struct line_up *line_up,
                         const char *conf)
{
    const char *version = version_of(line_up->simkey);
    char remedy[256];

    (void)snprintf(remedy, sizeof remedy,
                   "activate default in that file's section of providers, as %s/openssl.cnf does",
                   doctor_examples());
    if (!line_up->complete)
        doctor_fail(doctor, OUTCOME_USAGE, remedy,
                    "%s activates simkey, but neither default nor fips: nothing else of TLS works",
                    conf);
    else if (strcmp(version, SIMKEY_VERSION) != 0)
        doctor_warn(doctor, "install module and tool of the same version",
                    "%s activates simkey %s of %s, but this tool is version %s", conf, version,
                    module_of(line_up->simkey), SIMKEY_VERSION);
    else if (doctor_properties(doctor, libctx, conf))
        doctor_ok(doctor, "%s activates simkey %s of %s; the order is: %s%s", conf, version,
                  module_of(line_up->simkey), line_up->names,
                  line_up->first ? " (default is better put first)" : "");
}

/* What OpenSSL would load: by the name in openssl.cnf, or where there is none. */
static void module_path(const char *name, char path[PATH_MAX])
{
    if (name != NULL && name[0] == '/')
        (void)snprintf(path, PATH_MAX, "%s", name);
    else
        (void)snprintf(path, PATH_MAX, "%s/%s", modules_directory(),
                       name != NULL ? name : "simkey.so");
}

/* Loading runs the module's code, as root where root asks. It is not done where others can write what
 * is loaded, or the file that names it: to tell that is what doctor is for. */
static bool judge_trust(struct doctor *doctor, const char *conf)
{
    CONF *parsed = NCONF_new(NULL);
    const char *section = parsed != NULL ? openssl_conf_section(parsed, conf) : NULL;
    const char *name = section != NULL ? openssl_conf_value(parsed, section, "module") : NULL;
    char module[PATH_MAX];
    bool file = doctor_others_change(conf);

    module_path(name, module);
    NCONF_free(parsed);
    if (!file && !doctor_others_change(module))
        return true;
    note_module(doctor, module);
    doctor_warn(doctor, "do what the step ownership says, then run simkey doctor again",
                "nothing is loaded: others than root and this user can change %.400s, and so run "
                "code in every program that loads it",
                file ? conf : module);
    return false;
}

/* It is not active: does -provider simkey find it? */
static void judge_absent(struct doctor *doctor, OSSL_LIB_CTX *libctx, const char *conf)
{
    char remedy[512], install[200] = "";
    OSSL_PROVIDER *provider = OSSL_PROVIDER_try_load(libctx, "simkey", 1);

    if (access(SERVICES_CONF, R_OK) != 0)
        (void)snprintf(install, sizeof install,
                       "sudo install -D -m 644 %s/openssl.cnf " SERVICES_CONF "; then ",
                       doctor_examples());
    (void)snprintf(remedy, sizeof remedy,
                   "%sput OPENSSL_CONF=" SERVICES_CONF " into the environment of programs and "
                   "services (sudo, cron and systemd drop it), and of simkey doctor; or give "
                   "programs -provider-path, -provider default -provider simkey",
                   install);
    if (provider != NULL)
        note_module(doctor, module_of(provider));
    if (provider != NULL)
        doctor_warn(doctor, remedy,
                    "%s does not activate simkey; %s is found only by -provider simkey", conf,
                    module_of(provider));
    else
        doctor_warn(doctor, remedy,
                    "%s does not activate simkey, and there is no simkey.so in %s: programs of "
                    "this environment cannot use the SIM's keys",
                    conf, modules_directory());
    if (provider != NULL)
        OSSL_PROVIDER_unload(provider);
}

/* openssl.cnf has a section for simkey, but OpenSSL did not load it, and did not say why. */
static void judge_failed(struct doctor *doctor, const char *conf, const char *module, bool activate)
{
    const char *error = NULL;
    const char *remedy =
        "correct its lines `module =` (the full path of simkey.so) and `activate = 1`";
    char path[PATH_MAX], absent[PATH_MAX + 64], install[PATH_MAX + 160];
    void *handle = module != NULL ? dlopen(module, RTLD_NOW | RTLD_LOCAL) : NULL;

    module_path(module, path);
    (void)snprintf(absent, sizeof absent, "there is no %s", path);
    (void)snprintf(install, sizeof install,
                   "install the module (the package simkey, or sudo make install), or name it by a "
                   "line `module = ` with its full path");
    if (access(path, R_OK) != 0 && errno == EACCES)
        remedy = module != NULL
                     ? "this user may not read the module: install it (sudo make install), or put "
                       "it where all may; home directories are often closed"
                     : "this user may not read the installed module: sudo chmod 644 it";
    else if (module == NULL && access(path, F_OK) != 0)
        remedy = install;
    if (module != NULL && handle == NULL)
        error = dlerror();
    else if (module == NULL && access(path, R_OK) != 0)
        error = errno == EACCES ? "the module in OpenSSL's folder cannot be read" : absent;
    else if (!activate)
        error = "it has no line `activate = 1`";
    doctor_fail(doctor, OUTCOME_USAGE, remedy,
                "simkey has a section in %s, but OpenSSL does not load it: %s", conf,
                error != NULL ? error : "the module cannot be used");
    if (handle != NULL)
        (void)dlclose(handle);
}

/* OpenSSL itself uses the file; how does simkey stand in it? */
static void judge_file(struct doctor *doctor, OSSL_LIB_CTX *libctx, const char *path)
{
    CONF *conf = NCONF_new(NULL);
    struct line_up line_up = {.simkey = NULL};
    const char *section = conf != NULL ? openssl_conf_section(conf, path) : NULL;

    (void)OSSL_PROVIDER_do_all(libctx, look, &line_up);
    note_module(doctor, line_up.simkey != NULL ? module_of(line_up.simkey)
                        : section != NULL      ? openssl_conf_value(conf, section, "module")
                                               : NULL);
    if (line_up.simkey != NULL)
        judge_active(doctor, libctx, &line_up, path);
    else if (section != NULL)
        judge_failed(doctor, path, openssl_conf_value(conf, section, "module"),
                     openssl_conf_value(conf, section, "activate") != NULL);
    else
        judge_absent(doctor, libctx, path);
    NCONF_free(conf);
}

/* What the first error in the queue was about: a line of the file, for example. */
static void first_error(char *text, size_t size)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long code = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = ERR_reason_error_string(code);
    bool more = (flags & ERR_TXT_STRING) != 0 && data[0] != '\0';

    (void)snprintf(text, size, "%s%s%s", reason != NULL ? reason : "unknown error",
                   more ? ": " : "", more ? data : "");
}

void doctor_provider(struct doctor *doctor)
{
    char *conf = CONF_get1_default_config_file();
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    struct report why = REPORT_INIT;
    char error[512], remedy[256];

    if (conf == NULL || libctx == NULL) {
        doctor_fail(doctor, OUTCOME_SYSTEM, "end other programs", "out of memory");
    } else if (openssl_conf_check(conf, &why) != OUTCOME_OK) {
        (void)snprintf(remedy, sizeof remedy, "correct OPENSSL_CONF: name a copy of %s/openssl.cnf",
                       doctor_examples());
        doctor_fail(doctor, why.outcome, remedy, "%s", why.text);
    } else if (access(conf, R_OK) != 0) {
        const int cause = errno;

        if (cause == EACCES)
            (void)snprintf(remedy, sizeof remedy,
                           "sudo chmod a+r %.100s, and a+x for the folders above it", conf);
        else
            (void)snprintf(remedy, sizeof remedy,
                           "correct OPENSSL_CONF, or copy %s/openssl.cnf there", doctor_examples());
        doctor_warn(doctor, remedy,
                    "cannot read OpenSSL's configuration %s: %s; so programs do not have simkey",
                    conf, strerror(cause));
    } else if (judge_trust(doctor, conf)) {
        ERR_set_mark();
        if (OSSL_LIB_CTX_load_config(libctx, conf) == 1) {
            judge_file(doctor, libctx, conf);
        } else {
            first_error(error, sizeof error);
            doctor_fail(doctor, OUTCOME_USAGE,
                        "correct the file, for simkey most often its line `module =`",
                        "OpenSSL cannot use %s: %s", conf, error);
        }
        ERR_pop_to_mark();
    }
    OSSL_LIB_CTX_free(libctx);
    OPENSSL_free(conf);
}

/* ---- the settings ---- */

/* Where device and PIN come from: the strongest of the sources that has them. */
struct origin {
    char device[512], pin[512];
};

static void note(struct origin *origin, const struct settings *settings, const char *format,
                 const char *device_name, const char *pin_name)
{
    if (settings->device != NULL)
        (void)snprintf(origin->device, sizeof origin->device, format, device_name);
    if (settings->pin != NULL || settings->pin_source != NULL)
        (void)snprintf(origin->pin, sizeof origin->pin, format, pin_name);
}

static void find_origin(const struct command_line *line, struct origin *origin)
{
    const char *file = doctor_settings_file();
    char *conf = CONF_get1_default_config_file();
    struct settings settings;
    struct report ignored = REPORT_INIT;

    memset(origin, 0, sizeof *origin);
    settings_init(&settings);
    if (settings_load_file(&settings, NULL, &ignored) == OUTCOME_OK)
        note(origin, &settings, "from %s", file, file);
    settings_clear(&settings);
    if (conf != NULL && openssl_conf_settings(&settings, &ignored) == OUTCOME_OK)
        note(origin, &settings, "from simkey's section in %s", conf, conf);
    settings_clear(&settings);
    if (settings_load_environment(&settings, &ignored) == OUTCOME_OK)
        note(origin, &settings, "from %s", "SIMKEY_DEVICE",
             settings.pin != NULL ? "SIMKEY_PIN" : "SIMKEY_PIN_SOURCE");
    settings_clear(&settings);
    if (line->modem != NULL) { /* for a modem with a name only its section counts */
        (void)snprintf(origin->device, sizeof origin->device, "from [%s] in %s", line->modem, file);
        memcpy(origin->pin, origin->device, sizeof origin->pin);
    }
    if (line->options[settings_index("device")] != NULL)
        (void)snprintf(origin->device, sizeof origin->device, "from --device");
    if (line->options[settings_index("pin-source")] != NULL)
        (void)snprintf(origin->pin, sizeof origin->pin, "from --pin-source");
    OPENSSL_free(conf);
}

/* Names in simkey's section of openssl.cnf that nothing knows, most likely mistyped ones. */
static bool find_unknown(char *names, size_t size)
{
    char *path = CONF_get1_default_config_file();
    CONF *conf = NCONF_new(NULL);
    struct report ignored = REPORT_INIT;
    const char *section = NULL;
    bool found;

    if (path != NULL && conf != NULL && openssl_conf_check(path, &ignored) == OUTCOME_OK)
        section = openssl_conf_section(conf, path);
    found = section != NULL && openssl_conf_unknown(conf, section, names, size);
    NCONF_free(conf);
    OPENSSL_free(path);
    return found;
}

/* The settings without any PIN, for all steps but the signature. */
static enum outcome make_sim(struct doctor *doctor, struct report *why)
{
    struct settings settings;
    enum outcome outcome = settings_copy(&settings, &doctor->settings, why);

    if (outcome == OUTCOME_OK)
        outcome = settings_set(&settings, "pin-source", "", why);
    if (outcome == OUTCOME_OK)
        outcome = settings_set(&settings, "sim-pin-source", "", why);
    if (outcome == OUTCOME_OK)
        outcome = sim_new(&doctor->sim, &settings, why);
    settings_clear(&settings);
    return outcome;
}

/* True if the services' openssl.cnf has the device, as older set-ups have it: it counts only for programs with
 * OPENSSL_CONF in their environment, which sudo drops. */
static bool services_have_device(void)
{
    CONF *conf = NCONF_new(NULL);
    const char *section = conf != NULL && access(SERVICES_CONF, R_OK) == 0
                              ? openssl_conf_section(conf, SERVICES_CONF)
                              : NULL;
    bool found = section != NULL && openssl_conf_value(conf, section, "device") != NULL;

    NCONF_free(conf);
    return found;
}

static void tell_no_device(struct doctor *doctor)
{
    const char *file = doctor_settings_file();
    bool services = secure_getenv("OPENSSL_CONF") == NULL && services_have_device();
    bool there = access(file, F_OK) == 0 || errno != ENOENT;
    char remedy[512], self[DOCTOR_NAME];

    doctor_user_name(geteuid(), self);
    if (services)
        (void)snprintf(remedy, sizeof remedy,
                       SERVICES_CONF " has one for those that name that file: sudo -u %s "
                                     "OPENSSL_CONF=" SERVICES_CONF
                                     " simkey doctor. For all, move its lines `device = ` and "
                                     "`pin-source = ` into %.200s",
                       geteuid() != 0 ? self : "www-data", file);
    else
        (void)snprintf(remedy, sizeof remedy,
                       "simkey devices shows the ports; write a line `device = ` with the modem's "
                       "one into %.200s",
                       file);
    doctor_fail(doctor, OUTCOME_USAGE, remedy, "no device is set for %s%s; %s%.200s%s", self,
                services ? ", and OPENSSL_CONF is not set" : "", there ? "" : "there is no ", file,
                there ? " names none" : "");
}

static void tell_wrong(struct doctor *doctor, const struct report *why)
{
    const char *file = doctor_settings_file();
    char remedy[512];

    if (access(file, R_OK) != 0 && errno == EACCES)
        (void)snprintf(remedy, sizeof remedy,
                       "sudo chmod a+r %.200s, unless there is a line `pin = ` in it, and a+x for "
                       "the folders above it",
                       file);
    else if (secure_getenv("SIMKEY_CONF") != NULL && access(file, F_OK) != 0)
        (void)snprintf(
            remedy, sizeof remedy,
            "correct SIMKEY_CONF, or write a line `device = ` with the modem's port there");
    else
        (void)snprintf(remedy, sizeof remedy,
                       "correct it; names and values are in provider-simkey(7), Settings");
    doctor_fail(doctor, why->outcome, remedy, "%s", why->text);
}

void doctor_settings(struct doctor *doctor)
{
    struct report why = REPORT_INIT;
    struct origin origin;
    const struct settings *settings = &doctor->settings;
    char names[256], found[2 * sizeof origin], self[DOCTOR_NAME];

    if (command_line_settings(doctor->line, &doctor->settings, &why) != OUTCOME_OK) {
        tell_wrong(doctor, &why);
        return;
    }
    if (settings->device == NULL) {
        tell_no_device(doctor);
        return;
    }
    /* private: a channel that other programs have open would hide what a new program meets */
    if (settings_set(&doctor->settings, "session", "private", &why) != OUTCOME_OK ||
        (doctor->line->report != NULL && doctor_trace(doctor, &why) != OUTCOME_OK) ||
        make_sim(doctor, &why) != OUTCOME_OK) {
        doctor_report(doctor, &why);
        return;
    }
    find_origin(doctor->line, &origin);
    doctor->transport = transport_of(settings->device);
    doctor->pin_set = settings->pin != NULL || settings->pin_source != NULL;
    doctor->found |= FOUND_SETTINGS;
    doctor_user_name(geteuid(), self);
    (void)snprintf(found, sizeof found, "user %s; device %.300s, %s; %s%.300s%s%s", self,
                   settings->device, origin.device,
                   doctor->pin_set           ? "PIN "
                   : doctor_by_agent(doctor) ? "simkey-agent does what programs ask"
                                             : "no PIN is configured",
                   settings->pin_source != NULL ? settings->pin_source : "",
                   settings->pin_source != NULL ? ", " : "", doctor->pin_set ? origin.pin : "");
    if (find_unknown(names, sizeof names))
        doctor_warn(
            doctor,
            "correct the name: device, pin-source, session and the others are in "
            "provider-simkey(7), Settings",
            "simkey's section of openssl.cnf has settings that simkey does not know: %s; %s", names,
            found);
    else
        doctor_ok(doctor, "%s", found);
}
