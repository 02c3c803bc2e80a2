/* SPDX-License-Identifier: Apache-2.0 */
/* Type A for programs, see typea.h. Where it is found in a SIM is in typea_sim.c. */
#include "apdu/token_ops.h"

enum outcome typea_certificate(struct sim *sim, const char *iccid, enum typea_store store,
                               struct typea_blob *blob, struct report *why)
{
    const struct typea_wish wish = {.iccid = iccid, .store = store, .private_key = false};

    return token_available(sim, &wish, blob, why);
}

enum outcome typea_key(struct sim *sim, const char *iccid, enum typea_store store,
                       struct typea_blob *blob, struct report *why)
{
    const struct typea_wish wish = {.iccid = iccid, .store = store, .private_key = true};

    return token_available(sim, &wish, blob, why);
}
