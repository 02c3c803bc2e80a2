# SPDX-License-Identifier: Apache-2.0
"""One session for many processes: what it costs, who may use it, in which order they wait. The
record's own troubles are in test_record.py, killed and stopped processes in test_holders.py."""

import os
import re
import time

from fixture import BUILD, KEYS, PYTHON, test, with_providers
from foreign import CHANNELS, Foreign
from signer import PROVIDERS, TWO, Signer, dgst, holder, none_open, until, verified
from test_order import conf
from test_processes import CLIENT
from tls import CLOSING, COLD, demanding_nginx, handshake, pki

SAFE2 = os.path.join(BUILD, "safe2")
OBJECTS_COST = 9  # beside the reads: the applet is selected again before the PIN
READ = 255  # octets a read
DIRECTORY = "A40804020101"


# How it ends

@test
def a_program_in_which_nothing_is_torn_down_closes_the_channel(t):
    for manner in ("shared", "private"):
        sim = t.sim("p256")
        exported = t.exported(sim)
        signer = Signer(t, sim, exported, SIMKEY_SESSION=manner, WORKER_NO_ATEXIT="1")
        signer.sign()
        t.check(signer.end() < 1, "the end took a second")
        none_open(t, sim)


# Two handshakes, and in between a child that ends; nothing is torn down at exit.
FORKING = """
import ctypes, os, sys
ctypes.CDLL("libcrypto.so.3").OPENSSL_init_crypto(ctypes.c_uint64(0x00080000), None)
handshake = sys.argv.pop(1)
exec(handshake)
if os.fork() == 0:
    sys.exit(0)
os.wait()
exec(handshake)
"""


@test
def a_child_of_it_that_ends_closes_nothing(t):
    sim = t.sim("p256")
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    t.run([PYTHON, "-c", FORKING, CLIENT, str(nginx.port), pki("ca.pem"), cert, reference, "1"],
          env=t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS)))
    t.equal(sim.words(), COLD + TWO + CLOSING, "APDUs of two handshakes with a child between them")


# What it costs

@test
def a_cold_handshake_by_a_reference_costs_seven_apdus(t):
    for key in KEYS:
        for manner in ("shared", "private"):
            sim = t.sim(key)
            cert, reference = t.exported(sim)
            handshake(t, sim, cert, reference, env=t.env(sim, True, SIMKEY_SESSION=manner))
            t.equal(sim.words(), COLD + CLOSING, f"APDUs of a handshake, {key}, {manner}")


def further_handshakes(t, key, carrier):
    sim = t.sim(key)
    cert, reference = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    t.run([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, reference, "6"],
          env=t.env(None, True, OPENSSL_CONF=conf(t, sim, PROVIDERS), SIMKEY_TRANSPORT=carrier))
    words = sim.words()
    # by AT+CCHO the modem does several by itself
    by_modem = max(0, sum(a.source == "ccho" for a in sim.apdus()[:8]) - 1)
    cold = words.index("PSO CDS") + 1
    t.check(cold - by_modem <= len(COLD), f"{cold} APDUs for the first handshake: {words[:cold]}")
    t.equal(words[cold:], TWO * 5 + CLOSING, "APDUs of the five handshakes after the first")


for kind in KEYS:
    for by in ("csim", "ccho"):
        test(name=f"further handshakes of a process cost two APDUs, {kind}, {by}", key=kind,
             carrier=by)(further_handshakes)


def next_process(t, manner, carrier):
    sim = t.sim("p256")
    exported = t.exported(sim)
    env = {"SIMKEY_SESSION": manner, "SIMKEY_TRANSPORT": carrier}
    first = Signer(t, sim, exported, **env)
    first.sign()
    if manner == "keep":
        first.end()
        none_open(t, sim, 1)
    for _ in range(3):
        sim.mark()
        t.run(dgst(t, exported[1]), env=t.env(sim, True, **env))
        t.equal(sim.words(), TWO, "APDUs of the next process")
        verified(t, exported[0])
    sim.mark()
    handshake(t, sim, *exported, env=t.env(sim, True, **env))
    t.equal(sim.words(), TWO, "APDUs of the next process's handshake")
    if manner == "keep":
        t.simkey(sim, "close")
    else:
        first.end()
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


for name in ("shared", "keep"):
    for by in ("csim", "ccho"):
        test(name=f"the first signature of a next process costs two APDUs, {name}, {by}",
             manner=name, carrier=by)(next_process)


@test
def a_kept_session_outlives_a_sharing_program_that_ends_last(t):
    sim = t.sim("p256")
    exported = t.exported(sim)
    for manner, wanted in (("keep", None), ("shared", TWO), ("keep", TWO), ("shared", TWO)):
        sim.mark()
        t.run(dgst(t, exported[1]), env=t.env(sim, True, SIMKEY_SESSION=manner))
        t.check(wanted in (None, sim.words()), f"APDUs, {manner}: {sim.words()}")
    t.simkey(sim, "close")
    none_open(t, sim)


def from_objects(t, key, what):
    """What is loaded in one process, cold."""
    sim = t.sim(key)
    t.run(["openssl", *with_providers([what[0], "-out", t.path("got"), *what[1:]], PROVIDERS)],
          env=t.env(sim, True))
    # what the data objects hold, by what was read after each SELECT but the directory's
    sizes, directory = [], False
    for apdu in sim.apdus():
        if apdu.words == "SELECT":
            directory = DIRECTORY in apdu.command
            sizes += [] if directory else [0]
        elif apdu.words == "READ BINARY" and not directory:
            secret = re.match(r"\{(\d+)\}", apdu.answer)
            sizes[-1] += int(secret[1]) if secret else len(apdu.answer) // 2 - 2
    t.equal(len(sizes), 2 if what[0] == "storeutl" else 1, "data objects that were read")
    allowed = OBJECTS_COST + sum(-(-size // READ) for size in sizes)
    words = sim.words()
    words = words[:-1] if words[-1:] == CLOSING else words
    t.check(len(words) <= allowed, f"{len(words)} APDUs, {allowed} are allowed for {sizes}:\n"
            + "\n".join(map(str, sim.apdus())))


for kind in ("rsa2048", "p256"):
    for program in (["storeutl", "sim:available"], ["pkey", "-in", "sim:available"],
                    ["x509", "-in", "sim:available"]):
        test(name=f"Type A from the data objects costs little, {kind}, {program[0]}", key=kind,
             what=program)(from_objects)


# Who may use it

def without_a_pin(t, carrier):
    """While another's verified session stands, and after it."""
    sim = t.sim("p256")
    exported = t.exported(sim)
    unreadable = t.write("pin-of-nobody", "", 0o600)
    owner = Signer(t, sim, exported, SIMKEY_TRANSPORT=carrier)
    owner.sign()
    for pin in ({"SIMKEY_PIN_SOURCE": None}, {"SIMKEY_PIN_SOURCE": unreadable},
                {"SIMKEY_PIN_SOURCE": t.path("none")}):
        for manner in ("shared", "keep", "private"):
            sim.mark()
            env = t.env(sim, True, SIMKEY_SESSION=manner, SIMKEY_TRANSPORT=carrier, **pin)
            t.run(dgst(t, exported[1], "stolen"), env=env, expect="failure", says="PIN")
            t.signatures(sim, 0)
            t.equal(sim.count("PSO HASH"), 0, "PSO HASH of a process without a PIN")
    sim.mark()
    owner.sign()
    t.equal(sim.words(), TWO, "APDUs of the owner of the session afterwards")
    owner.end()
    t.run(dgst(t, exported[1], "stolen"), env=t.env(sim, True, SIMKEY_PIN_SOURCE=None),
          expect="failure", says="PIN")
    t.equal(sim.tries(), 3, "tries")
    t.simkey(sim, "close")
    none_open(t, sim)


for by in ("csim", "ccho"):
    test(name=f"a process without a PIN cannot sign through another's session, {by}",
         carrier=by)(without_a_pin)


@test
def raw_apdus_of_a_process_without_a_pin_go_to_a_channel_of_their_own(t):
    sim = t.sim("p256")
    exported = t.exported(sim)
    owner = Signer(t, sim, exported)
    owner.sign()
    environment, sign = "002241B606800144840161", "002A9E9A00"
    done = t.simkey(sim, "apdu", "--aid", "A0000000188000000006624151", environment,
                    "002A90A0229020" + "11" * 32 + "00", sign, expect=None, SIMKEY_PIN_SOURCE=None)
    t.silent(done.out, r"(?m)^[0-9A-F]{128}9000")
    t.check(not [a for a in sim.apdus() if a.words == "PSO CDS" and a.sw == "9000"
                 and a.channel != sim.apdus()[1].channel], "it signed on another channel")
    owner.sign()
    owner.end()
    none_open(t, sim)


def private_leaves_nothing(t, carrier):
    sim = t.sim("p256")
    exported = t.exported(sim)
    signer = Signer(t, sim, exported, SIMKEY_SESSION="private", SIMKEY_TRANSPORT=carrier)
    for _ in range(3):
        sim.mark()
        signer.sign()
        words = sim.words()
        t.equal((words[0], words[-1]), ("MANAGE CHANNEL OPEN", "MANAGE CHANNEL CLOSE"),
                "the first and the last APDU")
        with Foreign(sim.device) as foreign:
            for channel in CHANNELS:
                t.equal(foreign.apdu(f"{channel:02X}2A9E9A00"), "6881", f"PSO CDS on {channel}")
    none_open(t, sim)


for by in ("csim", "ccho"):
    test(name=f"private leaves nothing verified between operations, {by}",
         carrier=by)(private_leaves_nothing)


# In which order

def waits(signer):
    """Whether a process has a ticket: an OFD lock on a byte of the queue's file."""
    folder = f"/proc/{signer.pid}/fdinfo"
    for name in os.listdir(folder):
        try:
            with open(f"{folder}/{name}", encoding="ascii") as info:
                if "OFDLCK" in info.read():
                    return True
        except OSError:  # closed meanwhile
            pass
    return False


def queued(sim, signer):
    """Tells a process to sign, and waits until it waits for the SIM, or has it."""
    signer.say("sign")
    until(lambda: waits(signer) or holder(sim) == signer.pid, "in the queue")


@test
def who_waits_first_is_served_first(t):
    sim = t.sim("p256", "--sign-ms", "400")
    exported = t.exported(sim)
    first = Signer(t, sim, exported)
    first.sign()
    others = [Signer(t, sim, exported) for _ in range(6)]
    for _ in range(2):
        for signer in (first, *others):
            queued(sim, signer)
        ended = {first.pid: first.ended_at()}
        for signer in others:
            ended[signer.pid] = signer.ended_at()
        t.equal(sorted(ended, key=ended.get), list(ended), "the order of the ends")
        seconds = max(ended.values()) - min(ended.values())
        t.check(seconds < 6 * 0.6, f"six signatures in turn: {seconds:.1f} s")


@test
def eight_processes_share_it_evenly(t):
    """None waits much longer than the others, and the SIM is not idle between them."""
    sim = t.sim("p256", "--sign-ms", "100")
    exported = t.exported(sim)
    signers = [Signer(t, sim, exported) for _ in range(8)]
    signers[0].sign()
    since = time.monotonic()
    for signer in signers:
        for _ in range(8):
            signer.say("sign")
    took = [signer.heard_signature() for _ in range(8) for signer in signers]
    seconds = time.monotonic() - since
    mean = sum(took) / len(took)
    t.check(max(took) <= 1.5 * mean, f"mean {mean:.3f} s, longest {max(took):.3f} s")
    t.check(seconds <= 64 * 0.1 * 1.25, f"64 signatures of 100 ms in {seconds:.1f} s")


@test
def a_stopped_waiter_does_not_hold_up_those_behind_it(t):
    import signal
    sim = t.sim("p256", "--sign-ms", "300")
    exported = t.exported(sim)
    first, stopped, *others = [Signer(t, sim, exported) for _ in range(5)]
    first.sign()
    for signer in (first, stopped, *others):
        queued(sim, signer)
        if signer is stopped:
            stopped.signal(signal.SIGSTOP)
    first.heard_signature()
    for signer in others:
        t.check(signer.heard_signature() < 4, "a waiter behind a stopped one")
    stopped.signal(signal.SIGCONT)
    stopped.heard_signature()


# Beside each other

@test(seconds=180, long=True)
def a_polling_safe2_keeps_its_channel_beside_signers(t):
    from test_safe2 import CONFIG, FAST, Site
    for channels in ("2", "3"):
        site = Site(t, "--safe2-ms", "3000", "--sign-ms", "20", "--channels", channels)
        sim = site.sim
        exported = t.exported(sim)
        site.put(CONFIG)
        safe2 = t.start("safe2", [SAFE2, "get", *FAST, "--out", t.path("config")], t.env(sim))
        until(lambda: sim.count("PUT DATA") > 0, "polling")
        signers = [Signer(t, sim, exported, SIMKEY_SESSION=manner)
                   for manner in ("shared", "shared", "private", "shared")]
        while safe2.popen.poll() is None:
            for signer in signers:
                signer.say("sign")
            for signer in signers:
                signer.heard_signature()
        t.equal(safe2.popen.returncode, 0, f"safe2's status: {safe2.said()}")
        t.equal(t.read("config"), CONFIG, "the configuration")
        for signer in signers:
            signer.end()
        its = [i for i, a in enumerate(sim.apdus()) if a.words in ("PUT DATA", "GET STATE")]
        channel, = {sim.apdus()[i].channel for i in its}
        closed = [a for a in sim.apdus()[its[0]:its[-1]]
                  if a.words == "MANAGE CHANNEL CLOSE" and int(a.command[6:8], 16) == int(channel)]
        t.equal(closed, [], "closings of safe2's channel while it polled")
        t.equal(sim.tries(), 3, "tries")
        sim.stop_cleanly()


@test
def a_process_forks_and_child_and_parent_sign(t):
    sim = t.sim("p256", "--sign-ms", "30")
    exported = t.exported(sim)
    parent = Signer(t, sim, exported)
    parent.sign()
    sim.mark()
    for _ in range(3):
        parent.say("fork")
        for wanted in (r"^sign \d+ 1 ", r"^end \d+$", r"^child \d+ 0$"):
            t.says(parent.hear(), wanted)
        parent.sign()
    t.equal(sim.words(), TWO * 6, "APDUs of three children and their parent")
    descriptors = os.listdir(f"/proc/{parent.pid}/fd")
    t.check(len(descriptors) <= 4, f"open descriptors between operations: {descriptors}")
    parent.end()
    none_open(t, sim)


@test
def nobody_holds_the_device_between_operations(t):
    sim = t.sim("p256")
    signer = Signer(t, sim, t.exported(sim))
    signer.sign()
    t.equal(holder(sim), 0, "the holder of the device's lock")
    links = [os.readlink(f"/proc/{signer.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{signer.pid}/fd")]
    t.check(not [link for link in links if link.startswith(("/dev/pts", t.run_dir))], str(links))
