/* SPDX-License-Identifier: Apache-2.0 */
/* What a card remembers for the IoT SAFE applet: the file of its directory that iotsafe.h tells of,
 * read and written. No APDU here. */
#include "test/sim/iotsafe.h"

#include "test/sim/card.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME      "iotsafe"
#define FILE_MOST 32768

static const char *const kind_names[IOTSAFE_KINDS] = {"private", "public", "file", "secret"};

/* The words of a line with a number. */
static const struct {
    const char *word;
    size_t offset;
    int digits;
} numbers[] = {
    {"type", offsetof(struct iotsafe_object, type), 2},
    {"access", offsetof(struct iotsafe_object, access), 2},
    {"usage", offsetof(struct iotsafe_object, usage), 2},
    {"functions", offsetof(struct iotsafe_object, functions), 2},
    {"hash", offsetof(struct iotsafe_object, hash), 4},
    {"sign", offsetof(struct iotsafe_object, sign), 2},
    {"agreement", offsetof(struct iotsafe_object, agreement), 2},
    {"derivation", offsetof(struct iotsafe_object, derivation), 2},
};

#define NUMBERS (sizeof numbers / sizeof *numbers)

/* 14 and 24 */
static bool is_volatile(const struct iotsafe_object *o)
{
    return (o->kind == IOTSAFE_PRIVATE || o->kind == IOTSAFE_PUBLIC) &&
           (o->type & 0x0F) == (IOTSAFE_VOLATILE & 0x0F);
}

struct iotsafe_object *iotsafe_find(struct iotsafe_memory *m, enum iotsafe_kind kind,
                                    const uint8_t *id, size_t size)
{
    for (size_t i = 0; i < m->count; i++) {
        struct iotsafe_object *o = &m->objects[i];

        if (o->kind == kind && o->id.size == size && memcmp(o->id.octets, id, size) == 0)
            return o;
    }
    return NULL;
}

bool iotsafe_activated(const struct iotsafe_object *o)
{
    return o->key != NULL || o->data.size > 0;
}

void iotsafe_set_key(struct iotsafe_memory *m, struct iotsafe_object *o, EVP_PKEY *key)
{
    struct iotsafe_object *pair = NULL;

    if (o->kind == IOTSAFE_PRIVATE)
        pair = iotsafe_find(m, IOTSAFE_PUBLIC, o->pair.octets, o->pair.size);
    EVP_PKEY_free(o->key);
    o->key = key;
    if (pair == NULL)
        return;
    if (key != NULL)
        EVP_PKEY_up_ref(key);
    EVP_PKEY_free(pair->key);
    pair->key = key;
}

#define ID_STEP 0x10 /* from an id to the next one, in its last octet */

static void step_id(struct iotsafe_id *id)
{
    if (id->size > 0)
        id->octets[id->size - 1] = (uint8_t)(id->octets[id->size - 1] + ID_STEP);
}

static bool is_taken(const struct iotsafe_memory *m, const struct iotsafe_object *but)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct iotsafe_object *o = &m->objects[i];

        if (o != but && o->kind == but->kind && o->id.size == but->id.size &&
            memcmp(o->id.octets, but->id.octets, o->id.size) == 0)
            return true;
    }
    return false;
}

void iotsafe_rename(struct iotsafe_memory *m, struct iotsafe_object *key)
{
    struct iotsafe_object *pair = NULL;

    for (size_t i = 0; key == NULL && i < m->count; i++) {
        step_id(&m->objects[i].id);
        step_id(&m->objects[i].pair);
    }
    if (key == NULL)
        return;
    pair = iotsafe_find(m, IOTSAFE_PUBLIC, key->pair.octets, key->pair.size);
    do
        step_id(&key->id);
    while (is_taken(m, key));
    while (pair != NULL) {
        step_id(&pair->id);
        key->pair = pair->id;
        if (!is_taken(m, pair))
            break;
    }
}

void iotsafe_forget(struct iotsafe_memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (is_volatile(&m->objects[i]))
            iotsafe_set_key(m, &m->objects[i], NULL);
    }
}

void iotsafe_free(struct iotsafe_memory *m)
{
    for (size_t i = 0; m != NULL && i < m->count; i++) {
        EVP_PKEY_free(m->objects[i].key);
        bytes_free(&m->objects[i].data);
    }
    free(m);
}

/* ---- reading ---- */

static bool read_octets(const char *text, uint8_t *out, size_t most, size_t *size)
{
    size_t digits = strlen(text);

    *size = digits / 2;
    return digits >= 2 && digits <= 2 * most && hex_read(out, text, digits);
}

static bool read_id(const char *text, struct iotsafe_id *id)
{
    return read_octets(text, id->octets, sizeof id->octets, &id->size);
}

static bool read_number(const char *text, unsigned *out)
{
    char *end;

    *out = (unsigned)strtoul(text, &end, 16);
    return end != text && *end == '\0';
}

static bool read_word(struct iotsafe_object *o, const char *word, const char *value)
{
    if (value == NULL)
        return false;
    for (size_t i = 0; i < NUMBERS; i++) {
        if (strcmp(word, numbers[i].word) == 0)
            return read_number(value, (unsigned *)(void *)((char *)o + numbers[i].offset));
    }
    if (strcmp(word, "pair") == 0)
        return read_id(value, &o->pair);
    if (strcmp(word, "label") == 0 && strlen(value) < sizeof o->label) {
        memcpy(o->label, value, strlen(value) + 1);
        return true;
    }
    if (strcmp(word, "from") == 0 && strlen(value) < sizeof o->from) {
        memcpy(o->from, value, strlen(value) + 1);
        return true;
    }
    return false;
}

/* What stands behind "private = " and the like. */
static bool read_object(struct iotsafe_memory *m, enum iotsafe_kind kind, char *text)
{
    struct iotsafe_object *o = &m->objects[m->count];
    char *rest = NULL;
    const char *word = strtok_r(text, " ", &rest);

    if (m->count == IOTSAFE_OBJECTS || word == NULL)
        return false;
    *o = (struct iotsafe_object){.kind = kind};
    if (!read_id(word, &o->id) || iotsafe_find(m, kind, o->id.octets, o->id.size) != NULL)
        return false;
    m->count++;
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        if (!read_word(o, word, strtok_r(NULL, " ", &rest)))
            return false;
    }
    return true;
}

static bool read_line(struct iotsafe_memory *m, char *line)
{
    char *value = strstr(line, " = ");

    line[strcspn(line, "\r\n")] = '\0';
    if (value == NULL)
        return line[0] == '\0';
    *value = '\0';
    value += 3;
    if (strcmp(line, "version") == 0)
        return strcmp(value, "1") == 0;
    if (strcmp(line, "aid") == 0 && m->aid_count < IOTSAFE_AIDS) {
        size_t i = m->aid_count++;

        return read_octets(value, m->aids[i].octets, sizeof m->aids[i].octets, &m->aids[i].size);
    }
    for (int kind = 0; kind < IOTSAFE_KINDS; kind++) {
        if (strcmp(line, kind_names[kind]) == 0)
            return read_object(m, (enum iotsafe_kind)kind, value);
    }
    return false;
}

/* The octets of a file of the card; a certificate in PEM becomes DER. */
static bool read_content(FILE *f, struct bytes *out)
{
    char text[4096];
    size_t size;
    BIO *bio;
    X509 *cert;
    unsigned char *der = NULL;

    while ((size = fread(text, 1, sizeof text, f)) > 0 && out->size < FILE_MOST)
        bytes_add(out, text, size);
    bio = BIO_new_mem_buf(out->data, (int)out->size);
    cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (cert != NULL) {
        int length = i2d_X509(cert, &der);

        bytes_free(out);
        if (length > 0)
            bytes_add(out, der, (size_t)length);
        OPENSSL_free(der);
    }
    X509_free(cert);
    BIO_free(bio);
    ERR_clear_error();
    return out->size > 0 && out->size < FILE_MOST;
}

static bool load_object(const char *dir, struct iotsafe_memory *m, struct iotsafe_object *o)
{
    char path[4096];
    FILE *f;
    EVP_PKEY *key = NULL;
    bool done;

    if (o->from[0] == '\0')
        return true;
    snprintf(path, sizeof path, "%s/%s", dir, o->from);
    f = fopen(path, "re");
    if (f == NULL) {
        fprintf(stderr, "simmodem: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    if (o->kind == IOTSAFE_PRIVATE)
        key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    else if (o->kind == IOTSAFE_PUBLIC)
        key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
    done = o->kind == IOTSAFE_PRIVATE || o->kind == IOTSAFE_PUBLIC ? key != NULL
                                                                   : read_content(f, &o->data);
    fclose(f);
    if (key != NULL)
        iotsafe_set_key(m, o, key);
    if (!done)
        fprintf(stderr, "simmodem: %s does not hold what the card's file %s says\n", path, NAME);
    return done;
}

static bool read_all(const char *dir, struct iotsafe_memory *m, FILE *f)
{
    char line[512];

    for (unsigned number = 1; fgets(line, sizeof line, f) != NULL; number++) {
        if (!read_line(m, line)) {
            fprintf(stderr, "simmodem: line %u of %s/%s cannot be understood\n", number, dir, NAME);
            return false;
        }
    }
    for (size_t i = 0; i < m->count; i++) {
        if (!load_object(dir, m, &m->objects[i]))
            return false;
    }
    return true;
}

struct iotsafe_memory *iotsafe_load(const char *dir)
{
    struct iotsafe_memory *m = calloc(1, sizeof *m);
    char path[4096];
    FILE *f;
    bool done = false;

    snprintf(path, sizeof path, "%s/%s", dir, NAME);
    f = fopen(path, "re");
    if (f == NULL)
        fprintf(stderr, "simmodem: cannot read %s: %s\n", path, strerror(errno));
    else if (m != NULL)
        done = read_all(dir, m, f);
    if (f != NULL)
        fclose(f);
    if (done)
        return m;
    iotsafe_free(m);
    return NULL;
}

/* ---- writing ---- */

/* The file of a key that was generated or put, by its id; a pair's public key is with the private. */
static bool write_key(const char *dir, const struct iotsafe_memory *m, struct iotsafe_object *o)
{
    char hex[2 * IOTSAFE_ID_MAX + 1];
    bool private = o->kind == IOTSAFE_PRIVATE;
    BIO *bio = BIO_new(private ? BIO_s_secmem() : BIO_s_mem());
    char *data;
    long size;
    bool done = bio != NULL;

    for (size_t i = 0; !private && i < m->count; i++) {
        if (m->objects[i].kind == IOTSAFE_PRIVATE && m->objects[i].key == o->key) {
            BIO_free(bio);
            return true;
        }
    }
    hex_write(hex, o->id.octets, o->id.size);
    snprintf(o->from, sizeof o->from, private ? "private/iotsafe-%s.key" : "iotsafe-%s.pub", hex);
    if (done)
        done = private ? PEM_write_bio_PKCS8PrivateKey(bio, o->key, NULL, NULL, 0, NULL, NULL) == 1
                       : PEM_write_bio_PUBKEY(bio, o->key) == 1;
    if (done) {
        size = BIO_get_mem_data(bio, &data);
        done = size > 0 && card_write(dir, o->from, private ? 0600 : 0644, data, (size_t)size);
    }
    BIO_free(bio);
    return done;
}

static void write_id(struct bytes *out, const char *before, const struct iotsafe_id *id)
{
    char hex[2 * IOTSAFE_ID_MAX + 1];

    hex_write(hex, id->octets, id->size);
    bytes_add(out, before, strlen(before));
    bytes_add(out, hex, strlen(hex));
}

static void write_object(struct bytes *out, const struct iotsafe_object *o)
{
    char text[128];

    bytes_add(out, kind_names[o->kind], strlen(kind_names[o->kind]));
    write_id(out, " = ", &o->id);
    for (size_t i = 0; i < NUMBERS; i++) {
        const unsigned *number =
            (const unsigned *)(const void *)((const char *)o + numbers[i].offset);

        if (*number == 0)
            continue;
        snprintf(text, sizeof text, " %s %0*X", numbers[i].word, numbers[i].digits, *number);
        bytes_add(out, text, strlen(text));
    }
    if (o->label[0] != '\0') {
        snprintf(text, sizeof text, " label %s", o->label);
        bytes_add(out, text, strlen(text));
    }
    if (o->pair.size > 0)
        write_id(out, " pair ", &o->pair);
    if (o->from[0] != '\0') {
        snprintf(text, sizeof text, " from %s", o->from);
        bytes_add(out, text, strlen(text));
    }
    bytes_add(out, "\n", 1);
}

bool iotsafe_save(const char *dir, struct iotsafe_memory *m)
{
    struct bytes text = {0};
    bool done = true;

    bytes_add(&text, "version = 1\n", 12);
    for (size_t i = 0; i < m->aid_count; i++) {
        char hex[2 * sizeof m->aids[i].octets + 1];

        hex_write(hex, m->aids[i].octets, m->aids[i].size);
        bytes_add(&text, "aid = ", 6);
        bytes_add(&text, hex, strlen(hex));
        bytes_add(&text, "\n", 1);
    }
    for (size_t i = 0; i < m->count && done; i++) {
        struct iotsafe_object *o = &m->objects[i];

        if (o->key != NULL && o->from[0] == '\0' && !is_volatile(o))
            done = write_key(dir, m, o);
        write_object(&text, o);
    }
    done = done && card_write(dir, NAME, 0644, text.data, text.size);
    bytes_free(&text);
    return done;
}
