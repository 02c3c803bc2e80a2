/* SPDX-License-Identifier: Apache-2.0 */
/* A seat (seat.h) whose SIM has the SAFE2 applet: its commands on channel 1 as macros, and calls
 * that judge. */
#ifndef SIMKEY_TEST_UNIT_SAFE2_SEAT_H
#define SIMKEY_TEST_UNIT_SAFE2_SEAT_H

#include "apdu/safe2/applet.h"
#include "test/unit/seat.h"

#define SAFE2_AID       "F0706F646773616665320101"
#define SELECT_SAFE2    CSIM("01 A4 04 0C 0C " SAFE2_AID, "9000")
#define SET_ID          CSIM("01 DA 02 C0 02 A1B2", "9000")
#define SET_ID_1        CSIM("01 DA 02 C0 01 A1", "9000")
#define START           CSIM("01 CA 00 00 00", "9000")
#define START_LINE(say) LINE("AT+CSIM=10,\"01CA000000\"", say)
#define SEND            CSIM("01 DA 02 C1 05 68656C6C6F", "9000")
#define ASK(says)       CSIM("01 CC 02 00 00", says)
#define ASK_SENT(says)  CSIM("01 CC 01 00 00", says)
#define FETCH(says)     CSIM("01 CA 01 00 00", says)

/* Before a channel is closed the applet is asked whether it is still its own. */
#define BYE ASK("00010000 9000"), CLOSE

/* The usual start-up, for standing answers. */
#define WAKING   LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK)
#define STARTING WAKING, LINE(CRSM, CRSM_SAYS)

/* With the id A1B2; the telemetry is "hello". */
enum outcome request(struct seat *seat);
enum outcome send_hello(struct seat *seat);

/* The job's state is this one. */
void asks_at(struct seat *seat, enum safe2_job job, unsigned state, unsigned result,
             const char *file, int line);
#define asks(seat, job, state, result) asks_at(seat, job, state, result, __FILE__, __LINE__)

/* It fetches these bytes. */
void fetches_at(struct seat *seat, const char *hex, const char *file, int line);
#define fetches(seat, hex) fetches_at(seat, hex, __FILE__, __LINE__)

/* It fetches nothing, for which exit status 4 stands; the report is the seat's. */
void fails_to_fetch_at(struct seat *seat, const char *file, int line);
#define fails_to_fetch(seat) fails_to_fetch_at(seat, __FILE__, __LINE__)

/* The whole of a small file as text. */
void read_text(const struct folder *folder, const char *name, char *text, size_t size);

#endif
