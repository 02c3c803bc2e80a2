/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor --report: what a user may send to others, so that they know what happened with a modem
 * and a SIM that they do not have. Versions, the modem, the steps, and of each APDU its header and its
 * status word: no data, so no PIN, no key and no certificate; numbers that mean one SIM or one device
 * are cut. */
#include "apdu/outfile.h"
#include "modem/text.h"
#include "provider/tool/doctor/doctor.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LINE_MAX_SIZE 4096
#define KEPT_DIGITS   6  /* of an ICCID: who issued it; of an IMEI: a part of the model's number */
#define LONG_DIGITS   10 /* a run of so many hex digits may mean one SIM or device */
#define MANY_DIGITS   5  /* of them so many decimal ones at least: else it is a word */

struct report_text {
    char *data;
    size_t length, size;
    bool broken; /* out of memory */
};

static void put(struct report_text *text, const char *line)
{
    size_t length = strlen(line);

    if (text->length + length + 1 > text->size && !text->broken) {
        size_t size = 2 * (text->size + length + 1);
        char *more = realloc(text->data, size);

        text->broken = more == NULL;
        if (more != NULL) {
            text->data = more;
            text->size = size;
        }
    }
    if (text->broken)
        return;
    memcpy(text->data + text->length, line, length + 1);
    text->length += length;
}

/* Each long run of digits keeps its beginning only. */
static void cut_numbers(const char *from, char *to, size_t size)
{
    size_t used = 0;

    while (*from != '\0' && used + 32 < size) {
        size_t run = 0, decimal = 0;

        while (isxdigit((unsigned char)from[run])) {
            decimal += isdigit((unsigned char)from[run]) ? 1 : 0;
            run++;
        }
        if (run >= LONG_DIGITS && decimal >= MANY_DIGITS) {
            used +=
                (size_t)snprintf(to + used, size - used, "%.*s...(%zu)", KEPT_DIGITS, from, run);
            from += run;
            continue;
        }
        if (run == 0)
            run = 1;
        if (run > size - used - 1)
            run = size - used - 1;
        memcpy(to + used, from, run);
        used += run;
        from += run;
    }
    to[used] = '\0';
}

static void put_cut(struct report_text *text, const char *name, const char *value)
{
    char shown[TEXT_GROWTH * LINE_MAX_SIZE], cut[TEXT_GROWTH * LINE_MAX_SIZE];

    (void)text_copy(shown, sizeof shown, value);
    cut_numbers(shown, cut, sizeof cut);
    put(text, name);
    put(text, cut);
    put(text, "\n");
}

/* The distribution's name, as os-release(5) has it. */
static void put_system(struct report_text *text)
{
    FILE *in = fopen("/etc/os-release", "re");
    char line[256], shown[400];
    struct utsname name;

    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, "PRETTY_NAME=", 12) == 0) {
            line[strcspn(line, "\n")] = '\0';
            put_cut(text, "system   ", line + 12);
        }
    if (in != NULL)
        (void)fclose(in);
    if (uname(&name) != 0) /* not the machine's name */
        return;
    (void)snprintf(shown, sizeof shown, "%.100s %.100s %.100s", name.sysname, name.release,
                   name.machine);
    put_cut(text, "kernel   ", shown);
}

static void put_modem(struct report_text *text, const struct doctor *doctor)
{
    const struct modem_identity *modem = &doctor->identity;

    put_cut(text, "maker    ", modem->manufacturer);
    put_cut(text, "model    ", modem->model);
    put_cut(text, "firmware ", modem->revision);
    put_cut(text, "IMEI     ", modem->imei);
    put_cut(text, "SIM      ", modem->sim_state);
    put_cut(text, "ICCID    ", doctor->iccid);
}

/* Names in certificates are the owner's: of these steps only the result is told. */
static bool names_owner(const char *step)
{
    return strcmp(step, "certificate") == 0 || strcmp(step, "typea") == 0;
}

static void put_steps(struct report_text *text, const struct doctor *doctor)
{
    const cJSON *step;
    char line[64];

    cJSON_ArrayForEach(step, doctor->steps.root)
    {
        const char *name = cJSON_GetObjectItem(step, "step")->valuestring;

        (void)snprintf(line, sizeof line, "%-8s %-12s ",
                       cJSON_GetObjectItem(step, "result")->valuestring, name);
        put_cut(text, line,
                names_owner(name) ? "(not told here)"
                                  : cJSON_GetObjectItem(step, "text")->valuestring);
    }
}

/* A line of the trace, "12.345 simkey[99] 00A4040C10... -> 61129000 12 ms", without data. */
static void put_apdu(struct report_text *text, const char *line)
{
    const char *command = strchr(line, ']'), *arrow = strstr(line, " -> ");
    const char *answer = arrow != NULL ? arrow + 4 : NULL, *end;
    char shown[128];
    size_t header;

    if (command == NULL || arrow == NULL || command > arrow || (end = strchr(answer, ' ')) == NULL)
        return;
    command += 2;
    header = strspn(command, "0123456789ABCDEFabcdef");
    if (header > 10)
        header = 10; /* CLA INS P1 P2, and Lc or Le */
    if (header == 10 && command[2] == '2' && strchr("0468C", command[3]) != NULL)
        header = 8; /* the length of a PIN is the user's matter */
    (void)snprintf(shown, sizeof shown, "%.*s%s -> %.*s%s", (int)header, command,
                   command + header < arrow ? "..." : "",
                   end - answer >= 4 ? 4 : (int)(end - answer),
                   end - answer >= 4 ? end - 4 : answer, end);
    put(text, shown);
}

static void put_trace(struct report_text *text, int trace)
{
    FILE *in = trace >= 0 ? fdopen(trace, "r") : NULL;
    char line[LINE_MAX_SIZE];

    if (in == NULL)
        return;
    rewind(in);
    while (fgets(line, sizeof line, in) != NULL)
        put_apdu(text, line);
    OPENSSL_cleanse(line, sizeof line);
    (void)fclose(in);
}

enum outcome doctor_trace(struct doctor *doctor, struct report *why)
{
    char value[64];

    doctor->trace = memfd_create("simkey", MFD_CLOEXEC);
    if (doctor->trace < 0)
        return report_set(why, OUTCOME_SYSTEM, "no memory for the report's trace");
    (void)snprintf(value, sizeof value, "apdu,file:/proc/self/fd/%d", doctor->trace);
    return settings_set(&doctor->settings, "trace", value, why);
}

enum outcome doctor_send(struct doctor *doctor, struct report *why)
{
    struct report_text text = {.data = NULL, .broken = doctor->steps.broken};
    enum outcome outcome;

    put(&text,
        "simkey doctor --report: versions, modem, steps, APDU headers and status words.\n"
        "There is no PIN, key or certificate in it, and of ICCID and IMEI only the beginning.\n"
        "Read it before you send it: names of files and users are in it.\n\n"
        "simkey   " SIMKEY_VERSION "\n");
    put_cut(&text, "OpenSSL  ", OpenSSL_version(OPENSSL_VERSION));
    put_cut(&text, "built    ", OPENSSL_VERSION_TEXT);
    put_system(&text);
    put_modem(&text, doctor);
    put(&text, "\nsteps\n");
    put_steps(&text, doctor);
    put(&text, "\nAPDUs\n");
    put_trace(&text, doctor->trace);
    doctor->trace = -1;
    outcome = text.broken
                  ? report_set(why, OUTCOME_SYSTEM, "out of memory")
                  : outfile_write(doctor->line->report, text.data, text.length, 0600, false, why);
    free(text.data);
    return outcome;
}
