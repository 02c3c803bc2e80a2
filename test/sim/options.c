/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options, its reader and its help. Whether they make sense together is checked here
 * too; what they do lives elsewhere. */
#include "test/sim/options.h"

#include "test/sim/iotsafe.h"
#include "test/sim/safe2.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, NUMBER, NUMBER_OR_ALWAYS, CHOICE, FAULT, SECTION };

struct option_entry {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *value; /* name of the value, or the words of a choice separated by | */
    long min, max;
    const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_entry table[] = {
    {"Where", SECTION, 0, NULL, 0, 0, NULL},
    {"link", TEXT, AT(link), "PATH", 0, 0,
     "symbolic link to the modem's pty, made when it is ready"},
    {"card", TEXT, AT(card), "DIR", 0, 0, "the card's memory"},
    {"other-card", TEXT, AT(other_card), "DIR", 0, 0, "the card that --fault other-sim puts in"},
    {"trace", TEXT, AT(trace), "FILE", 0, 0, "appends every APDU with its time"},
    {"trace-at", FLAG, AT(trace_at), NULL, 0, 0, "the AT command lines too"},
    {"trace-line", FLAG, AT(trace_line), NULL, 0, 0, "how many octets have passed the line too"},
    {"Personalisation", SECTION, 0, NULL, 0, 0, NULL},
    {"new", FLAG, AT(make_new), NULL, 0, 0, "makes a card in DIR (without --link: and ends)"},
    {"key", CHOICE, AT(key), "rsa2048|p256|p384", 0, 0, "type of container 0"},
    {"keys-of", TEXT, AT(keys_of), "DIR", 0, 0,
     "the keys of that card, of the same --key; not new ones"},
    {"pin", TEXT, AT(pin), "DIGITS", 0, 0, "the applet's PIN (0000)"},
    {"pin1", TEXT, AT(pin1), "DIGITS", 0, 0, "the UICC's PIN1 (1234)"},
    {"iccid", TEXT, AT(iccid), "DIGITS", 0, 0, "18 to 20 digits, A to E among them (random)"},
    {"applet", CHOICE, AT(applets), "mias|iotsafe|both", 0, 0,
     "which applets with keys the card has (mias)"},
    {"iotsafe-aid", TEXT, AT(iotsafe_aid), "HEX[,HEX]", 0, 0,
     "AIDs of IoT SAFE (A0000005590010,A00000003053F12401770101495341)"},
    {"iotsafe-key", CHOICE, AT(iotsafe_key), "p256|rsa2048", 0, 0, "its client key"},
    {"iotsafe-id-size", NUMBER, AT(iotsafe_id_size), "N", 1, IOTSAFE_ID_MAX,
     "octets of its ids, of which the last counts (1)"},
    {"iotsafe-public-next", FLAG, AT(iotsafe_public_next), NULL, 0, 0,
     "a pair's public key has the id after the private one's"},
    {"iotsafe-all-hashes", FLAG, AT(iotsafe_all_hashes), NULL, 0, 0,
     "its keys sign SHA-384 and SHA-512 too"},
    {"iotsafe-volatile", FLAG, AT(iotsafe_volatile), NULL, 0, 0,
     "its key 04 is gone after a reset"},
    {"iotsafe-cmac", FLAG, AT(iotsafe_cmac), NULL, 0, 0, "it has a key for AES-CMAC"},
    {"Modem", SECTION, 0, NULL, 0, 0, NULL},
    {"group", TEXT, AT(group), "GROUP", 0, 0, "the group may use the pty too (mode 660)"},
    {"protocol", CHOICE, AT(protocol), "at|qmi|mbim", 0, 0, "what is spoken on the pty (at)"},
    {"slots", NUMBER, AT(slots), "N", 1, 5, "QMI and MBIM: SIM slots that the modem tells of"},
    {"slot", NUMBER, AT(slot), "N", 1, 5, "in which the card is, the active one (1)"},
    {"baud", NUMBER, AT(baud), "N", 50, 100000000, "paces the line, 10 bits an octet"},
    {"imei", TEXT, AT(imei), "DIGITS", 0, 0, "what AT+CGSN answers"},
    {"iccid-commands", TEXT, AT(iccid_commands), "LIST", 0, 0,
     "which of +CCID,+ICCID,+QCCID,#CCID,+CICCID,%XICCID,+CRSM answer (all)"},
    {"no-csim", FLAG, AT(no_csim), NULL, 0, 0, "no AT+CSIM"},
    {"no-ccho", FLAG, AT(no_ccho), NULL, 0, 0, "no AT+CCHO, AT+CGLA, AT+CCHC"},
    {"no-manage-channel", FLAG, AT(no_manage_channel), NULL, 0, 0,
     "MANAGE CHANNEL over AT+CSIM is refused with 6881"},
    {"get-response", FLAG, AT(get_response), NULL, 0, 0, "the modem follows 61xx and 6Cxx itself"},
    {"no-sim", FLAG, AT(no_sim), NULL, 0, 0, "SIM commands answer +CME ERROR: 10"},
    {"fault", FAULT, AT(faults), "NAME[:ARG[,ARG2]]", 0, 0, "misbehaves, repeatable, see below"},
    {"Card", SECTION, 0, NULL, 0, 0, NULL},
    {"sign-ms", NUMBER, AT(sign_ms), "N", 0, 600000, "time of a private key operation"},
    {"channels", NUMBER, AT(channels), "N", 0, 19, "supplementary logical channels (3)"},
    {"max-read", NUMBER, AT(max_read), "N", 1, 256, "READ BINARY with a larger Le: 6700"},
    {"t0", FLAG, AT(t0), NULL, 0, 0, "61xx and 6Cxx as T=0 has them"},
    {"reject-le", FLAG, AT(reject_le), NULL, 0, 0, "case 4 commands with Le: 6700"},
    {"pin1-state", CHOICE, AT(pin1_state), "enabled|disabled|6984", 0, 0,
     "disabled PIN1: its state is 9000 or 6984"},
    {"mIAS", SECTION, 0, NULL, 0, 0, NULL},
    {"no-applet", FLAG, AT(no_applet), NULL, 0, 0, "mIAS is not there"},
    {"cert", CHOICE, AT(cert), "plain|compressed", 0, 0, "how certificates are stored"},
    {"no-pss", FLAG, AT(no_pss), NULL, 0, 0, "MSE SET refuses RSA-PSS with 6A80"},
    {"no-oaep", FLAG, AT(no_oaep), NULL, 0, 0, "MSE SET refuses OAEP with 6A80"},
    {"ecdsa-alg44-only", FLAG, AT(alg44_only), NULL, 0, 0, "ECDSA only with algorithm 44"},
    {"mse-each", FLAG, AT(mse_each), NULL, 0, 0, "MSE SET is used up by a signature"},
    {"single-select", FLAG, AT(single_select), NULL, 0, 0, "mIAS on one channel at a time"},
    {"p2-0c-refused", FLAG, AT(p2_0c_refused), NULL, 0, 0, "SELECT with P2 0C on mIAS: 6A86"},
    {"wrong-signature", NUMBER_OR_ALWAYS, AT(wrong_signature), "N|always", 0, 1000000,
     "the next N signatures are wrong, with 9000"},
    {"Type A", SECTION, 0, NULL, 0, 0, NULL},
    {"labels", CHOICE, AT(labels), "new|old", 0, 0, "CERT_AVAILABLE or CERT_TYPE_A"},
    {"cert-pin", FLAG, AT(cert_pin), NULL, 0, 0, "the certificate's object wants the PIN too"},
    {"label-pad", FLAG, AT(label_pad), NULL, 0, 0, "labels padded with spaces"},
    {"chain", CHOICE, AT(chain), "none|ca|broken", 0, 0, "what follows the leaf"},
    {"typea-key", CHOICE, AT(typea_key), "pkcs1|pkcs8|pem", 0, 0, "form of the private key"},
    {"no-objects", FLAG, AT(no_objects), NULL, 0, 0, "Type A only in the files"},
    {"no-files", FLAG, AT(no_files), NULL, 0, 0, "Type A only in the data objects"},
    {"IoT SAFE", SECTION, 0, NULL, 0, 0, NULL},
    {"iotsafe-list", CHOICE, AT(iotsafe_list), "wrapped|grouped|flat|absent|no-data", 0, 0,
     "its object list: a wrapper an object, a wrapper a kind, none, 6D00, 6D00 to all GET DATA"},
    {"iotsafe-info", CHOICE, AT(iotsafe_info), "as-list|wrapped|bare", 0, 0,
     "the information of one object"},
    {"iotsafe-order", CHOICE, AT(iotsafe_order), "label|id|mixed", 0, 0,
     "which tag comes first; mixed: the others backwards, unknown ones among them"},
    {"iotsafe-page", NUMBER, AT(iotsafe_page), "N", 1, 256,
     "the list in pages of N octets, by 6300"},
    {"iotsafe-raw-length", FLAG, AT(iotsafe_raw_length), NULL, 0, 0,
     "a last wrapper's length above 127 in one octet"},
    {"iotsafe-no-labels", FLAG, AT(iotsafe_no_labels), NULL, 0, 0, "objects without labels"},
    {"iotsafe-no-usage", FLAG, AT(iotsafe_no_usage), NULL, 0, 0, "files without their usage"},
    {"iotsafe-bad-92", FLAG, AT(iotsafe_bad_92), NULL, 0, 0, "tag 92 says two octets and has one"},
    {"iotsafe-data", CHOICE, AT(iotsafe_data), "61|90|odd", 0, 0,
     "application data with tags 61 and 6F, 90 and 93, or with odd lengths"},
    {"iotsafe-pem", FLAG, AT(iotsafe_pem), NULL, 0, 0, "certificates as PEM"},
    {"iotsafe-size", CHOICE, AT(iotsafe_size), "exact|padded|swapped|none", 0, 0,
     "of files: as it is, with zeros at the end, its octets swapped, not told"},
    {"iotsafe-end", CHOICE, AT(iotsafe_end), "6B00|6A86|6981|9000", 0, 0,
     "what READ FILE behind the end answers"},
    {"iotsafe-two-octets", FLAG, AT(iotsafe_two_octets), NULL, 0, 0,
     "tag 33 has a length of two octets"},
    {"iotsafe-der", FLAG, AT(iotsafe_der), NULL, 0, 0, "ECDSA signatures in DER"},
    {"iotsafe-bare-point", FLAG, AT(iotsafe_bare_point), NULL, 0, 0,
     "READ PUBLIC KEY answers the point alone"},
    {"iotsafe-generated", CHOICE, AT(iotsafe_generated), "all|key|nothing", 0, 0,
     "what GENERATE KEY PAIR answers"},
    {"iotsafe-generate-ms", NUMBER, AT(iotsafe_generate_ms), "N", 0, 600000, "the time it takes"},
    {"iotsafe-new-ids", FLAG, AT(iotsafe_new_ids), NULL, 0, 0,
     "ids change when a key pair is generated, and at the faults 6989 and 63cf"},
    {"iotsafe-class", CHOICE, AT(iotsafe_class), "any|0x|8x", 0, 0, "another CLA: 6E00"},
    {"iotsafe-sessions", NUMBER, AT(iotsafe_sessions), "N", 1, IOTSAFE_SESSIONS,
     "sessions at a time, of all channels (4)"},
    {"iotsafe-left-open", FLAG, AT(iotsafe_left_open), NULL, 0, 0,
     "the only signing session was left open, until it is closed"},
    {"iotsafe-full", CHOICE, AT(iotsafe_full), "6985|6989", 0, 0,
     "what INIT answers when all sessions are open"},
    {"iotsafe-missing", CHOICE, AT(iotsafe_missing), "6A82|6A88", 0, 0,
     "what a command answers whose object is not there"},
    {"iotsafe-no-fci", FLAG, AT(iotsafe_no_fci), NULL, 0, 0, "SELECT answers 9000 alone"},
    {"iotsafe-9110", FLAG, AT(iotsafe_9110), NULL, 0, 0, "9110 where other cards say 9000"},
    {"SAFE2, with --new for the card, when serving instead of what the card says", SECTION, 0, NULL,
     0, 0, NULL},
    {"safe2-host", TEXT, AT(safe2_host), "NAME", 0, 0, "name or address of the server (localhost)"},
    {"safe2-port", NUMBER, AT(safe2_port), "N", 1, 65535, "its port (4433)"},
    {"safe2-path", TEXT, AT(safe2_path), "CONFIG[,DATA]", 0, 0,
     "where GET and POST go (/v1/config,/v1/data)"},
    {"safe2-identity", CHOICE, AT(safe2_identity), "digits|raw", 0, 0,
     "of the key: ICCID in ASCII digits, or the 10 octets of EF.ICCID"},
    {"safe2-query", CHOICE, AT(safe2_query), "hex|digits", 0, 0,
     "ICCID in the query: EF.ICCID in hexadecimal, or the digits"},
    {"safe2-key-file", TEXT, AT(safe2_key_file), "FILE", 0, 0,
     "the pre-shared key, 32 hexadecimal digits (random)"},
    {"no-safe2", FLAG, AT(no_safe2), NULL, 0, 0, "SAFE2 is not there"},
    {"SAFE2 when serving", SECTION, 0, NULL, 0, 0, NULL},
    {"safe2-profile", CHOICE, AT(safe2_profile), "new|old", 0, 0,
     "old: SELECT only with P2 00, data only by 61xx, no state of sending"},
    {"safe2-ms", NUMBER, AT(safe2_ms), "N", 0, 3600000, "a job takes at least so long"},
    {"safe2-max", NUMBER, AT(safe2_max), "N", 1, 256, "longer configurations are lost (250)"},
    {"safe2-tries", NUMBER, AT(safe2_tries), "N", 1, 100000,
     "how often a job turns to a server that cannot be reached (3)"},
    {"safe2-retry-ms", NUMBER, AT(safe2_retry_ms), "N", 0, 3600000, "pause between two (1000)"},
    {"safe2-timeout-ms", NUMBER, AT(safe2_timeout_ms), "N", 1, 3600000,
     "how long one may take (10000)"},
    {"Other", SECTION, 0, NULL, 0, 0, NULL},
    {"help", FLAG, AT(help), NULL, 0, 0, "this text"},
    {"version", FLAG, AT(version), NULL, 0, 0, "the version"},
};

static bool read_number(const struct option_entry *e, const char *text, long *out)
{
    char *end;

    if (e->kind == NUMBER_OR_ALWAYS && strcmp(text, "always") == 0) {
        *out = OPTION_ALWAYS;
        return true;
    }
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= e->min && *out <= e->max)
        return true;
    fprintf(stderr, "simmodem: --%s takes a number from %ld to %ld, not '%s'\n", e->name, e->min,
            e->max, text);
    return false;
}

static bool read_choice(const struct option_entry *e, const char *text, int *out)
{
    size_t length = strlen(text);
    int index = 0;

    for (const char *word = e->value; word != NULL; index++) {
        const char *bar = strchr(word, '|');
        size_t size = bar != NULL ? (size_t)(bar - word) : strlen(word);

        if (size == length && memcmp(word, text, size) == 0) {
            *out = index;
            return true;
        }
        word = bar != NULL ? bar + 1 : NULL;
    }
    fprintf(stderr, "simmodem: --%s takes %s, not '%s'\n", e->name, e->value, text);
    return false;
}

static bool apply(struct options *o, const struct option_entry *e, const char *value)
{
    void *member = (char *)o + e->offset;

    switch (e->kind) {
    case FLAG:
        *(bool *)member = true;
        return true;
    case TEXT:
        *(const char **)member = value;
        return true;
    case NUMBER:
    case NUMBER_OR_ALWAYS:
        return read_number(e, value, member);
    case CHOICE:
        return read_choice(e, value, member);
    case FAULT:
        return faults_add(member, value);
    case SECTION:
        break;
    }
    return false;
}

static const struct option_entry *find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].kind != SECTION && strlen(table[i].name) == length &&
            memcmp(table[i].name, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

static bool digits_between(const char *name, const char *text, size_t min, size_t max)
{
    size_t length = strlen(text);
    const char *digits = strcmp(name, "iccid") == 0 ? CARD_ICCID_DIGITS : "0123456789";

    if (length >= min && length <= max && strspn(text, digits) == length)
        return true;
    fprintf(stderr, "simmodem: --%s takes %zu to %zu digits, not '%s'\n", name, min, max, text);
    return false;
}

static bool sensible(const struct options *o)
{
    if (o->help || o->version)
        return true;
    if (o->card == NULL) {
        fputs("simmodem: --card DIR is missing: it names the folder that is the card's memory\n",
              stderr);
        return false;
    }
    if (o->link == NULL && !o->make_new) {
        fputs("simmodem: give --link PATH to serve a card, or --new to make one\n", stderr);
        return false;
    }
    if (o->faults.on[FAULT_OTHER_SIM] && o->other_card == NULL && o->link != NULL) {
        fputs("simmodem: --fault other-sim needs --other-card DIR: the card that takes the place\n",
              stderr);
        return false;
    }
    return digits_between("pin", o->pin, 4, 8) && digits_between("pin1", o->pin1, 4, 8) &&
           digits_between("imei", o->imei, 14, 16) &&
           (o->iccid == NULL || digits_between("iccid", o->iccid, 18, 20)) &&
           iotsafe_check_options(o) && safe2_check_options(o);
}

/* Some faults are known as options too. */
static void take_faults(struct options *o)
{
    const struct faults *f = &o->faults;

    o->get_response |= f->on[FAULT_GET_RESPONSE];
    o->no_ccho |= f->on[FAULT_NO_CCHO];
    o->no_csim |= f->on[FAULT_NO_CSIM];
    o->no_manage_channel |= f->on[FAULT_NO_MANAGE_CHANNEL];
    o->reject_le |= f->on[FAULT_REFUSE_LE] && f->arg[FAULT_REFUSE_LE] == FAULT_NO_ARG;
}

bool options_read(struct options *o, int argc, char **argv)
{
    *o = (struct options){.pin = "0000",
                          .pin1 = "1234",
                          .imei = "356938035643809",
                          .slot = 1,
                          .channels = 3,
                          .max_read = 256,
                          .iotsafe_id_size = 1,
                          .iotsafe_sessions = 4,
                          .safe2_identity = -1,
                          .safe2_query = -1,
                          .safe2_max = 250,
                          .safe2_tries = 3,
                          .safe2_retry_ms = 1000,
                          .safe2_timeout_ms = 10000};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i] + 2;
        const char *equals;
        const struct option_entry *e = NULL;
        const char *value = NULL;

        if (strncmp(argv[i], "--", 2) == 0) {
            equals = strchr(name, '=');
            e = find(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
            value = equals != NULL ? equals + 1 : NULL;
        }
        if (e == NULL || (e->kind == FLAG && value != NULL)) {
            fprintf(stderr, "simmodem: '%s' is not understood; try --help\n", argv[i]);
            return false;
        }
        if (e->kind != FLAG && value == NULL) {
            if (i + 1 == argc) {
                fprintf(stderr, "simmodem: --%s wants a value: %s\n", e->name, e->value);
                return false;
            }
            value = argv[++i];
        }
        if (!apply(o, e, value))
            return false;
    }
    take_faults(o);
    return sensible(o);
}

void options_help(FILE *out)
{
    fputs("simmodem: a simulated cellular modem with a simulated SIM, on a pty\n\n"
          "  simmodem --card DIR --new                personalises a card\n"
          "  simmodem --card DIR --link PATH          serves it until SIGTERM\n",
          out);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct option_entry *e = &table[i];
        char name[64];

        if (e->kind == SECTION) {
            fprintf(out, "\n%s\n", e->name);
            continue;
        }
        snprintf(name, sizeof name, "--%s %s", e->name, e->value != NULL ? e->value : "");
        fprintf(out, "  %-36s %s\n", name, e->help);
    }
    fputs(
        "\nFaults; N is the number of a command that wants the SIM (+CSIM, +CCHO, +CGLA, +CCHC, "
        "+CRSM,\n+CPIN, +CCID and so on) since the start, and every [:N] is every time without N\n",
        out);
    faults_list(out);
    fputs("\nResult codes of SAFE2\n", out);
    safe2_list_results(out);
}
