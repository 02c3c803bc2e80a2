/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the soak test: it signs until it is told to end, and forks in the middle when it is
 * told to. Device, PIN and time-out come from the environment; soak.py runs it, and judges.
 *
 *     worker MODULE-DIRECTORY CERTIFICATE.pem REFERENCE.pem SEED
 *
 * SIGTERM ends it. At SIGUSR1 it forks while its thread is in an operation; the child signs a few
 * times and ends. With SEED 0 it does what the lines of its standard input say instead (see WORDS),
 * and ends with them; test_sharing.py uses it so. With WORKER_NO_ATEXIT in the environment OpenSSL
 * tears nothing down at the end. It says, a line each:
 *
 *     ready PID
 *     sign PID COUNTER MS AT             a signature that verifies over its own message, after
 *                                        so many ms, AT ms by the monotonic clock
 *     wrong PID COUNTER MS AT            one that does not
 *     failed PID COUNTER MS AT SENTENCE  none
 *     forked PID CHILD
 *     child CHILD STATUS              how the child ended, as from waitpid
 *     end PID */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 512

/* A child that signs longer than this hangs. */
#define CHILD_SECONDS 90

/* How long after the beginning of an operation the fork comes, at most. */
#define FORK_WITHIN_MS 30
/* Without an operation in so long it forks anyway. */
#define FORK_PATIENCE_MS 3000

struct worker {
    OSSL_PROVIDER *providers[2];
    EVP_PKEY *key;        /* the SIM's */
    EVP_PKEY *public_key; /* of the certificate, for the default provider */
    uint64_t random;
    atomic_bool stop;
    atomic_llong since; /* when the thread's operation began, 0: none */
};

static long long now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One write a line, so that lines of several processes do not mix. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (length < 0)
        return;
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    for (int i = 0; i < length; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(3);
}

/* xorshift64* */
static unsigned below(struct worker *worker, unsigned limit)
{
    worker->random ^= worker->random >> 12;
    worker->random ^= worker->random << 25;
    worker->random ^= worker->random >> 27;
    return (unsigned)((worker->random * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static void errors_as_text(char *text, size_t size)
{
    const char *data;
    unsigned long error;
    int flags;

    text[0] = '\0';
    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        size_t used = strlen(text);

        (void)snprintf(text + used, size - used, "[%s: %s] ", ERR_reason_error_string(error),
                       (flags & ERR_TXT_STRING) != 0 ? data : "");
    }
}

static bool verifies(const struct worker *worker, const unsigned char *signature, size_t length,
                     const char *message)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, "provider=default",
                                        worker->public_key, NULL) > 0 &&
                EVP_DigestVerify(ctx, signature, length, (const unsigned char *)message,
                                 strlen(message)) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

/* One signature over a message that nobody else has, and what became of it. */
static void sign_once(struct worker *worker, unsigned long counter)
{
    unsigned char signature[512];
    size_t length = sizeof signature;
    char message[96], errors[400];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    long pid = (long)getpid();
    long long since = now_ms(), took;
    bool good;

    (void)snprintf(message, sizeof message, "process %ld, message %lu, at %lld", pid, counter,
                   since);
    atomic_store(&worker->since, since);
    good = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, worker->key, NULL) > 0 &&
           EVP_DigestSign(ctx, signature, &length, (const unsigned char *)message,
                          strlen(message)) > 0;
    atomic_store(&worker->since, 0);
    took = now_ms() - since;
    EVP_MD_CTX_free(ctx);
    if (!good) {
        errors_as_text(errors, sizeof errors);
        say("failed %ld %lu %lld %lld %s", pid, counter, took, since + took, errors);
        return;
    }
    say("%s %ld %lu %lld %lld", verifies(worker, signature, length, message) ? "sign" : "wrong",
        pid, counter, took, since + took);
    ERR_clear_error();
}

/* Ends as a program does that cleans up: the provider may say farewell to the SIM. */
static void worker_close(struct worker *worker)
{
    EVP_PKEY_free(worker->key);
    EVP_PKEY_free(worker->public_key);
    OSSL_PROVIDER_unload(worker->providers[1]);
    OSSL_PROVIDER_unload(worker->providers[0]);
    say("end %ld", (long)getpid());
}

static void *sign_until_stopped(void *arg)
{
    struct worker *worker = arg;

    for (unsigned long counter = 1; !atomic_load(&worker->stop); counter++)
        sign_once(worker, counter);
    OPENSSL_thread_stop();
    return NULL;
}

/* Waits until the thread is in an operation, for a random while. */
static void wait_for_operation(struct worker *worker)
{
    const struct timespec pause = {0, 200000};
    long long patience = now_ms() + FORK_PATIENCE_MS;
    long long after = below(worker, FORK_WITHIN_MS);

    for (;;) {
        long long since = atomic_load(&worker->since), now = now_ms();

        if ((since != 0 && now - since >= after) || now >= patience)
            return;
        if (since != 0 && after > 0 && below(worker, 50) == 0)
            after--; /* operations may be shorter */
        (void)nanosleep(&pause, NULL);
    }
}

static void fork_in_mid_use(struct worker *worker)
{
    unsigned times = 1 + below(worker, 4);
    pid_t child;

    wait_for_operation(worker);
    child = fork();
    if (child < 0) {
        perror("worker: fork");
        return;
    }
    if (child > 0) {
        say("forked %ld %ld", (long)getpid(), (long)child);
        return;
    }
    (void)alarm(CHILD_SECONDS);
    atomic_store(&worker->since, 0);
    for (unsigned long counter = 1; counter <= times; counter++)
        sign_once(worker, counter);
    worker_close(worker);
    exit(0);
}

static void reap(bool wait)
{
    pid_t child;
    int status;

    while ((child = waitpid(-1, &status, wait ? 0 : WNOHANG)) > 0)
        say("child %ld %d", (long)child, status);
}

/* ---- by word ---- */

static void *sign_one(void *arg)
{
    sign_once(arg, 1);
    OPENSSL_thread_stop();
    return NULL;
}

/* A child that never uses the SIM, forked in the middle of a signature, which then goes on. */
static void fork_idle(struct worker *worker)
{
    pthread_t thread;
    pid_t child;

    if (pthread_create(&thread, NULL, sign_one, worker) != 0)
        return;
    wait_for_operation(worker);
    child = fork();
    if (child == 0) {
        (void)alarm(CHILD_SECONDS);
        for (;;)
            (void)pause();
    }
    say("forked %ld %ld", (long)getpid(), (long)child);
    (void)pthread_join(thread, NULL);
}

/* A child that signs once; this process waits for it. */
static void fork_and_wait(struct worker *worker)
{
    pid_t child = fork();

    if (child == 0) {
        (void)alarm(CHILD_SECONDS);
        sign_once(worker, 1);
        worker_close(worker);
        exit(0);
    }
    reap(true);
}

/* WORDS: sign, fork, fork-idle. */
static void obey(struct worker *worker)
{
    unsigned long counter = 0;
    char word[32];

    while (fgets(word, sizeof word, stdin) != NULL) {
        word[strcspn(word, "\n")] = '\0';
        if (strcmp(word, "sign") == 0)
            sign_once(worker, ++counter);
        else if (strcmp(word, "fork") == 0)
            fork_and_wait(worker);
        else if (strcmp(word, "fork-idle") == 0)
            fork_idle(worker);
        else
            fprintf(stderr, "worker: no such word: %s\n", word);
    }
}

static EVP_PKEY *public_key_of(const char *path)
{
    BIO *in = BIO_new_file(path, "r");
    X509 *certificate = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, NULL, NULL);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);

    X509_free(certificate);
    BIO_free(in);
    return key;
}

static bool worker_open(struct worker *worker, char **arguments)
{
    BIO *in;

    if (OSSL_PROVIDER_set_default_search_path(NULL, arguments[1]) != 1)
        return false;
    worker->providers[0] = OSSL_PROVIDER_load(NULL, "default");
    worker->providers[1] = OSSL_PROVIDER_load(NULL, "simkey");
    if (worker->providers[0] == NULL || worker->providers[1] == NULL)
        return false;
    worker->public_key = public_key_of(arguments[2]);
    in = BIO_new_file(arguments[3], "r");
    worker->key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    worker->random = strtoull(arguments[4], NULL, 10) * 2 + 1;
    return worker->public_key != NULL && worker->key != NULL;
}

/* Signs until SIGTERM. */
static bool go_on(struct worker *worker, const sigset_t *signals)
{
    pthread_t thread;
    int number = 0;

    if (pthread_create(&thread, NULL, sign_until_stopped, worker) != 0)
        return false;
    while (number != SIGTERM && sigwait(signals, &number) == 0) {
        if (number == SIGUSR1)
            fork_in_mid_use(worker);
        reap(false);
    }
    atomic_store(&worker->stop, true);
    (void)pthread_join(thread, NULL);
    reap(true);
    return true;
}

int main(int count, char **arguments)
{
    struct worker worker = {.key = NULL};
    sigset_t signals;
    bool by_word, good = true;

    if (count != 5) {
        fprintf(stderr, "usage: worker MODULES CERTIFICATE.pem REFERENCE.pem SEED\n");
        return 2;
    }
    /* as OpenSSL 4.0 always is: nothing is torn down at exit */
    if (getenv("WORKER_NO_ATEXIT") != NULL)
        (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    by_word = strcmp(arguments[4], "0") == 0;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigaddset(&signals, SIGCHLD);
    if (!by_word)
        (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (!worker_open(&worker, arguments)) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    say("ready %ld", (long)getpid());
    if (by_word)
        obey(&worker);
    else
        good = go_on(&worker, &signals);
    worker_close(&worker);
    return good ? 0 : 1;
}
