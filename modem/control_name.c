/* SPDX-License-Identifier: Apache-2.0 */
/* Names of control devices, and what the kernel says of them (/sys/class/usbmisc, /sys/class/wwan). */
#include "modem/control_name.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DIRECT ",direct"

static const struct {
    const char *prefix;
    enum control_protocol protocol;
} prefixes[] = {{CONTROL_QMI_PREFIX, CONTROL_QMI}, {CONTROL_MBIM_PREFIX, CONTROL_MBIM}};

/* Copies a path; true if ",direct" stood behind it, which is cut off. */
static bool copy_path(const char *from, char path[PATH_MAX])
{
    size_t length;

    (void)snprintf(path, PATH_MAX, "%s", from);
    length = strlen(path);
    if (length < sizeof DIRECT - 1 || strcmp(path + length - (sizeof DIRECT - 1), DIRECT) != 0)
        return false;
    path[length - (sizeof DIRECT - 1)] = '\0';
    return true;
}

/* The driver of the USB interface behind /dev/cdc-wdmN. */
static enum control_protocol of_driver(const char *sysfs, const char *name)
{
    char path[PATH_MAX], target[PATH_MAX];
    const char *driver;
    ssize_t length;

    (void)snprintf(path, sizeof path, "%s/class/usbmisc/%.64s/device/driver", sysfs, name);
    length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return CONTROL_NONE;
    target[length] = '\0';
    driver = strrchr(target, '/');
    driver = driver != NULL ? driver + 1 : target;
    if (strcmp(driver, "qmi_wwan") == 0 || strcmp(driver, "qmi_wwan_q") == 0)
        return CONTROL_QMI;
    return strcmp(driver, "cdc_mbim") == 0 || strcmp(driver, "huawei_cdc_ncm") == 0 ? CONTROL_MBIM
                                                                                    : CONTROL_NONE;
}

/* The type of a wwan port; kernels before 5.14 do not tell it, there its name does. */
static enum control_protocol of_wwan(const char *sysfs, const char *name)
{
    char path[PATH_MAX], type[32];

    (void)snprintf(path, sizeof path, "%s/class/wwan/%.64s/type", sysfs, name);
    if (!descriptor_read_text(path, type, sizeof type))
        (void)snprintf(type, sizeof type, "%s",
                       strcasestr(name, "qmi") != NULL    ? "QMI"
                       : strcasestr(name, "mbim") != NULL ? "MBIM"
                                                          : "");
    type[strcspn(type, " \n")] = '\0';
    if (strcasecmp(type, "QMI") == 0)
        return CONTROL_QMI;
    return strcasecmp(type, "MBIM") == 0 ? CONTROL_MBIM : CONTROL_NONE;
}

/* What is a serial port or a pty by its name is not looked at, so that its operations cost no more. */
static bool is_serial(const char *path)
{
    static const char *const serial[] = {"/dev/tty", "/dev/pts/", "/dev/serial/"};

    for (size_t i = 0; i < sizeof serial / sizeof serial[0]; i++)
        if (strncmp(path, serial[i], strlen(serial[i])) == 0)
            return true;
    return false;
}

enum control_protocol control_kind(const char *sysfs, const char *path)
{
    char real[PATH_MAX];

    if (path[0] != '/' || is_serial(path) || realpath(path, real) == NULL)
        return CONTROL_NONE;
    return control_kind_of(sysfs, strrchr(real, '/') + 1);
}

enum control_protocol control_kind_of(const char *sysfs, const char *name)
{
    if (strncmp(name, "cdc-wdm", 7) == 0)
        return of_driver(sysfs, name);
    return strncmp(name, "wwan", 4) == 0 ? of_wwan(sysfs, name) : CONTROL_NONE;
}

/* The row of a device's prefix, or the number of rows. */
static size_t row_of(const char *device)
{
    size_t row = 0;

    while (row < sizeof prefixes / sizeof prefixes[0] &&
           strncmp(device, prefixes[row].prefix, strlen(prefixes[row].prefix)) != 0)
        row++;
    return row;
}

void control_parse(const char *device, struct control_name *name)
{
    size_t row = row_of(device);

    if (row < sizeof prefixes / sizeof prefixes[0]) {
        name->protocol = prefixes[row].protocol;
        name->direct = copy_path(device + strlen(prefixes[row].prefix), name->path);
        return;
    }
    name->direct = copy_path(device, name->path);
    name->protocol = control_kind("/sys", name->path);
}

const char *control_path(const char *device, char path[PATH_MAX])
{
    size_t row = row_of(device);
    bool prefixed = row < sizeof prefixes / sizeof prefixes[0];

    if (!copy_path(prefixed ? device + strlen(prefixes[row].prefix) : device, path) && !prefixed)
        return device;
    return path;
}

/* ---- the AT ports beside it ---- */

/* Adds those of a class ("tty") that are below the modem in sysfs, and whose names begin so. */
static void add_ports(const char *sysfs, const char *class_name, const char *begin,
                      const char *modem, char *ports, size_t size)
{
    char path[PATH_MAX], real[PATH_MAX];
    const size_t length = strlen(modem);
    const struct dirent *entry;
    DIR *folder;

    (void)snprintf(path, sizeof path, "%.256s/class/%s", sysfs, class_name);
    forks_hold(); /* short, and none of it waits */
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t used = strlen(ports);

        if (strncmp(entry->d_name, begin, strlen(begin)) != 0 ||
            (strcmp(class_name, "wwan") == 0 && strstr(entry->d_name, "at") == NULL))
            continue;
        (void)snprintf(path, sizeof path, "%.256s/class/%s/%.255s/device", sysfs, class_name,
                       entry->d_name);
        if (realpath(path, real) != NULL && strncmp(real, modem, length) == 0 &&
            (real[length] == '/' || real[length] == '\0'))
            (void)snprintf(ports + used, size - used, "%s/dev/%s", used > 0 ? ", " : "",
                           entry->d_name);
    }
    if (folder != NULL)
        (void)closedir(folder);
    forks_release();
}

void control_at_ports(const char *sysfs, const char *path, char *ports, size_t size)
{
    char real[PATH_MAX], link[PATH_MAX], modem[PATH_MAX];
    const char *name;

    ports[0] = '\0';
    if (realpath(path, real) == NULL)
        return;
    name = strrchr(real, '/') + 1;
    (void)snprintf(link, sizeof link, "%.256s/class/%s/%.255s/device", sysfs,
                   strncmp(name, "wwan", 4) == 0 ? "wwan" : "usbmisc", name);
    if (realpath(link, modem) == NULL)
        return;
    if (strncmp(name, "wwan", 4) != 0) /* an interface of the USB device that the modem is */
        *strrchr(modem, '/') = '\0';
    add_ports(sysfs, "tty", "tty", modem, ports, size);
    add_ports(sysfs, "wwan", "wwan", modem, ports, size);
}
