# SPDX-License-Identifier: Apache-2.0
"""What every measurement stands on: a folder with cards and server certificates, simulated modems
whose traffic is counted, and runs of build/handshake (main.c) whose times are read. The fixture is
that of the end-to-end tests."""

import os
import re
import select
import shutil
import statistics
import subprocess
import time

import fixture
import tls
from fixture import Failure

HANDSHAKE = os.path.join(fixture.BUILD, "handshake")
NS = 1_000_000_000
BITS = 10  # of an octet on the line, with start and stop bit
IOTSAFE = "p256, IoT SAFE"
# The cards by their key; how simmodem makes them.
CARDS = {"rsa2048": ("--key", "rsa2048"), "p256": ("--key", "p256"),
         IOTSAFE: ("--key", "p256", "--applet", "iotsafe")}
# The commands that make the card calculate, and the last command of a signature.
SIGN = ("PSO CDS", "COMPUTE SIGNATURE UPDATE")
SIGNED = ("PSO CDS", "COMPUTE SIGNATURE CLOSE")

CONFIGURATION = """openssl_conf = init
[init]
providers = list
[list]
default = one
simkey = two
[one]
activate = 1
[two]
module = {module}
activate = 1
"""


def median(values):
    return statistics.median(values)


def words_of(fields):
    """What a line of the trace calls its APDU."""
    return " ".join(fields[6:])


class Traffic:
    """What went over the line and to the card between two moments."""

    def __init__(self, lines=(), came=0, went=0):
        self.commands = self.apdus = self.signatures = 0
        self.into = self.out = 0
        self.reads = []  # octets read after each SELECT
        for fields in lines:
            if fields[1] == "line":
                self.into, self.out = int(fields[4]) - came, int(fields[6]) - went
            elif fields[1] == "at":
                self.commands += 1
            elif fields[1] != "modem" and "->" in fields:
                self.apdus += 1
                self.signatures += words_of(fields) in SIGN
                self.note_read(fields)

    def note_read(self, fields):
        if "SELECT" in fields[6:]:
            self.reads.append(0)
        elif fields[6:] == ["READ", "BINARY"] and self.reads:
            secret = re.fullmatch(r"\{(\d+)\}....", fields[5])
            self.reads[-1] += int(secret[1]) if secret else len(fields[5]) // 2 - 2

    def line_seconds(self, baud):
        return (self.into + self.out) * BITS / baud if baud else 0.0


class Modem:
    """A simmodem of a speed and a card's time. baud 0: not paced."""

    def __init__(self, bed, card, baud, milliseconds, *switches):
        self.baud, self.milliseconds = baud, milliseconds
        self.run_dir = bed.t.path(f"run-{bed.t.number()}")
        os.mkdir(self.run_dir, 0o700)
        pace = ["--baud", str(baud)] if baud else []
        self.sim = bed.t.sim(card, "--trace-at", "--trace-line", "--sign-ms", str(milliseconds),
                             *pace, *switches)
        self.came = self.went = self.offset = 0

    def lines(self):
        """What the trace says since the last time, once the modem is quiet."""
        time.sleep(0.03)
        with open(self.sim.trace, encoding="latin1") as trace:
            trace.seek(self.offset)
            lines = [line.split() for line in trace]
            self.offset = trace.tell()
        return lines

    def segments(self):
        """The traffic since the last time, cut behind each signature; the last one is the rest."""
        found, part, signed = [], [], False
        for fields in self.lines():
            part.append(fields)
            signed = signed or words_of(fields) in SIGNED
            if signed and fields[1] == "line":
                found.append(self.count(part))
                part, signed = [], False
        return found + [self.count(part)]

    def count(self, lines):
        traffic = Traffic(lines, self.came, self.went)
        self.came += traffic.into
        self.went += traffic.out
        return traffic

    def limit(self, traffic):
        """Seconds that line and card need for it, whatever the program does."""
        return traffic.line_seconds(self.baud) + traffic.signatures * self.milliseconds / 1000

    def environment(self, bed, session="keep", **more):
        return bed.t.env(self.sim, SIMKEY_RUN_DIR=self.run_dir, SIMKEY_SESSION=session,
                         OPENSSL_CONF=bed.configuration, **more)

    def stop(self, bed):
        self.sim.stop_cleanly()
        bed.t.running.remove(self.sim)
        shutil.rmtree(self.run_dir)


class Event:
    """A line of build/handshake: begin and end in ns of CLOCK_MONOTONIC, ns of processor time."""

    def __init__(self, fields):
        self.kind = fields[0]
        self.begin, self.end, self.cpu = map(int, fields[1:4])

    def seconds(self):
        return (self.end - self.begin) / NS


class Run:
    """A run of a program that prints such lines. held: it waits for go()."""

    def __init__(self, bed, arguments, env, held=False, prefix=()):
        self.command = [*prefix, HANDSHAKE, *arguments, *(["--wait"] if held else [])]
        print("$", " ".join(self.command), flush=True)
        self.errors = open(bed.t.path(f"errors-{bed.t.number()}"), "w+b")
        self.started = time.monotonic_ns()
        self.popen = subprocess.Popen(self.command, env=env, cwd=bed.t.dir, stdout=subprocess.PIPE,
                                      stdin=subprocess.PIPE, stderr=self.errors)
        self.text = b""
        bed.runs.append(self)

    def wait_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while b"ready\n" not in self.text:
            ready, _, _ = select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))
            got = os.read(self.popen.stdout.fileno(), 65536) if ready else b""
            if not got:
                self.popen.kill()
                raise Failure(f"{' '.join(self.command)}: not ready: {self.said()}")
            self.text += got

    def go(self):
        self.popen.stdin.write(b"\n")
        self.popen.stdin.flush()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("latin1")

    def finish(self, seconds=300):
        """Waits for its end; its events are there then."""
        try:
            out, _ = self.popen.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise Failure(f"{' '.join(self.command)} did not end in {seconds} s")
        if self.popen.returncode != 0:
            raise Failure(f"{' '.join(self.command)}\n  status {self.popen.returncode}\n"
                          + self.said()[-2000:])
        fields = [line.split() for line in (self.text + out).decode("ascii").splitlines()]
        self.events = [Event(f) for f in fields if len(f) == 4]
        self.numbers = {f[0]: int(f[1]) for f in fields if len(f) in (2, 3)}
        self.errors.close()
        return self

    def of(self, kind):
        return [event for event in self.events if event.kind == kind]

    def since_start(self, event):
        return (event.end - self.started) / NS


class Bed:
    """All that is there for the whole bench."""

    def __init__(self, folder, quick):
        self.quick, self.runs, self.files = quick, [], {}
        os.mkdir(os.path.join(folder, "t"))
        self.t = fixture.Test(os.path.join(folder, "t"))
        tls.make_server_certificates(os.path.join(fixture.SHARED, "pki"),
                                     {"PATH": fixture.PATH, "HOME": folder})
        self.configuration = self.t.write("openssl.cnf", CONFIGURATION.format(module=fixture.MODULE))
        self.cards = {key: self.t.new_card(*made) for key, made in CARDS.items()}
        for key in CARDS:
            self.export(key)
        self.trust = self.t.write("clients.pem", b"".join(
            open(os.path.join(self.cards[key], "ca.pem"), "rb").read() for key in CARDS))
        self.ports = {}
        self.servers = {"p256": (tls.pki("server-p256.pem"), tls.pki("server-p256.key"),
                                 tls.pki("ca.pem")), "ed25519": self.ed25519_server()}

    def export(self, key):
        """Certificate and key reference of a card, as files."""
        sim = self.t.sim(self.cards[key])
        self.files[key] = self.t.exported(sim)
        sim.stop_cleanly()
        self.t.running.remove(sim)
        shutil.rmtree(self.t.run_dir)
        os.mkdir(self.t.run_dir, 0o700)

    def ed25519_server(self):
        """Certificate, key, and whom to trust."""
        cert, key = self.t.path("server-ed25519.pem"), self.t.path("server-ed25519.key")
        self.t.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out",
                    cert, "-days", "3", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], preload=False)
        return cert, key, cert

    def server(self, trust, kind):
        """The port of a server that trusts these certificates."""
        if (trust, kind) not in self.ports:
            cert, key, _ = self.servers[kind]
            process = self.t.start("server", [HANDSHAKE, "serve", "--cert", cert, "--key", key,
                                              "--ca", trust], preload=False)
            process.wait_for(lambda: "port " in process.said(), "listening")
            self.ports[trust, kind] = process.said().split("port ")[1].split()[0]
        return self.ports[trust, kind]

    def connect(self, cert, key, trust=None, *arguments, server="p256"):
        """The arguments of handshakes. trust: what the server trusts; the cards' CAs if None."""
        return ["connect", "--cert", cert, "--key", key, "--ca", self.servers[server][2],
                "--port", self.server(trust or self.trust, server), *arguments]

    def sim_handshakes(self, modem, key, count, session="keep", held=False, **more):
        cert, reference = self.files[key]
        return Run(self, self.connect(cert, reference, None, "--count", str(count)),
                   modem.environment(self, session, **more), held)

    def modem(self, key, baud, milliseconds, *switches):
        return Modem(self, self.cards[key], baud, milliseconds, *switches)

    def close(self):
        for run in self.runs:
            if run.popen.poll() is None:
                run.popen.kill()
                run.popen.wait()
        return self.t.close()
