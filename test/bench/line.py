# SPDX-License-Identifier: Apache-2.0
"""One program alone with the SIM: handshakes of a fresh start, of the next process and of the same
process, and the loading of a Type A key, over lines and cards of several speeds. Each beside the
limit that line and card set: octets x 10 / baud + the card's time."""

import math

from bed import IOTSAFE, Run, median

BAUDS = (9600, 115200, 921600, 0)
CARD_MS = (0, 100, 500)
# The figures that count most.
MAIN = (115200, 500)

PHASES = {"cold": "fresh modem, process start to Finished",
          "next": "next process, its start to Finished",
          "same": "second handshake of a process"}


class Sample:
    """A phase, measured once."""

    def __init__(self, modem, seconds, traffic):
        self.seconds, self.traffic, self.limit = seconds, traffic, modem.limit(traffic)


def measure_once(bed, key, baud, milliseconds, switches, transport):
    """One fresh modem, two processes."""
    modem = bed.modem(key, baud, milliseconds, *switches)
    first = bed.sim_handshakes(modem, key, 2, SIMKEY_TRANSPORT=transport).finish()
    cold, same, _ = modem.segments()
    shakes = first.of("handshake")
    samples = {"cold": Sample(modem, first.since_start(shakes[0]), cold),
               "same": Sample(modem, shakes[1].seconds(), same)}
    second = bed.sim_handshakes(modem, key, 1, SIMKEY_TRANSPORT=transport).finish()
    samples["next"] = Sample(modem, second.since_start(second.of("handshake")[0]),
                             modem.segments()[0])
    modem.stop(bed)
    return samples


def row(what, key, baud, milliseconds, samples):
    traffic = samples[0].traffic
    wall, limit = median([s.seconds for s in samples]), median([s.limit for s in samples])
    return {"what": what, "key": key, "baud": baud, "card_ms": milliseconds, "runs": len(samples),
            "apdus": traffic.apdus, "at_commands": traffic.commands, "octets_in": traffic.into,
            "octets_out": traffic.out, "line_s": traffic.line_seconds(baud),
            "card_s": traffic.signatures * milliseconds / 1000, "limit_s": limit, "wall_s": wall,
            "worst_s": max(s.seconds for s in samples),
            "ratio": median([s.seconds / s.limit for s in samples]) if limit else None}


def cell(bed, key, baud, milliseconds, runs, switches=(), transport="auto", label=""):
    rounds = [measure_once(bed, key, baud, milliseconds, switches, transport) for _ in range(runs)]
    return [row(phase + label, key, baud, milliseconds, [samples[phase] for samples in rounds])
            for phase in PHASES]


def handshakes(bed, tell):
    rows = []
    for baud in BAUDS:
        for milliseconds in CARD_MS:
            runs = 1 if bed.quick else 3 if baud == 9600 else 5
            if (baud, milliseconds) == MAIN:
                runs = 3 if bed.quick else 9
            rows += cell(bed, "rsa2048", baud, milliseconds, runs)
            tell(f"handshakes at {baud or 'no'} baud, card {milliseconds} ms")
    return rows


def variants(bed, tell):
    """Other keys and ways at the speeds that count most."""
    runs = 1 if bed.quick else 5
    rows = cell(bed, "p256", *MAIN, runs)
    tell("handshakes with a P-256 key")
    rows += cell(bed, IOTSAFE, *MAIN, 3 if bed.quick else 9)
    tell("handshakes with a key of IoT SAFE")
    rows += cell(bed, "rsa2048", *MAIN, runs, transport="ccho", label=" (AT+CCHO)")
    tell("handshakes over AT+CCHO")
    return rows + shared_again(bed, runs)


def shared_again(bed, runs):
    """session = shared: the last program that used the SIM has closed the channel."""
    samples = []
    modem = bed.modem("rsa2048", *MAIN)
    bed.sim_handshakes(modem, "rsa2048", 1, "shared").finish()
    modem.segments()
    for _ in range(runs):
        run = bed.sim_handshakes(modem, "rsa2048", 1, "shared").finish()
        samples.append(Sample(modem, run.since_start(run.of("handshake")[0]), modem.segments()[0]))
    modem.stop(bed)
    return [row("again (shared, nobody else)", "rsa2048", *MAIN, samples)]


def type_a(bed, tell):
    """Certificate and key from the card's data objects, by a store."""
    rows = []
    for baud in BAUDS:
        if bed.quick and baud == 9600:
            continue
        modem = bed.modem("rsa2048", baud, 0)
        run = Run(bed, ["load", "--uri", "sim:available"], modem.environment(bed)).finish()
        sample = Sample(modem, run.since_start(run.of("load")[0]), modem.segments()[-1])
        modem.stop(bed)
        found = row("Type A, cold", "rsa2048", baud, 0, [sample])
        # The two largest objects, in the form in which the card has them, and what they may cost.
        found["objects"] = sorted(sample.traffic.reads)[-2:]
        found["apdus_allowed"] = 10 + sum(math.ceil(octets / 255) for octets in found["objects"])
        rows.append(found)
        tell(f"Type A at {baud or 'no'} baud")
    return rows
