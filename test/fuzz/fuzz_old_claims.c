/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what stands in a file by which an older program says whose a channel is. */
#include "apdu/session/old_claims.h"
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
    enum owner claims[CHANNEL_MAX + 1];
    struct settings settings;
    struct report why = REPORT_INIT;

    if (claim[0] == '\0')
        make_folder();
    settings_init(&settings);
    REQUIRE(settings_set(&settings, "device", "/proc/none/modem", &why) == OUTCOME_OK);
    REQUIRE(settings_set(&settings, "run-dir", neighbour_run_dir(), &why) == OUTCOME_OK);
    write_claim(data, size);
    old_claims_read(&settings, claims);
    REQUIRE(claims[CHANNEL] == OWNER_IS_DEAD || claims[CHANNEL] == OWNER_LIVES); /* not locked */
    old_claims_remove(&settings, CHANNEL);
    old_claims_read(&settings, claims);
    for (unsigned number = 0; number <= CHANNEL_MAX; number++)
        REQUIRE(claims[number] == OWNER_NONE);
    settings_clear(&settings);
    return 0;
}
