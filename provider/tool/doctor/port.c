/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: whether the port is there, what it is, and who may open it. It is not opened here:
 * closing it again could drop the modem's lines. */
#include "provider/tool/doctor/doctor.h"
#include "provider/tool/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BY_ID "/dev/serial/by-id"

/* ---- what a port is ---- */

/* The kernel's class of a device: tty, wwan, mem, ...; "" where it does not tell. */
static void class_of(dev_t device, char *name, size_t size)
{
    char path[64], target[PATH_MAX];
    const char *last;
    ssize_t length;

    name[0] = '\0';
    (void)snprintf(path, sizeof path, "/sys/dev/char/%u:%u/subsystem", major(device),
                   minor(device));
    length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return;
    target[length] = '\0';
    last = strrchr(target, '/');
    (void)snprintf(name, size, "%.60s", last != NULL ? last + 1 : target);
}

/* In words, or NULL for what cannot be a modem's port. */
static const char *kind_of(dev_t device, char class_name[64])
{
    class_of(device, class_name, 64);
    if (holders_is_pty(device))
        return "a pseudo-terminal";
    if (strcmp(class_name, "tty") == 0)
        return "a serial port";
    if (strcmp(class_name, "wwan") == 0)
        return "a modem's port";
    return class_name[0] == '\0' ? "a device" : NULL;
}

bool doctor_usb_value(const char *real, const char *file, char *value, size_t size)
{
    const char *name = strrchr(real, '/');
    char path[PATH_MAX];
    bool found = false;

    /* ttyUSB: the port is below its interface; ttyACM: it is the interface */
    for (int level = 0; level < 2 && !found; level++) {
        FILE *in;

        (void)snprintf(path, sizeof path, "/sys/class/tty/%.200s/device/%s%s",
                       name != NULL ? name + 1 : real, level == 0 ? "" : "../", file);
        in = fopen(path, "re");
        if (in == NULL)
            continue;
        found = fgets(value, (int)size, in) != NULL;
        value[found ? strcspn(value, " \r\n") : 0] = '\0';
        (void)fclose(in);
    }
    return found;
}

/* The link of a name that lasts, if there is one. */
static void find_by_id(const char *real, char *link, size_t size)
{
    DIR *folder = opendir(BY_ID);
    const struct dirent *entry;
    char path[PATH_MAX];

    link[0] = '\0';
    while (folder != NULL && link[0] == '\0' && (entry = readdir(folder)) != NULL) {
        char *target = NULL;

        (void)snprintf(path, sizeof path, BY_ID "/%s", entry->d_name);
        if (entry->d_name[0] != '.' && (target = realpath(path, NULL)) != NULL &&
            strcmp(target, real) == 0)
            (void)snprintf(link, size, "%s", path);
        free(target);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

/* ", USB 2c7c:0125 interface 02 (EC25-EU)" of a real port on USB, else "". */
static void describe_usb(const char *real, char *text, size_t size)
{
    struct sp_port *port = NULL;
    char interface[8] = "";
    const char *product;
    int vendor, model;

    text[0] = '\0';
    if (sp_get_port_by_name(real, &port) != SP_OK)
        return;
    if (sp_get_port_usb_vid_pid(port, &vendor, &model) == SP_OK) {
        product = sp_get_port_usb_product(port);
        (void)doctor_usb_value(real, "bInterfaceNumber", interface, sizeof interface);
        (void)snprintf(text, size, ", USB %04x:%04x%s%s%s%.60s%s", (unsigned)vendor,
                       (unsigned)model, interface[0] != '\0' ? " interface " : "", interface,
                       product != NULL ? " (" : "", product != NULL ? product : "",
                       product != NULL ? ")" : "");
    }
    sp_free_port(port);
}

/* ---- the step: it is there ---- */

/* The ports that this machine has. */
static void list_ports(char *text, size_t size)
{
    struct sp_port **ports = NULL;
    size_t used = 0;

    text[0] = '\0';
    if (sp_list_ports(&ports) != SP_OK)
        return;
    for (size_t i = 0; ports[i] != NULL && used < size; i++) {
        const char *about = sp_get_port_description(ports[i]);

        used += (size_t)snprintf(text + used, size - used, "%s%s%s%.40s%s", used > 0 ? ", " : "",
                                 sp_get_port_name(ports[i]), about != NULL ? " (" : "",
                                 about != NULL ? about : "", about != NULL ? ")" : "");
    }
    sp_free_port_list(ports);
}

static void not_there(struct doctor *doctor, int error)
{
    const char *device = doctor->settings.device;
    char remedy[1024], ports[512];

    list_ports(ports, sizeof ports);
    if (strchr(device, '#') != NULL)
        (void)snprintf(
            remedy, sizeof remedy,
            "a comment in the settings is a line of its own: leave the port's name alone "
            "behind `device =`");
    else if (strchr(device, '/') == NULL)
        (void)snprintf(remedy, sizeof remedy, "name it with its folder, such as /dev/%.200s",
                       device);
    else if (ports[0] != '\0')
        (void)snprintf(remedy, sizeof remedy,
                       "set `device` to one of the ports that are here: %s; or plug the modem in",
                       ports);
    else
        (void)snprintf(remedy, sizeof remedy,
                       "no serial port was found: plug the modem in and switch it on; the kernel's "
                       "log (dmesg) tells whether it was seen");
    doctor_fail(doctor, OUTCOME_NO_MODEM, remedy, "%s: %s", device, strerror(error));
}

void doctor_port(struct doctor *doctor)
{
    const char *device = doctor->settings.device, *kind;
    char *real = NULL;
    char class_name[64], link[PATH_MAX], usb[160];
    struct stat file;

    if (doctor->transport->service != NULL) {
        doctor->found |= FOUND_PORT;
        doctor_ok(doctor, "%s is a %s, reached by %s; there is no modem", device,
                  doctor->transport->noun, doctor->transport->ways[CARRIER_AUTO]);
        return;
    }
    if (doctor_is_control(doctor)) {
        doctor_control_port(doctor);
        return;
    }
    real = realpath(device, NULL);
    if (real == NULL || stat(real, &file) != 0) {
        not_there(doctor, errno);
        goto out;
    }
    kind = S_ISCHR(file.st_mode) ? kind_of(file.st_rdev, class_name) : NULL;
    if (kind == NULL) {
        doctor_fail(doctor, OUTCOME_NO_MODEM,
                    "`device` must name the modem's AT port: ls -l " BY_ID "/ shows the ports",
                    "%s is not a serial port", device);
        goto out;
    }
    (void)snprintf(doctor->real, sizeof doctor->real, "%s", real);
    doctor->device = file.st_rdev;
    doctor->found |= FOUND_PORT;
    find_by_id(real, link, sizeof link);
    describe_usb(real, usb, sizeof usb);
    if (link[0] != '\0' && strcmp(device, real) == 0)
        doctor_warn(doctor, "use the link as `device`: the other name may change at a restart",
                    "%s is %s%s; its lasting name is %s", device, kind, usb, link);
    else
        doctor_ok(doctor, "%s is %s%s%s%s", device, kind, usb,
                  strcmp(device, real) != 0 ? ", now " : "", strcmp(device, real) != 0 ? real : "");
out:
    free(real);
}

/* ---- the step: it may be opened ---- */

static void denied(struct doctor *doctor, const struct stat *file)
{
    char self[DOCTOR_NAME], owner[DOCTOR_NAME], group[DOCTOR_NAME], remedy[512];

    doctor_user_name(geteuid(), self);
    doctor_user_name(file->st_uid, owner);
    doctor_group_name(file->st_gid, group);
    if ((file->st_mode & 0060) != 0060 || file->st_gid == 0)
        (void)snprintf(remedy, sizeof remedy,
                       "give it to a group by a udev rule: GROUP=\"dialout\", MODE=\"0660\", as in "
                       "%s/78-simkey.rules; then sudo usermod -aG dialout %s, and log in again",
                       doctor_examples(), self);
    else if (doctor_listed_in(file->st_gid))
        (void)snprintf(
            remedy, sizeof remedy,
            "%s is in the group %s only since it logged in or the service started: log in again, "
            "or restart the service",
            self, group);
    else
        (void)snprintf(remedy, sizeof remedy, "sudo usermod -aG %s %s, then log in again", group,
                       self);
    doctor_fail(doctor, OUTCOME_NO_MODEM, remedy,
                "%s may not open %s: it belongs to %s and the group %s (mode %03o)", self,
                doctor->real, owner, group, (unsigned)file->st_mode & 0777);
}

void doctor_permission(struct doctor *doctor)
{
    char self[DOCTOR_NAME];
    struct stat file;

    if (doctor->transport->service != NULL) {
        doctor->found |= FOUND_ACCESS;
        doctor_skip(doctor, "", "%s opens the %s, not this program", doctor->transport->service,
                    doctor->transport->noun);
        return;
    }
    if (doctor_is_control(doctor)) {
        doctor_control_permission(doctor);
        return;
    }
    if (stat(doctor->real, &file) != 0) {
        doctor_fail(doctor, OUTCOME_NO_MODEM, "check the modem's cable and power",
                    "%s disappeared while it was looked at", doctor->real);
    } else if (faccessat(AT_FDCWD, doctor->real, R_OK | W_OK, AT_EACCESS) == 0) {
        doctor->found |= FOUND_ACCESS;
        doctor_user_name(geteuid(), self);
        doctor_ok(doctor, "%s may open it", self);
    } else if (errno == EACCES || errno == EPERM) {
        denied(doctor, &file);
    } else {
        doctor_fail(doctor, OUTCOME_NO_MODEM, "check the modem's cable and power, and `device`",
                    "%s cannot be opened: %s", doctor->real, strerror(errno));
    }
}
