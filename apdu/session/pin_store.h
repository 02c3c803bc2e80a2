/* SPDX-License-Identifier: Apache-2.0 */
/* The refusals of one SIM in a file that outlives a reboot: /var/lib/simkey/ICCID.pin (or by the
 * device's name where the ICCID is not known). Read only before a PIN is sent, written only after
 * one was refused. As little trusted as the run-dir: what is forged in it may cost a refusal. */
#ifndef SIMKEY_APDU_SESSION_PIN_STORE_H
#define SIMKEY_APDU_SESSION_PIN_STORE_H

#include "apdu/applet/pin_memory.h"
#include "apdu/settings.h"

/* Where the folder is; a test that needs another names it by SIMKEY_STATE_DIR (secure_getenv). */
#define PIN_STORE_DIR "/var/lib/simkey"

/* Adds what the file knows of this SIM to the memory. A file that is absent, damaged or not ours
 * adds nothing. */
void pin_store_load(const struct settings *settings, const char *sim, struct pin_memory *memory);

/* Writes the refusals of this SIM, as a whole or not at all. Root makes the folder if it is missing:
 * for the device's group, if that may read and write the device, else for itself. False if that
 * cannot be. */
bool pin_store_save(const struct settings *settings, const char *sim,
                    const struct pin_memory *memory);

/* Removes the file. False if there is one that cannot be removed; path says which. */
bool pin_store_forget(const struct settings *settings, const char *sim, char *path, size_t size);

#endif
