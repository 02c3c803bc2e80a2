# SPDX-License-Identifier: Apache-2.0
"""Services that gateways run, by the files and blocks of configs/: HAProxy, Apache httpd, lighttpd, PostgreSQL,
Redis, rsyslog, socat and paho. Each speaks to a peer that demands and judges certificates."""

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import threading

from fixture import MODULE, PATH, SANITIZED, test
from test_applications import Place, all_may_reach, page_server
from test_programs import BROKER
from test_readme import blocks
from tls import free_port, listens, pki

AS_ROOT = os.geteuid() == 0
# rsyslog: test/deps.sh does not put it in the place of another one.
RSYSLOG = None if shutil.which("rsyslogd", path=PATH) else "rsyslog is not installed"
LIBPQ = None if AS_ROOT else "libpq takes a key that a group may read only from root"
FOLDERS = ("haproxy", "apache2/sites-available", "apache2/sites-enabled", "lighttpd/conf-enabled", "redis",
           "rsyslog.d", "postgresql-common")
STAND_INS = {
    "systemctl": """case $# in
1) [ "$1" = daemon-reload ] ;;
2) [ "$1" = restart ] && echo "$2" >>"$DIR/restarted" ;;
3) [ "$1 $2" = 'enable --now' ] && echo "$3" >>"$DIR/enabled" ;;
*) exit 1 ;;
esac
""",
    "a2enmod": 'echo "$@" >>"$DIR/modules"\n',
    "a2ensite": 'ln -s "$DIR/etc/apache2/sites-available/$1.conf" "$DIR/etc/apache2/sites-enabled/"\n',
}


class Gateway(Place):
    """A machine with the folders of these services, and for servers a certificate for the SIM's key."""

    def __init__(self, t, kind, names=()):
        for folder in FOLDERS:
            os.makedirs(t.path("etc/" + folder), 0o755)
        etc = sorted({folder.split("/")[0] for folder in FOLDERS})
        super().__init__(t, kind, [*names, *((f"/etc/{folder}", t.path("etc/" + folder)) for folder in etc),
                                   ("/var/www/html", t.path("www"))])
        for name, text in STAND_INS.items():
            t.write(f"bin/{name}", "#!/bin/bash\n" + text, 0o755)
        os.mkdir(t.path("www"), 0o755)
        t.write("www/index.html", "hello\n", 0o644)

    def block(self, words):
        """The text of the one block that has these words behind its fence, or in it."""
        return next(text for _, fence, text in blocks() if words in (fence[-1], *text.split()))

    def certify(self):
        """Makes gateway.crt, as the README has it."""
        self.shell(self.block("gateway.csr"))
        self.sim.mark()

    def begin(self, unit, command, user=None):
        """Starts what a block restarted, in the environment that the block gave to the unit. user: the
        unit's, who gets the group that the block's file adds."""
        t = self.t
        t.says(t.read("restarted").decode(), f"(?m)^{unit}$")
        lines = t.read(f"etc/systemd/system/{unit}.service.d/simkey.conf").decode()
        if user is not None:
            t.says(lines, "(?m)^SupplementaryGroups=")
            if AS_ROOT and all_may_reach(MODULE):
                command = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={self.machine.gid}",
                           *command]
        return t.start(unit, command,
                       t.env(OPENSSL_CONF=re.search("(?m)^Environment=OPENSSL_CONF=(.*)$", lines)[1]))


# Servers for https

def haproxy(t, kind):
    far = free_port()
    names = [("server.example:443", f"127.0.0.1:{far}"), ("str(server.example)", "str(localhost)"),
             ("verifyhost server.example", "verifyhost localhost"), ("bind :8443", "bind 127.0.0.1:8443")]
    if not AS_ROOT:
        names += [("    user haproxy\n", ""), ("    group dialout\n", "")]
    place = Gateway(t, kind, names)
    place.certify()
    page_server(t, place.ca, far)
    place.run("haproxy")
    place.sim.mark()
    service = place.begin("haproxy", ["haproxy", "-W", "-f", t.path("etc/haproxy/haproxy.cfg")])
    service.wait_for(lambda: listens(place.machine.gateway), "listening")
    for reloads in range(2):
        pages = place.run("haproxy-use")
        t.says(pages, ["^SUCCESS CN=.* signing 0", '(?m)^hello "?/CN=the client'])
        t.signatures(place.sim, 2 * (reloads + 1))
        if reloads == 0:
            service.popen.send_signal(signal.SIGUSR2)
            service.wait_for(lambda: service.said().count("Loading success") == 2, "reloaded")
    t.check(place.sim.count("MANAGE CHANNEL OPEN") <= 2, "a session of each worker at the most")


APACHE = """ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog /dev/stderr
User www-data
Group www-data
{modules}
SSLSessionCache shmcb:{folder}/cache(512000)
<Directory {www}>
    Require all granted
</Directory>
IncludeOptional {sites}/*.conf
"""
APACHE_MODULES = ("mpm_event", "authn_core", "authz_core", "dir", "socache_shmcb")


def apache(t):
    os.mkdir(t.path("apache"), 0o755)
    modules = [*APACHE_MODULES, *t.read("modules").decode().split()]
    lines = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    conf = t.write("apache.conf", APACHE.format(folder=t.path("apache"), www=t.path("www"), modules=lines,
                                                sites=t.path("etc/apache2/sites-enabled")))
    return ["apache2", "-DFOREGROUND", "-f", conf]


APACHE_CLIENT = """Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    SSLProxyEngine on
    SSLProxyMachineCertificateFile {pem}
</VirtualHost>
"""


def apache_as_a_client(t):
    """It reads the keys in that file by itself, and finds none."""
    place, port = Gateway(t, "p256"), free_port()
    place.shell("cat /etc/simkey/sim.crt /etc/simkey/sim.key >uplink.pem")
    t.write("etc/apache2/sites-enabled/client.conf", APACHE_CLIENT.format(port=port, pem=t.path("uplink.pem")))
    t.write("modules", "ssl")
    service = t.start("apache2", apache(t), place.env())
    service.wait_for(lambda: "AH02206: no client certs found for SSL proxy" in service.said(), "saying so")


LIGHTTPD = """server.document-root = "{www}"
server.bind = "127.0.0.1"
server.port = {port}
{user}
index-file.names = ("index.html")
include "{folder}/*.conf"
"""


def lighttpd(t):
    user = 'server.username = "www-data"\nserver.groupname = "www-data"' if AS_ROOT else ""
    conf = t.write("lighttpd.conf", LIGHTTPD.format(www=t.path("www"), port=free_port(), user=user,
                                                    folder=t.path("etc/lighttpd/conf-enabled")))
    return ["lighttpd", "-D", "-f", conf]


def https_server(t, kind, unit, command, tag):
    place = Gateway(t, kind, [("Listen 8443", "Listen 127.0.0.1:8443"), ('":8443"', '"127.0.0.1:8443"')])
    if "no-pss" in kind:  # the server's own lines for that, with the plain openssl.cnf
        place.shell("cp configs/openssl.cnf /etc/simkey/")
        conf = f"configs/{tag}-server.conf"
        t.write(conf, re.sub(r"(?m)^.*\+TLSv1\.3$|#nopss ", "", t.read(conf).decode()), 0o644)
    place.certify()
    place.run(tag)
    service = place.begin(unit, command(t))
    service.wait_for(lambda: listens(place.machine.gateway), "listening")
    t.says(place.run(tag + "-use"), "(?m)^hello")
    t.signatures(place.sim, 1)
    use = place.block(tag + "-use")
    place.shell(use.replace("--cert client.crt --key client.key", ""), expect="failure")
    place.shell(use.replace("curl", "curl --tlsv1.3"), expect="failure" if "no-pss" in kind else 0)


# Clients

def socat(t, kind):
    peer_port = free_port()
    place = Gateway(t, kind, [("server.example:443", f"127.0.0.1:{peer_port}")])
    page_server(t, place.ca, peer_port)
    request = place.block("socat").replace('"hello"', '-e "GET / HTTP/1.0\\r\\n\\r"')
    t.says(place.shell(request).out, "SUCCESS CN=.* signing 0")
    t.signatures(place.sim, 1)


def socat_service(t, kind):
    far, local = free_port(), free_port()
    place = Gateway(t, kind, [("server.example:443", f"127.0.0.1:{far}"), ("8086", str(local))])
    page_server(t, place.ca, far)
    place.run("socat-service")
    service = place.service("simkey-socat", t.path("etc/systemd/system"))
    service.wait_for(lambda: listens(local), "listening")
    for number in (1, 2):
        t.says(t.run(["curl", "-sS", f"http://127.0.0.1:{local}/"], preload=False).out, "SUCCESS CN=.* signing 0")
        t.signatures(place.sim, number)


def paho(t, kind):
    port = free_port()
    place = Gateway(t, kind, [("broker.example", "localhost"), ("8883", str(port))])
    conf = t.write("broker.conf", BROKER.format(port=port, ca=place.ca, cert=pki("server-p256.pem"),
                                                key=pki("server-p256.key"), user="user root" if AS_ROOT else ""))
    broker = t.start("mosquitto", ["mosquitto", "-c", conf], preload=False)
    broker.wait_for(lambda: listens(port), "listening")
    os.chmod(t.path("configs/mqtt.py"), 0o755)
    place.run("paho")
    t.says(broker.said(), [r"u'\d+ signing 0'", "Received PUBLISH from .*'hello'"])
    t.signatures(place.sim, 1)


class Database(threading.Thread):
    """What PostgreSQL says to a client that logs in by its certificate and asks one question; the answer is
    the certificate's name."""

    SSL, GSS = 80877103, 80877104

    def __init__(self, port, ca):
        super().__init__(daemon=True)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_cert_chain(pki("server-p256.pem"), pki("server-p256.key"))
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start()

    @staticmethod
    def message(kind, *parts):
        body = b"".join(parts)
        return kind + struct.pack("!I", len(body) + 4) + body

    def run(self):
        while True:
            client, _ = self.listener.accept()
            client.settimeout(30)
            try:
                self.serve(client)
            except (OSError, ssl.SSLError, struct.error):
                pass
            client.close()

    def serve(self, client):
        while struct.unpack("!II", client.recv(8))[1] == self.GSS:
            client.sendall(b"N")
        client.sendall(b"S")
        with self.context.wrap_socket(client, server_side=True) as tls:
            name = dict(pair for rdn in tls.getpeercert()["subject"] for pair in rdn)["commonName"].encode()
            tls.recv(65536)  # who logs in where
            column = b"name\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0)
            ready = self.message(b"Z", b"I")
            tls.sendall(self.message(b"R", bytes(4)) + ready)
            if tls.recv(65536)[:1] == b"Q":
                tls.sendall(self.message(b"T", struct.pack("!h", 1), column)
                            + self.message(b"D", struct.pack("!hI", 1, len(name)), name)
                            + self.message(b"C", b"SELECT 1\0") + ready)
                tls.recv(65536)  # goodbye


def postgresql(t, kind, foreign=False):
    port = free_port()
    place = Gateway(t, kind, [("host=db.example", "host=localhost\nhostaddr=127.0.0.1"),
                              ("port=5432", f"port={port}")])
    Database(port, pki("ca.pem") if foreign else place.ca)
    env = place.env(PGSYSCONFDIR=t.path("etc/postgresql-common"))
    if foreign:
        place.shell(place.block("postgresql"), env=env, expect="failure", says="unknown ca")
        return
    t.says(place.run("postgresql", env=env), r"(?m)^\d+ signing 0$")
    t.signatures(place.sim, 1)
    plain = t.path("etc/simkey/sim-libpq.key")
    os.chmod(plain, 0o644)
    t.run(["psql", "service=uplink", "-c", "select 1"], env=env, expect="failure",
          says=f'private key file "{plain}" has group or world access')


REDIS = """port 0
bind 127.0.0.1
tls-port {port}
tls-cert-file {cert}
tls-key-file {key}
tls-ca-cert-file {ca}
repl-diskless-sync-delay 0
save ""
dir {folder}
"""


def redis(t, kind):
    far, near = free_port(), free_port()
    place = Gateway(t, kind, [("-h redis.example", f"-h 127.0.0.1 -p {far}"),
                              ("redis.example 6379", f"127.0.0.1 {far}")])
    conf = REDIS.format(port=far, cert=pki("server-p256.pem"), key=pki("server-p256.key"), ca=place.ca,
                        folder=t.dir)
    server = t.start("redis-far", ["redis-server", t.write("redis-far.conf", conf)], preload=False)
    server.wait_for(lambda: listens(far), "listening")
    t.says(place.run("redis"), "^PONG$")
    t.signatures(place.sim, 1)
    os.mkdir(t.path("redis"), 0o700)
    if AS_ROOT:
        shutil.chown(t.path("redis"), "redis")
    t.write("etc/redis/redis.conf", f'port {near}\nbind 127.0.0.1\nsave ""\ndir {t.path("redis")}\n', 0o644)
    place.run("redis-replica")
    replica = place.begin("redis-server", ["redis-server", t.path("etc/redis/redis.conf")], "redis")
    replica.wait_for(lambda: "Finished with success" in replica.said(), "a copy of the far one")
    # redis-cli's connection, the replica's, and with Redis 8 another one for the first copy
    t.check(place.sim.count("PSO CDS") in (2, 3), f"{place.sim.count('PSO CDS')} signatures")


LOG_SERVER = """global(workDirectory="{folder}" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{ca}"
    defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{folder}/received")
"""
LOG_CLIENT = """global(workDirectory="{folder}")
module(load="imuxsock" sysSock.use="off")
input(type="imuxsock" socket="{folder}/log")
include(file="{configs}/*.conf")
"""


def rsyslog(t, kind, foreign=False):
    port = free_port()
    place = Gateway(t, kind, [('target="log.example"', 'target="127.0.0.1"'), ("log.example", "localhost"),
                              ('"6514"', f'"{port}"')])
    ca = pki("ca.pem") if foreign else place.ca
    processes = {}
    place.run("rsyslog")
    for name, conf in (("far", LOG_SERVER), ("near", LOG_CLIENT)):
        folder = t.path(name)
        os.mkdir(folder, 0o755)
        text = conf.format(folder=folder, ca=ca, cert=pki("server-p256.pem"), key=pki("server-p256.key"),
                           port=port, configs=t.path("etc/rsyslog.d"))
        command = ["rsyslogd", "-n", "-iNONE", "-f", t.write(name + ".conf", text)]
        if name == "far":
            processes[name] = t.start(name, command, preload=False)
            processes[name].wait_for(lambda: listens(port), "listening")
        else:
            processes[name] = place.begin("rsyslog", command)
    processes["near"].wait_for(lambda: os.path.exists(t.path("near/log")), "ready")
    t.run(["logger", "-u", t.path("near/log"), "from the SIM's machine"], preload=False)
    received = t.path("far/received")

    def arrived():
        return os.path.exists(received) and "from the SIM's machine" in t.read("far/received").decode()

    if foreign:
        processes["far"].wait_for(lambda: "certificate verify failed" in processes["far"].said(), "refusing")
        t.check(not arrived(), "a message of a client whose CA the server does not know")
        return
    processes["near"].wait_for(arrived, "the message there")
    t.signatures(place.sim, 1)


if not SANITIZED:  # unmodified programs: nothing for a sanitizer's library
    for key in ("p256", "rsa2048"):
        test(name=f"HAProxy serves, asks and is reloaded with a {key} key", kind=key)(haproxy)
    for key in ("p256", "rsa2048 --no-pss"):
        test(name=f"Apache httpd serves with a {key} key", kind=key, unit="apache2", command=apache,
             tag="apache")(https_server)
        test(name=f"lighttpd serves with a {key} key", kind=key, unit="lighttpd", command=lighttpd,
             tag="lighttpd")(https_server)
    test(name="Apache httpd cannot be a client with the SIM's key")(apache_as_a_client)
    test(name="psql asks a database", kind="p256", left_out=LIBPQ)(postgresql)
    test(name="a database with another CA refuses the SIM", kind="p256", foreign=True,
         left_out=LIBPQ)(postgresql)
    test(name="redis-cli asks, and Redis is a replica", kind="rsa2048")(redis)
    test(name="rsyslog sends the log", kind="p256", left_out=RSYSLOG)(rsyslog)
    test(name="a log server with another CA refuses the SIM", kind="p256", foreign=True,
         left_out=RSYSLOG)(rsyslog)
    test(name="socat talks to a server", kind="rsa2048")(socat)
    test(name="a socat service is a port that leads to a server", kind="p256")(socat_service)
    test(name="paho publishes", kind="rsa2048")(paho)
