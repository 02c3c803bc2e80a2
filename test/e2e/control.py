# SPDX-License-Identifier: Apache-2.0
"""Modems that speak QMI or MBIM: simmodem with a control device, the distribution's proxies, and a network
of a test's own, in which their abstract sockets are nobody else's."""

import ctypes
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time

from fixture import PATH, Failure

PROXIES = {"qmi": "/usr/libexec/qmi-proxy", "mbim": "/usr/libexec/mbim-proxy"}
STRANGERS = {"qmi": "qmicli", "mbim": "mbimcli"}
CLONE_NEWNET = 0x40000000


def why_not(protocol):
    """Why the tests with a real proxy are left out, or None."""
    if os.geteuid() != 0:
        return "a network of its own needs root"
    if not os.path.exists(PROXIES[protocol]):
        return f"lib{protocol}-proxy is not installed"
    if shutil.which(STRANGERS[protocol], path=PATH) is None:
        return f"lib{protocol}-utils is not installed"
    return None


def own_network():
    """Gives this test, and what it starts from now on, a network of its own, with a loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise Failure(f"no network of its own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env={"PATH": PATH})


def direct(t, protocol, card="p256", *switches):
    """A modem whose node is opened by simkey itself."""
    sim = t.sim(card, "--protocol", protocol, *switches)
    sim.node = sim.device
    sim.device = f"{protocol}:{sim.node},direct"
    return sim


def start_proxy(t, protocol, name=None):
    process = t.start(name or f"{protocol}-proxy", [PROXIES[protocol], "--no-exit"], preload=False)
    wait_listening(f"{protocol}-proxy")
    return process


def wait_listening(name, there=True):
    end = time.monotonic() + 10
    while listens(name) != there:
        if time.monotonic() > end:
            raise Failure(f"@{name} is {'not ' if there else 'still '}there")
        time.sleep(0.01)


def listens(name):
    with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
        return re.search(rf"00010000 .* @{name}$", table.read(), re.M) is not None


def proxied(t, protocol, card="p256", *switches):
    """A modem behind the distribution's proxy, in a network of the test's own."""
    own_network()
    sim = t.sim(card, "--protocol", protocol, *switches)
    sim.node = sim.device
    sim.proxy = start_proxy(t, protocol)
    sim.device = f"{protocol}:{sim.node}"
    return sim


def said(sim, message):
    """What the modem answers to bytes, as hex, within 2 s; "" is nothing."""
    node = os.open(sim.node, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(node, bytes.fromhex(message))
        ready, _, _ = select.select([node], [], [], 2)
        return os.read(node, 4096).hex() if ready else ""
    finally:
        os.close(node)


def mbim_done(command, status):
    """The answer to an MBIM command, without a buffer."""
    return struct.pack("<II", 0x80000003, 48) + command[8:40] + struct.pack("<II", status, 0)


def stranger(t, sim, protocol, *arguments, **how):
    """qmicli or mbimcli, through the proxy."""
    more = ["--device-open-qmi"] if protocol == "qmi" else []
    return t.run([STRANGERS[protocol], "-p", "-d", sim.node, *more, *arguments], preload=False, **how)


class Squatter:
    """Another user's process that has a proxy's name, and notes every byte that it is given."""

    def __init__(self, t, name, uid=65534):
        self.file = t.path(f"stolen-{t.number()}")
        self.name = name
        self.pid = os.fork()
        if self.pid == 0:
            self.serve(name, uid)
        wait_listening(name)

    def serve(self, name, uid):
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            stolen = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            sock = socket.socket(socket.AF_UNIX)
            sock.bind("\0" + name)
            sock.listen()
            while True:
                peer, _ = sock.accept()
                peer.settimeout(5)
                try:
                    while got := peer.recv(4096):
                        os.write(stolen, got)
                except OSError:
                    pass
        finally:
            os._exit(1)

    def stolen(self):
        with open(self.file, "rb") as file:
            return file.read()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def clients(sim):
    """The QMI client ids that are given out now: (id, service) of simmodem's trace."""
    held = set()
    with open(sim.trace, encoding="latin1") as trace:
        for line in trace:
            match = re.search(r"qmi client (\d+) of service (\d+) (allocated|released)", line)
            if match and match[3] == "allocated":
                held.add((match[1], match[2]))
            elif match:
                held.discard((match[1], match[2]))
            elif "qmi sync" in line:
                held.clear()
    return held


def mbim_words(sim):
    """What was said of opening and closing the modem."""
    with open(sim.trace, encoding="latin1") as trace:
        return re.findall(r"mbim (open|close)$", trace.read(), re.M)


def open_channels(sim):
    """The channels of the card that are open now, by simmodem's trace."""
    held = set()
    for apdu in sim.all_apdus():
        if apdu.words == "MANAGE CHANNEL OPEN" and apdu.sw == "9000":
            held.add(apdu.answer[:2])
        elif apdu.words == "MANAGE CHANNEL CLOSE" and apdu.sw == "9000":
            held.discard(apdu.command[6:8])
    return held
