# SPDX-License-Identifier: Apache-2.0
"""The cells of the fault matrix: one job by a modem that misbehaves, and what is wrong with its
end. Which faults and which ends is in faults.py; tests and report are in test_faults.py."""

import fcntl
import json
import os
import re
import select
import shutil
import subprocess
import termios
import time

import fixture
from fixture import BUILD, SANITIZED, SHARED, SIMKEY, Apdu, Failure, Talk
from tls import HELLO, OLLEH, Server, client_command

JOBS = ("tls", "typea", "safe2")
EVERY_JOB = (*JOBS, "iotsafe")  # a handshake with a key of the other applet: faults_iotsafe.py
# Cards with that applet, by the card whose keys they have.
IOTSAFE = {"p256": "iotsafe-p256", "rsa2048": "iotsafe-rsa2048"}
SAFE2 = os.path.join(BUILD, "safe2")
PLACE = os.path.join(SHARED, "faults")  # what the cells share: exported files, how a job goes
IMEI, PACKED_IMEI = "356938035643809", "356938035643809F"
CONFIG = bytes((7 + 11 * i) % 256 for i in range(200))
TIMEOUT = 30  # seconds a job has, unless its row says otherwise
SLACK = 8 if SANITIZED else 2.5  # seconds for starting, ending and a busy machine
CPU_SHARE, CPU_WALL = 0.02, 3  # of the wall time, of runs that last so many seconds
CHANNELS = 3  # supplementary ones of the card

# SIM commands by what follows the CLA, and the names that faults.py aims with.
MOMENTS = (("7000", "OPEN"), ("7080", "CLOSE"), ("A404", "SELECT"), ("A4", "FILE"), ("B0", "READ"),
           ("20", "VERIFY"), ("22", "MSE"), ("2A90", "HASH"), ("2A9E", "SIGN"), ("2A00", "INIT"), ("2B", "UPDATE"),
           ("2A01", "END"), ("CB", "INFO"), ("DA02C0", "ID"),
           ("CA00", "START"), ("CC", "POLL"), ("CA01", "FETCH"), ("C0", "RESPONSE"))
EVENTS = ("OPEN", "CLOSE", "ICCID")
OTHERS = {"CRSM": "ICCID", "CCHO": "OPEN", "CCHC": "CLOSE", "CPIN": "CPIN"}
LINE = re.compile(r"\S+ (?:at - AT[+#%]|control - )(?:(CRSM|CCHO|CCHC|CPIN|\w*CCID|OPEN|CLOSE)|"
                  r"(?:CSIM=|CGLA=[^,]*,|APDU) *(\d+)[, ]\"?(\w*))")
CONTROL = ("qmi", "mbim")  # carriers that are no words of SIMKEY_TRANSPORT


def moments(sim):
    """What the SIM commands were for, in their order; VERIFY without data is STATE."""
    found = []
    with open(sim.trace, encoding="latin1") as trace:
        for match in map(LINE.match, trace):
            if match and match[1]:
                found.append(OTHERS.get(match[1], match[1] if match[1] in EVENTS else "CCID"))
            elif match:
                head = match[3][2:].upper()
                name = next((name for start, name in MOMENTS if head.startswith(start)), "?")
                found.append("STATE" if name == "VERIFY" and int(match[2]) <= 10 else name)
    return found


class Ran:
    """How a job ended. wrong: what must never happen."""

    def __init__(self, good, status, text, seconds, cpu, wrong=None):
        self.good, self.status, self.text, self.wrong = good, status, text, wrong
        self.seconds, self.cpu = seconds, cpu

    def sentence(self):
        """What simkey says, without what OpenSSL puts around it."""
        found = re.search(r"(?:simkey|safe2): ?(.*)", self.text)
        return re.sub(r":[\w/.]+\.c:\d+:", " ", found[1]).strip() if found else ""


def reap(popen, seconds):
    """Waits without using time. Gives status, CPU seconds; kills what is late."""
    pid = os.pidfd_open(popen.pid)
    poll = select.poll()
    poll.register(pid, select.POLLIN)
    late = not poll.poll(max(0, seconds) * 1000)
    os.close(pid)
    if late:
        popen.kill()
    _, status, used = os.wait4(popen.pid, 0)
    popen.returncode = os.waitstatus_to_exitcode(status)
    if late:
        raise Failure(f"{' '.join(popen.args)}\n  did not end in {seconds:.0f} s")
    return popen.returncode, used.ru_utime + used.ru_stime


class Cell:
    """A modem with a copy of the shared card, and one job. job: of EVERY_JOB. faults: NAME[:ARG]…,
    with numbers, not moments. carrier: SIMKEY_TRANSPORT."""

    def __init__(self, t, job, faults=(), carrier="auto", switches=(), card="p256", timeout=TIMEOUT,
                 interval=0.5):
        self.t, self.job, self.card, self.carrier = t, job, card, carrier
        self.timeout, self.interval, self.server = timeout, interval, None
        if job == "safe2":
            self.serve()
        if carrier in CONTROL:
            switches = [*switches, "--protocol", carrier]
        for fault in faults:
            switches = [*switches, "--fault", fault]
        self.switches = f"simmodem {' '.join(switches)}, {carrier}, timeout {timeout}"
        self.sim = t.sim(card, "--trace-at", "--imei", IMEI, "--safe2-host", "127.0.0.1",
                         "--safe2-port", str(self.server or 1), *switches)
        if carrier in CONTROL:
            self.sim.device = f"{carrier}:{self.sim.device},direct"

    def limit(self):
        """Seconds after which the job hangs."""
        return self.timeout + SLACK + 10

    def serve(self):
        """A server that has a configuration for the SIM: openssl s_server answers with a file."""
        folder = os.path.join(SHARED, "cards", self.card)
        with open(os.path.join(folder, "card"), encoding="ascii") as file:
            iccid = re.search(r"^iccid = (\d+)", file.read(), re.M)[1]
        with open(os.path.join(folder, "private", "safe2"), encoding="ascii") as file:
            key = re.search(r"^key = (\S+)", file.read(), re.M)[1]
        digits = iccid.ljust(20, "F")
        swapped = "".join(digits[i + 1] + digits[i] for i in range(0, 20, 2))
        os.makedirs(self.t.path("v1/config"), exist_ok=True)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONFIG)}\r\n\r\n".encode()
        self.t.write(f"v1/config/{PACKED_IMEI}?iccid={swapped}", head + CONFIG)
        # Without a group in common there is no Diffie-Hellman, which the applet does not do.
        server = self.t.start("s_server", [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-HTTP", "-tls1_3", "-nocert",
            "-psk_identity", iccid, "-psk", key, "-allow_no_dhe_kex", "-groups", "P-256",
            "-ciphersuites", "TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256"], preload=False)
        server.wait_for(lambda: re.search(r"ACCEPT 127\.0\.0\.1:\d+", server.said()), "listening")
        self.server = int(re.search(r"ACCEPT 127\.0\.0\.1:(\d+)", server.said())[1])

    def run(self):
        """Does the job."""
        return getattr(self, self.job)()

    def env(self, preload):
        transport = "auto" if self.carrier in CONTROL else self.carrier
        return self.t.env(self.sim, preload, SIMKEY_TRANSPORT=transport,
                          SIMKEY_TIMEOUT=str(self.timeout))

    def tls(self):
        """A handshake with the key reference, judged by the server."""
        server = Server(self.t, os.path.join(self.sim.card, "ca.pem"))
        command = client_command(server.port, shared(f"{self.card}-cert.pem"),
                                 shared(f"{self.card}-key.pem"), ["-tls1_3"])
        print("$", " ".join(command), flush=True)
        began = time.monotonic()
        client = Talk(command, self.env(True), self.t.dir)
        client.say(HELLO)
        answered = client.hear(OLLEH, self.limit())
        if answered:
            client.say("Q\n")
        try:
            client.popen.stdin.close()
        except BrokenPipeError:
            pass
        client.hear(None, self.limit())
        client.popen.stdout.close()
        status, cpu = reap(client.popen, self.limit())
        seconds = time.monotonic() - began
        said = server.said()
        server.process.stop()
        verified = "Verification: OK" in said and "Verify return code: 0" in client.text
        wrong = None
        if answered and not verified:
            wrong = f"an answer without a client that was verified:\n{said}"
        elif re.search("decrypt error|bad signature|verify error", said + client.text, re.I):
            wrong = f"a wrong signature reached the server:\n{said}"
        return Ran(answered and verified and status == 0, status, client.text, seconds, cpu, wrong)

    iotsafe = tls  # by another card's files

    def command(self, arguments):
        """Runs one of our commands. Gives what it wrote to stdout too."""
        print("$", " ".join(arguments), flush=True)
        out, err = self.t.path("out"), self.t.path("err")
        began = time.monotonic()
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            popen = subprocess.Popen(arguments, env=self.env(False), cwd=self.t.dir, stdout=stdout,
                                     stderr=stderr, stdin=subprocess.DEVNULL)
        status, cpu = reap(popen, self.limit())
        seconds = time.monotonic() - began
        return self.t.read("out"), Ran(status == 0, status, self.t.read("err").decode("latin1"),
                                       seconds, cpu)

    def typea(self):
        """The private key of Type A in a file."""
        key = self.t.path("available.key")
        _, ran = self.command([SIMKEY, "key", "available", "--out", key])
        got = self.t.read("available.key") if os.path.exists(key) else None
        if got is not None and got != wanted_key(self.card):
            ran.wrong = f"a key of {len(got)} bytes that is not the SIM's"
        elif (got is not None) != ran.good:
            ran.wrong = f"status {ran.status} and {'a' if got else 'no'} key"
        if got is not None:
            os.unlink(key)
        return ran

    def safe2(self):
        """The configuration from the server, through the SIM."""
        got, ran = self.command([SAFE2, "get", "--interval", str(self.interval), "--registration",
                                 "0", "--timeout", str(self.timeout)])
        if got not in (b"", CONFIG):
            ran.wrong = f"a configuration of {len(got)} bytes that is not the server's"
        elif bool(got) != ran.good:
            ran.wrong = f"status {ran.status} and {len(got)} bytes"
        return ran

    # What is left behind

    def apdus(self):
        return len([a for a in self.sim.all_apdus() if a.source != "modem"])

    def open_by_trace(self):
        """Channels that are open now, if only commands closed any."""
        numbers = set()
        for apdu in self.sim.all_apdus() if self.carrier not in CONTROL else self.since_reset():
            if apdu.words == "MANAGE CHANNEL OPEN" and apdu.sw == "9000":
                numbers.add(int(apdu.command[6:8], 16) or int(apdu.answer[:2], 16))
            elif apdu.words == "MANAGE CHANNEL CLOSE" and apdu.sw == "9000":
                numbers.discard(int(apdu.command[6:8], 16) or int(apdu.channel))
        return numbers

    def sessions_by_trace(self):
        """How many signing sessions of IoT SAFE are open now, if only commands closed any; and the most that
        were so at once."""
        sessions, most = set(), 0
        for apdu in self.sim.all_apdus() if self.carrier not in CONTROL else self.since_reset():
            if apdu.sw[:2] not in ("90", "91"):
                continue
            if apdu.words == "COMPUTE SIGNATURE INIT":
                sessions.add(apdu.channel)
                most = max(most, len(sessions))
            elif apdu.words in ("COMPUTE SIGNATURE CLOSE", "SELECT AID"):
                sessions.discard(apdu.channel)
            elif apdu.words == "MANAGE CHANNEL CLOSE":
                sessions.discard(str(int(apdu.command[6:8], 16) or int(apdu.channel)))
        return len(sessions), most

    def since_reset(self):
        """The APDUs since the card was reset, which a control device's trace tells."""
        with open(self.sim.trace, encoding="latin1") as trace:
            text = trace.read().rpartition("control - RESET\n")[2]
        return [Apdu(match) for match in map(Apdu.LINE.match, text.splitlines()) if match]

    def open_by_asking(self):
        """How many channels are not free, by opening all that are. The modem may still be mute or
        away for a while."""
        if self.carrier in CONTROL:
            self.t.check(self.comes_back(), "the modem does not come back")
            return len(self.open_by_trace())
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                with Dialogue(self.sim.device) as dialogue:
                    if dialogue.wakes():
                        free = 0
                        while dialogue.opens():
                            free += 1
                        return CHANNELS - free
            except OSError:
                pass
            time.sleep(0.2)
        raise Failure("the modem does not come back")

    def comes_back(self):
        """True if a control device answers: by a program that asks it for its names."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if os.path.exists(self.sim.device.partition(":")[2].partition(",")[0]):
                return True
            time.sleep(0.2)
        return False

    def recorded(self):
        """How many channels the run-dir knows of: claims, and what stands in the session record."""
        known = set()
        for name in os.listdir(self.t.run_dir):
            claim = re.search(r"\.channel-(\d+)$", name)
            if claim:
                known.add(claim[1])
            elif name.endswith(".session"):
                with open(os.path.join(self.t.run_dir, name), encoding="latin1") as record:
                    text = record.read()
                for number, word in re.findall(r"^channel 1 \d \d (\d+) (\S+)", text, re.M):
                    known.add(number if number != "0" else word)
                # one whose number the modem still owes
                if re.search(r"^line \d \d \d \d+ 1 ", text, re.M):
                    known.add("opening")
        return len(known)

    def blind_verify(self, busy=False):
        """True if a VERIFY went out without asking for the tries left before it, or a third one
        did. busy: the modem may refuse some before the card has seen them, and others that the card has
        accepted are sent again on a new channel: those do not count."""
        asked, sent = False, 0
        for moment in self.verifies_seen() if busy else moments(self.sim):
            if moment in ("VERIFY", "ACCEPTED"):
                sent += moment == "VERIFY"
                if not asked or sent > 2:
                    return True
                asked = False
            elif moment in ("OPEN", "STATE"):
                asked = moment == "STATE"
        return False

    def verifies_seen(self):
        """Those that the card has seen."""
        return ["STATE" if "{" not in apdu.command else "ACCEPTED" if apdu.sw == "9000" else "VERIFY"
                for apdu in self.sim.all_apdus() if apdu.words == "VERIFY"]


class Dialogue:
    """A few words with the modem, by somebody else than simkey."""

    def __init__(self, device):
        self.port = os.open(device, os.O_RDWR | os.O_NOCTTY)
        attributes = termios.tcgetattr(self.port)
        attributes[0] = attributes[1] = attributes[3] = 0
        termios.tcsetattr(self.port, termios.TCSANOW, attributes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.port)

    def ask(self, line, seconds):
        """What comes until a final result, or None."""
        heard, end = b"", time.monotonic() + seconds
        os.write(self.port, line.encode() + b"\r")
        while not re.search(rb"^(OK|ERROR|\+CME ERROR.*)\r", heard, re.M):
            ready, _, _ = select.select([self.port], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            got = os.read(self.port, 4096)
            if not got:
                return None
            heard += got
        return heard.decode("latin1")

    def wakes(self):
        self.ask("AT", 0.5)  # what is left from before goes with it
        while self.port in select.select([self.port], [], [], 0.2)[0]:
            if not os.read(self.port, 4096):
                return False
        return "READY" in (self.ask("AT+CPIN?", 2) or "") and self.ask("ATE0", 2) is not None

    def opens(self):
        heard = self.ask('AT+CSIM=10,"0070000001"', 3)
        if heard is None:
            raise OSError("no answer")
        return re.search(r'\+CSIM: *6, *"?0[1-9]9', heard) is not None


# What the cells share

def shared(name):
    return os.path.join(PLACE, name)


def wanted_key(card):
    with open(shared(f"{card}-available.key"), "rb") as file:
        return file.read()


class Lock:
    """One thread of one process at a time prepares what is shared under that name."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        os.makedirs(PLACE, exist_ok=True)
        self.file = os.open(shared(self.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        os.close(self.file)


def make_iotsafe(t, card):
    """The card with IoT SAFE beside those that run.py makes."""
    folder, key = os.path.join(SHARED, "cards", card), card.removeprefix("iotsafe-")
    if not os.path.exists(folder):
        t.run([fixture.SIMMODEM, "--card", folder, "--new", "--applet", "iotsafe", "--key", "p256", "--keys-of",
               os.path.join(SHARED, "cards", "p256"), "--iotsafe-key", key], preload=False)


def export(t, card):
    """What the jobs need of the card: certificate, key reference; and the Type A key as it must
    come out."""
    with Lock(card):
        if os.path.exists(shared(f"{card}-key.pem")):
            return
        if card in IOTSAFE.values():
            make_iotsafe(t, card)
        sim = t.sim(card)
        cert, key = t.exported(sim)
        if card not in IOTSAFE.values():
            export_typea(t, card, sim)
        sim.stop_cleanly()
        shutil.copy(cert, shared(f"{card}-cert.pem"))
        shutil.copy(key, shared(f"{card}-key.pem"))


def export_typea(t, card, sim):
    out = t.path("exported.key")
    t.simkey(sim, "key", "available", "--out", out)
    texts = [t.run(["openssl", "pkey", "-in", path], preload=False).out
             for path in (out, os.path.join(sim.card, "private", "available.key"))]
    t.equal(*texts, "the Type A key")
    shutil.copy(out, shared(f"{card}-available.key"))


def smooth(t, job, carrier, switches, card):
    """How the job goes without a fault: its moments, its CPU time. Done once a run."""
    name = re.sub(r"[^\w-]", "_", "-".join(["smooth", job, carrier, card, *switches])) + ".json"
    with Lock(name):
        if not os.path.exists(shared(name)):
            inner = fixture.Test(made(t.path(name)))
            try:
                export(inner, card)
                cell = Cell(inner, job, (), carrier, switches, card)
                ran = cell.run()
                t.check(ran.good and not ran.wrong,
                        f"{job} without a fault: {ran.wrong}\n{ran.text}")
                t.equal(cell.open_by_trace(), set(), f"open channels after {job}")
                t.equal(cell.open_by_asking(), 0, f"open channels after {job}, asked")
                with open(shared(name), "w", encoding="ascii") as file:
                    json.dump({"moments": moments(cell.sim), "cpu": ran.cpu}, file)
            finally:
                inner.close()
                shutil.rmtree(inner.dir)
    with open(shared(name), encoding="ascii") as file:
        return json.load(file)


def made(folder):
    os.makedirs(folder)
    return folder


def number_of(course, aim):
    """The number of the SIM command that NAME or NAME#k aims at."""
    name, _, which = aim.partition("#")
    numbers = [i + 1 for i, moment in enumerate(course) if moment == name]
    if len(numbers) < int(which or 1):
        raise Failure(f"no {aim} in {course}")
    return numbers[int(which or 1) - 1]
