/* SPDX-License-Identifier: Apache-2.0 */
/* See safe2_seat.h. */
#include "test/unit/safe2_seat.h"

#include <stdio.h>
#include <string.h>

static const uint8_t device_id[2] = {0xA1, 0xB2};

enum outcome request(struct seat *seat)
{
    report_clear(&seat->why);
    return safe2_request(seat->sim, device_id, sizeof device_id, &seat->why);
}

enum outcome send_hello(struct seat *seat)
{
    report_clear(&seat->why);
    return safe2_send(seat->sim, device_id, sizeof device_id, (const uint8_t *)"hello", 5,
                      &seat->why);
}

void asks_at(struct seat *seat, enum safe2_job job, unsigned state, unsigned result,
             const char *file, int line)
{
    struct safe2_status status = {.known = false, .state = 0xEEEE, .result = 0xEEEE};

    report_clear(&seat->why);
    check_outcome(file, line, "safe2_status", safe2_status(seat->sim, job, &status, &seat->why),
                  OUTCOME_OK, &seat->why);
    check_number(file, line, "known", status.known, true);
    check_number(file, line, "the state", status.state, state);
    check_number(file, line, "the result", status.result, result);
}

void fetches_at(struct seat *seat, const char *hex, const char *file, int line)
{
    uint8_t data[SAFE2_DATA_MAX];
    size_t length = 0;

    memset(data, 0xEE, sizeof data);
    report_clear(&seat->why);
    check_outcome(file, line, "safe2_fetch", safe2_fetch(seat->sim, data, &length, &seat->why),
                  OUTCOME_OK, &seat->why);
    check_bytes(file, line, data, length, hex);
}

void fails_to_fetch_at(struct seat *seat, const char *file, int line)
{
    uint8_t data[SAFE2_DATA_MAX];
    size_t length = 0;
    enum outcome outcome;

    memset(data, 0xEE, sizeof data);
    report_clear(&seat->why);
    outcome = safe2_fetch(seat->sim, data, &length, &seat->why);
    check_number(file, line, "the exit status", outcome_exit_status(outcome),
                 seat->why.sw == 0x6A88 ? 3 : 4);
    check_number(file, line, "a sentence", seat->why.text[0] != '\0', true);
    check_number(file, line, "the length", (long long)length, 0);
    check_number(file, line, "untouched data", data[0] == 0xEE && data[255] == 0xEE, true);
}

void read_text(const struct folder *folder, const char *name, char *text, size_t size)
{
    char path[192];
    FILE *file;
    size_t length = 0;

    snprintf(path, sizeof path, "%s/%.50s", folder->path, name);
    file = fopen(path, "re");
    if (file) {
        length = fread(text, 1, size - 1, file);
        fclose(file);
    } else {
        FAIL("there is no file %s", path);
    }
    text[length] = '\0';
}
