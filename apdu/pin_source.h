/* SPDX-License-Identifier: Apache-2.0 */
/* Where a PIN of the configuration comes from, and how one source is told from another without
 * keeping anything of the PIN. Read before the device is taken: a source that hangs holds no SIM. */
#ifndef SIMKEY_APDU_PIN_SOURCE_H
#define SIMKEY_APDU_PIN_SOURCE_H

#include "apdu/settings.h"
#include "modem/outcome.h"

#include <stdint.h>

#define PIN_SIZE 17 /* 16 digits and a NUL */
#define PIN_MIN  4

enum pin_reference {
    PIN_APPLET, /* mIAS, reference 81: the digits as they are */
    PIN_UICC,   /* PIN1, reference 01: 8 bytes padded with FF (ETSI TS 102 221, 9.5.1) */
};

enum pin_kind {
    PIN_NOT_KEPT, /* typed by a person, or none: never remembered */
    PIN_LITERAL,  /* in a setting: no two of them can be told apart */
    PIN_FILE,
    PIN_CREDENTIAL, /* a file of systemd's, which is made anew at each start of its service */
};

#define PIN_ID_NUMBERS 5

/* One source. Of a file: st_dev, st_ino, st_size, and st_mtim's seconds and nanoseconds, so that a
 * file that was written anew is another source. Of a literal PIN: the process that has it (pid,
 * start as rundir_process_start tells it) and zeros. Of a credential: as of a file, but the time as
 * nanoseconds in one number, and then PIN_ID_NAME, by which it is known again after a restart. */
#define PIN_ID_SIZE 2
#define PIN_ID_NAME 4 /* a checksum of the credential's name */

struct pin_identity {
    enum pin_kind kind;
    uint64_t id[PIN_ID_NUMBERS];
};

/* What a source gave. */
struct pin_given {
    enum outcome outcome; /* OUTCOME_OK: there is a PIN; else see why */
    struct report why;
    char pin[PIN_SIZE];
    const char *where; /* the source in words, borrowed from the settings */
    struct pin_identity identity;
    unsigned unseen; /* how often the modem said that the SIM has not seen it, see pin_unlock */
    bool again;      /* so it said the last time, and another start may send it again */
};

/* Reads the PIN from where the settings say. Always fills *given; ends with pin_given_clear. A
 * source is a path, file: and a path, or credential: and the name of a file in
 * $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential); its first line is the PIN. Refused with
 * OUTCOME_PIN_MISSING: what others can read or write, what is not a regular file, what is not a PIN (4 to
 * 16 digits, PIN1 4 to 8). The numbers of a literal PIN are left to the caller. */
void pin_given_read(struct pin_given *given, const struct settings *settings,
                    enum pin_reference reference);
void pin_given_clear(struct pin_given *given);

/* The PIN alone. The caller cleanses pin. */
enum outcome pin_from_settings(const struct settings *settings, enum pin_reference reference,
                               char pin[PIN_SIZE], struct report *why);

/* The same for the applet's PIN from a source that is no setting; name says in sentences who named
 * it ("--new-source"). */
enum outcome pin_from_source(const char *source, const char *name, char pin[PIN_SIZE],
                             struct report *why);

/* True if they are the same source. */
bool pin_same_source(const struct pin_identity *a, const struct pin_identity *b);

/* True for a text that may be such a PIN. */
bool pin_well_formed(const char *pin, enum pin_reference reference);

/* The longest PIN of a reference in digits; its name and its setting in sentences. */
size_t pin_longest(enum pin_reference reference);
const char *pin_name(enum pin_reference reference);
const char *pin_setting(enum pin_reference reference);

#endif
