/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of a modem's AT port: begin, wake, what is asked of the modem itself, and the choice
 * between its two carriers. */
#ifndef SIMKEY_MODEM_AT_MODEM_H
#define SIMKEY_MODEM_AT_MODEM_H

#include "modem/at.h"
#include "modem/transport.h"

/* What stands behind transport->self. */
struct at_modem {
    struct at at;
    const char *device; /* as it was configured; borrowed */
};

extern const struct transport_ops transport_at;

#endif
