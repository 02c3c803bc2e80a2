/* SPDX-License-Identifier: Apache-2.0 */
/* Selection, description and reading of files. The order of the tags and what stands beside them is
 * meant to be no help to a client that looks at fixed offsets. The lengths of mIAS's FCPs are those
 * of real SIMs: the vendor's client asks for exactly that many octets and wants 9000. */
#include "test/sim/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FID_MF          0x3F00u
#define FID_CURRENT_ADF 0x7FFFu

int tree_add(struct tree *t, int parent, enum file_kind kind, unsigned fid)
{
    struct file *files = realloc(t->files, (t->count + 1) * sizeof *files);

    if (files == NULL) {
        fputs("simmodem: out of memory\n", stderr);
        abort();
    }
    t->files = files;
    files[t->count] = (struct file){.fid = fid, .parent = parent, .kind = kind};
    return (int)t->count++;
}

void tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++)
        bytes_free(&t->files[i].data);
    free(t->files);
    *t = (struct tree){0};
}

static bool is_folder(const struct file *f)
{
    return f->kind == FILE_MF || f->kind == FILE_DF || f->kind == FILE_ADF;
}

static int find_child(const struct tree *t, int parent, unsigned fid)
{
    for (size_t i = 0; i < t->count; i++) {
        /* An ADF hangs under no directory: it is reached by its AID. */
        if (t->files[i].parent == parent && t->files[i].fid == fid && t->files[i].kind != FILE_ADF)
            return (int)i;
    }
    return -1;
}

static int walk(const struct tree *t, int from, const uint8_t *path, size_t size)
{
    for (size_t i = 0; i < size && from >= 0; i += 2)
        from = find_child(t, from, (unsigned)path[i] << 8 | path[i + 1]);
    return from;
}

/* Path from the MF; inside an application also from its own root, as the facts about both applets
 * tell, and with 7FFF for the application (TS 102 221 8.4.2). */
static int walk_from_root(const struct tree *t, const struct cursor *c, const uint8_t *path,
                          size_t size)
{
    unsigned first = (unsigned)path[0] << 8 | path[1];
    int found;

    if (first == FID_MF)
        return walk(t, 0, path + 2, size - 2);
    if (first == FID_CURRENT_ADF)
        return c->root > 0 ? walk(t, c->root, path + 2, size - 2) : -1;
    found = walk(t, c->root, path, size);
    return found >= 0 ? found : walk(t, 0, path, size);
}

/* By file identifier: the MF, the application, a child, the directory itself, its parent, a sister
 * (TS 102 221 8.4.1). */
static int find_fid(const struct tree *t, const struct cursor *c, unsigned fid)
{
    int found;
    int parent = t->files[c->df].parent;

    if (fid == FID_MF)
        return 0;
    if (fid == FID_CURRENT_ADF)
        return c->root > 0 ? c->root : -1;
    found = find_child(t, c->df, fid);
    if (found < 0 && t->files[c->df].fid == fid)
        found = c->df;
    if (found < 0 && parent >= 0 && t->files[parent].fid == fid)
        found = parent;
    if (found < 0 && parent >= 0)
        found = find_child(t, parent, fid);
    return found;
}

static int find_by(const struct tree *t, const struct cursor *c, const struct command *cmd)
{
    unsigned fid = (unsigned)cmd->data[0] << 8 | cmd->data[1];
    int found;

    switch (cmd->p1) {
    case 0x00:
        return find_fid(t, c, fid);
    case 0x01: /* a child directory */
    case 0x02: /* an elementary file of this directory */
        found = find_child(t, c->df, fid);
        if (found >= 0 && is_folder(&t->files[found]) != (cmd->p1 == 0x01))
            return -1;
        return found;
    case 0x08:
        return walk_from_root(t, c, cmd->data, cmd->lc);
    default:
        return walk(t, c->df, cmd->data, cmd->lc);
    }
}

const struct file *tree_select(const struct tree *t, struct cursor *c, const struct command *cmd,
                               unsigned *sw)
{
    bool path = cmd->p1 == 0x08 || cmd->p1 == 0x09;
    int found;

    *sw = 0x6A86;
    if (!path && cmd->p1 > 0x03)
        return NULL;
    /* Occurrence first or only, FCI, FCP or nothing: no FMD here (P2 08). */
    if (cmd->p2 != 0x00 && cmd->p2 != 0x04 && cmd->p2 != 0x0C)
        return NULL;
    if (cmd->p1 == 0x03) {
        found = t->files[c->df].parent;
    } else if (cmd->p1 == 0x00 && cmd->lc == 0) {
        found = 0; /* ISO 7816-4: P1-P2 0000 without data selects the MF */
    } else {
        *sw = 0x6700;
        if (cmd->lc < 2 || cmd->lc % 2 != 0 || (!path && cmd->lc != 2))
            return NULL;
        found = find_by(t, c, cmd);
    }
    *sw = 0x6A82;
    if (found < 0)
        return NULL;
    if (is_folder(&t->files[found])) {
        *c = (struct cursor){.root = found == 0 ? 0 : c->root, .df = found, .ef = -1};
    } else {
        c->df = t->files[found].parent;
        c->ef = found;
    }
    *sw = 0x9000;
    return &t->files[found];
}

static void describe_folder(const struct file *f, const uint8_t *aid, size_t aid_size,
                            struct bytes *out)
{
    static const uint8_t descriptor[] = {0x78, 0x21};
    static const uint8_t proprietary[] = {0x80, 0x01, 0x71, 0x83, 0x02, 0x2A, 0xF8};
    static const uint8_t life_cycle[] = {0x05};
    static const uint8_t security[] = {0x2F, 0x06, 0x02};
    static const uint8_t pin_status[] = {0x90, 0x01, 0x80, 0x83, 0x01, 0x01};
    const uint8_t fid[] = {(uint8_t)(f->fid >> 8), (uint8_t)f->fid};

    bytes_add_tlv(out, 0x82, descriptor, sizeof descriptor);
    if (aid != NULL)
        bytes_add_tlv(out, 0x84, aid, aid_size);
    else
        bytes_add_tlv(out, 0x83, fid, sizeof fid);
    bytes_add_tlv(out, 0xA5, proprietary, sizeof proprietary);
    bytes_add_tlv(out, 0x8A, life_cycle, sizeof life_cycle);
    bytes_add_tlv(out, 0x8B, security, sizeof security);
    bytes_add_tlv(out, 0xC6, pin_status, sizeof pin_status);
}

/* TREE_UICC   82 descriptor, 83 file id, 8A life cycle, 80 size, 8B access rules, 88 short file id
 * TREE_MIAS   82 descriptor, 83 file id, 81 size, 8A life cycle, 8C access rules (who may read, and
 *             update), A5 proprietary: 28 octets with the head
 * short_fcp   82 descriptor, 83 file id, 81 size, 8A life cycle, 8C access rules (who may read): 21 */
static void describe_file(const struct tree *t, const struct file *f, struct bytes *out)
{
    bool records = f->kind == FILE_RECORDS;
    const uint8_t descriptor[] = {records ? 0x42 : 0x41, 0x21, 0x00, (uint8_t)f->record,
                                  records ? (uint8_t)(f->data.size / f->record) : (uint8_t)0};
    const uint8_t plain_descriptor[] = {0x01, 0x21};
    const uint8_t fid[] = {(uint8_t)(f->fid >> 8), (uint8_t)f->fid};
    const uint8_t size[] = {(uint8_t)(f->data.size >> 8), (uint8_t)f->data.size};
    const uint8_t life_cycle[] = {0x05};
    const uint8_t arr = f->parent == 0 ? 0x2F : 0x6F; /* EF.ARR of the MF, or of the application */
    const uint8_t security[] = {arr, 0x06, 0x00, 0x06, 0x01, f->needs_pin ? 0x02 : 0x01};
    const uint8_t compact[] = {0x03, 0xFF, 0xFF, f->needs_pin ? 0x81 : 0x00};
    static const uint8_t readable_by_all[] = {0x01, 0x00};
    const uint8_t proprietary[] = {0x80, 0x01, 0x71};
    const uint8_t sfi[] = {(uint8_t)(f->sfi << 3)};

    if (t->style == TREE_MIAS) {
        bytes_add_tlv(out, 0x82, plain_descriptor, sizeof plain_descriptor);
        bytes_add_tlv(out, 0x83, fid, sizeof fid);
        bytes_add_tlv(out, 0x81, size, sizeof size);
        bytes_add_tlv(out, 0x8A, life_cycle, sizeof life_cycle);
        if (f->short_fcp) {
            bytes_add_tlv(out, 0x8C, readable_by_all, sizeof readable_by_all);
            return;
        }
        bytes_add_tlv(out, 0x8C, compact, sizeof compact);
        bytes_add_tlv(out, 0xA5, proprietary, sizeof proprietary);
        return;
    }
    bytes_add_tlv(out, 0x82, descriptor, records ? sizeof descriptor : 2);
    bytes_add_tlv(out, 0x83, fid, sizeof fid);
    bytes_add_tlv(out, 0x8A, life_cycle, sizeof life_cycle);
    bytes_add_tlv(out, 0x80, size, sizeof size);
    bytes_add_tlv(out, 0x8B, security, sizeof security);
    bytes_add_tlv(out, 0x88, sfi, sizeof sfi);
}

void tree_describe(const struct tree *t, const struct file *f, unsigned p2, const uint8_t *aid,
                   size_t aid_size, struct bytes *out)
{
    struct bytes inner = {0};

    if ((p2 & 0x0C) == 0x0C)
        return;
    if (is_folder(f))
        describe_folder(f, aid, aid_size, &inner);
    else
        describe_file(t, f, &inner);
    bytes_add_tlv(out, (p2 & 0x0C) == 0x04 ? 0x62 : 0x6F, inner.data, inner.size);
    bytes_free(&inner);
}

/* A short file identifier in P1 or P2 selects the file too. */
static bool select_sfi(const struct tree *t, struct cursor *c, unsigned sfi)
{
    for (size_t i = 0; i < t->count; i++) {
        if (sfi != 0 && t->files[i].sfi == sfi && t->files[i].parent == c->df) {
            c->ef = (int)i;
            return true;
        }
    }
    return false;
}

/* The file to read, or NULL with the status word set. */
static const struct file *readable(const struct tree *t, const struct cursor *c,
                                   enum file_kind kind, bool verified, struct response *r)
{
    const struct file *f = c->ef >= 0 ? &t->files[c->ef] : NULL;

    if (f == NULL)
        r->sw = 0x6986;
    else if (f->kind != kind)
        r->sw = 0x6981;
    else if (f->needs_pin && !verified)
        r->sw = 0x6982;
    else
        return f;
    return NULL;
}

void tree_read_binary(const struct tree *t, struct cursor *c, const struct command *cmd,
                      bool verified, size_t max_read, struct response *r)
{
    const struct file *f;
    size_t offset = (size_t)(cmd->p1 & 0x7F) << 8 | cmd->p2;
    size_t rest;

    r->sw = 0x6700;
    if (cmd->lc != 0 || cmd->le > max_read)
        return;
    if (cmd->p1 & 0x80) {
        r->sw = 0x6A82;
        if (!select_sfi(t, c, cmd->p1 & 0x1F))
            return;
        offset = cmd->p2;
    }
    f = readable(t, c, FILE_TRANSPARENT, verified, r);
    if (f == NULL)
        return;
    r->sw = 0x6B00;
    if (offset >= f->data.size)
        return;
    rest = f->data.size - offset;
    r->sw = 0x9000;
    /* Le 00 asks for what there is. More than that by number: a UICC corrects Le, mIAS gives what
     * it has with the warning "end of file before Le octets". */
    if (cmd->le < 256 && cmd->le > rest) {
        r->sw = t->style == TREE_UICC ? 0x6C00 | (unsigned)rest : 0x6282;
        if (t->style == TREE_UICC)
            return;
    }
    r->secret = f->secret;
    bytes_add(&r->data, f->data.data + offset, rest < cmd->le ? rest : cmd->le);
}

void tree_read_record(const struct tree *t, struct cursor *c, const struct command *cmd,
                      bool verified, struct response *r)
{
    const struct file *f;

    r->sw = 0x6700;
    if (cmd->lc != 0)
        return;
    r->sw = 0x6A86;
    if ((cmd->p2 & 0x07) != 0x04) /* only by number */
        return;
    if (cmd->p2 >> 3 != 0) {
        r->sw = 0x6A82;
        if (!select_sfi(t, c, cmd->p2 >> 3))
            return;
    }
    f = readable(t, c, FILE_RECORDS, verified, r);
    if (f == NULL)
        return;
    r->sw = 0x6A83;
    if (cmd->p1 == 0 || (size_t)cmd->p1 * f->record > f->data.size)
        return;
    r->sw = 0x6C00 | (unsigned)f->record;
    if (cmd->le < 256 && cmd->le != f->record)
        return;
    r->sw = 0x9000;
    bytes_add(&r->data, f->data.data + (size_t)(cmd->p1 - 1) * f->record, f->record);
}
