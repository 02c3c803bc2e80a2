/* SPDX-License-Identifier: Apache-2.0 */
/* See calls.h. */
#include "provider/calls.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool calls_traced(const struct provider *provider)
{
    return config_traces(provider, TRACE_PROVIDER);
}

void calls_note(struct provider *provider, const char *function, const char *format, ...)
{
    char said[TRACE_CALL_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    trace_call(config_trace(provider), function, said);
}

const char *calls_key(const struct key *key, char text[CALLS_TEXT])
{
    char name[TOKEN_NAME_TEXT];

    if (key == NULL || key->public_key == NULL)
        (void)snprintf(text, CALLS_TEXT, "%s", key == NULL ? "as before" : "without a key in it");
    else
        (void)snprintf(text, CALLS_TEXT, "%s %u (%s)", token_type_name(key->token.type),
                       key->token.bits, token_name_text(&key->token.name, name));
    return text;
}

const char *calls_params(const OSSL_PARAM params[], char text[CALLS_TEXT])
{
    size_t used = 0;

    (void)snprintf(text, CALLS_TEXT, "none");
    for (; params != NULL && params->key != NULL && used < CALLS_TEXT; params++)
        used += (size_t)snprintf(text + used, CALLS_TEXT - used, "%s%s", used > 0 ? " " : "",
                                 params->key);
    return text;
}

const char *calls_digest(const EVP_MD *md)
{
    return md != NULL ? EVP_MD_get0_name(md) : "none";
}
