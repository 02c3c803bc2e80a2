# SPDX-License-Identifier: Apache-2.0
"""More programs that know nothing of SIM cards, as configs/ and its README.md have them: its blocks with the
word "program" are run here, against servers that demand and judge the SIM's certificate. curl, nginx and
mosquitto are in test_programs.py."""

import os
import re
import shutil

from fixture import MODULE, PATH, ROOT, SANITIZED, SYSTEMD, test
from test_readme import Machine, blocks
from tls import DEMAND, PAGE, Nginx, free_port, listens, pki

PROGRAMS = {"sh": ["bash", "-euo", "pipefail"], "python": ["/usr/bin/python3"], "js": ["node"]}
KINDS = ("rsa2048", "p256", "rsa2048 --no-pss")  # of cards, with simmodem's switches

# What the five-minute start of README.md leaves behind.
START = """
echo 0000 | install -D -m 640 -g dialout /dev/stdin /etc/simkey/pin
cp configs/simkey.conf /etc/simkey/
cp configs/openssl.cnf /etc/simkey/openssl.cnf
export OPENSSL_CONF=/etc/simkey/openssl.cnf
build/simkey cert signing --out /etc/simkey/sim.crt
build/simkey key signing --out /etc/simkey/sim.key
"""

DYNAMIC_USER = 61184  # the first of those that systemd gives out
SYSTEMCTL = """[ "$*" = daemon-reload ] && exit
[ "$1 $2" = 'enable --now' ] && [ $# = 3 ] && echo "$3" >>"$DIR/enabled"
"""


class Place:
    """The reader's machine with a SIM. names: what of configs/ is called otherwise here."""

    def __init__(self, t, kind, names=()):
        self.t, self.machine = t, Machine(t)
        self.machine.names[:0] = [*names, ("/etc/openvpn", t.path("etc/openvpn")),
                                  ("/etc/wpa_supplicant", t.path("etc/wpa_supplicant"))]
        self.machine.furnish()
        for folder in ("etc/openvpn/client", "etc/wpa_supplicant"):
            os.makedirs(t.path(folder))
        t.write("bin/systemctl", "#!/bin/bash\n" + SYSTEMCTL, 0o755)
        self.machine.modem(*kind.split())
        self.sim = self.machine.sim
        self.ca = os.path.join(self.sim.card, "ca.pem")
        self.shell(START.replace("configs/openssl.cnf", "configs/openssl-nopss.cnf") if "no-pss" in kind else START)
        self.sim.mark()

    def env(self, **more):
        t = self.t
        conf = t.path("etc/simkey/openssl.cnf")
        return t.env(PATH=f"{t.path('bin')}:{PATH}", ROOT=ROOT, DIR=t.dir, USER="root",
                     SSL_CERT_FILE=pki("ca.pem"), NODE_EXTRA_CA_CERTS=pki("ca.pem"),
                     OPENSSL_CONF=conf if os.path.exists(conf) else None, **more)

    def shell(self, text, language="sh", env=None, **how):
        file = self.t.write("block.js" if language == "js" else "block", self.machine.local(text))
        return self.t.run([*PROGRAMS[language], file], env=env or self.env(), preload=False, **how)

    def run(self, tag, **how):
        """Runs the blocks with this tag; gives what they printed."""
        found = [(words[0], text) for _, words, text in blocks() if words[1:] == ["program", tag]]
        self.t.check(found, f"no document has a block \"program {tag}\"")
        return "".join(self.shell(text, language, **how).out for language, text in found)

    def service(self, unit, folder="/lib/systemd/system"):
        """Starts what systemd would start, now that a block has enabled the unit."""
        t = self.t
        t.says(t.read("enabled").decode(), f"(?m)^{unit}$")
        name, _, instance = unit.partition("@")
        file = os.path.join(folder, f"{name}@.service" if instance else f"{name}.service")
        lines = ""
        for path in (file, t.path(f"etc/systemd/system/{unit}.service.d/simkey.conf")):
            if os.path.exists(path):
                with open(path, encoding="utf-8") as text:
                    lines += text.read()
        lines = self.machine.local(lines)
        entry = dict(re.findall(r"(?m)^(\w+)=(.*)$", lines))
        command = entry["ExecStart"].replace("%i", instance).split()
        command = ["env", "-C", entry.get("WorkingDirectory", t.dir), *command]
        if "DynamicUser" in entry and os.geteuid() == 0 and all_may_reach(MODULE):
            user, gid = DYNAMIC_USER, self.machine.gid
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={gid}", *command]
        conf = re.search(r"(?m)^Environment=OPENSSL_CONF=(.*)$", lines)[1]
        return t.start(name, command, t.env(OPENSSL_CONF=conf))


def all_may_reach(path):
    """Not where the tree lies in root's home."""
    folders = [path[:i] for i, letter in enumerate(path) if letter == "/" and i > 0]
    return all(os.stat(folder).st_mode & 0o001 for folder in folders)


def page_server(t, ca, port, extra="", location=PAGE):
    """An https server that demands a certificate of this CA."""
    return Nginx(t, pki("server-p256.pem"), pki("server-p256.key"), DEMAND.format(ca=ca) + extra, location,
                 port=port)


def gets_a_page(t, tag, kind):
    port = free_port()
    # not localhost, which is ::1 first on some machines
    place = Place(t, kind, [("https://server.example", f"https://127.0.0.1:{port}"),
                            ('"server.example"', f'"127.0.0.1:{port}"')])
    page_server(t, place.ca, port)
    version = {"NODE_OPTIONS": "--tls-max-v1.2"} if "no-pss" in kind else {}
    t.says(place.run(tag, env=place.env(**version)), "^SUCCESS CN=.* signing 0")
    t.signatures(place.sim, 1)


def git_repository(t):
    """A folder with config.git in it, for a server of plain files."""
    os.mkdir(t.path("www"), 0o755)
    source, bare = t.path("source"), t.path("www/config.git")
    env = t.env(GIT_CONFIG_NOSYSTEM="1")
    for words in (["init", "-q", "-b", "main", source],
                  ["-C", source, "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q",
                   "--allow-empty", "-m", "the configuration"],
                  ["clone", "-q", "--bare", source, bare], ["-C", bare, "update-server-info"]):
        t.run(["git", *words], env=env)
    return t.path("www")


def git_server(t, ca, port):
    return page_server(t, ca, port, f" location = / {{ {PAGE} }} add_header X-Client $ssl_client_s_dn;",
                       f"root {git_repository(t)};")


def stunnel_place(t, kind):
    """A place whose documents speak of a far server and a port of stunnel; and these two."""
    server, local = free_port(), free_port()
    return Place(t, kind, [("server.example:443", f"localhost:{server}"),
                           ("server.example", "localhost"), ("8085", str(local))]), server, local


def git_and_wget(t, kind):
    place, server, local = stunnel_place(t, kind)
    git_server(t, place.ca, server)
    place.run("stunnel")
    stunnel = place.service("simkey-stunnel", t.path("etc/systemd/system"))
    stunnel.wait_for(lambda: listens(local), "listening")
    out = place.run("git", env=place.env(GIT_CURL_VERBOSE="1"))
    t.says(out, ["^the configuration", "SUCCESS CN=.* signing 0"])
    t.signatures(place.sim, 1)  # of the first connection; the others resume its session
    if os.geteuid() == 0 and all_may_reach(MODULE):
        t.equal(os.stat(f"/proc/{stunnel.popen.pid}").st_uid, DYNAMIC_USER, "its user")


def a_server_with_another_ca_refuses_stunnel(t):
    place, server, local = stunnel_place(t, "p256")
    page_server(t, pki("ca.pem"), server)
    place.run("stunnel")
    stunnel = place.service("simkey-stunnel", t.path("etc/systemd/system"))
    stunnel.wait_for(lambda: listens(local), "listening")
    t.run(["wget", "-t", "1", "-T", "20", "-O", "-", f"http://127.0.0.1:{local}/"], env=t.env(),
          expect="failure", says="400 Bad Request")


def cannot_themselves(t):
    """GnuTLS cannot use the key reference. With a key in a file the same commands work."""
    place = Place(t, "p256")
    server = git_server(t, place.ca, free_port())
    url, env = server.url(), place.env(GIT_CURL_VERBOSE="1")
    reference = (t.path("etc/simkey/sim.crt"), t.path("etc/simkey/sim.key"))
    software = (os.path.join(place.sim.card, "available.pem"),
                os.path.join(place.sim.card, "private/available.key"))

    def git(cert, key, **how):
        return t.run(["git", "-c", f"http.sslCAInfo={pki('ca.pem')}", "-c", f"http.sslCert={cert}",
                      "-c", f"http.sslKey={key}", "ls-remote", url + "config.git"], env=env, **how)

    def wget(cert, key, **how):
        return t.run(["wget", "-t", "1", "-T", "20", "-O", "-", f"--ca-certificate={pki('ca.pem')}",
                      f"--certificate={cert}", f"--private-key={key}", url], env=env, **how)

    git(*reference, expect="failure", says="error reading X.509 key (or certificate )?file")
    wget(*reference, expect="failure", says="400 Bad Request")
    t.says(git(*software).out, "refs/heads/main")
    t.says(wget(*software).out, "^SUCCESS CN=.* available")
    t.signatures(place.sim, 0)
    t.says(t.run(["wget", "--version"]).out, r"\+ssl/gnutls")
    t.says(t.run(["ldd", "/usr/lib/git-core/git-remote-https"]).out, "libcurl-gnutls")


VPN = """local 127.0.0.1
port {port}
proto udp
dev null
tls-server
ca {ca}
cert {cert}
key {key}
dh none
verb 4
"""


def vpn_certificate(t):
    """One that OpenVPN's remote-cert-tls takes for a server's."""
    key, cert = t.path("vpn.key"), t.path("vpn.crt")
    t.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-CA",
           pki("ca.pem"), "-CAkey", pki("ca.key"), "-keyout", key, "-out", cert,
           "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=digitalSignature",
           "-addext", "extendedKeyUsage=serverAuth"], preload=False)
    return cert, key


def vpn(t, kind, foreign=False):
    """The tunnel ends in "null" and nothing is pushed, so neither side needs rights; the rest, with the
    TLS that the data's keys come from, is as installed."""
    port = free_port()
    place = Place(t, kind, [("vpn.example 1194", f"127.0.0.1 {port}"), ("vpn.example", "localhost"),
                            ("\nclient\ndev tun\n", "\ntls-client\ndev null\n")])
    cert, key = vpn_certificate(t)
    conf = VPN.format(port=port, ca=pki("ca.pem") if foreign else place.ca, cert=cert, key=key)
    server = t.start("openvpn-server", ["openvpn", "--config", t.write("server.ovpn", conf)],
                     preload=False)
    server.wait_for(lambda: "UDPv4 link local (bound)" in server.said(), "listening")
    place.run("openvpn")
    client = place.service("openvpn-client@simkey")
    if foreign:
        server.wait_for(lambda: "VERIFY ERROR" in server.said(), "refusing")
        server.wait_for(lambda: "TLS handshake failed" in server.said(), "giving up")
        t.silent(server.said(), "VERIFY OK: depth=0|Peer Connection Initiated")
        t.silent(client.said(), "Initialization Sequence Completed")
        return
    client.wait_for(lambda: "Initialization Sequence Completed" in client.said(), "connected")
    server.wait_for(lambda: "Initialization Sequence Completed" in server.said(), "connected")
    t.says(server.said(), ["VERIFY OK: depth=0, .*CN=.* signing 0",
                           r"\[.* signing 0\] Peer Connection Initiated"])
    t.signatures(place.sim, 1)


HOSTAPD = """driver=none
interface=lo
logger_stdout=-1
logger_stdout_level=0
eap_server=1
eap_user_file={users}
ca_cert={ca}
server_cert={cert}
private_key={key}
radius_server_clients={clients}
radius_server_auth_port={port}
"""


def eap(t, kind, foreign=False):
    port = free_port()
    place = Place(t, kind, [("-a 192.0.2.1 -p 1812", f"-a 127.0.0.1 -p {port}"),
                            ("radius.example", "localhost")])
    conf = HOSTAPD.format(users=t.write("users", "* TLS\n"), port=port,
                          clients=t.write("clients", "127.0.0.1 secret\n"),
                          ca=pki("ca.pem") if foreign else place.ca,
                          cert=pki("server-rsa.pem"), key=pki("server-rsa.key"))
    server = t.start("hostapd", ["hostapd", "-d", t.write("hostapd.conf", conf)], preload=False)
    server.wait_for(lambda: "AP-ENABLED" in server.said(), "ready")
    if foreign:
        failed = [text for _, words, text in blocks() if words[1:] == ["program", "eap"]]
        place.shell(failed[0])
        t.says(place.shell(failed[1], expect="failure").out, "(?m)^FAILURE")
        t.silent(server.said(), "CTRL-EVENT-EAP-SUCCESS")
        t.says(server.said(), "CTRL-EVENT-EAP-FAILURE")
        return
    t.says(place.run("eap"), "(?m)^SUCCESS")
    t.says(server.said(), ["buf='/O=simmodem/CN=.* signing 0'", "EAP-TLS: CONTINUE -> SUCCESS",
                           "CTRL-EVENT-EAP-SUCCESS"])
    t.says(t.read("enabled").decode(), "wpa_supplicant-wired@eth0")
    dropin = t.read("etc/systemd/system/wpa_supplicant-wired@eth0.service.d/simkey.conf").decode()
    t.says(dropin, f"Environment=OPENSSL_CONF={t.path('etc/simkey/openssl.cnf')}")
    t.signatures(place.sim, 1)


def firmware(t, kind):
    place = Place(t, kind)
    for name in ("kernel.img", "rootfs.img"):
        t.write(name, f"the {name}\n")
    shutil.copy(place.ca, t.path("sim-ca.crt"))
    place.run("firmware")
    t.signatures(place.sim, 2)

    # Elsewhere: no SIM, no provider, no setting.
    place.sim.stop_cleanly()
    elsewhere = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
    t.says(place.run("firmware-check", env=elsewhere),
           ["CN *= *.* signing 0", "kernel.img: OK", "rootfs.img: OK", "Signature Verified Successfully"])
    check = next(text for _, words, text in blocks() if words[1:] == ["program", "firmware-check"])

    place.shell(check.replace("-purpose sslclient", ""), env=elsewhere, expect="failure",
                says="unsuitable certificate purpose")
    place.shell(check.replace("sim-ca.crt", pki("ca.pem")), env=elsewhere, expect="failure",
                says="certificate verify error")
    t.write("rootfs.img", "another\n")
    t.says(place.shell(check, env=elsewhere, expect="failure").out, "rootfs.img: FAILED")
    t.write("manifest", t.read("manifest").replace(b"  rootfs", b"  rootsf"))
    place.shell(check, env=elsewhere, expect="failure", says="CMS routines.*content verify error|digest")


def accepted_by_systemd(t):
    """The services, and Debian's units of OpenVPN and Redis with the lines that are added to them."""
    units = []
    for unit, drop_in in (("openvpn-client@simkey", "openvpn-client"), ("redis-server", "redis-server")):
        units.append(t.path(unit + ".service"))
        shutil.copy(f"/lib/systemd/system/{re.sub('@.*', '@', unit)}.service", units[-1])
        os.mkdir(units[-1] + ".d")
        shutil.copy(os.path.join(ROOT, f"configs/{drop_in}.service.conf"), units[-1] + ".d/simkey.conf")
    units += [shutil.copy(os.path.join(ROOT, f"configs/simkey-{name}.service"), t.dir) for name in ("stunnel", "socat")]
    result = t.run(["systemd-analyze", "verify", "--man=no", *units], env=t.env())
    t.equal((result.out, result.err), ("", ""), "what systemd-analyze said")
    for name in ("simkey-stunnel.service", "simkey-socat.service", "redis-server.service.d/simkey.conf"):
        t.says(t.read(name).decode(), "(?m)^ReadWritePaths=-/run/simkey -/var/lib/simkey$")


if not SANITIZED:  # unmodified programs: nothing for a sanitizer's library
    for key in KINDS:
        for program, tag in (("Node.js", "node"), ("Python's http.client", "http.client")):
            test(name=f"{program} gets a page with a {key} key", tag=tag, kind=key)(gets_a_page)
        test(name=f"git and wget work through stunnel with a {key} key", kind=key)(git_and_wget)
        test(name=f"OpenVPN connects with a {key} key", kind=key)(vpn)
        test(name=f"wpa_supplicant's EAP-TLS succeeds with a {key} key", kind=key)(eap)
        test(name=f"firmware signed with a {key} key is checked elsewhere", kind=key)(firmware)
    test(name="git and wget cannot use the SIM's key themselves")(cannot_themselves)
    test(a_server_with_another_ca_refuses_stunnel)
    test(name="an OpenVPN server with another CA refuses the SIM", kind="p256", foreign=True)(vpn)
    test(name="a RADIUS server with another CA refuses the SIM", kind="p256", foreign=True)(eap)
    test(name="the units for stunnel, socat, OpenVPN and Redis are accepted by systemd",
         left_out=SYSTEMD)(accepted_by_systemd)
