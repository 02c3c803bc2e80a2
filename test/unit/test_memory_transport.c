/* SPDX-License-Identifier: Apache-2.0 */
/* The seam of transports, from above: sim.h and token.h over a transport that is neither a modem's
 * port nor a card reader. */
#include "apdu/token.h"
#include "test/unit/check.h"
#include "test/unit/memory_transport.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* A command without channel bits, what it is answered, and what happens then. */
struct memory_step {
    const char *command, *answer;
    unsigned events;
};

#define MIAS_AID "A0000000188000000006624151"
#define DIGEST   "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"
#define SELECT                                                                                     \
    {                                                                                              \
        "00A4040C0D" MIAS_AID, "9000", 0                                                           \
    }
#define STATE                                                                                      \
    {                                                                                              \
        "00200081", "63C3", 0                                                                      \
    }
#define VERIFY                                                                                     \
    {                                                                                              \
        "002000810430303030", "9000", 0                                                            \
    }
#define MSE                                                                                        \
    {                                                                                              \
        "002241B606800142840131", "9000", 0                                                        \
    }
#define HASH                                                                                       \
    {                                                                                              \
        "002A90A0229020" DIGEST "00", DIGEST "9000", 0                                             \
    }
#define CDS                                                                                        \
    {                                                                                              \
        "002A9E9A00", "51674E9000", 0                                                              \
    }
#define COLD SELECT, STATE, VERIFY, MSE, HASH, CDS
#define WARM HASH, CDS
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0                                                                              \
    }

struct bed {
    struct memory memory;
    struct folder run_dir;
    struct sim *sim;
    const struct memory_step *next;
    struct report why;
};

static enum outcome apdu(void *arg, uint8_t channel, struct exchange *exchange, unsigned *events,
                         struct report *why)
{
    struct bed *bed = arg;
    uint8_t awaited[APDU_COMMAND_SIZE];
    size_t length;

    (void)channel;
    if (bed->next->command == NULL) {
        FAIL("a command of %zu bytes came after the last one", exchange->length);
        return report_set(why, OUTCOME_REFUSED, "nothing more was awaited");
    }
    length = bytes_of(bed->next->command, awaited, sizeof awaited);
    if (length != exchange->length || memcmp(awaited, exchange->command, length) != 0)
        FAIL("another command came than %s", bed->next->command);
    *events |= bed->next->events;
    if (bed->next->events & EVENT_RESTARTED)
        memory_reset(&bed->memory);
    length = bytes_of(bed->next->answer, exchange->answer, APDU_ANSWER_SIZE);
    bed->next++;
    exchange->answer_length = length;
    return length > 0 ? OUTCOME_OK : report_set(why, OUTCOME_LOST, "no answer");
}

static void bed_begin(struct bed *bed, const struct memory_step *steps, const char *carrier)
{
    struct settings settings;

    memset(bed, 0, sizeof *bed);
    report_clear(&bed->why);
    folder_make(&bed->run_dir);
    memory_init(&bed->memory);
    bed->memory.apdu = apdu;
    bed->memory.arg = bed;
    bed->next = steps;
    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "memory", &bed->why), OUTCOME_OK, &bed->why);
    EXPECT(settings_set(&settings, "pin", "0000", &bed->why), OUTCOME_OK, &bed->why);
    EXPECT(settings_set(&settings, "timeout", "8", &bed->why), OUTCOME_OK, &bed->why);
    EXPECT(settings_set(&settings, "transport", carrier, &bed->why), OUTCOME_OK, &bed->why);
    EXPECT(settings_set(&settings, "run-dir", bed->run_dir.path, &bed->why), OUTCOME_OK, &bed->why);
    EXPECT(sim_new(&bed->sim, &settings, &bed->why), OUTCOME_OK, &bed->why);
    settings_clear(&settings);
    sim_reach_by(bed->sim, &bed->memory.ops);
}

static void bed_end(struct bed *bed)
{
    sim_free(bed->sim);
    CU_ASSERT_PTR_NULL(bed->next->command);
    EXPECT_NUMBER(memory_channels(&bed->memory), 0);
    EXPECT_NUMBER(bed->memory.ends, bed->memory.begins);
    folder_remove(&bed->run_dir);
}

static enum outcome bed_try(struct bed *bed, uint8_t signature[TOKEN_SIGNATURE_MAX], size_t *length)
{
    const struct token_key key = {
        .name = {.container = 0, .id_length = 1, .id = {0x31}}, .type = TOKEN_RSA, .bits = 2048};
    uint8_t digest[32];
    const struct token_digest what = {TOKEN_PKCS1, TOKEN_SHA256, digest, sizeof digest};

    *length = 0;
    memset(digest, 0xDD, sizeof digest);
    return token_sign(bed->sim, &key, &what, signature, length, sim_deadline(bed->sim), &bed->why);
}

static void bed_signs(struct bed *bed)
{
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    size_t length;

    EXPECT(bed_try(bed, signature, &length), OUTCOME_OK, &bed->why);
    EXPECT_BYTES(signature, length, "51674E");
}

static void a_signature_goes_through_it(void)
{
    static const struct memory_step steps[] = {COLD, WARM, WARM, END};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed_signs(&bed);
    bed_signs(&bed);
    bed_signs(&bed);
    EXPECT_NUMBER(bed.memory.opens, 1);
    EXPECT_NUMBER(bed.memory.iccids, 1);
    EXPECT_NUMBER(bed.memory.begins, 3);
    EXPECT_NUMBER(bed.memory.starts, 1);
    bed_end(&bed);
    EXPECT_NUMBER(bed.memory.closes, 1);
}

/* What it tells of a restart in the middle: the session is gone, nothing of it is closed. */
static void after_its_restart_another_session_is_made(void)
{
    static const struct memory_step steps[] = {
        COLD, {"002A90A0229020" DIGEST "00", "", EVENT_RESTARTED}, COLD, WARM, END};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed_signs(&bed);
    bed_signs(&bed);
    bed_signs(&bed);
    EXPECT_NUMBER(bed.memory.opens, 2);
    EXPECT_NUMBER(bed.memory.starts, 2);
    EXPECT_NUMBER(bed.memory.closes, 0);
    bed_end(&bed);
}

/* The same, told by the waking before an operation: no command is lost then. */
static void a_restart_before_the_operation_costs_nothing_more(void)
{
    static const struct memory_step steps[] = {COLD, COLD, END};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed_signs(&bed);
    memory_reset(&bed.memory);
    bed.memory.wake_events = EVENT_RESTARTED;
    bed_signs(&bed);
    EXPECT_NUMBER(bed.memory.closes, 0);
    bed_end(&bed);
}

static void its_own_words_say_what_happened(void)
{
    static const struct memory_step steps[] = {{"00B0000000", "", EVENT_RESTARTED}, END};
    static const uint8_t command[] = {0x00, 0xB0, 0x00, 0x00, 0x00};
    const uint8_t *const commands[] = {command};
    const size_t lengths[] = {sizeof command};
    const struct sim_raw raw = {.count = 1, .commands = commands, .lengths = lengths};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    EXPECT(sim_raw(bed.sim, &raw, &bed.why), OUTCOME_LOST, &bed.why);
    EXPECT_SAYS(bed.why.text, "the memory was wiped");
    bed_end(&bed);
}

/* An answer that nobody asked for: once the work is begun again on another channel. */
static void an_answer_too_many_costs_a_new_start(void)
{
    static const struct memory_step steps[] = {
        SELECT, {"00200081", "63C3", EVENT_UNASKED | EVENT_FOREIGN}, COLD, END};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed_signs(&bed);
    EXPECT_NUMBER(bed.memory.opens, 2);
    EXPECT_NUMBER(bed.memory.closes, 1);
    CU_ASSERT(bed.memory.quiet_ms > 0);
    bed_end(&bed);
}

/* An answer that is outstanding: the channel is kept for the next one to close, behind silence. */
static void a_late_answer_is_waited_for_by_the_next_one(void)
{
    static const struct memory_step steps[] = {
        COLD, {"002A90A0229020" DIGEST "00", "", EVENT_LATE}, COLD, END};
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed_signs(&bed);
    bed_signs(&bed);
    CU_ASSERT(bed.memory.quiet_ms > 1000);
    EXPECT_NUMBER(bed.memory.closes, 1);
    bed_end(&bed);
}

static void it_tells_who_it_is(void)
{
    static const struct memory_step steps[] = {END};
    struct modem_identity identity;
    enum registration state = REGISTRATION_DONE;
    char iccid[ICCID_SIZE];
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    EXPECT(sim_identity(bed.sim, &identity, iccid, &bed.why), OUTCOME_OK, &bed.why);
    EXPECT_TEXT(identity.model, "memory");
    EXPECT_TEXT(iccid, "89880330000000000017");
    EXPECT(sim_registration(bed.sim, &state, &bed.why), OUTCOME_OK, &bed.why);
    EXPECT_NUMBER(state, REGISTRATION_UNKNOWN); /* it knows no network */
    EXPECT_NUMBER(bed.memory.opens, 0);
    bed_end(&bed);
}

/* Where it cannot tell the ICCID, the card does. */
static void the_card_tells_the_iccid_where_it_cannot(void)
{
    static const struct memory_step steps[] = {{"00A40804022FE200", "6207800200 0A8A01059000", 0},
                                               {"00B000000A", "988800 330000000000719000", 0},
                                               END};
    struct modem_identity identity;
    char iccid[ICCID_SIZE];
    struct bed bed;

    bed_begin(&bed, steps, "auto");
    bed.memory.ops.iccid = NULL;
    EXPECT(sim_identity(bed.sim, &identity, iccid, &bed.why), OUTCOME_OK, &bed.why);
    EXPECT_TEXT(iccid, "89880033000000000017");
    EXPECT_NUMBER(bed.memory.iccids, 0);
    bed_end(&bed);
    EXPECT_NUMBER(bed.memory.closes, 1);
}

/* It opens channels in one way, whatever is set for modems. */
static void its_one_way_is_taken(void)
{
    static const struct memory_step steps[] = {COLD, END};
    struct bed bed;

    bed_begin(&bed, steps, "ccho");
    bed_signs(&bed);
    EXPECT_NUMBER(bed.memory.carrier, CARRIER_CSIM);
    bed_end(&bed);
}

static enum outcome open_without_applet(struct transport *transport,
                                        const struct channel_wish *wish, struct channel *channel,
                                        struct deadline deadline, struct report *why)
{
    (void)transport, (void)wish, (void)channel, (void)deadline;
    return report_sw(why, OUTCOME_NO_APPLET, 0x6A82, "memory: no such applet");
}

static enum outcome open_without_word(struct transport *transport, const struct channel_wish *wish,
                                      struct channel *channel, struct deadline deadline,
                                      struct report *why)
{
    (void)transport, (void)wish, (void)channel, (void)deadline;
    return report_set(why, OUTCOME_NO_APPLET, "memory: perhaps no such applet");
}

static enum outcome says_puk(struct transport *transport, struct deadline deadline,
                             struct report *why)
{
    (void)transport, (void)deadline;
    return report_set(why, OUTCOME_NO_SIM, "memory: SIM PUK");
}

/* The state of the UICC's own PIN is no reason then. */
static void what_the_card_says_of_an_applet_is_not_asked_of_the_modem(void)
{
    static const struct memory_step steps[] = {END};
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    struct bed bed;
    size_t length;

    bed_begin(&bed, steps, "csim");
    bed.memory.ops.selects = true;
    bed.memory.ops.diagnose = says_puk;
    bed.memory.ops.open = open_without_applet;
    EXPECT(bed_try(&bed, signature, &length), OUTCOME_NO_APPLET, &bed.why);
    bed.memory.ops.open = open_without_word;
    EXPECT(bed_try(&bed, signature, &length), OUTCOME_NO_SIM, &bed.why);
    EXPECT_SAYS(bed.why.text, "SIM PUK");
    bed_end(&bed);
}

static void beginning_without_a_modem_says_so_and_can_be_ended(void)
{
    struct transport_target target = {.device = "/dev/ttyNoSuch3", .baud = 115200};
    struct transport transport;
    struct report why = REPORT_INIT;
    struct trace trace = {TRACE_OFF, NULL};

    target.trace = &trace;
    EXPECT(transport_begin(&transport, &target, deadline_in(500), &why), OUTCOME_NO_MODEM, &why);
    transport_end(&transport);
}

void add_memory_transport_suite(void)
{
    static const struct test tests[] = {
        TEST(beginning_without_a_modem_says_so_and_can_be_ended),
        TEST(a_signature_goes_through_it),
        TEST(after_its_restart_another_session_is_made),
        TEST(a_restart_before_the_operation_costs_nothing_more),
        TEST(its_own_words_say_what_happened),
        TEST(an_answer_too_many_costs_a_new_start),
        TEST(a_late_answer_is_waited_for_by_the_next_one),
        TEST(it_tells_who_it_is),
        TEST(the_card_tells_the_iccid_where_it_cannot),
        TEST(its_one_way_is_taken),
        TEST(what_the_card_says_of_an_applet_is_not_asked_of_the_modem),
    };

    ADD_SUITE("memory_transport", tests);
}
