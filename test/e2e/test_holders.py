# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed, stopped or forked while they have the SIM or wait for it: the others
get on, and no signature is wrong."""

import os
import random
import re
import signal
import time

from fixture import PYTHON, SIMKEY, UNREACHABLE, test
from foreign import ENDING, MIAS, UICC, Foreign
from signer import PROVIDERS, TWO, Signer, dgst, holder, none_open, until, verified
from test_order import conf
from tls import free_port, issued, pki

CARD_MS = 500
PATIENCE = 1.0  # beyond what the card needs: to clean the line, and to begin anew
SIGNATURES = 16


def begins(signer, sim):
    """The signer has the SIM now."""
    signer.say("sign")
    until(lambda: holder(sim) == signer.pid, "the holder")


def dice(name):
    """Random moments; the number in the log repeats them."""
    seed = os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 6)
    print(f"-- {name}, SEED={seed}", flush=True)
    return random.Random(f"{name} {seed}")


def killed_at_random(t, carrier):
    sim = t.sim("p256", "--sign-ms", str(CARD_MS))
    exported = t.exported(sim)
    rng = dice("killed holder")
    survivor = Signer(t, sim, exported, SIMKEY_TRANSPORT=carrier)
    survivor.sign()
    longest = 0
    for _ in range(SIGNATURES // 2):
        victim = Signer(t, sim, exported, SIMKEY_TRANSPORT=carrier)
        begins(victim, sim)
        time.sleep(rng.uniform(0, CARD_MS / 1000 + 0.02))
        victim.kill()
        longest = max(longest, survivor.sign())
    print(f"-- longest: {longest:.2f} s", flush=True)
    t.check(longest < 2 * CARD_MS / 1000 + PATIENCE, f"the next one after a killed holder: {longest:.2f} s")
    survivor.end()
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


def killed_while_it_begins(t, manner, *switches):
    """Anywhere in a new session: on a slow line that lasts a second."""
    sim = t.sim("p256", "--baud", "9600", "--sign-ms", "50", *switches)
    exported = t.exported(sim)
    rng = dice("killed in a new session")
    survivor = Signer(t, sim, exported, SIMKEY_SESSION=manner)
    survivor.sign()
    for _ in range(SIGNATURES):
        victim = Signer(t, sim, exported, SIMKEY_SESSION=manner)
        if manner == "shared":
            with Foreign(sim.device) as foreign:
                foreign.disturb("closes")
        begins(victim, sim)
        time.sleep(rng.uniform(0, 1.1))
        victim.kill()
        took = survivor.sign()
        t.check(took < 4, f"the next one: {took:.2f} s")
    survivor.end()
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


for by in ("csim", "ccho"):
    test(name=f"a holder that is killed at any moment holds up nobody, {by}",
         carrier=by)(killed_at_random)
for name in ("shared", "private"):
    test(name=f"one that is killed while it begins a session leaks no channel, {name}", long=True, manner=name,
         light=True)(killed_while_it_begins)


@test
def a_stopped_holder_makes_waiters_end_at_their_deadline(t):
    sim = t.sim("p256", "--sign-ms", str(CARD_MS))
    exported = t.exported(sim)
    stopped = Signer(t, sim, exported)
    waiters = [Signer(t, sim, exported, SIMKEY_TIMEOUT="3") for _ in range(3)]
    waiters[0].sign()
    begins(stopped, sim)
    time.sleep(0.1)
    stopped.signal(signal.SIGSTOP)
    named = rf"in use by process {stopped.pid} \(worker\)"
    for waiter in waiters:
        waiter.say("sign")
    done = t.simkey(sim, "pin", "status", "--timeout", "2", expect=UNREACHABLE, says=named)
    t.silent(done.out, ".")
    for waiter in waiters:
        took = waiter.heard_failure(named)
        t.check(2.9 < took < 3.5, f"a waiter with 3 s ended after {took:.2f} s")
    stopped.signal(signal.SIGCONT)
    stopped.heard_signature()
    for waiter in waiters:
        waiter.sign()
    t.run(dgst(t, exported[1]), env=t.env(sim, True))
    verified(t, exported[0])
    t.equal(sim.tries(), 3, "tries")


@test
def a_holder_that_is_stopped_again_and_again_signs_right(t):
    """Also where it slept over its own deadline, and the modem answered meanwhile."""
    sim = t.sim("p256", "--sign-ms", "100")
    exported = t.exported(sim)
    rng = dice("stopped holder")
    stopped, other = Signer(t, sim, exported, SIMKEY_TIMEOUT="2"), Signer(t, sim, exported)
    other.sign()
    for number in range(8):
        stopped.say("sign")
        until(lambda: holder(sim) == stopped.pid, "the holder")
        time.sleep(rng.uniform(0, 0.1))
        stopped.signal(signal.SIGSTOP)
        other.say("sign")
        time.sleep(2.5 if number % 4 == 3 else rng.uniform(0, 0.5))
        stopped.signal(signal.SIGCONT)
        line = stopped.hear()
        t.check(line.startswith("sign ") or number % 4 == 3, line)
        other.heard_signature()
    t.equal(sim.tries(), 3, "tries")


# Forks

def idle_child(t, waits):
    """A child that never uses the SIM, forked in the middle of an operation whose process is then
    killed: it holds nothing."""
    sim = t.sim("p256", "--sign-ms", "600")
    exported = t.exported(sim)
    parent, other = Signer(t, sim, exported), Signer(t, sim, exported)
    other.sign()
    if waits:
        begins(other, sim)
    parent.say("fork-idle")
    child = int(re.fullmatch(rf"forked {parent.pid} (\d+)", parent.hear())[1])
    try:
        if waits:
            other.heard_signature()
        until(lambda: holder(sim) == parent.pid, "the holder")
        parent.kill()
        took = other.sign()
        t.check(took < 3, f"the next one waited {took:.1f} s for an idle child")
        sim.mark()
        since = time.monotonic()
        for _ in range(3):
            other.sign()
        took = time.monotonic() - since
        t.check(took < 3 * 0.6 + 0.3, f"three signatures beside an idle child: {took:.2f} s")
    finally:
        os.kill(child, signal.SIGKILL)


test(name="an idle child of a killed holder does not keep the SIM", waits=False)(idle_child)
test(name="an idle child of one that waited does not keep the SIM", waits=True)(idle_child)


FORKING_SERVER = """
import os, signal, socket, ssl, sys
port, cert, key, workers = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)
listener = socket.create_server(("127.0.0.1", port), backlog=64)
children = []
for _ in range(workers):
    children.append(os.fork())
    if children[-1] == 0:
        print("worker", flush=True)
        while True:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.sendall(f"served by {os.getpid()}\\n".encode())
                    tls.unwrap()
            except OSError as error:
                print("failed:", error, flush=True)
def stop(*_):
    for child in children:
        os.kill(child, signal.SIGTERM)
signal.signal(signal.SIGTERM, stop)
for child in children:
    os.waitpid(child, 0)
"""

FORKING_CLIENTS = """
import os, socket, ssl, sys
port, ca, cert, key = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
def pages(times):
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                page = b""
                while chunk := tls.recv(65536):
                    page += chunk
        assert b"SUCCESS CN=" in page, page
pages(2)
children = []
for _ in range(4):
    children.append(os.fork())
    if children[-1] == 0:
        pages(4)
        os._exit(0)
pages(4)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@test
def a_server_that_forks_its_workers_beforehand_serves(t):
    sim = t.sim("p256", "--sign-ms", "50")
    _, reference = t.exported(sim)
    cert, port = issued(t, sim, reference), free_port()
    server = t.start("python", [PYTHON, "-c", FORKING_SERVER, str(port), cert, reference, "4"],
                     t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS)))
    server.wait_for(lambda: server.said().count("worker") == 4, "ready")
    sim.mark()
    clients = [t.start("s_client", ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                                    pki("ca.pem"), "-verify_return_error", "-quiet"], preload=False)
               for _ in range(16)]
    for client in clients:
        client.wait()
        t.says(client.said(), r"served by \d+")
    t.silent(server.said(), "failed")
    t.signatures(sim, 16)
    t.check(sim.count("MANAGE CHANNEL OPEN") <= 1, "sessions of four workers")
    t.equal(sim.tries(), 3, "tries")


@test
def a_client_that_forks_after_its_first_handshakes_goes_on_in_all_processes(t):
    from tls import demanding_nginx
    sim = t.sim("p256", "--sign-ms", "30")
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    t.run([PYTHON, "-c", FORKING_CLIENTS, str(nginx.port), pki("ca.pem"), cert, reference],
          env=t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS)))
    t.signatures(sim, 22)
    t.equal(sim.count("MANAGE CHANNEL OPEN"), 1, "sessions of five processes")
    t.equal(sim.tries(), 3, "tries")


# Other programs at the port

@test
def what_another_program_does_to_the_modem_is_mended(t):
    sim = t.sim("p256", "--sign-ms", "20")
    exported = t.exported(sim)
    signer = Signer(t, sim, exported)
    signer.sign()
    for line in ("ATE1", "AT+CMEE=2", "AT+CMEE=0", "ATV0", "ATQ1", "ATE1V0", "ATZ", "AT&F"):
        with Foreign(sim.device) as foreign:
            os.write(foreign.port, line.encode() + b"\r")
            foreign.hear(None, 0.1)
        took = signer.sign()
        print(f"-- after {line}: {took:.2f} s", flush=True)
        t.check(took < 8, f"a signature after {line}: {took:.2f} s")
    t.equal(sim.tries(), 3, "tries")
    signer.end()
    none_open(t, sim)


@test
def what_another_program_does_is_not_taken_for_the_cards_habit(t):
    """However often it selects on our channel: the card takes the short way, and was seen to."""
    sim = t.sim("p256")
    signer = Signer(t, sim, t.exported(sim))
    signer.sign()
    signer.sign()
    for how in ENDING:
        for _ in range(4):
            with Foreign(sim.device) as foreign:
                foreign.disturb(how)
            signer.sign()
        sim.mark()
        signer.sign()
        signer.sign()
        t.equal(sim.words(), TWO * 2, f"APDUs of two signatures after somebody four times {how}")
    t.equal(sim.tries(), 3, "tries")
    signer.end()
    none_open(t, sim)


@test
def a_selection_by_others_after_a_death_leaks_no_channel(t):
    sim = t.sim("p256", "--sign-ms", "200")
    exported = t.exported(sim)
    survivor = Signer(t, sim, exported)
    survivor.sign()
    for aid in (UICC, MIAS):
        victim = Signer(t, sim, exported)
        begins(victim, sim)
        time.sleep(0.05)
        victim.kill()
        with Foreign(sim.device) as foreign:
            time.sleep(0.3)
            foreign.select(1, aid)
        survivor.sign()
    survivor.end()
    t.equal(sim.tries(), 3, "tries")
    none_open(t, sim)


@test
def a_program_that_holds_the_port_is_named(t):
    sim = t.sim("p256")
    signer = Signer(t, sim, t.exported(sim), SIMKEY_TIMEOUT="2")
    with Foreign(sim.device):
        took = signer.fails(rf"in use by process {os.getpid()} \(python3")
    t.check(1.9 < took < 2.5, f"2 s lasted {took:.2f} s")
    signer.sign()
    t.run([SIMKEY, "pin", "status"], sim, preload=False)
