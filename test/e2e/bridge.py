#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bridge.py DEVICE PORT [ATR]: shows the SIM behind a modem's AT port to pcscd's virtual reader (vpcd) as a
card of the IDPrime family, which mIAS descends from, so that OpenSC's driver can use it.

vpcd's protocol on PORT: messages of a two-octet length and a body. A body of one octet is a control
(00 power off, 01 power on, 02 reset: no answer; 04: the ATR is wanted), a longer one is an APDU.
Power on and reset restart modem and card, which closes the channels.

What the family does otherwise and is translated here:
  - PIN: reference 11, padded with zeros -> mIAS: reference 81, no padding
  - GET DATA 9F7F (the card's production data) -> made up: it tells the rule of the key references
  - file 0204 (the minidriver's container map, which OpenSC reads since 0.24) -> made up: all containers
    are there
  - ATR: a modem's SIM shows none here"""

import os
import re
import select
import socket
import struct
import sys
import termios
import tty

# Historical bytes of an IDPrime 3810; the operating system's release in the production data below
# tells that key references are 31 + container.
ATR = bytes.fromhex("3B7F96000080318065B084413DF6120FFE829000")
PRODUCTION = bytes.fromhex("9F7F2A") + bytes(8) + b"\x01" + bytes(33) + b"\x90\x00"
FINAL = re.compile(rb"(^|[\r\n])(OK|ERROR|\+CME ERROR:[^\r\n]*)\r\n")


class Modem:
    def __init__(self, device):
        self.fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        termios.tcflush(self.fd, termios.TCIOFLUSH)
        self.reset()

    def reset(self):
        """Restarts modem and card. The modem may still answer before it goes down, and hears nothing while it
        starts: then all is said once more."""
        self.say("AT+CFUN=1,1")
        for _ in range(10):
            self.wake()
            if all(self.say(command, 2) for command in ("ATE0", "AT+CMEE=1")):
                return
        sys.exit("bridge: the modem does not come back")

    def wake(self):
        """A modem that starts anew hears nothing for a while."""
        answer = b""
        for _ in range(60):
            os.write(self.fd, b"AT\r")
            while select.select([self.fd], [], [], 0.25)[0]:
                answer += os.read(self.fd, 4096)
            if FINAL.search(answer):
                return
        sys.exit("bridge: the modem does not come back")

    def say(self, command, seconds=15):
        """The answer, or "" where none comes in that time."""
        os.write(self.fd, command.encode() + b"\r")
        answer = b""
        while not FINAL.search(answer):
            if not select.select([self.fd], [], [], seconds)[0]:
                return ""
            answer += os.read(self.fd, 4096)
        return answer.decode("latin1")

    def exchange(self, apdu):
        answer = self.say(f'AT+CSIM={2 * len(apdu)},"{apdu.hex().upper()}"')
        found = re.search(r'\+CSIM: *\d+, *"?([0-9A-Fa-f]+)', answer)
        return bytes.fromhex(found[1]) if found else b"\x6f\x00"


class Map:
    """File 0204: records of 86 octets that begin with a name in UTF-16."""
    content = b"".join(f"container {i}".encode("utf-16le").ljust(86, b"\0") for i in range(15))
    head = bytes.fromhex("6F048102") + struct.pack(">H", len(content)) + b"\x90\x00"
    selected = False

    def answer(self, apdu):
        """None: not for this file."""
        if apdu[1] == 0xA4:
            self.selected = apdu[5:7] == b"\x02\x04" and apdu[4] == 2
            return b"\x61" + bytes([len(self.head) - 2]) if self.selected else None
        if self.selected and apdu[1] == 0xC0:
            return self.head
        if self.selected and apdu[1] == 0xB0:
            begin = apdu[2] << 8 | apdu[3]
            return self.content[begin:begin + (apdu[4] or 256)] + b"\x90\x00"
        return None


def translate(modem, containers, apdu):
    if apdu[:4] == b"\x00\xca\x9f\x7f":
        return PRODUCTION
    made_up = containers.answer(apdu)
    if made_up is not None:
        return made_up
    if apdu[1] == 0x20 and apdu[3] == 0x11:
        pin = apdu[5:5 + apdu[4]].rstrip(b"\0") if len(apdu) > 5 else b""
        apdu = apdu[:3] + b"\x81" + (bytes([len(pin)]) + pin if pin else b"")
    return modem.exchange(apdu)


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def main():
    modem, containers = Modem(sys.argv[1]), Map()
    atr = bytes.fromhex(sys.argv[3]) if len(sys.argv) > 3 else ATR
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    print("bridge up", flush=True)
    while True:
        message = receive(sock, struct.unpack(">H", receive(sock, 2))[0])
        if len(message) == 1 and message != b"\x04":
            print("power", message.hex(), flush=True)
            if message != b"\x00":
                modem.reset()
            continue
        answer = atr if message == b"\x04" else translate(modem, containers, message)
        print(message.hex(), "->", answer.hex(), flush=True)
        sock.sendall(struct.pack(">H", len(answer)) + answer)


if __name__ == "__main__":
    main()
