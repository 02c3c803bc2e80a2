# SPDX-License-Identifier: Apache-2.0
"""simmodem's IoT SAFE applet as a client meets it that knows only the published facts: every command of
the applet, what it gives back checked with openssl, and what each refuses. Nothing of simkey is in it."""

import ssl

from fixture import test
from iotsafe_card import LONG, TEXT, Card
from iotsafe_client import (AIDS, ALL, DIGEST, ECDSA, FILE, FULL_TEXT, LAST_BLOCK, PRIVATE, PSK, PSK_ECDHE, PUBLIC,
                            SECRET, SHA256, SHA384, SHA512, by_id, digest_block, last_block, raw_of, text_block, tlv)
from iotsafe_host import Sha2, der_of, digest, extract, premaster, prf

NAMES = {SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}


# All commands, on a card

def reads_data(c):
    data, t = c.card.data(), c.t
    t.equal(data[0x10], b"\x10", "the version")
    t.check(0x11 in data, "no identifier")
    for tag in (0xB1, 0xB2, 0xB3, 0xB4, 0xB7):
        t.check(len(data[tag]) == 1 and data[tag][0] > 0, f"how many there may be, {tag:02X}: {data}")
    functions = data[0x61] if 0x61 in data else data[0x90]
    t.equal(functions[0] & 0x0F, 0x0F, "the functions of the applet")
    t.check(int.from_bytes(data[0x91], "big") & SHA256 or len(data[0x91]) != 2, "no SHA-256")
    t.check(data[0x92][0] & ECDSA, "no ECDSA")
    t.equal((data[0x6F] if 0x6F in data else data[0x93])[0] & 1, 1, "key agreement")
    t.equal(data[0x94][0] & 3, 3, "PRF and HKDF")


def reads_list(c):
    """The list has all objects, and GET DATA of each says the same."""
    found = c.card.list()
    count = {kind: sum(o.kind == kind for o in found) for kind in (FILE, PRIVATE, PUBLIC, SECRET)}
    c.t.equal(count, {FILE: 2, PRIVATE: 2, PUBLIC: 3, SECRET: 1}, "objects of a kind")
    for o in found:
        c.t.check(0x60 in o.tags and 0x4A in o.tags, f"no access or state: {o}")
        if o.kind in (PRIVATE, PUBLIC):
            c.t.equal(o.tags[0x4B], b"\x13", f"type of {o}")
            c.t.equal((o.tags[0x91], o.tags[0x92]), (b"\0\1", b"\4"), f"algorithms of {o}")
        c.t.equal(c.card.info(o.name(c.labelled and bool(o.label))).tags, o.tags, f"information of {o}")
    return found


def reads_info(c):
    """One object of each kind, whatever the list is like."""
    for kind, last in ((PRIVATE, 1), (PUBLIC, 1), (FILE, 2), (SECRET, 6)):
        o = c.card.info(c.named(kind, last))
        c.t.equal((o.kind, o.tags[0x4A]), (kind, b"\1"), "kind and state")
        if not c.labelled:
            c.t.equal(o.name(), c.named(kind, last), "its id")
    c.t.equal(c.card.info(c.named(PRIVATE, 4)).tags[0x4A], b"\0", "state of an empty key")


def certificate(data):
    """A file's certificate in DER, whatever follows it."""
    if data.startswith(b"-----BEGIN"):
        return ssl.PEM_cert_to_DER_cert(data.decode().rstrip("\0\n") + "\n")
    length = 4 + int.from_bytes(data[2:4], "big")
    if data[:2] != b"\x30\x82" or data[length:].strip(b"\0"):
        raise ValueError(f"no certificate: {data.hex()}")
    return data[:length]


def reads_files(c):
    for last, name in ((2, "iotsafe.pem"), (3, "ca.pem")):
        kept = ssl.PEM_cert_to_DER_cert(c.kept(name).decode())
        for chunk in (50, 255, 256):
            c.t.equal(certificate(c.card.read(c.named(FILE, last), chunk)), kept, f"file {last} by {chunk}")
    return ssl.PEM_cert_to_DER_cert(c.kept("iotsafe.pem").decode())


def signed(c, key, private, hashed=SHA256):
    """Signs in each mode; openssl verifies with the key in that file."""
    name, sums = NAMES[hashed], Sha2(NAMES[hashed])
    half = len(LONG) // sums.block * sums.block
    for mode, text, block in (
            (DIGEST, TEXT, digest_block(digest(TEXT, name))), (FULL_TEXT, TEXT, text_block(TEXT)),
            (LAST_BLOCK, LONG, last_block(LONG[half:], sums.after(LONG[:half]), half))):
        value = c.card.sign(private, block, mode=mode, hashed=hashed)
        c.t.equal(len(value), 64, f"length of a signature, mode {mode}")
        c.t.check(c.host.is_signature(key, digest(text, name), der_of(value)), f"wrong in mode {mode}, {name}")
        c.t.check(not c.host.is_signature(key, digest(text + b"x", name), der_of(value)),
                  "openssl takes any signature")


def verified(c, hashed=SHA256):
    """The card verifies what the host signs, in each mode, and sees what is wrong."""
    public, name, sums = c.named(PUBLIC, 5), NAMES[hashed], Sha2(NAMES[hashed])
    key, _ = c.put_key()
    half = len(LONG) // sums.block * sums.block
    for mode, text, block, wrong in (
            (DIGEST, TEXT, digest_block(digest(TEXT, name)), digest_block(digest(LONG, name))),
            (FULL_TEXT, TEXT, text_block(TEXT), text_block(TEXT[1:])),
            (LAST_BLOCK, LONG, last_block(LONG[half:], sums.after(LONG[:half]), half),
             last_block(LONG[half:], sums.after(LONG[1:half + 1]), half))):
        value = raw_of(c.host.sign(key, digest(text, name)))
        for wide in (False, True):
            c.t.equal(c.card.verify(public, block, value, wide=wide, mode=mode, hashed=hashed), True,
                      f"the card's word of a good signature, mode {mode}, {name}")
        c.t.equal(c.card.verify(public, wrong, value, mode=mode, hashed=hashed), False,
                  f"its word of a signature of something else, mode {mode}")
        c.t.equal(c.card.verify(public, block, value[:63] + bytes([value[63] ^ 1]), mode=mode, hashed=hashed),
                  False, f"its word of a changed signature, mode {mode}")


def generated(c, before):
    """Generates a pair anew: the name of the private key, which may be another then, and the point."""
    private, public, octets = c.card.generate(before)
    private = before if c.labelled or private is None else by_id(PRIVATE, private)
    public = c.named(PUBLIC, 4) if c.labelled or public is None else by_id(PUBLIC, public)
    read = c.card.public_key(public)
    c.t.equal(octets or read, read, "the point, generated and read")
    c.t.equal((c.card.info(private).tags[0x4A], c.card.info(public).tags[0x4A]), (b"\1", b"\1"), "state")
    return private, read


def agreed(c):
    """Two pairs, one after the other, with one key of the host."""
    key, _ = c.put_key()
    private, last = c.named(PRIVATE, 4), None
    for _ in range(2):
        private, octets = generated(c, private)
        c.t.check(octets != last, "the same pair again")
        last = octets
        shared = c.card.agree(private, c.named(PUBLIC, 5))
        c.t.equal(shared, c.host.agree(key, octets), "X of both")
    signed(c, c.host.key_of(octets), private)
    return shared


def derived(c, shared):
    material, seed = digest(b"secret"), b"extended master secret" + digest(TEXT)
    secret, psk = c.named(SECRET, 6), c.kept("private/iotsafe-psk")
    for octets in (1, 48, 255):
        c.t.equal(c.card.prf(tlv(0xD1, material), seed, octets), prf(material, seed, octets), "PRF")
        c.t.equal(c.card.prf(secret, seed, octets), prf(psk, seed, octets), "PRF of the secret key")
    c.t.equal(c.card.prf(secret, seed, 48, PSK), prf(premaster(psk), seed, 48), "PRF of a plain PSK")
    c.t.equal(c.card.prf(secret, seed, 48, PSK_ECDHE, shared), prf(premaster(psk, shared), seed, 48),
              "PRF of PSK and ECDH")
    for salt in (digest(LONG), b""):
        c.t.equal(c.card.extract(material, salt), extract(material, salt), "HKDF-Extract")


def random_octets(c):
    for octets in (1, 16, 255, 256):
        first, second = c.card.random(octets), c.card.random(octets)
        c.t.equal((len(first), len(second)), (octets, octets), "random octets")
        c.t.check(octets == 1 or first != second, "the same random octets again")


def every_command(t, listed=True, **how):
    c = Card(t, **how)
    reads_data(c)
    if listed:
        reads_list(c)
    reads_info(c)
    key = c.host.key_in(reads_files(c))
    t.equal(c.host.point_in(key, "-pubin"), c.card.public_key(c.named(PUBLIC, 1)), "the certificate's point")
    signed(c, key, c.named(PRIVATE, 1))
    verified(c)
    derived(c, agreed(c))
    random_octets(c)
    t.equal(c.card.used, set(ALL), "instructions that were used")


for sentence, how in {
        "the default AID, ids, CLA 8x, Le": {},
        "the other AID, CLA 0x, no Le": {"aid": AIDS[1], "cla": 0, "le": False},
        "T=0, no Le": {"serving": "--t0", "le": False},
        "T=0, Le": {"serving": "--t0"},
        "labels": {"labelled": True},
        "ids of two octets, AT+CGLA": {"size": 2, "carrier": "ccho"},
        "ids of three octets, AT+CGLA, CLA 0x, no Le": {"size": 3, "carrier": "ccho", "cla": 0, "le": False},
        "ids of 20 octets": {"size": 20}}.items():
    test(name=f"a client of the facts runs every IoT SAFE command: {sentence}", **how)(every_command)
