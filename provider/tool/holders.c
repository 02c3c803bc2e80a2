/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs have a port open: a look at the open files and the locks of all processes. */
#include "provider/tool/holders.h"
#include "modem/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COMM_SIZE 16 /* a process's name and a NUL (proc(5)) */

/* Linux's numbers of the ptys that programs open (Documentation/admin-guide/devices.txt). */
#define MAJOR_PTY_FIRST 136
#define MAJOR_PTY_LAST  143

bool holders_is_pty(dev_t device)
{
    return major(device) >= MAJOR_PTY_FIRST && major(device) <= MAJOR_PTY_LAST;
}

/* A process names itself as it likes, with line ends too: only the last one is the kernel's. */
void holders_name_of(long pid, char name[HOLDER_NAME])
{
    char path[64], comm[COMM_SIZE + 1];
    size_t length;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    (void)snprintf(name, HOLDER_NAME, "?");
    in = fopen(path, "re");
    if (in == NULL)
        return;
    length = fread(comm, 1, sizeof comm - 1, in);
    (void)fclose(in);
    if (length > 0 && comm[length - 1] == '\n')
        length--;
    comm[length] = '\0';
    if (length > 0)
        (void)text_copy(name, HOLDER_NAME, comm);
}

/* The master's side of a pseudo-terminal tells its number in fdinfo (Linux 4.11). */
static bool is_other_end(long pid, const char *fd, const struct stat *port)
{
    char path[300], line[128];
    unsigned index = 0;
    bool found = false;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%ld/fdinfo/%.200s", pid, fd);
    in = fopen(path, "re");
    if (in == NULL)
        return false;
    while (!found && fgets(line, sizeof line, in) != NULL)
        found = sscanf(line, "tty-index: %u", &index) == 1;
    (void)fclose(in);
    return found && index == minor(port->st_rdev);
}

/* A program with simkey in it: the provider's module, or one of the tools. */
static bool has_simkey(long pid)
{
    static const char *const files[] = {"/simkey.so\n", "/simkey\n", "/safe2\n"};
    char path[64], line[512];
    bool found = false;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    in = fopen(path, "re");
    if (in == NULL)
        return false;
    while (!found && fgets(line, sizeof line, in) != NULL) {
        const char *file = strrchr(line, '/');

        for (size_t i = 0; file != NULL && i < sizeof files / sizeof files[0]; i++)
            found = found || strcmp(file, files[i]) == 0;
    }
    (void)fclose(in);
    return found;
}

/* Who has this end as well is the one. */
static void note_other_end(struct holders *search, long pid, bool holds)
{
    if (search->other_end == 0 || (holds && !search->other_end_sure)) {
        search->other_end = pid;
        search->other_end_sure = holds;
    } else if (!search->other_end_sure) {
        search->other_end = HOLDERS_SEVERAL;
    }
}

/* Looks through one process's open files. */
static void look_at(struct holders *search, long pid)
{
    char path[64], target[256];
    const struct dirent *entry;
    bool holds = false, master = false;
    DIR *folder;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    folder = opendir(path);
    if (folder == NULL && (errno == EACCES || errno == EPERM)) {
        char name[HOLDER_NAME];

        holders_name_of(pid, name);
        search->unseen++;
        if (strcmp(name, HOLDERS_MANAGER) == 0)
            search->unseen_manager = pid;
    }
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        struct stat file;

        if (length <= 0)
            continue;
        target[length] = '\0';
        if (strstr(target, "/dev/") == NULL) /* anything else may be slow to ask */
            continue;
        if (strstr(target, "ptmx") != NULL && holders_is_pty(search->port->st_rdev) &&
            is_other_end(pid, entry->d_name, search->port))
            master = true;
        if (fstatat(dirfd(folder), entry->d_name, &file, 0) == 0 && S_ISCHR(file.st_mode) &&
            file.st_rdev == search->port->st_rdev &&
            (strstr(target, "/pts/") == NULL || file.st_dev == search->port->st_dev))
            holds = true;
    }
    if (folder != NULL)
        (void)closedir(folder);
    if (master)
        note_other_end(search, pid, holds);
    if (!holds || search->count == HOLDERS_MAX)
        return;
    search->list[search->count].pid = pid;
    search->list[search->count].other_end = master;
    search->list[search->count].takes_turns = has_simkey(pid);
    holders_name_of(pid, search->list[search->count].name);
    search->count++;
}

/* Who of them holds the lock: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". */
static void note_locks(struct holders *search)
{
    FILE *locks = fopen("/proc/locks", "re");
    unsigned major_number, minor_number;
    unsigned long long inode;
    char line[256];
    long pid;

    while (locks != NULL && fgets(line, sizeof line, locks) != NULL)
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%llu", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == (unsigned long long)search->port->st_ino &&
            major_number == major(search->port->st_dev) &&
            minor_number == minor(search->port->st_dev))
            for (size_t i = 0; i < search->count; i++)
                if (search->list[i].pid == pid)
                    search->list[i].takes_turns = true;
    if (locks != NULL)
        (void)fclose(locks);
}

bool holders_search(struct holders *search, const struct stat *port)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;

    memset(search, 0, sizeof *search);
    search->port = port;
    if (processes == NULL)
        return false;
    while ((entry = readdir(processes)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);

        if (*end == '\0' && pid > 0 && pid != (long)getpid())
            look_at(search, pid);
    }
    (void)closedir(processes);
    note_locks(search);
    return true;
}

unsigned holders_of(const char *real, char *text, size_t size)
{
    struct holders search;
    struct stat port;
    size_t used = 0;

    text[0] = '\0';
    if (stat(real, &port) != 0 || !holders_search(&search, &port))
        return 0;
    for (size_t i = 0; i < search.count && used < size; i++)
        if (!search.list[i].other_end)
            used += (size_t)snprintf(text + used, size - used, "%s%s (process %ld)",
                                     used > 0 ? ", " : "", search.list[i].name, search.list[i].pid);
    return search.unseen;
}
