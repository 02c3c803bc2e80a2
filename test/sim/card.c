/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a card directory and writes the PINs back atomically. No APDU and no AT here. */
#include "test/sim/card.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const type_names[] = {"rsa2048", "p256", "p384"};
static const char *const pin_names[PIN_NAMES] = {"applet", "pin1", "puk1", "pin2"};

unsigned key_bits(enum key_type type)
{
    static const unsigned bits[] = {2048, 256, 384};

    return bits[type];
}

const char *key_type_name(enum key_type type)
{
    return type_names[type];
}

uint8_t container_kid(const struct card *card, size_t index)
{
    const struct container *c = &card->containers[index];

    if (c->type != KEY_RSA2048)
        return (uint8_t)(0x61 + index);
    return (uint8_t)((c->exchange ? 0x30 : 0x40) | (index + 1));
}

const struct container *card_find_kid(const struct card *card, unsigned kid)
{
    for (size_t i = 0; i < CARD_CONTAINERS; i++) {
        if (card->containers[i].present && container_kid(card, i) == kid)
            return &card->containers[i];
    }
    return NULL;
}

static void path_of(char *out, size_t room, const char *dir, const char *name)
{
    if ((size_t)snprintf(out, room, "%s/%s", dir, name) >= room)
        out[0] = '\0'; /* open() then fails with ENOENT */
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool sync_folder_of(const char *path)
{
    char folder[4096];
    char *slash;
    int fd;
    bool done;

    snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    done = fsync(fd) == 0;
    close(fd);
    return done;
}

bool card_write(const char *dir, const char *name, unsigned mode, const void *data, size_t size)
{
    char path[4096], other[4096 + 8];
    int fd = -1;
    bool done = false;

    path_of(path, sizeof path, dir, name);
    snprintf(other, sizeof other, "%s.new", path);
    unlink(other);
    fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        goto out;
    if (!write_all(fd, data, size) || fsync(fd) != 0)
        goto out;
    done = rename(other, path) == 0 && sync_folder_of(path);
out:
    if (!done)
        fprintf(stderr, "simmodem: cannot write %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!done && fd >= 0)
        unlink(other);
    return done;
}

bool card_save_pins(const struct card *card)
{
    char text[PIN_NAMES * 64] = "";
    size_t fill = 0;
    bool done;

    for (size_t i = 0; i < PIN_NAMES; i++) {
        const struct pin *p = &card->pins[i];
        char value[2 * CARD_PIN_MAX + 1];

        hex_write(value, p->value, p->size);
        fill += (size_t)snprintf(text + fill, sizeof text - fill, "%s = %s %u of %u\n",
                                 pin_names[i], value, p->tries, p->max);
        explicit_bzero(value, sizeof value);
    }
    done = card_write(card->dir, "private/pins", 0600, text, fill);
    explicit_bzero(text, sizeof text);
    return done;
}

static FILE *open_in(const struct card *card, const char *name)
{
    char path[4096];
    FILE *f;

    path_of(path, sizeof path, card->dir, name);
    f = fopen(path, "re");
    if (f == NULL)
        fprintf(stderr, "simmodem: cannot read %s: %s\n", path, strerror(errno));
    return f;
}

static bool load_pin_line(struct card *card, const char *line)
{
    char name[16], value[2 * CARD_PIN_MAX + 1];
    unsigned tries, max;

    if (sscanf(line, "%15s = %32s %u of %u", name, value, &tries, &max) != 4 || tries > max ||
        max > 15)
        return false;
    for (size_t i = 0; i < PIN_NAMES; i++) {
        struct pin *p = &card->pins[i];

        if (strcmp(name, pin_names[i]) != 0)
            continue;
        *p = (struct pin){.size = strlen(value) / 2, .tries = tries, .max = max};
        return hex_read(p->value, value, strlen(value));
    }
    return false;
}

static bool load_pins(struct card *card)
{
    FILE *f = open_in(card, "private/pins");
    char line[128];
    size_t count = 0;
    bool good = true;

    if (f == NULL)
        return false;
    /* a card that was made before there was a PIN2 has the usual one */
    card->pins[PIN_UICC2] =
        (struct pin){.value = CARD_PIN2, .size = sizeof CARD_PIN2 - 1, .tries = 3, .max = 3};
    while (good && fgets(line, sizeof line, f) != NULL) {
        good = load_pin_line(card, line);
        count++;
    }
    fclose(f);
    explicit_bzero(line, sizeof line);
    if (!good || (count != PIN_NAMES && count != PIN_UICC2)) {
        fprintf(stderr, "simmodem: %s/private/pins is damaged\n", card->dir);
        return false;
    }
    return true;
}

static bool load_key(const struct card *card, const char *name, EVP_PKEY **key)
{
    FILE *f = open_in(card, name);

    if (f == NULL)
        return false;
    *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    if (*key == NULL)
        fprintf(stderr, "simmodem: %s/%s holds no private key\n", card->dir, name);
    return *key != NULL;
}

static bool load_cert(const struct card *card, const char *name, struct bytes *der)
{
    FILE *f = open_in(card, name);
    X509 *cert = NULL;
    unsigned char *data = NULL;
    int size = -1;

    if (f == NULL)
        return false;
    cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    if (cert != NULL)
        size = i2d_X509(cert, &data);
    X509_free(cert);
    if (size <= 0) {
        fprintf(stderr, "simmodem: %s/%s holds no certificate\n", card->dir, name);
        return false;
    }
    bytes_add(der, data, (size_t)size);
    OPENSSL_free(data);
    return true;
}

static bool load_container(struct card *card, const char *line)
{
    char usage[16], type[16], name[64];
    unsigned index;
    struct container *c;

    if (sscanf(line, "container.%u = %15s %15s", &index, usage, type) < 2 ||
        index >= CARD_CONTAINERS)
        return false;
    if (index >= card->records)
        card->records = index + 1;
    if (strcmp(usage, "absent") == 0)
        return true;
    c = &card->containers[index];
    c->exchange = strcmp(usage, "exchange") == 0;
    while (strcmp(type, type_names[c->type]) != 0) {
        if (c->type == KEY_P384)
            return false;
        c->type++;
    }
    snprintf(name, sizeof name, "private/signing-%u.key", index);
    if (!load_key(card, name, &c->key))
        return false;
    snprintf(name, sizeof name, "signing-%u.pem", index);
    c->present = load_cert(card, name, &c->cert);
    return c->present;
}

static bool set_iccid(struct card *card, const char *digits)
{
    size_t length = strlen(digits);

    if (length < 18 || length > 20 || strspn(digits, CARD_ICCID_DIGITS) != length)
        return false;
    memcpy(card->iccid, digits, length + 1);
    memset(card->ef_iccid, 0xFF, sizeof card->ef_iccid);
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(strchr(CARD_ICCID_DIGITS, digits[i]) - CARD_ICCID_DIGITS);
        uint8_t *octet = &card->ef_iccid[i / 2];

        *octet = (uint8_t)(i % 2 == 0 ? (*octet & 0xF0u) | digit : (*octet & 0x0Fu) | digit << 4);
    }
    return true;
}

/* A card that does not tell has mIAS. */
static bool set_applets(struct card *card, const char *word)
{
    bool iotsafe = strcmp(word, "mias") != 0;

    card->mias = strcmp(word, "iotsafe") != 0;
    if (iotsafe)
        card->iotsafe = iotsafe_load(card->dir);
    return !iotsafe || (card->iotsafe != NULL && (!card->mias || strcmp(word, "both") == 0));
}

static bool load_description(struct card *card)
{
    FILE *f = open_in(card, "card");
    char line[128], word[32];
    bool good = true;

    if (f == NULL) {
        fprintf(stderr, "simmodem: %s holds no card; make one with --new\n", card->dir);
        return false;
    }
    while (good && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "version = %31s", word) == 1)
            good = strcmp(word, "1") == 0;
        else if (sscanf(line, "iccid = %31s", word) == 1)
            good = set_iccid(card, word);
        else if (sscanf(line, "applets = %31s", word) == 1)
            good = set_applets(card, word);
        else if (strncmp(line, "container.", 10) == 0)
            good = load_container(card, line);
    }
    fclose(f);
    if (good && card->iccid[0] != '\0')
        return true;
    fprintf(stderr, "simmodem: %s/card is damaged\n", card->dir);
    return false;
}

static bool take_lock(struct card *card)
{
    char path[4096];

    path_of(path, sizeof path, card->dir, "private/lock");
    card->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (card->lock >= 0 && flock(card->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        fprintf(stderr, "simmodem: the card in %s is in another simmodem\n", card->dir);
    else
        fprintf(stderr,
                "simmodem: %s holds no card that can be used (%s: %s); make one with --new\n",
                card->dir, path, strerror(errno));
    return false;
}

static bool load_available(struct card *card)
{
    return load_key(card, "private/available.key", &card->available_key) &&
           load_cert(card, "available.pem", &card->available_cert);
}

bool card_open(struct card *card, const char *dir)
{
    *card = (struct card){.lock = -1, .mias = true};
    card->dir = strdup(dir);
    if (card->dir != NULL && take_lock(card) && load_description(card) && load_pins(card) &&
        (!card->mias || load_available(card)) && load_cert(card, "ca.pem", &card->ca_cert))
        return true;
    card_close(card);
    return false;
}

void card_close(struct card *card)
{
    for (size_t i = 0; i < CARD_CONTAINERS; i++) {
        EVP_PKEY_free(card->containers[i].key);
        bytes_free(&card->containers[i].cert);
    }
    EVP_PKEY_free(card->available_key);
    bytes_free(&card->available_cert);
    bytes_free(&card->ca_cert);
    iotsafe_free(card->iotsafe);
    explicit_bzero(card->pins, sizeof card->pins);
    if (card->lock >= 0)
        close(card->lock);
    free(card->dir);
    *card = (struct card){.lock = -1};
}
