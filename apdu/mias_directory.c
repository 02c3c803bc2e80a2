/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of mIAS's files, remembered by the process while the SIM and the session stay. */
#include "apdu/token_mias.h"

#include "apdu/applet/mias.h"
#include "apdu/session/operation.h"

#include <stdlib.h>
#include <string.h>

struct remembered {
    char iccid[ICCID_SIZE]; /* the SIM whose directory it is, "" if none is */
    size_t count;
    struct mias_entry list[MIAS_ENTRIES];
};

enum outcome mias_directory(struct operation *operation, const struct mias_entry **list,
                            size_t *count, struct report *why)
{
    struct sim *sim = operation->sim;
    const char *iccid = operation->current->iccid;
    struct remembered *remembered = sim->family_state;
    enum outcome outcome = OUTCOME_OK;

    *count = 0;
    if (remembered == NULL)
        remembered = sim->family_state = calloc(1, sizeof *remembered);
    if (remembered == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (operation->just_selected || iccid[0] == '\0' || strcmp(iccid, remembered->iccid) != 0) {
        remembered->iccid[0] = '\0';
        outcome = mias_read_directory(&operation->card, remembered->list, &remembered->count, why);
        if (outcome == OUTCOME_OK)
            memcpy(remembered->iccid, iccid, ICCID_SIZE);
    }
    *list = remembered->list;
    *count = outcome == OUTCOME_OK ? remembered->count : 0;
    return outcome;
}
