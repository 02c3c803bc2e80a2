/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of a card reader (PC/SC); only with SIMKEY_PCSC. */
#ifndef SIMKEY_MODEM_PCSC_H
#define SIMKEY_MODEM_PCSC_H

#include "modem/transport.h"

extern const struct transport_ops transport_pcsc;

/* See transport_readers. */
void pcsc_readers(char *names, size_t size, struct deadline deadline);

#endif
