/* SPDX-License-Identifier: Apache-2.0 */
/* See seat.h. */
#include "test/unit/seat.h"

#include "apdu/session/record.h"
#include "apdu/session/rundir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct modem_step seat_starts[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                         LINE("AT+CMEE=1", OK), LINE(CRSM, CRSM_SAYS), MODEM_END};

#define DOES_NOT_KNOW "\r\nERROR\r\n"

const struct modem_step seat_starts_without_iccid[] = {LINE("AT", OK),
                                                       LINE("ATE0V1Q0", OK),
                                                       LINE("AT+CMEE=1", OK),
                                                       LINE(CRSM, NO_ICCID),
                                                       LINE("AT+CCID", DOES_NOT_KNOW),
                                                       LINE("AT+ICCID", DOES_NOT_KNOW),
                                                       LINE("AT+QCCID", DOES_NOT_KNOW),
                                                       LINE("AT#CCID", DOES_NOT_KNOW),
                                                       LINE("AT+CICCID", DOES_NOT_KNOW),
                                                       LINE("AT%XICCID", DOES_NOT_KNOW),
                                                       LINE("AT+CCID?", DOES_NOT_KNOW),
                                                       LINE("AT+ICCID?", DOES_NOT_KNOW),
                                                       LINE("AT+QCCID?", DOES_NOT_KNOW),
                                                       LINE("AT#CCID?", DOES_NOT_KNOW),
                                                       LINE("AT+CICCID?", DOES_NOT_KNOW),
                                                       LINE("AT%XICCID?", DOES_NOT_KNOW),
                                                       MODEM_END};

const struct modem_step seat_no_channels[] = {
    LINE("AT", OK),
    LINE("ATE0V1Q0", OK),
    LINE("AT+CMEE=1", OK),
    LINE(CRSM, CRSM_SAYS),
    CSIM("81 F2 00 0C", "6881"),
    CSIM("82 F2 00 0C", "6881"),
    CSIM("83 F2 00 0C", "6881"),
    CSIM("C0 F2 00 0C", "6881"),
    CSIM("C1 F2 00 0C", "6881"),
    CSIM("C2 F2 00 0C", "6881"),
    CSIM("C3 F2 00 0C", "6881"),
    CSIM("C4 F2 00 0C", "6881"),
    CSIM("C5 F2 00 0C", "6881"),
    CSIM("C6 F2 00 0C", "6881"),
    CSIM("C7 F2 00 0C", "6881"),
    CSIM("C8 F2 00 0C", "6881"),
    CSIM("C9 F2 00 0C", "6881"),
    CSIM("CA F2 00 0C", "6881"),
    CSIM("CB F2 00 0C", "6881"),
    CSIM("CC F2 00 0C", "6881"),
    CSIM("CD F2 00 0C", "6881"),
    CSIM("CE F2 00 0C", "6881"),
    CSIM("CF F2 00 0C", "6881"),
    MODEM_END};

static void begin(struct seat *seat, const struct modem_step *steps,
                  const struct modem_step *standing, const char *source, const char *pin,
                  const char *name, const char *value)
{
    struct settings settings;

    report_clear(&seat->why);
    seat->key.name = (struct token_name){.container = 0, .id_length = 1, .id = {0x31}};
    seat->key.type = TOKEN_RSA;
    seat->key.bits = 2048;
    modem_start(&seat->modem, steps, standing ? standing : seat_starts);
    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", seat->modem.device, &seat->why), OUTCOME_OK,
           &seat->why);
    EXPECT(settings_set(&settings, source, pin, &seat->why), OUTCOME_OK, &seat->why);
    EXPECT(settings_set(&settings, "timeout", "8", &seat->why), OUTCOME_OK, &seat->why);
    EXPECT(settings_set(&settings, "run-dir", seat->run_dir.path, &seat->why), OUTCOME_OK,
           &seat->why);
    if (name)
        EXPECT(settings_set(&settings, name, value, &seat->why), OUTCOME_OK, &seat->why);
    EXPECT(sim_new(&seat->sim, &settings, &seat->why), OUTCOME_OK, &seat->why);
    settings_clear(&settings);
}

void seat_begin(struct seat *seat, const struct modem_step *steps,
                const struct modem_step *standing, const char *name, const char *value)
{
    memset(seat, 0, sizeof *seat);
    folder_make(&seat->run_dir);
    begin(seat, steps, standing, "pin", "0000", name, value);
}

void seat_begin_with_file(struct seat *seat, const struct modem_step *steps,
                          const struct modem_step *standing, const char *name, const char *value)
{
    char path[192];

    memset(seat, 0, sizeof *seat);
    folder_make(&seat->run_dir);
    folder_write(&seat->run_dir, "pin", "0000\n", 5, 0600, path);
    begin(seat, steps, standing, "pin-source", path, name, value);
}

void seat_end_at(struct seat *seat, const char *file, int line)
{
    sim_free(seat->sim);
    seat->sim = NULL;
    modem_finish_at(&seat->modem, file, line);
    folder_remove(&seat->run_dir);
}

enum outcome seat_sign_as(struct seat *seat, enum token_scheme scheme, enum token_hash hash,
                          size_t digest_length)
{
    uint8_t digest[64];
    const struct token_digest what = {scheme, hash, digest, digest_length};

    memset(digest, 0xDD, sizeof digest);
    report_clear(&seat->why);
    return token_sign(seat->sim, &seat->key, &what, seat->signature, &seat->length,
                      sim_deadline(seat->sim), &seat->why);
}

enum outcome seat_sign(struct seat *seat)
{
    return seat_sign_as(seat, TOKEN_PKCS1, TOKEN_SHA256, 32);
}

void seat_signs_at(struct seat *seat, const char *file, int line)
{
    memset(seat->signature, 0, sizeof seat->signature);
    seat->length = 0;
    check_outcome(file, line, "token_sign", seat_sign(seat), OUTCOME_OK, &seat->why);
    check_bytes(file, line, seat->signature, seat->length, "51674E");
}

enum owner seat_owner(const struct settings *settings, unsigned number)
{
    const struct channel channel = {
        .open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
    const struct owned *owned;
    struct record record;

    (void)record_peek(settings, &record);
    owned = owners_find(&record.owners, &channel);
    return owned != NULL ? owners_state(owned) : OWNER_NONE;
}

void seat_hold(const struct settings *settings, unsigned number)
{
    const struct channel channel = {
        .open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
    struct record record;
    int fd = record_open(settings, &record);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    owners_hold(&record.owners, &channel, getpid(), rundir_process_start(getpid()));
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
}
