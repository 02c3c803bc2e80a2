# SPDX-License-Identifier: Apache-2.0
"""Runs every command block of the README.md files, in order, with simmodem in the place of the modem: as they
stand there, but for names of this machine (paths, hosts, ports). So the files in configs/ run too."""

import glob
import grp
import os
import pwd
import re
import shutil
import signal
import time

from fixture import BUILD, PATH, PYTHON, ROOT, SANITIZED, test
from safe2_server import new_key
from tls import free_port, free_ports, listens, pki

# In the order in which a reader goes through them.
DOCUMENTS = ("README.md", "configs/README.md", "provider/README.md", "configs/safe2/README.md", "test/README.md")
README_LINES = 320
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
BY_ID = "usb-Quectel_EC25-if02-port0"

# What a block that holds the first must have printed, or the far broker received.
PRINTED = {
    "https://server.example/": r"Client certificate[^$]*Subject: *O *= *simmodem|^200$",
    "http://127.0.0.1:8080/": r"Client certificate[^$]*Subject: *O *= *simmodem",
    "https://gateway.example/": "hello CN=the client",
    "-verify sim.pub": "Verified OK",
    "simkey verify signing": r"^ok +possession +the SIM signed.*\n(.*\n)*ok +possession +the Type A key",
    "simkey inventory gateway-1.json": r"^\d{19},\d{15},sim:signing;container=0,RSA,2048,",
    "https://fleet.example/": r"^SIM \d{19}$",
    "simkey devices": rf"{BY_ID} .*simkey simmodem +\d{{19}} ",
    "simkey pin status": "3 tries left",
    "simkey pin change": "the PIN is changed: 3 tries left",
    "simkey doctor\n": "^ok +signature",
    "simkey doctor --json": r'"step":\s*"signature",\s*"result":\s*"ok"',
    "openssl storeutl": "Total found: 2",
    "openssl list -providers": "TLS keys in a SIM",
    "simkey info --json\n": '"iccid"',
    "--trace at": r"AT\+CSIM",
    "ls -l /dev/serial/by-id/": BY_ID,
}
RECEIVED = {"broker.example": "'hello'", "through the bridge": r"uplink.*'hello'"}

# Commands that cost one signature of the SIM; a service's start and a page through it cost some.
SIGNS = [r"s_client .*-key sim:signing", r"curl .*/sim\.key", r"curl .*curlrc", r"-sign sim:signing",
         r"cms -sign .*-inkey sim:signing", r"req -new -key sim:signing", r"mosquitto_pub .*/sim\.key",
         r"load_cert_chain", r"simkey doctor", r"simkey verify signing"]
SERVICE = r"curl .*(127\.0\.0\.1:8080|gateway\.example)|restart mosquitto"

# Commands that need root or change the machine, and what stands for them here.
STAND_INS = {
    "sudo": 'exec env "$@"\n',
    "usermod": '[ "$1" = -aG ] && [ $# = 3 ]\n',  # the group is the tests' one already
    "make": 'for target; do grep -Eq "^([a-z]+ )*$target( [a-z]+)*:" "$ROOT/Makefile" || exit 2; done\n',
    "apt-get": 'shift; for package; do case $package in -*) ;; *)\n'
               '  ! command -v dpkg >&2 || dpkg -s "$package" >&2 || exit 100 ;; esac; done\n',
    "nginx": 'exec /usr/sbin/nginx -c "$DIR/nginx.conf" "$@"\n',
    "udevadm": """[ "$*" = "control --reload" ] || exit 1
value='[A-Z]+([{][A-Z_]+[}])?(==|[+]=|=)"[^"]*"'
for rules in "$DIR"/etc/udev/rules.d/*.rules; do
    grep -Evq '^(#|$)' "$rules" && ! grep -Ev "^(#|\\$|$value(, $value)*$)" "$rules" || exit 2
done
""",
    "systemctl": """[ "$*" = daemon-reload ] && exit
[ "$1" = restart ] && [ $# = 2 ] || exec safe2-systemctl "$@"
if [ -s "$DIR/$2.pid" ]; then
    pid=$(cat "$DIR/$2.pid")
    kill "$pid"
    for _ in {1..100}; do grep -qs '^State:.[^ZX]' "/proc/$pid/status" || break; sleep 0.1; done
    rm -f "$DIR/$2.pid"
fi
unset OPENSSL_CONF SSL_CERT_FILE
set -- "$2" "$(sed -n 's/^Environment=//p' "$DIR/etc/systemd/system/$2.service.d/"*.conf 2>>"$DIR/null")"
case $1 in
nginx) env ${2:+"$2"} /usr/sbin/nginx -c "$DIR/nginx.conf" ;;
mosquitto) env "$2" /usr/sbin/mosquitto -d -c "$DIR/mosquitto.conf" ;;
esac
listens=$(sed -n 's/^listener \\([0-9]*\\).*/\\1/p' "$DIR/mosquitto.conf")
[ "$1" = nginx ] || for _ in {1..100}; do : <>"/dev/tcp/127.0.0.1/$listens" && break; sleep 0.1; done 2>>"$DIR/null"
""",
}

# The services of SAFE2. stunnel gets its socket as from systemd; none has the terminal.
STAND_INS["safe2-systemctl"] = """case $* in
'restart haproxy nginx')
    /usr/sbin/haproxy -D -p "$DIR/haproxy.pid" -f "$DIR/etc/haproxy/haproxy.cfg" >>"$DIR/haproxy.log" 2>&1
    systemctl restart nginx ;;
'enable --now safe2-proxy.socket safe2-proxy.service')
    port=$(sed -n 's/^ListenStream=//p' "$DIR/etc/systemd/system/safe2-proxy.socket")
    words=$(sed -n 's/^ExecStart=//p' "$DIR/etc/systemd/system/safe2-proxy.service")
    /usr/bin/python3 "$ROOT/test/e2e/safe2_server.py" "$port" $words >>"$DIR/stunnel.log" 2>&1 &
    echo $! >"$DIR/stunnel.pid"
    for _ in {1..200}; do [ -s "$DIR/var/lib/safe2/run/stunnel/pid" ] && exit; sleep 0.05; done
    exit 1 ;;
'enable --now safe2.timer') grep -q '^OnCalendar=daily$' "$DIR/etc/systemd/system/safe2.timer" ;;
'start safe2.service')
    unset "${!SIMKEY_@}"
    export SIMKEY_CONF=$DIR/etc/simkey/simkey.conf SIMKEY_RUN_DIR=$DIR/run
    exec $(sed -n 's/^ExecStart=//p' "$DIR/etc/systemd/system/safe2.service") ;;
*) exit 1 ;;
esac
"""

# The nginx server of the README with its two lines for a card without PSS.
NGINX_WITHOUT_PSS = """
install -d /etc/simkey /etc/systemd/system/nginx.service.d
(umask 027; echo 0000 > /etc/simkey/pin)
chgrp dialout /etc/simkey/pin
cp configs/simkey.conf configs/openssl.cnf /etc/simkey/
export OPENSSL_CONF=/etc/simkey/openssl.cnf
build/simkey key signing --out /etc/simkey/sim.key
openssl req -new -key sim:signing -subj /CN=gateway.example -out gateway.csr
openssl x509 -req -in gateway.csr -CA ca.crt -CAkey ca.key -out /etc/simkey/gateway.crt
cp clients-ca.crt /etc/simkey/
sed "s|ssl_protocols TLSv1.2 TLSv1.3;|#|; s|#nopss ||" configs/nginx-server.conf > /etc/nginx/conf.d/server.conf
echo "Environment=OPENSSL_CONF=/etc/simkey/openssl.cnf" > /etc/systemd/system/nginx.service.d/simkey.conf
systemctl restart nginx
curl -v --connect-to gateway.example:443:127.0.0.1:8443 --cacert ca.crt --cert client.crt --key client.key https://gateway.example/
"""


def document(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def blocks():
    """(file and line, words behind the fence, text) of each block that is meant to be run."""
    for name in DOCUMENTS:
        text = document(name)
        for match in re.finditer(r"^```(\w.*)\n((?:.*\n)*?)```$", text, re.M):
            line = text.count("\n", 0, match.start()) + 2
            yield f"{name}, line {line}", match[1].split(), match[2]


def tagged(tag):
    """The texts of the blocks that have this word behind the fence."""
    return [text for _, words, text in blocks() if tag in words]


def configurations():
    """The files of configs/; its folders have tests of their own."""
    return sorted(entry.name for entry in os.scandir(os.path.join(ROOT, "configs"))
                  if entry.is_file() and entry.name != "README.md")


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin1") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def installed(t):
    """OpenSSL's folder of modules with simkey's among them."""
    folder = t.path("ossl-modules")
    os.mkdir(folder, 0o755)
    system = t.run(["openssl", "version", "-m"], preload=False).out.split('"')[1]
    for module in (*glob.glob(system + "/*.so"), os.path.join(BUILD, "simkey.so")):
        if not os.path.lexists(os.path.join(folder, os.path.basename(module))):
            os.symlink(module, os.path.join(folder, os.path.basename(module)))
    return folder


class Machine:
    """What stands for the reader's machine: /etc, services, servers outside, a modem."""

    def __init__(self, t):
        self.t = t
        root = os.geteuid() == 0
        group = grp.getgrnam("www-data") if root else grp.getgrgid(os.getegid())
        self.gid = group.gr_gid
        self.user = "www-data" if root else pwd.getpwuid(os.geteuid()).pw_name
        self.https, self.mqtts = 0, free_port()
        self.proxy, self.gateway, self.mqtt, self.fleet = (free_port() for _ in range(4))
        self.names = [
            ("/dev/serial/by-id", t.path("by-id")),
            ("/dev/ttyUSB2", t.path("by-id/" + BY_ID)), ("/etc/ssl/certs/ca-certificates.crt", pki("ca.pem")),
            ("/etc/simkey", t.path("etc/simkey")), ("/etc/nginx", t.path("etc/nginx")),
            ("/etc/systemd", t.path("etc/systemd")), ("/etc/udev", t.path("etc/udev")),
            ("/etc/mosquitto", t.path("etc/mosquitto")), ("dialout", group.gr_name),
            ("broker.example", "127.0.0.1"), ("8883", str(self.mqtts)), ("-p 1883", f"-p {self.mqtt}"),
            ("8080", str(self.proxy)), ("8443", str(self.gateway)),
            ("8444", str(self.fleet)),
        ]
        os.chown(t.run_dir, -1, self.gid)
        os.chmod(t.run_dir, 0o2770)
        # Not this machine's settings, nor its folder of modules, where `make install` puts ours.
        t.usual = {"SIMKEY_CONF": t.path("etc/simkey/simkey.conf"), "OPENSSL_MODULES": installed(t)}
        self.sim = None

    def local(self, text):
        for name, here in self.names:  # a path counts from its beginning only
            text = re.sub((r"(?<![\w@])" if name[0] == "/" else "") + re.escape(name), lambda _: here, text)
        return text

    def furnish(self):
        t = self.t
        for folder in ("bin", "by-id", "configs", "nginx-temp", "etc/nginx/conf.d", "etc/udev/rules.d",
                       "etc/mosquitto/conf.d", "etc/systemd/system"):
            os.makedirs(t.path(folder), 0o755, exist_ok=True)
        os.symlink(BUILD, t.path("build"))
        for config in configurations():
            with open(os.path.join(ROOT, "configs", config), encoding="utf-8") as file:
                t.write(f"configs/{config}", self.local(file.read()), 0o644)
        for folder in ("usr/local/bin", "usr/local/sbin", "usr/local/share", "var/lib", "etc/haproxy",
                       "etc/logrotate.d", "configs/safe2"):
            os.makedirs(t.path(folder), 0o755, exist_ok=True)
        for entry in os.scandir(os.path.join(ROOT, "configs/safe2")):
            with open(entry.path, encoding="utf-8") as file:
                t.write(f"configs/safe2/{entry.name}", self.local(file.read()),
                        entry.stat().st_mode & 0o777)
        for name, text in STAND_INS.items():
            t.write(f"bin/{name}", "#!/bin/bash\n" + text, 0o755)
        t.write("nginx.conf", f"""{'user www-data;' if os.geteuid() == 0 else ''}
worker_processes 1; pid {t.path("nginx.pid")}; error_log {t.path("nginx.log")} info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    {''.join(f'{kind}_temp_path {t.path("nginx-temp")}; ' for kind in
             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
    include {t.path("etc/nginx/conf.d")}/*.conf;
}}
""", 0o644)
        t.write("mosquitto.conf", f"""user {self.user}
pid_file {t.path("mosquitto.pid")}
listener {self.mqtt} 127.0.0.1
allow_anonymous true
log_dest file {t.write("mosquitto.log", "", 0o666)}
include_dir {t.path("etc/mosquitto/conf.d")}
""", 0o644)
        t.write("mosquitto.pid", "", 0o666)
        for name, file in (("ca.pem", "ca.crt"), ("ca.key", "ca.key"), ("ca.pem", "clients-ca.crt")):
            shutil.copy(pki(name), t.path(file))
        t.run(["openssl", "req", "-x509", *EC_KEY, "-subj", "/CN=the client",
               "-CA", pki("ca.pem"), "-CAkey", pki("ca.key"), "-keyout", t.path("client.key"),
               "-out", t.path("client.crt")], preload=False)
        t.run(["openssl", "req", "-x509", *EC_KEY, "-subj", "/CN=fleet.example",
               "-addext", "subjectAltName=DNS:fleet.example", "-CA", pki("ca.pem"), "-CAkey", pki("ca.key"),
               "-keyout", t.path("fleet.key"), "-out", t.path("fleet.crt")], preload=False)

    def outside(self, card):
        """The servers, which trust the card's CA; the vendor's bundle."""
        t = self.t
        shutil.copy(os.path.join(card, "ca.pem"), t.path("sim-cas.pem"))
        self.server = t.start("s_server", [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-Verify", "1",
            "-verify_return_error", "-CAfile", os.path.join(card, "ca.pem"),
            "-cert", pki("server-rsa.pem"), "-key", pki("server-rsa.key")], preload=False)
        accept = r"ACCEPT 127\.0\.0\.1:(\d+)"
        self.server.wait_for(lambda: re.search(accept, self.server.said()), "listening")
        self.https = re.search(accept, self.server.said())[1]
        self.names += [("server.example:443", f"localhost:{self.https}"),
                       ("server.example", f"localhost:{self.https}")]
        conf = t.write("broker.conf", f"""user {'root' if os.geteuid() == 0 else self.user}
listener {self.mqtts} 127.0.0.1
cafile {card}/ca.pem
certfile {pki("server-p256.pem")}
keyfile {pki("server-p256.key")}
require_certificate true
allow_anonymous true
log_type all
""")
        self.broker = t.start("broker", ["/usr/sbin/mosquitto", "-c", conf], preload=False)
        self.broker.wait_for(lambda: listens(self.mqtts), "listening")

    def modem(self, card, *switches):
        """Puts the card into a modem at the place where the README has it."""
        if self.sim is not None:
            self.sim.stop_cleanly()
        self.sim = self.t.sim(card, *switches)
        port = os.path.realpath(self.sim.device)
        os.chown(port, -1, self.gid)
        os.chmod(port, 0o660)
        link = self.t.path("by-id/" + BY_ID)
        if os.path.islink(link):
            os.remove(link)
        os.symlink(self.sim.device, link)

    def run(self, place, words, text):
        t, sim = self.t, self.sim
        sim.mark()
        heard = len(self.broker.said())
        env = t.env(PATH=f"{t.path('bin')}:{PATH}", USER=pwd.getpwuid(os.geteuid()).pw_name, ROOT=ROOT,
                    DIR=t.dir, SSL_CERT_FILE=pki("ca.pem"))
        if os.path.exists(t.path("etc/simkey/openssl.cnf")):
            env["OPENSSL_CONF"] = t.path("etc/simkey/openssl.cnf")
        program = [PYTHON] if words[0] == "python" else ["bash", "-euo", "pipefail"]
        print(f"-- {place}", flush=True)
        done = t.run([*program, t.write("block", self.local(text))], env=env)
        for command, wanted in PRINTED.items():
            if command in text:
                t.says(done.out + done.err, "(?m)" + wanted)
        for command, wanted in RECEIVED.items():
            if command in text:
                self.broker.wait_for(lambda: re.search(wanted, self.broker.said()[heard:]), wanted)
        self.signatures(text)

    def root_s(self):
        """What the blocks put into /etc/simkey is of nobody but root, and for whom it must be."""
        t = self.t
        names = set(os.listdir(t.path("etc/simkey")))
        t.check({"simkey.conf", "openssl.cnf", "openssl-nopss.cnf", "pin", "sim.crt", "sim.key", "gateway.crt"} <= names, names)
        for name in ("", *names):
            seen = os.lstat(t.path("etc/simkey/" + name))
            mode = {"": 0o40755, "pin": 0o100640, "fleet.key": 0o100600}.get(name, 0o100644)
            t.equal((name, seen.st_uid, oct(seen.st_mode)), (name, os.geteuid(), oct(mode)), "in /etc/simkey")
        t.equal(os.stat(t.path("etc/simkey/pin")).st_gid, self.gid, "the PIN file's group")

    def signatures(self, text):
        commands = text.replace("\\\n", " ").splitlines()
        wanted = sum(any(re.search(sign, command) for sign in SIGNS) for command in commands)
        if re.search(SERVICE, text):
            self.t.check(self.sim.count("PSO CDS") > wanted, "the service did not sign with the SIM")
        else:
            self.t.signatures(self.sim, wanted)

    def close(self):
        """Stops the services that blocks started."""
        for name in ("nginx", "mosquitto", "haproxy", "stunnel"):
            try:
                with open(self.t.path(name + ".pid"), encoding="ascii") as file:
                    pid = int(file.read())
                os.kill(pid, signal.SIGTERM)
                end = time.monotonic() + 10
                while runs(pid):
                    if time.monotonic() > end:
                        os.kill(pid, signal.SIGKILL)
                    time.sleep(0.05)
            except (FileNotFoundError, ValueError, ProcessLookupError):
                pass
        for log in glob.glob(self.t.path("*.log")):  # shown if the test failed
            with open(log, encoding="latin1") as file:
                print(f"-- {os.path.basename(log)}\n{file.read()[-3000:]}")


class Safe2Place:
    """The machine for SAFE2's blocks: its servers listen on free ports, and /usr and /var are ours."""

    def __init__(self, t):
        self.t = t
        self.machine = Machine(t)
        self.ports = free_ports(4)
        options = "--psk-port {} --https-port {} --front-port {} --http-port {}".format(*self.ports)
        self.machine.names = [
            ("4433", str(self.ports[0])), ("localhost:8443", f"localhost:{self.ports[1]}"),
            ("safe2-enrol init", "safe2-enrol init " + options), ("/usr/local", t.path("usr/local")),
            ("/var/lib/safe2", t.path("var/lib/safe2")), ("/etc/safe2", t.path("etc/safe2")),
            ("/etc/haproxy", t.path("etc/haproxy")), ("/etc/logrotate.d", t.path("etc/logrotate.d")),
            *(pair for pair in self.machine.names if pair[0].startswith("/"))]

    def run(self, text):
        t = self.t
        env = t.env(PATH=f"{t.path('bin')}:{t.path('usr/local/sbin')}:{PATH}", ROOT=ROOT, DIR=t.dir,
                    USER=pwd.getpwuid(os.geteuid()).pw_name)
        if not os.path.exists(env["SIMKEY_CONF"]):
            env["SIMKEY_CONF"] = "/dev/null"
        return t.run(["bash", "-euo", "pipefail", t.write("block", self.machine.local(text))], env=env,
                     preload=False)


if not SANITIZED:  # unmodified services and users of their own: nothing for a sanitizer's library
    @test(seconds=240, long=True)
    def every_command_of_the_readme_works(t):
        machine = Machine(t)
        card = t.new_card("--key", "rsa2048")
        try:
            machine.outside(card)
            machine.furnish()
            machine.modem(card)
            for place, words, text in blocks():
                if words[-1] in ("safe2-try", "safe2-server", "safe2-device", "card-reader",
                                 "install", "services", "package", "package-try", "replaced", "cron", "unit", "container",
                                 "agent", "agent-user", "safe2-renamed"):
                    continue  # see below, test_pcsc.py, test_install.py, test_places.py, test_agent_units.py, test_safe2_neighbours.py
                if "program" in words:
                    continue  # test_applications.py
                t.check(len(words) == 1 or words[1:] == ["no-pss"], f"{place}: {words}?")
                t.check(words[0] in ("sh", "python"), f"{place}: a block of what?")
                if "no-pss" in words:
                    machine.modem(card, "--no-pss")
                machine.run(place, words, text)
                if "no-pss" in words:
                    machine.modem(card)
            machine.root_s()
        finally:
            machine.close()

    @test
    def every_command_of_the_try_out_of_safe2_works(t):
        place = Safe2Place(t)
        keys = t.path("keys")
        place.machine.furnish()
        # A reader's pauses between the blocks; the shell tells what it runs with which arguments.
        waits = "".join(f"until (: <>/dev/tcp/127.0.0.1/{port}) 2>>null; do sleep 0.05; done\n"
                        for port in place.ports)
        pause = (waits + "until [ -s $SAFE2_ROOT/run/stunnel/pid ]; do sleep 0.05; done\n"
                 'if [ -n "${sim-}" ]; then until [ -e $sim/modem ]; do sleep 0.05; done; '
                 f"cat $sim/*.psk >{keys}; fi\n")
        done = place.run("trap 'kill $(jobs -p) 2>>null || :; wait' EXIT; exec 9>xtrace; BASH_XTRACEFD=9; "
                         "set -x\n" + pause.join(tagged("safe2-try")))
        first, second = (re.escape('{"configuration":{"version":"%d","config":[{"action":"alarm",'
                                   '"effect":"%s"}]}}\n' % version) for version in ((1, "on"), (2, "off")))
        t.says(done.out, [first + r"\S+ safe2 job get localhost:\d+ identity digits:89883070000000000016 "
                          r"psk_ke TLS_AES_128_\w+ http 200 ", second, r"Z 356938035643809f 21 /",
                          '{"temperature":21.5}\n', "send: state 0003 result 0000 .done"])
        t.equal(len(re.findall(second, done.err)), 1, "how often --exec ran")
        found = t.read(keys).decode().split()
        t.equal([len(key) for key in found], [32, 32], "the keys")
        t.says(t.read("xtrace").decode(), "safe2-enrol rotate 8988")
        t.silent(t.read("xtrace").decode() + done.out + done.err, found)
        t.equal([name for name in os.listdir(t.dir) if name.startswith("tmp.")], [], "what is left")

    @test
    def every_command_for_server_and_device_of_safe2_works(t):
        place = Safe2Place(t)
        machine, key = place.machine, t.write("sim.psk", new_key())
        t.write("config.json", '{"configuration":{}}')
        card = t.new_card("--key", "p256", "--iccid", "89883070000000000016", "--safe2-port",
                          str(place.ports[0]), "--safe2-key-file", key)
        try:
            machine.furnish()
            # On Debian's nginx nobody else says this.
            conf = t.read("nginx.conf").decode()
            t.write("nginx.conf", re.sub(r"client_body_temp_path \S+; ", "", conf), 0o644)
            machine.modem(card)
            for text in tagged("safe2-server"):
                done = place.run(text)
            t.says(done.out, "89883070000000000016  identity: digits\n +config: 20 bytes")
            place.run("install -D -m 644 configs/simkey.conf /etc/simkey/simkey.conf")  # README's ten lines
            for text in tagged("safe2-device"):
                done = place.run(text)
                t.says(done.out + done.err, '{"configuration":{}}')
            t.equal(t.read("etc/safe2/config.json"), b'{"configuration":{}}', "the applied file")
        finally:
            machine.close()

    @test
    def nginx_as_a_server_with_a_card_without_pss(t):
        machine = Machine(t)
        card = t.new_card("--key", "rsa2048")
        try:
            machine.outside(card)
            machine.furnish()
            machine.modem(card, "--no-pss")
            machine.run("nginx without PSS", ["sh"], NGINX_WITHOUT_PSS)
        finally:
            machine.close()

    @test
    def the_demo_shows_two_handshakes_and_leaves_nothing(t):
        os.mkdir(t.path("tmp"))
        for _ in range(2):
            env = t.env(TMPDIR=t.path("tmp"), BUILD=BUILD, SIMKEY_PIN="9999", OPENSSL_CONF="/nonexistent")
            done = t.run([os.path.join(ROOT, "test/e2e/demo.sh")], env=env)
            t.says(done.out, [r"s_client +TLSv1\.3 +\S+ +1 +O=simmodem",
                              r"curl +TLSv1\.2 +\S+ +1 +O=simmodem", "2 PSO CDS",
                              r"private key +0 of 5\d ", "never left the SIM",
                              r'enrolled +{"configuration":', r'the SIM got +{"configuration":',
                              r"psk_ke, .*no Diffie-Hellman", r"identity +8988\d+",
                              r"SIM's key +found 0 times", "key for SAFE2 is in no output"])
            t.equal(done.err, "", "what the demo said on stderr")
            t.equal(os.listdir(t.path("tmp")), [], "what the demo left behind")


@test
def every_configuration_file_is_used_by_a_document(t):
    text = "".join(text for _, _, text in blocks())
    units = [f"safe2/{name}" for name in os.listdir(os.path.join(ROOT, "configs/safe2"))
             if name.startswith("safe2")]
    for config in [*configurations(), *units]:
        t.check(f"configs/{config}" in text, f"no command of a document uses configs/{config}")


@test
def no_document_gives_etc_simkey_to_another_user_than_root(t):
    """Who can write there has every program run his module. tee, install and mv by sudo leave it root's."""
    files = [*(os.path.join(ROOT, name) for name in DOCUMENTS), *glob.glob(os.path.join(ROOT, "configs/**/*"), recursive=True),
             *glob.glob(os.path.join(ROOT, "[apt]*/**/*.[17]"), recursive=True)]
    for path in filter(os.path.isfile, files):
        with open(path, encoding="utf-8") as file:
            lines = file.read().replace("\\\n", " ").split("\n")
        for line in filter(lambda line: "/etc/simkey" in line, lines):
            t.silent(line, r"install .*\s(-o|--owner)\b|chown (?!-hR root:root)")
            for command in re.split(r"&&|;", line):
                if re.search(r"(>|-out|tee|tee -a) */etc/simkey", command):
                    t.silent(command, "> */etc/simkey")
                    t.says(command, r"^\s*sudo \S*simkey .*-out|\| sudo tee ")


@test
def the_messages_in_the_documents_are_those_of_the_code(t):
    literals = ""
    for source in glob.glob(os.path.join(ROOT, "[amp][pro]*", "**", "*.c"), recursive=True):
        with open(source, encoding="utf-8") as file:
            literals += re.sub(r'"\s*\n\s*"', "", file.read())
    table = document("provider/README.md").split("| message |")[1].split("\n\n")[0]
    foreign = ("DECODER|No supported|unable to set|Unable to load|PEM|could not load|TLS error|simkey::|unknown ca|"
               "store loader|Scheme|crypto provider|--engine")  # of other programs
    for message in re.findall(r"^\| (`[^|]*) \|", table, re.M):
        for quoted in re.findall("`([^`]*)`", message):
            if re.search(foreign, quoted):
                continue
            for part in re.split(r"\.\.\.|\b\d+\b|the signing PIN|the SAFE2 applet|the signing applet \(mIAS\)|tries are|process|\(name\)|: [A-Z][a-z ]+$", quoted):
                t.check(part.strip() in literals, f"no code says \"{part.strip()}\" of \"{quoted}\"")


@test
def the_readme_is_short_and_its_links_lead_somewhere(t):
    t.check(document("README.md").count("\n") <= README_LINES, f"README.md has more than {README_LINES} lines")
    anchors = {name: {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
                      for title in re.findall("^#+ (.*)$", document(name), re.M)} for name in DOCUMENTS}
    for name in DOCUMENTS:
        for link in re.findall(r"\]\(([^)]*)\)", document(name)):
            path, _, anchor = link.partition("#")
            if "://" in path:
                continue
            found = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            t.check(os.path.exists(os.path.join(ROOT, found)), f"{name}: {link} leads nowhere")
            t.check(not anchor or anchor in anchors[found], f"{name}: {found} has no section #{anchor}")
