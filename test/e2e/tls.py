# SPDX-License-Identifier: Apache-2.0
"""TLS for the tests: server certificates, servers that demand a client certificate, and handshakes
that are judged on the server's side."""

import os
import re
import socket
import subprocess

from fixture import SHARED, Failure, Talk, with_providers

HELLO, OLLEH = "hello sim\n", "mis olleh"  # s_server -rev turns lines round

COLD = ["MANAGE CHANNEL OPEN", "SELECT AID", "VERIFY", "VERIFY", "MSE SET", "PSO HASH", "PSO CDS"]
CLOSING = ["MANAGE CHANNEL CLOSE"]


def pki(name):
    return os.path.join(SHARED, "pki", name)


def make_server_certificates(folder, env):
    """ca.pem, server-rsa.{pem,key}, server-p256.{pem,key} for localhost and 127.0.0.1."""
    os.makedirs(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], env=env, check=True, timeout=60, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("req", "-x509", *p256, "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=Test server CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, key in (("server-rsa", ["-newkey", "rsa:2048"]), ("server-p256", p256)):
        openssl("req", "-x509", *key, "-nodes", "-keyout", name + ".key", "-out", name + ".pem",
                "-days", "30", "-subj", "/CN=localhost", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", "authorityKeyIdentifier=keyid")
        os.chmod(os.path.join(folder, name + ".key"), 0o644)


def issued(t, sim, key):
    """A certificate of the test's server CA for localhost, for a key in the SIM."""
    csr, cert = t.path("localhost.csr"), t.path("localhost.pem")
    extensions = t.write("localhost.ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                         "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    t.openssl(sim, "req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", csr)
    t.run(["openssl", "x509", "-req", "-in", csr, "-CA", pki("ca.pem"), "-CAkey", pki("ca.key"),
           "-CAcreateserial", "-CAserial", t.path("serial"), "-days", "3", "-extfile", extensions,
           "-out", cert], preload=False)
    os.chmod(cert, 0o644)
    return cert


RESERVED = []  # sockets that are held until this process ends


def reserved(port):
    """True if no other test has that port now: the socket, which has the port's name, is this test's."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(f"\0simkey-test-port-{port}")
    except OSError:
        sock.close()
        return False
    RESERVED.append(sock)
    return True


def free_ports(number):
    """Ports of the loopback in a row that nobody uses now, below those that the kernel gives out. Tests
    run side by side, so each is this test's until it ends."""
    for attempt in range(500):
        first = 12000 + (os.getpid() * 37 + attempt * 211) % 18000
        ports = list(range(first, first + number))
        if all(reserved(port) and is_free(port) for port in ports):
            return ports
    raise Failure("no free ports")


def is_free(port):
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port():
    return free_ports(1)[0]


def listens(port):
    """True if somebody listens on the loopback's port; does not connect."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(re.match(rf"\s*\d+: \w+:{port:04X} \w+:0000 0A", line) for line in table)


class Server:
    """openssl s_server that demands a client certificate of the card's CA and turns lines round."""

    def __init__(self, t, ca, cert="p256", arguments=()):
        self.t = t
        self.process = t.start("s_server", [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-rev",
            "-cert", pki(f"server-{cert}.pem"), "-key", pki(f"server-{cert}.key"),
            "-Verify", "1", "-verify_return_error", "-CAfile", ca, *arguments], preload=False)
        self.process.wait_for(lambda: re.search(r"ACCEPT 127\.0\.0\.1:\d+", self.process.said()),
                              "listening")
        self.port = int(re.search(r"ACCEPT 127\.0\.0\.1:(\d+)", self.process.said())[1])

    def said(self):
        return self.process.said()


def client_command(port, cert, key, arguments=(), providers=("default", "simkey")):
    """openssl s_client with a client certificate."""
    command = with_providers(["s_client", *arguments], providers) if providers else \
        ["s_client", *arguments]
    return ["openssl", *command, "-connect", f"127.0.0.1:{port}", "-CAfile", pki("ca.pem"),
            "-verify_return_error", "-verify_hostname", "localhost", "-cert", cert, "-key", key]


def talk(t, command, env, seconds=60):
    """Says hello, hears the answer, goes. Gives (answered, text, status)."""
    print("$", " ".join(command), flush=True)
    client = Talk(command, env, t.dir)
    client.say(HELLO)
    answered = client.hear(OLLEH, seconds)
    if answered:
        client.say("Q\n")
    status = client.end()
    return answered, client.text, status


def handshake(t, sim, cert="sim:signing", key="sim:signing", server="p256", version="-tls1_3",
              providers=("default", "simkey"), arguments=(), server_arguments=(), env=None,
              signatures=1):
    """One mutual handshake and a line each way, verified by the server. Gives the server's log."""
    peer = Server(t, os.path.join(sim.card, "ca.pem"), server, server_arguments)
    command = client_command(peer.port, cert, key, [version, *arguments], providers)
    answered, text, status = talk(t, command, env or t.env(sim, preload=True))
    t.check(answered and status == 0, f"no handshake: {' '.join(command)}\n  status {status}\n{text}"
            f"\nthe server said:\n{peer.said()}")
    t.says(peer.said(), ["Verification: OK", "Peer certificate: .*CN *="])
    t.says(text, "Verify return code: 0")
    if signatures is not None:
        t.signatures(sim, signatures)
    return peer.said()


def no_handshake(t, sim, cert="sim:signing", key="sim:signing", says=None, env=None,
                 version="-tls1_3", providers=("default", "simkey"), arguments=()):
    """A handshake that must fail, in the client's own words. Gives what the client said."""
    peer = Server(t, os.path.join(sim.card, "ca.pem"))
    command = client_command(peer.port, cert, key, [version, *arguments], providers)
    answered, text, status = talk(t, command, env or t.env(sim, preload=True))
    t.check(not answered and status > 0, f"a handshake that should have failed (status {status}):\n"
            f"{text}\nthe server said:\n{peer.said()}")
    if says is not None:
        t.says(text, says)
    t.silent(peer.said(), "Verification: OK")
    return text


NGINX = """
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr info;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
    uwsgi_temp_path tmp; scgi_temp_path tmp;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_session_cache off;
        ssl_protocols TLSv1.2 TLSv1.3;
        {extra}
        location / {{ {location} }}
    }}
}}
"""

DEMAND = """ssl_client_certificate {ca}; ssl_verify_client on; ssl_verify_depth 1;"""
PAGE = """default_type text/plain; return 200 "$ssl_client_verify $ssl_client_s_dn\\n";"""


class Nginx:
    """nginx in the foreground, with a folder of its own."""

    def __init__(self, t, cert, key, extra, location=PAGE, user="", env=None, port=None):
        self.port = port or free_port()
        folder = t.path(f"nginx-{t.number()}")
        os.makedirs(os.path.join(folder, "tmp"))
        os.chmod(folder, 0o755)
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(port=self.port, cert=cert, key=key, extra=extra, user=user,
                                    location=location))
        command = ["nginx", "-p", folder + "/", "-c", config, "-e", "stderr"]
        self.process = t.start("nginx", command, env or t.env(preload=False))
        self.process.wait_for(lambda: listens(self.port), "listening")

    def url(self):
        return f"https://localhost:{self.port}/"

    def said(self):
        return self.process.said()


def demanding_nginx(t, sim, cert="p256"):
    """One that demands a client certificate of the card's CA and names it in its page."""
    return Nginx(t, pki(f"server-{cert}.pem"), pki(f"server-{cert}.key"),
                 DEMAND.format(ca=os.path.join(sim.card, "ca.pem")))
