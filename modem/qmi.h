/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of a modem's QMI control device, through qmi-proxy or directly. The modem opens a
 * channel together with an applet; a channel is the card's own, and outlives the client id. */
#ifndef SIMKEY_MODEM_QMI_H
#define SIMKEY_MODEM_QMI_H

#include "modem/transport.h"

extern const struct transport_ops transport_qmi;

#endif
