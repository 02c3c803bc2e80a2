# SPDX-License-Identifier: Apache-2.0
"""The guest of the test on a USB port: a QEMU, its monitor, and the line on which the guest runs what
it is told (init.sh). What is tested is in run.py, what the guest consists of in image.py."""

import json
import os
import re
import shlex
import socket
import time

import image
from fixture import PATH, SIMMODEM, Failure, Process, Sim

BOOT_SECONDS = 180  # software emulation on a machine with other work to do
DIALOUT = 20


class Stream:
    """A UNIX socket that is read until something comes."""

    def __init__(self, path, process):
        self.process, self.text = process, ""
        self.process.wait_for(lambda: self.connects(path), f"listening on {path}", 30)

    def connects(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        try:
            self.socket.connect(path)
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            self.socket.close()
            return False

    def send(self, text):
        self.socket.settimeout(10)
        try:
            self.socket.sendall(text.encode())
        except OSError as wrong:
            raise Failure(f"{self.process.name} takes no more: {wrong}")

    def hear(self, pattern, seconds, what):
        """Reads up to the pattern's end; gives what stood before it, and the match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text, re.M)):
            left = end - time.monotonic()
            if left <= 0:
                raise Failure(f"{what}: nothing came in {seconds} s; so far:\n{self.text[-2000:]}")
            self.socket.settimeout(left)
            try:
                got = self.socket.recv(65536)
            except socket.timeout:
                continue
            if not got:
                raise Failure(f"{what}: {self.process.name} ended:\n" + self.process.said()[-2000:])
            self.text += got.decode("latin1")
        before, self.text = self.text[:found.start()], self.text[found.end():]
        return before, found


class Modem(Sim):
    """A simmodem of the host that also ends when this program is killed."""

    def __init__(self, test, card, switches):
        number = test.number()
        self.card, self.seen = card, 0
        self.device = test.path(f"modem-{number}")
        self.trace = test.path(f"apdu-{number}.trace")
        Process.__init__(self, test, "simmodem",
                         ["setpriv", "--pdeathsig", "TERM", SIMMODEM, "--link", self.device, "--card",
                          card, "--trace", self.trace, *switches], test.env())
        self.wait_for(lambda: os.path.exists(self.device), "ready")


class Guest(Process):
    """A running guest, and what one does to it. Its sockets lie in the folder of the test, which is
    the working folder of both sides, because the names of sockets are short."""

    def __init__(self, test, kernel, archive):
        super().__init__(test, "qemu", [
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", "5", "qemu-system-x86_64",
            "-nodefaults", "-no-user-config", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512",
            "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd", archive,
            "-append", "console=ttyS0 panic=-1",
            "-serial", "file:console.log", "-serial", "unix:agent,server=on,wait=off",
            "-qmp", "unix:qmp,server=on,wait=off",
            "-device", "qemu-xhci,id=usb"], {"PATH": PATH, "LC_ALL": "C"})
        self.sent, self.plugged = 0, False

    def boot(self):
        """Waits until it takes commands."""
        self.agent, self.monitor = Stream("agent", self), Stream("qmp", self)
        self.monitor.hear(r'^\{"QMP".*$', 20, "the monitor")
        self.qmp("qmp_capabilities")
        self.agent.hear(r"^0 0 end$", BOOT_SECONDS, "the guest's start")

    def qmp(self, command, **arguments):
        """A command of the monitor, and what it returns."""
        self.sent += 1
        self.monitor.send(json.dumps({"execute": command, "arguments": arguments,
                                      "id": self.sent}) + "\n")
        _, found = self.monitor.hear(rf'^\{{.*"id": {self.sent}\b.*$', 20, command)
        answer = json.loads(found[0])
        if "return" not in answer:
            raise Failure(f"{command} {arguments}: {answer}")
        return answer["return"]

    # The cable

    def take(self, modem):
        """Puts a modem behind the adapter."""
        self.qmp("chardev-add", id="line", backend={
            "type": "serial", "data": {"device": os.readlink(modem.device)}})

    def let_go(self):
        self.when_free("chardev-remove", id="line")

    def when_free(self, command, **arguments):
        """QEMU lets go of the line a moment after device_del."""
        end = time.monotonic() + 10
        while True:
            try:
                return self.qmp(command, **arguments)
            except Failure as failure:
                if time.monotonic() > end or not re.search("busy|in use", str(failure), re.I):
                    raise
                time.sleep(0.02)

    def plug(self):
        """Plugs the adapter in; does not wait for the guest."""
        self.when_free("device_add", driver="usb-serial", id="adapter", chardev="line",
                       serial=image.SERIAL)
        self.plugged = True

    def unplug(self):
        """Pulls the adapter out. Gives the time."""
        self.qmp("device_del", id="adapter")
        self.plugged = False
        return time.monotonic()

    def wait_for_port(self, there=True):
        self.until(f"test {'' if there else '!'} -e {image.BY_ID}",
                   f"{image.BY_ID} {'there' if there else 'gone'}", 30)

    # Programs

    def run(self, command, seconds=60, expect=0, who="user", **env):
        """Runs a command line of the guest to its end; gives its status and what it said."""
        self.sent += 1
        text = self.full(command, who, env)
        self.agent.send(f"{self.sent} {seconds} {text}\n")
        said, found = self.agent.hear(rf"\n{self.sent} (\d+) end\n", seconds + 30, command)
        status = int(found[1])
        if status == 137 and expect != 137:
            raise Failure(f"{command}\n  did not end in {seconds} s:\n{said}")
        if expect is not None and status != expect:
            raise Failure(f"{command}\n  wanted status {expect}, got {status}:\n{said}")
        return status, said.replace("\r", "")

    @staticmethod
    def full(command, who, env):
        """As root, or as somebody with the settings that a user has."""
        if who == "root":
            return command
        number, groups = {"user": (1000, f"--groups {DIALOUT}"),
                          "stranger": (1001, "--clear-groups")}[who]
        variables = {"HOME": "/home/user", "OPENSSL_CONF": "/etc/simkey/openssl.cnf", **env}
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        return (f"cd /tmp; exec /usr/bin/setpriv --reuid {number} --regid {number} {groups} "
                f"env {words} sh -c {shlex.quote(command)}")

    def start(self, name, command, who="user", stdin="/dev/null", **env):
        """Runs a command line beside the others. Its output is /tmp/NAME.log."""
        self.run(f"rm -f /tmp/{name}.status; {{ ({self.full(command, who, env)}); "
                 f"echo $? >/tmp/{name}.ended; mv /tmp/{name}.ended /tmp/{name}.status; }} "
                 f"<{stdin} >/tmp/{name}.log 2>&1 &", who="root")

    def output(self, name):
        return self.run(f"cat /tmp/{name}.log", who="root")[1]

    def until(self, command, what, seconds):
        """Waits until a command line succeeds. Gives the time."""
        end = time.monotonic() + seconds
        while self.run(command, who="root", expect=None)[0] != 0:
            if time.monotonic() > end:
                raise Failure(f"not {what} in {seconds} s")
            time.sleep(0.1)
        return time.monotonic()

    def ended(self, name, seconds):
        """Waits for the end of what start() began. Gives its status, what it said, and the time."""
        try:
            when = self.until(f"test -e /tmp/{name}.status", f"{name}: ended", seconds)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.output(name)}")
        return int(self.run(f"cat /tmp/{name}.status", who="root")[1]), self.output(name), when
