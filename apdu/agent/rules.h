/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what through the agent: the `allow` lines. A key is compared as the SIM's applet will use
 * it, and what the rule does not name is not handed on: no request can name one key and mean another. */
#ifndef SIMKEY_APDU_AGENT_RULES_H
#define SIMKEY_APDU_AGENT_RULES_H

#include "apdu/agent/protocol.h"
#include "apdu/modems.h"

#include <sys/types.h>

#define RULES_MAX   256 /* keys of all lines */
#define PEER_GROUPS 1024

/* The number that the kernel shows for every user and group that has none in this namespace, such as those of
 * a container (user_namespaces(7)): it means nobody. */
#define RULES_NOBODY 65534

enum right { RIGHT_READ = 1, RIGHT_SIGN = 2, RIGHT_DECRYPT = 4, RIGHT_AVAILABLE = 8 };

enum rule_what { RULE_ANYTHING, RULE_SIGNING, RULE_AVAILABLE, RULE_TRUST };

/* One key of one line. */
struct rule {
    bool group;      /* else a user */
    uint32_t id;     /* of the group or user */
    unsigned rights; /* of enum right */
    enum rule_what what;
    struct token_name name;      /* what is named of it */
    bool reference;              /* key-id: name's id is mIAS's key reference */
    char iccid[ICCID_SIZE];      /* "": any SIM */
    char modem[MODEM_NAME_SIZE]; /* "": any */
};

struct rules {
    size_t count; /* 0: the socket's group may read and sign */
    struct rule list[RULES_MAX];
};

/* Who asks (SO_PEERCRED, SO_PEERGROUPS). */
struct peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    size_t group_count;
    gid_t groups[PEER_GROUPS];
};

/* Takes what stands behind `allow =`, which it changes. Errors: OUTCOME_USAGE, in words. */
enum outcome rules_take(struct rules *rules, char *value, struct report *why);

/* True if this peer may do it with the modem of that name ("" for the first). socket_group: its members may use
 * the agent where there are no lines. *name: the part of the key's name that is to be handed on to the
 * applet; it must not be the request's own. */
bool rules_allow(const struct rules *rules, const struct peer *peer, gid_t socket_group,
                 const struct agent_request *request, const char *modem, struct token_name *name);

/* Who is at the other end of a connection. A peer with more groups than there is room for is in none. */
bool peer_of(int connection, struct peer *peer);

/* "list", "read", "sign", ... */
const char *rules_word(const struct agent_request *request);

#endif
