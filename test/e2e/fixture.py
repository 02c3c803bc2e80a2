# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test gets: a folder of its own, a clean environment, programs that end in
time, and simulated modems. What a test says about TLS is in tls.py."""

import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("E2E_BUILD", "build"))
SANITIZED = bool(os.environ.get("E2E_SANITIZE"))
SHARED = os.environ.get("E2E_SHARED", "")  # cards and server certificates, made once a run
PYTHON = "/usr/bin/python3"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

SIMKEY = os.path.join(BUILD, "simkey")
SIMMODEM = os.path.join(BUILD, "simmodem")
MODULE = os.path.join(BUILD, "simkey.so")

KEYS = ("rsa2048", "p256", "p384")
POOL = 3  # new cards of a test whose keys differ

SYSTEMD = None if shutil.which("systemd-analyze", path=PATH) else "systemd is not installed"

# What a preloaded sanitizer library does not let live.
CURL = "curl hangs in setlocale with a preloaded libasan" if SANITIZED else None
VALGRIND = "valgrind does not go together with sanitizers" if SANITIZED else None

# Exit statuses of the commands.
USAGE, UNREACHABLE, ABSENT, REFUSED, TIMEOUT, PIN, VERIFY = 1, 2, 3, 4, 5, 6, 7


class Failure(Exception):
    """An expectation that does not hold."""


class Apdu:
    """One line of simmodem's trace (test/sim/trace.h)."""

    LINE = re.compile(r"(\S+) (\S+) (\S+) (\S+) -> (\S+) ?(.*)")

    def __init__(self, match):
        self.time = float(match[1])
        self.source, self.channel = match[2], match[3]
        self.command, self.answer, self.words = match[4], match[5], match[6]
        self.sw = self.answer[-4:]

    def __str__(self):
        return f"{self.source} {self.command[:24]} -> {self.sw} {self.words}"


class Result:
    """A program that has ended: its status and what it said."""

    def __init__(self, command, status, out, err):
        self.command, self.status = command, status
        self.raw, self.out, self.err = out, out.decode("latin1"), err.decode("latin1")

    def __str__(self):
        return f"{' '.join(self.command)}\n  status {self.status}\n{self.out}{self.err}"


class Process:
    """A program that runs beside the test, its output in a file."""

    def __init__(self, test, name, command, env, stdin=None):
        self.name, self.command = name, command
        self.log = os.path.join(test.dir, f"{name}-{test.number()}.log")
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(command, env=env, stdin=stdin or subprocess.DEVNULL,
                                          stdout=log, stderr=subprocess.STDOUT, cwd=test.dir)

    def said(self):
        with open(self.log, encoding="latin1") as log:
            return log.read()

    def wait_for(self, happened, what, seconds=15):
        end = time.monotonic() + seconds
        while not happened():
            if self.popen.poll() is not None:
                raise Failure(f"{self.name} ended with {self.popen.returncode} before {what}:\n"
                              + self.said()[-2000:])
            if time.monotonic() > end:
                raise Failure(f"{self.name}: not {what} in {seconds} s:\n" + self.said()[-2000:])
            time.sleep(0.01)

    def wait(self, seconds=30):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end in {seconds} s:\n" + self.said()[-2000:])

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Ends it and gives its exit status; kills it if it does not listen."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise Failure(f"{self.name} did not end at the signal:\n" + self.said()[-2000:])


class Talk:
    """A program that is spoken to."""

    def __init__(self, command, env, cwd):
        self.command, self.text = command, ""
        self.popen = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, cwd=cwd,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def say(self, text):
        try:
            self.popen.stdin.write(text.encode())
            self.popen.stdin.flush()
        except BrokenPipeError:
            pass

    def hear(self, wanted, seconds):
        """Reads until the text comes (true), or the end of the output (false)."""
        end = time.monotonic() + seconds
        while wanted is None or wanted not in self.text:
            ready, _, _ = select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.popen.kill()
                self.popen.wait()
                raise Failure(f"{' '.join(self.command)}\n  says nothing more:\n{self.text}")
            got = os.read(self.popen.stdout.fileno(), 65536)
            if not got:
                return False
            self.text += got.decode("latin1")
        return True

    def end(self, seconds=10):
        """Closes its input, hears the rest and gives its exit status."""
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass
        self.hear(None, seconds)
        return self.popen.wait(seconds)


class Sim(Process):
    """A running simmodem with its card."""

    def __init__(self, test, card, switches):
        number = test.number()
        self.test, self.card = test, card
        self.device = os.path.join(test.dir, f"modem-{number}")
        self.trace = os.path.join(test.dir, f"apdu-{number}.trace")
        self.seen = 0
        super().__init__(test, "simmodem",
                         [SIMMODEM, "--link", self.device, "--card", card, "--trace", self.trace,
                          *switches], test.env())
        self.wait_for(lambda: os.path.exists(self.device), "ready")

    def all_apdus(self):
        apdus = []
        if os.path.exists(self.trace):
            with open(self.trace, encoding="latin1") as trace:
                for line in trace:
                    match = Apdu.LINE.match(line)
                    if match:
                        apdus.append(Apdu(match))
        return apdus

    def apdus(self):
        """Those that programs had sent since the last mark()."""
        return [a for a in self.all_apdus()[self.seen:] if a.source != "modem"]

    def mark(self):
        self.seen = len(self.all_apdus())

    def words(self):
        return [a.words for a in self.apdus()]

    def count(self, words):
        return self.words().count(words)

    def tries(self, name="applet"):
        """Tries left, from the card's memory."""
        with open(os.path.join(self.card, "private", "pins"), encoding="ascii") as pins:
            return int(re.search(rf"^{name} = \S+ (\d+) of", pins.read(), re.M)[1])

    def unplug(self):
        """The modem is gone in the middle of it all, and its name with it: the number of its terminal is soon
        another simmodem's."""
        os.unlink(self.device)
        self.popen.kill()
        self.popen.wait()
        self.test.running.remove(self)

    def stop_cleanly(self):
        status = self.stop()
        if status != 0:
            raise Failure(f"simmodem ended with {status}:\n" + self.said()[-2000:])


def pooled(key, number):
    """A card of the pool, which the first test that needs it makes."""
    folder = os.path.join(SHARED, "cards", f"{key}-{number}")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            subprocess.run([SIMMODEM, "--card", folder + ".new", "--new", "--key", key],
                           env={"PATH": PATH}, check=True, timeout=120)
            os.rename(folder + ".new", folder)
    return folder


class Test:
    """The fixture of one test: t."""

    def __init__(self, folder):
        self.dir, self.last, self.cards = folder, 0, 0
        self.running = []
        self.usual = {"SIMKEY_CONF": "/dev/null"}  # in each environment: not the settings of this machine
        self.run_dir = os.path.join(folder, "run")
        os.mkdir(self.run_dir, 0o700)

    def number(self):
        self.last += 1
        return self.last

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    # Environment

    def env(self, sim=None, preload=False, **more):
        """The environment of a program. preload: it will load a module that may be sanitized."""
        env = {"PATH": PATH, "HOME": self.dir, "TMPDIR": self.dir, "LC_ALL": "C.UTF-8",
               "PYTHONDONTWRITEBYTECODE": "1",
               "SIMKEY_RUN_DIR": self.run_dir, "SIMKEY_STATE_DIR": self.path("state"), **self.usual}
        if SANITIZED:
            asan = f"log_path={self.path('asan')}:exitcode=97"
            env["ASAN_OPTIONS"] = asan
            env["UBSAN_OPTIONS"] = f"print_stacktrace=1:halt_on_error=1:log_path={self.path('asan')}"
            if preload:
                env["ASAN_OPTIONS"] += ":detect_leaks=0"
                env["LD_PRELOAD"] = os.environ["E2E_LIBASAN"]
        if sim is not None:
            env["SIMKEY_DEVICE"] = sim.device
            env["SIMKEY_PIN_SOURCE"] = self.pin_file()
        for name, value in more.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def pin_file(self, pin="0000"):
        path = self.path(f"pin-{pin}")
        if not os.path.exists(path):  # programs that run already may be reading it
            self.write(f"pin-{pin}", pin + "\n")
        return path

    # Programs

    def run(self, command, sim=None, expect=0, says=None, env=None, stdin=b"", seconds=60,
            preload=None, **more):
        """Runs a program to its end. expect: its status, a tuple of them, None for any but a
        signal, "failure" for any but 0. says: words that its stderr must hold."""
        if preload is None:
            preload = command[0] not in (SIMKEY, SIMMODEM) and not command[0].startswith(BUILD)
        if env is None:
            env = self.env(sim, preload, **more)
        if isinstance(stdin, str):
            stdin = stdin.encode()
        print("$", " ".join(command), flush=True)
        try:
            done = subprocess.run(command, env=env, input=stdin, capture_output=True, check=False,
                                  cwd=self.dir, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{' '.join(command)}\n  did not end in {seconds} s:\n"
                          f"{(late.stdout or b'').decode('latin1')}"
                          f"{(late.stderr or b'').decode('latin1')}")
        result = Result(command, done.returncode, done.stdout, done.stderr)
        good = (done.returncode >= 0 if expect is None
                else done.returncode > 0 if expect == "failure"
                else done.returncode in expect if isinstance(expect, tuple)
                else done.returncode == expect)
        self.check(good, f"wanted exit status {expect}: {result}")
        if says is not None:
            self.says(result.err, says)
        return result

    def simkey(self, sim, *arguments, **how):
        return self.run([SIMKEY, *arguments], sim, **how)

    def openssl(self, sim, *arguments, providers=("default", "simkey"), **how):
        """The openssl command with our provider."""
        return self.run(["openssl", *with_providers(arguments, providers)], sim, **how)

    def start(self, name, command, env=None, preload=True, **how):
        process = Process(self, name, command, env or self.env(preload=preload), **how)
        self.running.append(process)
        print("&", " ".join(command), flush=True)
        return process

    def sim(self, card="p256", *switches):
        """Starts a simmodem with a copy of a card, or with a card that is there already."""
        if not os.path.isabs(card):
            copy = self.path(f"card-{card}-{self.number()}")
            shutil.copytree(os.path.join(SHARED, "cards", card), copy)
            card = copy
        sim = Sim(self, card, switches)
        self.running.append(sim)
        print("& simmodem", card, *switches, flush=True)
        return sim

    def new_card(self, *switches):
        """A card with its own ICCID, PINs and certificates. Its keys come out of a pool, because making
        them takes a second: the first POOL cards of a test have different ones."""
        folder = self.path(f"card-new-{self.number()}")
        key = switches[switches.index("--key") + 1] if "--key" in switches else "rsa2048"
        keys = pooled(key, self.cards % POOL)
        self.cards += 1
        self.run([SIMMODEM, "--card", folder, "--new", "--keys-of", keys, *switches])
        return folder

    def exported(self, sim, *settings):
        """The certificate and the key reference as PEM files."""
        cert, key = self.path(f"cert-{self.number()}.pem"), self.path(f"key-{self.number()}.pem")
        self.simkey(sim, "cert", "signing", "--out", cert, *settings)
        self.simkey(sim, "key", "signing", "--out", key, *settings)
        sim.mark()
        return cert, key

    # Expectations

    def check(self, good, text):
        if not good:
            raise Failure(text)

    def equal(self, got, wanted, what):
        self.check(got == wanted, f"{what}: wanted {wanted}, got {got}")

    def says(self, text, wanted):
        for words in [wanted] if isinstance(wanted, str) else wanted:
            self.check(re.search(words, text, re.I), f"\"{words}\" is missing in:\n{text}")

    def silent(self, text, unwanted):
        for words in [unwanted] if isinstance(unwanted, str) else unwanted:
            found = re.search(words, text, re.I)
            self.check(not found, f"\"{words}\" must not be in:\n{text}")

    def signatures(self, sim, wanted=1):
        got = sim.count("PSO CDS")
        self.check(got == wanted, f"wanted {wanted} signatures of the card, got {got}:\n"
                   + "\n".join(map(str, sim.apdus())))

    # The end

    def close(self):
        """Stops what runs; gives what went wrong with it."""
        wrong = []
        for process in reversed(self.running):
            try:
                if isinstance(process, Sim):
                    process.stop_cleanly()
                else:
                    process.stop()
            except Failure as failure:
                wrong.append(str(failure))
        for name in sorted(os.listdir(self.dir)):
            if name.startswith("asan."):
                wrong.append(self.read(name).decode("latin1")[:4000])
        return wrong


def with_providers(arguments, providers):
    """Puts the provider options behind the name of the openssl command."""
    options = ["-provider-path", BUILD]
    for name in providers:
        options += ["-provider", name]
    return [arguments[0], *options, *arguments[1:]]


# Tests register themselves; run.py runs them.

TESTS = []
AT_END = []  # functions that run.py calls when all tests are done: reports


def test(function=None, name=None, seconds=120, long=False, light=False, alone=None, left_out=None,
         **arguments):
    """Marks a test. name: its sentence, if the function's name does not say it. seconds: its
    deadline. long: begin with it. light: it mostly waits: in the lanes of the fault matrix. alone:
    why nothing may run beside it. left_out: why it is not run, which run.py says."""

    def register(body):
        TESTS.append({"left_out": left_out, "file": body.__module__.replace("test_", ""), "body": body,
                      "name": name or body.__name__.replace("_", " ").strip(),
                      "seconds": seconds, "long": long, "light": light, "alone": alone,
                      "arguments": arguments})
        return body

    return register(function) if function else register
