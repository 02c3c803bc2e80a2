/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what stands in /proc (proc.h), where other users name their programs and files: who
 * has the port open (simkey doctor), who holds its lock, when a process started. The first byte
 * chooses. */
#include "test/fuzz/proc.h"

#include "apdu/session/rundir.h"
#include "modem/transport.h"
#include "provider/tool/doctor/doctor.h"
#include "test/fuzz/line.h"

#include <ctype.h>
#include <string.h>

#define TTY_MAJOR 188
#define PTY_MAJOR 136
#define WAIT_MS   50

static void check_text(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        REQUIRE(!iscntrl((unsigned char)*c));
}

static void look_for_holders(struct span *input, unsigned major_number)
{
    struct doctor doctor = {
        .step = "holders", .json = true, .transport = transport_of(LINE_DEVICE)};
    const cJSON *said;
    char *text;

    tree_begin_array(&doctor.steps);
    (void)memcpy(doctor.real, LINE_DEVICE, sizeof LINE_DEVICE);
    proc_start(input, major_number, 3);
    doctor_holders(&doctor);
    proc_stop();
    REQUIRE(cJSON_GetArraySize(doctor.steps.root) == 1); /* a step says one thing */
    cJSON_ArrayForEach(said, doctor.steps.root->child) if (cJSON_IsString(said))
        check_text(said->valuestring);
    text = cJSON_Print(doctor.steps.root);
    REQUIRE(text != NULL);
    cJSON_free(text);
    tree_clear(&doctor.steps);
}

static void never_heard(void *arg, const char *text)
{
    (void)arg, (void)text;
}

static void find_lock_holder(struct span *input)
{
    const struct transport_target target = {.device = LINE_DEVICE, .baud = 115200};
    struct report why = REPORT_INIT;
    struct transport transport;
    enum outcome outcome;

    line_start(never_heard, NULL);
    line_lock_elsewhere();
    proc_start(input, TTY_MAJOR, 3);
    outcome = transport_begin(&transport, &target, deadline_in(WAIT_MS), &why);
    proc_stop();
    REQUIRE(outcome == OUTCOME_PORT_BUSY);
    check_report(outcome, &why);
    transport_end(&transport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};

    switch (input_byte(&input) % 4) {
    case 0:
        look_for_holders(&input, TTY_MAJOR);
        break;
    case 1:
        look_for_holders(&input, PTY_MAJOR);
        break;
    case 2:
        find_lock_holder(&input);
        break;
    default:
        proc_start(&input, TTY_MAJOR, 3);
        (void)rundir_process_start(4711);
        proc_stop();
    }
    return 0;
}
