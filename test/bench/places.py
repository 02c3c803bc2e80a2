# SPDX-License-Identifier: Apache-2.0
"""The same handshakes with the client's key in other places: in a file, in a softhsm2 token behind
OpenSSL's pkcs11 engine, in a software TPM behind tpm2-openssl, in the simulated SIM. What is not
installed, or does not work here, is told in its own words.

The server's key is Ed25519 here: tpm2-openssl takes every signature of a kind that a TPM knows to the
TPM, that of the server too, and fails then, because a TPM without a resource manager has three places
for objects."""

import glob
import os
import shutil
import time

import fixture
import tls
from bed import Failure, Run, median

SECONDS = 2

TPM_CONFIGURATION = """openssl_conf = init
[init]
providers = list
alg_section = algorithms
[algorithms]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes
[list]
default = one
tpm2 = two
[one]
activate = 1
[two]
activate = 1
"""

ENGINE_CONFIGURATION = """openssl_conf = init
[init]
engines = list
[list]
pkcs11 = one
[one]
engine_id = pkcs11
MODULE_PATH = {module}
PIN = 1234
init = 1
"""

GENERATED = {"rsa2048": ["-algorithm", "RSA", "-pkeyopt", "bits:2048"],
             "p256": ["-algorithm", "EC", "-pkeyopt", "group:P-256"]}


class Missing(Exception):
    """A package is not installed; its name."""


class File:
    """A key in a plain file."""

    name = "file"

    def __init__(self, bed):
        self.env, self.extra = bed.t.env(), []

    def key(self, bed, kind):
        """The key's name, and its certificate."""
        file = bed.t.path(f"{self.name}-{kind}.key")
        bed.t.run(["openssl", "genpkey", *GENERATED[kind], "-out", file], preload=False)
        return file, certificate(bed, file, self.name + kind, bed.t.env())

    def close(self):
        pass


class SoftHsm(File):
    """A token of softhsm2; libp11's engine."""

    name = "softhsm2"

    def __init__(self, bed):
        modules = glob.glob("/usr/lib/softhsm/libsofthsm2.so") + \
            glob.glob("/usr/lib/*/softhsm/libsofthsm2.so")
        if not modules or not shutil.which("softhsm2-util", path=fixture.PATH):
            raise Missing("softhsm2")
        if not glob.glob("/usr/lib/*/engines-*/pkcs11.so"):
            raise Missing("libengine-pkcs11-openssl")
        tokens = bed.t.path("tokens")
        os.mkdir(tokens, 0o700)
        config = bed.t.write("softhsm2.conf", f"directories.tokendir = {tokens}\n"
                             "objectstore.backend = file\nlog.level = ERROR\n")
        self.env = bed.t.env(SOFTHSM2_CONF=config, OPENSSL_CONF=bed.t.write(
            "engine.cnf", ENGINE_CONFIGURATION.format(module=modules[0])))
        self.extra = ["--engine", "pkcs11"]
        self.util = ["softhsm2-util", "--pin", "1234"]
        bed.t.run([*self.util, "--init-token", "--free", "--label", "bench", "--so-pin", "5678"],
                  env=self.env)

    def key(self, bed, kind):
        """Made in a file, because the certificate comes easier that way, and imported."""
        file, cert = super().key(bed, kind)
        bed.t.run([*self.util, "--import", file, "--token", "bench", "--label", kind, "--id",
                   "01" if kind == "rsa2048" else "02"], env=self.env)
        return f"pkcs11:token=bench;object={kind};type=private", cert


class Tpm(File):
    """swtpm on a socket; keys made by tpm2-openssl."""

    name = "tpm2"

    def __init__(self, bed):
        if not shutil.which("swtpm", path=fixture.PATH):
            raise Missing("swtpm")
        if not glob.glob("/usr/lib/*/ossl-modules/tpm2.so"):
            raise Missing("tpm2-openssl")
        if not glob.glob("/usr/lib/*/libtss2-tcti-swtpm.so*"):
            raise Missing("libtss2-tcti-swtpm0")
        state, self.extra = bed.t.path("tpm"), []
        os.mkdir(state, 0o700)
        port = tls.free_port()
        self.process = bed.t.start("swtpm", [
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
            "--server", f"type=tcp,port={port},bindaddr=127.0.0.1,disconnect",
            "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1",
            "--flags", "not-need-init,startup-clear"], preload=False)
        self.process.wait_for(lambda: tls.listens(port), "listening")
        self.env = bed.t.env(TPM2OPENSSL_TCTI=f"swtpm:host=127.0.0.1,port={port}",
                             TSS2_LOG="all+none",
                             OPENSSL_CONF=bed.t.write("tpm2.cnf", TPM_CONFIGURATION))

    def key(self, bed, kind):
        file = bed.t.path(f"tpm2-{kind}.key")
        bed.t.run(["openssl", "genpkey", *GENERATED[kind], "-out", file], env=self.env)
        return file, certificate(bed, file, "tpm2" + kind, self.env)

    def close(self):
        self.process.stop()


def certificate(bed, key, name, env):
    """A certificate of the key for itself, which the server is told to trust."""
    cert = bed.t.path(f"{name}.pem")
    bed.t.run(["openssl", "req", "-x509", "-new", "-key", key, "-subj", f"/CN={name}", "-days", "3",
               "-out", cert], env=env)
    return cert


def measure(bed, place, kind, cert, key, trust):
    """One row: handshakes of one process for a while, and some cold ones."""
    cold = []

    def run(*more):
        arguments = bed.connect(cert, key, trust, *place.extra, *more, server="ed25519")
        return Run(bed, arguments, place.env).finish(60)

    for _ in range(1 if bed.quick else 5):
        first = run()
        cold.append(first.since_start(first.of("handshake")[0]))
    return result(place.name, kind, run("--seconds", str(SECONDS)), cold)


def result(name, kind, done, cold):
    shakes = done.of("handshake")
    span = (shakes[-1].end - shakes[0].begin) / 1e9
    return {"place": name, "key": kind, "per_second": len(shakes) / span, "handshakes": len(shakes),
            "handshake_ms": 1000 * median([s.seconds() for s in shakes]),
            "cpu_ms": median([s.cpu for s in shakes]) / 1e6, "cold_ms": 1000 * median(cold),
            "peak_kb": done.numbers["end"], "why_not": ""}


def not_here(name, kind, why):
    return {"place": name, "key": kind, "why_not": why}


def others(bed, tell):
    rows = []
    for make in (File, SoftHsm, Tpm):
        try:
            place = make(bed)
        except Missing as package:
            rows += [not_here(make.name, kind, f"{package} is not installed") for kind in GENERATED]
            continue
        except Failure as failure:
            rows += [not_here(make.name, kind, last_line(failure)) for kind in GENERATED]
            continue
        for kind in GENERATED:
            try:
                key, cert = place.key(bed, kind)
                rows.append(measure(bed, place, kind, cert, key, cert))
            except Failure as failure:
                print(failure)
                rows.append(not_here(place.name, kind, last_line(failure)))
            tell(f"handshakes with a {kind} key in: {place.name}")
        place.close()
    return rows


def last_line(failure):
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no word"


class Sim(File):
    """Ours."""

    def __init__(self, bed, modem, name):
        self.name, self.extra = name, []
        self.env = modem.environment(bed)


def ours(bed, tell):
    rows = []
    for baud, milliseconds, name in ((0, 0, "SIM, no line, no card time"),
                                     (115200, 500, "SIM, 115200 baud, 500 ms")):
        for kind in GENERATED:
            modem = bed.modem(kind, baud, milliseconds)
            cert, reference = bed.files[kind]
            rows.append(measure(bed, Sim(bed, modem, name), kind, cert, reference, None))
            modem.stop(bed)
            time.sleep(0.1)
            tell(f"handshakes with a {kind} key in: {name}")
    return rows


def compared(bed, tell):
    return others(bed, tell) + ours(bed, tell)
