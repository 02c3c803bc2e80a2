/* SPDX-License-Identifier: Apache-2.0 */
/* Each function of libcrypto that prints, writes, exports, compares, asks or sets something of a key,
 * once with the SIM's key and once with one of the same kind in memory: both give the same result, or
 * the SIM's is refused with an error that says why. The tables of the functions are in api_table.c,
 * api_public.c and api_composite.c. */
#include "test/e2e/api_functions.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* One of the same kind and size in memory, as a program has it from a file. */
static EVP_PKEY *memory_key(const struct world *world)
{
    char group[32] = "";

    if (EVP_PKEY_is_a(world->key, "RSA"))
        return EVP_PKEY_Q_keygen(world->ctx, NULL, "RSA", (size_t)EVP_PKEY_get_bits(world->key));
    if (EVP_PKEY_get_group_name(world->key, group, sizeof group, NULL) <= 0)
        return NULL;
    return EVP_PKEY_Q_keygen(world->ctx, NULL, "EC", group);
}

static bool ours_in_queue(void)
{
    unsigned long error = 0;
    bool ours = false;

    while ((error = ERR_get_error()) != 0) {
        const char *library = ERR_lib_error_string(error);

        ours = ours || (library != NULL && strcmp(library, "simkey") == 0);
    }
    return ours;
}

static void compare_function(const struct api_function *function, struct world *world,
                             EVP_PKEY *in_memory)
{
    char sentence[200];
    int expected = function->call(world, in_memory);
    int result;

    ERR_clear_error();
    result = function->call(world, world->key);
    (void)snprintf(sentence, sizeof sentence, "%s gives %d with a key in memory, %d with the SIM's",
                   function->name, expected, result);
    switch (function->expect) {
    case EXPECT_SAME:
        check(result == expected && (result <= 0 || ERR_peek_error() == 0) &&
                  result != API_UNPREPARED,
              sentence);
        break;
    case EXPECT_TOLD:
        check(expected > 0 && result <= 0 && ERR_peek_error() != 0, sentence);
        break;
    case EXPECT_REFUSED:
        check(expected > 0 && result <= 0 && ours_in_queue(), sentence);
        break;
    }
    ERR_clear_error();
}

static void compare_table(const struct api_function *table, size_t count, struct world *world)
{
    EVP_PKEY *in_memory = memory_key(world);
    const char *type = EVP_PKEY_get0_type_name(world->key);

    check_quiet(in_memory != NULL, "a key of the same kind is made in memory");
    for (size_t i = 0; in_memory != NULL && i < count; i++)
        if (table[i].type == NULL || strcmp(table[i].type, type) == 0)
            compare_function(&table[i], world, in_memory);
    EVP_PKEY_free(in_memory);
}

void test_functions(struct world *world)
{
    compare_table(api_functions, api_functions_count, world);
}

void test_public(struct world *world)
{
    compare_table(api_public, api_public_count, world);
}

void test_composite(struct world *world)
{
    compare_table(api_composite, api_composite_count, world);
}
