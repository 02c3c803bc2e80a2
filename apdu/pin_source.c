/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a PIN from a file, a credential or a setting. */
#include "apdu/pin_source.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_PREFIX       "file:"
#define CREDENTIAL_PREFIX "credential:"

static const struct place {
    size_t longest;
    const char *name, *setting;
} places[] = {
    [PIN_APPLET] = {PIN_SIZE - 1, "the signing PIN",
                    "`pin-source` (SIMKEY_PIN_SOURCE, or SIMKEY_PIN)"},
    [PIN_UICC] = {8, "the SIM's PIN1", "`sim-pin-source` (SIMKEY_SIM_PIN_SOURCE)"},
};

size_t pin_longest(enum pin_reference reference)
{
    return places[reference].longest;
}

const char *pin_name(enum pin_reference reference)
{
    return places[reference].name;
}

const char *pin_setting(enum pin_reference reference)
{
    return places[reference].setting;
}

bool pin_well_formed(const char *pin, enum pin_reference reference)
{
    size_t length = strlen(pin);

    return length >= PIN_MIN && length <= places[reference].longest &&
           strspn(pin, "0123456789") == length;
}

bool pin_same_source(const struct pin_identity *a, const struct pin_identity *b)
{
    return a->kind == b->kind && memcmp(a->id, b->id, sizeof a->id) == 0;
}

/* The file that systemd made of a credential. The name comes from a setting, and must not lead out
 * of the folder. */
static enum outcome credential_path(const char *name, char path[PATH_MAX], struct report *why)
{
    const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return report_set(
            why, OUTCOME_PIN_MISSING,
            "the credential's name \"%.80s\" in `pin-source` is not a file's name: it "
            "has no slash and does not begin with a dot",
            name);
    if (folder == NULL || folder[0] != '/')
        return report_set(
            why, OUTCOME_PIN_MISSING,
            "the PIN is to come from systemd's credential %.80s, but CREDENTIALS_DIRECTORY is not "
            "set: add LoadCredential=%.80s:/path to the service; outside of a service name a file",
            name, name);
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return report_set(why, OUTCOME_PIN_MISSING, "the path of the credential %.80s is too long",
                          name);
    return OUTCOME_OK;
}

static void identify(const struct stat *file, struct pin_identity *identity)
{
    *identity = (struct pin_identity){PIN_FILE,
                                      {(uint64_t)file->st_dev, (uint64_t)file->st_ino,
                                       (uint64_t)file->st_size, (uint64_t)file->st_mtim.tv_sec,
                                       (uint64_t)file->st_mtim.tv_nsec}};
}

/* systemd makes the file anew at each start of the service: by inode and time alone a PIN that was
 * refused would be another source each time, and a service that restarts would spend all tries. The
 * name stays, here as FNV-1a. */
static void identify_credential(const char *path, struct pin_identity *identity)
{
    static const uint64_t start = UINT64_C(0xcbf29ce484222325), prime = UINT64_C(0x100000001b3);
    const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
    size_t length = folder != NULL ? strlen(folder) : 0;
    uint64_t sum = start;

    if (length == 0 || strncmp(path, folder, length) != 0 || path[length] != '/')
        return;
    for (path += length; *path != '\0'; path++)
        if (*path != '/')
            sum = (sum ^ (unsigned char)*path) * prime;
    identity->kind = PIN_CREDENTIAL;
    identity->id[3] = identity->id[3] * UINT64_C(1000000000) + identity->id[4];
    identity->id[PIN_ID_NAME] = sum;
}

/* The first line, without its line end; "" if it is too long. */
static enum outcome read_line(int fd, const char *path, char pin[PIN_SIZE], struct report *why)
{
    char line[PIN_SIZE + 2] = "";
    ssize_t got = read(fd, line, sizeof line - 1);

    if (got < 0)
        return report_set(why, OUTCOME_PIN_MISSING, "cannot read the PIN file %s: %s", path,
                          strerror(errno));
    line[got] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (strlen(line) >= PIN_SIZE)
        line[0] = '\0';
    memcpy(pin, line, PIN_SIZE);
    explicit_bzero(line, sizeof line);
    return OUTCOME_OK;
}

static enum outcome read_path(const char *path, const char *setting, char pin[PIN_SIZE],
                              struct pin_identity *identity, struct report *why)
{
    struct stat file;
    enum outcome outcome;
    int fd;

    forks_hold();
    fd = forks_note(descriptor_high(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)));
    if (fd < 0)
        return report_set(why, OUTCOME_PIN_MISSING, "cannot read the PIN from %s: %s: correct %s",
                          path, strerror(errno), setting);
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        outcome =
            report_set(why, OUTCOME_PIN_MISSING, "the PIN file %s is not a regular file", path);
    } else if ((file.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        outcome = report_set(
            why, OUTCOME_PIN_MISSING,
            "the PIN file %s is open to all users: chmod 600 %s (or 640 for a group)", path, path);
    } else {
        identify(&file, identity);
        identify_credential(path, identity);
        outcome = read_line(fd, path, pin, why);
    }
    forks_close(fd);
    return outcome;
}

static enum outcome read_source(const char *source, const char *setting, char pin[PIN_SIZE],
                                struct pin_identity *identity, struct report *why)
{
    char path[PATH_MAX];
    enum outcome outcome;

    if (strncmp(source, CREDENTIAL_PREFIX, sizeof CREDENTIAL_PREFIX - 1) != 0)
        return read_path(strncmp(source, FILE_PREFIX, sizeof FILE_PREFIX - 1) == 0
                             ? source + sizeof FILE_PREFIX - 1
                             : source,
                         setting, pin, identity, why);
    outcome = credential_path(source + sizeof CREDENTIAL_PREFIX - 1, path, why);
    return outcome == OUTCOME_OK ? read_path(path, setting, pin, identity, why) : outcome;
}

/* What was read, if it is a PIN. */
static enum outcome judge(enum outcome outcome, enum pin_reference reference, const char *setting,
                          char pin[PIN_SIZE], struct report *why)
{
    if (outcome == OUTCOME_OK && !pin_well_formed(pin, reference))
        outcome = report_set(why, OUTCOME_PIN_MISSING,
                             "what %s gives is not a PIN (%d to %zu digits on the first line): "
                             "nothing was sent to the SIM",
                             setting, PIN_MIN, places[reference].longest);
    if (outcome != OUTCOME_OK)
        explicit_bzero(pin, PIN_SIZE);
    return outcome;
}

void pin_given_read(struct pin_given *given, const struct settings *settings,
                    enum pin_reference reference)
{
    const struct place *place = &places[reference];
    const char *source = reference == PIN_UICC ? settings->sim_pin_source : settings->pin_source;
    bool literal = reference == PIN_APPLET && settings->pin != NULL;
    enum outcome outcome = OUTCOME_OK;

    memset(given, 0, sizeof *given);
    report_clear(&given->why);
    given->where = literal ? "a setting (`pin`, SIMKEY_PIN)" : source;
    if (literal) {
        given->identity.kind = PIN_LITERAL;
        if (strlen(settings->pin) < PIN_SIZE)
            memcpy(given->pin, settings->pin, strlen(settings->pin));
    } else if (source != NULL) {
        outcome = read_source(source, place->setting, given->pin, &given->identity, &given->why);
    } else {
        given->outcome =
            report_set(&given->why, OUTCOME_PIN_MISSING,
                       "%s is needed and none is configured: set %s", place->name, place->setting);
        return;
    }
    given->outcome = judge(outcome, reference, place->setting, given->pin, &given->why);
}

void pin_given_clear(struct pin_given *given)
{
    explicit_bzero(given->pin, sizeof given->pin);
}

enum outcome pin_from_settings(const struct settings *settings, enum pin_reference reference,
                               char pin[PIN_SIZE], struct report *why)
{
    struct pin_given given;

    pin_given_read(&given, settings, reference);
    memcpy(pin, given.pin, PIN_SIZE);
    pin_given_clear(&given);
    if (given.outcome != OUTCOME_OK)
        *why = given.why;
    return given.outcome;
}

enum outcome pin_from_source(const char *source, const char *name, char pin[PIN_SIZE],
                             struct report *why)
{
    struct pin_identity ignored;

    memset(pin, 0, PIN_SIZE);
    return judge(read_source(source, name, pin, &ignored, why), PIN_APPLET, name, pin, why);
}
