# SPDX-License-Identifier: Apache-2.0
"""What the host of an IoT SAFE applet calculates: hashes that stop half-way, PRF, and with the openssl
command keys and signatures."""

import hashlib
import hmac
import math

SPKI = bytes.fromhex("3059301306072A8648CE3D020106082A8648CE3D030107034200")  # of a P-256 point


# SHA-2 that stops after some blocks (FIPS 180-4)

def _primes(count):
    found, candidate = [], 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(value):
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle ** 3 <= value else (low, middle - 1)
    return low


class Sha2:
    """name: sha256, sha384 or sha512."""

    SIGMAS = {32: ((2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10)),
              64: ((28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6))}

    def __init__(self, name):
        self.bits = 32 if name == "sha256" else 64
        self.block, self.mask = self.bits * 2, (1 << self.bits) - 1
        self.rounds = 64 if self.bits == 32 else 80
        self.k = [_cube_root(p << 3 * self.bits) & self.mask for p in _primes(self.rounds)]
        primes = _primes(16)[8:] if name == "sha384" else _primes(8)
        self.first = [math.isqrt(p << 2 * self.bits) & self.mask for p in primes]

    def _turn(self, word, by):
        return (word >> by | word << (self.bits - by)) & self.mask

    def _sum(self, word, by):
        return self._turn(word, by[0]) ^ self._turn(word, by[1]) ^ self._turn(word, by[2])

    def _mix(self, word, by):
        return self._turn(word, by[0]) ^ self._turn(word, by[1]) ^ word >> by[2]

    def _compress(self, state, block):
        big0, big1, small0, small1 = self.SIGMAS[self.bits]
        size = self.bits // 8
        w = [int.from_bytes(block[at:at + size], "big") for at in range(0, self.block, size)]
        for i in range(16, self.rounds):
            w.append((self._mix(w[i - 2], small1) + w[i - 7] + self._mix(w[i - 15], small0) + w[i - 16])
                     & self.mask)
        a, b, c, d, e, f, g, h = state
        for word, k in zip(w, self.k):
            one = h + self._sum(e, big1) + (e & f ^ ~e & g) + k + word
            two = self._sum(a, big0) + (a & b ^ a & c ^ b & c)
            a, b, c, d, e, f, g, h = (one + two) & self.mask, a, b, c, (d + one) & self.mask, e, f, g
        return [(was + now) & self.mask for was, now in zip(state, (a, b, c, d, e, f, g, h))]

    def after(self, text):
        """The state after whole blocks."""
        state = self.first
        for at in range(0, len(text), self.block):
            state = self._compress(state, text[at:at + self.block])
        return b"".join(word.to_bytes(self.bits // 8, "big") for word in state)


# Derivation

def prf(secret, seed, octets):
    """PRF of TLS 1.2 with SHA-256 (RFC 5246); seed: label and seed."""
    data, a = b"", seed
    while len(data) < octets:
        a = hmac.digest(secret, a, "sha256")
        data += hmac.digest(secret, a + seed, "sha256")
    return data[:octets]


def premaster(psk, other=None):
    """Of a pre-shared key alone (RFC 4279), or with the result of ECDH (RFC 5489)."""
    other = bytes(len(psk)) if other is None else other
    return len(other).to_bytes(2, "big") + other + len(psk).to_bytes(2, "big") + psk


def extract(material, salt, name="sha256"):
    """HKDF-Extract (RFC 5869)."""
    return hmac.digest(salt, material, name)


def digest(text, name="sha256"):
    return hashlib.new(name, text).digest()


# The openssl command

def der_of(raw):
    """An ECDSA signature in DER."""
    numbers = b""
    for half in (raw[:32], raw[32:]):
        value = half.lstrip(b"\0") or b"\0"
        value = (b"\0" if value[0] & 0x80 else b"") + value
        numbers += bytes([2, len(value)]) + value
    return bytes([0x30, len(numbers)]) + numbers


class Host:
    """t: the fixture."""

    def __init__(self, t):
        self.t = t

    def file(self, octets):
        return self.t.write(f"host-{self.t.number()}", octets)

    def openssl(self, *arguments, **how):
        return self.t.run(["openssl", *arguments], **how)

    def key_of(self, octets):
        """A file with the public key of a point."""
        return self.file(self.openssl("pkey", "-pubin", "-inform", "DER", "-in",
                                      self.file(SPKI + octets)).raw)

    def key_in(self, certificate):
        """A file with the public key of a certificate in DER."""
        return self.file(self.openssl("x509", "-inform", "DER", "-in", self.file(certificate), "-noout",
                                      "-pubkey").raw)

    def point_in(self, key, *how):
        """The point of a key file."""
        return self.openssl("pkey", *how, "-in", key, "-pubout", "-outform", "DER").raw[-65:]

    def new_key(self):
        """A file with a private key, and its point."""
        key = self.file(self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                                     "ec_paramgen_curve:P-256").raw)
        return key, self.point_in(key)

    def sign(self, key, hashed):
        return self.openssl("pkeyutl", "-sign", "-inkey", key, "-in", self.file(hashed)).raw

    def is_signature(self, key, hashed, der, *options):
        """Whether it is one of that hash; key: a public key file."""
        how = [word for option in options for word in ("-pkeyopt", option)]
        done = self.openssl("pkeyutl", "-verify", "-pubin", "-inkey", key, "-in", self.file(hashed),
                            "-sigfile", self.file(der), *how, expect=(0, 1))
        return done.status == 0

    def agree(self, key, octets):
        return self.openssl("pkeyutl", "-derive", "-inkey", key, "-peerkey", self.key_of(octets)).raw

    def cmac(self, key, text):
        return bytes.fromhex(self.openssl("mac", "-cipher", "AES-128-CBC", "-macopt", f"hexkey:{key.hex()}",
                                          "-in", self.file(text), "CMAC").out)
