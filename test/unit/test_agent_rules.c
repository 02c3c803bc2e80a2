/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what through simkey-agent, its file, and whose turn it is. */
#include "apdu/agent/conf.h"
#include "apdu/agent/turns.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP 4711

static struct rules rules;
static struct token_name used;

static enum outcome take(const char *line, struct report *why)
{
    char copy[512];

    report_clear(why);
    (void)snprintf(copy, sizeof copy, "%s", line);
    return rules_take(&rules, copy, why);
}

/* One line, and nothing else. */
static void rules_are(const char *line)
{
    struct report why = REPORT_INIT;

    rules.count = 0;
    EXPECT(take(line, &why), OUTCOME_OK, &why);
}

/* uid/gid ask with one group more. */
static bool may(uid_t uid, gid_t gid, gid_t more, enum agent_operation operation,
                const struct token_name *name)
{
    struct peer peer = {.uid = uid, .gid = gid, .group_count = 1, .groups = {more}};
    struct agent_request request = {.operation = operation, .key.name = *name};

    return rules_allow(&rules, &peer, GROUP, &request, "", &used);
}

static const struct token_name nothing = TOKEN_NAME_NONE;

static void without_lines_the_socket_s_group_reads_and_signs(void)
{
    rules.count = 0;
    CU_ASSERT(may(33, 33, GROUP, AGENT_SIGN, &nothing) && may(33, GROUP, 33, AGENT_READ, &nothing));
    CU_ASSERT(may(33, 33, GROUP, AGENT_LIST, &nothing) && may(0, 0, 0, AGENT_SIGN, &nothing));
    CU_ASSERT(!may(33, 33, 33, AGENT_SIGN, &nothing) && !may(33, 33, 33, AGENT_TRIES, &nothing));
    CU_ASSERT(!may(33, 33, GROUP, AGENT_DECRYPT, &nothing));
    CU_ASSERT(!may(0, 0, 0, AGENT_DECRYPT, &nothing));
}

static void type_a_s_key_needs_a_line(void)
{
    struct peer peer = {.uid = 33, .gid = GROUP};
    struct agent_request request = {.operation = AGENT_AVAILABLE, .option = AGENT_PRIVATE};

    rules.count = 0;
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
    rules_are("33 read,sign,decrypt *");
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
    rules_are("33 available signing");
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
    rules_are("33 available available");
    CU_ASSERT(rules_allow(&rules, &peer, GROUP, &request, "", &used));
    request.operation = AGENT_SIGN;
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
}

static void users_and_groups_are_who_they_are(void)
{
    rules_are("33 sign *");
    CU_ASSERT(may(33, 1, 1, AGENT_SIGN, &nothing));
    CU_ASSERT(!may(34, 33, 33, AGENT_SIGN, &nothing) && !may(0, 0, GROUP, AGENT_SIGN, &nothing));
    CU_ASSERT(!may(33, 1, 1, AGENT_DECRYPT, &nothing) && !may(33, 1, 1, AGENT_READ, &nothing));
    CU_ASSERT(may(33, 1, 1, AGENT_ALGORITHMS, &nothing) && may(33, 1, 1, AGENT_IDENTITY, &nothing));
    rules_are("@50 decrypt,read *");
    CU_ASSERT(may(33, 1, 50, AGENT_DECRYPT, &nothing) && may(33, 50, 1, AGENT_READ, &nothing));
    CU_ASSERT(!may(50, 1, 1, AGENT_DECRYPT, &nothing) && !may(33, 1, 50, AGENT_SIGN, &nothing));
    rules_are("root sign *");
    CU_ASSERT(may(0, 1, 1, AGENT_SIGN, &nothing) && !may(1, 0, 0, AGENT_SIGN, &nothing));
}

static void the_number_of_all_strangers_matches_nothing(void)
{
    struct report why = REPORT_INIT;

    EXPECT(take("nobody sign *", &why), OUTCOME_USAGE, &why);
    EXPECT(take("65534 sign *", &why), OUTCOME_USAGE, &why);
    EXPECT(take("@65534 sign *", &why), OUTCOME_USAGE, &why);
    rules_are("33 sign *");
    rules.list[0].id = RULES_NOBODY;
    CU_ASSERT(!may(RULES_NOBODY, 1, 1, AGENT_SIGN, &nothing));
    rules.list[0].group = true;
    CU_ASSERT(!may(33, RULES_NOBODY, RULES_NOBODY, AGENT_SIGN, &nothing));
}

static bool may_sign(const struct token_name name)
{
    return may(33, 1, 1, AGENT_SIGN, &name);
}

#define CONTAINER(number, reference)                                                               \
    (struct token_name)                                                                            \
    {                                                                                              \
        .container = (number), .id_length = (reference) != 0, .id = {(reference) }                 \
    }

/* The applet signs by the key reference: the container's number beside it must be true. */
static void a_container_is_no_other_container_s_key(void)
{
    rules_are("33 sign signing;container=2");
    CU_ASSERT(may_sign(CONTAINER(2, 0x33)) && may_sign(CONTAINER(2, 0x43)) &&
              may_sign(CONTAINER(2, 0x63)) && may_sign(CONTAINER(2, 0x13)));
    CU_ASSERT(!may_sign(CONTAINER(2, 0x31)) && !may_sign(CONTAINER(2, 0x34)) &&
              !may_sign(CONTAINER(2, 0x53)) && !may_sign(CONTAINER(0, 0x33)));
    CU_ASSERT(!may_sign(CONTAINER(TOKEN_CONTAINER_NONE, 0x33)) && !may_sign(nothing));
    CU_ASSERT(!may_sign((struct token_name){.container = 2, .id_length = 2, .id = {0x33, 0}}));
    CU_ASSERT(!may_sign((struct token_name){.container = 2, .label = "Client"}));
    rules_are("33 sign signing");
    CU_ASSERT(may_sign(CONTAINER(0, 0x31)) && may_sign(nothing));
    CU_ASSERT(!may_sign(CONTAINER(2, 0x33)) && !may_sign(CONTAINER(0, 0x33)));
    rules_are("33 sign signing;key-id=33");
    CU_ASSERT(may_sign(CONTAINER(0, 0x33)) && !may_sign(CONTAINER(0, 0x31)) && !may_sign(nothing));
    rules_are("33 sign *");
    CU_ASSERT(may_sign(CONTAINER(7, 0x12)));
}

static void ids_and_labels_go_on_alone(void)
{
    const struct token_name both = {
        .container = TOKEN_CONTAINER_NONE, .id_length = 2, .id = {1, 2}, .label = "Other"};
    struct token_name labelled = both;

    rules_are("33 sign signing;id=%01%02");
    CU_ASSERT(may_sign(both));
    CU_ASSERT(used.id_length == 2 && used.label[0] == '\0');
    CU_ASSERT(!may_sign(CONTAINER(TOKEN_CONTAINER_NONE, 1)));
    rules_are("33 sign signing;object=Client%20key");
    CU_ASSERT(!may_sign(both));
    strcpy(labelled.label, "Client key");
    CU_ASSERT(may_sign(labelled));
    CU_ASSERT(used.id_length == 0 && strcmp(used.label, "Client key") == 0);
    rules_are("33 sign signing"); /* whatever it is called: the first key is what is used */
    CU_ASSERT(may_sign(both));
    CU_ASSERT(used.id_length == 0 && used.label[0] == '\0');
}

/* What a rule without a family means, means what the same URI does: the first family that the SIM has. */
static void a_family_of_applets_can_be_named(void)
{
    const struct token_name first = {.container = TOKEN_CONTAINER_NONE,
                                     .applet = TOKEN_APPLET_IOTSAFE};
    struct token_name reference = CONTAINER(TOKEN_CONTAINER_NONE, 0x33);

    rules_are("33 sign signing");
    CU_ASSERT(may_sign(first));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_ANY);
    rules_are("33 sign signing;container=0");
    CU_ASSERT(may_sign(first));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_ANY);
    rules_are("33 sign signing;applet=mias");
    CU_ASSERT(!may_sign(first) && may_sign(nothing));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_MIAS);
    rules_are("33 sign signing;applet=iotsafe");
    CU_ASSERT(may_sign(first) && may_sign(nothing));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_IOTSAFE);
    rules_are("33 sign signing;applet=iotsafe;id=%33");
    CU_ASSERT(may_sign(reference));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_IOTSAFE);
    rules_are(
        "33 sign signing;key-id=33"); /* mIAS's key reference, and no id of a key of IoT SAFE's */
    reference.applet = TOKEN_APPLET_IOTSAFE;
    CU_ASSERT(may_sign(reference));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_MIAS);
    rules_are("33 sign *");
    CU_ASSERT(may_sign(first));
    EXPECT_NUMBER(used.applet, TOKEN_APPLET_IOTSAFE);
}

/* Certificates that are no key's are all keys' users', or theirs whom a line lets. */
static void the_ca_certificates_in_the_sim_are_trust_s(void)
{
    rules.count = 0;
    CU_ASSERT(may(33, 33, GROUP, AGENT_CERTIFICATE, &nothing));
    rules_are("33 read *");
    CU_ASSERT(may(33, 1, 1, AGENT_CERTIFICATE, &nothing));
    rules_are("33 read,sign signing");
    CU_ASSERT(!may(33, 1, 1, AGENT_CERTIFICATE, &nothing));
    rules_are("33 read,sign,available trust");
    CU_ASSERT(may(33, 1, 1, AGENT_CERTIFICATE, &nothing));
    CU_ASSERT(!may(33, 1, 1, AGENT_READ, &nothing) && !may(33, 1, 1, AGENT_LIST, &nothing) &&
              !may(33, 1, 1, AGENT_SIGN, &nothing) && !may(33, 1, 1, AGENT_AVAILABLE, &nothing));
    rules_are("33 sign trust");
    CU_ASSERT(!may(33, 1, 1, AGENT_CERTIFICATE, &nothing));
}

static void a_sim_or_a_modem_can_be_named(void)
{
    struct peer peer = {.uid = 33};
    struct agent_request request = {.operation = AGENT_SIGN, .key.name = TOKEN_NAME_NONE};

    rules_are("33 sign signing;iccid=8988307014312854820");
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
    strcpy(request.key.iccid, "8988307014312854820");
    CU_ASSERT(rules_allow(&rules, &peer, GROUP, &request, "", &used));
    rules_are("33 sign signing;modem=second");
    CU_ASSERT(!rules_allow(&rules, &peer, GROUP, &request, "", &used));
    CU_ASSERT(rules_allow(&rules, &peer, GROUP, &request, "second", &used));
}

static void an_unknown_word_is_an_error(void)
{
    static const char *const lines[] = {
        "",
        "root",
        "root sign",
        "no-such-user-here sign *",
        "@no-such-group-here sign *",
        "root sing *",
        "root sign, *",
        "root sign everything",
        "root sign signing;containers=1",
        "root sign signing;container=15",
        "root sign signing;container=x",
        "root sign signing;container",
        "root sign signing;container=1;id=%01",
        "root sign signing;id=",
        "root sign signing;id=%0",
        "root sign signing;id=%\x10\x11",
        "root sign signing;key-id=\x13\x11",
        "root sign signing;id=%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15",
        "root sign signing;key-id=3",
        "root sign signing;key-id=00",
        "root sign signing;object=a%00b",
        "root sign signing;iccid=12",
        "root sign signing;modem=a/b",
        "root sign available;container=1",
        "root sign signing;applet=auto",
        "root sign signing;applet=",
        "root read trust;applet=mias",
        "root read trust;container=1",
        "root sign sim:signing",
        "4294967296 sign *",
        "-1 sign *",
    };
    struct report why;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (take(lines[i], &why) != OUTCOME_USAGE)
            FAIL("this is taken: allow = %s", lines[i]);
}

/* ---- the file ---- */

static struct conf config, received;

static enum outcome load(const char *text, struct report *why)
{
    struct folder folder;
    char path[192];
    enum outcome outcome;

    report_clear(why);
    folder_make(&folder);
    folder_write(&folder, "agent.conf", text, strlen(text), 0600, path);
    outcome = conf_load(&config, path, "/run/own", why);
    folder_remove(&folder);
    return outcome;
}

static void the_file_has_settings_and_lines_of_its_own(void)
{
    struct report why = REPORT_INIT;
    const struct settings *settings;
    struct modems modems;
    const char *name;
    int fd;

    EXPECT(load("device = /dev/a\nidle = 5\n# no\n allow = root sign *\nrequests=7\n[second]\n"
                "device = /dev/b\nrun-dir = /run/other\n",
                &why),
           OUTCOME_OK, &why);
    EXPECT_NUMBER(config.idle, 5);
    EXPECT_NUMBER(config.requests, 7);
    EXPECT_NUMBER(config.connections, CONFIG_CONNECTIONS);
    EXPECT_NUMBER(config.rules.count, 1);
    fd = conf_seal(&config);
    CU_ASSERT(fd >= 0 && conf_receive(fd, &received));
    CU_ASSERT(pwrite(fd, "x", 1, 0) < 0);
    EXPECT_NUMBER(received.rules.list[0].rights, RIGHT_SIGN);
    EXPECT_TEXT(received.text, config.text);
    (void)close(fd);
    EXPECT(conf_modems(&received, &modems, &why), OUTCOME_OK, &why);
    settings = conf_modem(&modems, 0, &name);
    EXPECT_TEXT(settings->device, "/dev/a");
    EXPECT_TEXT(settings->run_dir, "/run/own");
    settings = conf_modem(&modems, 1, &name);
    EXPECT_TEXT(settings->device, "/dev/b");
    EXPECT_TEXT(settings->run_dir, "/run/other");
    EXPECT_TEXT(name, "second");
    CU_ASSERT(conf_modem(&modems, 2, &name) == NULL);
    modems_clear(&modems);
}

static void a_wrong_file_says_which_line(void)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "names no device"},
        {"device = agent\n", "device = agent"},
        {"device = /dev/a\n[b]\ndevice = agent:/x\n", "device = agent"},
        {"device = /dev/a\npin = 1234\n", "pin-source"},
        {"device = /dev/a\nidle = 0\n", "line 2: `idle`"},
        {"device = /dev/a\n\nallow = root sing *\n", "line 3: `allow`"},
        {"device = /dev/a\nalow = root sign *\n", "line 2: there is no setting"},
        {"device = /dev/a\n[b]\ndevice = /dev/b\nallow = root sign *\n", "line 4: there is no"},
        {"allow = root sign *\ntimeout = x\n", "line 2: `timeout`"},
    };
    struct report why;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXPECT(load(rows[i].text, &why), OUTCOME_USAGE, &why);
        EXPECT_SAYS(why.text, rows[i].said);
    }
}

/* ---- turns ---- */

static struct turns turns;

static size_t sit(uid_t uid)
{
    size_t seat;

    EXPECT_NUMBER(turns_sit(&turns, uid, 100, 1000, 1, &seat), SEATING_GOOD);
    return seat;
}

static size_t sit_and_wait(uid_t uid, unsigned modem)
{
    const size_t seat = sit(uid);

    turns_wait(&turns, seat, modem, 1);
    return seat;
}

static void users_take_turns_whoever_asks_more(void)
{
    static const uid_t wanted[] = {1, 2, 3, 1, 2, 1, 1, 1};
    uid_t got[8];

    memset(&turns, 0, sizeof turns);
    for (int i = 0; i < 5; i++)
        (void)sit_and_wait(1, 0);
    for (int i = 0; i < 2; i++)
        (void)sit_and_wait(2, 0);
    (void)sit_and_wait(3, 0);
    for (size_t i = 0; i < 8; i++) {
        const size_t seat = turns_next(&turns, 0, 1);

        CU_ASSERT_FATAL(seat < TURN_SEATS);
        CU_ASSERT(turns_next(&turns, 0, 1) == TURN_SEATS); /* it is held */
        got[i] = turns.users[turns.seats[seat].user].uid;
        turns_leave(&turns, seat, false, 1);
    }
    for (size_t i = 0; i < 8; i++)
        EXPECT_NUMBER(got[i], wanted[i]);
    CU_ASSERT(turns_next(&turns, 0, 1) == TURN_SEATS);
}

static void of_one_user_the_first_comes_first_and_modems_are_apart(void)
{
    size_t first, second, other;

    memset(&turns, 0, sizeof turns);
    first = sit_and_wait(1, 0);
    second = sit_and_wait(1, 0);
    other = sit_and_wait(1, 3);
    EXPECT_NUMBER(turns_next(&turns, 0, 1), first);
    EXPECT_NUMBER(turns_next(&turns, 3, 1), other);
    turns_release(&turns, first, 1);
    EXPECT_NUMBER(turns_next(&turns, 0, 1), second);
}

static void a_user_has_limits(void)
{
    size_t seat, first;

    memset(&turns, 0, sizeof turns);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1000, &first), SEATING_GOOD);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1000, &seat), SEATING_GOOD);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1000, &seat), SEATING_MANY);
    EXPECT_NUMBER(turns_sit(&turns, 2, 2, 3, 1000, &seat), SEATING_GOOD);
    turns_leave(&turns, first, false, 1000);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1000, &first), SEATING_GOOD);
    turns_leave(&turns, first, false, 1000);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1000, &first), SEATING_FAST);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 1334, &first), SEATING_GOOD);
    turns_leave(&turns, first, true, 1400);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 11399, &first), SEATING_BARRED);
    EXPECT_NUMBER(turns_sit(&turns, 1, 2, 3, 11400, &first), SEATING_GOOD);
}

static void places_of_users_that_are_gone_are_used_again(void)
{
    size_t seat;

    memset(&turns, 0, sizeof turns);
    for (uid_t uid = 0; uid < 3 * TURN_USERS; uid++) {
        EXPECT_NUMBER(turns_sit(&turns, uid, 1, 1, 5000 * (int64_t)uid, &seat), SEATING_GOOD);
        turns_leave(&turns, seat, false, 5000 * (int64_t)uid);
    }
    for (uid_t uid = 0; uid < TURN_SEATS; uid++)
        EXPECT_NUMBER(turns_sit(&turns, uid, 1, 1, 9000000, &seat), SEATING_GOOD);
    EXPECT_NUMBER(turns_sit(&turns, 9999, 1, 1, 9000000, &seat), SEATING_FULL);
}

void add_agent_rules_suite(void)
{
    static const struct test tests[] = {
        TEST(without_lines_the_socket_s_group_reads_and_signs),
        TEST(type_a_s_key_needs_a_line),
        TEST(users_and_groups_are_who_they_are),
        TEST(the_number_of_all_strangers_matches_nothing),
        TEST(a_container_is_no_other_container_s_key),
        TEST(ids_and_labels_go_on_alone),
        TEST(a_family_of_applets_can_be_named),
        TEST(the_ca_certificates_in_the_sim_are_trust_s),
        TEST(a_sim_or_a_modem_can_be_named),
        TEST(an_unknown_word_is_an_error),
        TEST(the_file_has_settings_and_lines_of_its_own),
        TEST(a_wrong_file_says_which_line),
        TEST(users_take_turns_whoever_asks_more),
        TEST(of_one_user_the_first_comes_first_and_modems_are_apart),
        TEST(a_user_has_limits),
        TEST(places_of_users_that_are_gone_are_used_again),
    };

    ADD_SUITE("agent_rules", tests);
}
