#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pcsc_program.py READER: a program that uses the card as well. It does what each line of its input
says (connect, exclusive, begin, end, reset, disconnect, drop) and answers with the word and the result."""

import ctypes
import sys

SHARED, EXCLUSIVE, ANY = 2, 1, 3
LEAVE, RESET = 0, 1


def main():
    pcsc = ctypes.CDLL("libpcsclite.so.1")
    context, card, protocol = ctypes.c_long(), ctypes.c_long(), ctypes.c_ulong()
    if pcsc.SCardEstablishContext(2, None, None, ctypes.byref(context)) != 0:
        sys.exit("no context")

    def connect(mode):
        return pcsc.SCardConnect(context, sys.argv[1].encode(), mode, ANY, ctypes.byref(card),
                                 ctypes.byref(protocol))

    actions = {
        "connect": lambda: connect(SHARED),
        "exclusive": lambda: connect(EXCLUSIVE),
        "begin": lambda: pcsc.SCardBeginTransaction(card),
        "end": lambda: pcsc.SCardEndTransaction(card, LEAVE),
        "reset": lambda: pcsc.SCardReconnect(card, SHARED, ANY, RESET, ctypes.byref(protocol)),
        "disconnect": lambda: pcsc.SCardDisconnect(card, LEAVE),
        "drop": lambda: pcsc.SCardDisconnect(card, RESET),
    }
    for line in sys.stdin:
        word = line.strip()
        print(word, f"{actions[word]() & 0xFFFFFFFF:08X}", flush=True)


if __name__ == "__main__":
    main()
