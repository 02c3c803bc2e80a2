/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: TLVs, FCP templates, the container map, the directory and Type A objects, as bytes.
 */
#include "apdu/applet/mias.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_tlv(struct span all)
{
    struct span rest = all, value;
    uint16_t tag;
    size_t size;
    bool sized;

    while (tlv_take(&rest, &tag, &value)) {
        struct span found;

        REQUIRE(lies_within(value, all) && lies_within(rest, all));
        REQUIRE(tag != 0 && tag != 0xFF);
        REQUIRE(tlv_find(all, tag, &found) && found.length <= all.length);
        REQUIRE(found.data <= value.data);
    }
    size = 0x10000;
    sized = fcp_file_size(all, &size);
    REQUIRE(sized ? size <= 0xFFFF : size == 0x10000);
}

static void try_map(struct span map)
{
    struct mias_container *list = malloc(TOKEN_CONTAINERS * sizeof *list);
    size_t count = mias_parse_map(map, list);

    REQUIRE(count <= TOKEN_CONTAINERS && count <= map.length / 11);
    for (size_t i = 0; i < count; i++) {
        int key = mias_key_id(list[i].index, list[i].exchange, list[i].bits, TOKEN_RSA);

        REQUIRE(list[i].index >= 0 && list[i].index < TOKEN_CONTAINERS);
        REQUIRE(i == 0 || list[i - 1].index < list[i].index);
        REQUIRE(map.data[11 * list[i].index] != 0);
        REQUIRE(list[i].bits <= 0xFFFF && !list[i].certificate);
        REQUIRE(key > 0 && key <= 0xFF && (key & 0x0F) == list[i].index + 1);
    }
    free(list);
}

static void try_directory(struct span directory)
{
    struct mias_entry *list = malloc(MIAS_ENTRIES * sizeof *list);
    size_t count = 0;

    if (mias_parse_directory(directory, list, &count)) {
        REQUIRE(count <= MIAS_ENTRIES && count <= directory.data[0]);
        REQUIRE(1 + 21 * count <= directory.length);
    }
    for (size_t i = 0; i < count; i++)
        REQUIRE(strlen(list[i].name) <= 8 && strlen(list[i].directory) <= 8);
    for (int i = 0; i < 2 * TOKEN_CONTAINERS; i++) {
        struct mias_container container = {.index = i / 2, .exchange = i % 2 == 0};
        const struct mias_entry *entry = mias_find_certificate(list, count, &container);

        REQUIRE(entry == NULL || (entry >= list && entry < list + count));
        REQUIRE(entry == NULL || atoi(entry->name + 3) == i / 2);
    }
    free(list);
}

static void try_object(struct span object)
{
    char label[33];
    struct span value;

    memset(label, 'x', sizeof label);
    if (!typea_parse_object(object, label, &value))
        return;
    REQUIRE(memchr(label, '\0', sizeof label) != NULL);
    REQUIRE(lies_within(value, object));
    REQUIRE(label[0] != ' ');
    REQUIRE(label[0] == '\0' || label[strlen(label) - 1] != ' ' || strlen(label) < 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1); /* what lies behind it must not be touched */
    struct span input = {copy, size};

    REQUIRE(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    try_tlv(input);
    try_map(input);
    try_directory(input);
    try_object(input);
    free(copy);
    return 0;
}
