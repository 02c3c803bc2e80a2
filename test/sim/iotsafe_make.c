/* SPDX-License-Identifier: Apache-2.0 */
/* What a new card has for IoT SAFE: the layout that Thales's and Orange's examples share. */
#include "test/sim/iotsafe.h"

#include "test/sim/card.h"

#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AIDS     "A0000005590010,A00000003053F12401770101495341"
#define PSK      "private/iotsafe-psk"
#define PSK_SIZE 32
#define MAC      "private/iotsafe-cmac"
#define MAC_SIZE 16

/* Of which the last octet of the id is told; a pair's public key has it too, if nothing else is asked
 * for. */
struct plan {
    enum iotsafe_kind kind;
    uint8_t id;
    const char *label;
    unsigned access, usage, functions;
    const char *from;
};

/* 01 the client's key, 02 its certificate, 03 the CA's, 04 a key that is generated when it is wanted,
 * 05 the place of a peer's key, 06 a pre-shared key, 07 (the last line, if it is asked for) one for
 * AES-CMAC. */
static const struct plan plans[] = {
    {IOTSAFE_PRIVATE, 1, "BootstrapKey_1", IOTSAFE_UPDATE, 1, IOTSAFE_SIGN | IOTSAFE_GENERATE,
     "private/iotsafe.key"},
    {IOTSAFE_PRIVATE, 4, "clientsessionKey", IOTSAFE_UPDATE, 1,
     IOTSAFE_SIGN | IOTSAFE_GENERATE | IOTSAFE_AGREE, ""},
    {IOTSAFE_PUBLIC, 1, "BootstrapKey_1", IOTSAFE_READ, 1, IOTSAFE_SIGN, ""},
    {IOTSAFE_PUBLIC, 4, "clientsessionKey", IOTSAFE_READ, 1, IOTSAFE_SIGN | IOTSAFE_AGREE, ""},
    {IOTSAFE_PUBLIC, 5, "serversessionKey", IOTSAFE_READ | IOTSAFE_UPDATE, 1,
     IOTSAFE_SIGN | IOTSAFE_AGREE, ""},
    {IOTSAFE_FILE, 2, "BootstrapCert_1", IOTSAFE_READ, 2, 0, "iotsafe.pem"},
    {IOTSAFE_FILE, 3, "serverCertificate", IOTSAFE_READ, 2, 0, "ca.pem"},
    {IOTSAFE_SECRET, 6, "secretkeyLabel", 0, 0, IOTSAFE_DERIVE, PSK},
    {IOTSAFE_SECRET, 7, "cmackeyLabel", 0, 0, IOTSAFE_SIGN, MAC},
};

static struct iotsafe_id id_of(const struct options *o, unsigned number)
{
    struct iotsafe_id id = {.size = (size_t)o->iotsafe_id_size};

    id.octets[id.size - 1] = (uint8_t)number;
    return id;
}

static void add_object(struct iotsafe_memory *m, const struct options *o, const struct plan *p)
{
    struct iotsafe_object *object = &m->objects[m->count++];
    unsigned next = o->iotsafe_public_next ? 1 : 0;
    bool key = p->kind == IOTSAFE_PRIVATE || p->kind == IOTSAFE_PUBLIC;
    bool rsa = o->iotsafe_key == IOTSAFE_KEY_RSA2048 && key && p->id == 1;

    *object =
        (struct iotsafe_object){.kind = p->kind,
                                .id = id_of(o, p->id + (p->kind == IOTSAFE_PUBLIC ? next : 0)),
                                .access = p->access,
                                .usage = p->usage,
                                .functions = p->functions};
    snprintf(object->label, sizeof object->label, "%s", p->label);
    snprintf(object->from, sizeof object->from, "%s", p->from);
    if (p->kind == IOTSAFE_PRIVATE)
        object->pair = id_of(o, p->id + next);
    if (key) {
        object->type = rsa                                 ? IOTSAFE_RSA
                       : p->id == 4 && o->iotsafe_volatile ? IOTSAFE_VOLATILE
                                                           : IOTSAFE_P256;
        object->sign = rsa ? IOTSAFE_PKCS1 | IOTSAFE_PSS : IOTSAFE_ECDSA;
        object->hash =
            IOTSAFE_SHA256 | (o->iotsafe_all_hashes ? IOTSAFE_SHA384 | IOTSAFE_SHA512 : 0);
        object->agreement = p->functions & IOTSAFE_AGREE ? IOTSAFE_ECKA : 0;
    } else if (p->functions == IOTSAFE_SIGN) {
        object->type = IOTSAFE_AES;
        object->sign = IOTSAFE_CMAC;
    } else if (p->kind == IOTSAFE_SECRET) {
        object->type = IOTSAFE_HMAC;
        object->derivation = IOTSAFE_PRF | IOTSAFE_HKDF;
    }
}

/* HEX[,HEX...] */
static bool add_aids(struct iotsafe_memory *m, const char *list)
{
    while (*list != '\0' && m->aid_count < IOTSAFE_AIDS) {
        char hex[2 * sizeof m->aids[0].octets + 1];
        size_t digits = strcspn(list, ",");
        size_t i = m->aid_count++;

        /* ISO 7816-4 8.2.1.2: 5 to 16 octets */
        if (digits < 10 || digits >= sizeof hex)
            return false;
        memcpy(hex, list, digits);
        hex[digits] = '\0';
        m->aids[i].size = digits / 2;
        if (!hex_read(m->aids[i].octets, hex, digits))
            return false;
        list += digits + (list[digits] == ',');
    }
    return *list == '\0' && m->aid_count > 0;
}

bool iotsafe_check_options(const struct options *o)
{
    struct iotsafe_memory m = {.count = 0};

    if (o->iotsafe_aid == NULL || add_aids(&m, o->iotsafe_aid))
        return true;
    fprintf(
        stderr,
        "simmodem: --iotsafe-aid takes up to %d AIDs of 5 to 16 octets in hexadecimal, with commas "
        "between them, not '%s'\n",
        IOTSAFE_AIDS, o->iotsafe_aid);
    return false;
}

bool iotsafe_make(const struct options *o)
{
    struct iotsafe_memory *m = calloc(1, sizeof *m);
    size_t count = sizeof plans / sizeof *plans - (o->iotsafe_cmac ? 0 : 1);
    uint8_t random[PSK_SIZE + MAC_SIZE];
    bool done = m != NULL && add_aids(m, o->iotsafe_aid != NULL ? o->iotsafe_aid : AIDS) &&
                RAND_bytes(random, sizeof random) == 1;

    for (size_t i = 0; done && i < count; i++)
        add_object(m, o, &plans[i]);
    done = done && card_write(o->card, PSK, 0600, random, PSK_SIZE) &&
           (!o->iotsafe_cmac || card_write(o->card, MAC, 0600, random + PSK_SIZE, MAC_SIZE)) &&
           iotsafe_save(o->card, m);
    explicit_bzero(random, sizeof random);
    iotsafe_free(m);
    return done;
}
