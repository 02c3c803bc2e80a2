/* SPDX-License-Identifier: Apache-2.0 */
/* For simkey-agent alone: the two libraries that few of its children need, PC/SC's and zlib, loaded when one does.
 * Each child is executed anew, and pays for each library that is linked. The functions have the libraries'
 * names, so that nothing else knows of it; the agent is not linked with them. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#ifdef SIMKEY_PCSC
#include <winscard.h>
#endif
#include <zlib.h>

/* A function of that library, NULL where either is missing. */
static void *find_function(const char *library, const char *name)
{
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL); /* the second time it is there */

    return loaded != NULL ? dlsym(loaded, name) : NULL;
}

#define LATE(type, library, name, parameters, arguments, missing)                                  \
    type name parameters                                                                           \
    {                                                                                              \
        __typeof__(name) *function;                                                                \
        void *found = find_function(library, #name);                                               \
                                                                                                   \
        memcpy(&function, &found, sizeof function);                                                \
        return found != NULL ? function arguments : (missing);                                     \
    }

LATE(int, "libz.so.1", uncompress2,
     (Bytef * plain, uLongf *length, const Bytef *packed, uLong *packed_length),
     (plain, length, packed, packed_length), Z_MEM_ERROR)

#ifdef SIMKEY_PCSC
#define PCSC(name, parameters, arguments)                                                          \
    LATE(LONG, "libpcsclite.so.1", name, parameters, arguments, SCARD_E_NO_SERVICE)

const SCARD_IO_REQUEST g_rgSCardT0Pci = {SCARD_PROTOCOL_T0, sizeof(SCARD_IO_REQUEST)};
const SCARD_IO_REQUEST g_rgSCardT1Pci = {SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST)};

PCSC(SCardEstablishContext, (DWORD scope, LPCVOID a, LPCVOID b, LPSCARDCONTEXT context),
     (scope, a, b, context))
PCSC(SCardReleaseContext, (SCARDCONTEXT context), (context))
PCSC(SCardListReaders, (SCARDCONTEXT context, LPCSTR groups, LPSTR names, LPDWORD size),
     (context, groups, names, size))
PCSC(SCardConnect,
     (SCARDCONTEXT context, LPCSTR name, DWORD mode, DWORD protocols, LPSCARDHANDLE card,
      LPDWORD protocol),
     (context, name, mode, protocols, card, protocol))
PCSC(SCardReconnect, (SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD what, LPDWORD protocol),
     (card, mode, protocols, what, protocol))
PCSC(SCardDisconnect, (SCARDHANDLE card, DWORD what), (card, what))
PCSC(SCardBeginTransaction, (SCARDHANDLE card), (card))
PCSC(SCardEndTransaction, (SCARDHANDLE card, DWORD what), (card, what))
PCSC(SCardTransmit,
     (SCARDHANDLE card, const SCARD_IO_REQUEST *pci, LPCBYTE command, DWORD length,
      SCARD_IO_REQUEST *answer_pci, LPBYTE answer, LPDWORD size),
     (card, pci, command, length, answer_pci, answer, size))
PCSC(SCardGetStatusChange, (SCARDCONTEXT context, DWORD ms, SCARD_READERSTATE *states, DWORD count),
     (context, ms, states, count))
#endif
