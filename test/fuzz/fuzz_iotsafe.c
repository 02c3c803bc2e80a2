/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what IoT SAFE's applet answers: its objects in whatever shape, what it says of itself,
 * public keys, signatures. */
#include "apdu/applet/iotsafe.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_objects(struct span answer)
{
    struct iotsafe_objects *objects = malloc(sizeof *objects);

    REQUIRE(objects != NULL);
    memset(objects, 0xA5, sizeof *objects);
    (void)iotsafe_parse_objects(answer, objects);
    REQUIRE(objects->count <= IOTSAFE_OBJECTS && objects->count <= answer.length / 2);
    for (size_t i = 0; i < objects->count; i++) {
        const struct iotsafe_object *object = &objects->list[i];
        uint8_t data[IOTSAFE_NAME_MAX];
        size_t length = iotsafe_name_data(object->kind, &object->name, data);

        REQUIRE((unsigned)object->kind < IOTSAFE_KINDS);
        REQUIRE(object->name.id_length <= TOKEN_ID_MAX &&
                object->name.container == TOKEN_CONTAINER_NONE);
        REQUIRE(memchr(object->name.label, '\0', TOKEN_LABEL_SIZE) != NULL);
        REQUIRE(length == 0 || (length <= IOTSAFE_NAME_MAX && data[1] == length - 2));
        REQUIRE(object->functions >= -1 && object->functions <= 0xFF);
    }
    free(objects);
}

static void try_application(struct span answer)
{
    struct iotsafe_application application;

    (void)iotsafe_parse_application(answer, &application);
    (void)iotsafe_algorithms(TOKEN_EC, application.schemes, application.hashes);
}

static void try_point(struct span answer)
{
    uint8_t point[TOKEN_POINT_MAX];
    size_t length = 0;

    if (!iotsafe_parse_point(answer, point, &length))
        return;
    REQUIRE(length >= 65 && length <= sizeof point && length % 2 == 1 && point[0] == 0x04);
    REQUIRE(length <= answer.length);
}

static void try_signature(struct span answer, enum token_key_type type, size_t size)
{
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    size_t length = 0;

    if (!iotsafe_parse_signature(answer, type, size, signature, &length))
        return;
    REQUIRE(length > 0 && length <= sizeof signature);
    REQUIRE(type != TOKEN_EC || length == 2 * size);
    REQUIRE(type != TOKEN_RSA || length < answer.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1); /* what lies behind it must not be touched */
    struct span input = {copy, size};

    REQUIRE(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    try_objects(input);
    try_application(input);
    try_point(input);
    try_signature(input, TOKEN_EC, 32);
    try_signature(input, TOKEN_EC, 66);
    try_signature(input, TOKEN_RSA, 256);
    free(copy);
    return 0;
}
