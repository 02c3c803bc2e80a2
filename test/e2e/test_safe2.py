# SPDX-License-Identifier: Apache-2.0
"""SAFE2 from end to end: enrolment, the simulated SIM's own TLS through stunnel, haproxy and nginx,
and what the device makes of it. What goes wrong on the way is in test_safe2_trouble.py."""

import fcntl
import os
import pty
import re
import select
import stat
import termios
import threading
import time

from fixture import BUILD, PYTHON, REFUSED, SIMKEY, UNREACHABLE, USAGE, test
from safe2_server import Safe2Server
from tls import handshake

SAFE2 = os.path.join(BUILD, "safe2")
IMEI, PACKED_IMEI = "356938035643809", "356938035643809f"
FAST = ["--interval", "0.1", "--registration", "0"]
CONFIG = b'{"configuration":{"version":"2020-10-13","config":[{"action":"iot:Alarm","effect":"On"}]}}'


def every_byte(size, first=0):
    return bytes((first + i) % 256 for i in range(size))


class Job:
    """One line of simmodem's trace about a job (test/sim/trace.h)."""

    LINE = re.compile(r"safe2 job (get|send) (\S+) identity (\S+) (\S+) (\S+) http (\d+) (\d+) bytes "
                      r"state (\S+) result (\S+) tries (\d+) \((.*)\)")

    def __init__(self, match):
        (self.kind, self.server, self.identity, self.exchange, self.suite, self.status, self.size,
         self.state, self.result, self.tries, self.reason) = match.groups()


class Site:
    """An enrolled SIM in its modem, and its server."""

    def __init__(self, t, *switches, server=None, iccid=None, raw=False, enrolled=True):
        self.t = t
        self.server = server or Safe2Server(t)
        self.card = t.new_card("--key", "p256", *(["--iccid", iccid] if iccid else []))
        self.iccid = re.search(r"^iccid = (\d+)", self.read_card("card"), re.M)[1]
        self.key = re.search(r"^key = (\S+)", self.read_card("private/safe2"), re.M)[1].lower()
        if enrolled:
            self.server.add(self.iccid, self.key, raw=raw)
        self.sim = self.modem(*switches, *(["--safe2-identity", "raw"] if raw else []))

    def modem(self, *switches):
        return self.t.sim(self.card, "--imei", IMEI, "--trace-at", "--safe2-host", self.server.host,
                          "--safe2-port", str(self.server.port), *switches)

    def read_card(self, name):
        return self.t.read(os.path.join(self.card, name)).decode("ascii")

    def set_card_key(self, key):
        """What an update over the air does."""
        text = re.sub(r"(?m)^key = .*", f"key = {key}", self.read_card("private/safe2"))
        self.t.write(os.path.join(self.card, "private", "safe2.new"), text)
        os.rename(os.path.join(self.card, "private", "safe2.new"),
                  os.path.join(self.card, "private", "safe2"))

    def put(self, body, **how):
        self.server.put(body, self.iccid, **how)

    def jobs(self):
        with open(self.sim.trace, encoding="latin1") as trace:
            return [Job(match) for match in map(Job.LINE.search, trace) if match]

    def safe2(self, *arguments, **how):
        return self.t.run([SAFE2, *arguments], self.sim, **how)

    def get(self, *arguments, **how):
        return self.safe2("get", *FAST, *arguments, **how)

    def send(self, *arguments, **how):
        return self.safe2("send", *FAST, *arguments, **how)

    def start(self, *arguments, **more):
        """safe2 beside the test, until it polls."""
        before = self.polls()
        process = self.t.start("safe2", [SAFE2, *arguments[:1], *FAST, *arguments[1:]],
                               self.t.env(self.sim, **more))
        process.wait_for(lambda: self.polls() > before, "polling")
        return process

    def polls(self):
        return sum(a.command[2:6] == "CC02" for a in self.sim.all_apdus())

    def open_channels(self):
        """Those that are open now, by the trace."""
        numbers = set()
        for apdu in self.sim.all_apdus():
            if apdu.words == "MANAGE CHANNEL OPEN" and apdu.sw == "9000":
                numbers.add(int(apdu.command[6:8], 16) or int(apdu.answer[:2], 16))
            elif apdu.words == "MANAGE CHANNEL CLOSE" and apdu.sw == "9000":
                numbers.discard(int(apdu.command[6:8], 16) or apdu.channel)
        return numbers

    def none_open(self):
        self.t.equal(self.open_channels(), set(), "open channels")
        self.t.check(any(a.words == "MANAGE CHANNEL OPEN" for a in self.sim.all_apdus()),
                     "no channel was ever opened")


# What is enrolled arrives

def sizes(t, carrier):
    site = Site(t)
    asked = []
    for number, device in enumerate(("a0", "0123456789abcdef0123", "0f" * 16)):
        for size in (1, 100, 250):
            body = every_byte(size, {0: 0, 1: 10, 2: 200}[number])
            site.put(body)
            result = site.get("--device-id", device.upper(), "--transport", carrier)
            t.equal((result.raw, result.err), (body, ""), "configuration")
            asked.append(("GET", f"/v1/config/{device}?iccid={swapped(site.iccid)}", 200))
    t.equal([(m, u.lower(), s) for m, u, s in site.server.requests()], asked, "requests")
    t.equal({(j.exchange, j.identity, j.tries) for j in site.jobs()},
            {("psk_ke", "digits:" + site.iccid, "1")}, "handshakes")
    t.equal(set(site.server.identities(1)), {site.iccid.encode()}, "identities")
    site.none_open()


def swapped(iccid):
    digits = iccid.ljust(20, "f")
    return "".join(digits[i + 1] + digits[i] for i in range(0, 20, 2))


for name in ("csim", "ccho"):
    test(name=f"ids of 1, 10, 16 and bodies of 1, 100, 250 bytes arrive, {name}", carrier=name)(sizes)


@test
def the_default_id_is_the_imei(t):
    site = Site(t)
    site.put(CONFIG)
    t.equal(site.get().raw, CONFIG, "configuration")
    t.equal(site.server.requests()[0][1].split("?")[0].lower(), "/v1/config/" + PACKED_IMEI, "path")


@test
def the_identity_can_be_raw_and_either_suite_will_do(t):
    for iccid, raw in (("89882281111111111119", True), ("8988228111111111112", True),
                       (None, False)):
        site = Site(t, "--safe2-query", "digits", iccid=iccid, raw=raw)
        site.put(CONFIG)
        t.equal(site.get().raw, CONFIG, "configuration")
        conf = t.read(site.server.etc("stunnel.conf")).decode()
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256"):
            site.server.stop_proxy()
            t.write(site.server.etc("stunnel.conf"),
                    re.sub("(?m)^ciphersuites = .*", "ciphersuites = " + suite, conf), 0o644)
            site.server.start_proxy()
            t.equal(site.get().raw, CONFIG, "configuration")
            job = site.jobs()[-1]
            t.equal((job.exchange, job.suite), ("psk_ke", suite), "handshake")
        wanted = bytes.fromhex(swapped(iccid)) if raw else site.iccid.encode()
        seen = bytes(b if b >= 32 else ord(".") for b in wanted)  # as stunnel writes it
        t.equal(set(site.server.identities(1)), {seen}, "identities")
        t.says(site.server.requests()[0][1], f"iccid={site.iccid}$")


# Applying

def applier(t):
    """A command for --exec that copies what it gets, and fails while there is a file `fail`."""
    script = t.write("apply", 'set -e; cat "$1" >>applied; echo >>applied; echo said; '
                              'if [ -e fail ]; then exit 3; fi\n')
    return f"sh {script}"


@test
def the_command_runs_when_the_content_changed_and_again_when_it_failed(t):
    site = Site(t)
    token, out = site.server.token(), t.path("a config's \"name\"")
    run = lambda **how: site.get("--out", out, "--exec", applier(t), **how)
    applied = lambda: t.read("applied").decode().split()
    site.put(b"1")
    result = run()
    t.equal((result.out, applied()), ("", ["1"]), "output, and what was applied")
    t.says(result.err, "^said$")
    run()
    t.equal(applied(), ["1"], "unchanged")
    site.put(b"2")
    run()
    run()
    t.equal(applied(), ["1", "2"], "changed here")
    t.equal(site.server.put_by_token(b"3", token, site.iccid), 204, "PUT")
    run()
    run()
    t.equal((applied(), t.read(out)), (["1", "2", "3"], b"3"), "changed by token")
    t.write("fail", "")
    site.put(b"4")
    run(expect=REFUSED, says="status 3.*tries again")
    t.equal((applied(), t.read(out)), (["1", "2", "3", "4"], b"4"), "failed")
    run(expect=REFUSED)
    os.unlink(t.path("fail"))
    run()
    run()
    t.equal(applied(), ["1", "2", "3", "4", "4", "4"], "tried again until it worked")
    site.get("--out", out, "--exec", "/nonexistent/command")
    os.unlink(out)
    site.get("--out", out, "--exec", "/nonexistent/command", expect=REFUSED, says="127")
    run()
    t.equal(applied()[6:], ["4"], "the file was gone")
    site.none_open()


@test
def a_parent_that_ignores_its_children_does_not_hide_how_the_command_ended(t):
    site = Site(t)
    site.put(b"1")
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); " \
               "os.execv(sys.argv[1], sys.argv[1:])"
    get = [PYTHON, "-c", ignoring, SAFE2, "get", *FAST, "--out", t.path("config"), "--exec"]
    t.run([*get, "sh -c 'exit 3'"], site.sim, expect=REFUSED, says="status 3.*tries again", preload=False)
    t.run([*get, "true"], site.sim, preload=False)
    t.check(not os.path.exists(t.path("config.unapplied")), "the marker is left")


@test
def the_file_is_replaced_as_a_whole_and_keeps_its_mode(t):
    site = Site(t)
    folder = t.path("etc")
    os.mkdir(folder)
    out = os.path.join(folder, "config")
    site.put(CONFIG)
    site.get("--out", out)
    t.equal((t.read(out), stat.S_IMODE(os.stat(out).st_mode)), (CONFIG, 0o600), "new file")
    os.chmod(out, 0o644)
    site.put(b"other")
    with open(out, "rb") as old:
        site.get("--out", out)
        t.equal(old.read(), CONFIG, "what a reader of the old one reads")
    t.equal((t.read(out), stat.S_IMODE(os.stat(out).st_mode)), (b"other", 0o644), "old file")
    t.equal(os.listdir(folder), ["config"], "files")
    site.get("--out", t.path("no/such/folder"), expect=(USAGE, REFUSED), says="no/such/folder")


@test
def the_channel_is_closed_before_the_command_runs(t):
    # It may want the SIM itself: a TLS client with the key in it, say, on a card with one channel.
    site = Site(t, "--channels", "1")
    site.put(CONFIG)
    script = t.write("apply", f"exec {SIMKEY} cert signing --out {t.path('cert')}\n")
    site.get("--out", t.path("config"), "--exec", f"sh {script}", "--timeout", "20")
    t.says(t.read("cert").decode(), "BEGIN CERTIFICATE")
    site.none_open()


# Telemetry

@test
def telemetry_arrives_byte_by_byte(t):
    site = Site(t)
    sent = []
    for number, body in enumerate((b"x", every_byte(255), every_byte(255, 77), b"\0\r\n\r\n", CONFIG)):
        place = t.write("telemetry", body) if number % 2 == 0 else "-"
        result = site.send("--device-id", f"a{number}", place, stdin=b"" if number % 2 == 0 else body)
        t.equal((result.out, result.err), ("", ""), "what it said")
        sent.append((f"a{number}", body))
    t.equal(site.server.telemetry(site.iccid), sent, "telemetry")
    t.equal({j.exchange for j in site.jobs()}, {"psk_ke"}, "handshakes")
    for body in (b"", every_byte(256), every_byte(5000)):
        site.send(t.write("telemetry", body), expect=USAGE, says="1 to 255 bytes")
        site.send("-", stdin=body, expect=USAGE, says="1 to 255 bytes")
    site.send(t.path("absent"), expect=USAGE, says="absent")
    t.equal(len(site.server.telemetry(site.iccid)), len(sent), "telemetry")
    t.says(site.safe2("status").out, ["receive: state 0000 ", "send: state 0003 result 0000 .done"])
    site.none_open()


@test
def an_old_applet_gives_its_data_and_does_not_tell_about_sending(t):
    site = Site(t, "--safe2-profile", "old")
    for size in (1, 250):
        site.put(every_byte(size))
        t.equal(site.get().raw, every_byte(size), "configuration")
    result = site.send("-", stdin=b"hello", says="sent, result unknown")
    t.equal(result.out, "", "output")
    end = time.monotonic() + 5
    while not site.server.telemetry(site.iccid) and time.monotonic() < end:
        time.sleep(0.05)
    t.equal(site.server.telemetry(site.iccid), [(PACKED_IMEI, b"hello")], "telemetry")
    t.says(site.safe2("status").out, ["receive: state 0007 ", "send: unknown"])
    t.check(any(a.command[2:8] == "A40400" for a in site.sim.all_apdus()), "not by P2 00")
    site.none_open()


# The modem's network

class Between(threading.Thread):
    """A pty before the modem's: what the modem says of its registration goes through change()."""

    def __init__(self, t, sim, change):
        super().__init__(daemon=True)
        self.master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[0] = attributes[1] = attributes[3] = 0
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.slave, self.change, self.asked, self.ended = slave, change, 0, False
        self.modem = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
        self.device = t.path("between")
        os.symlink(os.ttyname(slave), self.device)
        for fd in (self.master, self.modem):
            fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
        self.start()

    def run(self):
        held = b""
        while not self.ended:
            ready, _, _ = select.select([self.master, self.modem], [], [], 0.05)
            if self.master in ready:
                os.write(self.modem, os.read(self.master, 4096))
            if self.modem in ready:
                held += os.read(self.modem, 4096)
                while b"\n" in held:
                    line, _, held = held.partition(b"\n")
                    if b"REG: " in line:
                        self.asked += 1
                        line = self.change(line.rstrip(b"\r"), self.asked) + b"\r"
                    os.write(self.master, line + b"\n")

    def end(self):
        self.ended = True
        self.join()
        for fd in (self.master, self.slave, self.modem):
            os.close(fd)


@test
def without_a_network_it_waits_for_a_bounded_time(t):
    site = Site(t)
    site.put(CONFIG)
    for change, arguments, status in (
            (lambda line, n: line[:-1] + b"2", ["--registration", "3"], 5),
            (lambda line, n: line[:-1] + b"2", ["--timeout", "3"], 5),
            (lambda line, n: line[:-1] + b"2", ["--timeout", "1", "--registration", "3"], 5),
            (lambda line, n: line[:-1] + b"3", ["--registration", "0"], 0),
            (lambda line, n: line[:-1] + b"9", ["--timeout", "8"], 0),
            (lambda line, n: line[:-1] + (b"2" if n <= 3 else b"1"),
             ["--timeout", "4", "--registration", "20"], 0),
            (lambda line, n: line[:-1] + b"5", ["--registration", "60"], 0),
            (lambda line, n: line[:-1] + (b"2" if n <= 2 else b"1"), [], 0)):
        between = Between(t, site.sim, change)
        since = time.monotonic()
        result = t.run([SAFE2, "get", "--interval", "0.1", *arguments, "--device", between.device],
                       env=t.env(), expect=status, says="network" if status else None)
        took, asked = time.monotonic() - since, between.asked
        between.end()
        os.unlink(between.device)
        if status:
            t.check(2.5 < took < 9, f"{took} s")
            t.equal(site.open_channels(), set(), "open channels")
        else:
            t.equal(result.raw, CONFIG, "configuration")
            t.check(took < 12, f"{took} s")
        t.equal(asked > 0, arguments[-1:] != ["0"], "asked for the network")
    site.none_open()


# Meanwhile

def others_use_the_sim(t, carrier):
    """The server is away until ten handshakes with the key in the SIM are done."""
    site = Site(t, "--safe2-tries", "1000", "--safe2-retry-ms", "100")
    site.put(CONFIG)
    site.server.stop_proxy()
    polling = site.start("get", "--timeout", "100", "--transport", carrier)
    for number in range(10):
        handshake(t, site.sim, signatures=None,
                  env=t.env(site.sim, True, SIMKEY_TRANSPORT=carrier))
        if number == 4:
            lose_channel(site)
    t.equal(polling.popen.poll(), None, "the poll's end")
    t.equal(site.sim.count("PSO CDS"), 10, "signatures")
    before = site.polls()
    polling.wait_for(lambda: site.polls() > before, "polling")
    site.server.start_proxy()
    t.equal(polling.wait(20), 0, "status: " + polling.said())
    t.equal(polling.said(), CONFIG.decode(), "configuration")
    t.equal(len(site.jobs()), 1, "jobs")
    site.none_open()


def lose_channel(site):
    """Closes the channel of the polls."""
    channels = site.open_channels()
    site.t.equal(len(channels), 1, "channels of the poll")
    site.t.run([SIMKEY, "apdu", f"007080{channels.pop():02X}"], site.sim)


for name in ("csim", "ccho"):
    test(name=f"ten TLS handshakes succeed while it polls, and it survives a channel's loss, {name}",
         carrier=name, long=True)(others_use_the_sim)


@test
def a_channel_that_became_somebody_elses_is_not_closed(t):
    site = Site(t, "--safe2-ms", "3000")
    site.put(CONFIG)
    polling = site.start("get")
    number = site.open_channels().pop()
    t.run([SIMKEY, "apdu", f"007080{number:02X}", f"007000{number:02X}"], site.sim)
    t.equal(site.open_channels() >= {number}, True, "the other's channel")
    t.equal(polling.wait(20), 0, "status: " + polling.said())
    t.equal(polling.said(), CONFIG.decode(), "configuration")
    t.equal(site.open_channels(), {number}, "open channels")


@test
def a_key_is_rotated_and_the_device_notices_a_retry(t):
    site = Site(t)
    site.put(CONFIG)
    t.equal(site.get().raw, CONFIG, "configuration")
    other = Site(t, server=site.server)
    other.put(b"other")
    key = os.urandom(16).hex()
    site.set_card_key(key)
    getting = t.start("safe2", [SAFE2, "get", *FAST, "--retries", "50", "--retry-delay", "0.2",
                                "--out", t.path("config")], t.env(site.sim))
    getting.wait_for(lambda: "trying again" in getting.said(), "trying again")
    site.server.rotate(site.iccid, key)
    t.equal(getting.wait(20), 0, "status: " + getting.said())
    t.equal(t.read("config"), CONFIG, "configuration")
    t.equal(site.get().raw, CONFIG, "configuration")
    t.equal(other.get().raw, b"other", "configuration of the other")
    t.check({j.result for j in site.jobs()} == {"0000", "0004"}, "results")
    site.none_open()


@test
def the_key_is_nowhere_to_be_seen(t):
    site = Site(t, "--safe2-ms", "300")
    site.put(b"PRIVATE MATTER")
    said = ""
    for level in ("at", "apdu"):
        for carrier in ("csim", "ccho"):
            for arguments in (["get", *FAST], ["send", *FAST, "-"], ["status"]):
                result = t.run([SAFE2, *arguments], site.sim, stdin=b"hello", SIMKEY_TRANSPORT=carrier,
                               SIMKEY_TRACE=f"{level},file:{t.path('our.trace')}")
                said += result.err + ("" if arguments[0] == "get" else result.out)
    polling = site.start("get", "--trace", "at")
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", encoding="latin1") as line:
                    said += line.read() + "\n"
            except OSError:
                pass
    t.says(said, "safe2\0get")
    t.equal(polling.wait(), 0, "status")
    ours = t.read("our.trace").decode("latin1")
    t.says(ours, "CA0100")
    t.silent(ours + said, ["PRIVATE MATTER", b"PRIVATE MATTER".hex()])
    sims = t.read(site.sim.trace).decode("latin1")
    t.says(sims, "safe2 job get")
    said += "".join(process.said() for process in t.running)
    said += "".join(site.server.log(log) for log in ("stunnel", "access", "nginx", "writers"))
    for form in (site.key, bytes.fromhex(site.key).decode("latin1"), site.key[:16], site.key[16:]):
        for text in (ours, said, sims):
            t.check(form.lower() not in text.lower(), f"the key is in {text[:60]}...")
    t.equal(os.stat(t.path("our.trace")).st_mode & 0o077, 0, "the trace's mode for others")


@test
def progress_is_shown_on_a_terminal_only(t):
    site = Site(t, "--safe2-ms", "1500")
    site.put(CONFIG)
    t.equal(site.get().err, "", "what it says into a pipe")
    master, slave = pty.openpty()
    process = t.start("sh", ["sh", "-c", f'exec "$@" 2>{os.ttyname(slave)}', "sh", SAFE2, "get", *FAST],
                      t.env(site.sim))
    seen, end = b"", time.monotonic() + 15
    while process.popen.poll() is None and time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 4096)
    os.close(slave)
    os.close(master)
    t.equal(process.said(), CONFIG.decode(), "configuration")
    t.says(seen.decode(), "the SIM is working, 1 s")


@test
def wrong_words_are_usage_errors(t):
    for arguments in ([], ["fetch"], ["get", "x"], ["send"], ["send", "a", "b"], ["status", "x"],
                      ["get", "--nonsense"], ["get", "--timeout"], ["get", "--timeout", "x"],
                      ["get", "--timeout", "0"], ["get", "--timeout", "nan"], ["get", "--timeout", "1e9"],
                      ["get", "--interval", "-1"], ["get", "--interval", "1x"],
                      ["get", "--retries", "-1"], ["get", "--retries", "1001"], ["get", "--retries", ""],
                      ["get", "--device-id", ""], ["get", "--device-id", "abc"],
                      ["get", "--device-id", "xy"], ["get", "--device-id", "00" * 17],
                      ["get", "--exec", "true"], ["get", "--transport", "smoke"], ["get"],
                      ["get", "--baud", "fast"], ["status"], ["send", "/dev/null"]):
        result = t.run([SAFE2, *arguments], env=t.env(), expect=USAGE, says="^safe2: .")
        t.equal((result.out, result.err.count("\n")), ("", 1), "output")
    for arguments in (["get"], ["send", t.write("hello", "hello")], ["status"]):
        t.run([SAFE2, *arguments, "--device", "/dev/nonexistent"], env=t.env(), expect=UNREACHABLE,
              says="/dev/nonexistent")
    sim = t.sim(t.new_card())  # no job is begun whose configuration cannot be written
    for out, says in (("/nonexistent/config", "No such file"), (t.dir, "Is a directory")):
        t.run([SAFE2, "get", "--out", out], env=t.env(sim), expect=USAGE, says=says)
    t.equal(sim.apdus(), [], "APDUs")
    t.says(t.run([SAFE2, "--help"], env=t.env()).out, ["--device-id", "--retry-delay", "IMEI"])
    t.says(t.run([SAFE2, "--version"], env=t.env()).out, r"safe2 \d")
