/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what stands in a claim, the file in the run-dir that says whose a channel is. */
#include "apdu/session/claim.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/neighbour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHANNEL 3

static char claim[160];

static void remove_claim(void)
{
    (void)unlink(claim);
}

static void make_folder(void)
{
    (void)snprintf(claim, sizeof claim, "%s/proc-none-modem.channel-%d", neighbour_run_dir(),
                   CHANNEL);
    REQUIRE(atexit(remove_claim) == 0);
}

static void write_claim(const uint8_t *data, size_t size)
{
    int fd = open(claim, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    struct report why = REPORT_INIT;
    int held;

    if (claim[0] == '\0')
        make_folder();
    settings_init(&settings);
    REQUIRE(settings_set(&settings, "device", "/proc/none/modem", &why) == OUTCOME_OK);
    REQUIRE(settings_set(&settings, "run-dir", neighbour_run_dir(), &why) == OUTCOME_OK);
    write_claim(data, size);
    REQUIRE(claim_look(&settings, CHANNEL) != CLAIM_NONE);
    REQUIRE(claim_look(&settings, CHANNEL) != CLAIM_HELD); /* nobody locks it */
    claim_release(&settings, CHANNEL, -1);
    write_claim(data, size);
    held = claim_take(&settings, CHANNEL, true); /* whatever stood there */
    REQUIRE(held >= 0 && claim_look(&settings, CHANNEL) == CLAIM_HELD);
    claim_release(&settings, CHANNEL, held);
    REQUIRE(claim_look(&settings, CHANNEL) == CLAIM_NONE);
    settings_clear(&settings);
    return 0;
}
