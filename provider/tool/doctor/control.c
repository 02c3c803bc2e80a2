/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor's steps for a modem that is reached by QMI or MBIM: its control device, the proxy that
 * shares it, and who else has it open. */
#include "modem/control.h"
#include "modem/control_proxy.h"
#include "provider/tool/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RIGHTS                                                                                     \
    "use the agent (device = agent), or a proxy that was built with a group; or, where no "        \
    "ModemManager runs, give users the node (78-simkey.rules) and say ,direct behind `device`"

static const char *const protocols[] = {"no", "QMI", "MBIM"};

static void name_of(const struct doctor *doctor, struct control_name *name)
{
    control_parse(doctor->settings.device, name);
}

bool doctor_is_control(const struct doctor *doctor)
{
    struct control_name name;

    if (doctor->settings.device == NULL)
        return false;
    name_of(doctor, &name);
    return name.protocol != CONTROL_NONE;
}

void doctor_control_port(struct doctor *doctor)
{
    enum control_protocol kernel;
    struct control_name name;
    struct stat file;
    char ports[256];

    name_of(doctor, &name);
    if (realpath(name.path, doctor->real) == NULL || stat(doctor->real, &file) != 0) {
        doctor_fail(doctor, OUTCOME_NO_MODEM,
                    "ls /dev/cdc-wdm* /dev/wwan* shows the control devices; plug the modem in, the "
                    "kernel's log (dmesg) tells whether it was seen",
                    "%s: %s", name.path, strerror(errno));
        return;
    }
    kernel = control_kind("/sys", name.path);
    if (!S_ISCHR(file.st_mode)) {
        doctor_fail(doctor, OUTCOME_NO_MODEM, "name the modem's control device",
                    "%s is not a device", name.path);
        return;
    }
    if (kernel != CONTROL_NONE && kernel != name.protocol) {
        doctor_fail(doctor, OUTCOME_USAGE, "correct the word before the path, or leave it out",
                    "the kernel says that %s speaks %s, not %s", name.path, protocols[kernel],
                    protocols[name.protocol]);
        return;
    }
    doctor->device = file.st_rdev;
    doctor->found |= FOUND_PORT;
    control_at_ports("/sys", name.path, ports, sizeof ports);
    doctor_ok(doctor, "%s is a control device that speaks %s%s%s%s", name.path,
              protocols[name.protocol],
              kernel == CONTROL_NONE ? " (the kernel does not say so)" : "",
              ports[0] != '\0' ? "; AT ports of the same modem: " : "", ports);
}

static void judge_proxy(struct doctor *doctor, const struct control_name *name, const char *socket,
                        const struct control_proxy *proxy, const struct stat *file)
{
    char program[32];

    control_program(proxy->pid, program);
    if (proxy->uid != 0 && proxy->uid != file->st_uid) {
        doctor_fail(doctor, OUTCOME_NO_MODEM, "end that process, and restart ModemManager",
                    "%s's socket belongs to %s (process %ld) of uid %lu, which would see the PIN",
                    socket, program, (long)proxy->pid, (unsigned long)proxy->uid);
        return;
    }
    if (name->direct) {
        doctor_fail(doctor, OUTCOME_PORT_BUSY, "leave out \",direct\", or end ModemManager",
                    "%s runs (process %ld)", socket, (long)proxy->pid);
        return;
    }
    doctor->found |= FOUND_ACCESS;
    if (geteuid() != 0)
        doctor_warn(doctor, RIGHTS,
                    "%s runs (process %ld, uid %lu), and lets in root, or its group", socket,
                    (long)proxy->pid, (unsigned long)proxy->uid);
    else
        doctor_ok(doctor, "%s runs (process %ld, uid %lu) and shares the modem with ModemManager",
                  socket, (long)proxy->pid, (unsigned long)proxy->uid);
}

void doctor_control_permission(struct doctor *doctor)
{
    struct control_proxy proxy;
    struct control_name name;
    const char *socket, *installed;
    struct stat file;

    name_of(doctor, &name);
    socket = control_proxy_name(name.protocol);
    installed = control_installed(socket);
    if (stat(doctor->real, &file) != 0) {
        doctor_fail(doctor, OUTCOME_NO_MODEM, "check the modem's cable and power",
                    "%s disappeared while it was looked at", doctor->real);
    } else if (control_find_proxy(socket, &proxy)) {
        judge_proxy(doctor, &name, socket, &proxy, &file);
    } else if (installed != NULL && !name.direct) {
        doctor_fail(doctor, OUTCOME_NO_MODEM,
                    "systemctl start ModemManager; or, where nothing else uses the modem, say "
                    ",direct behind `device`",
                    "no %s runs, although it is installed (%s)", socket, installed);
    } else if (faccessat(AT_FDCWD, doctor->real, R_OK | W_OK, AT_EACCESS) != 0) {
        doctor_fail(doctor, OUTCOME_NO_MODEM, RIGHTS, "this user may not open %s: %s", doctor->real,
                    strerror(errno));
    } else {
        doctor->found |= FOUND_ACCESS;
        doctor_ok(doctor, "no %s runs; this user may open the node itself", socket);
    }
}

void doctor_control_holders(struct doctor *doctor)
{
    struct control_proxy proxy;
    struct control_name name;
    const char *socket;
    char program[32];
    pid_t holder;

    name_of(doctor, &name);
    socket = control_proxy_name(name.protocol);
    if (control_find_proxy(socket, &proxy)) {
        doctor_ok(doctor, "%s opens it, and shares it among programs", socket);
        return;
    }
    holder = control_holder(doctor->device);
    if (holder == 0) {
        doctor_ok(doctor, "no other program has it open%s",
                  geteuid() != 0 ? ", as far as this user can see" : "");
        return;
    }
    control_program(holder, program);
    doctor_fail(doctor, OUTCOME_PORT_BUSY,
                "end that program (uqmi, umbim and the like read answers "
                "that are not theirs)",
                "%s (process %ld) has it open, and would take simkey's answers", program,
                (long)holder);
}

bool doctor_control_unreachable(struct doctor *doctor, const struct report *why)
{
    if (why->outcome != OUTCOME_NO_MODEM || !doctor_is_control(doctor))
        return false;
    doctor_fail(doctor, why->outcome,
                "do what this sentence and the steps permission and holders say; simkey doctor "
                "--trace at shows what is said to the modem",
                "%s", why->text);
    return true;
}

bool doctor_control_refused(struct doctor *doctor, const struct report *why)
{
    struct control_name name;
    char ports[256], remedy[512];

    name_of(doctor, &name);
    if (name.protocol == CONTROL_NONE || why->outcome != OUTCOME_CARRIER_REFUSED)
        return false;
    control_at_ports("/sys", name.path, ports, sizeof ports);
    (void)snprintf(remedy, sizeof remedy,
                   "try the modem's AT port as `device`%s%s; firmware often lets AT do what it "
                   "refuses here",
                   ports[0] != '\0' ? ": " : " (ls -l /dev/serial/by-id/)", ports);
    doctor_fail(doctor, why->outcome, remedy, "%s", why->text);
    return true;
}
