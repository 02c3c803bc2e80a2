# SPDX-License-Identifier: Apache-2.0
"""An independent client agrees with simmodem: OpenSC's IDPrime driver, through pcscd's virtual
reader and bridge.py. It shows whether container map, directory, certificates, PIN state, security
environment, signing and chaining are what others expect of this family of applets."""

import ctypes
import fcntl
import os
import re

from fixture import PYTHON, SHARED, Failure, test
from tls import free_port, listens

HERE = os.path.dirname(os.path.abspath(__file__))
READERS = "/etc/reader.conf.d/vpcd"
MODULES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
KEY = ["--id", "0001"]


def own_mounts(t):
    """Puts this process into a mount namespace whose /run/pcscd is its own: another pcscd may be
    running. False if that is not allowed here."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user != 0 else 0)) != 0:
        return False
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"),
                           ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    os.makedirs("/run/pcscd", exist_ok=True)
    for arguments in (["--make-rprivate", "/"], ["-t", "tmpfs", "tmpfs", "/run/pcscd"]):
        if t.run(["mount", *arguments], expect=None, preload=False).status != 0:
            return False
    return True


class Reader:
    """pcscd, its virtual reader and the bridge to a simmodem."""

    def __init__(self, t, sim):
        self.t = t
        if not own_mounts(t):
            t.only = open(os.path.join(SHARED, "pcscd.lock"), "w", encoding="ascii")
            fcntl.flock(t.only, fcntl.LOCK_EX)  # until this process ends
            t.check(not os.path.exists("/run/pcscd/pcscd.comm"),
                    "another pcscd runs here and mount namespaces are not allowed: stop it")
        port = next(p for p in range(free_port(), 65000) if not listens(p) and not listens(p + 1))
        os.mkdir(t.path("readers"))
        with open(READERS, encoding="ascii") as file:
            text = re.sub(r"0x8C7B", f"0x{port:04X}", file.read(), flags=re.I)
        t.write("readers/vpcd", text, 0o644)
        self.pcscd = t.start("pcscd", ["pcscd", "--foreground", "--config", t.path("readers")],
                             preload=False)
        self.pcscd.wait_for(lambda: self.listens(port), "listening")
        self.bridge = t.start("bridge", [PYTHON, os.path.join(HERE, "bridge.py"), sim.device,
                                         str(port)], preload=False)
        self.bridge.wait_for(lambda: "bridge up" in self.bridge.said(), "up")
        self.module = next(path for path in (f"{d}/opensc-pkcs11.so" for d in MODULES)
                           if os.path.exists(path))
        self.wait_for_card()

    @staticmethod
    def listens(port):
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as file:
                if re.search(rf":{port:04X} \w+:0000 0A", file.read()):
                    return True
        return False

    def wait_for_card(self):
        for _ in range(20):
            if self.t.run(["opensc-tool", "--wait", "--atr"], expect=None, preload=False,
                          seconds=20).status == 0:
                return
        raise Failure("no card in the virtual reader: " + self.pcscd.said()[-1000:])

    def pkcs11(self, *arguments, **how):
        return self.t.run(["pkcs11-tool", "--module", self.module, *arguments], preload=False, **how)

    def logged_in(self, *arguments, **how):
        return self.pkcs11("--login", "--pin", "0000", *arguments, **how)


def der(t, sim):
    return t.run(["openssl", "x509", "-in", os.path.join(sim.card, "signing-0.pem"), "-outform",
                  "DER"], preload=False).raw


@test(seconds=180, long=True)
def OpenSC_lists_reads_the_compressed_certificate_signs_and_decrypts(t):
    sim = t.sim("rsa2048", "--cert", "compressed")
    reader = Reader(t, sim)
    t.says(t.run(["opensc-tool", "--name"], preload=False).out, "IDPrime")

    listed = reader.pkcs11("--list-objects").out
    t.says(listed, ["Certificate Object", "Public Key Object", "ID: *0001"])
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
    reader = Reader(t, sim)
    script = t.write("script", "cd aid:A000000018800000000662\nget 0110 cert.der\n"
                     "get 0101 directory\nget 0002 map\nquit\n")
    t.run(["opensc-explorer", "--card-driver", "default", script], preload=False)
    t.equal(t.read("cert.der"), der(t, sim), "the certificate")
    directory, record = t.read("directory"), t.read("map")[:11]
    t.check(b"kxc00" in directory and len(directory) == 1 + 21 * directory[0], "the directory")
    t.check(record[0] != 0 and record[4:8].hex() == "00000800", "the map's first container")
    t.says(reader.bridge.said(), "00a40000020110 -> 61")
