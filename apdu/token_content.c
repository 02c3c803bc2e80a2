/* SPDX-License-Identifier: Apache-2.0 */
/* What token.c and the families below it share. */
#include "apdu/token.h"

#include <stdlib.h>

void token_content_clear(struct token_content *content)
{
    free(content->certificate);
    content->certificate = NULL;
    content->length = 0;
}
