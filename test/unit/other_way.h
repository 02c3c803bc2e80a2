/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites other_way and missing_applet have in common: the way by AT+CCHO as macros, and modems that
 * fail. */
#ifndef SIMKEY_TEST_UNIT_OTHER_WAY_H
#define SIMKEY_TEST_UNIT_OTHER_WAY_H

#include "test/unit/channels.h"

#define CCHO_LINE       "AT+CCHO=\"" MIAS_AID "\""
#define CCHO_SAYS(says) LINE(CCHO_LINE, says)
#define CCHO_OPENS      CCHO_SAYS("\r\n+CCHO: 1\r\n" OK)
#define CCHC            LINE("AT+CCHC=1", OK)
#define CCHO_UNLOCKS    CGLA("00 20 00 81", "63C3"), ECHO_OFF, CGLA("00 20 00 81 04 30303030", "9000")
#define CCHO_SIGNS                                                                                 \
    CGLA("00 22 41 B6 06 800142 840131", "9000"),                                                  \
        CGLA("00 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),                                  \
        CGLA("00 2A 9E 9A 00", "51674E 9000")
#define CCHO_VERIFIES CCHO_OPENS, CCHO_UNLOCKS
#define CCHO_COLD     CCHO_VERIFIES, CCHO_SIGNS
#define CCHO_WARM                                                                                  \
    CGLA("00 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"), CGLA("00 2A 9E 9A 00", "51674E "     \
                                                                                     "9000")
#define CME(number) "\r\n+CME ERROR: " number "\r\n"

#define OPEN_LINE "AT+CSIM=10,\"0070000001\""
#define ALL_LINE  "AT+CSIM=10,\"0070000000\""

/* How a modem says that it does not do it, whatever the reason. */
static const char *const failures[] = {CME("0"), CME("13"), CME("100")};
#define FAILURES (sizeof failures / sizeof failures[0])

/* What a process knows ends with it; the record stays. */
static inline void next_process(struct seat *seat)
{
    struct sim *next;

    EXPECT(sim_new(&next, sim_settings(seat->sim), &seat->why), OUTCOME_OK, &seat->why);
    sim_free(seat->sim);
    seat->sim = next;
}

#endif
