/* SPDX-License-Identifier: Apache-2.0 */
/* simkey devices: which ways to a SIM there are, by what the kernel, pcscd and the configuration say. A
 * further kind of device is a function here and its row in `finders`. */
#include "modem/control_name.h"
#include "modem/deadline.h"
#include "modem/transport.h"
#include "provider/tool/devices.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BY_ID   "/dev/serial/by-id"
#define TTYS    "/sys/class/tty"
#define WWAN    "/sys/class/wwan"
#define USBMISC "/sys/class/usbmisc"
#define READER  "card reader"

/* Drivers (as sysfs calls them) whose ports are those of modems. Others are listed and never asked:
 * what AT means to a machine tool nobody knows. */
static const char *const modem_drivers[] = {"option1",  "option", "qcserial",     "sierra",
                                            "cdc_acm",  "ipw",    "hso",          "GobiSerial",
                                            "mtk_t7xx", "iosm",   "mhi_wwan_ctrl"};

struct search {
    struct device_list *devices;
    const struct modems *modems;
    struct deadline deadline;
};

static struct device *add(struct search *search, const char *kind)
{
    struct device *device;

    if (search->devices->count == DEVICES_MAX)
        return NULL;
    device = &search->devices->list[search->devices->count++];
    memset(device, 0, sizeof *device);
    device->kind = kind;
    return device;
}

/* The last part of a link's target. False if it is not there. */
static bool link_name(const char *path, char *name, size_t size)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    const char *last;

    name[0] = '\0';
    if (length <= 0)
        return false;
    target[length] = '\0';
    last = strrchr(target, '/');
    (void)snprintf(name, size, "%.60s", last != NULL ? last + 1 : target);
    return true;
}

static bool is_modem_driver(const char *driver)
{
    for (size_t i = 0; i < sizeof modem_drivers / sizeof modem_drivers[0]; i++)
        if (strcmp(driver, modem_drivers[i]) == 0)
            return true;
    return false;
}

/* Of the port's names the one that stays the same after a restart. */
static void prefer_lasting(struct device *device)
{
    DIR *folder = opendir(BY_ID);
    const struct dirent *entry;
    bool found = false;

    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        char path[PATH_MAX], *target = NULL;

        (void)snprintf(path, sizeof path, BY_ID "/%s", entry->d_name);
        found = entry->d_name[0] != '.' && (target = realpath(path, NULL)) != NULL &&
                strcmp(target, device->real) == 0;
        if (found)
            (void)snprintf(device->name, sizeof device->name, "%s", path);
        free(target);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

/* A port of a class of the kernel's, if it has a driver (the virtual ones have none) and a file. NULL if
 * not. */
static struct device *add_port(struct search *search, const char *class_folder, const char *name,
                               const char *kind)
{
    static const char *const places[] = {"device/driver", "device/device/driver"};
    char path[PATH_MAX], driver[64] = "", *real;
    struct device *device;

    for (size_t i = 0; i < sizeof places / sizeof places[0] && driver[0] == '\0'; i++) {
        (void)snprintf(path, sizeof path, "%s/%.200s/%s", class_folder, name, places[i]);
        (void)link_name(path, driver, sizeof driver);
    }
    (void)snprintf(path, sizeof path, "/dev/%.200s", name);
    /* the ports of a PC's board: most of them are not even there */
    if (driver[0] == '\0' || strcmp(driver, "serial8250") == 0 || strcmp(driver, "port") == 0 ||
        (real = realpath(path, NULL)) == NULL)
        return NULL;
    device = add(search, kind);
    if (device != NULL) {
        (void)snprintf(device->name, sizeof device->name, "%s", path);
        (void)snprintf(device->real, sizeof device->real, "%s", real);
        (void)snprintf(device->driver, sizeof device->driver, "%s", driver);
        device->asks = is_modem_driver(driver);
        prefer_lasting(device);
    }
    free(real);
    return device;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static void find_ttys(struct search *search)
{
    struct dirent **entries;
    int count = scandir(TTYS, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            (void)add_port(search, TTYS, entries[i]->d_name, "serial port");
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* Modems on PCIe: wwan0at0 is the first AT port. */
static void find_wwan(struct search *search)
{
    struct dirent **entries;
    int count = scandir(WWAN, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        unsigned modem, port;

        if (sscanf(entries[i]->d_name, "wwan%uat%u", &modem, &port) == 2)
            (void)add_port(search, WWAN, entries[i]->d_name, "AT port");
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* What speaks QMI or MBIM is listed and not asked: it is ModemManager's, by whose proxy it is reached. */
static void find_controls_in(struct search *search, const char *class_folder)
{
    struct dirent **entries;
    int count = scandir(class_folder, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        enum control_protocol protocol;
        struct device *device = NULL;

        (void)snprintf(path, sizeof path, "/dev/%.200s", entries[i]->d_name);
        protocol = control_kind_of("/sys", entries[i]->d_name);
        if (protocol != CONTROL_NONE)
            device = add_port(search, class_folder, entries[i]->d_name,
                              protocol == CONTROL_QMI ? "QMI" : "MBIM");
        if (device != NULL) {
            (void)snprintf(device->name, sizeof device->name, "%s%.200s",
                           protocol == CONTROL_QMI ? CONTROL_QMI_PREFIX : CONTROL_MBIM_PREFIX,
                           path);
            device->control = true;
            device->asks = false;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void find_controls(struct search *search)
{
    find_controls_in(search, USBMISC);
    find_controls_in(search, WWAN);
}

static void find_readers(struct search *search)
{
    char names[TRANSPORT_READERS_SIZE];
    struct device *device;

    transport_readers(names, sizeof names, search->deadline);
    for (const char *name = names; *name != '\0'; name += strlen(name) + 1) {
        device = add(search, READER);
        if (device == NULL)
            return;
        (void)snprintf(device->name, sizeof device->name, TRANSPORT_PCSC "%s", name);
        (void)snprintf(device->driver, sizeof device->driver, "PC/SC");
        (void)snprintf(device->modem.model, sizeof device->modem.model, "%.60s", name);
    }
}

static void take_configured(struct search *search, const struct settings *settings)
{
    const struct transport_ops *transport;
    struct device *device = NULL;
    char path[PATH_MAX], *real;

    if (settings->device == NULL)
        return;
    transport = transport_of(settings->device);
    real = transport->service == NULL ? realpath(control_path(settings->device, path), NULL) : NULL;
    for (size_t i = 0; i < search->devices->count && device == NULL; i++) {
        struct device *other = &search->devices->list[i];

        if (real != NULL ? strcmp(other->real, real) == 0
                         : strcmp(other->name, settings->device) == 0)
            device = other;
    }
    if (device == NULL) {
        device = add(search, transport->service != NULL              ? transport->noun
                             : real != NULL && strstr(real, "/pts/") ? "pseudo-terminal"
                                                                     : "port");
        if (device == NULL) {
            free(real);
            return;
        }
        (void)snprintf(device->real, sizeof device->real, "%s", real != NULL ? real : "");
    }
    if (transport->service == NULL)
        (void)snprintf(device->name, sizeof device->name, "%s", settings->device);
    device->asks = transport->service == NULL;
    device->configured = settings;
    free(real);
}

static void find_configured(struct search *search)
{
    take_configured(search, &search->modems->first);
    for (size_t i = 0; i < search->modems->count; i++)
        take_configured(search, &search->modems->further[i].settings);
}

/* In the order of the output. The configured ones come last: most of them are there already. */
static void (*const finders[])(struct search *search) = {find_ttys, find_wwan, find_controls,
                                                         find_readers, find_configured};

void devices_find(struct device_list *devices, const struct modems *modems, int timeout_ms)
{
    struct search search = {devices, modems, deadline_in(timeout_ms)};

    devices->count = 0;
    for (size_t i = 0; i < sizeof finders / sizeof finders[0]; i++)
        finders[i](&search);
}
