#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make test-faults`: pairs of faults of simmodem, picked at random, each with a random job.

PAIRS=n: so many (200). SEED=n repeats a run, and ONLY=n one pair of it. Whatever comes together,
the job ends within its deadline, either with the right bytes or with a sentence of simkey and an
exit status, spends no PIN try and leaves no process."""

import contextlib
import ctypes
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
AT_ONCE = 12  # they mostly wait
TIMEOUT = 8  # seconds a job has
FORMS = (
    "echo-stays", "echo-returns:{n}", "lower-case", "no-quotes", "no-blank", "blanks", "bare-ccho",
    "session16", "no-cchc", "cme-text", "plain-error", "no-compound", "two-finals",
    "garbage:{some}", "open-garbage", "boot-chatter:{some}", "stale:{n}", "urc:{some}",
    "chatter:{ms}",
    "sms-prompt", "sms-prompt:{n}", "gap:{some}", "urc-split:{some}", "wrong-length:{some}", "slow-lines:{ms}", "partial:{some}", "mute:{ms}",
    "mute-at:{n},{ms}", "late:{ms}", "late-at:{n},{ms}", "half-line:{n}", "half-late:{n},{ms}",
    "busy:{some}", "cme:{n},{code}", "cme-after:{n},{code}", "error-at:{n}", "get-response",
    "6100-forever:{n}", "6cxx", "refuse-le", "refuse-le:{refusal}", "no-manage-channel",
    "no-manage-channel:6E00", "no-manage-channel:{refusal}", "no-ccho", "no-csim", "max-length:{bytes}",
    "leaked", "leaked:{some}", "lose-channel:{n}", "foreign:{n}", "foreign-mse:{n}", "refresh:{n}",
    "modem-reset:{n}", "modem-reset:{n},{ms}", "sim-removed:{n}", "sim-removed:{n},{ms}",
    "other-sim:{n}", "boot-words:{some}", "no-number", "open-le", "quoted-imei", "max-line:512", "basic-response", "plain-class", "no-csim-channels", "no-csim-channels:{refusal}", "no-end:{some}", "no-answer:{some}", "hang-up:{n}", "hang-up:{n},{ms}")
IOTSAFE_FORMS = ("iotsafe-6984:{some},{n}", "iotsafe-6989:{some}", "iotsafe-6989:{some},{n}", "iotsafe-63cf:{some},{n}")
# The modem may refuse the same command each time in words that call for another start, with the PIN.
MAY_FAIL_FOR_EVER = {"busy", "cme", "cme-after", "refuse-le", "no-csim-channels", "no-manage-channel"}
CODES = (0, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 50, 100)


def pick(seed, number):
    """The pair with that number: job, carrier, two faults of different names."""
    rng = random.Random(f"{seed}/{number}")
    job = rng.choice(("tls", "typea", "safe2", "iotsafe"))
    forms = FORMS + IOTSAFE_FORMS if job == "iotsafe" else FORMS
    faults = [form.format(n=rng.randint(1, 14), some=rng.randint(1, 3),
                          ms=rng.choice((20, 100, 700, 3000, 6000)), code=rng.choice(CODES),
                          refusal=rng.choice((0, 3, 4, 50)), bytes=rng.choice((40, 100, 200, 257)))
              for form in rng.sample(forms, len(forms))]
    second = next(fault for fault in faults[1:] if name_of(fault) != name_of(faults[0]))
    return {"job": job, "faults": [faults[0], second],
            "carrier": rng.choice(("auto", "auto", "csim", "ccho")),
            "t0": rng.random() < 0.3}


def name_of(fault):
    return fault.partition(":")[0]


def all_tries(pins):
    return sum(int(left) for _, left in pins)


def wrong_with(pair, folder):
    """Runs it. Gives what is wrong, and a line for the list."""
    import fixture
    from fault_cells import IOTSAFE, SLACK, Cell, made, moments
    from test_faults import other_card, tries_left
    t = fixture.Test(made(folder))
    wrong, said = [], "-"
    try:
        switches, cards = ["--t0"] if pair["t0"] else [], []
        if any(name_of(fault) == "other-sim" for fault in pair["faults"]):
            cards.append(other_card(t))
            switches += ["--other-card", cards[0]]
        cell = Cell(t, pair["job"], pair["faults"], pair["carrier"], switches,
                    IOTSAFE["p256"] if pair["job"] == "iotsafe" else "p256", timeout=TIMEOUT, interval=0.3)
        if pair["job"] in ("typea", "safe2"):
            cards.clear()  # only the key reference says which SIM is meant
        cards.append(cell.sim.card)
        before = [tries_left(card) for card in cards]
        ran = cell.run()
        said = f"{'works' if ran.good else f'says, {ran.status}'}  {ran.seconds:.1f} s"
        if ran.wrong:
            wrong.append(ran.wrong)
        if ran.seconds > TIMEOUT + SLACK:
            wrong.append(f"{ran.seconds:.1f} s, more than {TIMEOUT + SLACK}")
        if not ran.good and (ran.status <= 0 or len(ran.sentence()) < 10):
            wrong.append(f"status {ran.status} without a sentence:\n{ran.text}")
        names = {name_of(fault) for fault in pair["faults"]}
        # who selects another applet between the question for the tries and the PIN takes a try of that one
        lost = sum(all_tries(left) - all_tries(tries_left(card)) for left, card in zip(before, cards))
        if lost not in ((0, 1) if "foreign" in names else (0,)):
            wrong.append("the PIN tries are not what they were")
        if cell.blind_verify(bool(names & MAY_FAIL_FOR_EVER)):
            wrong.append("VERIFY without asking for the tries left, or thrice")
        if pair["job"] == "iotsafe" and "VERIFY" in moments(cell.sim):
            wrong.append("VERIFY for a key that has no PIN")
        said += "  " + ran.sentence()
    except fixture.Failure as failure:
        wrong.append(str(failure))
    wrong += t.close()
    if not wrong and not os.environ.get("E2E_KEEP"):
        shutil.rmtree(folder)
    return wrong, said


def run_pairs(seed, numbers, base):
    """All of them, a line each; gives how many are wrong."""
    import fault_cells
    import fixture
    from run import leftovers
    first = fixture.Test(fault_cells.made(os.path.join(base, "first")))
    with contextlib.redirect_stdout(io.StringIO()):
        for card in ("p256", fault_cells.IOTSAFE["p256"]):
            fault_cells.export(first, card)
        first.close()
    out, bad = sys.stdout, 0
    pairs = [(number, pick(seed, number)) for number in numbers]
    with contextlib.redirect_stdout(io.StringIO()), ThreadPoolExecutor(AT_ONCE) as pool:
        ends = pool.map(lambda item: wrong_with(item[1], os.path.join(base, str(item[0]))), pairs)
        for (number, pair), (wrong, said) in zip(pairs, ends):
            words = f"{pair['job']} {pair['carrier']}{' --t0' if pair['t0'] else ''} " \
                + " ".join(pair["faults"])
            print(f"{'WRONG' if wrong else 'ok   '} {number:3} {words:<60} {said}", file=out,
                  flush=True)
            for line in wrong:
                print("        | " + line.replace("\n", "\n        | "), file=out, flush=True)
            bad += bool(wrong)
    for left in leftovers():
        print("left running:", left, flush=True)
        bad += 1
    return bad


def stop(number, _frame):
    sys.exit(128 + number)


def main():
    os.umask(0o022)
    base = tempfile.mkdtemp(prefix="simkey-faults-")
    os.chmod(base, 0o711)
    os.environ["E2E_SHARED"] = os.path.join(base, "shared")
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, see run.py
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10 ** 6))
    count = int(os.environ.get("PAIRS") or "200")
    only = os.environ.get("ONLY")
    numbers = [int(only)] if only else range(count)
    print(f"{len(numbers)} pairs of faults, SEED={seed}", flush=True)
    since, bad = time.monotonic(), 1
    try:
        import run
        run.set_up(os.path.join(base, "shared"))
        bad = run_pairs(seed, numbers, base)
        print(f"{len(numbers) - bad} of {len(numbers)} pairs end as they should, "
              f"{time.monotonic() - since:.0f} s; SEED={seed} repeats them")
    except subprocess.SubprocessError as error:
        print(error)
    finally:
        if not os.environ.get("E2E_KEEP"):
            shutil.rmtree(base, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
