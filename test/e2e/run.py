#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests: run.py [PATTERN]

One child process a test, in a session and a folder of its own. Tests wait most of the time, so they
run side by side: LANES a processor, beside them the fault matrix (light=True), and at the end, one
after the other, those that bear nothing beside them (alone=WHY). Prints a line a test and what a
failed one said; closes on `N passed, N failed`. What a test leaves running is stopped and counts as
its failure. E2E_JOBS=n: that many lanes, and half as many for the matrix; E2E_KEEP=1 keeps the folders;
E2E_TIMES=FILE: seconds and processor seconds of each test."""

import ctypes
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
LANES, LIGHT_LANES = 3, 2  # a processor
LAST_LIGHT_LANES = 3  # when the other lanes have nothing left to do
TAIL = 60  # lines shown of what a failed test said
PR_SET_CHILD_SUBREAPER = 36
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def set_up(shared):
    """Cards and server certificates, which all tests share."""
    import fixture
    import tls
    os.makedirs(os.path.join(shared, "cards"))
    env = {"PATH": fixture.PATH, "HOME": shared}
    for key in fixture.KEYS:
        subprocess.run([fixture.SIMMODEM, "--card", os.path.join(shared, "cards", key), "--new",
                        "--key", key], env=env, check=True, timeout=300)
    tls.make_server_certificates(os.path.join(shared, "pki"), env)


def load():
    """The tests of every test_*.py."""
    import fixture
    for file in sorted(os.listdir(HERE)):
        if file.startswith("test_") and file.endswith(".py"):
            importlib.import_module(file[:-3])
    return fixture.TESTS


def child(entry, folder):
    """Runs one test and does not return."""
    status = 1
    try:
        os.setsid()
        # What the test's programs leave to themselves falls to this process, see leftovers().
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # what is started in the background may ignore some
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(folder)
        os.mkdir("t", 0o711)
        os.chmod(folder, 0o711)
        status = 1 if run_test(entry, os.path.join(folder, "t")) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run_test(entry, folder):
    """Runs it with its fixture; true if something was wrong."""
    import fixture
    failed = True
    t = fixture.Test(folder)
    try:
        entry["body"](t, **entry["arguments"])
        failed = False
    except fixture.Failure as failure:
        print(failure)
    except Exception:
        traceback.print_exc(file=sys.stdout)
    for wrong in t.close() + [f"left running: {name}" for name in leftovers()]:
        print("at the end:", wrong)
        failed = True
    return failed


def descendants(root):
    """Children of a process and theirs; zombies are left out."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="latin1") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                children.setdefault(int(fields[1]), []).append(int(name))
    found, look = [], [root]
    while look:
        more = children.get(look.pop(), [])
        found += more
        look += more
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_tree(pid):
    """Kills a child and all that descends from it; what that starts meanwhile too."""
    end = time.monotonic() + 5
    os.kill(pid, signal.SIGSTOP)
    while (pids := descendants(pid)) and time.monotonic() < end:
        kill(pids)
        time.sleep(0.01)
    kill([pid])


def leftovers():
    """What this process's tests left running, after a moment's patience; it is killed. Names."""
    end = time.monotonic() + 2
    while descendants(os.getpid()) and time.monotonic() < end:
        time.sleep(0.02)
    names = []
    while pids := descendants(os.getpid()):
        for pid in pids:
            try:
                with open(f"/proc/{pid}/cmdline", encoding="latin1") as line:
                    names.append(f"{pid} " + line.read().replace("\0", " "))
            except OSError:
                pass
        kill(pids)
        time.sleep(0.02)
    return names


class Runner:
    def __init__(self, base, jobs):
        processors = max(2, os.cpu_count() or 2)
        self.lanes = jobs or LANES * processors
        self.light_lanes = jobs // 2 if jobs else LIGHT_LANES * processors
        self.last_light_lanes = jobs or LAST_LIGHT_LANES * processors
        self.base, self.running = base, {}
        self.passed, self.failed, self.times = 0, [], []

    def begin(self, index, entry):
        folder = os.path.join(self.base, f"{index:03d}")
        os.mkdir(folder)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(entry, folder)
        self.running[pid] = {"entry": entry, "folder": folder, "since": time.monotonic(),
                             "late": False}

    def reap(self):
        """Takes what has ended; stops what is late."""
        for pid, run in self.running.items():
            if not run["late"] and time.monotonic() > run["since"] + run["entry"]["seconds"]:
                run["late"] = True
                end_tree(pid)
        while self.running:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self.running:
                self.end(pid, os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)

    def end(self, pid, status, processor):
        run = self.running.pop(pid)
        entry, good = run["entry"], status == 0
        seconds = time.monotonic() - run["since"]
        label = f"{entry['file']}: {entry['name']}"
        self.times.append(f"{seconds:7.1f} {processor:7.2f}  {label}")
        print(f"{'ok    ' if good else 'FAILED'}  {label}  {seconds:.1f} s", flush=True)
        if good:
            self.passed += 1
        else:
            self.failed.append(label)
            self.show(run["folder"], f"not ended in {entry['seconds']} s" if run["late"] else "")
        if not os.environ.get("E2E_KEEP"):
            shutil.rmtree(run["folder"], ignore_errors=True)

    @staticmethod
    def show(folder, reason):
        with open(os.path.join(folder, "log"), encoding="latin1") as log:
            lines = log.read().splitlines()
        if reason:
            lines.append(reason)
        for line in lines[-TAIL:]:
            print("        |", line[:400])
        sys.stdout.flush()

    def busy(self, light):
        """How many lanes of that kind are taken."""
        return sum(run["entry"]["light"] == light for run in self.running.values())

    def run(self, tests):
        queue = sorted(enumerate(tests), key=lambda item: (not item[1]["long"], item[0]))
        side, light, alone = ([item for item in queue if chosen(item[1])] for chosen in (
            lambda entry: not entry["light"] and not entry["alone"],
            lambda entry: entry["light"] and not entry["alone"], lambda entry: entry["alone"]))
        try:
            while side or light or alone or self.running:
                while side and self.busy(False) < self.lanes:
                    self.begin(*side.pop(0))
                while light and self.busy(True) < (
                        self.light_lanes if self.busy(False) else self.last_light_lanes):
                    self.begin(*light.pop(0))
                if not self.running:
                    self.begin(*alone.pop(0))
                self.reap()
                time.sleep(0.01)
        finally:
            end = time.monotonic() + 10
            while (pids := descendants(os.getpid())) and time.monotonic() < end:
                kill(pids)
                time.sleep(0.01)

    @staticmethod
    def report():
        """What the tests' files have to say at the end."""
        import fixture
        for report in fixture.AT_END:
            report()


def stop(number, _frame):
    for other in STOPS:  # the clean-up is not interrupted
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    os.umask(0o022)
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    base = tempfile.mkdtemp(prefix="simkey-e2e-")
    os.chmod(base, 0o711)
    os.environ["E2E_SHARED"] = os.path.join(base, "shared")
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    for number in STOPS:
        signal.signal(number, stop)
    since = time.monotonic()
    # What a test's processes leave to themselves falls to this process when the test is killed.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    runner = Runner(base, int(os.environ.get("E2E_JOBS", "0")))
    try:
        tests = [entry for entry in load()
                 if re.search(pattern, f"{entry['file']}: {entry['name']}", re.I)]
        set_up(os.path.join(base, "shared"))
        left_out = [entry for entry in tests if entry["left_out"]]
        tests = [entry for entry in tests if not entry["left_out"]]
        for entry in left_out:
            print(f"left out  {entry['file']}: {entry['name']}: {entry['left_out']}")
        runner.run(tests)
        runner.report()
    finally:
        if not os.environ.get("E2E_KEEP"):
            shutil.rmtree(base, ignore_errors=True)
    for label in runner.failed:
        print("FAILED ", label)
    print(f"end-to-end tests took {time.monotonic() - since:.0f} s")
    if os.environ.get("E2E_TIMES"):
        with open(os.environ["E2E_TIMES"], "w", encoding="latin1") as times:
            times.write("seconds  processor\n" + "\n".join(sorted(runner.times, reverse=True)) + "\n")
    if os.environ.get("E2E_SUMMARY"):
        with open(os.environ["E2E_SUMMARY"], encoding="latin1") as summary:
            print("\n" + summary.read())
    print(f"{runner.passed} passed, {len(runner.failed)} failed")
    return 0 if tests and not runner.failed and runner.passed == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
