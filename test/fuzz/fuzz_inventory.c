/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the records of SIMs that simkey inventory reads, and what it makes of them: CSV, JSON
 * and nginx's map, in which nothing that stood in a record may get out of its place. */
#include "provider/tool/inventory.h"
#include "test/fuzz/text_file.h"

#include <ctype.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

typedef bool write_fn(const struct inventory *inventory, BIO *out);

static BIO *written(const struct inventory *inventory, write_fn *write)
{
    BIO *out = BIO_new(BIO_s_mem());

    REQUIRE(out != NULL && write(inventory, out));
    REQUIRE(BIO_write(out, "", 1) == 1); /* ends as a string */
    return out;
}

static const char *text_of(BIO *out)
{
    char *text = NULL;

    REQUIRE(BIO_get_mem_data(out, &text) > 0);
    return text;
}

/* Lines of a fingerprint, a space, an ICCID, a semicolon, and perhaps a comment: which key. */
static void check_map(const struct inventory *inventory)
{
    BIO *out = written(inventory, inventory_write_map);

    for (const char *line = text_of(out); *line != '\0';) {
        size_t hex = strspn(line, "0123456789abcdef"), digits;
        const char *rest = line + hex + 1;

        REQUIRE(hex == 40 && line[hex] == ' ');
        digits = strspn(rest, "0123456789ABCDEF");
        REQUIRE(digits >= 10 && digits <= 20 && rest[digits] == ';');
        rest += digits + 1;
        if (*rest != '\n') {
            REQUIRE(strncmp(rest, " # sim:", 7) == 0);
            rest += 7 + strspn(rest + 7, "abcdefghijklmnopqrstuvwxyz0123456789-=;");
        }
        REQUIRE(*rest == '\n');
        line = rest + 1;
    }
    BIO_free(out);
}

/* One cell; a formula is none for a spreadsheet. Returns what follows. */
static const char *check_cell(const char *cell)
{
    bool quoted = cell[0] == '"';
    const char *c = cell + quoted;

    REQUIRE(*c == '\0' || strchr("=+-@\t\r", *c) == NULL);
    for (;; c++) {
        REQUIRE(*c != '\0' && *c != '\r');
        if (quoted && c[0] == '"' && c[1] == '"')
            c++;
        else if (quoted && *c == '"')
            return c + 1;
        else if (!quoted && (*c == ',' || *c == '\n'))
            return c;
        REQUIRE(quoted || (*c != '"' && !iscntrl((unsigned char)*c)));
    }
}

/* Lines of as many cells as the first one (RFC 4180). */
static void check_csv(const struct inventory *inventory)
{
    BIO *out = written(inventory, inventory_write_csv);
    unsigned columns = 0, cells = 0;

    for (const char *c = text_of(out); *c != '\0'; c++) {
        c = check_cell(c);
        cells++;
        REQUIRE(*c == ',' || *c == '\n');
        if (*c == '\n') {
            REQUIRE(columns == 0 || cells == columns);
            columns = cells;
            cells = 0;
        }
    }
    BIO_free(out);
}

/* What was written is read again, and makes the same. */
static void check_json(const struct inventory *inventory)
{
    static struct text_file file;
    BIO *out = written(inventory, inventory_write_json), *other;
    const char *text = text_of(out);
    struct report why = REPORT_INIT;
    struct inventory again;

    for (const char *c = text; *c != '\0'; c++)
        REQUIRE(*c == '\n' || *c == '\t' || !iscntrl((unsigned char)*c));
    if (inventory->count > 0) {
        text_file_fill(&file, (struct span){(const uint8_t *)text, strlen(text)});
        REQUIRE(inventory_init(&again));
        REQUIRE(inventory_read(&again, file.path, &why) == OUTCOME_OK);
        REQUIRE(inventory_merge(&again, &why) == OUTCOME_OK && again.count == inventory->count);
        other = written(&again, inventory_write_map);
        BIO_free(other);
        inventory_clear(&again);
    }
    BIO_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text_file file;
    static FILE *nowhere;
    FILE *standard_error = stderr;
    struct span input = {data, size};
    struct report why = REPORT_INIT;
    struct inventory inventory;
    enum outcome outcome;

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "we");
    REQUIRE(nowhere != NULL);
    text_file_fill(&file, input);
    REQUIRE(inventory_init(&inventory));
    outcome = inventory_read(&inventory, file.path, &why);
    check_report(outcome, &why);
    if (outcome == OUTCOME_OK) {
        stderr = nowhere; /* notes of what was told twice */
        REQUIRE(inventory_merge(&inventory, &why) == OUTCOME_OK);
        stderr = standard_error;
        check_map(&inventory);
        check_csv(&inventory);
        check_json(&inventory);
    }
    inventory_clear(&inventory);
    ERR_clear_error();
    return 0;
}
