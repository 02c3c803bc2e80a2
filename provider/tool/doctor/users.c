/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: names of users and groups, and the command lines that remedies are made of. */
#include "provider/tool/doctor/doctor.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void doctor_user_name(uid_t id, char name[DOCTOR_NAME])
{
    const struct passwd *user = getpwuid(id);

    if (user != NULL)
        (void)snprintf(name, DOCTOR_NAME, "%s", user->pw_name);
    else
        (void)snprintf(name, DOCTOR_NAME, "user %lu", (unsigned long)id);
}

void doctor_group_name(gid_t id, char name[DOCTOR_NAME])
{
    const struct group *group = getgrgid(id);

    if (group != NULL)
        (void)snprintf(name, DOCTOR_NAME, "%s", group->gr_name);
    else
        (void)snprintf(name, DOCTOR_NAME, "%lu", (unsigned long)id);
}

bool doctor_listed_in(gid_t group)
{
    const struct passwd *user = getpwuid(geteuid());
    gid_t groups[256];
    int count = (int)(sizeof groups / sizeof groups[0]);

    if (user == NULL || getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

void doctor_quote(const char *path, char *text, size_t size)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,:@%";
    size_t used = 0;

    if (path[strspn(path, plain)] == '\0') {
        (void)snprintf(text, size, "%s", path);
        return;
    }
    text[used++] = '\'';
    for (; *path != '\0' && used + 6 < size; path++) {
        if (*path == '\'') {
            memcpy(text + used, "'\\''", 4);
            used += 4;
        } else {
            text[used++] = *path;
        }
    }
    text[used++] = '\'';
    text[used] = '\0';
}

/* What the shell takes as it is, so that a line can be pasted. */
static bool is_plain(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:,=";

    return text[0] != '\0' && strspn(text, plain) == strlen(text);
}

void doctor_command(const char *user, char *text, size_t size)
{
    static const char *const names[] = {"OPENSSL_CONF", "SIMKEY_CONF", "SIMKEY_DEVICE",
                                        "SIMKEY_PIN_SOURCE"};
    size_t used = (size_t)snprintf(text, size, "sudo %s%s%s", user != NULL ? "-u " : "",
                                   user != NULL ? user : "", user != NULL ? " " : "");

    for (size_t i = 0; i < sizeof names / sizeof names[0] && used < size; i++) {
        const char *value = secure_getenv(names[i]);

        if (value != NULL && is_plain(value) && strlen(value) < 200)
            used += (size_t)snprintf(text + used, size - used, "%s=%s ", names[i], value);
    }
    if (used < size)
        (void)snprintf(text + used, size - used, "simkey doctor");
}

const char *doctor_settings_file(void)
{
    const char *set = secure_getenv("SIMKEY_CONF");

    return set != NULL ? set : SETTINGS_FILE;
}

const char *doctor_examples(void)
{
    static const char *const folders[] = {"/usr/share/doc/simkey/examples",
                                          "/usr/local/share/doc/simkey/examples"};
    static const char *const programs[] = {"/usr/bin/simkey", "/usr/local/bin/simkey"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    self[length > 0 ? length : 0] = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strcmp(self, programs[i]) == 0)
            return folders[i];
    return "configs";
}
