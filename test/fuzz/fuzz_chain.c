/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the files of CAs and CRLs that simkey verify reads. The first byte is the purpose;
 * then PEM: the certificate that is judged, a NUL, the CAs, and perhaps a NUL and CRLs. */
#include "provider/tool/chain.h"
#include "test/fuzz/text_file.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static struct span take_part(struct span *input)
{
    const uint8_t *end = input->length > 0 ? memchr(input->data, 0, input->length) : NULL;
    struct span part =
        input_bytes(input, end != NULL ? (size_t)(end - input->data) : input->length);

    (void)input_byte(input);
    return part;
}

static X509 *read_leaf(struct span text)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.length);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return certificate;
}

/* It goes to a terminal. */
static void check_words(const char *text, size_t size)
{
    REQUIRE(memchr(text, '\0', size) != NULL);
    for (const char *c = text; *c != '\0'; c++)
        REQUIRE(!iscntrl((unsigned char)*c));
}

static void check_result(enum outcome outcome, const struct chain_result *result)
{
    REQUIRE(result->count <= CHAIN_REASONS);
    REQUIRE(outcome != OUTCOME_OK || result->count == 0);
    REQUIRE((outcome == OUTCOME_VERIFY_FAILED) == (result->count > 0));
    check_words(result->path, sizeof result->path);
    for (size_t i = 0; i < result->count; i++)
        check_words(result->reasons[i], sizeof result->reasons[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const purposes[] = {NULL, "client", "server", "any", "x"};
    static struct text_file bundle, crls;
    struct span input = {data, size};
    const char *purpose = purposes[input_byte(&input) % (sizeof purposes / sizeof purposes[0])];
    X509 *leaf = read_leaf(take_part(&input));
    struct report why = REPORT_INIT;
    struct chain_result *result;
    enum outcome outcome;

    if (leaf == NULL) {
        ERR_clear_error();
        return 0;
    }
    result = malloc(sizeof *result);
    REQUIRE(result != NULL);
    text_file_fill(&bundle, take_part(&input));
    text_file_fill(&crls, input);
    outcome =
        chain_verify(leaf, bundle.path, input.length > 0 ? crls.path : NULL, purpose, result, &why);
    check_report(outcome, &why);
    check_result(outcome, result);
    ERR_clear_error();
    free(result);
    X509_free(leaf);
    return 0;
}
