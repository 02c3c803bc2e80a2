# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of SIM cards and only read files: curl, Python, nginx, mosquitto, with
the PEM key reference and OPENSSL_CONF."""

import os
import pwd

from fixture import CURL, KEYS, PYTHON, test
from test_order import conf
from test_processes import CLIENT
from tls import DEMAND, Nginx, Server, demanding_nginx, free_port, issued, listens, pki

PROVIDERS = ("default", "simkey")
WORKER = "www-data"


def by_conf(t, sim, **more):
    return t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS), **more)


def curl(t, key, versions):
    sim = t.sim(key)
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim, "rsa")
    result = t.run(["curl", "-sS", *versions, "--cacert", pki("ca.pem"), "--cert", cert, "--key",
                    reference, nginx.url()], env=by_conf(t, sim))
    t.says(result.out, "^SUCCESS CN=.*signing 0")
    t.equal(result.err, "", "what curl said on stderr")
    t.signatures(sim, 1)


def python(t, key):
    sim = t.sim(key)
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    result = t.run([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, reference, "1"],
                   env=by_conf(t, sim))
    t.says(result.out, "^SUCCESS CN=.*signing 0")
    t.signatures(sim, 1)


for kind in KEYS:
    test(name=f"curl gets a page by TLS 1.3 with a {kind} key", key=kind,
         versions=["--tlsv1.3"], left_out=CURL)(curl)
    test(name=f"curl gets a page by TLS 1.2 with a {kind} key", key=kind,
         versions=["--tls-max", "1.2"], left_out=CURL)(curl)
    test(name=f"Python's load_cert_chain gets a page with a {kind} key", key=kind)(python)


@test(left_out=CURL)
def a_server_that_does_not_know_the_issuer_refuses(t):
    """The tests' server really judges the client's certificate."""
    sim = t.sim("p256")
    cert, reference = t.exported(sim)
    nginx = Nginx(t, pki("server-p256.pem"), pki("server-p256.key"), DEMAND.format(ca=pki("ca.pem")))
    result = t.run(["curl", "-sS", "--cacert", pki("ca.pem"), "--cert", cert, "--key", reference,
                    nginx.url()], env=by_conf(t, sim))
    t.silent(result.out, "SUCCESS")
    t.says(result.out, "400 The SSL certificate error")


def access_for_workers(t, sim):
    """nginx reads the key as root, but its workers sign: give them the device and the PIN."""
    worker = pwd.getpwnam(WORKER)
    port = os.path.realpath(sim.device)
    os.chown(port, -1, worker.pw_gid)
    os.chmod(port, 0o660)
    os.chown(t.run_dir, -1, worker.pw_gid)
    os.chmod(t.run_dir, 0o2770)
    pin = t.pin_file()
    os.chown(pin, -1, worker.pw_gid)
    os.chmod(pin, 0o640)


def server_key_in_the_sim(t, key):
    sim = t.sim(key)
    _, reference = t.exported(sim)
    cert = issued(t, sim, "sim:signing")
    env, user = by_conf(t, sim), ""
    if os.geteuid() == 0:
        access_for_workers(t, sim)
        user = f"user {WORKER};"
    nginx = Nginx(t, cert, reference, "", "return 200 \"hello\\n\";", user, env)
    sim.mark()
    for _ in range(3):
        result = t.run(["curl", "-sS", "--cacert", pki("ca.pem"), nginx.url()], preload=False)
        t.equal(result.out, "hello\n", "the page")
    t.signatures(sim, 3)


def nginx_starts_without_the_modem(t):
    sim = t.sim("p256")
    _, reference = t.exported(sim)
    cert = issued(t, sim, "sim:signing")
    env = by_conf(t, sim)
    sim.stop_cleanly()
    nginx = Nginx(t, cert, reference, "", "return 200 \"hello\\n\";", "", env)
    result = t.run(["curl", "-sS", "--cacert", pki("ca.pem"), nginx.url()], preload=False,
                   expect="failure")
    t.equal(result.out, "", "the page")
    nginx.process.wait_for(lambda: "simkey:" in nginx.said(), "saying why")


for kind in KEYS:
    test(name=f"nginx serves with the {kind} key in the SIM, its workers unprivileged",
         key=kind)(server_key_in_the_sim)
test(name="nginx starts with the modem out and says what is missing when it shall sign")(
    nginx_starts_without_the_modem)


@test
def nginx_speaks_to_a_server_behind_it_with_the_key_in_the_sim(t):
    sim = t.sim("p256")
    cert, reference = t.exported(sim)
    behind = demanding_nginx(t, sim)
    location = (f"proxy_pass {behind.url()}; proxy_ssl_certificate {cert}; "
                f"proxy_ssl_certificate_key {reference}; proxy_ssl_verify on; "
                f"proxy_ssl_trusted_certificate {pki('ca.pem')}; proxy_ssl_name localhost; "
                "proxy_ssl_session_reuse on;")
    user = "user root;" if os.geteuid() == 0 else ""
    front = Nginx(t, pki("server-rsa.pem"), pki("server-rsa.key"), "", location, user,
                  by_conf(t, sim))
    result = t.run(["curl", "-sS", "--cacert", pki("ca.pem"), front.url()], preload=False)
    t.says(result.out, "^SUCCESS CN=.*signing 0")
    t.signatures(sim, 1)


BROKER = """listener {port} 127.0.0.1
cafile {ca}
certfile {cert}
keyfile {key}
require_certificate true
use_identity_as_username true
log_type all
{user}
"""


def mosquitto_pub(t, key):
    sim = t.sim(key)
    cert, reference = t.exported(sim)
    port = free_port()
    user = "user root" if os.geteuid() == 0 else ""
    broker_conf = t.write("broker.conf", BROKER.format(
        port=port, ca=os.path.join(sim.card, "ca.pem"), cert=pki("server-p256.pem"),
        key=pki("server-p256.key"), user=user))
    broker = t.start("mosquitto", ["mosquitto", "-c", broker_conf], preload=False)
    broker.wait_for(lambda: listens(port), "listening")
    t.run(["mosquitto_pub", "-h", "localhost", "-p", str(port), "--cafile", pki("ca.pem"),
           "--cert", cert, "--key", reference, "-t", "hello", "-m", "from the SIM", "-q", "1"],
          env=by_conf(t, sim))
    t.says(broker.said(), "u'\\d+ signing 0'")
    t.signatures(sim, 1)


for kind in KEYS:
    test(name=f"mosquitto_pub publishes with a {kind} key", key=kind)(mosquitto_pub)


@test
def without_the_provider_a_program_just_cannot_read_the_reference(t):
    sim = t.sim("p256")
    cert, reference = t.exported(sim)
    peer = Server(t, os.path.join(sim.card, "ca.pem"))
    t.run(["curl", "-sS", "--cacert", pki("ca.pem"), "--cert", cert, "--key", reference,
           f"https://localhost:{peer.port}/"], preload=False, expect="failure",
          says="unable to set private key file")
