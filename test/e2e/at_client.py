# SPDX-License-Identifier: Apache-2.0
"""A small AT client on simmodem's pty: it sees what a modem really says, octet by octet. Nothing of
simkey is in it."""

import os
import re
import select
import termios
import time
import tty

MIAS = "A0000000188000000006624151"
UICC = "A0000000871001FF33FFFF8901010100"
OPEN = "0070000001"
SELECT_UICC = f"00A4040410{UICC}"  # and 00 for Le
SELECT_ICCID, READ_ICCID = "00A4000C022FE2", "00B000000A"
PIN_STATE = "01200081"
UNKNOWN = "00EE0000"  # 6D00
FINAL = re.compile(rb"(?:^|[\r\n])(OK|ERROR|\+CME ERROR: [^\r\n]*)\r?\n")
BOOTS = {"SMS DONE", "PB DONE", "+CPIN: READY", "^SIMST:1", "Call Ready"}


def lines_of(octets):
    return [line for line in re.split("[\r\n]+", octets.decode("latin1")) if line]


class Line:
    """A client that has the port open. Unless raw, echo is off and errors are numbers."""

    def __init__(self, t, *faults, card="p256", switches=(), raw=False):
        self.t, self.fd = t, -1
        self.sim = t.sim(card, *switches, *[word for f in faults for word in ("--fault", f)])
        self.open()
        if not raw:
            self.wants("ATE0+CMEE=1", ["ATE0+CMEE=1", "OK"])

    def open(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = os.open(self.sim.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd, termios.TCSANOW)

    def say(self, command):
        os.write(self.fd, command.encode() + b"\r")

    def hear(self, seconds, until=None):
        """What comes within the time, or until the pattern has come."""
        end, got = time.monotonic() + seconds, b""
        while not (until and until.search(got)):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                break
            got += os.read(self.fd, 4096)
        return got

    def ask(self, command, seconds=5):
        """The lines of the answer, the final result last."""
        self.say(command)
        return lines_of(self.hear(seconds, FINAL))

    def wants(self, command, wanted):
        self.t.equal(self.ask(command), wanted, f"the answer to {command}")

    def ready(self):
        """One SIM command."""
        self.wants("AT+CPIN?", ["+CPIN: READY", "OK"])

    def hears(self, wanted, low, high):
        """These lines come, and nothing before its time."""
        self.silent(low)
        pattern = re.compile(re.escape(wanted[-1]).encode() + rb"\r?\n")
        self.t.equal(lines_of(self.hear(high - low, pattern)), wanted, "what is said")

    def silent(self, seconds):
        self.t.equal(self.hear(seconds), b"", "what is said")

    def apdu(self, command, carrier="AT+CSIM="):
        """An APDU's answer in hexadecimal, or the final result when there is none."""
        got = self.ask(f'{carrier}{len(command)},"{command}"')
        match = re.fullmatch(r'\+(?:CSIM|CGLA): (\d+),"([0-9A-F]*)"', got[0])
        if match:
            self.t.equal(len(match[2]), int(match[1]), "the length")
        return match[2] if match else got[-1]

    def card(self, command, wanted, carrier="AT+CSIM="):
        self.t.equal(self.apdu(command, carrier), wanted, f"the answer to {command}")

    def sw(self, command, wanted, carrier="AT+CSIM="):
        self.t.equal(self.apdu(command, carrier)[-4:], wanted, f"SW of {command}")

    def channel(self, number=1):
        self.card(OPEN, f"0{number}9000")

    def mias(self):
        """mIAS on channel 1: two SIM commands."""
        self.channel()
        self.sw(f"01A4040C0D{MIAS}", "9000")

    def session(self, aid=MIAS):
        got = self.ask(f'AT+CCHO="{aid}"')
        self.t.equal(got[-1], "OK", "AT+CCHO")
        return got[0]

    def seen(self, wanted):
        """How many APDUs of programs the card has seen."""
        self.t.equal(len(self.sim.apdus()), wanted, "APDUs that the card saw")


class Took:
    """The time that something takes."""

    def __init__(self, t, low, high):
        self.t, self.low, self.high = t, low, high

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, kind, *_):
        seconds = time.monotonic() - self.began
        self.t.check(kind or self.low <= seconds <= self.high,
                     f"took {seconds:.2f} s, wanted {self.low} to {self.high}")
