#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bench: run.py [--quick] [--readme] [PATTERN]

Measures what PATTERN matches of the parts below, prints tables and leaves them as CSV, SVG and JSON
in build/bench. --readme prints the summary of the last whole run. Figures never make it fail, only a
handshake that is not good."""

import contextlib
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))


def parts():
    """The parts in their order: name, what it leaves, function."""
    import agent_cost
    import cost
    import crowd
    import line
    import places
    return [("handshakes", ("handshakes",), lambda bed, tell:
             (line.handshakes(bed, tell) + line.variants(bed, tell),)),
            ("type-a", ("type_a",), lambda bed, tell: (line.type_a(bed, tell),)),
            ("parallel", ("parallel", "waits"), crowd.parallel),
            ("instructions", ("instructions",), lambda bed, tell: (cost.instructions(bed, tell),)),
            ("processor", ("processor",), lambda bed, tell: (cost.processor_time(bed, tell),)),
            ("waiting", ("waiting",), lambda bed, tell: (cost.waiting(bed, tell),)),
            ("memory", ("memory",), lambda bed, tell: (cost.memory(bed, tell),)),
            ("size", ("size",), lambda bed, tell: (cost.size(bed, tell),)),
            ("agent", ("agent",), lambda bed, tell: (agent_cost.compared(bed, tell),)),
            ("places", ("places",), lambda bed, tell: (places.compared(bed, tell),))]


def machine(quick):
    with open("/proc/cpuinfo", encoding="latin1") as file:
        names = re.search(r"^(?:model name|Model|Hardware)\s*: (.*)", file.read(), re.M)
    version = subprocess.run(["openssl", "version"], capture_output=True, check=True, timeout=20)
    return {"date": datetime.date.today().isoformat(), "quick": quick,
            "processor": names[1].strip() if names else platform.machine(),
            "cores": os.cpu_count(), "load": os.getloadavg()[0],
            "openssl": version.stdout.decode("ascii").split()[1]}


def measure(folder, log, quick, pattern):
    """All parts that match; what went wrong is told, and the others go on."""
    import bed
    results, wrong, since = {"machine": machine(quick)}, [], time.monotonic()

    def tell(what):
        print(f"{time.monotonic() - since:6.1f} s  {what}", file=sys.stderr, flush=True)

    with contextlib.redirect_stdout(log):
        place = bed.Bed(folder, quick)
        try:
            for name, leaves, part in parts():
                if not re.search(pattern, name):
                    continue
                try:
                    results.update(zip(leaves, part(place, tell)))
                except Exception as failure:
                    if not isinstance(failure, bed.Failure):
                        traceback.print_exc(file=sys.stderr)
                    wrong.append(f"{name}: {failure}")
        finally:
            wrong += place.close()
    return results, wrong


def stop(number, _frame):
    sys.exit(128 + number)


def bench(out, quick, pattern):
    import report
    os.makedirs(out, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    base = os.environ["E2E_SHARED"]
    try:
        with open(os.path.join(out, "log"), "w", encoding="utf-8") as log:
            results, wrong = measure(base, log, quick, pattern)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    whole = not pattern and not wrong
    with open(os.path.join(out, "results.json" if whole else "part.json"), "w",
              encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    report.write_csv(out, results)
    report.write_plots(out, results)
    text = report.text(results)
    with open(os.path.join(out, "table.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text)
    for failure in wrong:
        print("FAILED ", failure)
    print(f"tables, CSV and plots are in {os.path.relpath(out)}")
    return 1 if wrong else 0


def main():
    arguments = sys.argv[1:]
    quick, readme = "--quick" in arguments, "--readme" in arguments
    pattern = "".join(argument for argument in arguments if not argument.startswith("--"))
    os.umask(0o022)
    sys.dont_write_bytecode = True
    sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
    if not readme:
        os.environ["E2E_SHARED"] = tempfile.mkdtemp(prefix="simkey-bench-")
        os.chmod(os.environ["E2E_SHARED"], 0o711)
    import fixture
    import report
    out = os.path.join(fixture.BUILD, "bench")
    if not readme:
        return bench(out, quick, pattern)
    try:
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            print(report.readme(json.load(file)))
    except OSError as error:
        print(f"bench: {error}; `make bench` makes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
