# SPDX-License-Identifier: Apache-2.0
"""simkey-agent: programs of other users, which have neither the port nor the PIN, get signatures; and
nothing else, whatever they do."""

import json
import os
import re
import signal
import time

import agent
from agent import OTHER, WWW
from fixture import BUILD, PYTHON, REFUSED, SIMKEY, UNREACHABLE, with_providers
from fixture import test as any_test
from signer import PROVIDERS, TWO, dgst, none_open, until, verified
from tls import COLD, Server, client_command, demanding_nginx, pki, talk

AGENT = os.path.join(BUILD, "simkey-agent")
HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent.py")
ROOT_ONLY = None if os.geteuid() == 0 else "other users are needed: only root has them"


def test(function=None, **how):
    return any_test(function, left_out=ROOT_ONLY, **how)


def restricted(t):
    """What starts a program as the unit does, as far as it can be done by hand: the system is read-only but for
    the test's folder, there is no capability, and none to get. (The group of its socket is systemd's to give.)"""
    mounts = 'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'
    start = ["unshare", "--mount", "--ipc", "--uts", "sh", "-ec", mounts, "sh", t.dir, "setpriv",
             "--bounding-set=-all,+chown", "--inh-caps=-all", "--no-new-privs", "--"]
    return start if t.run([*start, "true"], expect=None, preload=False).status == 0 else []  # no mounts here


class Agent:
    """A running agent, and what other users need of it."""

    def __init__(self, t, sim, lines="", pin="0000", sections="", settings="", device=None, prefix=(), **env):
        self.t, self.sim, self.settings, self.sections = t, sim, settings, sections
        self.pin = t.write("agent-pin", pin + "\n")
        self.prefix = [*restricted(t), *prefix]
        self.env = {"SIMKEY_STATE_DIR": t.path("agent-state"), **env}
        os.makedirs(t.path("agent-state"), exist_ok=True)
        os.chmod(t.dir, 0o755)
        self.port = device or t.path("agent-port")
        if device is None and not os.path.islink(self.port):
            os.symlink(sim.device, self.port)
        self.socket = t.path("agent/socket")
        self.configure(lines)
        self.start()

    def configure(self, lines):
        self.t.write("agent.conf", f"device = {self.port}\npin-source = {self.pin}\n{self.settings}\n{lines}\n"
                                   f"{self.sections}")

    def start(self):
        self.process = self.t.start("simkey-agent", [*self.prefix, AGENT, "--socket", self.socket, "--config",
                                                     self.t.path("agent.conf")],
                                    self.t.env(preload=False, **self.env))
        self.process.wait_for(lambda: "ready at" in self.process.said(), "ready")

    def said(self):
        return self.process.said()

    def user(self, number, *command):
        """The command as that user, with the socket's group beside its own."""
        group = str(os.stat(self.socket).st_gid)
        return ["setpriv", f"--reuid={number}", f"--regid={number}", "--groups", group, "--", *command]

    def client_env(self, **more):
        return self.t.env(preload=True, SIMKEY_DEVICE="agent:" + self.socket, SIMKEY_CONF="/dev/null",
                          HOME="/", **more)

    def run(self, number, *command, **how):
        return self.t.run(self.user(number, *command), env=self.client_env(**how.pop("more", {})), **how)

    def exported(self):
        """Certificate and reference, which all may read."""
        for name, kind in (("cert.pem", "cert"), ("key.pem", "key")):
            self.t.simkey(None, kind, "signing", "--out", self.t.path(name), env=self.client_env())
            os.chmod(self.t.path(name), 0o644)
        return self.t.path("cert.pem"), self.t.path("key.pem")

    def sign(self, number, key, **how):
        """A signature by a process of that user."""
        out = self.t.write("sig", "", 0o666)
        os.chmod(out, 0o666)
        return self.run(number, *dgst(self.t, key), **how)

    def children(self):
        return children_of(self.process.popen.pid)


def children_of(parent):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="latin1") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] not in "ZX":
            found.append(int(name))
    return found


# What it is for

@test
def a_user_with_neither_port_nor_pin_does_tls_with_openssl_and_curl(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    sim.mark()
    for number, names in ((WWW, (cert, key)), (OTHER, ("sim:signing", "sim:signing"))):
        peer = Server(t, os.path.join(sim.card, "ca.pem"))
        answered, text, status = talk(t, one.user(number, *client_command(peer.port, *names, ["-tls1_3"])),
                                      one.client_env())
        t.check(answered and status == 0, f"no handshake:\n{text}")
        t.says(peer.said(), "Verification: OK")
    t.equal([a for a in sim.words() if a in ("VERIFY", "PSO CDS")], ["VERIFY", "VERIFY", "PSO CDS", "PSO CDS"],
            "the PIN's state is asked and the PIN sent once, for two processes")
    nginx = demanding_nginx(t, sim)
    conf = t.write("client.cnf", f"openssl_conf = c\n[c]\nproviders = p\n[p]\ndefault = d\nsimkey = s\n[d]\nactivate = 1\n"
                                 f"[s]\nactivate = 1\nmodule = {BUILD}/simkey.so\n", 0o644)
    page = one.run(WWW, "curl", "-sS", "--cacert", pki("ca.pem"), "--cert", cert, "--key", key, nginx.url(),
                   more={"OPENSSL_CONF": conf})
    t.says(page.out, "SUCCESS")
    t.says(one.said(), [r"pid \d+ \(openssl\) of www-data: sign container 0, key id 61: done, \d+ ms",
                        r"\(openssl\) of backup: read: done", r"\(curl\) of www-data: sign"])


@test
def a_signature_costs_two_apdus_for_a_new_process_each_time(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    one.sign(WWW, key)
    for number in (WWW, OTHER, WWW):
        sim.mark()
        one.sign(number, key)
        t.equal(sim.words(), TWO, "APDUs of a new process")
        verified(t, cert)
    sim.mark()
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


@test
def a_channel_that_nobody_needs_is_closed(t):
    sim = t.sim("p256")
    one = Agent(t, sim, settings="idle = 1")
    _, key = one.exported()
    one.sign(WWW, key)
    until(lambda: sim.count("MANAGE CHANNEL CLOSE") > 0, "closed")
    none_open(t, sim)
    sim.mark()
    one.sign(WWW, key)
    t.equal(sim.words(), COLD, "APDUs of the next signature")


@test
def several_modems_are_sections_and_the_key_s_sim_chooses(t):
    first, second = t.sim("p256"), t.sim("p384")
    pin = t.pin_file()
    one = Agent(t, first, sections=f"[second]\ndevice = {second.device}\npin-source = {pin}\n")
    for name, kind in (("cert.pem", "cert"), ("key.pem", "key")):
        t.simkey(second, kind, "signing", "--out", t.path(name))
        os.chmod(t.path(name), 0o644)
    first.mark(), second.mark()
    one.sign(WWW, t.path("key.pem"))
    verified(t, t.path("cert.pem"))
    t.signatures(first, 0)
    t.signatures(second, 1)
    one.sign(WWW, "sim:signing")
    t.signatures(first, 1)


@test
def systemd_s_socket_is_taken_over(t):
    sim = t.sim("p256")
    pin = t.pin_file()
    os.chmod(t.dir, 0o755)
    conf = t.write("agent.conf", f"device = {sim.device}\npin-source = {pin}\nrun-dir = {t.run_dir}\n")
    path = t.path("activated")
    server = t.start("systemd-socket-activate", [
        "systemd-socket-activate", "--seqpacket", "-l", path, "-E", "SIMKEY_STATE_DIR=" + t.path("state"), AGENT,
        "--config", conf], t.env(preload=False))
    server.wait_for(lambda: os.path.exists(path), "listening")
    t.says(t.simkey(None, "pin", "status", env=t.env(SIMKEY_DEVICE="agent:" + path)).out, "3 tries left")


# What it does not give

@test
def what_the_agent_does_not_give_says_where_it_can_be_done(t):
    sim = t.sim("rsa2048")
    one = Agent(t, sim)
    one.exported()
    elsewhere = "where the modem is.*--device"
    wrong = t.pin_file("9999")
    apdus = len(sim.all_apdus())
    t.simkey(None, "pin", "verify", "--pin-source", wrong, env=one.client_env(), expect=REFUSED, says=elsewhere)
    t.simkey(None, "pin", "verify", env=one.client_env(), expect=REFUSED, says=elsewhere)
    t.simkey(None, "pin", "change", "--old-source", wrong, "--new-source", wrong, env=one.client_env(),
             expect=REFUSED, says=elsewhere)
    t.simkey(None, "apdu", "00A40000023F00", env=one.client_env(), expect=REFUSED, says=elsewhere)
    t.simkey(None, "close", env=one.client_env(), expect=REFUSED, says="keeps its channel by itself")
    t.run([os.path.join(BUILD, "safe2"), "status"], env=one.client_env(), expect=REFUSED, says=elsewhere)
    one.run(WWW, *["openssl", *with_providers(["pkey", "-in", "sim:available", "-noout"], PROVIDERS)], expect="failure",
            says="allow.*says who may do what")
    t.equal(len(sim.all_apdus()), apdus, "APDUs of all that")
    t.equal(sim.tries(), 3, "tries")
    told = json.loads(one.run(WWW, SIMKEY, "info", "--json").out)
    t.equal(told["applets"], {}, "applets, for which the agent asks nothing")
    t.silent(one.run(WWW, SIMKEY, "info").out, "applets")


@test
def decrypting_and_type_a_s_key_need_a_line(t):
    sim = t.sim("rsa2048")
    one = Agent(t, sim)
    cert, key = one.exported()
    secret = t.write("secret", "a secret", 0o644)
    t.run(["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", cert, "-in", secret, "-out", t.path("enc")],
          preload=False)
    os.chmod(t.path("enc"), 0o644)
    decrypt = ["openssl", *with_providers(["pkeyutl", "-decrypt", "-inkey", key, "-in", t.path("enc")], PROVIDERS)]
    available = ["openssl", *with_providers(["pkey", "-in", "sim:available", "-pubout"], PROVIDERS)]
    sim.mark()
    one.run(WWW, *decrypt, expect="failure", says=r"\(decrypt\)")
    one.run(WWW, *available, expect="failure", says="says who may do what")
    t.equal(sim.words(), [], "APDUs for what is not allowed")
    one.configure("allow = www-data decrypt signing\nallow = backup available,read available\n")
    one.process.popen.send_signal(signal.SIGHUP)
    one.process.wait_for(lambda: "read anew" in one.said(), "reading its settings anew")
    t.equal(one.run(WWW, *decrypt).out, "a secret", "the plain text")
    one.run(WWW, *available, expect="failure", says="says who may do what")
    t.says(one.run(OTHER, *available).out, "BEGIN PUBLIC KEY")
    one.run(OTHER, *decrypt, expect="failure", says=r"\(decrypt\)")
    one.sign(WWW, key, expect="failure", says=r"\(sign\)")
    t.silent(one.said(), "a secret|PRIVATE KEY|0000")


@test
def a_forbidden_user_key_or_operation_reaches_no_sim(t):
    sim = t.sim("p256")
    one = Agent(t, sim, lines="allow = www-data sign signing;container=0\nallow = @backup read signing;container=2")
    refused = 8  # OUTCOME_REFUSED
    www = one.user(WWW, PYTHON, "-c", "import sys; sys.path.insert(0, sys.argv[1]); from agent import *\n"
                   "for packet in eval(sys.argv[3]): print(ask(sys.argv[2], packet)[0])", os.path.dirname(HOSTILE))

    def asks(number, packets):
        command = one.user(number, *www[www.index("--") + 1:], one.socket, packets)
        return [int(word) for word in t.run(command, preload=False).out.split()]

    t.equal(asks(WWW, "[sign_request(0, b'\\x64'), sign_request(3, b'\\x64'), sign_request(3, b'\\x61'),"
                 "sign_request(255, b'\\x61'), sign_request(0, b'\\x61\\x00'), sign_request(0, b'', label=b'x'),"
                 "request(READ, container=0), request(LIST), request(DECRYPT, kind=RSA, data=bytes(256), container=0,"
                 "key=b'\\x61'), request(AVAILABLE, option=0x80)]"), [refused] * 10, "www-data")
    t.equal(asks(OTHER, "[sign_request(), request(READ, container=0), sign_request(2, b'\\x63')]"), [refused] * 3,
            "backup")
    t.equal(asks(35, "[sign_request(), request(LIST), request(TRIES)]"), [refused] * 3, "another user")
    t.equal(sim.words(), [], "APDUs for what is not allowed")
    t.equal(asks(WWW, "[sign_request(0, b'\\x61')]"), [0], "what is allowed")
    t.equal(asks(OTHER, "[request(READ, container=2)]"), [0], "what is allowed, by the group")
    t.run(["setpriv", "--reuid=35", "--regid=35", "--clear-groups", SIMKEY, "pin", "status"], env=one.client_env(),
          expect=UNREACHABLE, says="adduser USER simkey")


# Hostile clients

@test(seconds=240)
def broken_packets_attached_descriptors_and_dropped_connections_do_nothing(t):
    sim = t.sim("p256")
    one = Agent(t, sim, settings="requests = 10000\nidle = 3600")
    _, key = one.exported()
    one.sign(WWW, key)
    until(lambda: not one.children(), "rid of the first child")
    sim.mark()
    tries, descriptors = sim.tries(), len(os.listdir(f"/proc/{one.process.popen.pid}/fd"))
    for seed in range(2):
        said = t.run(one.user(WWW, PYTHON, HOSTILE, one.socket, "garbage", "600", str(seed)), preload=False,
                     seconds=100).out
        print(said)
    until(lambda: not one.children(), "rid of all children")
    t.equal(sim.words(), [], "APDUs for packets that are none")
    t.equal(len(os.listdir(f"/proc/{one.process.popen.pid}/fd")), descriptors, "descriptors of the agent")
    t.silent(one.said(), "signal")
    one.sign(WWW, key)
    t.equal((sim.words(), sim.tries()), (TWO, tries), "APDUs and tries of the next signature")


@test
def nothing_is_signed_for_who_went_away_before_it_began(t):
    sim = t.sim("p256", "--sign-ms", "1500")
    one = Agent(t, sim)
    one.exported()
    sim.mark()
    first = agent.connect(one.socket)
    first.send(agent.sign_request())
    until(lambda: sim.count("PSO HASH") == 1, "signing")
    gone = [agent.connect(one.socket) for _ in range(4)]
    for client in gone:
        client.send(agent.sign_request())
    until(lambda: len(one.children()) == 5, "waiting")
    for client in gone:
        client.close()
    until(lambda: len(one.children()) == 1, "rid of those that went away", 1)
    first.close()  # in the middle of its own
    until(lambda: not one.children(), "rid of all children")
    t.signatures(sim, 1)


@test
def a_flood_by_one_user_delays_another_by_the_operation_under_way(t):
    sim = t.sim("p256", "--sign-ms", "400")
    one = Agent(t, sim)
    _, key = one.exported()
    one.sign(OTHER, key)
    flood = t.start("flood", one.user(WWW, PYTHON, HOSTILE, one.socket, "flood", "12"), preload=False)
    until(lambda: sim.count("PSO CDS") > 2, "flooded")
    for _ in range(5):  # this process is another user's: root's
        with agent.connect(one.socket) as client:
            began = time.monotonic()
            client.send(agent.sign_request())
            t.equal(agent.answer(client)[0], 0, "the outcome")
        signed = [a for a in sim.all_apdus() if a.words == "PSO CDS" and a.time > began]
        # the one under way, perhaps one that began before the agent had read the request, and its own
        t.check(len(signed) <= 3, f"{len(signed)} signatures until the other user had one")
    t.check(len(one.children()) > 10, "the flood was none")
    flood.wait()
    until(lambda: not one.children(), "rid of all children")
    one.sign(OTHER, key)


@test
def a_user_without_patience_costs_the_others_no_session(t):
    sim = t.sim("p256", "--sign-ms", "300")
    one = Agent(t, sim)
    _, key = one.exported()
    one.sign(OTHER, key)
    sim.mark()
    hasty = t.start("hasty", one.user(WWW, PYTHON, HOSTILE, one.socket, "hasty", "100"), preload=False)
    until(lambda: sim.count("PSO CDS") > 2, "at work")
    for _ in range(3):
        one.sign(OTHER, key)
    hasty.stop()
    until(lambda: not one.children(), "rid of all children")
    t.equal(set(sim.words()), set(TWO), "the commands beside signatures")


@test
def a_user_whose_request_a_process_died_of_waits_ten_seconds(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    _, key = one.exported()
    hostile = t.start("crash", one.user(WWW, PYTHON, HOSTILE, one.socket, "crash"), preload=False)
    hostile.wait_for(lambda: "connected" in hostile.said(), "connected")
    until(lambda: one.children(), "serving")
    os.kill(one.children()[0], signal.SIGABRT)  # a sanitizer catches SIGSEGV
    hostile.wait()
    until(lambda: "died of signal" in one.said(), "logged")
    t.says(one.said(), r"for uid 33, died of signal 6: that user waits 10 seconds")
    t.equal(hostile.said().split("\n")[1], "None", "what it was answered")
    one.sign(OTHER, key)
    one.sign(WWW, key, expect="failure", more={"SIMKEY_TIMEOUT": "1"}, says="time-out|no room")
    began = time.monotonic()
    one.sign(WWW, key)
    t.check(3 < time.monotonic() - began < 12, "the user was barred for another time")


@test
def names_of_programs_and_keys_are_harmless_in_the_log(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    name = "import sys; sys.path.insert(0, sys.argv[1]); from agent import *\n" \
           "open('/proc/self/comm', 'w').write('x\\n\\033[2J y')\n" \
           "print(ask(sys.argv[2], request(READ, label=b'a\\n\\033]0;b'))[0])"
    t.run(one.user(WWW, PYTHON, "-c", name, os.path.dirname(HOSTILE), one.socket), preload=False)
    until(lambda: "of www-data: read" in one.said(), "logged")
    t.silent(one.said(), "[\x00-\x09\x0b-\x1f]")
    t.says(one.said(), re.escape("\\x1b"))
