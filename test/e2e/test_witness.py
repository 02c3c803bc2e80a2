# SPDX-License-Identifier: Apache-2.0
"""An independent client agrees with simmodem: OpenSC's IDPrime driver, through pcscd's virtual
reader and bridge.py. It shows whether container map, directory, certificates, PIN state, security
environment, signing and chaining are what others expect of this family of applets."""

import glob
import os

from fixture import test
from reader import Reader

MODULES = ("/usr/lib/*/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so")
KEY = ["--id", "0001"]


class Witness(Reader):
    """A reader with a card that OpenSC uses."""

    def pkcs11(self, *arguments, **how):
        module = next(path for pattern in MODULES for path in glob.glob(pattern))
        return self.t.run(["pkcs11-tool", "--module", module, *arguments], preload=False, **how)

    def logged_in(self, *arguments, **how):
        return self.pkcs11("--login", "--pin", "0000", *arguments, **how)


def der(t, sim):
    return t.run(["openssl", "x509", "-in", os.path.join(sim.card, "signing-0.pem"), "-outform",
                  "DER"], preload=False).raw


@test(seconds=180, long=True)
def OpenSC_lists_reads_the_compressed_certificate_signs_and_decrypts(t):
    sim = t.sim("rsa2048", "--cert", "compressed")
    reader = Witness(t, sim)
    t.says(t.run(["opensc-tool", "--name"], preload=False).out, "IDPrime")

    listed = reader.pkcs11("--list-objects").out
    t.says(listed, ["Certificate Object", "Public Key Object", r"ID: *(0001|1 \(0x00:01\))"])
    reader.pkcs11("--read-object", "--type", "cert", *KEY, "--output-file", t.path("cert.der"))
    t.equal(t.read("cert.der"), der(t, sim), "the certificate")
    t.write("pub.pem", t.run(["openssl", "x509", "-in", os.path.join(sim.card, "signing-0.pem"),
                              "-noout", "-pubkey"], preload=False).raw)

    text = t.write("text", b"what is signed " * 100)
    pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    for mechanism, more, options in (("SHA256-RSA-PKCS", [], []),
                                     ("SHA256-RSA-PKCS-PSS", ["--salt-len", "32"], pss)):
        reader.logged_in("--sign", *KEY, "-m", mechanism, *more, "-i", text, "-o", t.path("sig"))
        t.run(["openssl", "dgst", "-sha256", *options, "-verify", t.path("pub.pem"), "-signature",
               t.path("sig"), text], preload=False)
    secret = t.write("secret", b"what is enciphered")
    t.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", t.path("pub.pem"), "-in", secret,
           "-out", t.path("cryptogram")], preload=False)
    reader.logged_in("--decrypt", *KEY, "-m", "RSA-PKCS", "-i", t.path("cryptogram"), "-o",
                     t.path("back"))
    t.equal(t.read("back"), t.read("secret"), "what was deciphered")
    t.equal((sim.tries(), sim.tries("pin1")), (3, 3), "tries")

    reader.pkcs11("--login", "--pin", "9999", "--sign", *KEY, "-m", "SHA256-RSA-PKCS", "-i", text,
                  "-o", t.path("sig2"), expect="failure", says="PIN_INCORRECT")
    t.equal(sim.tries(), 2, "tries after OpenSC sent a wrong PIN")


@test(seconds=180, long=True)
def OpenSC_reads_the_plain_certificate_and_the_index(t):
    """By its ISO 7816-4 driver: the IDPrime driver of Debian 12 (0.23.0-0.3+deb12u2) takes the size
    of a certificate's file only from the head of a compressed one and reads no plain ones."""
    sim = t.sim("rsa2048", "--cert", "plain")
    reader = Witness(t, sim)
    script = t.write("script", "cd aid:A000000018800000000662\nget 0110 cert.der\n"
                     "get 0101 directory\nget 0002 map\nquit\n")
    t.run(["opensc-explorer", "--card-driver", "default", script], preload=False)
    t.equal(t.read("cert.der"), der(t, sim), "the certificate")
    directory, record = t.read("directory"), t.read("map")[:11]
    t.check(b"kxc00" in directory and len(directory) == 1 + 21 * directory[0], "the directory")
    t.check(record[0] != 0 and record[4:8].hex() == "00000800", "the map's first container")
    t.says(reader.bridge.said(), "00a40000020110 -> 61")
