# SPDX-License-Identifier: Apache-2.0
"""The C program worker.c, told what to do line by line: a process that signs and stays."""

import os
import select
import signal
import subprocess
import time

from fixture import BUILD, Failure, with_providers

WORKER = os.path.join(BUILD, "worker")
PROVIDERS = ("default", "simkey")
TWO = ["PSO HASH", "PSO CDS"]


def holder(sim):
    """The process that has the SIM now, or 0."""
    port = os.stat(sim.device)  # other file systems have the same numbers of inodes
    name = f"{os.major(port.st_dev):02x}:{os.minor(port.st_dev):02x}:{port.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == name:
                return int(fields[4])
    return 0


def until(happened, what, seconds=15):
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise Failure(f"not {what} in {seconds} s")
        time.sleep(0.002)


class Signer:
    """A process with the key of the SIM."""

    def __init__(self, t, sim, exported, **env):
        self.t = t
        command = [WORKER, BUILD, *exported, "0"]
        with open(t.path("signers.err"), "ab") as err:
            self.popen = subprocess.Popen(command, env=t.env(sim, **env), stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=err, cwd=t.dir)
        self.pid, self.text = self.popen.pid, b""
        t.running.append(self)
        t.equal(self.hear(), f"ready {self.pid}", "the signer")

    def hear(self, seconds=40):
        end = time.monotonic() + seconds
        while b"\n" not in self.text:
            if not select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"signer {self.pid} says nothing in {seconds} s")
            got = os.read(self.popen.stdout.fileno(), 65536)
            if not got:
                raise Failure(f"signer {self.pid} ended: {self.t.read('signers.err')}")
            self.text += got
        line, _, self.text = self.text.partition(b"\n")
        return line.decode("latin1")

    def say(self, word):
        self.popen.stdin.write(word.encode() + b"\n")
        self.popen.stdin.flush()

    def heard_signature(self, seconds=40):
        """The signature that it was told to make; gives its seconds."""
        line = self.hear(seconds)
        self.t.check(line.startswith(f"sign {self.pid} "), f"no signature: {line}")
        return int(line.split()[3]) / 1000

    def ended_at(self):
        """When the signature ended that it was told to make, by its own clock."""
        line = self.hear()
        self.t.check(line.startswith(f"sign {self.pid} "), f"no signature: {line}")
        return int(line.split()[4]) / 1000

    def sign(self, seconds=40):
        self.say("sign")
        return self.heard_signature(seconds)

    def fails(self, says, seconds=40):
        """A signature that must fail with these words; gives its seconds."""
        self.say("sign")
        return self.heard_failure(says, seconds)

    def heard_failure(self, says, seconds=40):
        line = self.hear(seconds)
        self.t.check(line.startswith(f"failed {self.pid} "), f"no failure: {line}")
        self.t.says(line, says)
        return int(line.split()[3]) / 1000

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def end(self, seconds=10):
        """Lets it end by itself, and gives how long that took."""
        since = time.monotonic()
        self.popen.stdin.close()
        self.t.equal(self.popen.wait(seconds), 0, "the signer's status")
        return time.monotonic() - since

    def stop(self, seconds=10):
        if self.popen.poll() is None:
            self.signal(signal.SIGCONT)
            self.popen.stdin.close()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failure(f"signer {self.pid} did not end")


def dgst(t, key, out="sig", text="/dev/null"):
    """The openssl command that signs a file's content."""
    return ["openssl", *with_providers(["dgst", "-sha256", "-sign", key, "-out", t.path(out), text],
                                       PROVIDERS)]


def verified(t, cert, out="sig", text="/dev/null"):
    """Checks what dgst made."""
    pub = t.write("pub.pem", t.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"],
                                   preload=False).raw)
    t.run(["openssl", "dgst", "-sha256", "-verify", pub, "-signature", t.path(out), text],
          preload=False)


def none_open(t, sim, but=0):
    """No channel is open, or just so many."""
    from foreign import Foreign
    with Foreign(sim.device) as foreign:
        left = foreign.left_open()
    t.equal(len(left), but, "channels that are open" + "".join(
        f"\n  {channel}:\n    " + "\n    ".join(history(sim, channel)) for channel in left))


def history(sim, channel):
    """How a channel came to be open: its last opening, and what came before and after."""
    apdus = sim.all_apdus()
    opened = [i for i, a in enumerate(apdus) if a.words == "MANAGE CHANNEL OPEN"
              and a.answer[:2] == f"{channel:02X}" and len(a.answer) == 6 or a.source == "ccho"
              and a.words == "SELECT AID" and a.channel == str(channel)]
    if not opened:
        return ["never opened"]
    return [f"{a.time:.3f} {a.channel} {a}" for a in apdus[max(0, opened[-1] - 4):opened[-1] + 8]]
