# SPDX-License-Identifier: Apache-2.0
"""Several processes and one SIM; processes that die in the middle."""

import os
import re
import signal

from fixture import PYTHON, test, with_providers
from tls import Server, client_command, demanding_nginx, handshake, pki, talk

PROVIDERS = ("default", "simkey")


def signer(t, sim, key, number, text="/dev/null"):
    return t.start("openssl", ["openssl", *with_providers(
        ["dgst", "-sha256", "-sign", key, "-out", t.path(f"sig-{number}"), text], PROVIDERS)],
        t.env(sim, True))


def at_once(t, carrier):
    sim = t.sim("p256", "--sign-ms", "100")
    cert, key = t.exported(sim)
    signers = []
    for number in range(8):
        text = t.write(f"text-{number}", f"text {number}")
        signers.append(t.start("openssl", ["openssl", *with_providers(
            ["dgst", "-sha256", "-sign", key, "-out", t.path(f"sig-{number}"), text], PROVIDERS)],
            t.env(sim, True, SIMKEY_TRANSPORT=carrier)))
    for number, process in enumerate(signers):
        t.equal(process.wait(), 0, f"status of program {number}: {process.said()}")
    t.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey", "-out", t.path("pub.pem")])
    pub = t.write("pub.pem", t.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"]).raw)
    for number in range(8):
        t.run(["openssl", "dgst", "-sha256", "-verify", pub, "-signature", t.path(f"sig-{number}"),
               t.path(f"text-{number}")])
    t.equal(sim.tries(), 3, "tries")


for name in ("csim", "ccho"):
    test(name=f"eight programs sign at once, {name}", carrier=name)(at_once)


@test
def two_handshakes_at_once(t):
    sim = t.sim("rsa2048", "--sign-ms", "300")
    peer = Server(t, os.path.join(sim.card, "ca.pem"))
    other = Server(t, os.path.join(sim.card, "ca.pem"))
    child = os.fork()
    if child == 0:
        answered, text, status = talk(t, client_command(other.port, "sim:signing", "sim:signing"),
                                      t.env(sim, True))
        if not answered or status != 0:
            print(text)
        os._exit(0 if answered and status == 0 else 1)
    answered, text, status = talk(t, client_command(peer.port, "sim:signing", "sim:signing"),
                                  t.env(sim, True))
    t.check(answered and status == 0, text)
    t.equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "status of the other")
    t.signatures(sim, 2)


def killed(t, carrier, *switches):
    sim = t.sim("p256", "--sign-ms", "400", *switches)
    _, key = t.exported(sim)
    for number in range(5):
        process = t.start("openssl", ["openssl", *with_providers(
            ["dgst", "-sha256", "-sign", key, "-out", t.path("sig"), "/dev/null"], PROVIDERS)],
            t.env(sim, True, SIMKEY_TRANSPORT=carrier))
        process.wait_for(lambda: sim.count("PSO HASH") == number + 1, "signing")
        process.stop(signal.SIGKILL)
    sim.mark()
    handshake(t, sim, signatures=None, env=t.env(sim, True, SIMKEY_TRANSPORT=carrier))
    t.equal(sim.tries(), 3, "tries")


for name in ("csim", "ccho"):
    test(name=f"after five programs were killed while signing the next one works, {name}",
         carrier=name)(killed)


@test
def where_the_applet_is_on_one_channel_at_a_time_a_killed_program_does_not_keep_it(t):
    killed(t, "csim", "--single-select")


@test
def a_program_that_ends_leaves_no_channel_open(t):
    for carrier in ("csim", "ccho"):
        sim = t.sim("p256")
        for _ in range(6):
            handshake(t, sim, env=t.env(sim, True, SIMKEY_TRANSPORT=carrier), signatures=None)
        words = sim.words()
        # a session that the certificate was read on is opened anew for the PIN, where opening selects
        channels = 12 if carrier == "ccho" else 6
        t.equal(words.count("MANAGE CHANNEL OPEN"), channels, "channels opened")
        t.equal(words.count("MANAGE CHANNEL CLOSE"), channels, "channels closed")


CLIENT = """
import ssl, socket, sys
port, ca, cert, key, times = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
for _ in range(int(times)):
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            page = b""
            while chunk := tls.recv(65536):
                page += chunk
            print(page.split(b"\\r\\n\\r\\n")[1].decode().strip())
"""


def several_handshakes(t, switches, key, times=4):
    """In one process, with Python's ssl."""
    from test_order import conf
    sim = t.sim(key, *switches)
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    result = t.run([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, reference,
                    str(times)], env=t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS)))
    t.equal(len(re.findall("SUCCESS CN=.*signing 0", result.out)), times, f"pages: {result}")
    t.equal(sim.tries(), 3, "tries")
    return sim


for words, options in {"a plain card": [], "a card that wants MSE SET each time": ["--mse-each"],
                       "a T=0 card": ["--t0"], "a modem with unsolicited lines":
                       ["--fault", "urc:1"], "mIAS on one channel at a time": ["--single-select"],
                       "one wrong signature": ["--wrong-signature", "1"]}.items():
    for kind in ("rsa2048", "p256"):
        test(name=f"four handshakes in one process, {words}, {kind}", switches=options,
             key=kind)(several_handshakes)


@test
def what_was_verified_once_is_not_verified_again_in_the_same_process(t):
    sim = several_handshakes(t, [], "p256", times=5)
    t.signatures(sim, 5)
    t.equal((sim.count("VERIFY"), sim.count("MSE SET"), sim.count("MANAGE CHANNEL OPEN")),
            (2, 1, 1), "VERIFY, MSE SET and channels of five handshakes")


@test
def a_card_that_wants_mse_each_time_is_learnt(t):
    sim = several_handshakes(t, ["--mse-each"], "p256", times=8)
    t.check(sim.count("PSO CDS") <= 12, f"{sim.count('PSO CDS')} signatures asked for 8 handshakes")


def the_modem_restarts(t, when):
    """Between two signatures of one process, the modem is another one (the card the same)."""
    sim = t.sim("p256")
    cert, reference = t.exported(sim)
    from tls import issued
    server = t.start("s_server", ["openssl", *with_providers(["s_server"], PROVIDERS), "-accept",
                                  "127.0.0.1:0", "-rev", "-cert", issued(t, sim, "sim:signing"),
                                  "-key", reference], t.env(sim, True))
    server.wait_for(lambda: "ACCEPT 127" in server.said(), "listening")
    port = re.search(r"ACCEPT 127\.0\.0\.1:(\d+)", server.said())[1]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", pki("ca.pem"),
               "-verify_return_error"]
    answered, text, _ = talk(t, command, t.env())
    t.check(answered, text)
    sim.stop_cleanly()
    if when == "away":
        answered, text, _ = talk(t, command, t.env())
        t.check(not answered, "a handshake without a modem")
        t.says(server.said(), "simkey:")
    again = t.sim(sim.card)
    os.symlink(os.readlink(again.device), sim.device + ".new")
    os.rename(sim.device + ".new", sim.device)
    answered, text, _ = talk(t, command, t.env())
    t.check(answered, f"no handshake after the restart: {text}{server.said()}")
    t.signatures(again, 1)
    t.equal(again.tries(), 3, "tries")
    server.stop()


test(name="a modem that restarted between two signatures is met anew", when="at once")(
    the_modem_restarts)
test(name="a modem that was away for a while is met anew", when="away")(the_modem_restarts)
