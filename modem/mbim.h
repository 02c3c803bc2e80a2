/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of a modem's MBIM control device, through mbim-proxy or directly. The modem opens a channel
 * together with an applet, for simkey's group of channels. */
#ifndef SIMKEY_MODEM_MBIM_H
#define SIMKEY_MODEM_MBIM_H

#include "modem/transport.h"

extern const struct transport_ops transport_mbim;

#endif
