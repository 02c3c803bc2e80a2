/* SPDX-License-Identifier: Apache-2.0 */
/* simkey devices: the ways to a SIM that this machine has. */
#ifndef SIMKEY_PROVIDER_TOOL_DEVICES_H
#define SIMKEY_PROVIDER_TOOL_DEVICES_H

#include "apdu/modems.h"
#include "modem/identity.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define DEVICES_MAX 64

/* One way to a SIM. Texts are "" where nothing is known. */
struct device {
    char name[PATH_MAX]; /* for the setting `device`: the name that lasts, where there is one */
    char real[PATH_MAX]; /* the file without symbolic links; "" where there is none */
    const char *kind;    /* for people: "serial port", "card reader" */
    char driver[64];
    bool control;                      /* QMI or MBIM: asked by its proxy, if it is configured */
    bool asks;                         /* it is a modem's, or configured: it may be asked */
    const struct settings *configured; /* borrowed from the modems; NULL: it is not */
    char holders[256];                 /* other programs that have it open */
    bool asked;
    struct modem_identity modem;
    char iccid[ICCID_SIZE];
    const char *applet; /* as the record has it; NULL: nothing is known */
    char error[256];    /* why it was not asked, or did not answer */
};

struct device_list {
    struct device list[DEVICES_MAX];
    size_t count;
};

/* Fills the list with what the kernel, pcscd and the configuration know. Opens no port. timeout_ms: how
 * long pcscd may take. */
void devices_find(struct device_list *devices, const struct modems *modems, int timeout_ms);

#endif
