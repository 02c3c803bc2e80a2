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
enum pin1_form { PIN1_ENABLED, PIN1_DISABLED, PIN1_DISABLED_6984 };

struct options {
    /* Where and who */
    const char *link;
    const char *card;
    const char *trace;
    bool trace_at;
    /* Personalisation */
    bool make_new;
    int key; /* enum key_type */
    const char *pin;
    const char *pin1;
    const char *iccid;
    /* The modem */
    long baud; /* 0: as fast as the pty goes */
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
    int chain;     /* enum chain_form */
    int typea_key; /* enum typea_form */
    /* Instead of working */
    bool help;
    bool version;
};

#define OPTION_ALWAYS (-1L)

/* Fills o with the defaults and reads argv; false after a sentence on stderr. */
bool options_read(struct options *o, int argc, char **argv);
void options_help(FILE *out);

#endif
