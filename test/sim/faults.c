/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults and its reader. What a fault does lives where it happens, not here. */
#include "test/sim/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How a fault is written: NAME, NAME:ARG, NAME:ARG,ARG2, with brackets around a last argument that
 * may be left out, and what it is then. The words for arguments are those of words[]. */
struct entry {
    const char *syntax;
    long fallback;
    const char *help;
};

static const struct entry table[FAULT_COUNT] = {
    [FAULT_ECHO_STAYS] = {"echo-stays", 0, "ATE0 answers OK, the echo stays on"},
    [FAULT_ECHO_RETURNS] = {"echo-returns:N", 0, "echo is on again after the N-th"},
    [FAULT_LOWER_CASE] = {"lower-case", 0, "hexadecimal answers in lower case"},
    [FAULT_NO_QUOTES] = {"no-quotes", 0, "hexadecimal answers without quotes"},
    [FAULT_NO_BLANK] = {"no-blank", 0, "no blank after +CSIM: and the like"},
    [FAULT_BLANKS] = {"blanks", 0, "many blanks in +CSIM and +CGLA answers"},
    [FAULT_BARE_CCHO] = {"bare-ccho", 0, "AT+CCHO answers the session without +CCHO:"},
    [FAULT_SESSION16] = {"session16", 0, "AT+CCHO answers 16 hexadecimal digits"},
    [FAULT_QUOTED_IMEI] = {"quoted-imei", 0, "AT+CGSN answers in quotes"},
    [FAULT_NO_CCHC] = {"no-cchc", 0, "AT+CCHC does not exist"},
    [FAULT_CME_TEXT] = {"cme-text", 0, "+CME ERROR as text, whatever AT+CMEE says"},
    [FAULT_PLAIN_ERROR] = {"plain-error", 0, "ERROR, whatever AT+CMEE says"},
    [FAULT_NO_COMPOUND] = {"no-compound", 0, "several commands in a line are refused"},
    [FAULT_TWO_FINALS] = {"two-finals", 0, "+CME ERROR is followed by ERROR"},
    [FAULT_GARBAGE] = {"garbage[:N]", 1,
                       "NULs, noise and blank lines around every N-th answer of any command"},
    [FAULT_OPEN_GARBAGE] = {"open-garbage", 0,
                            "noise, boot lines and an old answer whenever the port is opened"},
    [FAULT_BOOT_CHATTER] = {"boot-chatter[:N]", 1,
                            "boot lines (never RDY) around every N-th answer of any command"},
    [FAULT_STALE] = {"stale:N", 0, "20 ms after the N-th answer an old one comes, with its OK"},
    [FAULT_STRAY_OK] = {"stray-ok:N", 0,
                        "a message is shown before the N-th answer; its text is OK"},
    [FAULT_STRAY_TEXT] = {"stray-text:N", 0,
                          "the same; its text looks like an answer, OK, an error, a restart"},
    [FAULT_STRAY_ERROR] = {"stray-error:N", 0, "ERROR before the N-th answer: another program's"},
    [FAULT_STRAY_ANSWER] = {"stray-answer:N", 0,
                            "an answer and OK before the N-th: another program's"},
    [FAULT_OK_FIRST] = {"ok-first", 0, "OK comes before the lines that answer"},
    [FAULT_NO_ANSWER] = {"no-answer:K", 0,
                         "the K-th question is not answered; +CGMI +CGMM +CGMR +CGSN +CPIN? +CRSM "
                         "+CREG? +CEREG? +CCID +CMEE E0V1Q0"},
    [FAULT_NO_END] = {"no-end:K", 0, "the same question is answered without OK"},
    [FAULT_URC] = {"urc[:N]", 1,
                   "unsolicited lines before, in and after every N-th answer of any command"},
    [FAULT_CHATTER] = {"chatter:MS", 0, "an unsolicited line every MS, but not inside an answer"},
    [FAULT_SMS_PROMPT] = {"sms-prompt[:N]", 0,
                          "at the start (or at the N-th) it takes lines for an SMS, until ESC"},
    [FAULT_URC_SPLIT] = {"urc-split[:N]", 1,
                         "an unsolicited line in the middle of every N-th answer line"},
    [FAULT_WRONG_LENGTH] = {"wrong-length[:N]", 1,
                            "+CSIM, +CGLA: every N-th announces 2 digits more or fewer"},
    [FAULT_SLOW_LINES] = {"slow-lines:MS", 0, "a pause between the lines of an answer"},
    [FAULT_PARTIAL] = {"partial:K", 0, "answers leave K octets at a time, every 2 ms"},
    [FAULT_MUTE] = {"mute:MS", 0, "hears and says nothing for the first MS"},
    [FAULT_MUTE_AT] = {"mute-at:N,MS", 0, "the N-th is swallowed; hears and says nothing for MS"},
    [FAULT_LATE] = {"late:MS", 0, "every SIM command answers MS later"},
    [FAULT_LATE_AT] = {"late-at:N,MS", 0, "the N-th answers MS later"},
    [FAULT_HALF_LINE] = {"half-line:N", 0, "half of the N-th answer, the rest never"},
    [FAULT_HALF_LATE] = {"half-late:N,MS", 0, "half of the N-th answer, the rest MS later"},
    [FAULT_GAP] = {"gap:MS", 0, "a command line is lost that comes within MS of the last answer"},
    [FAULT_GAP_ERROR] = {"gap-error:MS", 0, "the same, it is answered ERROR"},
    [FAULT_BUSY] = {"busy:N", 0, "the first N answer +CME ERROR: 14"},
    [FAULT_PIN_BUSY] = {"pin-busy:K[,CME]", 14,
                        "K VERIFYs with a PIN answer +CME ERROR: CME (14), the card has not seen "
                        "them"},
    [FAULT_CME] = {"cme:N,CME", 0, "the N-th answers +CME ERROR: CME, the card has not seen it"},
    [FAULT_CME_AFTER] = {"cme-after:N,CME", 0,
                         "the N-th answers +CME ERROR: CME, the card has done it"},
    [FAULT_ERROR_AT] = {"error-at:N", 0, "the N-th answers ERROR, the card has not seen it"},
    [FAULT_GET_RESPONSE] = {"get-response", 0, "as --get-response"},
    [FAULT_6100_FOREVER] = {"6100-forever:N", 0,
                            "from the N-th on data come by 61xx, and 6100 follows without end"},
    [FAULT_6CXX] = {"6cxx", 0, "case 2 commands answer 6Cxx first, whatever their Le"},
    [FAULT_REFUSE_LE] = {"refuse-le[:CME]", FAULT_NO_ARG,
                         "case 4 commands with Le: 6700, or +CME ERROR: CME from the modem"},
    [FAULT_NO_MANAGE_CHANNEL] = {"no-manage-channel[:CODE]", FAULT_NO_ARG,
                                 "over AT+CSIM: 6881, or 4 digits of SW, or a +CME ERROR"},
    [FAULT_OPEN_LE] = {"open-le[:CODE]", 0x6700,
                       "over AT+CSIM MANAGE CHANNEL: 6700 with Le 01 to open, and with a Le to "
                       "close; or 4 digits "
                       "of SW, or a +CME ERROR"},
    [FAULT_NO_CLOSE] = {"no-close", 0, "over AT+CSIM MANAGE CHANNEL to close: 6D00, in any form"},
    [FAULT_NO_NUMBER] = {"no-number", 0,
                         "over AT+CSIM opening a channel answers 9000 without its number"},
    [FAULT_NO_CSIM_CHANNELS] = {"no-csim-channels[:CODE]", FAULT_NO_ARG,
                                "over AT+CSIM commands on a channel are refused: 6E00, or 4 digits "
                                "of SW, or a +CME ERROR"},
    [FAULT_EMPTY_CSIM] = {"empty-csim", 0,
                          "over AT+CSIM commands on a channel answer OK alone, and are not done"},
    [FAULT_SELECT_ONLY] = {"select-only", 0,
                           "over AT+CSIM a channel takes SELECT and GET RESPONSE; else +CME "
                           "ERROR: 3"},
    [FAULT_CCHO_ERROR] = {"ccho-error[:CME]", 100,
                          "AT+CCHO opens the channel, and answers +CME ERROR: CME (100); the "
                          "session is its number"},
    [FAULT_CCHO_MISSING] = {"ccho-missing[:CME]", FAULT_NO_ARG,
                            "AT+CCHO for an applet that the SIM does not have: ERROR, or +CME "
                            "ERROR: CME"},
    [FAULT_PLAIN_CLASS] =
        {"plain-class", 0,
         "AT+CGLA hands the CLA on as it is; the session is the channel's number"},
    [FAULT_BASIC_RESPONSE] =
        {"basic-response[:CODE]", 0x6E00,
         "over AT+CSIM GET RESPONSE is taken with CLA 00 only, for any channel; else 6E00, or 4 "
         "digits of SW, or a +CME ERROR"},
    [FAULT_NO_CCHO] = {"no-ccho", 0, "as --no-ccho"},
    [FAULT_NO_CSIM] = {"no-csim", 0, "as --no-csim"},
    [FAULT_MAX_LENGTH] = {"max-length:B", 0,
                          "an APDU, or an answer with SW, of more octets: +CME ERROR: 50"},
    [FAULT_MAX_LINE] =
        {"max-line:K", 0,
         "a command line of more than K characters: ERROR; lines of answers are cut there"},
    [FAULT_LEAKED] = {"leaked[:K]", FAULT_NO_ARG,
                      "K channels (all) are open from the start, left by others"},
    [FAULT_LOSE_CHANNEL] = {"lose-channel:N", 0,
                            "after the N-th the channels of programs are gone"},
    [FAULT_FOREIGN] = {"foreign:N", 0, "after the N-th others select the UICC application there"},
    [FAULT_FOREIGN_MSE] = {"foreign-mse:N", 0,
                           "after the N-th others have selected mIAS there, with another key"},
    [FAULT_REFRESH] = {"refresh:N", 0, "after the N-th the card is reset, with a URC"},
    [FAULT_MODEM_RESET] = {"modem-reset:N[,MS]", 1500,
                           "the N-th is swallowed, silence for MS (1500), then RDY and so on"},
    [FAULT_BOOT_WORDS] = {"boot-words:K", 0,
                          "a restart is told by ^SYSSTART (1), by *ATREADY (2), not at all (3), "
                          "nor by the echo (4)"},
    [FAULT_SIM_REMOVED] = {"sim-removed:N[,MS]", FAULT_NO_ARG,
                           "at the N-th the SIM is gone: +CME ERROR: 10; back after MS (never)"},
    [FAULT_OTHER_SIM] = {"other-sim:N", 0, "at the N-th the SIM of --other-card is in instead"},
    [FAULT_HANG_UP] = {"hang-up:N[,MS]", 1000,
                       "at the N-th the pty is closed; a new one comes after MS (1000)"},
    [FAULT_IOTSAFE_6984] = {"iotsafe-6984:N[,K]", 1,
                            "K commands (1) to IoT SAFE from its N-th on: 6984, not done"},
    [FAULT_IOTSAFE_6989] = {"iotsafe-6989:N[,K]", 1, "the same with 6989"},
    [FAULT_IOTSAFE_63CF] = {"iotsafe-63cf:N[,K]", 1, "the same with 63CF, done"},
    [FAULT_CLIENTS_GONE] = {"clients-gone:N", 0, "QMI: at the N-th all client ids are void"},
    [FAULT_CLIENT_LIMIT] = {"client-limit:K", 0, "QMI: there are K client ids for each service"},
    [FAULT_SYNC] = {"sync", 0, "QMI: modem-reset is told by CTL Sync"},
    [FAULT_OPEN_DENIED] = {"open-denied", 0, "QMI, MBIM: opening a channel is not allowed"},
    [FAULT_NO_SLOTS] = {"no-slots", 0, "QMI, MBIM: no word of slots"},
    [FAULT_NO_PROCEDURE] = {"no-procedure", 0, "QMI: error 48 for the switch of procedure bytes"},
    [FAULT_LONG_ANSWER] = {"long-answer[:B]", 128,
                           "QMI: answers of more than B octets come in parts, by indications"},
    [FAULT_ODD_PARTS] = {"odd-parts", 0, "QMI: unknown TLVs, and the others in another order"},
    [FAULT_INDICATIONS] = {"indications", 0,
                           "QMI, MBIM: foreign messages before and behind each answer"},
    [FAULT_TOGETHER] = {"together", 0, "QMI, MBIM: two messages leave as one piece"},
    [FAULT_BUILD_CLASS] = {"build-class", 0, "QMI, MBIM: the modem builds the class octet itself"},
    [FAULT_SWAP_CLASS] = {"swap-class", 0,
                          "MBIM: the same, with the types of class the other way round"},
    [FAULT_NO_FETCH] = {"no-fetch", 0, "MBIM: 61xx and 6Cxx are left to the host"},
    [FAULT_NEED_LE] = {"need-le", 0, "QMI, MBIM: without Le no data come"},
    [FAULT_SELECT_P2] = {"select-p2:CODE", 0,
                         "MBIM: opening with another P2 than CODE (decimal) fails"},
    [FAULT_NO_SERVICE] = {"no-service", 0, "QMI, MBIM: no service with channels"},
};

/* An argument's word and its range. */
struct word {
    const char *name;
    long min, max;
};

static const struct word words[] = {
    {"N", 1, 1000000}, {"MS", 0, 3600000}, {"K", 1, 4096},
    {"B", 5, 512},     {"CME", 0, 999},    {"CODE", 0, 999}, /* or a status word */
};

/* Steps over what separates an argument from what stands before it and finds its word; NULL at the
 * end of the syntax. */
static const struct word *next_word(const char **syntax, bool *optional)
{
    size_t length;

    *optional = **syntax == '[';
    *syntax += strspn(*syntax, "[:,]");
    length = strcspn(*syntax, "[:,]");
    for (size_t i = 0; length > 0 && i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].name) == length && memcmp(words[i].name, *syntax, length) == 0) {
            *syntax += length;
            return &words[i];
        }
    }
    return NULL;
}

static size_t name_length(const struct entry *e)
{
    return strcspn(e->syntax, "[:");
}

/* CODE may also be four hexadecimal digits: a status word that refuses. */
static bool read_status(const char *text, long *value)
{
    if (strlen(text) != 4 || strspn(text, "0123456789ABCDEFabcdef") != 4 ||
        (text[0] != '6' && text[0] != '9'))
        return false;
    *value = strtol(text, NULL, 16);
    return *value != 0x9000;
}

static bool read_value(const struct word *w, const char *text, size_t length, long *value)
{
    char copy[16];

    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strcmp(w->name, "CODE") == 0 && length > 3)
        return read_status(copy, value);
    if (strspn(copy, "0123456789") != length)
        return false;
    errno = 0;
    *value = strtol(copy, NULL, 10);
    return errno == 0 && *value >= w->min && *value <= w->max;
}

/* Reads ARG and ARG2; text is NULL when there is none. */
static bool read_arguments(const struct entry *e, const char *text, long *values[2])
{
    const char *syntax = e->syntax + name_length(e);
    const struct word *w;
    bool optional;

    for (size_t i = 0; i < 2 && (w = next_word(&syntax, &optional)) != NULL; i++) {
        size_t length = text != NULL ? strcspn(text, ",") : 0;

        if (text == NULL && !optional)
            return false;
        *values[i] = e->fallback;
        if (text == NULL)
            continue;
        if (!read_value(w, text, length, values[i]))
            return false;
        text = text[length] == ',' ? text + length + 1 : NULL;
    }
    return text == NULL;
}

static void complain(const struct entry *e, const char *text)
{
    const char *syntax = e->syntax + name_length(e);
    const struct word *w;
    bool optional;

    fprintf(stderr, "simmodem: --fault %s: write it as %s", text, e->syntax);
    if (*syntax == '\0')
        fputs("; it takes no argument", stderr);
    while ((w = next_word(&syntax, &optional)) != NULL) {
        fprintf(stderr, "; %s is a number from %ld to %ld", w->name, w->min, w->max);
        if (strcmp(w->name, "CODE") == 0)
            fputs(", or 4 hexadecimal digits of a status word (6xxx or 9xxx, not 9000)", stderr);
    }
    fputc('\n', stderr);
}

bool faults_add(struct faults *f, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *arguments = text[length] == ':' ? text + length + 1 : NULL;

    for (size_t i = 0; i < FAULT_COUNT; i++) {
        const struct entry *e = &table[i];
        long *values[2] = {&f->arg[i], &f->arg2[i]};

        if (name_length(e) != length || memcmp(e->syntax, text, length) != 0)
            continue;
        f->on[i] = read_arguments(e, arguments, values);
        if (!f->on[i])
            complain(e, text);
        return f->on[i];
    }
    fprintf(stderr, "simmodem: no fault is called '%s'; these are known:\n", text);
    faults_list(stderr);
    return false;
}

void faults_list(FILE *out)
{
    for (size_t i = 0; i < FAULT_COUNT; i++)
        fprintf(out, "  %-26s %s\n", table[i].syntax, table[i].help);
}

bool fault_nth(const struct faults *f, enum fault fault, long n)
{
    return f->on[fault] && f->arg[fault] == n;
}

bool fault_every(const struct faults *f, enum fault fault, long n)
{
    return f->on[fault] && n % f->arg[fault] == 0;
}
