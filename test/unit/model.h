/* SPDX-License-Identifier: Apache-2.0 */
/* A random walk of programs that share one SIM, against a small model of card and modem: the real
 * code of apdu/ and modem/ in processes of their own, which live over many steps and are killed in
 * the middle of some; the line to the modem and its clock are those of the fuzz targets
 * (test/fuzz/line.h), in memory that all share, so that an hour of time-outs takes no time.
 *
 *   test_model.c     the suite: seeds, how many steps, the dialogue of a failure
 *   model_walk.c     which steps are taken, what happens between them
 *   model_check.c    what must be true afterwards
 *   model_program.c  a program: one process, its settings, its operations
 *   model_modem.c    the modem: AT, and what goes wrong while it answers
 *   model_card.c     the card, exact: channels, applets, PINs; and what no program may ask of it
 *   model_iotsafe.c  of its applets the one that has sessions and no PIN */
#ifndef SIMKEY_TEST_UNIT_MODEL_H
#define SIMKEY_TEST_UNIT_MODEL_H

#include "modem/outcome.h"
#include "test/unit/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MODEL_SIMS          2
#define MODEL_CHANNELS      20 /* 0..19 */
#define MODEL_TRIES         3
#define MODEL_DIGEST        32
#define MODEL_SIGNATURE     64 /* EC of 256 bits */
#define MODEL_STEPS_SHOWN   30
#define MODEL_DIALOGUE_SIZE 8192
#define MODEL_TIMEOUT_S     20
#define MODEL_SESSIONS      4

/* Its keys' ids. */
#define IOTSAFE_FIRST_KEY  0x01
#define IOTSAFE_SECOND_KEY 0x02

/* Whose a channel is, if it is none of the programs': another one's, or taken by another one, which
 * selected on it, so that nobody can say who has to close it. */
#define OPENED_BY_OTHERS (-1)
#define TAKEN_BY_OTHERS  (-2)

enum model_applet { APPLET_NONE, APPLET_MIAS, APPLET_SAFE2, APPLET_NETWORK, APPLET_IOTSAFE };

struct model_channel {
    bool open;
    int opener;      /* a program, or one of the two above */
    unsigned opened; /* the step */
    bool own;        /* for SAFE2, whose programs have each their own */
    enum model_applet applet;
    bool verified;
    bool fresh; /* the applet was selected, and nothing came since but the question for the state */
    bool asked; /* the last command was that question */
    bool file;  /* EF.ICCID is selected */
    uint8_t algorithm, key; /* 0: not set */
    uint8_t hash[MODEL_DIGEST];
    bool hashed;
};

struct model_session { /* of signing, by IoT SAFE's applet */
    unsigned channel;  /* 0: it is not open */
    uint8_t number, key;
    bool done; /* it has given its signature */
};

enum model_source { SOURCE_SHARED_FILE, SOURCE_LITERAL, SOURCE_OTHER_FILE, SOURCE_NONE, SOURCES };

struct model_sim {
    const char *iccid;
    char pin[9];
    int tries;
    bool refused[SOURCES]; /* its PIN was refused, or nobody heard what became of it */
    bool doubted[SOURCES]; /* whether the program believed the answer nobody can say */
};

enum model_fault {
    FAULT_NONE,
    FAULT_SLOW,        /* the answer takes most of its time */
    FAULT_LATE,        /* it comes after the time-out */
    FAULT_UNANSWERED,  /* the card does it, the answer is lost */
    FAULT_UNSEEN,      /* the command is lost */
    FAULT_TORN,        /* half an answer */
    FAULT_CME_13,      /* the modem refuses it, SIM failure */
    FAULT_CME_100,     /* the same, unknown */
    FAULT_BUSY,        /* +CME ERROR: 14, once */
    FAULT_EARLY_OK,    /* an OK of something else's before the answer */
    FAULT_TWICE,       /* the answer comes twice */
    FAULT_6881,        /* "no such channel", which is not true */
    FAULT_6F00,        /* no diagnosis */
    FAULT_RESTART,     /* the modem restarts and says so */
    FAULT_RESTART_MUM, /* it does not say so */
    FAULT_STEAL,       /* another program selects on the channel */
    FAULT_LOSE,        /* another program closes the channel */
    FAULT_SWAP,        /* another SIM is put in */
    FAULT_ECHO,        /* another program turns the echo on */
    FAULT_UNPLUG,      /* the device goes away, the modem keeps its power */
    FAULT_KILL_BEFORE, /* the program is killed before the modem has the command */
    FAULT_KILL_AFTER,  /* ... before the answer comes */
    FAULTS
};

enum model_act {
    ACT_SIGN,
    ACT_IOTSAFE, /* signs by the other applet */
    ACT_RANDOM,
    ACT_STATE,  /* of the PIN */
    ACT_PERSON, /* verifies the PIN */
    ACT_SAFE2,
    ACT_PROBE,
    ACT_IDENTITY,
    ACT_CLOSE, /* simkey close */
    ACT_END,   /* the program ends */
    ACTS
};

/* One step: who does what, and what goes wrong meanwhile. */
struct model_step {
    int program;
    enum model_act act;
    int sim;     /* whose key it is */
    bool iccid;  /* the key's reference names that SIM */
    uint8_t key; /* 61 or 62, or one of IoT SAFE's */
    uint8_t digest[MODEL_DIGEST];
    bool right_pin; /* a person's */
    enum model_fault fault;
    unsigned fault_at; /* lines before it */
    /* what came of it */
    enum outcome outcome;
    char why[512];
    int64_t took_ms;
    bool struck; /* the fault came to pass */
    char struck_by[24];
    bool verified;      /* a VERIFY with a PIN reached the card */
    bool sent;          /* it was on its way */
    bool forgiven;      /* it was a person's and right */
    int forgiven_by;    /* which SIM */
    bool doubtful;      /* whether its answer was believed nobody can say */
    unsigned signed_on; /* IoT SAFE's channel that gave a signature */
    unsigned unproven;  /* signatures that were another key's or another digest's */
};

enum model_program {
    PROGRAM_SERVICE, /* its PIN from a file */
    PROGRAM_SECOND,  /* the same file */
    PROGRAM_LITERAL, /* its PIN in a setting */
    PROGRAM_NO_PIN,
    PROGRAM_OTHER, /* a file of its own, whose PIN is wrong or right */
    PROGRAM_ALONE, /* session = private */
    PROGRAMS
};

/* Everything that the processes share. */
struct model {
    uint64_t random;
    unsigned walk_seed, steps; /* of this walk, so far */
    pid_t walker;
    int file_time;
    /* another SIM was put in, and nobody has found what stands of the old one on mIAS's channel, or
     * on IoT SAFE's */
    bool swapped, iotsafe_swapped;
    int64_t silent_until; /* line_now: it answers not even AT */
    bool disturbed;       /* something happened that no program has mended yet */
    bool heard;           /* a program spoke in this step */
    /* the card and its modem */
    struct model_channel channels[MODEL_CHANNELS];
    struct model_session sessions[MODEL_SESSIONS];
    bool one_session;
    struct model_sim sims[MODEL_SIMS];
    int sim;       /* which one is in */
    unsigned last; /* the highest channel */
    bool only_ccho, tells_iccid, t0;
    bool echo;
    uint8_t waiting[300]; /* for GET RESPONSE */
    size_t waiting_length;
    unsigned waiting_on;
    bool plugged;
    char other_pin[9]; /* in PROGRAM_OTHER's file */
    /* the programs */
    bool alive[PROGRAMS];
    unsigned session[PROGRAMS]; /* 0 shared, 1 keep, 2 private */
    char run_dir[128], shared_file[192], other_file[192];
    struct model_step step;
    unsigned struck[FAULTS], acts[ACTS], signatures,
        iotsafe_signatures; /* how often, for the test of the test */
    /* what was said, and what was wrong with it */
    char dialogue[MODEL_STEPS_SHOWN][MODEL_DIALOGUE_SIZE];
    char failure[1024];
};

/* The next number of the walk, 0 to below. */
unsigned model_random(struct model *model, unsigned below);

/* Adds a line to the step's dialogue. */
void model_note(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something is wrong: keeps the sentence, if it is the first one. A program's process ends. */
void model_fail(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- card ---- */

/* A new card state: nothing is open. */
void card_reset(struct model *model);

/* The lowest free channel, 0 if there is none. */
unsigned card_open(struct model *model, int opener);
void card_close(struct model *model, unsigned number);

/* Closes as a program does by AT+CCHC. False if it is not open. */
bool card_close_session(struct model *model, unsigned number);

/* One command on a channel (its CLA without the number); answer has room for 300. Returns the length
 * of the answer with its status word. */
size_t card_answer(struct model *model, unsigned channel, const uint8_t *command, size_t length,
                   uint8_t *answer);

/* Another program selects on a channel, with a key of its own. */
void card_steal(struct model *model, unsigned number);

/* Another SIM. */
void card_swap(struct model *model);

/* The signature that a key of a SIM gives. */
void card_signature(int sim, uint8_t key, const uint8_t *digest,
                    uint8_t signature[MODEL_SIGNATURE]);

/* What became of a VERIFY that nobody heard of: it counts as refused. */
void card_unheard(struct model *model, int sim);

/* Whose PIN a program has. */
enum model_source card_source(int program);

/* A command for IoT SAFE's applet on a channel, but SELECT. Gives the status word; what comes before it
 * goes into answer, which has room for 300. */
unsigned card_iotsafe(struct model *model, unsigned channel, const uint8_t *command, size_t length,
                      uint8_t *answer, size_t *answered);

/* Ends the sessions of a channel; 0: all. */
void card_end_sessions(struct model *model, unsigned channel);

/* How many a channel has that another program did not begin. */
unsigned card_sessions(const struct model *model, unsigned channel);

/* Another program begins one, and leaves it. */
void card_foreign_session(struct model *model, unsigned channel);

/* ---- modem ---- */

/* Takes a line that a program wrote: for line_start with the model. */
void model_heard(void *arg, const char *text);

/* It restarts; said_ms: when it says so, negative: not at all. */
void modem_restart(struct model *model, int said_ms);

const char *fault_name(enum model_fault fault);

/* ---- programs ---- */

struct program {
    pid_t pid; /* 0: it does not run */
    int line;  /* to it */
};

const char *program_name(int program);
const char *act_name(enum model_act act);

/* Has a program, which is started where it does not run, take the model's step. Returns false if it
 * was killed. */
bool program_step(struct model *model, struct program programs[PROGRAMS]);

/* Kills them all. */
void programs_kill(struct model *model, struct program programs[PROGRAMS]);

/* ---- what must be true ---- */

/* Whether the record has a channel of this number. */
bool record_names(const struct model *model, unsigned number);

/* Whether a channel that all share (owned: or one does not) stands in the record, but another program has
 * taken it or closed it. */
bool record_stale(const struct model *model, bool owned);

/* Whether a channel is open that a program opened, or (ours false) that another one did. */
bool channel_is(const struct model *model, unsigned number, bool ours);

/* Whether the step's signature has to succeed: asked before it and afterwards. */
bool must_succeed(const struct model *model, const struct model_step *step);

void check_channels(struct model *model);
void check_outcome_of(struct model *model, bool promised);

/* ---- the walk ---- */

/* A walk of so many steps. False if something went wrong: see model->failure. */
bool model_walk(struct model *model, unsigned seed, unsigned steps);

#endif
