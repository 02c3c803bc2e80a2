# SPDX-License-Identifier: Apache-2.0
"""A simulated card with IoT SAFE and the client of iotsafe_client.py on it."""

import os
import re

from at_client import Line
from iotsafe_client import AIDS, FILE, PRIVATE, PUBLIC, SECRET, Applet, Refused, by_id, by_label
from iotsafe_host import Host

LABELS = {(PRIVATE, 1): "BootstrapKey_1", (PUBLIC, 1): "BootstrapKey_1", (PRIVATE, 4): "clientsessionKey",
          (PUBLIC, 4): "clientsessionKey", (PUBLIC, 5): "serversessionKey", (FILE, 2): "BootstrapCert_1",
          (FILE, 3): "serverCertificate", (SECRET, 6): "secretkeyLabel"}

TEXT = bytes(range(100))  # that is signed
LONG = bytes(n * 7 & 255 for n in range(300))

# What commands are refused with; where the facts leave open which, any of these.
NOT_THERE, NOT_NOW, WRONG_P, WRONG_DATA = ("6A82",), ("6985",), ("6A86",), ("6A80",)
NOT_ALLOWED = ("6985", "6982")
NOT_OF_THIS_KEY = ("6985", "6A80")  # a mode, hash or algorithm that it does not have
BEHIND = ("6B00", "6A86", "6981")


class Card:
    """A simmodem with a card of its own, and a client on it. making, serving: switches. carrier: csim or
    ccho. labelled: objects are named by label. size: octets of an id. change: of the list of objects, a
    pattern and what takes its place. folder: a card that is there already."""

    def __init__(self, t, making="", serving="", aid=AIDS[0], carrier="csim", labelled=False, size=1,
                 change=None, public_next=False, fault=(), folder=None, **how):
        self.t, self.host, self.labelled, self.size = t, Host(t), labelled, size
        self.pairs = {1: 2, 4: 5, 5: 6} if public_next else {}
        making += f" --iotsafe-id-size {size}"
        self.folder = folder or t.new_card("--key", "p256", "--applet", "iotsafe", *making.split())
        if change:
            self.rewrite(*change)
        self.line = Line(t, *fault, card=self.folder, switches=serving.split())
        channel = 1
        if carrier == "csim":
            t.says(self.line.apdu("0070000001"), "^01(9000|91..)$")
            self.card = Applet(self.line.apdu, channel, **how)
            self.card.select(aid)
        else:  # the modem puts the channel into the class and selects
            session = self.line.session(aid).removeprefix("+CCHO: ")
            self.card = Applet(lambda apdu: self.line.apdu(apdu, f"AT+CGLA={session},"), **how)

    def rewrite(self, pattern, by):
        """Changes the list of the card's objects."""
        path = os.path.join(self.folder, "iotsafe")
        with open(path, encoding="ascii") as file:
            text = file.read()
        new = re.sub(pattern, by, text, flags=re.M)
        self.t.check(new != text, f"{pattern} is not in\n{text}")
        with open(path, "w", encoding="ascii") as file:
            file.write(new)

    def kept(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def named(self, kind, last):
        """The name of an object whose id ends so."""
        if not self.labelled:
            return by_id(kind, self.id(self.pairs.get(last, last) if kind == PUBLIC else last))
        return by_label(kind, LABELS[kind, last])

    def id(self, last):
        return bytes(self.size - 1) + bytes([last])

    def put_key(self):
        """A key of the host: its file, what it signs is verified with public key 05."""
        key, octets = self.host.new_key()
        self.card.put(self.named(PUBLIC, 5), octets)
        return key, octets

    def refuses(self, wanted, what, *arguments, **how):
        """The call of the client is refused with one of these status words."""
        try:
            got = what(*arguments, **how)
        except Refused as refused:
            self.t.check(refused.sw in wanted, f"{refused}, wanted {' or '.join(wanted)}")
            return
        self.t.check(False, f"{what.__name__} {arguments} {how} gave {got}, wanted {' or '.join(wanted)}")
