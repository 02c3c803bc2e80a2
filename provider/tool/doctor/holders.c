/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: who else has the port open. A program that reads there takes away the modem's
 * answers; simkey's own programs take turns by the lock and are no trouble. */
#include "modem/text.h"
#include "provider/tool/doctor/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HOLDERS_MAX 16
#define SEVERAL     (-1)
#define MANAGER     "ModemManager"
#define COMM_SIZE   16 /* a process's name and a NUL (proc(5)) */
#define HOLDER_NAME (TEXT_GROWTH * COMM_SIZE)

struct holder {
    long pid;
    bool takes_turns; /* it holds the lock on the device, or has simkey in it and waits for it */
    bool other_end;   /* it has both ends of the pseudo-terminal: it plays the modem */
    char name[HOLDER_NAME];
};

struct search {
    const struct stat *port;
    struct holder list[HOLDERS_MAX];
    size_t count;
    long other_end;      /* of a pseudo-terminal: who plays the modem, 0 if nobody is seen */
    bool other_end_sure; /* else it may be that of a container, where the same numbers exist */
    unsigned unseen;     /* processes that do not show their files */
    long unseen_manager; /* one of them is ModemManager */
};

/* A process names itself as it likes, with line ends too: only the last one is the kernel's. */
static void name_of(long pid, char name[HOLDER_NAME])
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
static void note_other_end(struct search *search, long pid, bool holds)
{
    if (search->other_end == 0 || (holds && !search->other_end_sure)) {
        search->other_end = pid;
        search->other_end_sure = holds;
    } else if (!search->other_end_sure) {
        search->other_end = SEVERAL;
    }
}

/* Looks through one process's open files. */
static void look_at(struct search *search, long pid)
{
    char path[64], target[256];
    const struct dirent *entry;
    bool holds = false, master = false;
    DIR *folder;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    folder = opendir(path);
    if (folder == NULL && (errno == EACCES || errno == EPERM)) {
        char name[HOLDER_NAME];

        name_of(pid, name);
        search->unseen++;
        if (strcmp(name, MANAGER) == 0)
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
        if (strstr(target, "ptmx") != NULL && doctor_is_pty(search->port->st_rdev) &&
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
    name_of(pid, search->list[search->count].name);
    search->count++;
}

/* Who of them holds the lock: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". */
static void note_locks(struct search *search)
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

static bool search_all(struct search *search)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;

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

/* "minicom (process 99), picocom (process 100)": those that take turns, or those that do not. Says
 * whether ModemManager is among them. */
static bool name_holders(const struct search *search, bool takes_turns, char *text, size_t size)
{
    bool manager = false;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < search->count && used < size; i++) {
        const struct holder *holder = &search->list[i];

        if (holder->other_end || holder->takes_turns != takes_turns)
            continue;
        manager = manager || strcmp(holder->name, MANAGER) == 0;
        used += (size_t)snprintf(text + used, size - used, "%s%s (process %ld)",
                                 used > 0 ? ", " : "", holder->name, holder->pid);
    }
    return manager;
}

/* The rule that keeps ModemManager off this port. */
static void write_rule(const struct doctor *doctor, char *text, size_t size)
{
    struct sp_port *port = NULL;
    char interface[8];
    int vendor, model;

    if (sp_get_port_by_name(doctor->real, &port) == SP_OK &&
        sp_get_port_usb_vid_pid(port, &vendor, &model) == SP_OK &&
        doctor_usb_value(doctor->real, "bInterfaceNumber", interface, sizeof interface))
        (void)snprintf(text, size,
                       "put ID_VENDOR_ID==\"%04x\", ID_MODEL_ID==\"%04x\", "
                       "ID_USB_INTERFACE_NUM==\"%s\" into configs/78-simkey.rules",
                       (unsigned)vendor, (unsigned)model, interface);
    else
        (void)snprintf(text, size,
                       "put this port's numbers into configs/78-simkey.rules, which `udevadm info "
                       "-q property %.200s | grep -E 'ID_(VENDOR_ID|MODEL_ID|USB_INTERFACE_NUM)'` "
                       "shows",
                       doctor->real);
    sp_free_port(port);
    (void)snprintf(
        text + strlen(text), size - strlen(text),
        " (its ENV{ID_MM_PORT_IGNORE}=\"1\" keeps " MANAGER " off), install it to "
        "/etc/udev/rules.d/, sudo udevadm control --reload, and plug the modem in again; "
        "at once: sudo systemctl stop " MANAGER);
}

static void judge(struct doctor *doctor, const struct search *search)
{
    char rivals[512], others[256], remedy[1024], unseen[160] = "", other_end[128] = "";
    char name[HOLDER_NAME];
    bool manager = name_holders(search, false, rivals, sizeof rivals);

    (void)name_holders(search, true, others, sizeof others);
    write_rule(doctor, remedy, sizeof remedy);
    if (search->unseen > 0)
        (void)snprintf(unseen, sizeof unseen,
                       "; %u processes of other users show their files only to root: sudo simkey "
                       "doctor sees more",
                       search->unseen);
    if (search->other_end > 0) {
        name_of(search->other_end, name);
        (void)snprintf(other_end, sizeof other_end, "; at its other end %s %s (process %ld)",
                       search->other_end_sure ? "is" : "may be", name, search->other_end);
    }
    if (manager)
        doctor_fail(doctor, OUTCOME_PORT_BUSY, remedy,
                    "%s: " MANAGER " talks to the modem whenever it likes, and takes the answers",
                    rivals);
    else if (rivals[0] != '\0')
        doctor_warn(doctor, "end that program, or give it another of the modem's ports",
                    "%s has the port open too, and may take the modem's answers%s", rivals, unseen);
    else if (search->unseen_manager != 0)
        doctor_warn(doctor, remedy,
                    MANAGER " runs (process %ld); whether it has this port open is shown only to "
                            "root%s",
                    search->unseen_manager, unseen);
    else if (others[0] != '\0')
        doctor_ok(doctor, "%s has it open too, and takes turns by the port's lock%s%s", others,
                  other_end, unseen);
    else
        doctor_ok(doctor, "no other program has it open%s%s", other_end, unseen);
}

void doctor_holders(struct doctor *doctor)
{
    struct search search;
    struct stat port;

    memset(&search, 0, sizeof search);
    search.port = &port;
    if (doctor->transport->service != NULL)
        doctor_skip(doctor, "", "%s shares the %s among programs", doctor->transport->service,
                    doctor->transport->noun);
    else if (doctor_is_control(doctor))
        doctor_control_holders(doctor);
    else if (stat(doctor->real, &port) != 0 || !search_all(&search))
        doctor_skip(doctor, "", "what other programs do cannot be seen: %s", strerror(errno));
    else
        judge(doctor, &search);
}
