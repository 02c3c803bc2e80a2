# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: every fault of simmodem by a TLS handshake with the key in the SIM, reading
Type A, and safe2 get. Each ends as faults.py says, in time, and leaves nothing behind. Some also by a
handshake with a key of IoT SAFE; with E2E_FAULTS=iotsafe all of these, and nothing else.

One test is one fault at all its moments. At the end a table is printed; FAULT_REPORT=FILE keeps it
with all sentences."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import faults_iotsafe
import fixture
from fault_cells import (CPU_SHARE, CPU_WALL, EVERY_JOB, PLACE, SLACK, Cell, Lock, made, moments,
                         number_of, shared, smooth)
from faults import WORKS, table
from fixture import ROOT, SANITIZED, SHARED, SIMMODEM, Failure, test

AT_ONCE = 6  # cells of a test: they mostly wait
TRIES = 3  # a cell whose fault came at another moment (a poll more) is done again
OTHER_PIN = "1111"  # of the other SIM, which must not be tried


def other_card(t):
    """A copy of a card with another ICCID and PIN."""
    with Lock("other"):
        if not os.path.exists(shared("other")):
            subprocess.run([SIMMODEM, "--card", shared("other.new"), "--new", "--key", "p256",
                            "--pin", OTHER_PIN], env={"PATH": fixture.PATH}, check=True,
                           timeout=60)
            os.rename(shared("other.new"), shared("other"))
    return shutil.copytree(shared("other"), t.path("other-card"))


def tries_left(card):
    """Of all PINs of a card."""
    with open(os.path.join(card, "private", "pins"), encoding="ascii") as pins:
        return re.findall(r"^(\w+) = \S+ (\d+) of", pins.read(), re.M)


class Try:
    """One run of one job of a row, and all that is wrong with it."""

    def __init__(self, t, row, job, course, interval):
        self.t, self.row, self.job, self.course, self.wrong = t, row, job, course, []
        faults = [re.sub(r"\{([\w#]+)\}", lambda m: str(number_of(course["moments"], m[1])), fault)
                  for fault in row.faults]
        self.cards = []
        switches = [self.other() if s == "{other}" else s for s in row.switches]
        self.cell = Cell(t, job, faults, row.carrier, switches, row.card, row.timeout, interval)
        self.cards.append(self.cell.sim.card)
        before = [tries_left(card) for card in self.cards]
        self.ran = self.cell.run()
        self.apdus = self.cell.apdus()
        self.check_moment()
        self.check_end()
        if self.ran.wrong:
            self.wrong.append(self.ran.wrong)
        after = [tries_left(card) for card in self.cards]
        if row.pin2:
            before, after = ([[pair for pair in card if pair[0] != "pin2"] for card in cards]
                             for cards in (before, after))
        self.claim(before == after, f"PIN tries before {before} and after {after}")
        self.claim(not self.cell.blind_verify(row.is_busy()),
                   "VERIFY without asking for the tries left, or thrice")
        self.check_channels()
        if job == "iotsafe":
            self.check_sessions()
        self.check_cpu()
        if row.again:
            self.check_again()

    def other(self):
        self.cards.append(other_card(self.t))
        return self.cards[-1]

    def claim(self, good, words):
        if not good:
            self.wrong.append(words)

    def check_moment(self):
        """The trace must show that the fault came when it was meant to."""
        got, self.missed = moments(self.cell.sim), False
        for aim in self.row.aims():
            number = number_of(self.course["moments"], aim)
            if got[number - 1:number] != [aim.partition("#")[0]]:
                self.missed = True
                self.wrong.append(f"command {number} is {got[number - 1:number]}, not {aim}")

    def check_end(self):
        ran, row = self.ran, self.row
        end = row.end_of(self.job)
        limit = (row.within or row.timeout) + SLACK
        self.claim(ran.seconds <= limit, f"{ran.seconds:.1f} s, more than {limit} s")
        if end is WORKS:
            self.claim(ran.good, f"status {ran.status}, but it should work: {ran.sentence()}")
            return
        self.claim(not ran.good, "it works, but it should not")
        if ran.good:
            return
        if self.job not in ("tls", "iotsafe"):
            self.claim(ran.status in end.statuses, f"status {ran.status}, not {end.statuses}")
        self.claim(re.search(end.words, ran.sentence(), re.I),
                   f"it should say \"{end.words}\", not \"{ran.sentence()}\"")

    def check_channels(self):
        row, recorded = self.row, self.cell.recorded()
        if row.resets:
            left = self.cell.open_by_asking()
        else:
            left = len(self.cell.open_by_trace())
        # only what is recorded, or what nobody could know of
        allowed = min(row.keeps, recorded) + row.lost_by(self.job)
        self.claim(left <= allowed, f"{left} channels are left open, {recorded} recorded")

    def check_sessions(self):
        """Of signing: one at a time, closed behind the signature; none is left but with its channel. And no
        PIN was sent."""
        row, (left, most), got = self.row, self.cell.sessions_by_trace(), moments(self.cell.sim)
        if not row.resets:  # with the channels they are gone then
            self.claim(left <= row.keeps + row.lost_by(self.job), f"{left} signing sessions are left open")
            self.claim(most <= 1, f"{most} signing sessions at once")
        last = max((i for i, moment in enumerate(got) if moment == "UPDATE"), default=len(got))
        self.claim(not self.ran.good or "END" in got[last:], f"the session is not closed: {got}")
        # a session that the modem does not name is asked whether it is mIAS's, which costs nothing
        asked = () if row.name() == "ccho-error" else ("STATE",)
        sent = [moment for moment in got if moment in ("VERIFY", *asked)]
        self.claim(not sent, f"{sent} for a key that has no PIN")

    def check_cpu(self):
        used = max(0, self.ran.cpu - self.course["cpu"])
        if self.ran.seconds >= CPU_WALL and not SANITIZED:
            self.claim(used < CPU_SHARE * self.ran.seconds,
                       f"{used:.2f} s of CPU time in {self.ran.seconds:.1f} s")

    def check_again(self):
        """The fault is over: the same job works."""
        self.cell.open_by_asking()  # waits until the modem is back
        ran = self.cell.run()
        self.claim(ran.good and not ran.wrong,
                   f"again, when the fault is over: status {ran.status} {ran.wrong or ''} "
                   f"{ran.sentence()}")

    def end(self):
        if self.ran.good:
            return "works"
        return "killed" if self.ran.status < 0 else f"says, {self.ran.status}"


def run_cell(t, row, job, name):
    """One cell; gives its line of the report."""
    line = {"fault": row.label(), "job": job, "end": "-", "seconds": 0.0, "cpu": 0.0, "apdus": 0,
            "says": "", "simmodem": "", "wrong": [], "began": time.monotonic()}
    try:
        course = smooth(t, job, row.carrier, () if "{other}" in row.switches else row.switches,
                        row.card)
        for number in range(TRIES):
            inner = fixture.Test(made(t.path(f"{name}-{number}")))
            again = False
            try:
                done = Try(inner, row, job, course, 0.5 if number == 0 else 2)
                line.update(simmodem=done.cell.switches, end=done.end(),
                            seconds=done.ran.seconds, cpu=done.ran.cpu, apdus=done.apdus,
                            says=done.ran.sentence(), wrong=done.wrong)
                again = done.missed
            finally:
                left = inner.close()
            line["wrong"] += left
            if not again:
                break
            if not os.environ.get("E2E_KEEP"):
                shutil.rmtree(inner.dir, ignore_errors=True)
    except Failure as failure:
        line["wrong"].append(str(failure))
    line["ended"] = time.monotonic()
    note(line)
    return line


def note(line):
    """For the report: a line in a file that all tests append to."""
    os.makedirs(PLACE, exist_ok=True)
    with open(shared("results"), "a", encoding="utf-8") as results:
        results.write(json.dumps(line) + "\n")


def fault(t, name):
    """All cells of a fault."""
    cells = [(row, job) for row in ROWS if row.name() == name for job in row.jobs_with_it()]
    unknown = [row for row in ROWS if row.name() == name and not row.jobs_with_it()]
    t.check(not unknown, f"rows that aim at nothing: {[row.label() for row in unknown]}")
    # What is run is told only of what is red.
    with contextlib.redirect_stdout(io.StringIO()), ThreadPoolExecutor(AT_ONCE) as pool:
        lines = list(pool.map(lambda cell: run_cell(t, *cell[1], f"cell-{cell[0]}"),
                              enumerate(cells)))
    red = [line for line in lines if line["wrong"]]
    for line in red:
        print(f"{line['fault']}; {line['job']}: {line['end']}, {line['seconds']:.1f} s")
        print(f"    {line['simmodem']}")
        for words in line["wrong"]:
            print("    " + words.replace("\n", "\n    "))
    t.check(not red, f"{len(red)} of {len(lines)} cells do not end as they should")


ROWS = faults_iotsafe.whole() if os.environ.get("E2E_FAULTS") == "iotsafe" else \
    table() + faults_iotsafe.sample()
LONG = ("mute-at", "cme", "half-line", "late-at", "half-late", "modem-reset")  # the matrix ends with no long one
for each in dict.fromkeys(row.name() for row in ROWS):
    test(name=each, name_of=each, light=True, long=each in LONG, seconds=900)(
        lambda t, name_of: fault(t, name_of))


# The report

def results():
    try:
        with open(os.path.join(SHARED, "faults", "results"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except OSError:
        return []


def rows_of_report(lines):
    order, grouped = {}, {}
    for number, row in enumerate(ROWS):
        order.setdefault(row.label(), number)
    for line in sorted(lines, key=lambda line: (order[line["fault"]], EVERY_JOB.index(line["job"]))):
        grouped.setdefault(line["fault"], {})[line["job"]] = line
    return grouped


def words_of(line):
    if line is None:
        return "-"
    red = "RED " if line["wrong"] else ""
    return f"{red}{line['end']}  {line['seconds']:.1f} s  {line['apdus']}"


def report():
    """The table: a fault a line; for each job its end (works, or says a sentence with that exit
    status), its seconds, its APDUs."""
    lines = results()
    if not lines:
        return
    text = [f"{'fault':<44} {'tls':<22} {'typea':<22} {'safe2':<22} iotsafe"]
    for label, cells in rows_of_report(lines).items():
        columns = [words_of(cells.get(job)) for job in EVERY_JOB]
        text.append(f"{label:<44} " + " ".join(f"{column:<22}" for column in columns).rstrip())
    took = max(line["ended"] for line in lines) - min(line["began"] for line in lines)
    red = sum(bool(line["wrong"]) for line in lines)
    text.append(f"fault matrix: {len(lines)} cells, {red} red; {took:.0f} s")
    print("\nThe fault matrix: the end, seconds, APDUs")
    print("\n".join(text) + "\n", flush=True)
    if os.environ.get("FAULT_REPORT"):
        with open(os.path.join(ROOT, os.environ["FAULT_REPORT"]), "w", encoding="utf-8") as file:
            file.write("\n".join(text) + "\n\n"
                       + "\t".join(("fault", "job", "end", "seconds", "CPU", "APDUs", "sentence",
                                    "wrong")) + "\n")
            for cells in rows_of_report(lines).values():
                for line in cells.values():
                    file.write("\t".join([
                        line["fault"], line["job"], line["end"], f"{line['seconds']:.2f}",
                        f"{line['cpu']:.3f}", str(line["apdus"]), line["says"],
                        " | ".join(line["wrong"]).replace("\n", " ")]) + "\n")


fixture.AT_END.append(report)
