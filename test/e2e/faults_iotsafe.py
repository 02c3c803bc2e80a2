# SPDX-License-Identifier: Apache-2.0
"""The column of IoT SAFE in the fault matrix: the rows of faults.py by a handshake with a key of that
applet, at the moments of its signature, and the faults that only it has. A few of them are in `make test`,
all in `make test-faults`. There is no PIN on this way, so that what ends with a word of the PIN elsewhere
works here."""

import re

import faults
from fault_cells import IOTSAFE
from faults import REFUSED, WORKS, Ends, Row, each, sweep

JOB = "iotsafe"
# Where a row aims at one of mIAS's moments: opening the signing session, the signature, and closing it.
LIKE = {"ICCID": "ICCID", "OPEN": "OPEN", "SELECT": "SELECT", "MSE": "INIT", "SIGN": "UPDATE", "HASH": "END",
        "CLOSE": "CLOSE"}

SAMPLE = """
lower-case, csim
echo-stays, csim
stale:INIT late:60
stale:UPDATE late:60
stray-answer:END late:60
stray-error:UPDATE late:60
sms-prompt:UPDATE
half-line:INIT
late-at:UPDATE,6500
mute-at:END,3000
cme:INIT,13
cme-after:UPDATE,13
cme-after:END,13
error-at:END
6cxx --t0, csim, rsa
get-response --t0, ccho, rsa
refuse-le, csim
ccho-missing no-csim
ccho-missing, ccho
ccho-error, ccho
no-csim-channels
max-length:100
leaked
lose-channel:UPDATE
lose-channel:END
foreign:INIT
foreign:UPDATE
foreign:END
refresh:UPDATE
modem-reset:UPDATE
modem-reset:END
sim-removed:UPDATE
hang-up:UPDATE,1000
other-sim:INIT --other-card {other}
late:100, qmi
error-at:UPDATE, mbim
iotsafe-6984:2,3
iotsafe-6989:3
iotsafe-63cf:3
iotsafe-6989:2 --iotsafe-sessions 1
iotsafe-6984:1,9 --iotsafe-left-open
""".strip().splitlines()


def no_pin(end):
    """The end without a PIN."""
    return WORKS if end and re.search("PIN is wrong|not tried again|repeats what", end.words) else end


# An RSA key's signature is 259 bytes with its tag: two answers of the card, of which the first is too long.
RSA = {"max-length:220": Ends("CME ERROR: 50|signature .* makes no sense", REFUSED)}
SLOW = ("late-at", "mute-at", "half-line", "sms-prompt")  # nothing is said behind them before the line is quiet


def end_of(row, aims):
    """The signature is there when the session is closed."""
    if "END" in aims:
        return WORKS
    end = no_pin(row.end_of("tls"))
    return RSA.get(row.faults[0], end) if row.card == "rsa2048" else end


def keeps(row, aims):
    """How many channels, recorded, with a session or without, the next program closes."""
    return 1 if "END" in aims and row.name() in SLOW else row.keeps


def like(row):
    """The row for the job, or None where it aims at what this job does not have."""
    aims = [LIKE.get(aim) for aim in row.aims()]
    if "tls" not in row.jobs_with_it() or None in aims or row.name() == "pin-busy":
        return None
    if row.faults == ["late:1500"]:  # just in time, or not
        return None
    names = " ".join(row.faults)
    for aim in row.aims():
        names = names.replace(f"{{{aim}}}", f"{{{LIKE[aim]}}}")
    return Row(names, end_of(row, aims), JOB, row.carrier, row.switches, IOTSAFE[row.card], row.timeout, row.within,
               keeps(row, aims), row.lost_by("tls"), row.resets, row.again and "END" not in aims)


def own():
    """Remote administration, and sessions that are in the way."""
    rows, more = [], {"jobs": JOB, "card": IOTSAFE["p256"]}
    for switches in ((), ("--t0",), ("--iotsafe-left-open",), ("--iotsafe-sessions", "1"),
                     ("--iotsafe-sessions", "1", "--iotsafe-full", "6989"), ("--iotsafe-9110",)):
        rows += each("iotsafe-6984:1,9", "iotsafe-6984:2,3", "iotsafe-6984:3", "iotsafe-6989:1", "iotsafe-6989:2",
                     "iotsafe-6989:3", "iotsafe-63cf:1,3", "iotsafe-63cf:3", switches=switches, **more)
    rows += each("iotsafe-6984:1,4096", "iotsafe-6984:2,4096", timeout=8, **more,
                 end=Ends("at work on the applet", REFUSED))
    for switches in (("--iotsafe-left-open",), ("--iotsafe-sessions", "1")):
        rows += sweep("lose-channel:{}", ("INIT", "UPDATE", "END"), switches=switches, resets=True, **more)
        rows += sweep("late-at:{},6500", ("INIT", "UPDATE", "END"), switches=switches, **more,
                      apart={"END": {"keeps": 1}})
        rows += sweep("foreign:{}", ("INIT", "UPDATE", "END"), switches=switches, **more)
    return rows


def whole():
    return [row for row in map(like, faults.table()) if row] + own()


def sample():
    """Those of SAMPLE."""
    rows = {row.label(): row for row in whole()}
    return [rows[label] for label in SAMPLE]
