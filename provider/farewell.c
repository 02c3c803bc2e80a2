/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process in which nobody tears providers down: OpenSSL 4.0 does not at exit, and with
 * earlier ones a program can ask for that. The SIM's channel, with the PIN verified on it, is closed
 * all the same, unless the process ends in the middle of an operation. */
#include "provider/provider.h"

/* Library contexts with this provider in one process; more are let go as they are. */
#define ALIVE 8

/* Those that are not torn down. State of the process as a whole, because its end is. */
static _Atomic(struct provider *) alive[ALIVE];

/* Puts one in the place of the other; NULL stands for a free place. */
static bool replace(struct provider *from, struct provider *to)
{
    for (size_t i = 0; i < ALIVE; i++) {
        struct provider *there = from;

        if (atomic_compare_exchange_strong(&alive[i], &there, to))
            return true;
    }
    return false;
}

bool farewell_note(struct provider *provider)
{
    return replace(NULL, provider);
}

bool farewell_unnote(struct provider *provider)
{
    return replace(provider, NULL);
}

/* The linker runs it at exit(), before libcrypto's own; a provider that was unloaded is not noted
 * any more. */
__attribute__((destructor)) static void farewell(void)
{
    for (size_t i = 0; i < ALIVE; i++) {
        struct provider *provider = atomic_exchange(&alive[i], NULL);

        if (provider != NULL)
            config_farewell(provider);
    }
}
