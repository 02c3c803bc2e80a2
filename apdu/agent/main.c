/* SPDX-License-Identifier: Apache-2.0 */
/* simkey-agent: options, and which of its processes this one is. */
#include "apdu/agent/child.h"
#include "apdu/agent/server.h"
#include "apdu/version.h"
#include "modem/descriptor.h"
#include "modem/text.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void help(void)
{
    printf(
        "simkey-agent: holds the modem's port and the PIN for other programs\n\n"
        "simkey-agent [options]\n"
        "    --socket PATH  where it listens (" AGENT_SOCKET "), if systemd has no socket for it\n"
        "    --config FILE  its settings (" CONFIG_FILE ")\n"
        "    --help  this text\n"
        "    --version  the version\n\n"
        "Programs use it with the setting `device = agent`, or `agent:PATH` for another socket.\n"
        "Exit status: 0 ended by SIGTERM, 1 usage or settings, 4 failed.\n");
}

static int run_child(int argc, char **argv)
{
    static struct child child;

    if (!child_begin(&child, argc, argv))
        return 1;
    if (strcmp(argv[0], CHILD_SERVE) == 0)
        return child_serve(&child);
    if (strcmp(argv[0], CHILD_AWAY) == 0)
        return child_away(&child);
    return child_leave(&child, strcmp(argv[0], CHILD_END) == 0);
}

static int run_server(const char *path, const char *file)
{
    struct report why = REPORT_INIT;
    char given[LISTEN_PATH_SIZE];
    bool handed;
    int listening = listen_at(path, &handed, &why);

    if (handed && listen_path(listening, given))
        path = given;
    if (listening >= 0)
        (void)server_run(listening, path, file, &why);
    if (why.outcome == OUTCOME_OK)
        return 0;
    text_line(stderr, "simkey-agent: %s", why.text);
    return outcome_exit_status(why.outcome);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"socket", required_argument, NULL, 's'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *path = AGENT_SOCKET, *file = CONFIG_FILE;
    int option;

    descriptor_fill();
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN); /* the log may have lost its reader */
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return run_child(argc - 2, argv + 2);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 's':
            path = optarg;
            break;
        case 'c':
            file = optarg;
            break;
        case 'h':
            help();
            return 0;
        case 'v':
            printf("simkey-agent %s\n", SIMKEY_VERSION);
            return 0;
        default:
            return 1;
        }
    if (optind < argc) {
        text_line(stderr, "simkey-agent: it takes no operands: see simkey-agent --help");
        return 1;
    }
    return run_server(path, file);
}
