/* SPDX-License-Identifier: Apache-2.0 */
/* simkey-agent as a family of token_ops.h: the device `agent` or `agent:/path`. Holds nothing between
 * operations: each is a connection, a packet there, and a packet back. */
#ifndef SIMKEY_APDU_AGENT_CLIENT_H
#define SIMKEY_APDU_AGENT_CLIENT_H

#include "apdu/token_ops.h"

extern const struct token_ops token_agent;

/* The ICCID of the SIM that is looked for, if the agent has it in one of its modems, else an error
 * (OUTCOME_WRONG_SIM); wanted "": that of its first modem. */
enum outcome agent_iccid(struct sim *sim, const char *wanted, char iccid[ICCID_SIZE],
                         struct deadline deadline, struct report *why);

#endif
