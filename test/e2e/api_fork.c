/* SPDX-License-Identifier: Apache-2.0 */
/* Children of a program whose threads are all in operations: they have none of the descriptors that
 * these use, whenever the fork comes. */
#include "test/e2e/api.h"

#include <dirent.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_THREADS 40
#define FORKS        400
#define NUMBERS      1024 /* descriptors that are looked at */

struct busy {
    struct world *world;
    atomic_bool stop;
    atomic_uint signatures;
};

/* Which descriptors are open, without the one that looks. */
static void list_open(bool open[NUMBERS])
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;

    for (int i = 0; i < NUMBERS; i++)
        open[i] = false;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        long number = strtol(entry->d_name, NULL, 10);

        if (entry->d_name[0] != '.' && number != dirfd(folder) && number < NUMBERS)
            open[number] = true;
    }
    if (folder != NULL)
        closedir(folder);
}

static void *sign_until_stopped(void *arg)
{
    struct busy *busy = arg;

    while (!atomic_load(&busy->stop))
        if (sign_and_verify(busy->world, busy->world->key))
            atomic_fetch_add(&busy->signatures, 1);
    OPENSSL_thread_stop();
    return NULL;
}

/* In the child: says what it should not have. Returns how many. */
static int say_kept(const bool before[NUMBERS])
{
    bool now[NUMBERS];
    int kept = 0;

    list_open(now);
    for (int i = 0; i < NUMBERS; i++)
        if (now[i] && !before[i]) {
            char link[64], target[256];
            ssize_t length;

            snprintf(link, sizeof link, "/proc/self/fd/%d", i);
            length = readlink(link, target, sizeof target - 1);
            target[length > 0 ? length : 0] = '\0';
            fprintf(stderr, "a child has kept %s\n", target);
            kept++;
        }
    return kept;
}

void test_children_keep_nothing(struct world *world)
{
    struct busy busy = {.world = world};
    pthread_t threads[BUSY_THREADS];
    bool before[NUMBERS];
    int bad = 0, status;

    list_open(before);
    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_create(&threads[i], NULL, sign_until_stopped, &busy);
    for (unsigned i = 0; i < FORKS && bad == 0; i++) {
        pid_t child;

        usleep(i * 7919 % 5000); /* somewhere else in an operation each time */
        child = fork();
        if (child == 0)
            _exit(say_kept(before) > 0);
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            bad++;
    }
    atomic_store(&busy.stop, true);
    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_join(threads[i], NULL);
    check(bad == 0, "a child keeps no descriptor of its parent's operations");
    check(atomic_load(&busy.signatures) > FORKS / 20, "the threads have signed meanwhile");
    check_quiet(sign_and_verify(world, world->key), "the parent signs afterwards");
}
