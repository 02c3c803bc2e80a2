# SPDX-License-Identifier: Apache-2.0
"""Servers with the SIM's key, by the files of configs/: nginx with four workers in both directions,
under load, reloaded and restarted; a mosquitto bridge that outlives its modem; all on one SIM."""

import http.client
import os
import re
import signal
import socket
import ssl
import threading
import time

from fixture import BUILD, CURL, MODULE, ROOT, SANITIZED, test
from signer import none_open, until
from test_programs import BROKER, WORKER, access_for_workers
from tls import demanding_nginx, free_port, issued, listens, pki

SAFE2 = os.path.join(BUILD, "safe2")
NGINX = "nginx with a preloaded sanitizer is another program" if SANITIZED else None
REQUESTS = 500
AS_ROOT = os.geteuid() == 0

MAIN = """
{user}
worker_processes 4; daemon off; pid nginx.pid; error_log stderr info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
    uwsgi_temp_path tmp; scgi_temp_path tmp;
    include *.conf;
}}
"""


class Load:
    """Threads that do something over and over until they are told to stop."""

    def __init__(self, do, threads=4, forgive=()):
        self.done, self.errors, self.stopping = 0, [], False
        self.do, self.forgive, self.lock = do, forgive, threading.Lock()
        self.threads = [threading.Thread(target=self.loop) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def loop(self):
        while not self.stopping and len(self.errors) < 5:
            try:
                self.do()
                with self.lock:
                    self.done += 1
            except self.forgive:
                time.sleep(0.02)
            except Exception as error:
                with self.lock:
                    self.errors.append(repr(error))

    def wait_for(self, more, seconds=60):
        """That many more."""
        wanted = self.done + more
        until(lambda: self.done >= wanted or self.errors, f"done {more} times", seconds)

    def stop(self, t, what):
        self.stopping = True
        for thread in self.threads:
            thread.join(40)
        t.equal(self.errors, [], f"errors of {what}")
        print(f"-- {what}: {self.done} times", flush=True)
        return self.done


class Place:
    """What the files of configs/ expect of a machine, in the test's folder."""

    def __init__(self, t, sim):
        self.t, self.sim = t, sim
        os.mkdir(t.path("etc"), 0o755)
        self.names = [("# module = /opt/simkey/build/simkey.so", "module = " + MODULE), ("/dev/ttyUSB2", sim.device),
                      ("/etc/ssl/certs/ca-certificates.crt", pki("ca.pem")),
                      ("/etc/simkey", t.path("etc"))]
        t.write("etc/pin", "0000\n", 0o644 if AS_ROOT else 0o600)
        if AS_ROOT:
            access_for_workers(t, sim)
            os.chown(t.path("etc/pin"), -1, os.stat(t.run_dir).st_gid)
            os.chmod(t.path("etc/pin"), 0o640)
        self.install("openssl.cnf", "etc/openssl.cnf")
        self.install("simkey.conf", "etc/simkey.conf", "pin-source =", f"run-dir = {t.run_dir}\npin-source =")
        for what in ("cert", "key"):
            t.simkey(sim, what, "signing", "--out", t.path("etc/sim." + what[:3]))
            os.chmod(t.path("etc/sim." + what[:3]), 0o644)
        os.rename(t.path("etc/sim.cer"), t.path("etc/sim.crt"))
        self.key = t.path("etc/sim.key")
        with open(pki("ca.pem"), "rb") as ca:
            t.write("etc/clients-ca.crt", ca.read(), 0o644)
        os.rename(issued(t, sim, self.key), t.path("etc/gateway.crt"))
        sim.mark()

    def install(self, name, place, *change):
        """A file of configs/, with the names of this machine."""
        with open(os.path.join(ROOT, "configs", name), encoding="utf-8") as file:
            text = file.read()
        for old, new in [*self.names, *(zip(change[::2], change[1::2]))]:
            text = text.replace(old, new)
        return self.t.write(place, text, 0o644)

    def env(self):
        return self.t.env(None, True, OPENSSL_CONF=self.t.path("etc/openssl.cnf"),
                          SIMKEY_CONF=self.t.path("etc/simkey.conf"), SIMKEY_RUN_DIR=None)

    def nginx(self, port, *configs):
        """nginx in the foreground with these files of configs/: (name, changes…)."""
        folder = f"nginx-{self.t.number()}"
        os.makedirs(self.t.path(folder + "/tmp"))
        os.chmod(self.t.path(folder), 0o755)
        self.t.write(folder + "/main", MAIN.format(user=f"user {WORKER};" if AS_ROOT else ""))
        for name, *change in configs:
            self.install(name, f"{folder}/{name}", *change)
        return self.start_nginx(folder, port)

    def start_nginx(self, folder, port):
        folder = self.t.path(folder)
        process = self.t.start("nginx", ["nginx", "-p", folder + "/", "-c", folder + "/main", "-e",
                                         "stderr"], self.env())
        process.wait_for(lambda: listens(port), "listening")
        process.folder = os.path.basename(folder)
        return process

    def client(self):
        """A context for clients of the server: with a certificate of clients-ca.crt."""
        t = self.t
        t.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=the client",
               "-CA", pki("ca.pem"), "-CAkey", pki("ca.key"), "-keyout", t.path("client.key"),
               "-out", t.path("client.crt")], preload=False)
        context = ssl.create_default_context(cafile=pki("ca.pem"))
        context.load_cert_chain(t.path("client.crt"), t.path("client.key"))
        return context

    def server_visit(self, port):
        """One whole handshake with our server, and its page."""
        context = self.client()

        def visit():
            with socket.create_connection(("127.0.0.1", port), 30) as sock:
                with context.wrap_socket(sock, server_hostname="localhost") as tls:
                    tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    page = b""
                    while chunk := tls.recv(65536):
                        page += chunk
            if not page:
                raise ConnectionError("no page")
            if b"hello CN=the client" not in page:
                raise RuntimeError(page)
        return visit


def workers(nginx):
    with open(f"/proc/{nginx.popen.pid}/task/{nginx.popen.pid}/children", encoding="ascii") as file:
        return set(file.read().split())


def reload(nginx):
    """All workers are new ones."""
    before = workers(nginx)
    nginx.popen.send_signal(signal.SIGHUP)
    until(lambda: len(workers(nginx) - before) == 4, "four new workers")


def page_by_proxy(port):
    """A page of the server behind our proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        page = connection.getresponse().read()
    finally:
        connection.close()
    if not re.match(rb"SUCCESS CN=.*signing 0", page):
        raise RuntimeError(page)


def server_under_load(t, key):
    sim = t.sim(key, "--sign-ms", "20")
    place = Place(t, sim)
    port = free_port()
    nginx = place.nginx(port, ("nginx-server.conf", "8443", f"127.0.0.1:{port}"))
    load = Load(place.server_visit(port))
    load.wait_for(30)
    for _ in range(2):
        reload(nginx)
        load.wait_for(30)
    served = load.stop(t, "handshakes, two reloads")
    t.check(sim.count("PSO CDS") >= served, f"{sim.count('PSO CDS')} signatures for {served}")
    t.check(sim.count("MANAGE CHANNEL OPEN") <= 3, f"{sim.count('MANAGE CHANNEL OPEN')} sessions")
    for cipher in ("AES128-GCM-SHA256", "ECDHE"):
        done = t.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher",
                      cipher, "-CAfile", pki("ca.pem"), "-cert", t.path("client.crt"), "-key",
                      t.path("client.key")], expect=None, preload=False, stdin="Q\n")
        t.equal("Verify return code: 0" in done.out and "Cipher is (NONE)" not in done.out,
                cipher == "ECDHE", f"TLS 1.2 with {cipher}")
    nginx.stop(signal.SIGQUIT)
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


for kind in ("p256", "rsa2048"):
    test(name=f"nginx as a server with four workers is reloaded under load, {kind}", key=kind,
         left_out=NGINX)(server_under_load)


@test(left_out=NGINX)
def nginx_as_a_server_is_restarted_and_its_workers_are_killed_under_load(t):
    sim = t.sim("p256", "--sign-ms", "20")
    place = Place(t, sim)
    port = free_port()
    nginx = place.nginx(port, ("nginx-server.conf", "8443", f"127.0.0.1:{port}"))
    # who comes while nobody listens, or is served by one that is killed, is not served
    load = Load(place.server_visit(port), forgive=(ConnectionError, ssl.SSLEOFError,
                                                        ssl.SSLZeroReturnError))
    load.wait_for(20)
    for number in (signal.SIGTERM, signal.SIGQUIT):
        folder = nginx.folder
        nginx.stop(number)
        nginx = place.start_nginx(folder, port)
        load.wait_for(20)
    for pid in sorted(workers(nginx))[:3]:
        os.kill(int(pid), signal.SIGKILL)
        load.wait_for(10)
    load.stop(t, "handshakes, two restarts, three killed workers")
    t.silent(nginx.said(), "simkey:")
    nginx.stop(signal.SIGQUIT)
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


def proxy_under_load(t, reuse):
    sim = t.sim("p256", "--sign-ms", "5")
    place = Place(t, sim)
    behind, port = demanding_nginx(t, sim), free_port()
    nginx = place.nginx(port, ("nginx-client.conf", "8080", str(port), "https://server.example",
                               behind.url().rstrip("/"), "session_reuse on", f"session_reuse {reuse}"))
    load = Load(lambda: page_by_proxy(port), threads=8)
    load.wait_for(REQUESTS // 2)
    reload(nginx)
    load.wait_for(REQUESTS // 2)
    served = load.stop(t, f"requests through the proxy, session reuse {reuse}")
    # where localhost is ::1 as well, nothing listens there
    t.silent(nginx.said(), [r"\[(error|crit|alert|emerg)\](?!.*refused.*//\[::1\]:)", "simkey:"])
    if reuse == "off":
        t.signatures(sim, served)
    t.check(0 < sim.count("MANAGE CHANNEL OPEN") <= 2, "sessions")
    nginx.stop(signal.SIGQUIT)
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


for kind in ("on", "off"):
    test(name=f"nginx as a client makes {REQUESTS} requests, reloaded in the middle, "
         f"session reuse {kind}", reuse=kind, left_out=NGINX)(proxy_under_load)


# mosquitto

class Bridge:
    """A broker here that speaks to one far away by configs/mosquitto-bridge.conf."""

    def __init__(self, place):
        t = self.t = place.t
        self.logs = []
        self.far, self.near = free_port(), free_port()
        user = "user root" if AS_ROOT else ""
        self.far_conf = t.write("far.conf", BROKER.format(
            port=self.far, ca=os.path.join(place.sim.card, "ca.pem"), cert=pki("server-p256.pem"),
            key=pki("server-p256.key"), user=user))
        self.start_far()
        place.install("mosquitto-bridge.conf", "bridge.conf", "broker.example:8883",
                      f"127.0.0.1:{self.far}", "cleansession false",
                      "cleansession false\nrestart_timeout 1")
        with open(t.path("bridge.conf"), encoding="utf-8") as bridge:
            conf = f"{user}\nlistener {self.near} 127.0.0.1\nallow_anonymous true\n" + bridge.read()
        self.broker = t.start("bridge", ["mosquitto", "-c", t.write("near.conf", conf)], place.env())
        self.broker.wait_for(lambda: listens(self.near), "listening")
        self.wait_connected()

    def start_far(self):
        self.broker_far = self.t.start("broker", ["mosquitto", "-c", self.far_conf], preload=False)
        self.broker_far.wait_for(lambda: listens(self.far), "listening")
        self.logs.append(self.broker_far)

    def wait_connected(self, seconds=30):
        self.broker_far.wait_for(lambda: "uplink" in self.broker_far.said(), "connected", seconds)

    def publish(self, text):
        self.t.run(["mosquitto_pub", "-p", str(self.near), "-t", text, "-m", text, "-q", "1"],
                   preload=False)

    def arrives(self, text, seconds=30):
        until(lambda: any(f"'{text}'" in broker.said() for broker in self.logs), f"{text} there",
              seconds)


@test(left_out=NGINX)
def a_mosquitto_bridge_survives_the_loss_of_its_modem(t):
    sim = t.sim("p256", "--sign-ms", "50")
    place = Place(t, sim)
    bridge = Bridge(place)
    bridge.publish("first")
    bridge.arrives("first")
    sim.stop_cleanly()
    bridge.broker_far.stop()  # so that it must sign to come back
    bridge.publish("kept")
    bridge.start_far()
    bridge.broker.wait_for(lambda: "simkey" in bridge.broker.said()
                           or "OpenSSL Error" in bridge.broker.said(), "without a modem")
    time.sleep(2)
    t.silent(bridge.broker_far.said(), "'kept'")
    again = t.sim(sim.card)
    if AS_ROOT:
        access_for_workers(t, again)
    os.symlink(os.readlink(again.device), sim.device + ".new")
    os.rename(sim.device + ".new", sim.device)
    bridge.wait_connected(40)
    bridge.arrives("kept")
    bridge.publish("last")
    bridge.arrives("last")
    t.check(again.count("PSO CDS") > 0, "signatures of the modem that came back")
    t.equal(again.tries(), 3, "tries")
    bridge.broker.stop()
    none_open(t, again)


# All of them

@test(left_out=NGINX or CURL, seconds=240, long=True)
def nginx_mosquitto_curl_and_safe2_use_one_sim_together(t):
    from test_safe2 import CONFIG, FAST, Site
    site = Site(t, "--sign-ms", "50", "--safe2-ms", "500")
    sim = site.sim
    place = Place(t, sim)
    site.put(CONFIG)
    behind = demanding_nginx(t, sim)
    server_port, proxy_port = free_port(), free_port()
    nginx = place.nginx(server_port, ("nginx-server.conf", "8443", f"127.0.0.1:{server_port}"),
                        ("nginx-client.conf", "8080", str(proxy_port), "https://server.example",
                         behind.url().rstrip("/"), "session_reuse on", "session_reuse off"))
    bridge = Bridge(place)
    numbers = iter(range(10 ** 6))

    def curl():
        done = t.run(["curl", "-sS", "--cacert", pki("ca.pem"), "--cert", t.path("etc/sim.crt"),
                      "--key", place.key, behind.url()], env=place.env())
        t.says(done.out, "^SUCCESS CN=.*signing 0")

    def safe2():
        t.run([SAFE2, "get", *FAST, "--out", t.path(f"config-{next(numbers)}")],
              env=t.env(sim), preload=False)

    def bridged():
        text = f"message-{next(numbers)}"
        bridge.publish(text)
        bridge.arrives(text)
        time.sleep(0.1)

    loads = {"pages of the server": Load(place.server_visit(server_port), 2),
             "pages by the proxy": Load(lambda: page_by_proxy(proxy_port), 2),
             "curl": Load(curl, 1), "safe2": Load(safe2, 1), "messages by the bridge": Load(bridged, 1)}
    since = time.monotonic()
    while time.monotonic() < since + 12:
        time.sleep(3)
        reload(nginx)
        bridge.broker_far.stop()
        bridge.start_far()
        bridge.wait_connected()
    for what, load in loads.items():
        t.check(load.stop(t, what) > 2, f"{what}: {load.done} times")
    configurations = {t.read(name) for name in os.listdir(t.dir) if re.fullmatch(r"config-\d+", name)}
    t.equal(configurations, {CONFIG}, "configurations")
    nginx.stop(signal.SIGQUIT)
    bridge.broker.stop()
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)
