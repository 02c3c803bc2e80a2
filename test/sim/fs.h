/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of files and what SELECT, READ BINARY and READ RECORD do with it (ISO 7816-4, TS 102
 * 221 11.1). The UICC has one tree, mIAS another; both are constant once built (image.h). PINs are
 * the caller's. */
#ifndef SIMKEY_SIM_FS_H
#define SIMKEY_SIM_FS_H

#include "test/sim/apdu.h"
#include "test/sim/bytes.h"

enum file_kind { FILE_MF, FILE_DF, FILE_ADF, FILE_TRANSPARENT, FILE_RECORDS };

struct file {
    unsigned fid;
    int parent; /* index, -1: none */
    enum file_kind kind;
    bool needs_pin;
    bool secret;    /* its content is masked in the trace */
    bool short_fcp; /* mIAS's map and directory: 21 octets of FCP, not 28 */
    unsigned sfi;
    size_t record; /* octets of each record */
    struct bytes data;
};

/* Which tags the FCP has, and what a READ BINARY past the end answers. */
enum tree_style { TREE_UICC, TREE_MIAS };

struct tree {
    enum tree_style style;
    struct file *files;
    size_t count;
};

/* Appends a file below parent (an index, -1 for the root) and returns its index. */
int tree_add(struct tree *t, int parent, enum file_kind kind, unsigned fid);
void tree_free(struct tree *t);

/* What is selected on one channel: application root, directory, elementary file (-1: none). */
struct cursor {
    int root;
    int df;
    int ef;
};

/* SELECT by file identifier or path: P1 00, 01, 02, 03, 08, 09. Moves the cursor and returns the
 * file, or NULL with the status word in *sw and the cursor where it was. */
const struct file *tree_select(const struct tree *t, struct cursor *c, const struct command *cmd,
                               unsigned *sw);
/* The answer to SELECT as P2 asks for it: FCI (6F), FCP (62) or nothing. aid may be NULL. */
void tree_describe(const struct tree *t, const struct file *f, unsigned p2, const uint8_t *aid,
                   size_t aid_size, struct bytes *out);

/* READ BINARY and READ RECORD. verified: the PIN of the tree's files stands. */
void tree_read_binary(const struct tree *t, struct cursor *c, const struct command *cmd,
                      bool verified, size_t max_read, struct response *r);
void tree_read_record(const struct tree *t, struct cursor *c, const struct command *cmd,
                      bool verified, struct response *r);

#endif
