/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the trace file, whose format is told in trace.h. */
#include "test/sim/trace.h"

#include "test/sim/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

bool trace_open(struct trace *t, const char *path, bool at)
{
    *t = (struct trace){.at = at};
    if (path == NULL)
        return true;
    t->file = fopen(path, "ae");
    if (t->file != NULL)
        return true;
    fprintf(stderr, "simmodem: cannot write the trace %s: %s\n", path, strerror(errno));
    return false;
}

void trace_close(struct trace *t)
{
    if (t->file != NULL)
        fclose(t->file);
    t->file = NULL;
}

struct name {
    uint8_t ins;
    int p1, p2; /* -1: any */
    const char *words;
};

static const struct name names[] = {
    {0x20, -1, -1, "VERIFY"},
    {0x22, -1, -1, "MSE SET"},
    {0x24, -1, -1, "CHANGE REFERENCE DATA"},
    {0x2A, 0x90, 0xA0, "PSO HASH"},
    {0x2A, 0x90, 0x80, "PSO HASH BLOCK"},
    {0x2A, 0x9E, 0x9A, "PSO CDS"},
    {0x2A, 0x80, 0x86, "PSO DECIPHER"},
    {0x2A, -1, -1, "PSO"},
    {0x2C, -1, -1, "RESET RETRY COUNTER"},
    {0x70, 0x00, -1, "MANAGE CHANNEL OPEN"},
    {0x70, 0x80, -1, "MANAGE CHANNEL CLOSE"},
    {0x70, -1, -1, "MANAGE CHANNEL"},
    {0x84, -1, -1, "GET CHALLENGE"},
    {0xA4, 0x04, -1, "SELECT AID"},
    {0xA4, -1, -1, "SELECT"},
    {0xB0, -1, -1, "READ BINARY"},
    {0xB2, -1, -1, "READ RECORD"},
    {0xC0, -1, -1, "GET RESPONSE"},
    {0xC2, -1, -1, "ENVELOPE"},
    {0xCA, -1, -1, "GET DATA"},
    {0xCC, -1, -1, "GET STATE"},
    {0xDA, -1, -1, "PUT DATA"},
    {0xF2, -1, -1, "STATUS"},
};

static const char *command_name(const uint8_t *command, size_t size)
{
    if (size < 4)
        return "?";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct name *n = &names[i];

        if (n->ins == command[1] && (n->p1 < 0 || n->p1 == command[2]) &&
            (n->p2 < 0 || n->p2 == command[3]))
            return n->words;
    }
    return "?";
}

bool trace_carries_pin(const uint8_t *command, size_t size)
{
    return size > 1 && (command[1] == 0x20 || command[1] == 0x24 || command[1] == 0x2C);
}

static void put_hex(FILE *out, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02X", data[i]);
}

static void put_masked(FILE *out, const uint8_t *data, size_t size, size_t shown)
{
    if (size <= shown) {
        put_hex(out, data, size);
        return;
    }
    put_hex(out, data, shown);
    fprintf(out, "{%zu}", size - shown);
}

static void put_time(FILE *out)
{
    int64_t ms = clock_ns() / NS_PER_MS;

    fprintf(out, "%lld.%03d ", (long long)(ms / 1000), (int)(ms % 1000));
}

void trace_apdu(const struct trace *t, const struct trace_entry *e)
{
    size_t body = e->answer_size >= 2 ? e->answer_size - 2 : 0;

    if (t->file == NULL)
        return;
    put_time(t->file);
    if (e->channel >= 0)
        fprintf(t->file, "%s %d ", e->source, e->channel);
    else
        fprintf(t->file, "%s - ", e->source);
    put_masked(t->file, e->command, e->command_size, e->masked ? 5 : e->command_size);
    fputs(" -> ", t->file);
    put_masked(t->file, e->answer, body, e->secret ? 0 : body);
    put_hex(t->file, e->answer + body, e->answer_size - body);
    fprintf(t->file, " %s\n",
            e->words != NULL ? e->words : command_name(e->command, e->command_size));
    fflush(t->file);
}

void trace_note(const struct trace *t, const char *format, ...)
{
    va_list args;

    if (t->file == NULL)
        return;
    put_time(t->file);
    va_start(args, format);
    vfprintf(t->file, format, args);
    va_end(args);
    fputc('\n', t->file);
    fflush(t->file);
}

/* What stands before the APDU in AT+CSIM and AT+CGLA: a session of up to 16 characters, a length of
 * up to 6. Anything else may be an APDU in the wrong place. */
static bool plain_arguments(const char *from, const char *to)
{
    while (from < to) {
        size_t length = strcspn(from, ",\"");
        bool last = from + length == to;

        if (from[length] == '"' || from + length > to || length > (last ? 6u : 16u))
            return false;
        from += length + 1;
    }
    return true;
}

/* How much of a command line may be shown: an APDU's data may be a PIN, AT+CPIN= and the like carry
 * one. Of a line with an APDU its header is shown, if it is where it belongs. */
static size_t shown_part(const char *line)
{
    static const char *const secrets[] = {"CSIM", "CGLA", "+CPIN=", "+CPWD=", "+CLCK="};
    const char *equals = strchr(line, '=');
    const char *comma = strrchr(line, ',');
    size_t i = 0;

    while (i < sizeof secrets / sizeof *secrets && strcasestr(line, secrets[i]) == NULL)
        i++;
    if (i == sizeof secrets / sizeof *secrets)
        return strlen(line);
    if (equals == NULL)
        return (size_t)(strcasestr(line, secrets[i]) - line) + strlen(secrets[i]);
    if (i < 2 && comma != NULL && comma > equals && plain_arguments(equals + 1, comma)) {
        comma += strspn(comma, ", \"");
        return (size_t)(comma - line) + (strlen(comma) < 10 ? strlen(comma) : 10);
    }
    return (size_t)(equals - line) + 1;
}

void trace_command_line(const struct trace *t, const char *line)
{
    size_t shown = shown_part(line);

    if (t->file == NULL || !t->at)
        return;
    put_time(t->file);
    fputs("at - ", t->file);
    for (size_t i = 0; i < shown; i++)
        fputc(line[i] >= ' ' && line[i] <= '~' ? line[i] : '?', t->file);
    if (line[shown] != '\0')
        fprintf(t->file, "{%zu}", strlen(line) - shown);
    fputc('\n', t->file);
    fflush(t->file);
}
