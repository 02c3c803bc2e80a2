# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of SIM cards, with a key of IoT SAFE and without a PIN line in their
configuration: curl, Python, nginx with four workers, mosquitto."""

import os
import signal

from fixture import CURL, PYTHON, test
from signer import none_open
from test_iotsafe import closed, iotsafe
from test_processes import CLIENT
from test_programs import BROKER, by_conf
from test_servers import AS_ROOT, NGINX, Load, Place, reload
from tls import demanding_nginx, free_port, listens, pki

NAME = r"^SUCCESS CN=.*IoT SAFE 01"


def without_pin(t, sim):
    return by_conf(t, sim, SIMKEY_PIN_SOURCE=None)


def once(t, sim):
    """One signature, no PIN, no channel left."""
    t.equal((sim.count("COMPUTE SIGNATURE UPDATE"), sim.count("VERIFY")), (1, 0), "signatures, commands with a PIN")
    closed(t, sim)


def curl(t, versions):
    sim = iotsafe(t)
    cert, key = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    result = t.run(["curl", "-sS", *versions, "--cacert", pki("ca.pem"), "--cert", cert, "--key", key, nginx.url()],
                   env=without_pin(t, sim))
    t.says(result.out, NAME)
    once(t, sim)


test(name="curl gets a page by TLS 1.3 with an IoT SAFE key", versions=["--tlsv1.3"], left_out=CURL)(curl)
test(name="curl gets a page by TLS 1.2 with an IoT SAFE key", versions=["--tls-max", "1.2"], left_out=CURL)(curl)


@test
def python_gets_a_page_with_an_iot_safe_key(t):
    sim = iotsafe(t)
    cert, key = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    result = t.run([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, key, "1"], env=without_pin(t, sim))
    t.says(result.out, NAME)
    once(t, sim)


@test
def mosquitto_pub_publishes_with_an_iot_safe_key(t):
    sim = iotsafe(t)
    cert, key = t.exported(sim)
    port = free_port()
    conf = t.write("broker.conf", BROKER.format(
        port=port, ca=os.path.join(sim.card, "ca.pem"), cert=pki("server-p256.pem"), key=pki("server-p256.key"),
        user="user root" if AS_ROOT else ""))
    broker = t.start("mosquitto", ["mosquitto", "-c", conf], preload=False)
    broker.wait_for(lambda: listens(port), "listening")
    t.run(["mosquitto_pub", "-h", "localhost", "-p", str(port), "--cafile", pki("ca.pem"), "--cert", cert, "--key", key,
           "-t", "hello", "-m", "from the SIM", "-q", "1"], env=without_pin(t, sim))
    t.says(broker.said(), r"u'\d+ IoT SAFE 01'")
    once(t, sim)


@test(left_out=NGINX)
def nginx_with_four_workers_serves_with_an_iot_safe_key_and_is_reloaded(t):
    sim = iotsafe(t, "--sign-ms", "20", "--iotsafe-sessions", "1")
    place = Place(t, sim)
    os.unlink(t.path("etc/pin"))
    config = t.read("etc/simkey.conf").decode()
    t.check("\npin-source =" in config, config)
    t.write("etc/simkey.conf", "".join(line for line in config.splitlines(True) if not line.startswith("pin-source")),
            0o644)
    port = free_port()
    nginx = place.nginx(port, ("nginx-server.conf", "8443", f"127.0.0.1:{port}"))
    load = Load(place.server_visit(port))
    load.wait_for(25)
    reload(nginx)
    load.wait_for(25)
    served = load.stop(t, "handshakes, one reload")
    signed = sim.count("COMPUTE SIGNATURE UPDATE")
    t.check(signed >= served, f"{signed} signatures for {served}")
    t.check(sim.count("MANAGE CHANNEL OPEN") <= 2, f"{sim.count('MANAGE CHANNEL OPEN')} sessions")
    t.equal(sim.count("COMPUTE SIGNATURE CLOSE"), sim.count("COMPUTE SIGNATURE INIT"), "signing sessions closed")
    t.equal(sim.count("VERIFY"), 0, "commands with a PIN")
    nginx.stop(signal.SIGQUIT)
    none_open(t, sim)
