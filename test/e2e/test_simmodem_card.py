# SPDX-License-Identifier: Apache-2.0
"""simmodem's card as the vendor's client meets it: that client asks SELECT for exactly as many octets of
FCP as real SIMs have, wants 9000, and walks the FCP by that length. Nothing of simkey is in it."""

import os
import ssl

from at_client import Line
from fixture import SIMMODEM, test

MAP, DIRECTORY = "0002", "0101"
MAP_FCP, CERTIFICATE_FCP = 21, 28  # octets, 62 13 … and 62 1A …
MOST = 200  # octets of a READ BINARY


class Client:
    """The vendor's client, on channel 1 (or in a session) where mIAS is selected."""

    def __init__(self, t, *switches, ccho=False):
        self.t, self.line = t, Line(t, switches=switches)
        self.carrier = "AT+CSIM="
        if ccho:
            self.carrier = f"AT+CGLA={self.line.session()[len('+CCHO: '):]},"
        else:
            self.line.mias()

    def exchange(self, apdu):
        """The data of a command that must be answered 9000 at once."""
        got = self.line.apdu("01" + apdu, self.carrier)
        self.t.equal(got[-4:], "9000", f"SW of {apdu}, {got}")
        return bytes.fromhex(got[:-4])

    def size_of(self, fid, length):
        """Selects a file for that many octets of FCP and gives the size that these tell."""
        fcp = self.exchange(f"A4080402{fid}{length:02X}")
        self.t.equal((len(fcp), fcp[0], fcp[1]), (length, 0x62, length - 2), f"FCP of {fid}, {fcp.hex()}")
        at, size = 2, None
        while at < length:
            if fcp[at] == 0x81:
                size = int.from_bytes(fcp[at + 2:at + 2 + fcp[at + 1]], "big")
            at += 2 + fcp[at + 1]
        self.t.equal(at, length, f"where the last tag of {fid} ends, {fcp.hex()}")
        return size

    def read(self, fid, length):
        size, data = self.size_of(fid, length), b""
        while len(data) < size:
            data += self.exchange(f"B0{len(data):04X}{min(MOST, size - len(data)):02X}")
        return data


def certificates(directory):
    """Container, file and size of the directory's certificates."""
    for at in range(1, 1 + 21 * directory[0], 21):
        entry = directory[at:at + 21]
        if entry[12:16] == b"mscp" and entry[4:7] in (b"kxc", b"ksc"):
            yield int(entry[7:9]), entry[0:2].hex().upper(), int.from_bytes(entry[2:4], "big")


def reads_the_card(t, ccho):
    client = Client(t, ccho=ccho)
    used = [record for record, first in enumerate(client.read(MAP, MAP_FCP)[::11]) if first]
    found = list(certificates(client.read(DIRECTORY, MAP_FCP)))
    t.equal([container for container, *_ in found], used, "containers with a certificate")
    for container, fid, size in found:
        der = client.read(fid, CERTIFICATE_FCP)
        t.equal(len(der), size, "size in the directory and in the FCP")
        with open(os.path.join(client.line.sim.card, f"signing-{container}.pem"), encoding="ascii") as pem:
            t.equal(der, ssl.PEM_cert_to_DER_cert(pem.read()), f"certificate {container}")


for by in (False, True):
    test(name=f"the vendor's client reads the card by AT+{'CGLA' if by else 'CSIM'}", ccho=by)(reads_the_card)


@test
def with_t_0_the_lengths_come_by_61xx(t):
    line = Line(t, switches=("--t0",))
    line.mias()
    for fid, length in ((MAP, MAP_FCP), (DIRECTORY, MAP_FCP), ("0110", CERTIFICATE_FCP)):
        line.card(f"01A4080402{fid}{length:02X}", f"61{length:02X}")
        fcp = line.apdu(f"01C00000{length:02X}")
        t.equal((len(fcp), fcp[:4], fcp[-4:]), (2 * length + 4, f"62{length - 2:02X}", "9000"), "the FCP")


@test
def keys_of_another_card(t):
    def public(card, name):
        return t.run(["openssl", "x509", "-in", os.path.join(card, name), "-noout", "-pubkey"], preload=False).out

    first = t.new_card("--key", "p256")
    second = t.path("second")
    t.run([SIMMODEM, "--card", second, "--new", "--key", "p256", "--keys-of", first])
    for name in ("ca.pem", "available.pem", "signing-0.pem", "signing-6.pem"):
        t.equal(public(second, name), public(first, name), f"the key of {name}")
        with open(os.path.join(first, name), "rb") as one, open(os.path.join(second, name), "rb") as other:
            t.check(one.read() != other.read(), f"{name} is the other card's")
    sim = t.sim(second)
    t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "-out", t.path("sig"), "/dev/null")
    t.run([SIMMODEM, "--card", t.path("third"), "--new", "--key", "p384", "--keys-of", first], expect=1,
          says=r"signing-0\.key is not there or not a key of the type.*--key")
    t.run([SIMMODEM, "--card", t.path("fourth"), "--new", "--keys-of", t.path("nowhere")], expect=1,
          says=r"nowhere/private/ca\.key is not there")
