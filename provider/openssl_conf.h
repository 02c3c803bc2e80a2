/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's section of openssl.cnf, as the module gets it from OpenSSL's core and the simkey tool
 * reads it itself: both take the same of it. No provider context is needed here: the tool shares this. */
#ifndef SIMKEY_PROVIDER_OPENSSL_CONF_H
#define SIMKEY_PROVIDER_OPENSSL_CONF_H

#include "apdu/settings.h"

#include <openssl/conf.h>
#include <stdbool.h>

/* OpenSSL opens its configuration without a look at it, and would wait for a FIFO's other end without
 * a limit. A file that is not there is not an error, nor is /dev/null. Errors: OUTCOME_USAGE. */
enum outcome openssl_conf_check(const char *path, struct report *why);

/* Loads an openssl.cnf into conf and gives the name of the provider's section in it, NULL if there is
 * none. Leaves OpenSSL's error queue as it was. */
const char *openssl_conf_section(CONF *conf, const char *path);

/* The value of a name in that section and no other, NULL if there is none. conf owns it. */
const char *openssl_conf_value(CONF *conf, const char *section, const char *name);

/* Sets what a section says. get gives the value of a name, NULL if it has none; it is asked for each
 * setting with underscores and with hyphens, and those with hyphens count where both are there. The
 * order of the lines does not matter: pin is stronger than pin-source. Errors: those of settings_set. */
enum outcome openssl_conf_take(struct settings *settings,
                               const char *(*get)(void *arg, const char *name), void *arg,
                               struct report *why);

/* Writes the names in the section that are neither settings nor OpenSSL's ("sesion, colour") as text of
 * size bytes, "" if there are none. They are as the file has them: to be made harmless by whoever shows
 * them. False if there are none. */
bool openssl_conf_unknown(CONF *conf, const char *section, char *text, size_t size);

#endif
