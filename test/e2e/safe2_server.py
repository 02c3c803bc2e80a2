# SPDX-License-Identifier: Apache-2.0
"""The server side of SAFE2 for the tests: the files of configs/safe2 in a folder of the test, with
stunnel, haproxy and nginx on free ports of the loopback. What tests it is in test_safe2_server.py;
what SIMs and devices do with it is elsewhere."""

import os
import re
import signal
import socket
import sys
import threading
import time

from fixture import PYTHON, ROOT
from tls import free_ports, listens

ENROL = os.path.join(ROOT, "configs", "safe2", "safe2-enrol")
BODY_MOST = 254


def new_key():
    return os.urandom(16).hex()


class Safe2Server:
    """host and port are what the applet connects to; root is what safe2-enrol calls DIR."""

    host = "127.0.0.1"

    def __init__(self, t):
        self.t = t
        self.root = t.path(f"safe2-{t.number()}")
        self.port, self.https_port, self.front_port, self.http_port = free_ports(4)
        self.enrol("init", "--address", self.host, "--psk-port", str(self.port),
                   "--https-port", str(self.https_port), "--front-port", str(self.front_port),
                   "--http-port", str(self.http_port), "--https-name", "localhost")
        self.proxy = self.front = None
        self.nginx = t.start("nginx", ["nginx", "-p", self.root, "-e", self.log_file("nginx"),
                                       "-c", self.etc("nginx.conf")], t.env())
        self.start_front()
        self.start_proxy()
        self.nginx.wait_for(lambda: listens(self.http_port) and listens(self.https_port),
                            "listening")

    def etc(self, name):
        return os.path.join(self.root, "etc", name)

    # Who may come, and what they get: safe2-enrol. `how` goes to t.run: expect=, says=.

    def enrol(self, *arguments, stdin=b"", **how):
        return self.t.run([ENROL, "--root", self.root, *arguments], stdin=stdin, env=self.t.env(),
                          **how)

    def add(self, iccid, key=None, raw=False, **how):
        """Enrols a SIM; gives its key as hex."""
        key = key or new_key()
        self.enrol("add", iccid, "-", *(["--raw-identity"] if raw else []), stdin=key, **how)
        return key

    def rotate(self, iccid, key=None, **how):
        key = key or new_key()
        self.enrol("rotate", iccid, "-", stdin=key, **how)
        return key

    def put(self, body, iccid=None, device=None, **how):
        """Sets the configuration of a SIM, a device id (hex), or that device with that SIM."""
        return self.enrol("put", *whose(iccid, device), "-", stdin=body, **how)

    def put_unchecked(self, body, iccid):
        """A configuration that safe2-enrol would refuse: empty, or too long."""
        place = os.path.join(self.root, "sims", iccid, "config")
        with open(place + ".new", "wb") as file:
            file.write(body)
        os.chmod(place + ".new", 0o644)
        os.rename(place + ".new", place)

    def unset(self, iccid=None, device=None, **how):
        return self.enrol("unset", *whose(iccid, device), **how)

    # From afar

    def token(self, name="test"):
        """A new access token."""
        return self.enrol("token-add", name).out.strip()

    def https(self, method, path, token=None, body=None, arguments=()):
        """A request as the fleet's owner would do it; gives the status."""
        command = ["curl", "-sS", "--max-time", "20", "-X", method, "-w", "%{http_code}", "--cacert",
                   os.path.join(self.root, "https.crt"), "-o", self.t.path("https.answer"),
                   *arguments]
        if token is not None:
            command += ["-H", "@" + self.t.write("https.token", f"Authorization: Bearer {token}\n")]
        if body is not None:
            command += ["--data-binary", "@" + self.t.write("https.body", body)]
        command.append(f"https://localhost:{self.https_port}{path}")
        return int(self.t.run(command, env=self.t.env()).out)

    def put_by_token(self, body, token, iccid=None, device=None):
        return self.https("PUT", config_path(iccid, device), token, body)

    # What the servers saw

    def telemetry(self, iccid):
        """(device id, bytes) of each POST, oldest first."""
        found = []
        for line in self.enrol("telemetry", iccid).out.splitlines():
            _, device, _, file = line.split(" ", 3)
            with open(file, "rb") as body:
                found.append((device, body.read()))
        return found

    def log_file(self, name):
        return os.path.join(self.root, "log", name + ".log")

    def log(self, name):
        """stunnel, access, writers or nginx."""
        if not os.path.exists(self.log_file(name)):
            return ""
        with open(self.log_file(name), encoding="latin1") as log:
            return log.read()

    def requests(self):
        """(method, URI, status) of what came through to nginx; a POST is a PUT there."""
        return [(m[1], m[2], int(m[3]))
                for m in re.finditer(r"^\S+ \S+ (\S+) (\S+) (\d+) ", self.log("access"), re.M)]

    def identities(self, awaited=0):
        """The known identities that came, as bytes, in order; stunnel writes a dot for a byte below
        32, and sometimes late: waits for so many."""
        end = time.monotonic() + 5
        while len(self.known()) < awaited and time.monotonic() < end:
            time.sleep(0.02)
        return self.known()

    def known(self):
        return [m.encode("latin1") for m in
                re.findall(r'Key configured for PSK identity "(.*)"', self.log("stunnel"))]

    # Trouble

    def start_proxy(self):
        """With its socket from outside, as by safe2-proxy.socket: so a reload refuses nobody."""
        pid_file = os.path.join(self.root, "run", "stunnel", "pid")
        if os.path.exists(pid_file):
            os.unlink(pid_file)
        self.proxy = self.t.start("stunnel", [PYTHON, os.path.abspath(__file__), str(self.port),
                                              "stunnel", self.etc("stunnel.conf")], self.t.env())
        self.proxy.wait_for(lambda: listens(self.port) and os.path.exists(pid_file), "listening")

    def stop_proxy(self, number=signal.SIGTERM):
        """From now on connections are refused. SIGKILL: as if it crashed."""
        self.end(self.proxy, number)

    def start_front(self):
        self.front = self.t.start("haproxy", ["haproxy", "-db", "-f", self.etc("haproxy.cfg")],
                                  self.t.env())
        self.front.wait_for(lambda: listens(self.front_port), "listening")

    def break_answers(self, how="half"):
        """TLS stays well. half: closes in the middle of the answer's body; head: in its header;
        close: before it; hang: never answers."""
        self.end(self.front, signal.SIGTERM)
        self.front = self.t.start("broken", [PYTHON, os.path.abspath(__file__),
                                             str(self.front_port), how], self.t.env())
        self.front.wait_for(lambda: listens(self.front_port), "listening")

    def mend_answers(self):
        self.end(self.front, signal.SIGTERM)
        self.start_front()

    def end(self, process, number):
        """Stops one of ours, which the test need not stop any more."""
        process.stop(number)
        if process in self.t.running:
            self.t.running.remove(process)


def whose(iccid, device):
    return [*(["--iccid", iccid] if iccid else []), *(["--device-id", device] if device else [])]


def config_path(iccid, device):
    """Where a configuration is over HTTPS."""
    if iccid is None:
        return f"/v1/devices/{device}"
    return f"/v1/sims/{iccid}/" + (f"device/{device}" if device else "config")


# Programs: what stands in haproxy's place, and what starts stunnel

BROKEN = {"half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40,
          "head": b"HTTP/1.1 200 OK\r\nContent-Le", "close": b"", "hang": None}


def answer_badly(connection, answer):
    with connection:
        seen = b""
        while b"\r\n\r\n" not in seen:
            got = connection.recv(4096)
            if not got:
                return
            seen += got
        if answer is None:
            while connection.recv(4096):
                pass
            return
        connection.sendall(answer)


def break_all(server, how):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer_badly, args=(connection, BROKEN[how]), daemon=True).start()


def hand_over(server, command):
    """Becomes the program, with the listening socket as systemd hands it over (sd_listen_fds)."""
    if server.fileno() == 3:
        os.set_inheritable(3, True)
    else:
        os.dup2(server.fileno(), 3)
    os.execvpe(command[0], command,
               dict(os.environ, LISTEN_FDS="1", LISTEN_PID=str(os.getpid())))


def main(port, *words):
    with socket.create_server(("127.0.0.1", port)) as server:
        if words[0] in BROKEN:
            break_all(server, words[0])
        else:
            hand_over(server, words)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
