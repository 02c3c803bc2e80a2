/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of many SIMs: records read and merged, conflicts, and the ways it is written. */
#ifndef SIMKEY_PROVIDER_TOOL_INVENTORY_H
#define SIMKEY_PROVIDER_TOOL_INVENTORY_H

#include "modem/outcome.h"

#include <cjson/cJSON.h>
#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>

#define INFO_SCHEMA       "simkey-info"
#define INFO_VERSION      1
#define INVENTORY_SCHEMA  "simkey-inventory"
#define INVENTORY_VERSION 1

/* One SIM as one record told of it. */
struct inventory_sim {
    cJSON *json;              /* iccid, imei, certificates: [uri and what x509_json adds] */
    const char *iccid, *imei; /* in json; imei is "" where the modem did not tell */
    char *source;             /* "FILE", or "FILE (record 3)" */
    size_t number;            /* in the order of reading */
};

struct inventory {
    struct inventory_sim *sims; /* by ICCID, once inventory_merge has been */
    size_t count, room;
    cJSON *conflicts; /* an array of sentences */
};

/* Makes an empty one; free it with inventory_clear. False if there is no memory. */
bool inventory_init(struct inventory *inventory);
void inventory_clear(struct inventory *inventory);

/* Adds all records of a text (`length` bytes, any bytes): what simkey info --json or simkey inventory
 * --json printed, one or many, one after the other or in an array. ICCID, IMEI and URI are parsed and
 * written anew; of a certificate only the PEM is taken, and all else made from it again. name: of the
 * file, for sentences. After an error the inventory holds what came before it, and can be cleared
 * only. Errors: OUTCOME_USAGE (with the file's and the member's name), OUTCOME_SYSTEM. */
enum outcome inventory_take(struct inventory *inventory, const char *name, const char *text,
                            size_t length, struct report *why);

/* The same for a file, of 256 MiB at most (input.h). */
enum outcome inventory_read(struct inventory *inventory, const char *path, struct report *why);

/* Sorts, drops what was told twice (with a note on stderr), and fills conflicts. Errors:
 * OUTCOME_SYSTEM. */
enum outcome inventory_merge(struct inventory *inventory, struct report *why);

/* Write it. False if there is no memory. A cell of the CSV that a spreadsheet would take for a formula
 * begins with an apostrophe, and a `;` in a name is written as `\3B` (RFC 4514), so that it separates
 * nothing where semicolons do. */
bool inventory_write_csv(const struct inventory *inventory, BIO *out);
bool inventory_write_json(const struct inventory *inventory, BIO *out);
/* "sha1 iccid;" for a map of nginx on $ssl_client_fingerprint: nothing but hex digits, a blank,
 * digits and a semicolon in a line. */
bool inventory_write_map(const struct inventory *inventory, BIO *out);

#endif
