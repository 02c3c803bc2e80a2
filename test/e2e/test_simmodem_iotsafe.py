# SPDX-License-Identifier: Apache-2.0
"""simmodem's IoT SAFE applet through its modem, as foreign clients talk to it: by AT+CSIM with a channel of
their own, by AT+CCHO and AT+CGLA. What is signed is checked with openssl. Nothing of simkey is in it.
Its commands and switches one by one are in test/unit/test_sim_iotsafe*.c."""

import hashlib
import os
import re
import ssl

from at_client import Line, MIAS, Took
from fixture import SHARED, SIMMODEM, test

GSMA, THALES = "A0000005590010", "A00000003053F12401770101495341"
HASH = hashlib.sha256(b"what is signed").hexdigest().upper()
INIT = "2A00010D840101A1010391020001920104"
UPDATE = f"2B8001229E20{HASH}"
CLOSE = "2A0101"


def new_card(t, *switches):
    """A card with an IoT SAFE key of its own; the CA's and others are those of a card that is there."""
    folder = t.path(f"card-{t.number()}")
    t.run([SIMMODEM, "--card", folder, "--new", "--keys-of", os.path.join(SHARED, "cards", "rsa2048"), *switches])
    return folder


class Card:
    """A client of the applet, CLA and channel put before its commands."""

    def __init__(self, t, *switches, new=(), ccho=None, card=None):
        self.t = t
        card = card or new_card(t, "--applet", "iotsafe", *new)
        self.line = Line(t, card=card, switches=switches)
        self.folder, self.carrier, self.cla = self.line.sim.card, "AT+CSIM=", "81"
        if ccho:
            session = re.fullmatch(r"\+CCHO: (\d+)", self.line.session(ccho))[1]
            self.carrier, self.cla = f"AT+CGLA={session},", "80"
        else:
            self.line.channel()
            self.line.sw(f"01A4040007{GSMA}", "610B")

    def ask(self, command, data=""):
        """The data of a command that must be done, by as many GET RESPONSEs as it takes."""
        got = self.line.apdu(self.cla + command, self.carrier)
        while got[-4:-2] == "61":
            data += got[:-4]
            got = self.line.apdu(f"{self.cla}C00000{got[-2:]}", self.carrier)
        self.t.equal(got[-4:], "9000", f"SW of {command}")
        return bytes.fromhex(data + got[:-4])

    def sw(self, command, wanted):
        self.line.sw(self.cla + command, wanted, self.carrier)

    def read(self, number):
        """A file, of which its information tells the size."""
        info = self.ask(f"CBC300038301{number:02X}")
        size = int.from_bytes(info[info.index(b"\x20\x02") + 2:][:2], "big")
        data = b""
        while len(data) < size:
            data += self.ask(f"B0{len(data):04X}038301{number:02X}{min(size - len(data), 240):02X}")
        return data

    def sign(self):
        self.ask(INIT)
        got = self.ask(UPDATE)
        self.ask(CLOSE)
        self.t.equal((got[:2].hex(), len(got)), ("3340", 66), "tag 33")
        return got[2:]


def der(raw):
    """r||s to SEQUENCE { r, s }."""
    body = b""
    for half in (raw[:32], raw[32:]):
        number = half.lstrip(b"\0") or b"\0"
        number = b"\0" * (number[0] >> 7) + number
        body += bytes([2, len(number)]) + number
    return bytes([0x30, len(body)]) + body


def verified(t, certificate, signature):
    """openssl finds the signature of HASH right."""
    public = t.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], preload=False).out
    t.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", t.write("public.pem", public), "-in",
           t.write("hash", bytes.fromhex(HASH)), "-sigfile", t.write("signature", der(signature))],
          preload=False)


def by_client(t, ccho):
    card = Card(t, ccho=ccho)
    certificate = os.path.join(card.folder, "iotsafe.pem")
    for number, name in ((2, "iotsafe.pem"), (3, "ca.pem")):
        with open(os.path.join(card.folder, name), encoding="ascii") as pem:
            t.equal(card.read(number), ssl.PEM_cert_to_DER_cert(pem.read()), f"file 0{number}")
    t.run(["openssl", "verify", "-CAfile", os.path.join(card.folder, "ca.pem"), certificate], preload=False)
    verified(t, certificate, card.sign())
    point = card.ask("CD000003850101")[6:]
    text = t.run(["openssl", "x509", "-in", certificate, "-noout", "-text"], preload=False).out
    t.equal(point.hex(), re.sub(r"[\s:]", "", re.search(r"pub:([0-9a-f:\s]+)ASN1", text)[1]), "the public key")


for by, aid in (("CSIM", None), ("CGLA", GSMA), ("CGLA", THALES)):
    test(name=f"an IoT SAFE client reads and signs by AT+{by}{', AID ' + aid if aid else ''}", ccho=aid)(by_client)


@test
def two_cards_agree_on_a_secret_and_verify_each_other(t):
    one, other = Card(t), Card(t, ccho=GSMA)
    signature = one.sign().hex().upper()
    keys = [card.ask("B9000003840104")[6:] for card in (one, other)]
    for card, key in ((one, keys[1]), (other, keys[0])):
        card.ask("24000203850105")
        card.ask(f"D8800247{key.hex().upper()}")
        card.ask("240102")
    t.equal(one.ask("46000006840104850105"), other.ask("46000006840104850105"), "the shared secret")
    other.ask("24000203850105")
    other.ask(f"D8800247{one.ask('CD000003850101').hex().upper()}")
    other.ask("240102")
    for value, wanted in ((signature, "9000"), ("00" + signature[2:], "6D01")):
        other.ask("2C00020D850105A1010391020001920104")
        other.sw(f"2D8002659E20{HASH}330040{value}", wanted)
        other.ask("2C0102")


@test
def the_trace_names_its_commands_and_hides_no_key_as_a_pin(t):
    card = Card(t)
    card.sign()
    card.ask("24000203850105")
    card.ask("CB000000")
    card.ask("CB010000")
    card.ask("4800005DD120" + "C0" * 32 + "D236" + "65" * 54 + "D301FF")
    card.sw("2000810430303030", "6D00")
    seen = [apdu for apdu in card.line.sim.apdus() if apdu.words != "GET RESPONSE"][2:]
    t.equal([apdu.words for apdu in seen],
            ["COMPUTE SIGNATURE INIT", "COMPUTE SIGNATURE UPDATE", "COMPUTE SIGNATURE CLOSE", "PUT PUBLIC KEY INIT",
             "GET DATA APPLICATION", "GET DATA OBJECT LIST", "COMPUTE PRF", "VERIFY"], "the words")
    t.equal(seen[3].command, "8124000203850105", "PUT PUBLIC KEY")
    t.equal((seen[6].command, seen[7].command), ("814800005D{93}", "8120008104{4}"), "what is secret")
    with open(card.line.sim.trace, encoding="ascii") as trace:
        t.silent(trace.read(), "C0C0C0|30303030")


@test
def a_card_has_one_applet_or_both(t):
    both = Card(t, card=new_card(t, "--applet", "both"))
    both.line.sw(f"00A4040C0D{MIAS}", "9000")
    both.ask("CB000044")  # the other channel's selection stays
    one = Line(t)
    one.sw(f"00A4040007{GSMA}", "6A82")
    t.equal(one.ask(f'AT+CCHO="{GSMA}"'), ["+CME ERROR: 22"], "AT+CCHO without the applet")
    Card(t).line.sw(f"00A4040C0D{MIAS}", "6A82")


@test
def what_a_generated_key_signs_is_right_after_a_restart(t):
    card = Card(t)
    point = card.ask("B9000003840101")[6:]
    card.line.sim.stop_cleanly()
    card = Card(t, "--iotsafe-list", "flat", card=card.folder)
    t.equal(card.ask("CD000003850101"), point, "the public key")
    spki = bytes.fromhex("3059301306072A8648CE3D020106082A8648CE3D030107034200") + point[6:]
    t.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", t.write("key", spki), "-in",
           t.write("hash", bytes.fromhex(HASH)), "-sigfile", t.write("signature", der(card.sign()))], preload=False)


@test
def a_slow_generation_keeps_the_modem_busy(t):
    card = Card(t, "--iotsafe-generate-ms", "1500")
    with Took(t, 1.4, 4):
        card.ask("B9000003840104")


@test
def modem_and_card_disturb_it(t):
    card = Card(t, "--t0", "--iotsafe-page", "90")
    card.line.card("81CB000000", "6C44")
    t.equal(len(card.ask("CB000044")), 0x44, "application data")
    card.sw("CB01005A", "6300")
    t.equal(card.line.apdu("81CB010100")[-4:], "6C5A", "the next page")
    line = Line(t, card=new_card(t, "--applet", "iotsafe"), switches=("--iotsafe-9110",))
    session = line.session(GSMA)
    t.check(session.startswith("+CCHO: "), f"no session at 9110: {session}")
    line.card(f"80{INIT}", "9110", f"AT+CGLA={session[7:]},")
    line = Line(t, card=new_card(t, "--applet", "iotsafe"), switches=("--get-response",))
    line.channel()
    line.card(f"01A4040007{GSMA}", f"6F098407{GSMA}9000")
    line.sw(f"81{INIT}", "9000")
    t.equal(len(line.apdu(f"81{UPDATE}")), 2 * (66 + 2), "a signature that the modem fetches")


@test
def its_options_are_checked(t):
    card = new_card(t, "--applet", "iotsafe")
    for words, says in ((("--applet", "none"), r"mias\|iotsafe\|both"),
                        (("--applet", "iotsafe", "--iotsafe-aid", "A0000005"), "5 to 16 octets"),
                        (("--iotsafe-id-size", "21"), "from 1 to 20"), (("--iotsafe-page", "0"), "from 1 to 256"),
                        (("--iotsafe-sessions", "9"), "from 1 to 8"), (("--fault", "iotsafe-6984"), "N\\[,K\\]")):
        t.run([SIMMODEM, "--card", t.path("none"), "--new", *words], expect=1, says=says)
    for text, says in (("private = 01 type\n", "line 2 of .*/iotsafe cannot be understood"),
                       ("file = 01 from nothing\n", "cannot read .*/nothing"),
                       ("private = 01 from ca.pem\n", "ca.pem does not hold what"),
                       ("file = 01\nfile = 01\n", "line 3 of .*/iotsafe cannot")):
        t.write(os.path.join(card, "iotsafe"), "version = 1\n" + text)
        t.run([SIMMODEM, "--card", card, "--link", t.path("link")], expect=1, says=says)
