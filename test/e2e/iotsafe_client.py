# SPDX-License-Identifier: Apache-2.0
"""A client of GSMA IoT SAFE, written from what is published of IoT.05 and of the cards in use, not from
the C of simkey or simmodem: where it and they disagree, the published fact decides."""

from dataclasses import dataclass, field

AIDS = ("A0000005590010", "A00000003053F12401770101495341")

FILE, PRIVATE, PUBLIC, SECRET = 3, 4, 5, 6  # 83..86 are ids, 73..76 labels
WRAPPERS = {0xC1: PRIVATE, 0xC2: PUBLIC, 0xC3: FILE, 0xC4: SECRET}
SHA256, SHA384, SHA512 = 1, 2, 4
RSA, PSS, ECDSA, CMAC = 1, 2, 4, 8
FULL_TEXT, LAST_BLOCK, DIGEST = 1, 2, 3  # modes of operation
GENERAL, PSK, PSK_ECDHE = 0, 1, 2  # premaster secrets of COMPUTE PRF
MORE, LAST = 0x00, 0x80
OPEN, CLOSE = 0, 1

# Instructions, all there are.
(PUT_INIT, SIGN_INIT, SIGN_UPDATE, VERIFY_INIT, VERIFY_UPDATE, DH, PRF, HKDF, RANDOM, READ_FILE, GENERATE,
 GET_DATA, READ_KEY, PUT_UPDATE) = ALL = (0x24, 0x2A, 0x2B, 0x2C, 0x2D, 0x46, 0x48, 0x4A, 0x84, 0xB0, 0xB9,
                                          0xCB, 0xCD, 0xD8)
AGAIN = ("6984", "6989")  # remote administration is, or was, under way
BEHIND_END = ("6B00", "6A86", "6981")


class Refused(Exception):
    """A status word that is not success."""

    def __init__(self, command, sw):
        super().__init__(f"{command}: {sw}")
        self.sw = sw


def tlv(tag, *values):
    value = b"".join(values)
    length = bytes([len(value)]) if len(value) < 128 else bytes([0x81, len(value)])
    return bytes([tag]) + length + value


def by_id(kind, value):
    return tlv(0x80 | kind, value)


def by_label(kind, text):
    return tlv(0x70 | kind, text.encode())


def number(value, octets):
    return value.to_bytes(octets, "big")


def take(data):
    """The first tag, its value and what follows. A tag 92 that announces two octets and has one, and a
    wrapper above 127 with one raw octet of length that takes all that remains, are cards in use."""
    tag, length, at = data[0], data[1], 2
    if tag in WRAPPERS and length > 127 and length == len(data) - 2:
        pass
    elif length in (0x81, 0x82):
        at += length - 0x80
        length = int.from_bytes(data[2:at], "big")
    elif tag == 0x92 and length == 2 and data[3:5] == b"\x91\x02":
        length = 1
    if at + length > len(data):
        raise ValueError(f"tag {tag:02X} is longer than what there is: {data.hex()}")
    return tag, data[at:at + length], data[at + length:]


def tags(data):
    """All tags of flat data."""
    found = {}
    while data:
        tag, value, data = take(data)
        found[tag] = value
    return found


@dataclass
class Object:
    kind: int
    id: bytes = b""
    label: str = ""
    tags: dict = field(default_factory=dict)

    def name(self, labelled=False):
        return by_label(self.kind, self.label) if labelled else by_id(self.kind, self.id)


def objects(data):
    """The objects of a list: with a wrapper each, a wrapper for several, or without; tags in any order.
    Without wrappers an object ends where an id or a label of another kind comes, or its second one."""
    found, open_object = [], None
    while data:
        tag, value, data = take(data)
        if tag in WRAPPERS:
            found += objects(value)
            open_object = None
        elif tag >> 4 in (7, 8) and tag & 15 in (FILE, PRIVATE, PUBLIC, SECRET):
            if not open_object or open_object.kind != tag & 15 or tag in open_object.tags:
                open_object = Object(tag & 15)
                found.append(open_object)
            if tag & 0x80:
                open_object.id = value
            else:
                open_object.label = value.decode()
            open_object.tags[tag] = value
        else:
            open_object.tags[tag] = value
    return found


def point(data):
    """The point in tag 34, or without any tag."""
    if len(data) == 65 and data[0] == 4:
        return data
    for wanted in (0x34, 0x49, 0x86):
        tag, data, rest = take(data)
        if tag != wanted or rest:
            raise ValueError(f"tag {tag:02X} for {wanted:02X}")
    if len(data) != 65 or data[0] != 4:
        raise ValueError(f"no point: {data.hex()}")
    return data


def tagged_point(octets):
    return tlv(0x34, tlv(0x49, tlv(0x86, octets)))


def signature(data):
    """The value of tag 33, whose length has one octet, two, or BER's form; an ECDSA one in DER becomes r and s."""
    if data[0] != 0x33:
        raise ValueError(f"no signature: {data.hex()}")
    if data[1] == len(data) - 2:
        value = data[2:]
    elif int.from_bytes(data[1:3], "big") == len(data) - 3:
        value = data[3:]
    elif data[1] == 0x82 and int.from_bytes(data[2:4], "big") == len(data) - 4:
        value = data[4:]
    else:
        raise ValueError(f"length of a signature: {data.hex()}")
    return raw_of(value)


def raw_of(value):
    """r and s of 32 octets each, of a DER signature; anything else as it is."""
    if value[0] != 0x30 or value[1] != len(value) - 2 or value[2] != 2:
        return value
    _, r, rest = take(value[2:])
    if not rest or rest[0] != 2:
        return value
    _, s, rest = take(rest)
    return value if rest else b"".join(n.lstrip(b"\0").rjust(32, b"\0") for n in (r, s))


class Applet:
    """An applet on a logical channel. exchange: takes an APDU and gives its answer, in hexadecimal.
    le: commands with data and an answer say so. patience: how often 6984 and 6989 are tried again."""

    def __init__(self, exchange, channel=0, cla=0x80, le=True, patience=0):
        self.exchange, self.channel, self.cla = exchange, channel, cla
        self.le, self.patience = le, patience
        self.used = set()

    # APDUs

    def apdu(self, header, body=b"", le=b""):
        """Data and SW of a command; 61xx and 6Cxx are followed."""
        got = self.exchange((header + body + le).hex().upper())
        if got[-4:-2] == "6C":
            got = self.exchange((header + body).hex().upper() + got[-2:])
        data, sw = got[:-4], got[-4:]
        while sw[:2] == "61":
            got = self.exchange(f"{self.channel:02X}C00000{sw[2:]}")
            data, sw = data + got[:-4], got[-4:]
        return bytes.fromhex(data), sw

    def send(self, ins, p1, p2, data=None, le=None, good=("9000", "63CF")):
        """Data and SW of one of the applet's commands."""
        self.used.add(ins)
        header = bytes([self.cla | self.channel, ins, p1, p2])
        body = b"" if data is None else bytes([len(data)]) + data
        expects = le is not None and (self.le or data is None)
        for left in range(self.patience, -1, -1):
            got, sw = self.apdu(header, body, bytes([le & 0xFF]) if expects else b"")
            if sw not in AGAIN or not left:
                break
        if sw not in good and sw[:2] != "91":
            raise Refused((header + body).hex().upper(), sw)
        return got, sw

    def command(self, *arguments, **how):
        return self.send(*arguments, **how)[0]

    def select(self, aid=AIDS[0]):
        octets = bytes.fromhex(aid)
        header = bytes([self.channel, 0xA4, 4, 0])
        _, sw = self.apdu(header, bytes([len(octets)]) + octets, b"\0" if self.le else b"")
        if sw != "9000" and sw[:2] != "91":
            raise Refused(f"SELECT {aid}", sw)

    # What there is

    def data(self):
        return tags(self.command(GET_DATA, 0, 0, le=0x44))

    def pages(self):
        """The object list as it comes."""
        data, sw = self.send(GET_DATA, 1, 0, le=0, good=("9000", "6300"))
        while sw == "6300":
            more, sw = self.send(GET_DATA, 1, 1, le=0, good=("9000", "6300"))
            data += more
        return data

    def list(self):
        return objects(self.pages())

    def info(self, name):
        """The object that is named by id or label."""
        wrapper = next(tag for tag, kind in WRAPPERS.items() if kind == name[0] & 15)
        found = objects(self.command(GET_DATA, wrapper, 0, name, le=0))
        if len(found) != 1:
            raise ValueError(f"{len(found)} objects for one")
        return found[0]

    def read(self, name, chunk=255):
        """A file to its end, which is a short answer or an offset that is out of range."""
        data = b""
        while True:
            try:
                # The offset is P1 and P2. A short answer is not the end: some modems cut.
                piece = self.command(READ_FILE, len(data) >> 8, len(data) & 255, name, le=chunk)
            except Refused as refused:
                if data and refused.sw in BEHIND_END:
                    return data
                raise
            if not piece:
                return data
            data += piece

    # Keys

    def generate(self, name):
        """Ids of the new private and public key and its point; None for what the card does not say."""
        got = tags(self.command(GENERATE, 0, 0, name, le=0))
        return got.get(0x84), got.get(0x85), point(tlv(0x34, got[0x34])) if 0x34 in got else None

    def public_key(self, name):
        return point(self.command(READ_KEY, 0, 0, name, le=0))

    def put(self, name, octets, session=1, parts=None):
        """Puts a public key, in one piece or in these."""
        self.command(PUT_INIT, OPEN, session, name)
        try:
            pieces = parts or [tagged_point(octets)]
            for at, piece in enumerate(pieces):
                self.command(PUT_UPDATE, LAST if at == len(pieces) - 1 else MORE, session, piece)
        finally:
            self.close(PUT_INIT, session)

    # Signatures

    def begin(self, ins, name, mode=DIGEST, hashed=SHA256, algorithm=ECDSA, session=1):
        """Opens a session of COMPUTE or VERIFY SIGNATURE."""
        self.command(ins, OPEN, session,
                     name + tlv(0xA1, number(mode, 1)) + tlv(0x91, number(hashed, 2))
                     + tlv(0x92, number(algorithm, 1)))

    def close(self, ins, session=1):
        """Closes it, without asking whether it was there."""
        try:
            self.command(ins, CLOSE, session)
        except Refused:
            pass

    def sign(self, name, *blocks, session=1, **how):
        """Signs what the blocks, of mode 01, 02 or 03, say."""
        self.begin(SIGN_INIT, name, session=session, **how)
        try:
            for block in blocks[:-1]:
                self.command(SIGN_UPDATE, MORE, session, block, le=0)
            return signature(self.command(SIGN_UPDATE, LAST, session, blocks[-1], le=0))
        finally:
            self.close(SIGN_INIT, session)

    def verify(self, name, block, value, session=1, wide=False, **how):
        """True if the card says that it is the signature; wide: its length has two octets."""
        tagged = b"\x33" + number(len(value), 2 if wide or len(value) > 127 else 1) + value
        self.begin(VERIFY_INIT, name, session=session, **how)
        try:
            self.command(VERIFY_UPDATE, LAST, session, block + tagged)
            return True
        except Refused as refused:
            if refused.sw != "6D01":
                raise
            return False
        finally:
            self.close(VERIFY_INIT, session)

    # Secrets

    def agree(self, private, public):
        return self.command(DH, 0, 0, private + public, le=0)

    def prf(self, secret, label_and_seed, octets, mode=GENERAL, other=b""):
        """secret: a name, or the octets in tag D1. other: the result of ECDH, in tag D4."""
        return self.command(PRF, mode, 0, secret + (tlv(0xD4, other) if other else b"")
                            + tlv(0xD2, label_and_seed) + tlv(0xD3, number(octets, 1)), le=0)

    def extract(self, material, salt, hashed=SHA256):
        return self.command(HKDF, 0, 0, tlv(0xD1, material) + tlv(0xD5, salt)
                            + tlv(0x91, number(hashed, 2)), le=0)

    def random(self, octets):
        return self.command(RANDOM, 0, 0, le=octets)


def digest_block(digest):
    return tlv(0x9E, digest)


def text_block(text):
    return tlv(0x9B, text)


def last_block(rest, state, hashed):
    """rest: what the card hashes. state: the hash after that many octets."""
    return tlv(0x9A, rest) + tlv(0x9C, state) + tlv(0x9D, number(hashed, 4))
