/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: whether the PIN can be read, and where not, the commands that make it so. They fit the
 * cause: a file that is not there, one that this user may not read, one that all may, one whose first
 * line is not a PIN. */
#include "apdu/pin_source.h"
#include "provider/tool/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_PREFIX       "file:"
#define CREDENTIAL_PREFIX "credential:"
#define GROUP             "dialout"
#define REMEDY_SIZE       1200

/* The commands that let this user read the file by its group: the file's own, unless that is root's, which is
 * not for services; else the usual one. */
static void share(const struct stat *file, const char *path, char *text, size_t size)
{
    char self[DOCTOR_NAME], group[DOCTOR_NAME] = GROUP;
    const struct group *usual = getgrnam(GROUP);
    gid_t wanted = file->st_gid != 0 ? file->st_gid : usual != NULL ? usual->gr_gid : 0;
    bool member = geteuid() == file->st_uid || geteuid() == 0 || doctor_listed_in(wanted);
    size_t used = 0;

    doctor_user_name(geteuid(), self);
    if (file->st_gid != 0)
        doctor_group_name(file->st_gid, group);
    text[0] = '\0';
    if (file->st_gid == 0 && geteuid() != 0)
        used += (size_t)snprintf(text, size, "sudo chgrp %s %s; ", group, path);
    if (used < size && ((file->st_mode & 07777) != 0640 || used > 0))
        used += (size_t)snprintf(text + used, size - used, "sudo chmod 640 %s; ", path);
    if (used < size && !member)
        used += (size_t)snprintf(
            text + used, size - used,
            "sudo usermod -aG %s %s; then log in again, or restart the service; ", group, self);
    else if (used < size && used == 0)
        used += (size_t)snprintf(text, size,
                                 "%s is in the group %s only since it logged in or the service "
                                 "started: log in again, or restart the service; ",
                                 self, group);
    if (used >= 2 && used < size)
        text[used - 2] = '\0';
}

/* For the sentence: " (it is 640 root:dialout, and this user is www-data)". */
static void describe(const struct stat *file, char *text, size_t size)
{
    char self[DOCTOR_NAME], owner[DOCTOR_NAME], group[DOCTOR_NAME];

    doctor_user_name(geteuid(), self);
    doctor_user_name(file->st_uid, owner);
    doctor_group_name(file->st_gid, group);
    (void)snprintf(text, size, " (it is %03o %s:%s, and this user is %s)",
                   (unsigned)file->st_mode & 0777, owner, group, self);
}

static void mend(const char *source, char *remedy, char *about, size_t about_size)
{
    const char *path = strncmp(source, FILE_PREFIX, sizeof FILE_PREFIX - 1) == 0
                           ? source + sizeof FILE_PREFIX - 1
                           : source;
    char shown[400];
    struct stat file;

    about[0] = '\0';
    doctor_quote(path, shown, sizeof shown);
    if (strncmp(source, CREDENTIAL_PREFIX, sizeof CREDENTIAL_PREFIX - 1) == 0) {
        (void)snprintf(remedy, REMEDY_SIZE,
                       "run simkey doctor within the service (systemd-run -P -p "
                       "LoadCredential=%.200s:/path), or correct pin-source",
                       source + sizeof CREDENTIAL_PREFIX - 1);
    } else if (stat(path, &file) != 0 && errno == EACCES) {
        (void)snprintf(
            remedy, REMEDY_SIZE,
            "a folder on the way to it is closed to this user: sudo chmod a+x the folder "
            "that `namei -m %s` shows without x, or put the file elsewhere",
            shown);
    } else if (stat(path, &file) != 0) {
        (void)snprintf(remedy, REMEDY_SIZE,
                       "echo <PIN> | sudo install -D -m 640 -g " GROUP " /dev/stdin %s, or correct "
                       "pin-source",
                       shown);
    } else if (!S_ISREG(file.st_mode)) {
        (void)snprintf(remedy, REMEDY_SIZE, "name a regular file by pin-source");
    } else if ((file.st_mode & (S_IROTH | S_IWOTH)) != 0 ||
               faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
        share(&file, shown, remedy, REMEDY_SIZE);
        describe(&file, about, about_size);
    } else {
        (void)snprintf(remedy, REMEDY_SIZE,
                       "its first line must be the PIN, digits alone, no blank before or behind "
                       "them: echo <PIN> | sudo tee %s >/dev/null",
                       shown);
    }
}

/* IoT SAFE's applet: whatever is configured, programs sign without it. */
static bool none_wanted(struct doctor *doctor)
{
    if ((doctor->found & FOUND_MIAS) == 0 ||
        token_applet_known(doctor->sim) != TOKEN_APPLET_IOTSAFE)
        return false;
    doctor->found |= FOUND_PIN_SOURCE;
    if (doctor->pin_set)
        doctor_ok(doctor,
                  "the IoT SAFE applet needs no PIN: the one that is configured is not used");
    else
        doctor_ok(doctor, "no PIN is configured, and the IoT SAFE applet needs none");
    return true;
}

void doctor_pin_source(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;
    struct report why = REPORT_INIT;
    char pin[PIN_SIZE], cure[REMEDY_SIZE], about[256], remedy[512];

    if (none_wanted(doctor))
        return;
    (void)snprintf(remedy, sizeof remedy,
                   "echo <PIN> | sudo install -D -m 640 -g " GROUP " /dev/stdin "
                   "/etc/simkey/pin, and a line `pin-source = /etc/simkey/pin` in %.300s",
                   doctor_settings_file());

    if (!doctor->pin_set) {
        doctor->found |= FOUND_PIN_SOURCE; /* a card may want none */
        doctor_warn(doctor, remedy,
                    "no PIN is configured: programs cannot sign, unless the SIM has IoT SAFE's "
                    "applet, which needs none");
        return;
    }
    if (pin_from_settings(settings, PIN_APPLET, pin, &why) == OUTCOME_OK) {
        doctor->found |= FOUND_PIN_SOURCE;
        if (settings->pin != NULL)
            doctor_warn(doctor, remedy,
                        "the PIN is in a setting itself, which is for tests: others may see it");
        else
            doctor_ok(doctor, "a PIN can be read from %s by this user", settings->pin_source);
    } else if (settings->pin_source == NULL) {
        doctor_fail(doctor, why.outcome, "correct the setting `pin` (SIMKEY_PIN)", "%s", why.text);
    } else {
        mend(settings->pin_source, cure, about, sizeof about);
        doctor_fail(doctor, why.outcome, cure, "%s%s", why.text, about);
    }
    OPENSSL_cleanse(pin, sizeof pin);
}
