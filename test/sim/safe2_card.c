/* SPDX-License-Identifier: Apache-2.0 */
/* What a card holds for SAFE2, private/safe2 (mode 0600) in its directory, one NAME = VALUE a line:
 *
 *   version  = 1
 *   host     = localhost         the server's name or address
 *   port     = 4433
 *   config   = /v1/config        where the GET goes, before the device id
 *   data     = /v1/data          where the POST goes, before the device id
 *   identity = digits            of the key: digits (the ICCID's) or raw (the octets of EF.ICCID)
 *   query    = hex               ICCID in the query: hex (of EF.ICCID) or digits
 *   key      = 32 hex digits     the pre-shared key
 *
 * It is read at every try of every job: whoever changes it while simmodem runs does what an update
 * over the air does. A card without the file has no SAFE2 applet. The key is repeated nowhere. */
#include "test/sim/safe2_job.h"

#include <openssl/rand.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME      "private/safe2"
#define FILE_MAX  2048
#define PATHS     "/v1/config,/v1/data"
#define SPACES    " \t\r\n"
#define HOST_SET  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%"
#define DIGITS    "0123456789"
#define KEY_WORDS "the pre-shared key as 32 hexadecimal digits"

static bool put(char *out, size_t room, const char *text, size_t size)
{
    if (size == 0 || size >= room)
        return false;
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

static bool put_host(struct safe2_data *d, const char *text)
{
    size_t size = strlen(text);

    return strspn(text, HOST_SET) == size && put(d->host, sizeof d->host - 2, text, size);
}

static bool put_port(struct safe2_data *d, const char *text)
{
    size_t size = strlen(text);
    unsigned port = 0;

    for (size_t i = 0; i < size && i < 5; i++)
        port = 10 * port + (unsigned)(text[i] - '0');
    return strspn(text, DIGITS) == size && port >= 1 && port <= 65535 &&
           put(d->port, sizeof d->port, text, size);
}

static bool put_path(char *out, size_t room, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("?#,", text[i]) != NULL)
            return false;
    }
    return text[0] == '/' && put(out, room, text, size);
}

/* CONFIG or CONFIG,DATA */
static bool put_paths(struct safe2_data *d, const char *text)
{
    const char *comma = strchr(text, ',');
    size_t size = comma != NULL ? (size_t)(comma - text) : strlen(text);

    return put_path(d->config_path, sizeof d->config_path, text, size) &&
           (comma == NULL ||
            put_path(d->data_path, sizeof d->data_path, comma + 1, strlen(comma + 1)));
}

static bool put_words(bool *out, const char *text, const char *when_false, const char *when_true)
{
    *out = strcmp(text, when_true) == 0;
    return *out || strcmp(text, when_false) == 0;
}

static bool put_key(struct safe2_data *d, const char *text)
{
    return strlen(text) == 2 * SAFE2_KEY_SIZE && hex_read(d->key, text, 2 * SAFE2_KEY_SIZE);
}

/* Reads a small file as text without leaving a copy in a library's buffer. */
static bool read_text(const char *path, char text[FILE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t fill = 0;
    ssize_t n = -1;

    while (fd >= 0 && fill < FILE_MAX - 1 &&
           (n = read(fd, text + fill, FILE_MAX - 1 - fill)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        fill += (size_t)n;
    }
    if (n < 0)
        fprintf(stderr, "simmodem: cannot read %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    text[fill] = '\0';
    return n >= 0;
}

static bool read_key_file(struct safe2_data *d, const char *path)
{
    char text[FILE_MAX];
    bool done = read_text(path, text);

    if (done) {
        text[strcspn(text, SPACES)] = '\0';
        done = put_key(d, text);
        if (!done)
            fprintf(stderr, "simmodem: %s does not begin with " KEY_WORDS "\n", path);
    }
    explicit_bzero(text, sizeof text);
    return done;
}

/* What the command line says goes over what is there. */
static bool put_options(struct safe2_data *d, const struct options *o)
{
    if (o->safe2_host != NULL && !put_host(d, o->safe2_host)) {
        fprintf(stderr, "simmodem: --safe2-host takes a name or an address, not '%s'\n",
                o->safe2_host);
        return false;
    }
    if (o->safe2_path != NULL && !put_paths(d, o->safe2_path)) {
        fprintf(stderr, "simmodem: --safe2-path takes one or two paths as in " PATHS ", not '%s'\n",
                o->safe2_path);
        return false;
    }
    if (o->safe2_port > 0)
        snprintf(d->port, sizeof d->port, "%u", (unsigned)o->safe2_port & 0xFFFF);
    if (o->safe2_identity >= 0)
        d->raw_identity = o->safe2_identity == SAFE2_RAW;
    if (o->safe2_query >= 0)
        d->digits_query = o->safe2_query == SAFE2_QUERY_DIGITS;
    return true;
}

bool safe2_check_options(const struct options *o)
{
    struct safe2_data d = {.host = ""};
    bool done = put_options(&d, o) &&
                (o->safe2_key_file == NULL || o->no_safe2 || read_key_file(&d, o->safe2_key_file));

    explicit_bzero(&d, sizeof d);
    return done;
}

bool safe2_card_make(const struct options *o)
{
    struct safe2_data d = {.host = "localhost", .port = "4433"};
    char text[FILE_MAX], key[2 * SAFE2_KEY_SIZE + 1];
    int size;
    bool done = false;

    if (o->no_safe2)
        return true;
    if (!put_paths(&d, PATHS) || !put_options(&d, o))
        return false;
    if (o->safe2_key_file != NULL ? !read_key_file(&d, o->safe2_key_file)
                                  : RAND_bytes(d.key, sizeof d.key) != 1)
        return false;
    hex_write(key, d.key, sizeof d.key);
    size = snprintf(text, sizeof text,
                    "version = 1\nhost = %s\nport = %s\nconfig = %s\ndata = %s\nidentity = %s\n"
                    "query = %s\nkey = %s\n",
                    d.host, d.port, d.config_path, d.data_path, d.raw_identity ? "raw" : "digits",
                    d.digits_query ? "digits" : "hex", key);
    if (size > 0 && (size_t)size < sizeof text)
        done = card_write(o->card, NAME, 0600, text, (size_t)size);
    explicit_bzero(text, sizeof text);
    explicit_bzero(key, sizeof key);
    explicit_bzero(&d, sizeof d);
    return done;
}

static void path_of(const struct card *card, char out[4096])
{
    if ((size_t)snprintf(out, 4096, "%s/" NAME, card->dir) >= 4096)
        out[0] = '\0'; /* open() then fails with ENOENT */
}

bool safe2_card_has(const struct card *card)
{
    char path[4096];

    path_of(card, path);
    return access(path, F_OK) == 0;
}

static const char *const names[] = {"version", "host",     "port",  "config",
                                    "data",    "identity", "query", "key"};

#define NAMES (sizeof names / sizeof *names)

static bool put_value(struct safe2_data *d, size_t name, const char *value)
{
    switch (name) {
    case 0:
        return strcmp(value, "1") == 0;
    case 1:
        return put_host(d, value);
    case 2:
        return put_port(d, value);
    case 3:
        return put_path(d->config_path, sizeof d->config_path, value, strlen(value));
    case 4:
        return put_path(d->data_path, sizeof d->data_path, value, strlen(value));
    case 5:
        return put_words(&d->raw_identity, value, "digits", "raw");
    case 6:
        return put_words(&d->digits_query, value, "hex", "digits");
    default:
        return put_key(d, value);
    }
}

/* Takes one line; returns the place of its name in names, or NAMES. The value may be the key: it is
 * not repeated. */
static size_t take_line(struct safe2_data *d, char *line)
{
    char *value = strchr(line, '=');
    size_t name = 0;

    if (value == NULL)
        return NAMES;
    *value++ = '\0';
    line[strcspn(line, SPACES)] = '\0';
    value += strspn(value, SPACES);
    value[strcspn(value, SPACES)] = '\0';
    while (name < NAMES && strcmp(names[name], line) != 0)
        name++;
    return name < NAMES && put_value(d, name, value) ? name : NAMES;
}

static bool parse(struct safe2_data *d, char *text, const char *path)
{
    bool seen[NAMES] = {false};
    char *rest = text;
    unsigned number = 0;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        size_t name;

        number++;
        if (line[strspn(line, SPACES)] == '\0')
            continue;
        name = take_line(d, line);
        if (name == NAMES) {
            fprintf(stderr, "simmodem: %s is damaged at line %u\n", path, number);
            return false;
        }
        seen[name] = true;
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (!seen[i]) {
            fprintf(stderr, "simmodem: %s has no line '%s = ...'\n", path, names[i]);
            return false;
        }
    }
    return true;
}

bool safe2_card_read(const struct card *card, const struct options *o, struct safe2_data *out)
{
    char path[4096], text[FILE_MAX];
    bool done;

    path_of(card, path);
    *out = (struct safe2_data){.host = ""};
    done = read_text(path, text) && parse(out, text, path) && put_options(out, o) &&
           (o->safe2_key_file == NULL || read_key_file(out, o->safe2_key_file));
    explicit_bzero(text, sizeof text);
    return done;
}
