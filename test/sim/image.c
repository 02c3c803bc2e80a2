/* SPDX-License-Identifier: Apache-2.0 */
/* Lays out the files of the card: bytes as the applets store them. */
#include "test/sim/image.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <zlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FID_MF         0x3F00u
#define FID_ICCID      0x2FE2u
#define FID_DIR        0x2F00u
#define FID_ARR        0x2F06u
#define FID_ADF_ARR    0x6F06u
#define FID_IMSI       0x6F07u
#define FID_ADF        0x7FFFu
#define DIR_RECORD     0x26u
#define ARR_RECORD     0x1Cu
#define ARR_RECORDS    6u
#define FID_TYPEA      0x7FAAu
#define FID_TYPEA_CERT 0x6F01u
#define FID_TYPEA_KEY  0x6F02u
#define FID_MAP        0x0002u
#define FID_CARDID     0x0201u
#define FID_CARDCF     0x0202u
#define FID_DIRECTORY  0x0101u
#define FID_CERTS      0x0110u /* and following: certificate of container N */
#define FID_OBJECTS    0x0130u /* and following: Type A data objects */

const uint8_t image_uicc_aid[16] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01, 0xFF,
                                    0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};
const uint8_t image_usim_aid[16] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xFF,
                                    0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};

size_t image_pin1_size(const uint8_t value[8])
{
    size_t size = 8;

    while (size > 0 && value[size - 1] == 0xFF)
        size--;
    return size;
}

static void add_bio(struct bytes *out, BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);

    if (size > 0)
        bytes_add(out, data, (size_t)size);
}

static void add_pem(struct bytes *out, const struct bytes *der)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL && PEM_write_bio(bio, "CERTIFICATE", "", der->data, (long)der->size) > 0)
        add_bio(out, bio);
    BIO_free(bio);
}

/* The Type A certificate: PEM text, the leaf first; what may follow is asked for by --chain. */
static struct bytes available_cert(const struct card *card, const struct options *o)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\n"
                                 "MIIDnotBase64AtAll====\n"
                                 "-----END CERTIFICATE-----\n";
    struct bytes out = {0};

    add_pem(&out, &card->available_cert);
    if (o->chain == CHAIN_CA) {
        add_pem(&out, &card->ca_cert);
    } else if (o->chain == CHAIN_BROKEN) {
        /* The leaf twice, a certificate that issued nothing here, and one that is none. */
        add_pem(&out, &card->available_cert);
        for (size_t i = 0; i < CARD_CONTAINERS; i++) {
            if (card->containers[i].present && i > 0) {
                add_pem(&out, &card->containers[i].cert);
                break;
            }
        }
        bytes_add(&out, broken, sizeof broken - 1);
    }
    return out;
}

static struct bytes available_key(const struct card *card, const struct options *o)
{
    struct bytes out = {0};
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    BIO *bio = NULL;
    int size = 0;

    if (o->typea_key == TYPEA_PEM) {
        bio = BIO_new(BIO_s_secmem());
        if (bio != NULL &&
            PEM_write_bio_PKCS8PrivateKey(bio, card->available_key, NULL, NULL, 0, NULL, NULL) == 1)
            add_bio(&out, bio);
        BIO_free(bio);
        return out;
    }
    if (o->typea_key == TYPEA_PKCS8) {
        info = EVP_PKEY2PKCS8(card->available_key);
        if (info != NULL)
            size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
        PKCS8_PRIV_KEY_INFO_free(info);
    } else {
        size = i2d_PrivateKey(card->available_key, &der); /* RSA: PKCS#1 */
    }
    if (size > 0) {
        bytes_add(&out, der, (size_t)size);
        OPENSSL_clear_free(der, (size_t)size);
    }
    return out;
}

static int add_file(struct tree *t, int parent, unsigned fid, struct bytes data)
{
    int index = tree_add(t, parent, FILE_TRANSPARENT, fid);

    t->files[index].data = data;
    return index;
}

/* One record of EF.DIR: 61 { 4F AID, 50 label }, padded with FF. */
static void add_dir_record(struct bytes *data, const uint8_t aid[16], const char *label)
{
    struct bytes inner = {0};
    size_t end = data->size + DIR_RECORD;

    bytes_add_tlv(&inner, 0x4F, aid, 16);
    bytes_add_tlv(&inner, 0x50, label, strlen(label));
    bytes_add_tlv(data, 0x61, inner.data, inner.size);
    bytes_free(&inner);
    while (data->size < end)
        bytes_add8(data, 0xFF);
}

/* EF.DIR (TS 102 221 13.1): the applications, and one empty record. */
static void add_dir(struct tree *t)
{
    struct bytes data = {0};
    int index = tree_add(t, IMAGE_MF, FILE_RECORDS, FID_DIR);

    add_dir_record(&data, image_uicc_aid, "UICC");
    add_dir_record(&data, image_usim_aid, "USIM");
    while (data.size < 3 * DIR_RECORD)
        bytes_add8(&data, 0xFF);
    t->files[index].record = DIR_RECORD;
    t->files[index].sfi = 0x1E;
    t->files[index].data = data;
}

/* EF.ARR (TS 102 221 9.2.7, 13.4): the rules that the files' FCPs name by record. 1: read always, else
 * ADM1; 2: read with PIN1, else ADM1; 6: nothing but reading. */
static void add_arr(struct tree *t, int parent, unsigned fid)
{
    static const char *const rules[ARR_RECORDS] = {
        "8001019000800102A406830101950108", /* with what reads and what updates */
        "800101A406830101950108800102A40683010A950108",
        "",
        "",
        "",
        "8001019000"};
    int index = tree_add(t, parent, FILE_RECORDS, fid);
    struct bytes data = {0};

    for (size_t i = 0; i < ARR_RECORDS; i++) {
        uint8_t rule[ARR_RECORD];

        memset(rule, 0xFF, sizeof rule);
        hex_read(rule, rules[i], strlen(rules[i]));
        bytes_add(&data, rule, sizeof rule);
    }
    t->files[index].record = ARR_RECORD;
    t->files[index].data = data;
}

void image_imsi(const struct card *card, char digits[16])
{
    const char *last = card->iccid + strlen(card->iccid) - 10;

    memcpy(digits, "00101", 5);
    for (size_t i = 0; i < 10; i++)
        digits[5 + i] = last[i] <= '9' ? last[i] : '0';
    digits[15] = '\0';
}

/* EF.IMSI (TS 31.102 4.2.2): 8, then 9 and the 15 digits, nibbles swapped. PIN1 is the modem's matter,
 * which says READY. */
static void add_imsi(const struct card *card, struct tree *t)
{
    char digits[16];
    struct bytes data = {0};
    int file;

    image_imsi(card, digits);
    bytes_add8(&data, 0x08);
    bytes_add8(&data, (unsigned)(digits[0] - '0') << 4 | 0x09);
    for (size_t i = 1; i < 15; i += 2)
        bytes_add8(&data, (unsigned)(digits[i + 1] - '0') << 4 | (unsigned)(digits[i] - '0'));
    file = add_file(t, IMAGE_USIM, FID_IMSI, data); /* moves the files */
    t->files[file].sfi = 0x07;
}

static void build_uicc(const struct card *card, const struct options *o, struct tree *t)
{
    struct bytes iccid = {0};
    int folder, file;

    t->style = TREE_UICC;
    tree_add(t, -1, FILE_MF, FID_MF);
    tree_add(t, IMAGE_MF, FILE_ADF, FID_ADF);
    tree_add(t, IMAGE_MF, FILE_ADF, FID_ADF);
    add_dir(t);
    add_arr(t, IMAGE_MF, FID_ARR);
    add_arr(t, IMAGE_ADF, FID_ADF_ARR);
    add_arr(t, IMAGE_USIM, FID_ADF_ARR);
    add_imsi(card, t);
    bytes_add(&iccid, card->ef_iccid, sizeof card->ef_iccid);
    file = add_file(t, IMAGE_MF, FID_ICCID, iccid);
    t->files[file].sfi = 0x02;
    if (o->no_files || !card->mias)
        return;
    folder = tree_add(t, IMAGE_ADF, FILE_DF, FID_TYPEA);
    file = add_file(t, folder, FID_TYPEA_CERT, available_cert(card, o));
    t->files[file].needs_pin = true;
    file = add_file(t, folder, FID_TYPEA_KEY, available_key(card, o));
    t->files[file].needs_pin = true;
    t->files[file].secret = true;
}

/* Container map: 11 octets a record.
 *   0    flags, 0: not in use      4-5  bits of a signature-only key
 *   1-3  unused                    6-7  bits of an exchange key      8-10  unused */
static struct bytes container_map(const struct card *card)
{
    struct bytes out = {0};

    for (size_t i = 0; i < card->records; i++) {
        const struct container *c = &card->containers[i];
        unsigned bits = c->present ? key_bits(c->type) : 0;

        bytes_add8(&out, c->present ? (i == 0 ? 0x03 : 0x01) : 0);
        bytes_add(&out, "\0\0", 3);
        bytes_add16(&out, c->exchange ? 0 : bits);
        bytes_add16(&out, c->exchange ? bits : 0);
        bytes_add(&out, "\0\0", 3);
    }
    return out;
}

/* 01 00, the plain length in little endian, a zlib stream. */
static struct bytes compressed(const struct bytes *plain)
{
    struct bytes out = {0};
    uLongf size = compressBound((uLong)plain->size);
    uint8_t *data = malloc(size);

    if (data == NULL || compress2(data, &size, plain->data, (uLong)plain->size, 9) != Z_OK)
        abort();
    bytes_add16(&out, 0x0100);
    bytes_add8(&out, (unsigned)plain->size & 0xFF);
    bytes_add8(&out, (unsigned)plain->size >> 8);
    bytes_add(&out, data, size);
    free(data);
    return out;
}

/* The directory under construction: its entries, and their number for the first octet. */
struct listing {
    struct bytes entries;
    unsigned count;
};

/* An entry: 0-1 file id, 2-3 size, 4-11 name, 12-19 directory, 20 unused. */
static void list_file(struct listing *l, const struct file *f, const char *name, const char *folder)
{
    char field[8];

    bytes_add16(&l->entries, f->fid);
    bytes_add16(&l->entries, (unsigned)f->data.size);
    memset(field, 0, sizeof field);
    memcpy(field, name, strnlen(name, sizeof field));
    bytes_add(&l->entries, field, sizeof field);
    memset(field, 0, sizeof field);
    memcpy(field, folder, strnlen(folder, sizeof field));
    bytes_add(&l->entries, field, sizeof field);
    bytes_add8(&l->entries, 0);
    l->count++;
}

static void add_certificates(const struct card *card, const struct options *o, struct tree *t,
                             struct listing *l)
{
    for (unsigned i = 0; i < CARD_CONTAINERS; i++) {
        const struct container *c = &card->containers[i];
        struct bytes data = {0};
        char name[16];
        int file;

        if (!c->present)
            continue;
        if (o->cert == CERT_COMPRESSED)
            data = compressed(&c->cert);
        else
            bytes_add(&data, c->cert.data, c->cert.size);
        file = add_file(t, 0, FID_CERTS + i, data);
        snprintf(name, sizeof name, "k%cc%02u", c->exchange ? 'x' : 's', i);
        list_file(l, &t->files[file], name, "mscp");
    }
}

/* A data object: 16 octets of header, then label, application, object id and value, each preceded
 * by its BER length. */
static struct bytes data_object(const struct options *o, const char *label, struct bytes *value)
{
    static const char application[] = "Trust Onboard";
    static const uint8_t header[16] = {0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
                                       0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    struct bytes out = {0};
    char padded[33];

    snprintf(padded, sizeof padded, o->label_pad ? "%-32s" : "%s", label);
    bytes_add(&out, header, sizeof header);
    bytes_add_length(&out, strlen(padded));
    bytes_add(&out, padded, strlen(padded));
    bytes_add_length(&out, sizeof application - 1);
    bytes_add(&out, application, sizeof application - 1);
    bytes_add_length(&out, 0);
    bytes_add_length(&out, value->size);
    bytes_add(&out, value->data, value->size);
    bytes_free(value);
    return out;
}

static void add_objects(const struct card *card, const struct options *o, struct tree *t,
                        struct listing *l)
{
    bool old = o->labels == LABELS_OLD;
    struct bytes cert = available_cert(card, o);
    struct bytes key = available_key(card, o);
    struct bytes note = {0};
    int file;

    file =
        add_file(t, 0, FID_OBJECTS, data_object(o, old ? "CERT_TYPE_A" : "CERT_AVAILABLE", &cert));
    t->files[file].needs_pin = o->cert_pin;
    list_file(l, &t->files[file], "pubdat00", "p11");
    /* Somebody else's object: the label tells, not the place. */
    bytes_add(&note, "of another application", 22);
    file = add_file(t, 0, FID_OBJECTS + 1, data_object(o, "NOTE", &note));
    list_file(l, &t->files[file], "pubdat01", "p11");
    file = add_file(t, 0, FID_OBJECTS + 2,
                    data_object(o, old ? "PRIV_TYPE_A" : "PRIV_AVAILABLE", &key));
    t->files[file].needs_pin = true;
    t->files[file].secret = true;
    list_file(l, &t->files[file], "pridat00", "p11");
}

static void build_mias(const struct card *card, const struct options *o, struct tree *t)
{
    static const uint8_t cache[6] = {0x00, 0x00, 0x01, 0x00, 0x01, 0x00};
    struct listing l = {.count = 0};
    struct bytes data = {0};
    int file;

    t->style = TREE_MIAS;
    tree_add(t, -1, FILE_MF, FID_MF);
    bytes_add(&data, card->iccid, 16);
    file = add_file(t, 0, FID_CARDID, data);
    list_file(&l, &t->files[file], "cardid", "");
    data = (struct bytes){0};
    bytes_add(&data, cache, sizeof cache);
    file = add_file(t, 0, FID_CARDCF, data);
    list_file(&l, &t->files[file], "cardcf", "");
    file = add_file(t, 0, FID_MAP, container_map(card));
    t->files[file].short_fcp = true;
    list_file(&l, &t->files[file], "cmapfile", "mscp");
    add_certificates(card, o, t, &l);
    if (!o->no_objects && card->mias)
        add_objects(card, o, t, &l);
    data = (struct bytes){0};
    bytes_add8(&data, l.count);
    bytes_add(&data, l.entries.data, l.entries.size);
    file = add_file(t, 0, FID_DIRECTORY, data);
    t->files[file].short_fcp = true;
    bytes_free(&l.entries);
}

void image_build(const struct card *card, const struct options *o, struct tree *uicc,
                 struct tree *mias)
{
    *uicc = *mias = (struct tree){0};
    build_uicc(card, o, uicc);
    build_mias(card, o, mias);
}
