/* SPDX-License-Identifier: Apache-2.0 */
/* Cards in folders under /tmp; the keys of the first one serve all that follow, because making them
 * takes a second. */
#include "test/unit/sim_seat.h"

#include "test/sim/personalise.h"
#include "test/unit/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 8 /* before the switches */

static char pool[128]; /* the first card's folder, which stays until the end */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_pool(void)
{
    (void)nftw(pool, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool read_switches(struct sim_seat *s, const char *const *words, const char *const *switches)
{
    char *argv[WORDS + SIM_SWITCHES] = {NULL};
    int count = 0;

    while (*words != NULL)
        argv[count++] = (char *)(uintptr_t)*words++;
    while (*switches != NULL && count < WORDS + SIM_SWITCHES)
        argv[count++] = (char *)(uintptr_t)*switches++;
    return options_read(&s->options, count, argv);
}

static void power(struct sim_seat *s)
{
    if (!card_open(&s->card, s->dir)) {
        FAIL("no card in %s", s->dir);
        abort();
    }
    uicc_start(&s->uicc, &s->card, &s->options, &s->trace);
}

static void power_off(struct sim_seat *s)
{
    uicc_end(&s->uicc);
    card_close(&s->card);
}

/* The first card has no keys of other kinds. */
static bool has_keys_for(const char *const *switches)
{
    for (; *switches != NULL; switches++) {
        if (strcmp(*switches, "rsa2048") == 0 || strcmp(*switches, "both") == 0)
            return false;
    }
    return pool[0] != '\0';
}

void sim_sit(struct sim_seat *s, const char *const *switches)
{
    const char *const words[] = {
        "simmodem", "--card", s->dir, "--new", has_keys_for(switches) ? "--keys-of" : NULL,
        pool,       NULL};

    *s = (struct sim_seat){.trace = {.file = NULL}};
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/simkey-seat-XXXXXX");
    if (mkdtemp(s->dir) == NULL || !read_switches(s, words, switches) ||
        !personalise(&s->options)) {
        FAIL("no card can be made in %s", s->dir);
        abort();
    }
    power(s);
}

void sim_again(struct sim_seat *s, const char *const *switches)
{
    const char *const words[] = {"simmodem", "--card", s->dir, "--link", "none", NULL};

    power_off(s);
    if (!read_switches(s, words, switches))
        FAIL("the switches are wrong");
    power(s);
}

void sim_leave(struct sim_seat *s)
{
    power_off(s);
    bytes_free(&s->answer);
    if (pool[0] == '\0') {
        (void)snprintf(pool, sizeof pool, "%s", s->dir);
        (void)atexit(remove_pool);
    } else {
        (void)nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
}

long sim_send(struct sim_seat *s, const char *command)
{
    uint8_t octets[300];
    size_t size = bytes_of(command, octets, sizeof octets);

    bytes_free(&s->answer);
    return uicc_exchange(&s->uicc, SOURCE_CSIM, octets, size, &s->answer);
}

void sim_says(const char *file, int line, struct sim_seat *s, const char *command,
              const char *answer)
{
    (void)sim_send(s, command);
    check_bytes(file, line, s->answer.data, s->answer.size, answer);
}

void sim_select(struct sim_seat *s, const char *aid)
{
    char command[64];

    SIM_SAYS(s, "0070000001", "01 9000");
    (void)snprintf(command, sizeof command, "01A4040C%02zX%s", strlen(aid) / 2, aid);
    SIM_SAYS(s, command, "9000");
}
