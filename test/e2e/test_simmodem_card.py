# SPDX-License-Identifier: Apache-2.0
"""simmodem's card as the vendor's client meets it: that client asks SELECT for exactly as many octets of
FCP as real SIMs have, wants 9000, and walks the FCP by that length. Nothing of simkey is in it."""

import os
import re
import ssl

from at_client import FINAL, Line, lines_of
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


# What other programs ask a modem and its card for

USIM = "A0000000871002"


def bcd(text):
    return "".join(text[i + 1] + text[i] for i in range(0, len(text), 2))


@test
def the_usim_has_an_imsi_and_rules_for_its_files(t):
    line = Line(t)
    with open(os.path.join(line.sim.card, "card"), encoding="ascii") as file:
        iccid = re.search(r"^iccid = (\w+)", file.read(), re.M)[1]
    imsi = "00101" + iccid[-10:]
    line.channel()
    line.sw(f"01A4040407{USIM}00", "9000")
    line.sw("01A40004026F0700", "9000")
    line.card("01B0000009", f"08{bcd('9' + imsi)}9000")
    line.card("81F2000112", f"8410{USIM}FF33FFFF89010101009000")
    for fid, record in (("6F07", 1), ("2FE2", 1)):
        fcp = line.apdu(f"01A4000402{fid}00")
        rules = re.search("8B06(..06)0006(?:..)(..)", fcp)
        t.check(rules, f"no rules in {fcp}")
        t.equal(int(rules[2], 16), record, f"rule of {fid}")
    line.sw("01A40004023F0000", "9000")
    line.sw("01A40004022F0600", "9000")
    t.check(line.apdu("01B201041C").startswith("800101"), "no rule in EF.ARR")
    line.sw("01A40004022F0000", "9000")
    t.check("4F10A0000000871002" in line.apdu("01B2020426"), "no USIM in EF.DIR")
    line.wants("AT+CIMI", [imsi, "OK"])
    line.wants("AT+CRSM=176,28423,0,0,9", [f'+CRSM: 144,0,"08{bcd("9" + imsi)}"', "OK"])
    line.wants("AT+CRSM=176,12258,0,0,10", [f'+CRSM: 144,0,"{bcd(iccid.ljust(20, "F"))}"', "OK"])


@test
def test_commands_are_answered(t):
    line = Line(t)
    for name in ("+CSIM", "+CCHO", "+CGLA", "+CCHC", "+CRSM", "+CIMI"):
        line.wants(f"AT{name}=?", ["OK"])
    line = Line(t, switches=("--no-csim", "--no-ccho"))
    for name in ("+CSIM", "+CCHO", "+CGLA"):
        line.wants(f"AT{name}=?", ["+CME ERROR: 4"])


@test
def the_network_is_told_in_the_forms_of_27_007(t):
    line = Line(t)
    line.wants("AT+CREG?", ["+CREG: 0,1", "OK"])
    line.wants("AT+CREG=2", ["OK"])
    line.wants("AT+CREG?", ['+CREG: 2,1,"0001","0000C001",7', "OK"])
    line.wants("AT+CEREG=4", ["OK"])
    line.wants("AT+CREG=9", ["+CME ERROR: 50"])
    line.wants("AT+CREG=?", ["+CREG: (0-3)", "OK"])
    line.wants("AT+COPS?", ['+COPS: 0,0,"simkey",7', "OK"])
    line.wants('AT+CLCK="SC",2', ["+CLCK: 1", "OK"])
    line.wants("AT+CLCK=?", ['+CLCK: ("SC")', "OK"])
    line.wants('AT+CLCK="SC",1,"1234"', ["+CME ERROR: 3"])
    line.wants("AT+CSCS?", ['+CSCS: "IRA"', "OK"])
    line.wants('AT+CSCS="UCS2"', ["OK"])
    line.wants("AT+CSCS?", ['+CSCS: "UCS2"', "OK"])
    line.wants('AT+CSCS="8859-1"', ["+CME ERROR: 50"])


@test
def the_last_line_is_repeated(t):
    line = Line(t)
    line.wants("AT+CREG?", ["+CREG: 0,1", "OK"])
    for word in (b"A/", b"a/"):
        os.write(line.fd, word)
        t.equal(lines_of(line.hear(2, FINAL)), ["+CREG: 0,1", "OK"], "again")
    line.wants("AT", ["OK"])


@test
def functionality_has_power_and_network_with_it(t):
    line = Line(t)
    line.channel()
    line.wants("AT+CREG=1", ["OK"])
    line.wants("AT+CFUN=?", ["+CFUN: (0,1,4),(0,1)", "OK"])
    line.say("AT+CFUN=4")
    line.hears(["OK", "+CREG: 0"], 0, 1)
    line.wants("AT+CFUN?", ["+CFUN: 4", "OK"])
    line.wants("AT+CREG?", ["+CREG: 1,0", "OK"])
    line.wants("AT+COPS?", ["+COPS: 0", "OK"])
    line.sw("01A4000C022FE2", "9000")  # the card keeps its power
    line.say("AT+CFUN=0")
    line.hears(["OK", "+CPIN: NOT READY"], 0, 1)
    line.wants("AT+CPIN?", ["+CME ERROR: 13"])
    line.wants("AT+CREG?", ["+CREG: 1,0", "OK"])
    line.say("AT+CFUN=1")
    line.hears(["OK", "+CPIN: READY", "+CREG: 1"], 0, 1)
    line.ready()
    line.sw("01A4000C022FE2", "6881")
    line.wants("AT+CFUN=7", ["+CME ERROR: 50"])


@test
def a_restart_is_silent_and_then_told(t):
    line = Line(t)
    line.channel()
    line.wants("AT+CREG=2", ["OK"])
    line.wants("AT+CFUN=1,1", ["OK"])
    line.say("AT")
    line.hears(["RDY", "+CFUN: 1", "+CPIN: READY"], 0.7, 3)
    t.equal(line.ask("AT+CREG?")[-2:], ["+CREG: 0,1", "OK"], "settings are gone, echo is on")
    line.wants("ATE0", ["ATE0", "OK"])
    line.sw("01A4000C022FE2", "6881")
