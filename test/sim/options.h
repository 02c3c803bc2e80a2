/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line asks for: where the modem and the card are, and how both behave. Read once
 * in main.c, constant afterwards. */
#ifndef SIMKEY_SIM_OPTIONS_H
#define SIMKEY_SIM_OPTIONS_H

#include "test/sim/faults.h"

enum key_type { KEY_RSA2048, KEY_P256, KEY_P384 };
enum cert_form { CERT_PLAIN, CERT_COMPRESSED };
enum label_form { LABELS_NEW, LABELS_OLD };
enum chain_form { CHAIN_NONE, CHAIN_CA, CHAIN_BROKEN };
enum typea_form { TYPEA_PKCS1, TYPEA_PKCS8, TYPEA_PEM };
enum safe2_identity { SAFE2_DIGITS, SAFE2_RAW };
enum safe2_query { SAFE2_QUERY_HEX, SAFE2_QUERY_DIGITS };
enum safe2_profile { SAFE2_NEW, SAFE2_OLD };
enum protocol_name { PROTOCOL_AT, PROTOCOL_QMI, PROTOCOL_MBIM };
enum pin1_form { PIN1_ENABLED, PIN1_DISABLED, PIN1_DISABLED_6984 };

struct options {
    /* Where and who */
    const char *link;
    const char *card;
    const char *other_card; /* of FAULT_OTHER_SIM */
    const char *trace;
    bool trace_at;
    bool trace_line;
    /* Personalisation */
    bool make_new;
    int key;             /* enum key_type */
    const char *keys_of; /* another card; NULL: new keys */
    const char *pin;
    const char *pin1;
    const char *iccid;
    /* The modem */
    int protocol; /* enum protocol_name */
    long slots;   /* of a QMI or MBIM modem, 0: it does not tell */
    long slot;    /* the one in which the card is */
    long baud;    /* 0: as fast as the pty goes */
    const char *imei;
    const char *iccid_commands; /* list of the names that answer, NULL: all */
    bool no_csim;
    bool no_ccho;
    bool no_manage_channel;
    bool no_sim;
    bool get_response; /* the modem fetches 61xx and 6Cxx itself */
    struct faults faults;
    /* The card */
    long sign_ms;
    long channels; /* supplementary ones */
    long max_read; /* largest Le of READ BINARY */
    bool t0;
    bool reject_le;
    int pin1_state; /* enum pin1_form */
    /* mIAS */
    bool no_applet;
    bool no_pss;
    bool no_oaep;
    bool mse_each;
    bool single_select;
    bool p2_0c_refused;
    bool alg44_only;
    long wrong_signature; /* so many are wrong; OPTION_ALWAYS: all */
    int cert;             /* enum cert_form */
    /* Type A */
    bool no_objects;
    bool no_files;
    int labels; /* enum label_form */
    bool label_pad;
    bool cert_pin;
    int chain;     /* enum chain_form */
    int typea_key; /* enum typea_form */
    /* SAFE2: the first ones are personalised with --new, and when serving go over what is there */
    const char *safe2_host;
    long safe2_port; /* 0: not given */
    const char *safe2_path;
    int safe2_identity; /* enum safe2_identity, -1: not given */
    int safe2_query;    /* enum safe2_query, -1: not given */
    const char *safe2_key_file;
    bool no_safe2;
    int safe2_profile; /* enum safe2_profile */
    long safe2_ms;
    long safe2_max;
    long safe2_tries;
    long safe2_retry_ms;
    long safe2_timeout_ms;
    /* Instead of working */
    bool help;
    bool version;
};

#define OPTION_ALWAYS (-1L)

/* Fills o with the defaults and reads argv; false after a sentence on stderr. */
bool options_read(struct options *o, int argc, char **argv);
void options_help(FILE *out);

#endif
