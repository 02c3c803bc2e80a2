#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make soak`: eight processes sign by one SIM, without a pause, while they are killed, stopped,
forked in the middle of an operation and told to end, the modem restarts, and a foreign program does
as it likes with the channels.

SIGNATURES=n: so many (10000). SEED=n repeats a run, as far as the moments of several processes can
be repeated. KEY=rsa2048|p256|p384, TRANSPORT=csim|ccho, MANNERS=shared,keep,private,
FAMILIES=mias|mias,iotsafe: what to use in place of the seed's choice. WITHOUT=fork,foreign: events that
shall not come."""

import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
WORKERS = 8
TIMEOUT = 12  # seconds an operation may take
SLACK = 1.5  # seconds by which it may be late
STOPPED = 1.9  # seconds at most
# A PIN whose answer was lost, with the modem or to another program, is not sent again: that takes a person.
UNANSWERED = re.compile("its answer never came|PIN.*(did not|not) answer")
PERSONS = 3  # so often at most
SELECTS = {"mias": re.compile(r"A404..0D" + "A0000000188000000006624151"),
           "iotsafe": re.compile(r"A404..07" + "A0000005590010")}

# What happens, and how often beside each other.
EVENTS = {"kill": 5, "kill the holder": 4, "stop": 2, "stop the holder": 1, "fork": 5, "end": 1,
          "foreign": 4, "foreign, then kills": 2}
PAUSE = 0.15  # seconds between two of them, on average


def plan(seed):
    """What the seed chooses for the run."""
    rng = random.Random(f"plan {seed}")
    carriers = rng.choice((["auto"], ["auto"], ["csim"], ["ccho"], ["auto", "csim", "ccho"]))
    manners = rng.choice((["shared"], ["shared"], ["shared"], ["keep"],
                          ["shared", "shared", "shared", "keep", "private"]))
    chosen = {"key": rng.choice(("p256", "p256", "rsa2048", "p384")), "carriers": carriers,
              "manners": manners, "sign_ms": rng.choice((0, 2, 5)), "t0": rng.random() < 0.3,
              "reset": rng.random() < 0.5}
    chosen["families"] = rng.choice((["mias"], ["mias", "iotsafe"]))
    chosen["one_session"] = rng.random() < 0.5  # of signing, on IoT SAFE's card
    for name, variable, words in (("key", "KEY", str), ("carriers", "TRANSPORT", lambda w: [w]),
                                  ("manners", "MANNERS", lambda w: w.split(",")),
                                  ("families", "FAMILIES", lambda w: w.split(","))):
        if os.environ.get(variable):
            chosen[name] = words(os.environ[variable])
    return chosen


class Soak:
    """One run. say: where progress goes."""

    def __init__(self, t, seed, wanted, say=lambda *_: None, **plan_of):
        from fixture import BUILD
        self.t, self.seed, self.wanted, self.say = t, seed, wanted, say
        self.rng = random.Random(f"events {seed}")
        self.plan = {**plan(seed), **plan_of}
        self.build, self.log = BUILD, t.path("workers.log")
        self.wrong, self.counts, self.slots = [], Counter(), {}
        self.children, self.stopped, self.ever_stopped = set(), {}, set()
        self.longest, self.total_ms, self.offset = 0, 0, 0
        self.disturbed, self.rest = Counter(), b""
        self.victims, self.visitors = [], []
        self.ready = set()  # workers that listen to signals
        self.unanswered = False
        self.begin()

    def begin(self):
        chosen, rng = self.plan, self.rng
        switches = ["--sign-ms", str(chosen["sign_ms"])] + ["--t0"] * chosen["t0"]
        # one of each, some way into the run; a signature is two commands
        for fault in ("modem-reset:{},700", "refresh:{}", "lose-channel:{}") if chosen["reset"] else ():
            switches += ["--fault", fault.format(rng.randint(40, 40 + self.wanted))]
        card = chosen["key"]
        if "iotsafe" in chosen["families"]:
            card = self.t.new_card("--applet", "both", "--key", card)
            switches += ["--iotsafe-sessions", "1"] * chosen["one_session"]
        self.sim = self.t.sim(card, *switches)
        self.files = {family: self.t.exported(self.sim, "--applet", family) for family in chosen["families"]}
        open(self.log, "wb").close()
        self.since = self.progress = time.monotonic()
        for slot in range(WORKERS):
            self.start(slot)

    # Processes

    def start(self, slot):
        """A worker; a new one in the place of one that ended."""
        carriers, manners, families = (self.plan[name] for name in ("carriers", "manners", "families"))
        family = families[slot // 4 % len(families)]  # four of one, four of the other
        env = self.t.env(self.sim, SIMKEY_TIMEOUT=str(TIMEOUT),
                         SIMKEY_TRANSPORT=carriers[slot % len(carriers)],
                         SIMKEY_SESSION=manners[slot % len(manners)])
        if family == "iotsafe":
            del env["SIMKEY_PIN_SOURCE"]
        if "ASAN_OPTIONS" in env:  # the children have what a thread owned that they have not
            env["ASAN_OPTIONS"] += ":detect_leaks=0"
        out = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        with open(self.t.path("workers.err"), "ab") as err:
            process = subprocess.Popen(
                [os.path.join(self.build, "worker"), self.build, *self.files[family],
                 str(self.rng.randrange(1, 10 ** 9))], env=env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, cwd=self.t.dir)
        os.close(out)
        self.slots[slot] = process

    def living(self):
        """Those that may be disturbed: workers and their children."""
        workers = [p.pid for p in self.slots.values() if p.poll() is None]
        return workers + sorted(self.children)

    @staticmethod
    def signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def resume(self, pid):
        self.stopped.pop(pid, None)
        self.signal(pid, signal.SIGCONT)

    def tend(self):
        """Whatever is due: the stopped go on, the ended are replaced, orphans are buried."""
        now = time.monotonic()
        for pid in [pid for pid, until in self.stopped.items() if now >= until]:
            self.resume(pid)
        if self.unanswered:
            self.counts["a person"] += 1
            self.t.simkey(self.sim, "pin", "verify", expect=None)
            self.read()
            self.unanswered = False
        for due in [due for due in self.victims if now >= due]:
            self.victims.remove(due)
            self.kill(self.holder())
        for slot, process in list(self.slots.items()):
            status = process.poll()
            if status is None:
                continue
            if status not in (0, -signal.SIGKILL):
                self.wrong.append(f"a worker ended with {status}")
            self.stopped.pop(process.pid, None)
            self.start(slot)
        self.bury()

    def bury(self):
        """Children of killed workers are ours now."""
        for pid in list(self.children):
            try:
                got, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                if not os.path.exists(f"/proc/{pid}"):
                    self.children.discard(pid)
                continue
            if got:
                self.child_ended(pid, status)

    def child_ended(self, pid, status):
        self.children.discard(pid)
        self.stopped.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, -signal.SIGKILL):
            self.wrong.append(f"child {pid} of a fork ended with {code}"
                              + (": it hung" if code == -signal.SIGALRM else ""))

    # What they say

    def read(self):
        with open(self.log, "rb") as log:
            log.seek(self.offset)
            got = log.read()
        self.offset += len(got)
        lines = (self.rest + got).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self.hear(line.decode("latin1"))

    def hear(self, line):
        word, _, rest = line.partition(" ")
        fields = rest.split(" ", 3)
        if word in ("sign", "wrong", "failed"):
            self.judge(word, int(fields[0]), int(fields[2]), line)
        elif word == "ready":
            self.ready.add(int(rest))
        elif word == "forked":
            self.children.add(int(fields[1]))
            self.counts["forks"] += 1
        elif word == "child":
            self.child_ended(int(fields[0]), int(fields[1]))

    def judge(self, word, pid, took, line):
        self.counts[word] += 1
        self.longest = max(self.longest, took)
        self.total_ms += took
        allowed = TIMEOUT + SLACK + (STOPPED if pid in self.ever_stopped else 0)
        if word == "sign":
            self.progress = time.monotonic()
        elif word == "failed" and UNANSWERED.search(line) and self.counts["a person"] < PERSONS:
            self.unanswered = True
        else:
            self.wrong.append(f"at {time.monotonic():.3f}: {line}")
        if took > allowed * 1000:
            self.wrong.append(f"too late: {line}")

    # What happens to them

    def event(self):
        from foreign import DISTURBANCES, DISTURBANCES_IOTSAFE, ENDING
        rng = self.rng
        disturbances = DISTURBANCES_IOTSAFE if "iotsafe" in self.plan["families"] else DISTURBANCES
        kind = rng.choices(list(EVENTS), EVENTS.values())[0]
        if any(word and kind.startswith(word) for word in os.environ.get("WITHOUT", "").split(",")):
            return
        pid = self.holder() if kind.endswith("the holder") else rng.choice(self.living() or [0])
        if kind.startswith("kill"):
            self.kill(pid)
        elif kind.startswith("stop"):
            self.stop(pid, rng.uniform(0.02, STOPPED))
        elif kind in ("fork", "end"):
            process = self.slots[rng.randrange(WORKERS)]
            if process.poll() is None and process.pid in self.ready:
                process.send_signal(signal.SIGUSR1 if kind == "fork" else signal.SIGTERM)
        elif kind == "foreign":
            self.foreign(rng.choice(disturbances))
        else:  # those who make a new session die of it
            self.foreign(rng.choice(ENDING))
            now = time.monotonic()
            self.victims += [now + rng.uniform(0, 0.25) for _ in range(4)]
        self.counts[kind] += 1

    def kill(self, pid):
        if pid:
            self.stopped.pop(pid, None)
            self.signal(pid, signal.SIGKILL)
            self.counts["killed"] += 1

    def stop(self, pid, seconds):
        if pid and pid not in self.stopped:
            self.ever_stopped.add(pid)
            self.stopped[pid] = time.monotonic() + seconds
            self.signal(pid, signal.SIGSTOP)
            self.counts["stopped"] += 1

    def holder(self):
        """Whoever of ours has the SIM now."""
        inode = os.stat(self.sim.device).st_ino
        with open("/proc/locks", encoding="ascii") as locks:
            for pid in re.findall(rf"\d+: FLOCK .* (\d+) \w+:\w+:{inode} ", locks.read()):
                if int(pid) in self.living():
                    return int(pid)
        return 0

    def foreign(self, how):
        """Beside us: it waits for the port like everybody."""
        from foreign import Foreign

        def visit():
            try:
                with Foreign(self.sim.device) as foreign:
                    foreign.disturb(how)
                    self.disturbed[how] += 1
            except OSError as error:
                self.counts["foreign that failed"] += 1
                self.say(f"foreign program: {error}")

        thread = threading.Thread(target=visit)
        thread.start()
        self.visitors = [v for v in self.visitors if v.is_alive()] + [thread]

    def stuck(self):
        return time.monotonic() - self.progress > TIMEOUT + SLACK + STOPPED

    def run(self):
        """Until there are enough signatures. Gives what was wrong."""
        due = time.monotonic() + 1
        told = time.monotonic()
        while self.counts["sign"] < self.wanted and not self.stuck():
            self.tend()
            self.read()
            now = time.monotonic()
            if now >= due:
                self.event()
                due = now + self.rng.expovariate(1 / PAUSE)
            if now >= told + 10:
                told = now
                self.say(f"{self.counts['sign']} signatures, {self.figures()}")
            time.sleep(0.005)
        if self.stuck():
            self.wrong.append("nobody gets on: " + self.who())
        self.wind_up()
        return self.wrong

    def who(self):
        """How it stands with each process, and with the lock."""
        said = []
        for pid in self.living():
            try:
                with open(f"/proc/{pid}/stat", encoding="latin1") as stat:
                    said.append(f"{pid} {stat.read().rpartition(')')[2].split()[0]}")
            except OSError:
                pass
        with open("/proc/locks", encoding="ascii") as locks:
            said += [line.strip() for line in locks if any(str(p) in line for p in self.living())]
        return "; ".join(said)

    # The end

    def wind_up(self):
        for pid in list(self.stopped):
            self.resume(pid)
        for visitor in self.visitors:
            visitor.join(30)
        for process in self.slots.values():
            if process.poll() is None:
                process.terminate()
        self.patience(lambda: any(p.poll() is None for p in self.slots.values()))
        for process in self.slots.values():
            if process.poll() is None:
                self.wrong.append(f"worker {process.pid} does not end")
                process.kill()
                process.wait()
            # one that began just now may not listen yet
            elif process.returncode not in (0, -signal.SIGKILL) and (
                    process.pid in self.ready or process.returncode != -signal.SIGTERM):
                self.wrong.append(f"worker {process.pid} ended with {process.returncode}")
        self.patience(lambda: self.children)
        for pid in self.children:
            self.wrong.append(f"child {pid} of a fork does not end")
            self.signal(pid, signal.SIGKILL)
        self.read()
        self.inspect()

    def patience(self, lasts):
        """Waits as long as an operation may last."""
        end = time.monotonic() + TIMEOUT + SLACK
        while time.monotonic() < end and lasts():
            self.read()
            self.bury()
            time.sleep(0.01)

    def inspect(self):
        """The card and its modem, when all is over."""
        from fixture import Failure
        from signer import none_open
        t, sim = self.t, self.sim
        apdus = sim.apdus()
        try:
            t.simkey(sim, "close", expect=0)
            none_open(t, sim)
        except Failure as failure:
            self.wrong.append(str(failure))
        if sim.tries() != 3:
            self.wrong.append(f"{sim.tries()} PIN tries are left")
        verifies = [a for a in apdus if a.words == "VERIFY" and "{" in a.command]
        refused = [str(a) for a in verifies if a.sw.startswith("63") or a.sw == "6983"]
        if refused:
            self.wrong.append("a PIN was refused: " + "; ".join(refused[:3]))
        sessions = self.selected("mias", apdus) - 3 * self.disturbed["selects mIAS"]
        if len(verifies) > sessions:
            self.wrong.append(f"{len(verifies)} times VERIFY for {sessions} sessions")
        self.counts["sessions"], self.counts["VERIFY"] = sessions, len(verifies)
        self.counts["APDUs"] = len(apdus)
        if "iotsafe" in self.plan["families"]:
            self.inspect_families(apdus)
        self.expect_few_sessions()

    @staticmethod
    def selected(family, apdus):
        return sum(bool(SELECTS[family].search(a.command)) for a in apdus)

    def inspect_families(self, apdus):
        """Both have signed, and no program of ours has selected one's applet on the other one's channel."""
        counts = self.counts
        counts["IoT SAFE sessions"] = self.selected("iotsafe", apdus) - 3 * self.disturbed["selects IoT SAFE"]
        for words, name in (("PSO CDS", "mIAS"), ("COMPUTE SIGNATURE UPDATE", "IoT SAFE")):
            counts[f"signatures of {name}"] = sum(a.words == words for a in apdus)
            if counts[f"signatures of {name}"] < self.wanted / 10:
                self.wrong.append(f"only {counts[f'signatures of {name}']} signatures of {name}")
        standing, crossed = {}, 0
        for a in apdus:
            family = next((name for name, select in SELECTS.items() if select.search(a.command)), None)
            if a.words.startswith("MANAGE CHANNEL") and a.sw == "9000":
                number = a.answer[:2] if a.words.endswith("OPEN") else a.command[6:8]
                standing.pop(str(int(number, 16)), None)
            elif family and a.sw[:2] in ("90", "61"):
                crossed += standing.get(a.channel, family) != family
                standing[a.channel] = family
        counts["crossed"] = crossed
        foreign = 3 * (self.disturbed["selects mIAS"] + self.disturbed["selects IoT SAFE"])
        if crossed > foreign:
            self.wrong.append(f"{crossed} SELECTs on the other applet's channel, and {foreign} of a foreign program")

    def expect_few_sessions(self):
        """Nobody starts anew without a reason."""
        from foreign import ENDING, ENDING_IOTSAFE
        reasons = self.counts["killed"] + self.counts["stopped"] + self.counts["end"] + 3 \
            + sum(self.disturbed[how] for how in (*ENDING, *ENDING_IOTSAFE))
        for what in ("sessions", "IoT SAFE sessions"):
            if "private" not in self.plan["manners"] and len(set(self.plan["carriers"])) == 1 \
                    and self.counts[what] > 2 * reasons:
                self.wrong.append(f"{self.counts[what]} {what} for {reasons} disturbances")

    def figures(self):
        seconds = time.monotonic() - self.since
        return (f"{self.counts['killed']} kills, {self.counts['stopped']} stops, "
                f"{self.counts['forks']} forks, {self.counts['end']} ends, "
                f"{sum(self.disturbed.values())} visits of a foreign program, "
                f"longest operation {self.longest / 1000:.2f} s, {seconds:.0f} s")


def soak(t, seed, wanted, say, **plan_of):
    """A run to its end; says its figures, gives what was wrong."""
    run = Soak(t, seed, wanted, say, **plan_of)
    say(f"SEED={seed}: {run.plan}")
    wrong = run.run()
    say(f"{run.counts['sign']} signatures, {run.figures()}")
    say(", ".join(f"{name} {count}" for name, count in sorted(run.counts.items())))
    say("foreign program: " + ", ".join(f"{how} {n}" for how, n in sorted(run.disturbed.items())))
    return wrong


def main():
    os.umask(0o022)
    base = tempfile.mkdtemp(prefix="simkey-soak-")
    os.chmod(base, 0o711)
    os.environ["E2E_SHARED"] = os.path.join(base, "shared")
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, see run.py
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10 ** 6))
    wanted = int(os.environ.get("SIGNATURES") or "10000")
    wrong = ["it did not come to its end"]
    try:
        import run
        import fixture
        run.set_up(os.path.join(base, "shared"))
        os.mkdir(os.path.join(base, "t"), 0o711)
        t = fixture.Test(os.path.join(base, "t"))
        try:
            wrong = soak(t, seed, wanted, lambda *words: print(*words, flush=True))
        finally:
            wrong += t.close() + [f"left running: {name}" for name in run.leftovers()]
    except subprocess.SubprocessError as error:
        print(error)
    finally:
        if not os.environ.get("E2E_KEEP"):
            shutil.rmtree(base, ignore_errors=True)
    for line in wrong:
        print("WRONG:", line)
    print(f"soak {'failed' if wrong else 'passed'}; SEED={seed} repeats it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
