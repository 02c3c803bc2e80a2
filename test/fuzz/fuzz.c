/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. */
#include "test/fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void require_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void check_report(enum outcome outcome, const struct report *why)
{
    REQUIRE(memchr(why->text, '\0', sizeof why->text) != NULL);
    if (outcome == OUTCOME_OK)
        return;
    REQUIRE(why->outcome == outcome);
    REQUIRE(why->text[0] != '\0');
    for (const char *c = why->text; *c != '\0'; c++)
        REQUIRE(!iscntrl((unsigned char)*c));
}

uint8_t input_byte(struct span *input)
{
    struct span byte;

    return span_take(input, 1, &byte) ? byte.data[0] : 0;
}

struct span input_bytes(struct span *input, size_t length)
{
    struct span bytes = {input->data, 0};

    (void)span_take(input, length < input->length ? length : input->length, &bytes);
    return bytes;
}

char *input_text(struct span input)
{
    char *text = malloc(input.length + 1);

    REQUIRE(text != NULL);
    if (input.length > 0)
        memcpy(text, input.data, input.length);
    text[input.length] = '\0';
    return text;
}

bool lies_within(struct span inner, struct span outer)
{
    return inner.length == 0 || (inner.data >= outer.data && inner.length <= outer.length &&
                                 inner.data + inner.length <= outer.data + outer.length);
}
