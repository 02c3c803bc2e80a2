#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests on a real tty stack: run.py [PATTERN], or `make test-usb`

A small Linux guest runs in QEMU (software emulation), with a USB serial adapter that is wired to a
simmodem of this machine. In the guest simkey, openssl with the provider, and a long-lived program
(again.c) talk to /dev/ttyUSB0; here the cable is pulled out and put back by
QEMU's monitor, at moments that simmodem's trace names.

Everything is in build/usb/: Debian's packages, fetched once (image.py); the guest's root; and run/
with what was said: console.log of the guest's kernel, simmodem's traces. One line a test; closes on
`N passed, N failed`. USB_SEED=n repeats the moments that are picked at random."""

import os
import random
import re
import shutil
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
sys.dont_write_bytecode = True
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

import fixture
import guest as machine
import image
import tls
from fixture import TESTS, Failure, test

AT_ONCE = 4  # seconds that a program may go on without its modem, on a slow machine
SIGN_MS = 2000  # a signature in the middle of which the cable is pulled out
LONG_MS = 12000
SIMKEY = "/opt/simkey/build/simkey"
GONE = r"simkey:.*the modem at /dev/ttyUSB\d+ is gone: check its cable and power"
ABSENT = r"cannot open the modem's port .*: No such file or directory: check the cable"
SERVER = ("openssl s_server -accept 127.0.0.1:4433 -www -cert /etc/server/server-p256.pem "
          "-key /etc/server/server-p256.key -Verify 1 -verify_return_error "
          "-CAfile /etc/server/{card}.pem")
CLIENT = (r"printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -quiet -connect 127.0.0.1:4433 "
          "-CAfile /etc/server/ca.pem -verify_return_error -verify_hostname localhost "
          "-cert {key} -key {key}")
SIGN = "openssl dgst -sha256 -sign sim:signing -out /tmp/signature /etc/passwd"


class Bench:
    """What a test gets: the guest, and modems to put behind its adapter."""

    def __init__(self, t, guest):
        self.t, self.guest, self.modem = t, guest, None

    def card(self, key):
        return self.t.path(f"card-{key}")

    def connect(self, *switches, key="p256"):
        """Puts a new modem with the card of that key behind the adapter, and plugs it in."""
        self.disconnect()
        if self.modem is not None:
            self.guest.let_go()
            self.t.running.remove(self.modem)
            self.modem.stop_cleanly()
        self.modem = machine.Modem(self.t, self.card(key), switches)
        self.t.running.append(self.modem)
        self.guest.take(self.modem)
        self.plug()
        return self.modem

    def plug(self):
        self.guest.plug()
        self.guest.wait_for_port()

    def disconnect(self):
        if self.guest.plugged:
            self.guest.unplug()
        self.guest.wait_for_port(False)

    def cut(self, words="PSO CDS", later=0.5, seconds=SIGN_MS / 1000, digits=0, before=None):
        """Pulls the cable out some time after the SIM got such a command, with an answer of so many
        digits, and makes sure that the answer was still under way. before: what is done first. Gives
        the time."""
        end = time.monotonic() + 60
        while not (seen := [apdu for apdu in self.modem.apdus()
                            if apdu.words == words and len(apdu.answer) >= digits]):
            if time.monotonic() > end:
                raise Failure(f"no {words} in 60 s:\n" + "\n".join(map(str, self.modem.apdus())))
            time.sleep(0.02)
        time.sleep(max(0, seen[0].time + later - time.monotonic()))
        if before is not None:
            before()
        when = self.guest.unplug()
        if when - seen[0].time >= seconds:
            raise Failure(f"pulled out {when - seen[0].time:.1f} s after {words}: too late")
        return when

    def gone_at_once(self, name, since, says=GONE):
        """A program ends soon after the modem went, and says so."""
        status, said, when = self.guest.ended(name, 60)
        print(f"        {name}: status {status}, {when - since:.1f} s after the cable was pulled out")
        self.t.says(said, says)
        self.t.check(status != 0 and when - since < AT_ONCE,
                     f"{name}: status {status}, {when - since:.1f} s after: {said}")

    def serve(self, key="p256"):
        """A server of the guest that wants a certificate of the card's CA."""
        self.guest.run("killall openssl; rm -f /tmp/server.log", who="root", expect=None)
        self.guest.start("server", SERVER.format(card=key), OPENSSL_CONF="/dev/null")
        self.guest.until("grep -q ^ACCEPT /tmp/server.log", "the server is ready", 30)

    def handshake(self, version="-tls1_3", key="sim:signing"):
        """A mutual handshake, and a page in which the server says whom it has met."""
        before = self.modem.count("PSO CDS")
        _, said = self.guest.run(f"{CLIENT.format(key=key)} {version}")
        self.t.says(said, [f"New, TLSv{version[4:].replace('_', '.')}, Cipher is",
                           "Client certificate\n(.*\n)*.*Subject:.*signing 0"])
        self.t.equal(self.modem.count("PSO CDS") - before, 1, "signatures of the SIM")

    def recover(self):
        """After a test that failed: nothing of it is left in the guest."""
        self.guest.run("killall openssl simkey again", who="root", expect=None)


@test
def udev_names_the_port_and_applies_our_rule(b):
    b.connect()
    _, said = b.guest.run(f"readlink -f {image.BY_ID}; udevadm info -q property /dev/ttyUSB0; "
                          "stat -c '%G %a' /dev/ttyUSB0; readlink -f /dev/simkey0; "
                          "readlink /sys/class/tty/ttyUSB0/device/driver")
    b.t.says(said, ["^/dev/ttyUSB0", "ID_VENDOR_ID=0403", "ID_MODEL_ID=6001",
                    "ID_USB_INTERFACE_NUM=00", "ID_MM_PORT_IGNORE=1", "dialout 660",
                    r"dialout 660\n/dev/ttyUSB0", "/ftdi_sio"])


@test
def simkey_reads_the_sim_by_each_name_of_the_port(b):
    b.connect()
    with open(os.path.join(b.modem.card, "card"), encoding="ascii") as file:
        iccid = re.search(r"^iccid = (\d+)", file.read(), re.M)[1]
    for device in (image.BY_ID, "/dev/ttyUSB0", "/dev/simkey0"):
        _, said = b.guest.run(f"{SIMKEY} info", SIMKEY_DEVICE=device)
        b.t.says(said, iccid)
        _, said = b.guest.run(f"{SIMKEY} cert signing", SIMKEY_DEVICE=device)
        b.t.write("cert.pem", said)
        b.t.run(["openssl", "verify", "-CAfile", os.path.join(b.modem.card, "ca.pem"),
                 b.t.path("cert.pem")], preload=False)


@test
def who_is_not_in_the_group_dialout_is_told(b):
    b.connect()
    _, said = b.guest.run(f"{SIMKEY} info", expect=fixture.UNREACHABLE, who="stranger")
    b.t.says(said, "no permission to open .*: join the device's group .often dialout")


@test
def the_line_is_set_up(b):
    """On one descriptor: libserialport, which would open it once more, only says that it is a port."""
    b.connect("--sign-ms", "4000")
    b.guest.start("signer", SIGN)
    b.guest.until("test \"$(ls -l /proc/$(pidof openssl)/fd | grep -c /dev/ttyUSB0)\" = 1",
                  "a descriptor of /dev/ttyUSB0", 30)
    _, said = b.guest.run("stty -F /dev/ttyUSB0 -a")
    b.t.says(said, ["speed 115200", "cs8 -hupcl -cstopb cread clocal", "-crtscts", "-ixon"])
    b.t.equal(b.guest.ended("signer", 60)[0], 0, "status of the signer")


def handshakes(b, key):
    b.connect(key=key)
    b.serve(key)
    b.handshake("-tls1_3")
    b.handshake("-tls1_2")
    b.guest.run(f"{SIMKEY} cert signing --out /tmp/sim.crt; {SIMKEY} key signing --out /tmp/sim.key; "
                "cat /tmp/sim.crt /tmp/sim.key >/tmp/sim.pem; rm /tmp/sim.crt /tmp/sim.key")
    b.handshake(key="/tmp/sim.pem")


for kind in ("p256", "rsa2048"):
    test(name=f"s_client and s_server shake hands with the key in the SIM, {kind}",
         key=kind)(handshakes)


def mid_handshake(b, key):
    b.connect("--sign-ms", str(SIGN_MS), key=key)
    b.serve(key)
    b.modem.mark()
    b.guest.start("client", CLIENT.format(key="sim:signing"))
    b.gone_at_once("client", b.cut())
    b.plug()
    b.handshake()


for kind in ("p256", "rsa2048"):
    test(name=f"unplugged in mid-handshake, s_client ends at once and works when it is back, {kind}",
         key=kind)(mid_handshake)


@test
def unplugged_again_and_again_in_mid_signature_it_works_each_time(b):
    b.connect("--sign-ms", str(SIGN_MS), "--channels", "3")
    for _ in range(5):
        b.modem.mark()
        b.guest.start("signer", SIGN)
        b.gone_at_once("signer", b.cut(later=0.2))
        b.plug()
    b.guest.run(SIGN)


@test
def a_channel_that_was_open_when_the_cable_was_pulled_out_is_closed_later(b):
    """The modem kept its power, and so the channel: with the applet on it, and the PIN verified."""
    b.connect("--sign-ms", str(SIGN_MS))
    for _ in range(2):
        b.modem.mark()
        b.guest.start("signer", SIGN)
        b.gone_at_once("signer", b.cut())
        b.plug()
    b.guest.run(SIGN)
    opened = [apdu for apdu in b.modem.all_apdus()
              if apdu.words == "MANAGE CHANNEL OPEN" and apdu.sw == "9000"]
    closed = [apdu for apdu in b.modem.all_apdus()
              if apdu.words == "MANAGE CHANNEL CLOSE" and apdu.sw == "9000"]
    b.t.equal(len(opened) - len(closed), 0, "channels that stay open when no program runs any more")


@test
def a_modem_that_is_busy_with_a_signature_that_nobody_hears_is_waited_for(b):
    b.connect("--sign-ms", str(LONG_MS))
    b.guest.start("signer", SIGN)
    b.gone_at_once("signer", b.cut())
    b.plug()
    since = time.monotonic()
    b.guest.run(f"{SIMKEY} cert signing")
    print(f"        worked after {time.monotonic() - since:.1f} s")


class Again:
    """The long-lived program of the guest."""

    def __init__(self, b):
        self.b, self.guest = b, b.guest
        self.guest.run("rm -f /tmp/cue; mkfifo /tmp/cue")
        self.guest.start("again", "exec /opt/simkey/build/again 0<>/tmp/cue")
        self.hear("key", "signed")

    def say(self, cue):
        self.guest.run(f"echo {cue} >/tmp/cue")

    def hear(self, cue, how, says=None, seconds=60):
        """What the program did for that cue. Gives the time when it was said."""
        when = self.guest.until(f"grep -q '^{cue} ' /tmp/again.log", f"an answer for {cue}", seconds)
        line = re.search(rf"^{cue} .*", self.guest.output("again"), re.M)[0]
        print("        again:", line[:160])
        self.b.t.says(line, rf"^{cue} {how} in \d+ ms" + (f".*{says}" if says else ""))
        return when

    def sign(self, cue, how="signed", says=None):
        self.say(cue)
        self.hear(cue, how, says)

    def end(self):
        self.say("end")
        status, said, _ = self.guest.ended("again", 30)
        self.b.t.equal(status, 0, f"status of the long-lived program: {said}")


@test
def a_process_works_on_when_an_idle_port_was_away(b):
    b.connect()
    program = Again(b)
    program.sign("first")
    b.disconnect()
    program.sign("away", "failed", ABSENT)
    b.plug()
    program.sign("back")
    b.disconnect()
    b.plug()
    program.sign("unnoticed")
    program.end()


def same_process(b, power_lost):
    b.connect("--sign-ms", str(SIGN_MS))
    program = Again(b)
    program.sign("first")
    b.modem.mark()
    program.say("cut")
    since = b.cut()
    when = program.hear("cut", "failed", "is gone: check its cable and power")
    b.t.check(when - since < AT_ONCE, f"ended {when - since:.1f} s after the cable was pulled out")
    program.sign("away", "failed", ABSENT)
    if power_lost:
        b.connect()
    else:
        b.plug()
    program.sign("back")
    program.sign("more")
    program.end()


for words, lost in {"the modem kept its power": False, "the modem started anew": True}.items():
    test(name=f"a process unplugged in mid-signature works again when the port is back, {words}",
         power_lost=lost)(same_process)


@test
def out_and_in_again_before_the_program_has_noticed(b):
    """It still has the old port open, so that the new one has another name."""
    b.connect("--sign-ms", str(SIGN_MS))
    program = Again(b)
    b.modem.mark()
    program.say("cut")
    b.cut(before=lambda: b.guest.run("killall -STOP again", who="root"))
    b.plug()
    b.t.equal(b.guest.run(f"readlink -f {image.BY_ID}")[1].strip(), "/dev/ttyUSB1", "the new port")
    b.guest.run("killall -CONT again", who="root")
    program.hear("cut", "failed", "the modem at /dev/ttyUSB0 is gone: check its cable", AT_ONCE)
    program.sign("back")
    program.end()


@test
def unplugged_in_the_middle_of_an_answer_line(b):
    baud, digits = 2400, 200
    line = digits * 10 / baud
    b.connect("--baud", str(baud), "--cert", "plain")
    b.guest.start("reader", f"exec {SIMKEY} cert signing --timeout 60")
    since = b.cut("READ BINARY", line / 2, line, digits)
    b.gone_at_once("reader", since)
    b.connect()
    b.guest.run(f"{SIMKEY} cert signing")


def half_written(b, **how):
    b.connect()
    b.guest.run("rm -f /tmp/half", who="root")
    b.guest.start("writer", f"exec {SIMKEY} cert signing --timeout 60", HALF="/tmp/half",
                  LD_PRELOAD="/opt/simkey/build/half.so", **how)
    b.guest.until("test -e /tmp/half", "half of a command is written", 30)
    b.gone_at_once("writer", b.guest.unplug())
    b.plug()
    b.guest.run(f"{SIMKEY} cert signing")  # the modem still waits for the other half of that line


test(name="unplugged in the middle of a command line")(half_written)
test(name="unplugged while a command line waits for room", HALF_FULL="1")(half_written)


@test
def unplugged_at_any_moment(b):
    seed = int(os.environ.get("USB_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    print(f"        USB_SEED={seed}")
    moments = random.Random(seed)
    b.connect("--baud", "9600", "--sign-ms", "300")
    for _ in range(8):
        b.guest.start("signer", SIGN)
        time.sleep(moments.uniform(0, 6))
        since = b.guest.unplug()
        status, said, when = b.guest.ended("signer", 60)
        words = re.search(r"simkey:[^:]*:(.*)", said)
        print(f"        status {status} after {when - since:.1f} s {words[1][:100] if words else ''}")
        b.t.check(when - since < AT_ONCE, f"{when - since:.1f} s after the cable was pulled out")
        if status != 0:
            b.t.says(said, f"{GONE}|{ABSENT}")
        b.disconnect()
        b.plug()
    b.guest.run(SIGN)


@test
def no_pin_try_was_spent(b):
    for key in ("p256", "rsa2048"):
        b.modem.card = b.card(key)
        b.t.equal(b.modem.tries(), 3, f"tries of {key}")


def set_up(t):
    """Cards, server certificates and the guest. Gives the bench."""
    server = t.path("server")
    tls.make_server_certificates(server, t.env())
    for key in ("p256", "rsa2048"):
        t.run([fixture.SIMMODEM, "--card", t.path(f"card-{key}"), "--new", "--key", key])
        shutil.copy(t.path(f"card-{key}/ca.pem"), os.path.join(server, f"{key}.pem"))
    print("making the guest", flush=True)
    kernel, archive = image.build(server)
    print("booting", os.path.basename(kernel), flush=True)
    since = time.monotonic()
    guest = machine.Guest(t, kernel, archive)
    t.running.append(guest)
    guest.boot()
    print(f"booted in {time.monotonic() - since:.0f} s", flush=True)
    return Bench(t, guest)


def run_tests(b, tests):
    """Gives the names of those that failed."""
    failed = []
    for entry in tests:
        since, wrong = time.monotonic(), None
        print(f"        {entry['name']}:", flush=True)
        try:
            entry["body"](b, **entry["arguments"])
        except Failure as failure:
            wrong = str(failure)
        except Exception:
            wrong = traceback.format_exc()
        print(f"{'FAILED' if wrong else 'ok    '}  {entry['name']}  {time.monotonic() - since:.1f} s",
              flush=True)
        if wrong:
            failed.append(entry["name"])
            for line in wrong.splitlines()[-60:]:
                print("        |", line[:400])
            if b.guest.popen.poll() is not None:
                raise Failure("the guest ended")
            b.recover()
    return failed


def stop(number, _frame):
    sys.exit(128 + number)


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    os.umask(0o022)
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = [entry for entry in TESTS if re.search(pattern, entry["name"], re.I)]
    folder = os.path.join(image.WORK, "run")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chdir(folder)
    since, wrong, failed = time.monotonic(), [], []
    t = fixture.Test(folder)
    try:
        failed = run_tests(set_up(t), tests)
    except Failure as failure:
        wrong.append(str(failure))
    except Exception:
        wrong.append(traceback.format_exc())
    finally:
        wrong += t.close()
    for text in wrong:
        print("FAILED ", text)
    print(f"the tests on a USB port took {time.monotonic() - since:.0f} s")
    count = len(failed) + len(wrong)
    print(f"{0 if wrong else len(tests) - len(failed)} passed, {count} failed")
    return 1 if count or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
