/* SPDX-License-Identifier: Apache-2.0 */
/* Writing `sim:` URIs, and the words that stand in them. */
#include "provider/uri.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const uri_what_words[] = {"signing", "available", "trust"};
const char *const uri_type_words[] = {"", "cert", "private", "public"};
const char *const uri_store_words[] = {"", "objects", "files"};
const char *const uri_applet_words[] = {"", "mias", "iotsafe"};

/* Writes a value with what RFC 7512 lets stand by itself in a query; all else as %XX. */
static void put_value(FILE *to, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;

        if (c < 0x80 && (isalnum(c) || strchr("-._~:/@!$'()*+,", c) != NULL))
            fputc(c, to);
        else
            fprintf(to, "%%%02X", c);
    }
}

/* One name is enough, and all that a URI may have: the id before the label. */
static void put_name(FILE *to, const struct token_name *name)
{
    bool numbered = name->container != TOKEN_CONTAINER_NONE;

    if (numbered)
        fprintf(to, ";container=%d", name->container);
    if (name->id_length > 0)
        fputs(numbered ? ";key-id=" : ";id=", to);
    for (size_t i = 0; i < name->id_length; i++)
        fprintf(to, numbered ? "%02x" : "%%%02X", name->id[i]);
    if (name->label[0] != '\0' && name->id_length == 0) {
        fputs(";object=", to);
        put_value(to, name->label);
    }
    if (name->applet != TOKEN_APPLET_ANY)
        fprintf(to, ";applet=%s", uri_applet_words[name->applet]);
}

bool uri_names_key(const struct uri *uri)
{
    const struct token_name *name = &uri->key;

    return uri->what == URI_SIGNING && (name->id_length > 0 || name->label[0] != '\0');
}

enum outcome uri_format(const struct uri *uri, char **text, struct report *why)
{
    size_t length = 0;
    FILE *to = NULL;
    bool failed;

    *text = NULL;
    to = open_memstream(text, &length);
    if (to == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    fprintf(to, "sim:%s", uri_what_words[uri->what]);
    put_name(to, &uri->key);
    if (uri->store != TYPEA_ANY)
        fprintf(to, ";store=%s", uri_store_words[uri->store == TYPEA_OBJECTS ? 1 : 2]);
    if (uri->type != URI_ANY)
        fprintf(to, ";type=%s", uri_type_words[uri->type]);
    if (uri->iccid[0] != '\0')
        fprintf(to, ";iccid=%s", uri->iccid);
    if (uri->modem[0] != '\0')
        fprintf(to, ";modem=%s", uri->modem);
    for (size_t i = 0; i < uri->setting_count; i++) {
        fprintf(to, "%c%s=", i == 0 ? '?' : '&', uri->settings[i].name);
        put_value(to, uri->settings[i].value);
    }
    failed = ferror(to) != 0;
    if (fclose(to) == 0 && !failed)
        return OUTCOME_OK;
    free(*text);
    *text = NULL;
    return report_set(why, OUTCOME_SYSTEM, "out of memory");
}
