/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's program: does one thing k times and prints a line each time with CLOCK_MONOTONIC's
 * nanoseconds, so that whoever started it can reckon from its own clock.
 *
 *     handshake serve   --cert F --key F --ca F                 prints its port, serves for ever
 *     handshake connect --cert F --key F --ca F --port N        TLS handshakes with a client key
 *     handshake sign    --key F                                 signatures of a SHA-256 digest
 *     handshake verify  --cert F --key F                        verifications of one of them
 *     handshake load    --uri URI                               certificate and key of a store
 *
 *     --count K, --seconds S   so many, or as many as begin in that time
 *     --wait                   prints "ready" and waits for a line on stdin before the first
 *     --engine NAME            takes the key from an engine
 *
 * A line: KIND BEGIN END CPU. The last one: end PEAK-KILOBYTES CPU. */
#include "test/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool (*act)(const struct options *);
} actions[] = {
    {"serve", act_serve},   {"connect", act_connect}, {"sign", act_sign},
    {"verify", act_verify}, {"load", act_load},
};

static bool number(const char *text, long *value)
{
    char *end = NULL;

    *value = strtol(text, &end, 10);
    return end != text && *end == '\0' && *value >= 0;
}

/* One option with its value. */
static bool option(struct options *options, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        long *number;
    } known[] = {
        {"--cert", &options->cert, NULL},     {"--key", &options->key, NULL},
        {"--ca", &options->ca, NULL},         {"--uri", &options->uri, NULL},
        {"--engine", &options->engine, NULL}, {"--port", NULL, &options->port},
        {"--count", NULL, &options->count},   {"--seconds", NULL, &options->seconds},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        if (known[i].number != NULL)
            return number(value, known[i].number);
        *known[i].text = value;
        return true;
    }
    return false;
}

static bool read_options(struct options *options, int count, char **arguments)
{
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--wait") == 0) {
            options->wait = true;
        } else if (i + 1 == count || !option(options, arguments[i], arguments[i + 1])) {
            fprintf(stderr, "handshake: what is %s?\n", arguments[i]);
            return false;
        } else {
            i++;
        }
    }
    return true;
}

/* The largest amount of memory that it ever had, from the kernel's book. */
static long peak_kilobytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long peak = 0;

    if (status == NULL)
        return 0;
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    }
    fclose(status);
    return peak;
}

int main(int count, char **arguments)
{
    struct options options = {.count = 1};
    int64_t now = bench_now();

    if (count < 2 || !read_options(&options, count, arguments)) {
        fprintf(stderr, "usage: handshake serve|connect|sign|verify|load OPTION...\n");
        return 2;
    }
    bench_line("main", now, now, bench_cpu());
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(arguments[1], actions[i].name) != 0)
            continue;
        if (!actions[i].act(&options))
            return 1;
        printf("end %ld %lld\n", peak_kilobytes(), (long long)bench_cpu());
        return 0;
    }
    fprintf(stderr, "handshake: there is no action %s\n", arguments[1]);
    return 2;
}
