# SPDX-License-Identifier: Apache-2.0
"""All pairs of the ways in which IoT SAFE cards answer, in `make test-faults`: with each, handshakes with
TLS 1.2 and 1.3 by URI and by key reference, over AT+CSIM, AT+CCHO or in a card reader, in turns. With
E2E_CARRIERS=all over all of them."""

import os

import reader
import tls
from fixture import Failure, test
from test_iotsafe import WAYS, handshakes, iotsafe

# What a card answers; what happens to it once is in the fault matrix.
SHAPES = [(name, [*switches, *new]) for name, switches, new in WAYS if "--fault" not in switches]
INSERTIONS = 3  # of a card that the virtual reader does not see
CARRIERS = ("csim", "ccho", "pcsc")
NEW = ("--iotsafe-aid", "--iotsafe-id-size", "--iotsafe-public-next", "--iotsafe-key")  # of --new


def options(words):
    """{switch: its value, if it has one}."""
    found = {}
    for word in words:
        if word.startswith("--"):
            last = word
        found[last] = [] if word.startswith("--") else [word]
    return found


def joined(one, other):
    """The switches of both, or None where they exclude one another."""
    one, other = options(one), options(other)
    if any(other.get(switch, value) != value for switch, value in one.items()):
        return None
    both = {**one, **other}
    # an RSA key makes no signatures in DER, and has no point
    if both.get("--iotsafe-key") and ("--iotsafe-der" in both or "--iotsafe-bare-point" in both):
        return None
    return both


def words(both, new):
    return [word for switch, value in both.items() if (switch in NEW) == new for word in (switch, *value)]


def by_carriers(t, carriers, card_reader, both):
    """Handshakes over these carriers. Gives the reader, whose card is this one then, if it was wanted."""
    sim = iotsafe(t, *words(both, False), new=words(both, True))
    peer = tls.Server(t, os.path.join(sim.card, "ca.pem"))
    files = t.exported(sim)
    for carrier in carriers:
        if carrier != "pcsc":
            handshakes(t, sim, peer, files, SIMKEY_TRANSPORT=carrier)
            continue
        card_reader = put_in(t, card_reader, sim)
        handshakes(t, sim, peer, files, SIMKEY_DEVICE="pcsc:" + reader.NAMES[0])
        end(t, card_reader.bridge)
    for process in (peer.process, sim):
        end(t, process)
    return card_reader


def put_in(t, card_reader, sim):
    """The SIM into the reader, whose pcscd is a new one: on a busy machine it misses a card now and then that
    comes into the place of another."""
    if card_reader is None:
        return reader.Reader(t, sim)
    card_reader.sim = sim
    for left in reversed(range(INSERTIONS)):
        end(t, card_reader.pcscd)
        card_reader.start()
        try:
            card_reader.insert()
            break
        except Failure as failure:
            if left == 0:
                raise
            print("-- once more:", failure, flush=True)
            end(t, card_reader.bridge)
    return card_reader


def end(t, process):
    process.stop()
    t.running.remove(process)


def pairs_with(t, number):
    """A way with each that comes behind it."""
    card_reader = None
    for other, (name, switches) in enumerate(SHAPES[number + 1:]):
        both = joined(SHAPES[number][1], switches)
        if both is None:
            continue
        carriers = CARRIERS if os.environ.get("E2E_CARRIERS") == "all" else [CARRIERS[(number + other) % 3]]
        print("--", SHAPES[number][0], "and", name, *carriers, flush=True)
        card_reader = by_carriers(t, carriers, card_reader, both)


if os.environ.get("E2E_FAULTS") == "iotsafe":
    for i in range(len(SHAPES) - 1):
        test(name="a card with " + SHAPES[i][0] + " and with each other way", number=i, seconds=1800)(pairs_with)
