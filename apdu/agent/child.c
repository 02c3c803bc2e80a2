/* SPDX-License-Identifier: Apache-2.0 */
/* How a child begins. */
#include "apdu/agent/child.h"

#include "apdu/agent/say.h"

#include <stdlib.h>
#include <sys/prctl.h>

static bool take_number(const char *text, unsigned long *number)
{
    char *end;

    *number = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

bool child_begin(struct child *child, int argc, char **argv)
{
    struct report why = REPORT_INIT;
    unsigned long parent, group;

    /* there will be a PIN in here: no core file, and no other process of this user looks in */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (argc != 3 || !take_number(argv[1], &parent) || !take_number(argv[2], &group) ||
        !conf_receive(CHILD_CONFIG, &child->config))
        return false;
    child->parent = (pid_t)parent;
    child->socket_group = (gid_t)group;
    if (conf_modems(&child->config, &child->modems, &why) == OUTCOME_OK)
        return true;
    agent_say("%s", why.text);
    return false;
}
