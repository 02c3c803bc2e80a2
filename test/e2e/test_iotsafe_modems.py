# SPDX-License-Identifier: Apache-2.0
"""Keys of IoT SAFE where modems have ways of their own or disturb, in a card reader, and with many programs at
once."""

import os

import reader
import tls
from fixture import test, with_providers
from test_iotsafe import closed, handshakes, iotsafe, signed, verified

# ---- modems ----

# What disturbs at the N-th command of a signature by key reference: open, the ICCID, select, init, update,
# close of the session, close.
DISTURBANCES = ["lose-channel:{}", "refresh:{}", "foreign:{}", "cme:{},13", "cme-after:{},13", "error-at:{}",
                "late-at:{},1500", "half-line:{}", "stale:{}", "stray-answer:{}", "modem-reset:{}", "echo-returns:{}"]


def disturbed(t, number):
    for fault in DISTURBANCES:
        sim = t.sim(t.path("card") if os.path.exists(t.path("card")) else made(t), "--fault", fault.format(number))
        data, signature = signed(t, sim, t.path("key.pem"))
        verified(t, sim, data, signature)
        t.equal([a for a in sim.apdus() if a.words == "VERIFY" and "{" in a.command], [], "commands with a PIN")
        sim.stop_cleanly()


def made(t):
    """A card, and its key reference."""
    card = t.new_card("--applet", "iotsafe", "--key", "p256")
    os.rename(card, t.path("card"))
    sim = t.sim(t.path("card"))
    t.simkey(sim, "key", "signing", "--out", t.path("key.pem"))
    sim.stop_cleanly()
    return t.path("card")


for n in range(1, 8):
    test(name=f"a modem that disturbs at command {n}", number=n, seconds=240)(disturbed)

# Ways of modems that matter for whole commands.
MODEMS = [("plain-class", "no-csim"), ("basic-response",), ("refuse-le",), ("refuse-le:3",),
          ("no-csim-channels",), ("no-manage-channel",), ("no-number",), ("6cxx",), ("session16", "no-csim"),
          ("lower-case",)]


def modems(t, faults):
    sim = iotsafe(t, *(word for fault in faults for word in ("--fault", fault)))
    for key in ("sim:signing", t.exported(sim)[1]):
        data, signature = signed(t, sim, key)
        verified(t, sim, data, signature)


for f in MODEMS:
    test(name="a modem with " + " and ".join(f), faults=f)(modems)


# ---- a card reader ----

@test(seconds=180)
def handshakes_in_a_card_reader(t):
    sim = iotsafe(t)
    reader.Reader(t, sim)
    env = {"SIMKEY_DEVICE": "pcsc:" + reader.NAMES[0]}
    cert, key = t.path("sim.crt"), t.path("sim.key")
    t.simkey(sim, "cert", "signing", "--out", cert, **env)
    t.simkey(sim, "key", "signing", "--out", key, **env)
    handshakes(t, sim, tls.Server(t, os.path.join(sim.card, "ca.pem")), (cert, key), **env)


# ---- many programs ----

@test
def programs_of_both_families_work_at_once(t):
    sim = iotsafe(t, applet="both")
    _, safe = t.exported(sim, "--applet", "iotsafe")
    _, mias = t.exported(sim)
    t.simkey(sim, "close")
    sim.mark()
    data = t.write("data", "what is signed\n")
    env = t.env(sim, True, SIMKEY_SESSION="keep")
    programs = []
    for i in range(8):
        key, signature = (safe, mias)[i % 2], t.path(f"signature-{i}")
        command = with_providers(["dgst", "-sha256", "-sign", key, "-out", signature, data], ("default", "simkey"))
        programs.append((t.start(f"program-{i}", ["openssl", *command], env), signature, key))
    for process, signature, key in programs:
        t.equal(process.wait(60), 0, process.said())
        if key == safe:
            verified(t, sim, data, signature)
    words = sim.words()
    t.equal((words.count("MANAGE CHANNEL OPEN"), words.count("SELECT AID")), (2, 2), "channels and SELECTs")
    t.equal((words.count("COMPUTE SIGNATURE UPDATE"), words.count("PSO CDS")), (4, 4), "signatures")
    t.simkey(sim, "close")


@test
def a_killed_program_leaves_nothing_in_the_way(t):
    sim = iotsafe(t, "--sign-ms", "1500", "--iotsafe-sessions", "1")
    _, key = t.exported(sim)
    data = t.write("data", "what is signed\n")
    command = with_providers(["dgst", "-sha256", "-sign", key, "-out", t.path("no"), data], ("default", "simkey"))
    process = t.start("program", ["openssl", *command], t.env(sim, True))
    process.wait_for(lambda: "COMPUTE SIGNATURE INIT" in sim.words(), "signing", 30)
    process.popen.kill()
    process.popen.wait()
    data, signature = signed(t, sim, key)
    verified(t, sim, data, signature)
    closed(t, sim)
