/* SPDX-License-Identifier: Apache-2.0 */
/* simkey devices: every way to a SIM on this machine in a line, so that nobody has to try ports one by
 * one. Asked is only what no other program has open, and that by AT and the modem's identity alone: no
 * channel is opened. What there is, is found in devices_find.c. */
#include "provider/tool/devices.h"
#include "modem/text.h"
#include "modem/transport.h"
#include "provider/tool/holders.h"
#include "provider/tool/tool.h"
#include "provider/tool/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_SECONDS "5" /* each port, unless --timeout says something else */

enum column {
    COLUMN_DEVICE,
    COLUMN_KIND,
    COLUMN_DRIVER,
    COLUMN_HOLDERS,
    COLUMN_MODEM,
    COLUMN_ICCID,
    COLUMN_APPLETS,
    COLUMNS
};

struct row {
    char cells[COLUMNS][300];
};

/* ---- asking ---- */

/* The configured settings of the device, or those that are for all; never a PIN. */
static enum outcome settle(const struct command_line *line, const struct modems *modems,
                           const struct device *device, struct settings *settings,
                           struct report *why)
{
    static const char *const options[] = {"timeout", "run-dir", "trace", "baud"};
    const struct settings *base = device->configured != NULL ? device->configured : &modems->first;
    enum outcome outcome = settings_copy(settings, base, why);

    if (outcome == OUTCOME_OK)
        outcome = settings_set(settings, "pin-source", "", why);
    if (outcome == OUTCOME_OK)
        outcome = settings_set(settings, "sim-pin-source", "", why);
    if (outcome == OUTCOME_OK)
        outcome = settings_set(settings, "session", "private", why);
    if (outcome == OUTCOME_OK && device->configured == NULL)
        outcome = settings_set(settings, "device", device->name, why);
    if (outcome == OUTCOME_OK)
        outcome = settings_set(settings, "timeout", ASK_SECONDS, why);
    for (size_t i = 0; i < sizeof options / sizeof options[0] && outcome == OUTCOME_OK; i++)
        if (line->options[settings_index(options[i])] != NULL)
            outcome =
                settings_set(settings, options[i], line->options[settings_index(options[i])], why);
    return outcome;
}

/* False, with the reason in device->error, for what is to be left in peace. */
static bool may_ask(struct device *device)
{
    if (device->real[0] == '\0') {
        (void)snprintf(device->error, sizeof device->error, "%s",
                       strncmp(device->name, TRANSPORT_PCSC, sizeof TRANSPORT_PCSC - 1) == 0
                           ? "not asked"
                           : "it is not there");
        return false;
    }
    (void)holders_of(device->real, device->holders, sizeof device->holders);
    if (!device->asks)
        (void)snprintf(device->error, sizeof device->error, "not asked%s",
                       device->control ? "" : ": not a modem's driver");
    else if (device->holders[0] != '\0')
        (void)snprintf(device->error, sizeof device->error, "not asked: it is in use");
    else if (faccessat(AT_FDCWD, device->real, R_OK | W_OK, AT_EACCESS) != 0)
        (void)snprintf(device->error, sizeof device->error, "not asked: %s", strerror(errno));
    return device->error[0] == '\0';
}

static const char *shortly(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_NO_MODEM:
    case OUTCOME_TIMEOUT:
        return "does not answer AT";
    case OUTCOME_NO_SIM:
        return "answers, but has no SIM";
    case OUTCOME_PORT_BUSY:
        return "not asked: it is in use";
    default:
        return "does not answer as a modem does";
    }
}

static enum outcome ask(const struct command_line *line, const struct modems *modems,
                        struct device *device, struct report *why)
{
    struct report said = REPORT_INIT;
    struct sim_noted noted;
    struct settings settings;
    struct sim *sim = NULL;
    enum outcome outcome;

    settings_init(&settings);
    outcome = settle(line, modems, device, &settings, why);
    if (outcome == OUTCOME_OK && may_ask(device)) {
        outcome = sim_new(&sim, &settings, why);
        device->asked = true;
        if (outcome == OUTCOME_OK &&
            sim_identity(sim, &device->modem, device->iccid, &said) != OUTCOME_OK)
            (void)snprintf(device->error, sizeof device->error, "%s", shortly(said.outcome));
        sim_free(sim);
    }
    if (outcome == OUTCOME_OK && sim_noted(&settings, &noted) &&
        (device->iccid[0] == '\0' || strcmp(device->iccid, noted.iccid) == 0)) {
        device->applet = noted.applet;
        if (!device->asked)
            memcpy(device->iccid, noted.iccid, sizeof device->iccid);
    }
    settings_clear(&settings);
    return outcome;
}

/* ---- telling ---- */

static void fill(struct row *row, const struct device *device)
{
    const struct modem_identity *modem = &device->modem;
    bool named = modem->manufacturer[0] != '\0' || modem->model[0] != '\0';
    const char *const cells[COLUMNS] = {
        device->name,
        device->kind,
        device->driver[0] != '\0' ? device->driver : "-",
        device->holders[0] != '\0' ? device->holders : "-",
        NULL,
        device->iccid[0] != '\0' ? device->iccid : "-",
        device->applet != NULL ? device->applet : "not asked",
    };

    for (int i = 0; i < COLUMNS; i++)
        if (cells[i] != NULL)
            (void)snprintf(row->cells[i], sizeof row->cells[i], "%.290s", cells[i]);
    if (!named)
        (void)snprintf(row->cells[COLUMN_MODEM], sizeof row->cells[0], "%.290s",
                       device->error[0] != '\0' ? device->error : "-");
    else
        (void)snprintf(
            row->cells[COLUMN_MODEM], sizeof row->cells[0], "%s%s%s", modem->manufacturer,
            modem->manufacturer[0] != '\0' && modem->model[0] != '\0' ? " " : "", modem->model);
}

static enum outcome print_rows(const struct device_list *devices, struct report *why)
{
    static const struct row head = {
        {"device", "kind", "driver", "held by", "modem", "ICCID", "applets"}};
    struct row *rows = calloc(devices->count + 1, sizeof *rows);
    int widths[COLUMNS] = {0};

    if (rows == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    rows[0] = head;
    for (size_t i = 0; i < devices->count; i++)
        fill(&rows[i + 1], &devices->list[i]);
    for (size_t i = 0; i <= devices->count; i++)
        for (int column = 0; column < COLUMNS; column++)
            if ((int)strlen(rows[i].cells[column]) > widths[column])
                widths[column] = (int)strlen(rows[i].cells[column]);
    for (size_t i = 0; i <= devices->count; i++)
        text_line(stdout, "%-*s  %-*s  %-*s  %-*s  %-*s  %-*s  %s", widths[COLUMN_DEVICE],
                  rows[i].cells[COLUMN_DEVICE], widths[COLUMN_KIND], rows[i].cells[COLUMN_KIND],
                  widths[COLUMN_DRIVER], rows[i].cells[COLUMN_DRIVER], widths[COLUMN_HOLDERS],
                  rows[i].cells[COLUMN_HOLDERS], widths[COLUMN_MODEM], rows[i].cells[COLUMN_MODEM],
                  widths[COLUMN_ICCID], rows[i].cells[COLUMN_ICCID], rows[i].cells[COLUMN_APPLETS]);
    free(rows);
    return OUTCOME_OK;
}

static void add_device(struct tree *tree, const struct device *device)
{
    cJSON *object = tree_add_object(tree, tree->root, NULL);

    tree_add_text(tree, object, "device", device->name);
    tree_add_text(tree, object, "kind", device->kind);
    tree_add_text(tree, object, "driver", device->driver);
    tree_add_text(tree, object, "held_by", device->holders);
    tree_add_bool(tree, object, "configured", device->configured != NULL);
    tree_add_bool(tree, object, "asked", device->asked);
    tree_add_text(tree, object, "error", device->error);
    tree_add_text(tree, object, "manufacturer", device->modem.manufacturer);
    tree_add_text(tree, object, "model", device->modem.model);
    tree_add_text(tree, object, "revision", device->modem.revision);
    tree_add_text(tree, object, "imei", device->modem.imei);
    tree_add_text(tree, object, "sim", device->modem.sim_state);
    tree_add_text(tree, object, "iccid", device->iccid);
    if (device->applet != NULL)
        tree_add_text(tree, object, "applet", device->applet);
    else
        tree_add_null(tree, object, "applet");
}

static enum outcome print_json(const struct device_list *devices, struct report *why)
{
    struct tree tree;
    enum outcome outcome;

    tree_begin_array(&tree);
    for (size_t i = 0; i < devices->count; i++)
        add_device(&tree, &devices->list[i]);
    outcome = tree_print(&tree, why);
    tree_clear(&tree);
    return outcome;
}

static enum outcome run_devices(const struct command_line *line, struct sim *none,
                                struct report *why)
{
    struct device_list *devices = calloc(1, sizeof *devices);
    struct modems modems;
    enum outcome outcome;

    (void)none;
    if (devices == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    modems_init(&modems);
    outcome = command_line_modems(line, &modems, why);
    if (outcome == OUTCOME_OK)
        devices_find(devices, &modems, 1000 * atoi(ASK_SECONDS));
    for (size_t i = 0; outcome == OUTCOME_OK && i < devices->count; i++)
        outcome = ask(line, &modems, &devices->list[i], why);
    terminal_make_room();
    if (outcome == OUTCOME_OK && (line->given & OPTION_JSON) != 0)
        outcome = print_json(devices, why);
    else if (outcome == OUTCOME_OK && devices->count > 0)
        outcome = print_rows(devices, why);
    else if (outcome == OUTCOME_OK)
        outcome = report_set(why, OUTCOME_NO_MODEM,
                             "no modem port and no card reader was found: plug the modem in and "
                             "switch it on; dmesg tells whether the kernel saw it");
    modems_clear(&modems);
    free(devices);
    return outcome;
}

const struct command command_devices = {
    .name = "devices",
    .operands = "",
    .purpose = "every way to a SIM on this machine: device, driver, who has it open, modem, ICCID",
    .options = OPTION_JSON,
    .without_sim = true,
    .run = run_devices};
