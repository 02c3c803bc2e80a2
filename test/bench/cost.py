# SPDX-License-Identifier: Apache-2.0
"""What a signature by the provider costs this machine: instructions (by callgrind, as the difference
of two runs), processor time, the share of a core that waiting takes, memory, and the module's size.
Beside it the same of a software key."""

import os
import re
import shutil
import subprocess
import time

import fixture
import tls
from bed import Failure, Run, median

FEW, MORE = 2, 20  # signatures of the two runs are FEW and FEW + MORE
CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def software_key(bed, key):
    """A key and certificate in files: those of a server will do."""
    name = {"rsa2048": "rsa", "p256": "p256"}[key]
    return tls.pki(f"server-{name}.pem"), tls.pki(f"server-{name}.key")


def collected(bed, arguments, env):
    """Instructions of one run."""
    run = Run(bed, arguments, env, prefix=CALLGRIND)
    try:
        run.popen.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        run.popen.kill()
        run.popen.communicate()
        raise Failure("callgrind did not end")
    said = run.said()
    found = re.search(r"Collected : (\d+)", said)
    if run.popen.returncode != 0 or not found:
        raise Failure("callgrind:\n" + said[-2000:])
    return int(found[1])


def each(bed, arguments, env):
    """Instructions of one signature or verification."""
    few = collected(bed, [*arguments, "--count", str(FEW)], env)
    more = collected(bed, [*arguments, "--count", str(FEW + MORE)], env)
    return (more - few) / MORE


def instructions(bed, tell):
    if not shutil.which(CALLGRIND[0], path=fixture.PATH):
        return [{"what": "valgrind is not here"}]
    rows = []
    for key in ("rsa2048",) if bed.quick else ("rsa2048", "p256"):
        cert, file = software_key(bed, key)
        software = each(bed, ["sign", "--key", file], bed.t.env())
        verify = each(bed, ["verify", "--key", file, "--cert", cert], bed.t.env())
        modem = bed.modem(key, 115200, 0)
        whole = each(bed, ["sign", "--key", bed.files[key][1]], modem.environment(bed))
        modem.stop(bed)
        rows.append({"key": key, "provider": whole, "verification": verify, "own": whole - verify,
                     "software_signature": software, "own_of_software": (whole - verify) / software})
        tell(f"instructions of a {key} signature")
    return rows


def cpu_of(run, kind, choose=median):
    """Milliseconds of processor time for each; the first one sets things up."""
    return choose([event.cpu for event in run.of(kind)[1:]]) / 1e6


def processor_time(bed, tell):
    rows = []
    for key in ("rsa2048", "p256"):
        cert, file = software_key(bed, key)
        count = 50 if bed.quick else 300
        software = cpu_of(Run(bed, ["sign", "--key", file, "--count", str(count)],
                              bed.t.env()).finish(), "signature")
        verify = cpu_of(Run(bed, ["verify", "--key", file, "--cert", cert, "--count", str(count)],
                            bed.t.env()).finish(), "verification")
        for baud, milliseconds in ((0, 0), (115200, 500)):
            count = (8 if bed.quick else 25) if milliseconds else 50 if bed.quick else 300
            modem = bed.modem(key, baud, milliseconds)
            run = Run(bed, ["sign", "--key", bed.files[key][1], "--count", str(count)],
                      modem.environment(bed)).finish()
            modem.stop(bed)
            whole = cpu_of(run, "signature")
            rows.append({"key": key, "baud": baud, "card_ms": milliseconds, "provider_ms": whole,
                         "verification_ms": verify, "own_ms": whole - verify,
                         "own_least_ms": cpu_of(run, "signature", min) - verify,
                         "software_signature_ms": software})
        tell(f"processor time of a {key} signature")
    return rows


def on_processor(pid):
    """Seconds that it has run so far."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def waiting(bed, tell):
    """Two processes sign; while the first one waits for the card, the second one waits for it."""
    seconds = 3 if bed.quick else 8
    modem = bed.modem("rsa2048", 115200, 1000 * (seconds + 2))
    sign = ["sign", "--key", bed.files["rsa2048"][1]]
    runs = []
    for _ in range(2):
        runs.append(Run(bed, sign, modem.environment(bed), held=True))
        runs[-1].wait_ready()
        runs[-1].go()
        time.sleep(1.0)  # it has sent its last command, or stands in the queue
    before, since = [on_processor(run.popen.pid) for run in runs], time.monotonic()
    time.sleep(seconds - 0.5)
    after, span = [on_processor(run.popen.pid) for run in runs], time.monotonic() - since
    for run in runs:
        run.finish()
    modem.stop(bed)
    tell("the share of a core that waiting takes")
    return [{"waits_for": name, "seconds": span, "share": (after[i] - before[i]) / span}
            for i, name in enumerate(("the card", "its turn"))]


def memory(bed, tell):
    """Peak memory of a program with one handshake, by the SIM's key and by one in a file."""
    rows = []
    for key in ("rsa2048", "p256"):
        cert, file = software_key(bed, key)
        software = Run(bed, bed.connect(cert, file, tls.pki("ca.pem")), bed.t.env()).finish()
        modem = bed.modem(key, 0, 0)
        ours = bed.sim_handshakes(modem, key, 1).finish()
        modem.stop(bed)
        rows.append({"key": key, "provider_kb": ours.numbers["end"],
                     "software_kb": software.numbers["end"],
                     "more_kb": ours.numbers["end"] - software.numbers["end"]})
    tell("peak memory")
    return rows


def size(bed, tell):
    stripped = bed.t.path("stripped.so")
    bed.t.run(["strip", "-o", stripped, fixture.MODULE], preload=False)
    sections = bed.t.run(["size", stripped], preload=False).out.splitlines()[1].split()
    return [{"file": "simkey.so", "octets": os.path.getsize(fixture.MODULE),
             "stripped": os.path.getsize(stripped), "code": int(sections[0]),
             "data": int(sections[1]), "bss": int(sections[2])}]
