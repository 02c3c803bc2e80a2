/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of IoT SAFE's applet that use or make a private key: COMPUTE SIGNATURE and GENERATE KEY
 * PAIR (IoT.05, 2.10 and 2.11). */
#include "apdu/applet/iotsafe.h"

#include <string.h>

#define INS_SIGNATURE_INIT   0x2A
#define INS_SIGNATURE_UPDATE 0x2B
#define INS_GENERATE         0xB9

#define P1_OPEN  0x00
#define P1_CLOSE 0x01
#define P1_LAST  0x80

/* The number of our session; others number theirs from 0 or 2. */
#define SESSION 0x01

#define TAG_SIGNATURE 0x33
#define TAG_HASH      0x91
#define TAG_SCHEME    0x92
#define TAG_DIGEST    0x9E
#define TAG_MODE      0xA1
#define MODE_DIGEST   0x03 /* the host has hashed */

#define TAG_PRIVATE 0x84
#define TAG_PUBLIC  0x85

#define GENERATE_TIMEOUT_MS 180000 /* a slow card; the operation's deadline may be earlier */

/* The family's codes; 0 where it has none. */
static const uint16_t hash_codes[] = {
    [TOKEN_HASH_NONE] = 0,   [TOKEN_SHA1] = 0,        [TOKEN_SHA224] = 0,
    [TOKEN_SHA256] = 0x0001, [TOKEN_SHA384] = 0x0002, [TOKEN_SHA512] = 0x0004,
};
_Static_assert(sizeof hash_codes / sizeof hash_codes[0] == TOKEN_HASHES,
               "each hash of key.h has its code here");

static const uint8_t scheme_codes[] = {
    [TOKEN_PKCS1] = 0x01, [TOKEN_PSS] = 0x02, [TOKEN_ECDSA] = 0x04};
_Static_assert(sizeof scheme_codes / sizeof scheme_codes[0] == TOKEN_SCHEMES,
               "each scheme of key.h has its code here");

uint16_t iotsafe_hash_code(enum token_hash hash)
{
    return hash_codes[hash];
}

uint8_t iotsafe_scheme_code(enum token_scheme scheme)
{
    return scheme_codes[scheme];
}

uint64_t iotsafe_algorithms(enum token_key_type type, uint8_t schemes, uint16_t hashes)
{
    const enum token_scheme plain = token_type_scheme(type);
    uint64_t set = 0;

    if (schemes == 0)
        schemes = scheme_codes[plain];
    if (hashes == 0)
        hashes = hash_codes[TOKEN_SHA256];
    for (int scheme = 0; scheme < TOKEN_SCHEMES; scheme++)
        for (int hash = 0; hash < TOKEN_HASHES; hash++)
            if (token_scheme_type((enum token_scheme)scheme) == type &&
                (schemes & scheme_codes[scheme]) != 0 && (hashes & hash_codes[hash]) != 0)
                set |= TOKEN_ALGORITHM(scheme, hash);
    return set;
}

/* ---- the answer ---- */

/* 33 and a length of one byte, or of two (00 40), or BER's. */
static bool take_signature(struct span answer, struct span *value)
{
    struct span tag, rest = answer;
    size_t length;

    if (!span_take(&rest, 1, &tag) || tag.data[0] != TAG_SIGNATURE || rest.length < 2)
        return false;
    if (rest.length == 1 + (size_t)rest.data[0]) {
        *value = (struct span){rest.data + 1, rest.length - 1};
        return true;
    }
    if (rest.length == 2 + (size_t)(rest.data[0] << 8 | rest.data[1])) {
        *value = (struct span){rest.data + 2, rest.length - 2};
        return true;
    }
    return tlv_take_length(&rest, &length) && length == rest.length &&
           span_take(&rest, length, value);
}

/* A positive INTEGER in its shortest form, padded to size bytes. */
static bool take_integer(struct span *rest, size_t size, uint8_t *padded)
{
    struct span after = *rest, tag, value;

    if (!span_take(&after, 1, &tag) || tag.data[0] != 0x02 || !tlv_take_field(&after, &value) ||
        value.length == 0 || (value.data[0] & 0x80) != 0 ||
        (value.length > 1 && value.data[0] == 0 && (value.data[1] & 0x80) == 0))
        return false;
    if (value.length > 1 && value.data[0] == 0)
        value = (struct span){value.data + 1, value.length - 1};
    if (value.length > size)
        return false;
    memset(padded, 0, size - value.length);
    memcpy(padded + size - value.length, value.data, value.length);
    *rest = after;
    return true;
}

/* SEQUENCE { r, s }, with nothing behind it. */
static bool take_pair(struct span value, size_t size, uint8_t *signature)
{
    struct span tag, inner;

    return span_take(&value, 1, &tag) && tag.data[0] == 0x30 && tlv_take_field(&value, &inner) &&
           value.length == 0 && take_integer(&inner, size, signature) &&
           take_integer(&inner, size, signature + size) && inner.length == 0;
}

bool iotsafe_parse_signature(struct span answer, enum token_key_type type, size_t size,
                             uint8_t *signature, size_t *length)
{
    struct span value;

    if (!take_signature(answer, &value) || value.length == 0 ||
        value.length > TOKEN_SIGNATURE_MAX || 2 * size > TOKEN_SIGNATURE_MAX)
        return false;
    *length = 2 * size;
    /* DER of just that many bytes is DER: a pair of numbers does not look like it by chance */
    if (type == TOKEN_EC && take_pair(value, size, signature))
        return true;
    if (type == TOKEN_EC && value.length != 2 * size)
        return false;
    memcpy(signature, value.data, value.length);
    *length = value.length;
    return true;
}

/* ---- the session ---- */

static enum outcome close_session(const struct card *card, uint8_t session, struct report *why)
{
    struct apdu close = {.ins = INS_SIGNATURE_INIT,
                         .p1 = P1_CLOSE,
                         .p2 = session,
                         .le = APDU_LE_NONE,
                         .repeatable = true};
    struct answer answer;

    return iotsafe_send(card, &close, &answer, why); /* refused where it is closed already */
}

/* Private key, mode, hash, scheme. */
static size_t describe_work(const struct token_key *key, const struct token_digest *digest,
                            uint8_t *data)
{
    const uint16_t hash = hash_codes[digest->hash];
    const uint8_t what[] = {TAG_MODE,
                            1,
                            MODE_DIGEST,
                            TAG_HASH,
                            2,
                            (uint8_t)(hash >> 8),
                            (uint8_t)hash,
                            TAG_SCHEME,
                            1,
                            scheme_codes[digest->scheme]};
    const size_t name = iotsafe_name_data(IOTSAFE_PRIVATE, &key->name, data);

    memcpy(data + name, what, sizeof what);
    return name + sizeof what;
}

static enum outcome send_init(const struct card *card, const struct token_key *key,
                              const struct token_digest *digest, struct answer *answer,
                              struct report *why)
{
    uint8_t data[IOTSAFE_NAME_MAX + 10];
    struct apdu init = {.ins = INS_SIGNATURE_INIT,
                        .p1 = P1_OPEN,
                        .p2 = SESSION,
                        .data = data,
                        .lc = describe_work(key, digest, data),
                        .le = APDU_LE_NONE,
                        .repeatable = true};
    enum outcome outcome = iotsafe_send(card, &init, answer, why);

    if (outcome != OUTCOME_OK || answer->sw != 0x6700)
        return outcome;
    init.le = APDU_LE_ALL; /* some say 00 where no data come back */
    return iotsafe_send(card, &init, answer, why);
}

/* What a card says where it has no session left. */
static bool no_session(const struct answer *answer)
{
    return answer->sw == 0x6985 || answer->sw == 0x6989 || answer->sw == 0x6A84;
}

/* Opens ours. One that a killed program left is in the way where the card has one only: our own number
 * is closed first, then those of other programs. */
static enum outcome open_session(const struct card *card, const struct token_key *key,
                                 const struct token_digest *digest, struct report *why)
{
    static const uint8_t left[][2] = {{SESSION, SESSION}, {0, 2}};
    char name[TOKEN_NAME_TEXT];
    struct answer answer;
    enum outcome outcome = send_init(card, key, digest, &answer, why);

    for (size_t i = 0; i < 2 && outcome == OUTCOME_OK && no_session(&answer); i++) {
        outcome = close_session(card, left[i][0], why);
        if (outcome == OUTCOME_OK && left[i][1] != left[i][0])
            outcome = close_session(card, left[i][1], why);
        if (outcome == OUTCOME_OK)
            outcome = send_init(card, key, digest, &answer, why);
    }
    if (outcome != OUTCOME_OK || answer.sw == SW_OK)
        return outcome;
    (void)token_name_text(&key->name, name);
    switch (answer.sw) {
    case 0x6985:
        return report_sw(why, OUTCOME_REFUSED, answer.sw,
                         "the SIM does not sign with %s: the key is empty, or may not sign; "
                         "`simkey info` lists the keys",
                         name);
    case 0x6A80:
        return report_sw(why, OUTCOME_UNSUPPORTED, answer.sw,
                         "this SIM refuses %s with %s for %s: `simkey info --verbose` tells what "
                         "its keys can do",
                         token_scheme_name(digest->scheme), hash_name(digest->hash), name);
    case 0x6A82:
    case 0x6A88:
        return report_sw(
            why, OUTCOME_NOT_FOUND, answer.sw,
            "this SIM has no private key where %s should be: `simkey info` lists the keys it has",
            name);
    default:
        return iotsafe_refused(&answer, "begin a signature", why);
    }
}

enum outcome iotsafe_sign(const struct card *card, const struct token_key *key,
                          const struct token_digest *digest, uint8_t *signature, size_t *length,
                          bool *unclean, struct report *why)
{
    uint8_t data[2 + TOKEN_HASH_MAX] = {TAG_DIGEST, (uint8_t)digest->length};
    struct apdu update = {.ins = INS_SIGNATURE_UPDATE,
                          .p1 = P1_LAST,
                          .p2 = SESSION,
                          .data = data,
                          .lc = 2 + digest->length,
                          .le = APDU_LE_ALL,
                          .timeout_ms = APDU_TIMEOUT_KEY_MS};
    struct report ignored = REPORT_INIT;
    struct answer answer;
    enum outcome outcome;

    *unclean = false;
    if (digest->length > TOKEN_HASH_MAX)
        return report_set(why, OUTCOME_UNSUPPORTED, "the digest is too long for the SIM");
    memcpy(data + 2, digest->data, digest->length);
    outcome = open_session(card, key, digest, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = iotsafe_send(card, &update, &answer, why);
    if (outcome != OUTCOME_OK) { /* the channel is given up, and the session with it */
        *unclean = true;
        return outcome;
    }
    *unclean = close_session(card, SESSION, &ignored) != OUTCOME_OK;
    if (answer.sw != SW_OK)
        return iotsafe_refused(&answer, "sign", why);
    if (!iotsafe_parse_signature((struct span){answer.data, answer.length}, key->type,
                                 (key->bits + 7) / 8, signature, length))
        return report_set(why, OUTCOME_BAD_DATA, "the SIM's signature (%zu bytes) makes no sense",
                          answer.length);
    return OUTCOME_OK;
}

/* ---- key pairs ---- */

static void set_id(struct token_name *name, struct span value)
{
    if (value.length == 0 || value.length > TOKEN_ID_MAX)
        return;
    *name = (struct token_name)TOKEN_NAME_NONE;
    name->id_length = (uint8_t)value.length;
    memcpy(name->id, value.data, value.length);
}

enum outcome iotsafe_generate(const struct card *card, const struct token_name *name,
                              struct token_name *made, struct token_name *public_name,
                              uint8_t point[static TOKEN_POINT_MAX], size_t *length,
                              struct report *why)
{
    uint8_t data[IOTSAFE_NAME_MAX];
    struct apdu generate = {.ins = INS_GENERATE,
                            .data = data,
                            .lc = iotsafe_name_data(IOTSAFE_PRIVATE, name, data),
                            .le = APDU_LE_ALL,
                            .timeout_ms = GENERATE_TIMEOUT_MS};
    struct answer answer;
    struct span rest, value;
    uint16_t tag;
    enum outcome outcome = iotsafe_send(card, &generate, &answer, why);

    *made = *name;
    *public_name = (struct token_name)TOKEN_NAME_NONE;
    *length = 0;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw == 0x6985 || answer.sw == 0x6A80)
        return report_sw(why, OUTCOME_REFUSED, answer.sw,
                         "the SIM makes no key pair there: it is not a place for one");
    if (answer.sw != SW_OK)
        return iotsafe_refused(&answer, "make a key pair", why);
    rest = (struct span){answer.data, answer.length};
    for (struct span before = rest; tlv_take(&rest, &tag, &value); before = rest) {
        const size_t whole = (size_t)(rest.data - before.data);

        if (tag == TAG_PRIVATE)
            set_id(made, value);
        else if (tag == TAG_PUBLIC)
            set_id(public_name, value);
        else
            (void)iotsafe_parse_point((struct span){before.data, whole}, point, length);
    }
    return OUTCOME_OK;
}
