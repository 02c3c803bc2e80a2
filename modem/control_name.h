/* SPDX-License-Identifier: Apache-2.0 */
/* What `device` says of a modem's control device, which speaks QMI or MBIM: "qmi:/dev/cdc-wdm0",
 * "mbim:/dev/wwan0mbim0,direct", or a path without a prefix where the kernel tells which it is. */
#ifndef SIMKEY_MODEM_CONTROL_NAME_H
#define SIMKEY_MODEM_CONTROL_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum control_protocol { CONTROL_NONE, CONTROL_QMI, CONTROL_MBIM };

#define CONTROL_QMI_PREFIX  "qmi:"
#define CONTROL_MBIM_PREFIX "mbim:"

struct control_name {
    enum control_protocol protocol; /* CONTROL_NONE: it is no such device */
    bool direct;                    /* ",direct": without a proxy */
    char path[PATH_MAX];            /* of the node, as it was named */
};

/* Takes a device's name apart. Without a prefix the kernel is asked (control_kind). */
void control_parse(const char *device, struct control_name *name);

/* What the kernel says of a node: the driver behind cdc-wdm (qmi_wwan, cdc_mbim), the type of a wwan
 * port; CONTROL_NONE for any other device. sysfs: where the kernel's files are, "/sys". */
enum control_protocol control_kind(const char *sysfs, const char *path);

/* The same by the kernel's name of the device: "cdc-wdm0". */
enum control_protocol control_kind_of(const char *sysfs, const char *name);

/* The AT ports of the same modem: "/dev/ttyUSB2, /dev/ttyUSB3", "" if there are none. */
void control_at_ports(const char *sysfs, const char *path, char *ports, size_t size);

/* The path that a device's name has in it; the name itself where it is no control device with a
 * prefix. For whoever looks at the device's file. */
const char *control_path(const char *device, char path[PATH_MAX]);

#endif
