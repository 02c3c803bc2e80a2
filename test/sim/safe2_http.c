/* SPDX-License-Identifier: Apache-2.0 */
/* As much HTTP/1.1 as a SIM needs: makes a request, takes an answer octet by octet as it comes in.
 * Knows no connection. */
#include "test/sim/safe2_job.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADS_MAX (16 * 1024)

static void add_text(struct bytes *out, const char *text)
{
    bytes_add(out, text, strlen(text));
}

static void add_hex(struct bytes *out, const uint8_t *data, size_t size)
{
    char hex[2 * SAFE2_ID_MAX + 1];

    hex_write(hex, data, size);
    add_text(out, hex);
}

/* The GET has nothing but its request line: no Host, as the servers of real SIMs see it, and no
 * Connection; the SIM closes once it has what was announced. The POST is an ordinary one. */
void safe2_http_request(const struct safe2_request *request, const struct safe2_data *data,
                        struct bytes *out)
{
    bool get = request->job == SAFE2_GET;
    bool bracket = strchr(data->host, ':') != NULL;
    char heads[512];

    add_text(out, get ? "GET " : "POST ");
    add_text(out, get ? data->config_path : data->data_path);
    add_text(out, "/");
    add_hex(out, request->id, request->id_size);
    add_text(out, "?iccid=");
    if (data->digits_query)
        add_text(out, request->card->iccid);
    else
        add_hex(out, request->card->ef_iccid, sizeof request->card->ef_iccid);
    add_text(out, " HTTP/1.1\r\n");
    if (!get) {
        snprintf(heads, sizeof heads,
                 "Host: %s%s%s:%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
                 bracket ? "[" : "", data->host, bracket ? "]" : "", data->port, request->size);
        add_text(out, heads);
    }
    add_text(out, "\r\n");
    if (!get)
        bytes_add(out, request->body, request->size);
}

/* Decimal or hexadecimal number up to a blank, a semicolon or the end. */
static bool number(const char *text, unsigned base, uint64_t *out)
{
    size_t i = 0;

    *out = 0;
    for (; text[i] != '\0' && strchr("; \t", text[i]) == NULL; i++) {
        const char *digits = "0123456789abcdef";
        char c = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + ('a' - 'A') : text[i]);
        const char *found = strchr(digits, c);

        if (found == NULL || (unsigned)(found - digits) >= base || i == 15)
            return false;
        *out = *out * base + (unsigned)(found - digits);
    }
    return i > 0;
}

/* HTTP/1.x NNN words */
static void status_line(struct safe2_http *h)
{
    const char *l = h->line;
    uint64_t status;

    h->at = HTTP_BAD;
    if (strncmp(l, "HTTP/1.", 7) != 0 || l[7] < '0' || l[7] > '9' || l[8] != ' ' ||
        !number(l + 9, 10, &status) || status < 100 || status > 599)
        return;
    h->status = (unsigned)status;
    h->at = HTTP_HEADERS;
}

static void header(struct safe2_http *h)
{
    char *value = strchr(h->line, ':');
    uint64_t length;

    if (value == NULL) {
        h->at = HTTP_BAD;
        return;
    }
    *value++ = '\0';
    value += strspn(value, " \t");
    if (strcasecmp(h->line, "Transfer-Encoding") == 0) {
        h->chunked = strcasecmp(value, "chunked") == 0;
        if (!h->chunked)
            h->at = HTTP_BAD;
    } else if (strcasecmp(h->line, "Content-Length") == 0) {
        if (!number(value, 10, &length) || (h->has_length && length != h->left))
            h->at = HTTP_BAD;
        h->left = length;
        h->has_length = true;
    }
}

static void headers_end(struct safe2_http *h)
{
    if (h->status < 200) {
        /* 100 Continue and the like: the answer is still to come. */
        h->at = HTTP_STATUS_LINE;
        h->chunked = h->has_length = false;
        return;
    }
    if (!h->wants_body || h->status != 200)
        h->at = HTTP_DONE;
    else if (h->chunked)
        h->at = HTTP_CHUNK_SIZE;
    else if (!h->has_length)
        h->at = HTTP_BODY_TO_END;
    else if (h->left > h->limit)
        h->at = HTTP_LONG;
    else
        h->at = h->left > 0 ? HTTP_BODY : HTTP_DONE;
}

static void line_end(struct safe2_http *h)
{
    if (h->fill > 0 && h->line[h->fill - 1] == '\r')
        h->fill--;
    while (h->fill > 0 && h->line[h->fill - 1] == ' ')
        h->fill--;
    h->line[h->fill] = '\0';
    switch (h->at) {
    case HTTP_STATUS_LINE:
        status_line(h);
        break;
    case HTTP_HEADERS:
        if (h->fill == 0)
            headers_end(h);
        else
            header(h);
        break;
    case HTTP_CHUNK_SIZE:
        if (!number(h->line, 16, &h->left))
            h->at = HTTP_BAD;
        else if (h->left > h->limit - h->size)
            h->at = HTTP_LONG;
        else
            h->at = h->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
        break;
    case HTTP_CHUNK_END:
        h->at = h->fill == 0 ? HTTP_CHUNK_SIZE : HTTP_BAD;
        break;
    default:
        h->at = h->fill == 0 ? HTTP_DONE : HTTP_TRAILER;
    }
    h->fill = 0;
}

static void line_octet(struct safe2_http *h, uint8_t octet)
{
    if (++h->heads > HEADS_MAX)
        h->at = HTTP_BAD;
    else if (octet == '\n')
        line_end(h);
    else if (octet == '\0')
        h->at = HTTP_BAD;
    else if (h->fill < sizeof h->line - 1)
        h->line[h->fill++] = (char)octet; /* the end of a long line matters to nobody */
}

static void body_octet(struct safe2_http *h, uint8_t octet)
{
    if (h->size == h->limit) {
        h->at = HTTP_LONG;
        return;
    }
    h->body[h->size++] = octet;
    if (h->at == HTTP_BODY_TO_END || --h->left > 0)
        return;
    h->at = h->at == HTTP_BODY ? HTTP_DONE : HTTP_CHUNK_END;
}

bool safe2_http_wants_more(const struct safe2_http *h)
{
    return h->at != HTTP_DONE && h->at != HTTP_BAD && h->at != HTTP_LONG;
}

void safe2_http_take(struct safe2_http *h, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size && safe2_http_wants_more(h); i++) {
        if (h->at == HTTP_BODY || h->at == HTTP_BODY_TO_END || h->at == HTTP_CHUNK)
            body_octet(h, data[i]);
        else
            line_octet(h, data[i]);
    }
}
