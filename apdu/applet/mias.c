/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the mIAS applet: container map, directory, certificates. */
#include "apdu/applet/mias.h"

#include "apdu/card/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const struct applet applet_mias = {
    .aid = mias_aid, .aid_length = sizeof mias_aid, .name = MIAS_NAME, .kind = SELECTED_MIAS};

#define FILE_MAP       0x0002
#define FILE_DIRECTORY 0x0101

/* A record of the container map:
 *   0    nonzero = in use
 *   1-3  (unused here)
 *   4-5  bits of a signature-only key, big endian
 *   6-7  bits of an exchange key, where 4-5 are zero
 *   8-10 (unused here) */
#define MAP_RECORD 11

size_t mias_parse_map(struct span map, struct mias_container *list)
{
    struct span record;
    size_t count = 0;

    for (int i = 0; i < MIAS_CONTAINERS && span_take(&map, MAP_RECORD, &record); i++) {
        unsigned sign = (unsigned)(record.data[4] << 8 | record.data[5]);
        unsigned exchange = (unsigned)(record.data[6] << 8 | record.data[7]);

        if (record.data[0] == 0)
            continue;
        list[count++] = (struct mias_container){.index = i,
                                                .exchange = sign == 0,
                                                .bits = sign == 0 ? exchange : sign,
                                                .certificate = false};
    }
    return count;
}

/* An entry of the directory, behind one byte with their number:
 *   0-1   file identifier
 *   2-3   size, big endian
 *   4-11  name, NUL padded
 *   12-19 directory, NUL padded
 *   20    (unused) */
#define DIRECTORY_ENTRY 21

bool mias_parse_directory(struct span directory, struct mias_entry *list, size_t *count)
{
    struct span first, entry;
    size_t number;

    *count = 0;
    if (!span_take(&directory, 1, &first))
        return false;
    number = first.data[0];
    if (number > directory.length / DIRECTORY_ENTRY)
        return false;
    while (*count < number && *count < MIAS_ENTRIES) {
        if (!span_take(&directory, DIRECTORY_ENTRY, &entry))
            return false;
        struct mias_entry *to = &list[(*count)++];

        to->file = (uint16_t)(entry.data[0] << 8 | entry.data[1]);
        to->size = (uint16_t)(entry.data[2] << 8 | entry.data[3]);
        memcpy(to->name, entry.data + 4, 8);
        memcpy(to->directory, entry.data + 12, 8);
        to->name[8] = to->directory[8] = '\0';
        if (to->size > FILE_SIZE_MAX)
            return false;
    }
    return true;
}

int mias_key_id(int container, bool exchange, unsigned bits, enum token_key_type type)
{
    if (type ==
        TOKEN_EC) /* no public source tells the rule: an assumption that `key-id` overrides */
        return 0x61 + container;
    if (bits <= 1024 && bits != 0)
        return (exchange ? 0x10 : 0x20) | (container + 1);
    return (exchange ? 0x30 : 0x40) | (container + 1);
}

/* The length of the outermost DER element, 0 if it does not fit. */
static size_t der_length(struct span der)
{
    struct span rest = der, tag, body;

    if (!span_take(&rest, 1, &tag) || tag.data[0] != 0x30 || !tlv_take_field(&rest, &body))
        return 0;
    return der.length - rest.length;
}

/* 01 00, plain length (2 bytes, little endian), zlib stream. */
static enum outcome inflate_certificate(struct span packed, uint8_t **plain, size_t *length,
                                        struct report *why)
{
    size_t announced = (size_t)(packed.data[2] | packed.data[3] << 8);
    uLong got = (uLong)announced, taken = (uLong)(packed.length - 4);

    *plain = announced > 0 ? malloc(announced) : NULL;
    if (*plain == NULL)
        return report_set(why, OUTCOME_BAD_DATA, "the compressed certificate has no length");
    /* Writes no more than was announced, which two bytes keep under 64 KiB. uncompress is a name that
     * a program may use itself, see checksum() in record.c. */
    if (uncompress2(*plain, &got, packed.data + 4, &taken) != Z_OK || got != announced ||
        !span_padding((struct span){packed.data + 4 + taken, packed.length - 4 - taken})) {
        free(*plain);
        *plain = NULL;
        return report_set(why, OUTCOME_BAD_DATA, "the compressed certificate cannot be unpacked");
    }
    *length = announced;
    return OUTCOME_OK;
}

enum outcome mias_unpack_certificate(struct span packed, uint8_t **der, size_t *length,
                                     struct report *why)
{
    enum outcome outcome = OUTCOME_OK;
    size_t own;

    *der = NULL;
    *length = packed.length;
    if (packed.length > 4 && packed.data[0] == 0x01 && packed.data[1] == 0x00) {
        outcome = inflate_certificate(packed, der, length, why);
    } else if (packed.length > 0) {
        *der = malloc(packed.length);
        if (*der == NULL)
            return report_set(why, OUTCOME_SYSTEM, "out of memory");
        memcpy(*der, packed.data, packed.length);
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    own = *der == NULL ? 0 : der_length((struct span){*der, *length});
    if (own == 0) {
        free(*der);
        *der = NULL;
        return report_set(why, OUTCOME_BAD_DATA,
                          "the certificate file holds neither DER nor a compressed certificate, or "
                          "not all of it");
    }
    if (!span_padding((struct span){*der + own, *length - own})) {
        free(*der);
        *der = NULL;
        return report_set(why, OUTCOME_BAD_DATA,
                          "the certificate has %zu bytes, but the file is longer", own);
    }
    *length = own;
    return OUTCOME_OK;
}

enum outcome mias_read_file(const struct card *card, uint16_t file, size_t size, int secrecy,
                            uint8_t **data, size_t *length, struct report *why)
{
    const uint8_t path[] = {(uint8_t)(file >> 8), (uint8_t)file};
    size_t from_fcp;
    enum outcome outcome = file_select(card, path, sizeof path, &from_fcp, why);

    *data = NULL;
    *length = 0;
    if (outcome == OUTCOME_OK)
        outcome = file_read(card, from_fcp > 0 ? from_fcp : size, secrecy, data, length, why);
    if (outcome != OUTCOME_OK)
        report_prefix(why, "file %04X", file);
    return outcome;
}

/* Whole records, and perhaps padding that is no record. */
static bool whole_map(struct span map)
{
    struct span whole;

    return span_take(&map, map.length / MAP_RECORD * MAP_RECORD, &whole) && span_padding(map);
}

enum outcome mias_read_map(const struct card *card, struct mias_container *list, size_t *count,
                           struct report *why)
{
    uint8_t *data;
    size_t length;
    enum outcome outcome = mias_read_file(card, FILE_MAP, 0, SECRET_NOTHING, &data, &length, why);

    *count = 0;
    if (outcome == OUTCOME_OK && (length == 0 || !whole_map((struct span){data, length})))
        outcome = report_set(why, OUTCOME_BAD_DATA, "the applet's container map is malformed");
    if (outcome == OUTCOME_OK)
        *count = mias_parse_map((struct span){data, length}, list);
    free(data);
    return outcome;
}

enum outcome mias_read_directory(const struct card *card, struct mias_entry *list, size_t *count,
                                 struct report *why)
{
    uint8_t *data;
    size_t length;
    enum outcome outcome =
        mias_read_file(card, FILE_DIRECTORY, 0, SECRET_NOTHING, &data, &length, why);

    if (outcome == OUTCOME_OK && !mias_parse_directory((struct span){data, length}, list, count))
        outcome = report_set(why, OUTCOME_BAD_DATA, "the applet's directory is malformed");
    free(data);
    return outcome;
}

static const struct mias_entry *find_certificate(const struct mias_entry *list, size_t count,
                                                 const char *prefix, int container)
{
    char name[16];

    (void)snprintf(name, sizeof name, "%s%02d", prefix, container);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].directory, "mscp") == 0 && strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* The map and the names should agree on what the key is for; where they do not (nobody tells the
 * rule for EC keys), a certificate of the container is one all the same. */
const struct mias_entry *mias_find_certificate(const struct mias_entry *list, size_t count,
                                               const struct mias_container *container)
{
    const char *wanted = container->exchange ? "kxc" : "ksc";
    const char *other = container->exchange ? "ksc" : "kxc";
    const struct mias_entry *entry = find_certificate(list, count, wanted, container->index);

    return entry != NULL ? entry : find_certificate(list, count, other, container->index);
}
