/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of simkey doctor share: what was found so far, and how a step says its result. */
#ifndef SIMKEY_PROVIDER_TOOL_DOCTOR_DOCTOR_H
#define SIMKEY_PROVIDER_TOOL_DOCTOR_DOCTOR_H

#include "modem/transport.h"
#include "provider/tool/tool.h"
#include "provider/tool/tree.h"

#include <sys/types.h>

/* What a step gives to those behind it, and what they need. */
enum finding {
    FOUND_SETTINGS = 1 << 0, /* they make sense, and a device is set */
    FOUND_PORT = 1 << 1,     /* the device is there */
    FOUND_ACCESS = 1 << 2,   /* and may be opened */
    FOUND_MODEM = 1 << 3,    /* the modem answers */
    FOUND_SIM = 1 << 4,      /* the SIM is ready */
    FOUND_CHANNEL = 1 << 5,
    FOUND_MIAS = 1 << 6,
    FOUND_CERTIFICATE = 1 << 7,
    FOUND_KEY = 1 << 8,
    FOUND_PIN_SOURCE = 1 << 9, /* a PIN is configured and can be read, or none is configured */
    FOUND_TRIES = 1 << 10,     /* a signature costs no try that programs would not spend */
    FOUND_RIGHT_SIM = 1 << 11, /* the SIM is the one that FILE names, or none is named */
};

struct doctor {
    const struct command_line *line;
    const char *step; /* the one that is being judged */
    unsigned found;   /* enum finding */
    bool json;
    struct tree steps;   /* their results, where JSON or a report is made of them */
    struct report first; /* the first failure */
    int trace;           /* --report: the descriptor of its trace, else -1 */

    char module[4096]; /* the file of simkey.so, "" if none is known */
    struct settings settings;
    const struct transport_ops *transport; /* the device's */
    bool pin_set;                          /* a PIN is configured */
    /* Without any PIN, so that nothing but the signature can cost a try. */
    struct sim *sim;
    char real[4096]; /* the device without symbolic links */
    dev_t device;
    enum outcome identity_outcome;
    struct report identity_why;
    struct modem_identity identity;
    char iccid[ICCID_SIZE];
    char wanted[ICCID_SIZE]; /* the SIM that FILE names, "" if none */
    EVP_PKEY *expected;      /* the public key in FILE, NULL if none */
    enum carrier carrier;
    enum outcome mias_outcome;
    struct report mias_why;
    struct token_pin pin;
    struct signing_key signing;
};

/* report.c. A step calls one of these, once (ownership: doctor_warn for each file). format: one sentence that
 * says what was found; remedy: what to do ("": nothing). doctor_fail keeps the first failure for the exit
 * status. */
void doctor_ok(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_fail(struct doctor *doctor, enum outcome outcome, const char *remedy,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
void doctor_skip(struct doctor *doctor, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* doctor_fail with the sentence of *why, and the remedy that goes with its outcome. */
void doctor_report(struct doctor *doctor, const struct report *why);

/* What to do where FILE is not this SIM's. */
#define DOCTOR_REPLACED                                                                            \
    "insert the SIM that it belongs to; or, if the SIM was replaced, put the PIN of this one "     \
    "into the PIN file and make both files anew: simkey cert signing --out sim.crt; simkey key "   \
    "signing --out sim.key"

/* file.c. Reads what the operand names: the ICCID of a key reference or a sim: URI to wanted, the public
 * key of a key reference or a certificate to expected. Errors: OUTCOME_USAGE. */
enum outcome doctor_file(struct doctor *doctor, struct report *why);

/* setup.c, pin_source.c: steps. Each function that takes the doctor alone judges the step of its name. */
void doctor_provider(struct doctor *doctor);
void doctor_settings(struct doctor *doctor);
void doctor_pin_source(struct doctor *doctor);

/* send.c. Has all APDUs from now on traced into memory, for the report. Errors: OUTCOME_SYSTEM. */
enum outcome doctor_trace(struct doctor *doctor, struct report *why);

/* Writes the report when all steps are judged. Errors: those of outfile_write. */
enum outcome doctor_send(struct doctor *doctor, struct report *why);

/* users.c. DOCTOR_NAME: bytes of a user's or group's name with its NUL. */
#define DOCTOR_NAME 64
void doctor_user_name(uid_t id, char name[DOCTOR_NAME]);
void doctor_group_name(gid_t id, char name[DOCTOR_NAME]);

/* True if /etc/group and the like have this user in the group, even if this process is not in it yet. */
bool doctor_listed_in(gid_t group);

/* Quotes a path for a shell, where that is necessary. */
void doctor_quote(const char *path, char *text, size_t size);

/* Writes "sudo -u USER OPENSSL_CONF=... simkey doctor" with what this environment has; user NULL: as
 * root. */
void doctor_command(const char *user, char *text, size_t size);

/* The folder with the files of configs/: that, or for an installed program the examples beside it. */
const char *doctor_examples(void);

/* The settings file that counts here: SIMKEY_CONF's, or the usual one. */
const char *doctor_settings_file(void);

/* properties.c: false, with a warning, if by the default properties of openssl.cnf, which was loaded into
 * libctx, programs do not find the SIM's keys, or find other things in simkey. */
bool doctor_properties(struct doctor *doctor, OSSL_LIB_CTX *libctx, const char *conf);

/* rundir.c */
void doctor_run_dir(struct doctor *doctor);
/* owners.c: a warning for each file or folder that others can change. */
void doctor_ownership(struct doctor *doctor);

/* True if other users than root and this one can change this file, or put another in its place. */
bool doctor_others_change(const char *path);

/* agent.c: whether the device is simkey-agent; whether a step is left out then, because the agent takes care
 * of what it looks at; and the step that asks the agent. */
bool doctor_by_agent(const struct doctor *doctor);
bool doctor_agent_matter(const char *step);
void doctor_agent(struct doctor *doctor);

/* port.c, holders.c */
void doctor_port(struct doctor *doctor);
void doctor_permission(struct doctor *doctor);
void doctor_holders(struct doctor *doctor);

/* control.c: the same steps for a modem that is reached by QMI or MBIM. */
bool doctor_is_control(const struct doctor *doctor);
void doctor_control_port(struct doctor *doctor);
void doctor_control_permission(struct doctor *doctor);
void doctor_control_holders(struct doctor *doctor);

/* The failure that such a modem cannot be reached: its remedy names no other ports and no baud. False, and
 * nothing is said, if it is another modem or another failure. */
bool doctor_control_unreachable(struct doctor *doctor, const struct report *why);

/* The failure that such a modem's firmware refuses this way: its remedy names the AT port. False, and nothing
 * is said, if it is another modem or another failure. */
bool doctor_control_refused(struct doctor *doctor, const struct report *why);

/* The first word of a file that sysfs has for the USB interface behind a serial port
 * ("bInterfaceNumber"). False if there is none. */
bool doctor_usb_value(const char *real, const char *file, char *value, size_t size);

/* modem.c */
void doctor_modem(struct doctor *doctor);
void doctor_sim(struct doctor *doctor);
void doctor_network(struct doctor *doctor);
void doctor_iccid(struct doctor *doctor);
void doctor_channel(struct doctor *doctor);
void doctor_mias(struct doctor *doctor);
void doctor_typea(struct doctor *doctor);
void doctor_safe2(struct doctor *doctor);

/* key.c */
void doctor_pin(struct doctor *doctor);
void doctor_certificate(struct doctor *doctor);
void doctor_key(struct doctor *doctor);
void doctor_signature(struct doctor *doctor);

/* The certificate's subject in one line (RFC 2253). */
void doctor_subject(const X509 *certificate, char *text, size_t size);

#endif
