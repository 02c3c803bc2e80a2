# SPDX-License-Identifier: Apache-2.0
"""The faults of simmodem that concern the life of modem and card really happen, and all of them go
together: seen by a small AT client, without simkey."""

import grp
import os
import random
import re
import select
import shutil
import time

from at_client import FINAL, Line, MIAS, OPEN, PIN_STATE, SELECT_UICC, Took, lines_of
from fixture import SHARED, SIMMODEM, test


# Life

@test
def lose_channel(t):
    line = Line(t, "lose-channel:3", "leaked:1")
    line.mias()
    line.card(PIN_STATE, "63C3")
    line.card(PIN_STATE, "6881")
    line.channel()
    line.channel(2)
    line.card(OPEN, "6A81")
    line = Line(t, "lose-channel:2")
    carrier = f"AT+CGLA={line.session()[7:]},"
    line.card("00200081", "63C3", carrier)
    line.card("00200081", "+CME ERROR: 21", carrier)


@test
def foreign(t):
    line = Line(t, "foreign:3")
    line.mias()
    line.card(PIN_STATE, "63C3")
    line.sw("81F2000000", "9000")
    line.sw(f"01A4040C0D{MIAS}", "9000")
    line.card(PIN_STATE, "63C3")


@test
def foreign_waits_for_a_channel(t):
    line = Line(t, "foreign:1")
    line.ready()
    line.session()
    line.sw("81F2000000", "9000")


def der(raw):
    """ECDSA's r||s as DER."""
    half, out = len(raw) // 2, b""
    for part in (raw[:half], raw[half:]):
        number = part.lstrip(b"\0") or b"\0"
        number = b"\0" * (number[0] >> 7) + number
        out += bytes([2, len(number)]) + number
    return bytes([0x30, len(out)]) + out


@test
def foreign_mse(t):
    line, digest = Line(t, "foreign-mse:4"), bytes(range(32))
    line.mias()
    line.sw("012241B606800144840161", "9000")
    line.card(PIN_STATE, "63C3")
    line.card(PIN_STATE, "9000")
    line.sw(f"012A90A0229020{digest.hex().upper()}", "6120")
    signature = line.apdu("012A9E9A00")
    t.equal((len(signature), signature[-4:]), (132, "9000"), "the signature")
    t.write("digest", digest)
    t.write("signature", der(bytes.fromhex(signature[:-4])))
    good = []
    for name in sorted(os.listdir(line.sim.card)):
        if name.startswith("signing-"):
            done = t.run(["openssl", "pkeyutl", "-verify", "-certin", "-inkey",
                          os.path.join(line.sim.card, name), "-in", "digest", "-sigfile",
                          "signature"], expect=None)
            good += [name] if done.status == 0 else []
    t.check(len(good) == 1 and good != ["signing-0.pem"], f"made by {good}")
    t.equal(line.sim.tries(), 3, "tries")


@test
def refresh(t):
    line = Line(t, "refresh:2")
    line.channel()
    line.ready()
    t.equal(lines_of(line.hear(0.2)), ['+CUSATP: "D009810301010482028182"'], "the URC")
    line.card("01A4000C023F00", "6881")


@test
def modem_reset(t):
    line = Line(t, "modem-reset:2,400")
    line.channel()
    line.say("AT+CPIN?")
    line.silent(0.2)
    line.say("AT")
    line.hears(["RDY", "+CFUN: 1", "+CPIN: READY"], 0.1, 1)
    line.wants("ATE0", ["ATE0", "OK"])
    line.wants("AT+CMEE?", ["+CMEE: 0", "OK"])
    line.card("01A4000C023F00", "6881")


@test
def sim_removed(t):
    line = Line(t, "sim-removed:2,400")
    line.channel()
    line.say("AT+CPIN?")
    line.hears(["+CME ERROR: 10", "+CPIN: NOT READY"], 0, 0.2)
    line.card(OPEN, "+CME ERROR: 10")
    line.hears(["+CPIN: READY"], 0.1, 1)
    line.ready()
    line.card("01A4000C023F00", "6881")
    line = Line(t, "sim-removed:1")
    line.say("AT+CPIN?")
    line.hears(["+CME ERROR: 10", "+CPIN: NOT READY"], 0, 0.2)
    line.silent(0.5)
    line.wants("AT+CPIN?", ["+CME ERROR: 10"])


@test
def other_sim(t):
    other = t.path("other")
    shutil.copytree(os.path.join(SHARED, "cards", "p384"), other)
    line = Line(t, "other-sim:3", switches=["--other-card", other])
    iccid = line.ask("AT+CCID")
    line.channel()
    line.say("AT+CCID")
    second = lines_of(line.hear(0.2))
    t.equal(second[1:], ["OK", "+CPIN: NOT READY", "+CPIN: READY"], "the rest of the answer")
    t.check(re.match(r"\+CCID: \d+", second[0]) and second[0] != iccid[0], f"still {second}")
    line.card("01A4000C023F00", "6881")
    with open(os.path.join(other, "card"), encoding="ascii") as card:
        t.says(card.read(), second[0].replace("+CCID: ", "iccid = "))
    t.run([SIMMODEM, "--card", other, "--link", "link"], expect=1, says="another simmodem")


@test
def hang_up(t):
    line = Line(t, "hang-up:2,400")
    line.channel()
    before = os.readlink(line.sim.device)
    line.say("AT+CPIN?")
    poll = select.poll()
    poll.register(line.fd, 0)
    t.check(poll.poll(300), "no hang-up within 0.3 s")
    t.check(poll.poll(0)[0][1] & select.POLLHUP, "no POLLHUP")
    try:
        t.equal(os.read(line.fd, 100), b"", "read after the hang-up")
        os.write(line.fd, b"AT\r")
        t.check(False, "written after the hang-up")
    except OSError as gone:
        t.says(str(gone), "Input/output error")
    t.check(not os.path.exists(line.sim.device), "the port is still there")
    line.sim.wait_for(lambda: os.path.exists(line.sim.device), "back", 2)
    t.check(os.readlink(line.sim.device) != before, "the same pty")
    line.open()
    line.wants("ATE0", ["ATE0", "OK"])
    line.card("01A4000C023F00", "6881")


# All of them

@test
def sigterm_ends_it_at_any_moment(t):
    for fault in ("mute:600000", "mute-at:1,600000", "late:600000", "half-late:1,600000",
                  "hang-up:1,600000", "modem-reset:1,600000", "slow-lines:600000",
                  "sim-removed:1,600000"):
        line = Line(t, fault, raw=True)
        line.say("AT+CPIN?")
        time.sleep(0.1)
        with Took(t, 0, 1.5):
            t.equal(line.sim.stop(), 0, f"the exit status with {fault}")


def arguments(form, pick):
    """The fault, as --help writes it, with arguments at random and short times."""
    values = {"N": lambda: pick.randint(1, 8), "K": lambda: pick.randint(1, 4), "MS": lambda: pick.randint(0, 60),
              "B": lambda: pick.randint(30, 90), "CME": lambda: pick.choice((0, 3, 13, 14, 100)),
              "CODE": lambda: pick.choice((0, 3, "6A86"))}
    kept = re.sub(r"\[([^\]]+)\]", lambda optional: optional[1] if pick.randrange(2) else "", form)
    return re.sub(r"[A-Z]+", lambda word: str(values[word[0]]()), kept)


def mixture(t, seed):
    """Faults at random, and a client that asks on whatever it hears: simmodem lives and ends."""
    pick = random.Random(seed)
    out = t.run([SIMMODEM, "--help"]).out
    forms = re.findall(r"^  ([a-z0-9][a-z0-9-]*(?:\[?:\S+)?) ", out[out.index("\nFaults"):out.index("\nResult")], re.M)
    t.check(len(forms) > 60, forms)
    other = t.path("other")
    shutil.copytree(os.path.join(SHARED, "cards", "p384"), other)
    for _ in range(8):
        faults = [arguments(form, pick) for form in pick.sample(forms, 4)]
        line = Line(t, *faults, switches=["--other-card", other], raw=True)
        for command in ("ATE0", "AT+CPIN?", f'AT+CSIM=10,"{OPEN}"', f'AT+CCHO="{MIAS}"',
                        f'AT+CSIM={len(SELECT_UICC)},"{SELECT_UICC}"', 'AT+CSIM=10,"00C0000000"',
                        'AT+CGLA=21,8,"00200081"', "AT+CRSM=176,12258,0,0,10", "AT+CCID",
                        "AT+CCHC=21", "AT+CPIN?", "AT+CPIN?") * 2:
            try:
                line.say(command)
                line.hear(0.05, FINAL)
            except OSError:
                line.sim.wait_for(lambda: os.path.exists(line.sim.device), f"back, {faults}", 2)
                line.open()
        t.check(line.sim.popen.poll() is None, f"{faults}: {line.sim.said()}")
        os.close(line.fd)
        with Took(t, 0, 1.5):
            t.equal(line.sim.stop(), 0, f"the exit status with {faults}: {line.sim.said()}")


for number in range(5):
    test(name=f"mixtures of faults, seed {number}", seed=number)(mixture)


@test(left_out=None if os.geteuid() == 0 else "only root has several groups for certain")
def the_line_is_a_groups_too_if_wanted_also_after_a_hang_up(t):
    sim = t.sim("p256", "--group", "dialout", "--fault", "hang-up:2,100")
    wanted = grp.getgrnam("dialout").gr_gid

    def owned():
        seen = os.stat(sim.device)
        return seen.st_gid, oct(seen.st_mode & 0o777)

    t.equal(owned(), (wanted, oct(0o660)), "the pty")
    first = os.path.realpath(sim.device)
    t.simkey(sim, "info", expect=None)
    end = time.monotonic() + 10
    while not os.path.exists(sim.device) and time.monotonic() < end:
        time.sleep(0.05)
    t.equal(owned(), (wanted, oct(0o660)), f"the pty after {first}")
    t.run([SIMMODEM, "--card", os.path.join(SHARED, "cards", "p256"), "--link", t.path("x"), "--group", "no such group"],
          expect="failure", says="there is no group")
