/* SPDX-License-Identifier: Apache-2.0 */
/* simkey info's tree (info.c) as text on stdout. */
#ifndef SIMKEY_PROVIDER_TOOL_INFO_TEXT_H
#define SIMKEY_PROVIDER_TOOL_INFO_TEXT_H

#include <cjson/cJSON.h>

/* For a person: SIM, modem, PIN and applets in a line each, then a table with a line for each key. */
void info_print(const cJSON *root);

/* Then all of the tree but schema, version and certificates: nested names are indented, arrays of words
 * stand in one line. */
void info_print_all(const cJSON *root);

#endif
