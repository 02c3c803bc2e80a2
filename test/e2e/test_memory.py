# SPDX-License-Identifier: Apache-2.0
"""Allocations that fail, one after the other: in a program that uses the provider (test/memory), and
in the commands. Nothing crashes, nothing is lost for the next time."""

import json
import os

from fixture import BUILD, REFUSED, SANITIZED, SIMKEY, test
from test_safe2 import CONFIG, FAST, SAFE2, Site

MEMORY = os.path.join(BUILD, "memory")
LIBRARY = os.path.join(BUILD, "memory_fail.so")


def preloaded(env):
    libraries = [os.environ["E2E_LIBASAN"]] if SANITIZED else []
    env["LD_PRELOAD"] = ":".join([LIBRARY] + libraries)  # before the sanitizer's own malloc
    if SANITIZED:
        env["ASAN_OPTIONS"] += ":detect_leaks=0:verify_asan_link_order=0:allocator_may_return_null=1"
    return env


def afterwards(t, sim):
    """One record, no channel but the shared one, no try lost."""
    t.simkey(sim, "close")
    t.equal([name for name in os.listdir(t.run_dir) if name.endswith(".session")],
            [os.path.realpath(sim.device)[1:].replace("/", "-") + ".session"],
            "records")
    opened = [a for a in sim.apdus() if a.words == "MANAGE CHANNEL OPEN" and a.sw == "9000"]
    t.equal(sim.count("MANAGE CHANNEL CLOSE"), len(opened), "channels closed, as many as opened")
    t.equal(sim.tries(), 3, "tries")


def in_a_program(t, part, step):
    sim = t.sim("p256")
    _, key = t.exported(sim)
    t.simkey(sim, "close")
    sim.mark()
    for count in (1, 5):
        result = t.run([MEMORY, BUILD, key, part, str(count), str(step), str(count)], seconds=110,
                       env=preloaded(t.env(sim)), preload=False)
        t.says(result.out, r"\b([5-9]|[1-9]\d+) tried, \d+ worked, 0 bad")
    afterwards(t, sim)


# All of our own allocations in a signature; of the others, which are nearly all libcrypto's, some.
PARTS = {"sign": ("a signature", 1), "first-sign": ("a first signature", 17),
         "verify": ("a verification", 1), "key": ("loading a key reference", 101), "first-key": ("loading a first reference", 103),
         "uri": ("a signature by a URI", 43), "available": ("loading sim:available", 107),
         "provider": ("loading the provider", 3)}

for name, (words, by) in PARTS.items():
    test(name=f"failed allocations in {words} lose nothing", part=name, step=by,
         seconds=240)(in_a_program)


def in_a_command(t, command, card, first, step):
    sim = t.sim(card)
    good = t.run(command, sim)
    sim.mark()
    env = preloaded(t.env(sim))
    worked = 0
    for number in range(first, 4000, step):
        env["MEMORY_FAIL"] = f"{number} {1 + number % 2 * 4}"
        result = t.run(command, env=env, expect=None, preload=False)
        if result.status == 0 and "error:" not in result.out:  # info has them for a container
            t.equal(result.out, good.out, f"output with allocation {number} failing")
        elif result.status != 0:
            t.check(result.err != "", f"no error with allocation {number} failing")
        worked += result.status == 0
    t.check(worked > 0, "none worked")
    afterwards(t, sim)


# Not the very first ones: libcrypto of 3.5 waits for itself when its first allocation fails, because it wants
# to note an error before it is set up.
for command in (["info"], ["cert", "signing"], ["key", "signing"]):
    test(name=f"failed allocations in simkey {command[0]} end in success or an error",
         command=[SIMKEY, *command], card="p256", first=13, step=61)(in_a_command)


# What is told of a SIM is gathered as JSON: it is told whole or not at all.

def whole(out, command):
    """What must be there. The words of doctor and of devices tell of this machine too."""
    if command in ("doctor", "devices"):
        return [(sorted(row), row.get("step"), row.get("result"), row.get("device")) for row in json.loads(out)]
    return out


def in_json(t, command, step=1):
    sim = t.sim("p256")
    t.simkey(sim, "info", "--json")
    t.write("record.json", t.simkey(sim, "info", "--json").out)
    command = [SIMKEY, *(t.path(word) if "." in word else word for word in command)]
    good = t.run(command, sim, expect=None, preload=False)
    sim.mark()
    env = preloaded(t.env(sim))
    failed = worked = 0
    for number in range(1, 4000, step):
        env["MEMORY_FAIL"] = f"{number} {1 + number % 2 * 4} libcjson"
        result = t.run(command, env=env, expect=None, preload=False)
        if "out of memory" in result.err:
            failed, worked = failed + 1, 0
            t.equal((result.status, result.out), (REFUSED, ""), f"status and output with allocation {number} failing")
            continue
        t.equal((result.status, result.err), (good.status, good.err), f"the end with allocation {number} failing")
        t.check(whole(result.out, command[1]) == whole(good.out, command[1]),
                f"output with allocation {number} failing: {result.out}")
        worked += 1
        if worked == 3:
            break
    t.check(worked == 3 and failed > 5, f"{failed} failed")
    afterwards(t, sim)


for words, by in (("info", 7), ("info --verbose", 31), ("info --json", 13), ("devices --json", 1), ("doctor --json", 17),
                  ("inventory record.json", 17), ("inventory --json record.json", 23)):
    test(name=f"what there is no memory for in simkey {words} is an error", command=words.split(), step=by,
         seconds=240)(in_json)


@test(name="failed allocations in safe2 get end in success or an error", seconds=240)
def in_safe2_get(t):
    site = Site(t)
    site.put(CONFIG)
    env = preloaded(t.env(site.sim))
    out = t.path("configuration")
    ends = []
    for number in range(1, 400, 3):
        env["MEMORY_FAIL"] = f"{number} {1 + number % 2 * 4}"
        if os.path.exists(out):
            os.unlink(out)
        result = t.run([SAFE2, "get", *FAST, "--out", out], env=env, expect=None, preload=False)
        if result.status == 0:
            t.equal(t.read("configuration"), CONFIG, f"what came with allocation {number} failing")
        else:
            t.check(result.err != "", f"no error with allocation {number} failing")
            t.check(not os.path.exists(out), f"half a file with allocation {number} failing")
        ends.append(result.status)
        if ends[-3:] == [0, 0, 0] and number > 60:
            break
    t.check(0 in ends and any(ends), f"ends: {ends}")
    t.equal(site.get("--out", out).status, 0, "the next time")
    site.none_open()
