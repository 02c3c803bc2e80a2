# SPDX-License-Identifier: Apache-2.0
"""Servers and programs of other users, with simkey-agent in the place of port and PIN: over each way to the
modem, and for both families of applets."""

import grp
import json
import os
import pwd
import re
import signal
import subprocess
import types

import tls
from agent import OTHER, WWW
from control import direct, open_channels, own_network, proxied, why_not
from fixture import BUILD, CURL, PYTHON, SIMKEY, with_providers
from fixture import test as any_test
from reader import Reader
from signer import none_open, until, verified
from test_agent import Agent, ROOT_ONLY, test
from test_processes import CLIENT
from test_programs import BROKER
from tls import Nginx, Server, client_command, demanding_nginx, free_port, issued, listens, pki, talk

FOUR = tls.NGINX.replace("worker_processes 1", "worker_processes 4")
BRIDGE = """listener {near} 127.0.0.1
allow_anonymous true
connection uplink
address 127.0.0.1:{far}
topic # out 1
bridge_cafile {ca}
bridge_certfile {cert}
bridge_keyfile {key}
"""


def openssl_cnf(t, one):
    """As configs/openssl.cnf: the module and the device, for programs that clear their environment."""
    return t.write("agent.cnf", "nodejs_conf = c\nopenssl_conf = c\n[c]\nproviders = p\n[p]\ndefault = d\nsimkey = s\n"
                   f"[d]\nactivate = 1\n[s]\nactivate = 1\nmodule = {BUILD}/simkey.so\ndevice = agent:{one.socket}\n", 0o644)


class Users:
    """Programs of users that have nothing but the right to connect to the agent."""

    def __init__(self, t, sim, applet, device=None):
        self.t, self.sim, self.one = t, sim, Agent(t, sim, settings=f"applet = {applet}", device=device)
        self.cert, self.key = self.one.exported()
        self.by_conf = {"OPENSSL_CONF": openssl_cnf(t, self.one), "SIMKEY_CONF": "/dev/null", "HOME": "/"}
        self.ca = os.path.join(sim.card, "ca.pem")
        sim.mark()

    def signed(self):
        """Signatures since the last look."""
        count = self.sim.count("PSO CDS") + self.sim.count("COMPUTE SIGNATURE UPDATE")
        self.sim.mark()
        return count

    def openssl(self):
        peer = Server(self.t, self.ca)
        command = self.one.user(WWW, *client_command(peer.port, "sim:signing", "sim:signing"))
        answered, text, status = talk(self.t, command, self.one.client_env())
        self.t.check(answered and status == 0, f"no handshake:\n{text}")
        self.t.says(peer.said(), "Verification: OK")
        self.t.equal(self.signed(), 1, "signatures for openssl")

    def curl_and_python(self):
        env, port = self.t.env(preload=True, **self.by_conf), demanding_nginx(self.t, self.sim).port
        curl = ["curl", "-sS", "--cacert", pki("ca.pem"), "--cert", self.cert, "--key", self.key, f"https://localhost:{port}/"]
        self.t.says(self.t.run(self.one.user(OTHER, *curl), env=env).out, "^SUCCESS CN=")
        python = [PYTHON, "-c", CLIENT, str(port), pki("ca.pem"), self.cert, self.key, "2"]
        self.t.says(self.t.run(self.one.user(WWW, *python), env=env).out, "^SUCCESS CN=.*\nSUCCESS CN=")
        self.t.equal(self.signed(), 3, "signatures for curl and Python")

    def nginx(self):
        """Four workers that serve with the key in the SIM, and are a client with it for each page."""
        t, behind = self.t, demanding_nginx(self.t, self.sim)
        cert = issued(t, types.SimpleNamespace(device="agent:" + self.one.socket), "sim:signing")
        group = grp.getgrgid(os.stat(self.one.socket).st_gid).gr_name
        location = (f"proxy_pass {behind.url()}; proxy_ssl_certificate {self.cert}; proxy_ssl_certificate_key {self.key}; "
                    f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {pki('ca.pem')}; proxy_ssl_name localhost; "
                    "proxy_ssl_session_reuse off;")
        tls.NGINX = FOUR
        front = Nginx(t, cert, self.key, "", location, f"user www-data {group};", t.env(preload=False, **self.by_conf))
        self.signed()
        clients = [subprocess.Popen(["curl", "-sS", "--cacert", pki("ca.pem"), front.url()], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, env=t.env(preload=False)) for _ in range(4)]
        for said in [client.communicate(timeout=60)[0].decode("latin1") for client in clients]:
            t.says(said, "^SUCCESS CN=")
        t.equal(self.signed(), 8, "signatures for nginx")
        self.one.process.wait_for(lambda: re.search(r"\(nginx\) of www-data: sign .*: done", self.one.said()), "logged")

    def mosquitto(self):
        """A bridge, as the user that its package makes, to a broker that demands certificates."""
        t, far, near = self.t, free_port(), free_port()
        broker = t.start("broker", ["mosquitto", "-c", t.write("far.conf", BROKER.format(
            port=far, ca=self.ca, cert=pki("server-p256.pem"), key=pki("server-p256.key"), user="user root"))], preload=False)
        broker.wait_for(lambda: listens(far), "listening")
        conf = t.write("near.conf", BRIDGE.format(near=near, far=far, ca=pki("ca.pem"), cert=self.cert, key=self.key), 0o644)
        bridge = t.start("bridge", self.one.user(pwd.getpwnam("mosquitto").pw_uid, "mosquitto", "-c", conf),
                         t.env(preload=True, **self.by_conf))
        broker.wait_for(lambda: "New bridge connected" in broker.said() or " u'" in broker.said(), "reached by the bridge")
        self.one.process.wait_for(lambda: re.search(r"\(mosquitto\) of mosquitto: sign .*: done", self.one.said()),
                                  "logged")  # behind the answer
        bridge.stop()
        t.check(self.signed() >= 1, "nothing was signed for mosquitto")

    def end(self):
        self.t.equal((self.one.process.stop(), self.sim.tries()), (0, 3), "the agent's status, and tries")
        self.t.equal(open_channels(self.sim), set(), "channels")


def a_card(t, applet):
    return "rsa2048" if applet == "mias" else t.new_card("--applet", applet, "--key", "p256")


def all_programs(t, applets):
    """One card that has them all; both are in a card reader, whose start takes longest."""
    sim = t.sim(a_card(t, "both" if len(applets) > 1 else applets[0]))
    if len(applets) > 1:
        Reader(t, sim)
    for applet in applets:
        users = Users(t, sim, applet, "pcsc:0" if len(applets) > 1 else None)
        users.openssl()
        users.curl_and_python()
        users.nginx()
        users.mosquitto()
        users.end()


def servers(t, protocol, applet, way):
    own_network()
    sim = way(t, protocol, a_card(t, applet))
    users = Users(t, sim, applet, sim.device)
    users.nginx()
    users.mosquitto()
    users.end()


for names, where in ((("mias",), "with mIAS"), (("iotsafe",), "with IoT SAFE"),
                     (("mias", "iotsafe"), "in a card reader, with both applets")):
    any_test(name=f"users without port or PIN do TLS with every program by the agent {where}", applets=names,
             left_out=ROOT_ONLY or CURL, seconds=180)(all_programs)
for kind, name in (("qmi", "mias"), ("mbim", "iotsafe")):
    any_test(name=f"nginx and mosquitto do TLS by the agent on a modem of {kind.upper()}'s, {name}", protocol=kind,
             applet=name, way=direct, left_out=ROOT_ONLY or CURL, seconds=180)(servers)
    any_test(name=f"nginx and mosquitto do TLS by the agent behind {kind}-proxy", protocol=kind, applet="mias", way=proxied,
             left_out=ROOT_ONLY or CURL or why_not(kind), seconds=180)(servers)


# What the SIM tells

def told(t, applet):
    """simkey info says the same of the keys by the agent as by the port."""
    sim = t.sim(t.new_card("--key", "p256", "--applet", applet))
    own = json.loads(t.simkey(sim, "info", "--json").out)["containers"]
    t.simkey(sim, "close")
    one = Agent(t, sim, device=sim.device)
    t.equal(json.loads(one.run(WWW, SIMKEY, "info", "--json").out)["containers"], own, "the keys by the agent")
    one.process.stop()
    return len(own)


@test
def the_keys_of_a_sim_are_the_same_by_the_agent_as_by_the_port(t):
    t.check(told(t, "both") > told(t, "iotsafe") > 0, "a SIM with both applets has no more keys than with one")



def trusting(t, device, card):
    """A user verifies by the CAs in the SIM, and finds as many as who has the modem."""
    sim = t.sim(card)
    own = t.run(["openssl", *with_providers(["storeutl", "-certs", "sim:trust"], ("default", "simkey"))], sim, expect=None)
    t.simkey(sim, "close")
    if device is not None:
        Reader(t, sim)
    one = Agent(t, sim, device=device)
    found = one.run(WWW, "openssl", *with_providers(["storeutl", "-certs", "sim:trust"], ("default", "simkey")),
                    expect=None)
    t.equal((found.status, found.out), (own.status, own.out), "what storeutl says by the agent")
    return sim, one


@test
def the_ca_certificates_in_a_sim_are_a_store_through_the_agent(t):
    card = t.new_card("--applet", "both", "--key", "p256")
    t.run(["cp", pki("ca.pem"), os.path.join(card, "server-ca.pem")], preload=False)
    with open(os.path.join(card, "iotsafe"), encoding="ascii") as file:
        text = file.read()
    t.check("ca.pem" in text, text)
    with open(os.path.join(card, "iotsafe"), "w", encoding="ascii") as file:
        file.write(text.replace("ca.pem", "server-ca.pem"))
    sim, one = trusting(t, None, card)
    peer = Server(t, os.path.join(card, "ca.pem"))
    command = client_command(peer.port, "sim:signing;applet=iotsafe", "sim:signing;applet=iotsafe")
    at = command.index("-CAfile")
    command[at:at + 2] = ["-CAstore", "sim:trust"]
    answered, said, status = talk(t, one.user(WWW, *command), one.client_env())
    t.check(answered and status == 0, said)
    t.says(said, "Verify return code: 0")
    one.process.wait_for(lambda: "of www-data: certificate: done" in one.said(), "logged")
    one.configure("allow = www-data read,sign signing\n")
    one.process.stop()
    none_open(t, sim)
    one.start()
    one.run(WWW, "openssl", *with_providers(["storeutl", "-certs", "sim:trust"], ("default", "simkey")), expect="failure",
            says=r"\(certificate\)")


@test
def a_sim_with_mias_has_the_same_certificates_for_whoever_asks(t):
    _, one = trusting(t, None, "rsa2048")
    t.equal(one.process.stop(), 0, "the agent's status")


@test
def lines_with_keys_of_both_families_let_those_sign_and_no_other(t):
    """And what signs is what was asked for, not what another line names."""
    card = t.new_card("--applet", "both", "--key", "p256")
    one = Agent(t, t.sim(card))
    iotsafe, second, third = os.path.join(card, "iotsafe.pem"), os.path.join(card, "signing-2.pem"), "sim:signing;container=3"
    for keys, may, cert in (("signing;applet=iotsafe", "sim:signing;applet=iotsafe", iotsafe),
                            ("signing;id=%01", "sim:signing;id=%01", iotsafe),
                            ("signing;object=BootstrapKey_1", "sim:signing;object=BootstrapKey_1", iotsafe),
                            ("signing;id=%01 signing;object=none signing;container=2", "sim:signing;container=2", second),
                            ("signing", "sim:signing", os.path.join(card, "signing-0.pem"))):
        one.configure(f"allow = www-data read,sign {keys}\n")
        one.process.popen.send_signal(signal.SIGHUP)
        until(lambda: "read anew" in one.said().splitlines()[-1], "reading its settings anew")
        one.sign(WWW, may)
        verified(t, cert)
        one.sign(WWW, third, expect="failure", says=r"\(read\).*says who may do what")
    one.sign(WWW, "sim:signing;applet=iotsafe", expect="failure", says="says who may do what")
    t.equal(one.process.stop(), 0, "the agent's status")


@test
def a_signature_with_iot_safe_costs_three_apdus_for_a_new_process_each_time(t):
    sim = t.sim(a_card(t, "iotsafe"))
    one = Agent(t, sim)
    cert, key = one.exported()
    one.sign(WWW, key)
    for user in (OTHER, WWW):
        sim.mark()
        one.sign(user, key)
        t.equal(len(sim.apdus()), 3, "APDUs of a new process")
        verified(t, cert)
