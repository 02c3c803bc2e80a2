/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor, step ownership: which users can change the configuration of programs. A user who can write
 * openssl.cnf, or a folder above it or above the module, can run code in every program of this environment;
 * one who can write simkey.conf can have the PIN sent to a device of his. Besides root only the caller is
 * trusted: root is warned of another user's files, that user is not. */
#include "provider/tool/doctor/doctor.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINKS_MAX    40
#define PROBLEMS_MAX 16

/* One file that matters, and the way to it. */
struct way {
    struct doctor *doctor; /* NULL: problems are counted, not told */
    const char *what;      /* "the module" */
    const char *file;
    bool folders_only;
    char at[PATH_MAX]; /* what is looked at, without links */
    char rest[PATH_MAX];
    const char *next; /* what follows it, in rest */
    bool loose;       /* others may add to its folder (sticky: not replace) */
    unsigned links;
};

struct seen {
    size_t count;
    ino_t inodes[PROBLEMS_MAX];
    dev_t devices[PROBLEMS_MAX];
};

static bool trusted_user(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* True if only root and the caller are in this group: root's, or one with the caller's name, as many systems
 * give each user. */
static bool trusted_group(gid_t gid)
{
    const struct passwd *user = getpwuid(geteuid());
    const struct group *group = getgrgid(gid);

    if (group == NULL || user == NULL || (gid != 0 && strcmp(group->gr_name, user->pw_name) != 0))
        return false;
    for (char **member = group->gr_mem; *member != NULL; member++)
        if (strcmp(*member, "root") != 0 && strcmp(*member, user->pw_name) != 0)
            return false;
    return true;
}

static void name_user(uid_t uid, char *text, size_t size)
{
    const struct passwd *user = getpwuid(uid);

    if (user != NULL)
        (void)snprintf(text, size, "user %s, its owner", user->pw_name);
    else
        (void)snprintf(text, size, "uid %lu, its owner", (unsigned long)uid);
}

static void name_group(gid_t gid, char *text, size_t size)
{
    const struct group *group = getgrgid(gid);

    if (group != NULL)
        (void)snprintf(text, size, "group %s", group->gr_name);
    else
        (void)snprintf(text, size, "gid %lu", (unsigned long)gid);
}

/* Says it, once for each file. */
static void complain(const struct way *way, struct seen *seen, const struct stat *file,
                     const char *who, const char *command)
{
    char path[PATH_MAX], remedy[PATH_MAX + 64];
    const char *name = way->at[0] != '\0' ? way->at : "/";

    for (size_t i = 0; i < seen->count; i++)
        if (seen->inodes[i] == file->st_ino && seen->devices[i] == file->st_dev)
            return; /* said */
    if (seen->count == PROBLEMS_MAX)
        return;
    seen->inodes[seen->count] = file->st_ino;
    seen->devices[seen->count++] = file->st_dev;
    if (way->doctor == NULL)
        return;
    doctor_quote(name, path, sizeof path);
    (void)snprintf(remedy, sizeof remedy, "%s %s", command, path);
    if (way->next[strspn(way->next, "/")] == '\0' && !S_ISDIR(file->st_mode))
        doctor_warn(way->doctor, remedy, "%s, %.400s, can be changed by %s", way->what, name, who);
    else
        doctor_warn(way->doctor, remedy,
                    "%s, %.200s, can be replaced through the folder %.300s by %s", way->what,
                    way->file, name, who);
}

/* Warns if other users can write this. In a sticky folder they can add, but not replace: then the next name on
 * the way is looked at too, even of a folders_only way. */
static void judge(struct way *way, struct seen *seen, const struct stat *file)
{
    bool link = S_ISLNK(file->st_mode); /* its mode says nothing */
    bool last = way->next[strspn(way->next, "/")] == '\0';
    bool sticky = S_ISDIR(file->st_mode) && (file->st_mode & S_ISVTX) != 0 && !last;
    bool group = !link && (file->st_mode & S_IWGRP) != 0;
    bool others = !link && (file->st_mode & S_IWOTH) != 0;
    bool acl = group &&
               getxattr(way->at[0] != '\0' ? way->at : "/", "system.posix_acl_access", NULL, 0) > 0;
    char who[96];

    if (last && way->folders_only && !way->loose)
        return;
    way->loose = sticky && (group || others);
    if (!trusted_user(file->st_uid)) {
        name_user(file->st_uid, who, sizeof who);
        complain(way, seen, file, who, link ? "chown -h root:root" : "chown root:root");
    } else if (others && !sticky) {
        complain(way, seen, file, "all users", "chmod go-w");
    } else if (acl && !sticky) {
        complain(way, seen, file, "those in its access control list", "setfacl -b");
    } else if (group && !sticky && !trusted_group(file->st_gid)) {
        name_group(file->st_gid, who, sizeof who);
        complain(way, seen, file, who, "chmod g-w");
    }
}

/* The next name of the way. False at its end. */
static bool step_on(struct way *way)
{
    const char *name = way->next + strspn(way->next, "/");
    size_t length = strcspn(name, "/"), used = strlen(way->at);
    char *slash;

    if (length == 0 || used + length + 2 > sizeof way->at)
        return false;
    if (length == 2 && memcmp(name, "..", 2) == 0) {
        if ((slash = strrchr(way->at, '/')) != NULL)
            *slash = '\0';
    } else if (length != 1 || name[0] != '.') {
        way->at[used] = '/';
        memcpy(way->at + used + 1, name, length);
        way->at[used + 1 + length] = '\0';
    }
    way->next = name + length;
    return true;
}

/* Puts a link's target in its place. False if that cannot be. */
static bool follow(struct way *way)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length = readlink(way->at, target, sizeof target - 1);
    char *slash = strrchr(way->at, '/');

    if (length <= 0 || ++way->links > LINKS_MAX)
        return false;
    target[length] = '\0';
    if (snprintf(rest, sizeof rest, "%s/%s", target, way->next) >= (int)sizeof rest)
        return false;
    memcpy(way->rest, rest, sizeof rest);
    way->next = way->rest;
    *(target[0] == '/' || slash == NULL ? way->at : slash) = '\0';
    return true;
}

/* A file, and all folders and links on the way to it. /dev/null stays empty, whoever writes it. */
static void look_at(struct doctor *doctor, struct seen *seen, const char *what, const char *path,
                    bool folders_only)
{
    struct way way = {.doctor = doctor, .what = what, .file = path, .folders_only = folders_only};
    char here[PATH_MAX] = "";
    struct stat file;

    if (strcmp(path, "/dev/null") == 0 || (path[0] != '/' && getcwd(here, sizeof here) == NULL))
        return;
    if (snprintf(way.rest, sizeof way.rest, "%s/%s", here, path) >= (int)sizeof way.rest)
        return;
    way.next = way.rest;
    if (stat("/", &file) == 0)
        judge(&way, seen, &file);
    while (step_on(&way)) {
        if (lstat(way.at[0] != '\0' ? way.at : "/", &file) != 0)
            return;
        if (!S_ISLNK(file.st_mode) || (way.loose && !trusted_user(file.st_uid)))
            judge(&way, seen, &file);
        if (S_ISLNK(file.st_mode) && !follow(&way))
            return;
    }
}

bool doctor_others_change(const char *path)
{
    struct seen seen = {.count = 0};

    look_at(NULL, &seen, "", path, false);
    return seen.count > 0;
}

void doctor_ownership(struct doctor *doctor)
{
    const char *pin = doctor->settings.pin_source;
    char *conf = CONF_get1_default_config_file();
    struct seen seen = {.count = 0};

    if (conf != NULL)
        look_at(doctor, &seen, "OpenSSL's configuration", conf, false);
    if (doctor->module[0] != '\0')
        look_at(doctor, &seen, "the module", doctor->module, false);
    look_at(doctor, &seen, "the settings file", doctor_settings_file(), false);
    if (pin != NULL && strncmp(pin, "file:", 5) == 0)
        pin += 5;
    if (pin != NULL && (pin[0] == '/' || strchr(pin, ':') == NULL))
        look_at(doctor, &seen, "the PIN file", pin, true);
    if (seen.count == 0)
        doctor_ok(doctor, "only root and this user can change OpenSSL's configuration, the "
                          "settings, the module and the folders above them");
    OPENSSL_free(conf);
}
