# SPDX-License-Identifier: Apache-2.0
"""A card reader for the tests: pcscd with its virtual reader (vpcd), bridge.py to put a simmodem's
SIM into it, and pcsc_program.py as another program that uses the card."""

import ctypes
import fcntl
import os
import re
import time

from fixture import PYTHON, SHARED, Failure, Talk
from tls import free_ports

HERE = os.path.dirname(os.path.abspath(__file__))
READERS = "/etc/reader.conf.d/vpcd"
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
NAMES = ("Virtual PCD 00 00", "Virtual PCD 00 01")  # vpcd has two slots


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

    def __init__(self, t, sim, *switches):
        self.t, self.sim, self.switches = t, sim, switches
        if not own_mounts(t):
            t.only = open(os.path.join(SHARED, "pcscd.lock"), "w", encoding="ascii")
            fcntl.flock(t.only, fcntl.LOCK_EX)  # until this process ends
            t.check(not os.path.exists("/run/pcscd/pcscd.comm"),
                    "another pcscd runs here and mount namespaces are not allowed: stop it")
        self.port = free_ports(2)[0]  # a slot each
        os.mkdir(t.path("readers"))
        with open(READERS, encoding="ascii") as file:
            text = re.sub(r"0x8C7B", f"0x{self.port:04X}", file.read(), flags=re.I)
        t.write("readers/vpcd", text, 0o644)
        self.start()
        self.insert()

    def start(self):
        command = ["pcscd", "--foreground", "--config", self.t.path("readers")]
        if "--disable-polkit" in self.t.run(["pcscd", "--help"], preload=False).out:
            command.append("--disable-polkit")  # there is no session of a user here
        self.pcscd = self.t.start("pcscd", command, preload=False)
        self.pcscd.wait_for(lambda: self.listens(self.port), "listening")

    @staticmethod
    def listens(port):
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as file:
                if re.search(rf":{port:04X} \w+:0000 0A", file.read()):
                    return True
        return False

    def insert(self):
        self.bridge = self.t.start("bridge", [PYTHON, os.path.join(HERE, "bridge.py"),
                                              self.sim.device, str(self.port), *self.switches],
                                   preload=False)
        self.bridge.wait_for(lambda: "bridge up" in self.bridge.said(), "up")
        self.wait_for_card()

    def remove(self):
        self.bridge.stop()

    def wait_for_card(self):
        # Not by its --wait: that waits for a card to come, and misses one that is there already. On a busy
        # machine the modem's restart at power on takes seconds.
        end = time.monotonic() + 45
        while time.monotonic() < end:
            if self.t.run(["timeout", "15", "opensc-tool", "--atr"], expect=None, preload=False).status == 0:
                return
            time.sleep(0.1)
        raise Failure(f"no card in the virtual reader: {self.pcscd.said()[-1000:]}"
                      f"the bridge's status {self.bridge.popen.poll()}: {self.bridge.said()[-1000:]}")

    def program(self):
        """Another program, see pcsc_program.py."""
        return Program(self.t)


class Program(Talk):
    def __init__(self, t):
        super().__init__([PYTHON, os.path.join(HERE, "pcsc_program.py"), NAMES[0]],
                         t.env(preload=False), t.dir)
        t.running.append(self)

    def stop(self):
        self.end()

    def does(self, what, seconds=20):
        self.say(what + "\n")
        if not self.hear(f"{what} 00000000\n", seconds):
            raise Failure(f"the other program could not {what}: {self.text}")
        self.text = ""
