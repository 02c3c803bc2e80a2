/* SPDX-License-Identifier: Apache-2.0 */
/* What a program in C sees of the provider: given a modem whose SIM holds a key, its certificate
 * and a PEM reference to the key, when the program does what programs do, then it works and the
 * error queue is empty afterwards. Device and PIN come from the environment. test_api.py runs it.
 *
 *     api MODULE-DIRECTORY CERTIFICATE.pem REFERENCE.pem FIRST SECOND PART...
 *
 * FIRST and SECOND are the providers default and simkey in the order in which they are loaded. */
/* Keys of the old kind are part of what is tried. */
#undef OPENSSL_NO_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED

#include "test/e2e/api.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS    4
#define CHILDREN   4
#define SIGNATURES 3

static atomic_int failures;
static atomic_int checks;

void check(bool good, const char *sentence)
{
    atomic_fetch_add(&checks, 1);
    if (good)
        return;
    atomic_fetch_add(&failures, 1);
    fprintf(stderr, "FAILED: %s\n", sentence);
    ERR_print_errors_fp(stderr);
}

void check_quiet(bool good, const char *sentence)
{
    check(good && ERR_peek_error() == 0, sentence);
    ERR_clear_error();
}

/* Refused, and the queue says why in our words. */
static void check_refused(bool refused, bool ours, const char *sentence)
{
    unsigned long error = 0;
    bool named = !ours;

    check(refused && ERR_peek_error() != 0, sentence);
    while ((error = ERR_get_error()) != 0)
        named = named || strcmp(ERR_lib_error_string(error) ? ERR_lib_error_string(error) : "",
                                "simkey") == 0;
    check(named, sentence);
}

static X509 *read_certificate(const char *path)
{
    BIO *in = BIO_new_file(path, "r");
    X509 *certificate = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, NULL, NULL);

    BIO_free(in);
    return certificate;
}

static EVP_PKEY *read_reference(OSSL_LIB_CTX *ctx, const char *path)
{
    BIO *in = BIO_new_file(path, "r");
    EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, ctx, NULL);

    BIO_free(in);
    return key;
}

static EVP_PKEY *load_uri(OSSL_LIB_CTX *ctx, const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, ctx, NULL, NULL, NULL, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;

    if (store == NULL)
        return NULL;
    OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (key == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info != NULL)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return key;
}

bool sign_and_verify(const struct world *world, EVP_PKEY *key)
{
    static const unsigned char data[] = "what is signed";
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    EVP_PKEY *public_key = X509_get_pubkey(world->certificate);
    unsigned char signature[512];
    size_t length = sizeof(signature);
    bool good;

    good =
        EVP_DigestSignInit_ex(sign, NULL, "SHA2-256", world->ctx, NULL, key, NULL) > 0 &&
        EVP_DigestSignUpdate(sign, data, sizeof(data)) > 0 &&
        EVP_DigestSignFinal(sign, signature, &length) > 0 &&
        EVP_DigestVerifyInit_ex(verify, NULL, "SHA256", world->ctx, NULL, public_key, NULL) > 0 &&
        EVP_DigestVerify(verify, signature, length, data, sizeof(data)) == 1;
    EVP_PKEY_free(public_key);
    EVP_MD_CTX_free(verify);
    EVP_MD_CTX_free(sign);
    return good;
}

static void test_loading(struct world *world)
{
    EVP_PKEY *by_uri = load_uri(world->ctx, "sim:signing");
    EVP_PKEY *copy;

    check_quiet(by_uri != NULL, "a key is loaded by sim:signing");
    check_quiet(sign_and_verify(world, by_uri), "the key of sim:signing signs");
    check_quiet(sign_and_verify(world, world->key), "the key of the PEM reference signs");
    check_quiet(EVP_PKEY_eq(by_uri, world->key) == 1, "both are the same key");
    copy = EVP_PKEY_dup(by_uri);
    check_quiet(copy != NULL && EVP_PKEY_eq(copy, by_uri) == 1, "a copy is the same key");
    EVP_PKEY_free(copy);
    EVP_PKEY_free(by_uri);
}

/* An old EVP_PKEY around an RSA or EC_KEY with the certificate's key, or with a
 * fresh one. */
static EVP_PKEY *old_key(const struct world *world, bool fresh)
{
    EVP_PKEY *public_key = X509_get_pubkey(world->certificate);
    EVP_PKEY *key = EVP_PKEY_new();

    if (EVP_PKEY_is_a(public_key, "RSA")) {
        RSA *rsa = fresh ? RSA_new() : EVP_PKEY_get1_RSA(public_key);
        BIGNUM *e = BN_new();

        BN_set_word(e, RSA_F4);
        if (fresh)
            RSA_generate_key_ex(rsa, 2048, e, NULL);
        BN_free(e);
        EVP_PKEY_assign_RSA(key, rsa);
    } else {
        EC_KEY *ec = fresh ? EC_KEY_new_by_curve_name(NID_X9_62_prime256v1)
                           : EVP_PKEY_get1_EC_KEY(public_key);

        if (fresh)
            EC_KEY_generate_key(ec);
        EVP_PKEY_assign_EC_KEY(key, ec);
    }
    EVP_PKEY_free(public_key);
    return key;
}

static void test_comparing(struct world *world)
{
    EVP_PKEY *public_key = X509_get_pubkey(world->certificate);
    EVP_PKEY *same = old_key(world, false);
    EVP_PKEY *other = old_key(world, true);

    check_quiet(EVP_PKEY_eq(world->key, world->key) == 1, "a key is itself");
    check_quiet(EVP_PKEY_eq(world->key, public_key) == 1, "a key is the certificate's");
    check_quiet(EVP_PKEY_eq(public_key, world->key) == 1, "the certificate's key is the SIM's");
    check_quiet(X509_check_private_key(world->certificate, world->key) == 1,
                "key and certificate belong together");
    /* libcrypto compares keys of the old kind only where one side can be moved;
   * what counts is that nothing crashes. */
    EVP_PKEY_eq(world->key, same);
    EVP_PKEY_eq(same, world->key);
    ERR_clear_error();
    check(EVP_PKEY_eq(world->key, other) != 1 && EVP_PKEY_eq(other, world->key) != 1,
          "an old key that is another does not compare equal");
    ERR_clear_error();
    EVP_PKEY_free(other);
    EVP_PKEY_free(same);
    EVP_PKEY_free(public_key);
}

static void test_secrecy(struct world *world)
{
    unsigned char *der = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *number = NULL;

    if (EVP_PKEY_is_a(world->key, "RSA")) {
        check_refused(EVP_PKEY_get1_RSA(world->key) == NULL, false, "EVP_PKEY_get1_RSA refuses");
        check(EVP_PKEY_get_bn_param(world->key, OSSL_PKEY_PARAM_RSA_D, &number) == 0,
              "d is not given");
    } else {
        check_refused(EVP_PKEY_get1_EC_KEY(world->key) == NULL, false,
                      "EVP_PKEY_get1_EC_KEY refuses");
        check(EVP_PKEY_get_bn_param(world->key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 0,
              "the private number is not given");
    }
    ERR_clear_error();
    check(EVP_PKEY_todata(world->key, EVP_PKEY_KEYPAIR, &params) == 0,
          "the key pair is not exported");
    ERR_clear_error();
    check_refused(i2d_PrivateKey(world->key, &der) <= 0, false,
                  "the private key cannot be written");
    check_quiet(i2d_PUBKEY(world->key, &der) > 0, "the public key can be written");
    OPENSSL_free(der);
}

static void test_others(struct world *world)
{
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(world->ctx, NULL, "EC", "P-256");
    EVP_PKEY *rsa;

    check_quiet(ec != NULL, "an EC key is generated in software");
    rsa = EVP_PKEY_Q_keygen(world->ctx, NULL, "RSA", (size_t)2048);
    check_quiet(rsa != NULL, "an RSA key is generated in software");
    check_quiet(EVP_PKEY_eq(world->key, EVP_PKEY_is_a(world->key, "RSA") ? rsa : ec) != 1,
                "it is not the SIM's");
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
}

static void test_refusals(struct world *world)
{
    static const char *const wrong[] = {
        "sim:nothing",
        "sim:signing;container=15",
        "sim:signing;container=0;container=0",
        "sim:signing;colour=red",
        "sim:signing?pin=0000",
        "sim:signing?timeout=1&timeout=1",
        "sim:signing?run-dir=/tmp",
        "sim:signing?trace=at,file:/tmp/simkey-api",
        "sim:signing?pin-source=/etc/passwd",
        "sim:signing?sim-pin-source=/etc/passwd",
        "sim:signing;modem=second",
        "sim:signing;iccid=%zz",
        "sim:signing;container=14",
        "sim:signing;iccid=8900000000000000009",
        "sim:signing?device=/dev/null/nowhere",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        check_refused(load_uri(world->ctx, wrong[i]) == NULL, true, wrong[i]);
}

static void *sign_often(void *arg)
{
    const struct world *world = arg;

    for (int i = 0; i < SIGNATURES; i++)
        check_quiet(sign_and_verify(world, world->key), "a thread signs");
    OPENSSL_thread_stop();
    return NULL;
}

static void test_threads(struct world *world)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, sign_often, world);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_children(struct world *world)
{
    pid_t children[CHILDREN];
    int status = 0;

    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            alarm(60);
            atomic_store(&failures, 0);
            for (int j = 0; j < SIGNATURES; j++)
                check_quiet(sign_and_verify(world, world->key), "a child signs");
            _exit(atomic_load(&failures) != 0);
        }
    }
    for (int i = 0; i < CHILDREN; i++)
        check(waitpid(children[i], &status, 0) == children[i] && status == 0, "a child ends well");
}

static void test_children_of_busy(struct world *world)
{
    pthread_t thread;

    pthread_create(&thread, NULL, sign_often, world);
    usleep(50000); /* the SIM takes longer than this for a signature: the fork falls into one */
    test_children(world);
    pthread_join(thread, NULL);
    check_quiet(sign_and_verify(world, world->key), "the parent signs after its children");
}

static bool world_open(struct world *world, const char *first, const char *second)
{
    world->ctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER_set_default_search_path(world->ctx, world->modules);
    world->first = OSSL_PROVIDER_load(world->ctx, first);
    world->second = OSSL_PROVIDER_load(world->ctx, second);
    world->certificate = read_certificate(world->certificate_file);
    world->key = read_reference(world->ctx, world->reference_file);
    check_quiet(world->first != NULL && world->second != NULL && world->certificate != NULL &&
                    world->key != NULL,
                "providers, certificate and reference are loaded");
    return world->key != NULL;
}

static void world_close(struct world *world)
{
    X509_free(world->certificate);
    EVP_PKEY_free(world->key);
    OSSL_PROVIDER_unload(world->second);
    OSSL_PROVIDER_unload(world->first);
    OSSL_LIB_CTX_free(world->ctx);
    world->ctx = NULL;
}

/* Both providers are asked to go, in the order in which they came, while the key is there. */
static void test_unload(struct world *world)
{
    bool ours_first = strcmp(OSSL_PROVIDER_get0_name(world->first), "simkey") == 0;
    OSSL_PROVIDER **ours = ours_first ? &world->first : &world->second;

    OSSL_PROVIDER_unload(*ours);
    *ours = NULL;
    check(sign_and_verify(world, world->key), "the key signs after the unload was asked for");
    ERR_clear_error();
}

/* Writes an openssl.cnf into the working directory. */
static bool write_configuration(const char *path, const char *modules, const char *device,
                                const char *pin)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    fprintf(file,
            "openssl_conf = init\n[init]\nproviders = list\n[list]\ndefault = one\nsimkey = two\n"
            "[one]\nactivate = 1\n"
            "[two]\nmodule = %s/simkey.so\nactivate = 1\ndevice = %s\npin = %s\n",
            modules, device, pin);
    return fclose(file) == 0;
}

/* One context by a configuration file and none of our environment, and the world's, which is by the
 * environment and no file, at the same time. */
static void test_two_contexts(struct world *world)
{
    static const char path[] = "configured.cnf";
    const char *device = getenv("SIMKEY_DEVICE"), *pin = getenv("SIMKEY_PIN");
    struct world configured = *world;

    if (device == NULL || pin == NULL || !write_configuration(path, world->modules, device, pin)) {
        check(false, "a configuration is written");
        return;
    }
    unsetenv("SIMKEY_DEVICE");
    unsetenv("SIMKEY_PIN");
    configured.ctx = OSSL_LIB_CTX_new();
    check_quiet(OSSL_LIB_CTX_load_config(configured.ctx, path) == 1,
                "a context is configured by a file");
    configured.certificate = read_certificate(world->certificate_file);
    configured.key = read_reference(configured.ctx, world->reference_file);
    check_quiet(sign_and_verify(&configured, configured.key), "the configured context signs");
    check_quiet(sign_and_verify(world, world->key), "the context of the environment signs");
    check_quiet(sign_and_verify(&configured, configured.key), "the configured context signs again");
    X509_free(configured.certificate);
    EVP_PKEY_free(configured.key);
    OSSL_LIB_CTX_free(configured.ctx);
    unlink(path);
}

static const struct {
    const char *name;
    void (*run)(struct world *);
} parts[] = {
    {"loading", test_loading},
    {"reading", test_reading},
    {"comparing", test_comparing},
    {"secrecy", test_secrecy},
    {"functions", test_functions},
    {"public", test_public},
    {"composite", test_composite},
    {"others", test_others},
    {"tls-1.2", test_tls_1_2},
    {"tls-1.3", test_tls_1_3},
    {"refusals", test_refusals},
    {"threads", test_threads},
    {"children", test_children},
    {"fork-while-signing", test_children_of_busy},
    {"unload", test_unload},
    {"contexts", test_two_contexts},
    {"busy-forks", test_children_keep_nothing},
};

static void run_parts(struct world *world, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, name) != 0)
            continue;
        parts[i].run(world);
        found = true;
    }
    check(found, "there is a part of that name");
}

int main(int count, char **arguments)
{
    struct world world = {0};

    if (count < 7 || getenv("SIMKEY_DEVICE") == NULL || getenv("SIMKEY_PIN") == NULL) {
        fprintf(stderr, "usage: SIMKEY_DEVICE=... SIMKEY_PIN=... api MODULES CERTIFICATE.pem "
                        "REFERENCE.pem FIRST SECOND PART...\n");
        return 2;
    }
    world.modules = arguments[1];
    world.certificate_file = arguments[2];
    world.reference_file = arguments[3];
    if (world_open(&world, arguments[4], arguments[5]))
        for (int i = 6; i < count; i++)
            run_parts(&world, arguments[i]);
    world_close(&world);
    printf("%d checks, %d failures\n", atomic_load(&checks), atomic_load(&failures));
    return atomic_load(&failures) != 0;
}
