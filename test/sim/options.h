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

enum applets { APPLETS_MIAS, APPLETS_IOTSAFE, APPLETS_BOTH };
enum iotsafe_key { IOTSAFE_KEY_P256, IOTSAFE_KEY_RSA2048 };
enum iotsafe_list {
    IOTSAFE_LIST_WRAPPED, /* a wrapper an object */
    IOTSAFE_LIST_GROUPED, /* one for all objects of a kind */
    IOTSAFE_LIST_FLAT,
    IOTSAFE_LIST_ABSENT, /* 6D00 */
    IOTSAFE_LIST_NO_DATA /* the same for all GET DATA */
};
enum iotsafe_info { IOTSAFE_INFO_AS_LIST, IOTSAFE_INFO_WRAPPED, IOTSAFE_INFO_BARE };
enum iotsafe_order { IOTSAFE_LABEL_FIRST, IOTSAFE_ID_FIRST, IOTSAFE_MIXED };
enum iotsafe_data { IOTSAFE_DATA_61, IOTSAFE_DATA_90, IOTSAFE_DATA_ODD };
enum iotsafe_size { IOTSAFE_EXACT, IOTSAFE_PADDED, IOTSAFE_SWAPPED, IOTSAFE_NO_SIZE };
enum iotsafe_end { IOTSAFE_6B00, IOTSAFE_6A86, IOTSAFE_6981, IOTSAFE_EMPTY };
enum iotsafe_full { IOTSAFE_FULL_6985, IOTSAFE_FULL_6989 };
enum iotsafe_missing { IOTSAFE_6A82, IOTSAFE_6A88 };
enum iotsafe_generated { IOTSAFE_ALL, IOTSAFE_KEY_ONLY, IOTSAFE_NOTHING };
enum iotsafe_class { IOTSAFE_ANY_CLASS, IOTSAFE_0X, IOTSAFE_8X };

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
    int applets;             /* enum applets */
    const char *iotsafe_aid; /* list, NULL: the usual ones */
    int iotsafe_key;         /* enum iotsafe_key */
    long iotsafe_id_size;
    bool iotsafe_public_next;
    bool iotsafe_all_hashes;
    bool iotsafe_volatile;
    bool iotsafe_cmac;
    /* The modem */
    const char *group; /* of the pty, NULL: the user's own */
    int protocol;      /* enum protocol_name */
    long slots;        /* of a QMI or MBIM modem, 0: it does not tell */
    long slot;         /* the one in which the card is */
    long baud;         /* 0: as fast as the pty goes */
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
    /* IoT SAFE, when serving */
    int iotsafe_list;  /* enum iotsafe_list */
    int iotsafe_info;  /* enum iotsafe_info */
    int iotsafe_order; /* enum iotsafe_order */
    long iotsafe_page; /* octets, 0: the list in one answer */
    bool iotsafe_raw_length;
    bool iotsafe_no_labels;
    bool iotsafe_no_usage;
    bool iotsafe_bad_92;
    int iotsafe_data; /* enum iotsafe_data */
    bool iotsafe_pem;
    int iotsafe_size; /* enum iotsafe_size */
    int iotsafe_end;  /* enum iotsafe_end */
    bool iotsafe_two_octets;
    bool iotsafe_der;
    bool iotsafe_bare_point;
    int iotsafe_generated; /* enum iotsafe_generated */
    long iotsafe_generate_ms;
    bool iotsafe_new_ids;
    int iotsafe_class; /* enum iotsafe_class */
    long iotsafe_sessions;
    bool iotsafe_left_open;
    int iotsafe_full;    /* enum iotsafe_full */
    int iotsafe_missing; /* enum iotsafe_missing */
    bool iotsafe_no_fci;
    bool iotsafe_9110;
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
