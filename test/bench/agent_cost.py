# SPDX-License-Identifier: Apache-2.0
"""What it costs to sign through simkey-agent instead of by the port: processor time of client and agent together,
time on the clock, and APDUs of a new process each time. Beside it what executing a program costs this machine
that does nothing at all, because the agent executes one for each request."""

import os
import resource

from bed import Run, median
from test_agent import Agent

MANY = "requests = 10000\nconnections = 64"
NEW = 5  # processes that sign once


def spent_by(pid):
    """Milliseconds of processor time of a process and of those of its children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="latin1") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")


def executing(count):
    """Milliseconds that a program costs which does nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000 / count


def signed(bed, key, count, env):
    """(milliseconds of the client's processor time, seconds) of a signature, after the first one."""
    events = Run(bed, ["sign", "--key", bed.files[key][1], "--count", str(count + 1)], env).finish().of("signature")[1:]
    return sum(event.cpu for event in events) / 1e6 / count, median([event.seconds() for event in events])


def compared(bed, tell):
    rows = []
    for baud, milliseconds in ((0, 0), (115200, 500)):
        count = (8 if bed.quick else 25) if milliseconds else 50 if bed.quick else 300
        modem = bed.modem("p256", baud, milliseconds)
        direct_ms, direct_s = signed(bed, "p256", count, modem.environment(bed))
        bed.t.simkey(modem.sim, "close", env=modem.environment(bed))
        one = Agent(bed.t, modem.sim, settings=MANY, device=modem.sim.device)
        env = one.client_env(OPENSSL_CONF=bed.configuration)
        signed(bed, "p256", 1, env)  # the session
        before = spent_by(one.process.popen.pid)
        client_ms, agent_s = signed(bed, "p256", count, env)
        agent_ms = (spent_by(one.process.popen.pid) - before) / (count + 1)
        modem.sim.mark()
        for _ in range(NEW):
            Run(bed, ["sign", "--key", bed.files["p256"][1], "--count", "1"], env).finish()
        rows.append({"baud": baud, "card_ms": milliseconds, "direct_ms": direct_ms, "client_ms": client_ms,
                     "agent_ms": agent_ms, "above_ms": client_ms + agent_ms - direct_ms, "executing_ms": executing(count),
                     "apdus": len(modem.sim.apdus()) / NEW, "wall": agent_s / direct_s})
        one.process.stop()
        bed.t.running.remove(one.process)
        modem.stop(bed)
    tell("signatures through simkey-agent")
    return rows
