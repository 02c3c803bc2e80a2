/* SPDX-License-Identifier: Apache-2.0 */
/* Put before modem/pcsc.c when it is built for fuzzing: its threads are calls that are made at once,
 * or left hanging, on the clock of line.c. See threads.c. */
#ifndef SIMKEY_TEST_FUZZ_REDIRECT_PCSC_H
#define SIMKEY_TEST_FUZZ_REDIRECT_PCSC_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>

int pcsc_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                       void *arg);
int pcsc_thread_join(pthread_t thread, void **result);
int pcsc_thread_detach(pthread_t thread);
int pcsc_poll(struct pollfd *watch, nfds_t count, int timeout_ms);

#define pthread_create           pcsc_thread_create
#define pthread_join             pcsc_thread_join
#define pthread_detach           pcsc_thread_detach
#define pthread_sigmask(a, b, c) ((void)(a), (void)(b), (void)(c), 0)
#define poll                     pcsc_poll

#endif
