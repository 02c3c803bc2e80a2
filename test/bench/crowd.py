# SPDX-License-Identifier: Apache-2.0
"""Several programs at one SIM: what share of the time SIM and line are busy, and how the waiting is
shared out. All processes have loaded their key before the first one begins."""

from bed import NS, median
from line import MAIN

PROCESSES = (1, 2, 4, 8, 16)


def crowd(bed, processes, rounds, baud, milliseconds):
    modem = bed.modem("rsa2048", baud, milliseconds)
    runs = [bed.sim_handshakes(modem, "rsa2048", rounds, "shared", held=True)
            for _ in range(processes)]
    for run in runs:
        run.wait_ready()
    for run in runs:
        run.go()
    for run in runs:
        run.finish()
    segments = modem.segments()[:-1]
    modem.stop(bed)
    return modem, [run.of("handshake") for run in runs], segments


def one_alone(shakes):
    """Seconds of a handshake that waits for nobody."""
    return median([shake.seconds() for shake in shakes[0][1:] or shakes[0]])


def spread(shakes, alone):
    """Each handshake's waiting: its time without that of one alone."""
    return [max(0.0, shake.seconds() - alone) for own in shakes for shake in own]


def rounds_of(bed, processes):
    if bed.quick:
        return 3 if processes == 8 else 2
    return 5 if processes == 8 else 3 if processes == 16 else 4


def parallel(bed, tell):
    """Rows, and every handshake with its waiting time."""
    rows, waits = [], []
    for baud, milliseconds in (MAIN, (0, 0)):
        alone = 0.0
        for processes in PROCESSES:
            rounds = rounds_of(bed, processes) if milliseconds else 20 if bed.quick else 100
            modem, shakes, segments = crowd(bed, processes, rounds, baud, milliseconds)
            alone = alone or one_alone(shakes)
            rows.append(row(modem, processes, rounds, shakes, segments, alone))
            waits += [{"baud": baud, "card_ms": milliseconds, "processes": processes,
                       "process": number, "round": turn,
                       "asked_s": (shake.begin - shakes[0][0].begin) / NS,
                       "answered_s": (shake.end - shakes[0][0].begin) / NS,
                       "waited_s": max(0.0, shake.seconds() - alone)}
                      for number, own in enumerate(shakes) for turn, shake in enumerate(own)]
            tell(f"{processes} processes at {baud or 'no'} baud, card {milliseconds} ms")
    return rows, waits


def row(modem, processes, rounds, shakes, segments, alone):
    every = [shake for own in shakes for shake in own]
    span = (max(s.end for s in every) - min(s.begin for s in every)) / NS
    limit = sum(modem.limit(traffic) for traffic in segments)
    card = sum(traffic.signatures for traffic in segments) * modem.milliseconds / 1000
    waited = spread(shakes, alone)
    mean = sum(waited) / len(waited)
    crowded = processes > 1
    return {"baud": modem.baud, "card_ms": modem.milliseconds, "processes": processes,
            "rounds": rounds, "handshakes": len(every), "apdus": sum(s.apdus for s in segments),
            "span_s": span, "limit_s": limit, "per_second": len(every) / span,
            "sim_busy": limit / span if limit else None, "card_busy": card / span if card else None,
            "wait_mean_s": mean if crowded else None,
            "wait_longest_s": max(waited) if crowded else None,
            "wait_ratio": max(waited) / mean if crowded and mean else None,
            "cpu_ms": sum(s.cpu for s in every) / len(every) / 1e6}
