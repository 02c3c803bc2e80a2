# SPDX-License-Identifier: Apache-2.0
"""The table of the fault matrix: each fault of simmodem by three jobs, with the end that a user may
demand. How a cell runs is in fault_cells.py, what is checked of all in test_faults.py.

A fault's {NAME} or {NAME#k} stands for the number of that job's SIM command (the k-th of its kind):
the moments of MOMENTS. A row that aims at a moment which a job does not have leaves the job out."""

import re

from fault_cells import JOBS, TIMEOUT
from fixture import ABSENT, PIN, REFUSED, UNREACHABLE
from fixture import TIMEOUT as LATE

MOMENTS = {
    "tls": ("ICCID", "OPEN", "SELECT", "STATE", "VERIFY", "MSE", "HASH", "SIGN", "CLOSE"),
    "typea": ("ICCID", "OPEN", "SELECT", "FILE", "READ", "STATE", "VERIFY", "FILE#2", "READ#2",
              "READ#4", "CLOSE"),
    "safe2": ("ICCID", "OPEN", "SELECT", "ID", "START", "POLL", "FETCH", "CLOSE"),
    # its rows are in faults_iotsafe.py; END closes the signing session
    "iotsafe": ("ICCID", "OPEN", "SELECT", "INIT", "UPDATE", "END", "CLOSE"),
}
EVERY = tuple(dict.fromkeys(moment for job in JOBS for moment in MOMENTS[job]))
CCHO = tuple(moment for moment in EVERY if moment != "SELECT")  # opening selects
SOME = ("OPEN", "STATE", "VERIFY", "SIGN", "READ#2", "START", "POLL")
BUT_CLOSE = tuple(moment for moment in EVERY if moment != "CLOSE")


class Ends:
    """Ends with a sentence that says these words, and one of these exit statuses."""

    def __init__(self, words, *statuses):
        self.words, self.statuses = words, statuses


WORKS = None


class Row:
    """A fault, or some that go together, and the end of each job.

    end: WORKS, Ends, or {job: either} with "" for the other jobs. jobs: all, if not told.
    carrier, switches, card, timeout: as in Cell. within: seconds, if less than the timeout.
    keeps: how many channels may stay open, recorded in the run-dir. pin2: a try of PIN2 may be lost. loses: how many may stay open
    of which nobody could know: a number, or {job: number}. resets: commands alone do not tell which
    channels are open. again: the same job works when the fault is over."""

    def __init__(self, faults, end=WORKS, jobs=JOBS, carrier="auto", switches=(), card="p256",
                 timeout=TIMEOUT, within=None, keeps=0, loses=0, resets=False, again=False, pin2=False):
        self.faults, self.end = faults.split(), end
        self.jobs = [jobs] if isinstance(jobs, str) else jobs
        self.carrier, self.switches, self.card, self.timeout = carrier, switches, card, timeout
        self.within, self.keeps, self.loses = within, keeps, loses
        self.resets, self.again, self.pin2 = resets, again, pin2

    def name(self):
        """The fault that it is about: the first."""
        return self.faults[0].partition(":")[0]

    def aims(self):
        return re.findall(r"\{([\w#]+)\}", " ".join(self.faults))

    def jobs_with_it(self):
        return [job for job in self.jobs if all(aim in MOMENTS[job] for aim in self.aims())]

    def end_of(self, job):
        if isinstance(self.end, dict):
            return self.end.get(job, self.end.get(""))
        return self.end

    def lost_by(self, job):
        return self.loses.get(job, 0) if isinstance(self.loses, dict) else self.loses

    def is_busy(self):
        """SIM busy, or a PIN not handed on: the modem says that the card has not seen the command, so that
        it may be said again."""
        unseen = r"busy:.*|pin-busy:.*|cme:.*,(14|515)|cme(-after)?:{VERIFY},[34]"
        return any(re.fullmatch(unseen, fault) for fault in self.faults)

    def label(self):
        words = [re.sub(r"[{}]", "", " ".join(self.faults)), *self.switches]
        return " ".join(words) + ("" if self.carrier == "auto" else f", {self.carrier}") \
            + (", rsa" if self.card.endswith("rsa2048") else "")


def sweep(fault, moments=EVERY, end=WORKS, apart=None, **how):
    """A row for each moment, {} in the fault. apart: {moment: what differs there}."""
    return [Row(fault.replace("{}", f"{{{moment}}}"),
                **{"end": end, **how, **(apart or {}).get(moment, {})}) for moment in moments]


def each(*faults, **how):
    return [Row(fault, **how) for fault in faults]


# What is said. The words must name the fault, not only that something failed.
SILENT = Ends("does not answer|did not answer|has not answered|nothing answers", LATE, UNREACHABLE)
TOO_LATE = Ends("did not answer|has not answered|time-out|does not answer|did not end", LATE)
BUSY = Ends("busy.*14", LATE)
TORN = Ends("torn|malformed|makes no sense", REFUSED)
ENDLESS = Ends("no end", REFUSED, LATE)
NO_SIM = Ends("no SIM", UNREACHABLE)
OTHER_SIM = Ends(r"the SIM in the modem (is|was)|another SIM|SIM.*changed", ABSENT)
GONE = Ends("gone|vanished|unplugged|disappeared", UNREACHABLE)
# A PIN that was sent and not accepted in clear words is not sent a second time, by nobody.
NOT_AGAIN = Ends("not tried again", PIN)
AT_VERIFY = {"VERIFY": {"end": NOT_AGAIN}}
ECHOES = {"tls": Ends("repeats what it is sent", PIN), "typea": Ends("repeats what it is sent", PIN), "": WORKS}
# Another program's selection between the question for the tries and the PIN: no lock keeps it out.
BETWEEN = {"end": {"": WORKS, "tls": Ends("PIN is wrong", PIN), "typea": Ends("PIN is wrong", PIN)}, "pin2": True}
CUT_SHORT = Ends("result 000B", REFUSED)


def text():
    """Everything about letters and lines is overcome."""
    plain = ("lower-case", "no-quotes", "no-blank", "blanks", "urc", "urc:3",
             "no-compound", "garbage", "garbage:3", "open-garbage", "boot-chatter",
             "boot-chatter:3", "slow-lines:150", "partial:1")
    rows = [row for carrier in ("csim", "ccho") for row in each(*plain, carrier=carrier)]
    rows += each(*plain, card="rsa2048", switches=("--t0",), jobs=("tls", "typea"))
    # No PIN goes over a line that repeats it.
    for carrier in ("csim", "ccho"):
        rows += each("echo-stays", end=ECHOES, carrier=carrier)
    rows += each("bare-ccho", "session16", carrier="ccho")
    # Without AT+CCHC only a close on the channel itself is left.
    rows += each("no-cchc", carrier="ccho")
    rows += each("no-cchc")
    # Errors in other words need errors.
    rows += each("cme-text busy:3", "two-finals busy:3", "cme-text no-csim", "plain-error no-csim", "two-finals no-csim",
                 "plain-error no-manage-channel:3", "cme-text no-manage-channel:3")
    rows += each("cme-text no-ccho", "plain-error no-ccho", "two-finals no-ccho")
    rows += sweep("echo-returns:{}", BUT_CLOSE)
    rows += sweep("echo-returns:{}", ("OPEN", "VERIFY", "START"), carrier="ccho")
    # The stale answer comes while the next command waits for its own.
    rows += sweep("stale:{} late:60", BUT_CLOSE)
    # where the answers are out of step to the end, none says whose the channel is
    rows += sweep("stale:{} late:60", ("OPEN", "STATE", "HASH", "READ", "START"), carrier="ccho", keeps=1)
    rows += sweep("stale:{}", ("OPEN", "SELECT", "STATE", "HASH", "READ#2", "START"))
    # A message on the port, or another program's words, before the answer: none is ours.
    rows += sweep("stray-ok:{} late:60", BUT_CLOSE)
    rows += sweep("stray-text:{} late:60", BUT_CLOSE)
    rows += sweep("stray-error:{} late:60", BUT_CLOSE)
    rows += sweep("stray-answer:{} late:60", BUT_CLOSE, apart={"OPEN": {"loses": 1}})
    some = ("OPEN", "STATE", "HASH", "READ", "START")
    for fault in ("stray-ok", "stray-text", "stray-error"):
        rows += sweep(fault + ":{} late:60", some, carrier="ccho")
    # Unsolicited lines without an end are no noise.
    for carrier in ("csim", "ccho"):
        rows += each("chatter:40", "chatter:5", within=8, carrier=carrier)
    # Another program left the port at the prompt of AT+CMGS, before the job or in the middle of it.
    rows += each("sms-prompt")
    rows += sweep("sms-prompt:{}", apart={"CLOSE": {"keeps": 1}, **AT_VERIFY})
    rows += sweep("sms-prompt:{}", ("OPEN", "STATE", "VERIFY", "SIGN", "READ#2", "START"), carrier="ccho",
                  apart=AT_VERIFY)
    for carrier in ("csim", "ccho"):
        rows += each("ok-first", "ok-first slow-lines:150", carrier=carrier)
    # A question to the modem that is not answered costs its field, or another one is asked.
    for fault in ("no-answer", "no-end"):
        rows += each(*(f"{fault}:{number}" for number in (1, 5, 6)))
        rows += each(f"{fault}:6", carrier="ccho")
    rows += each("no-end:4")
    # Nor does a setting of the start-up, ICCID and all.
    rows += each("no-answer:10", "no-answer:11")
    rows += each("no-answer:10", "no-answer:11", carrier="ccho")
    rows += each("late:1", switches=("--iccid-commands", ""))
    rows += each("no-answer:4", jobs=("safe2",), end=Ends("IMEI", 1))
    # A torn answer is never data: without an answer that is whole nothing works.
    # A channel is lost with each torn answer to opening it.
    rows += each("urc-split", "wrong-length", end=TORN, carrier="csim", timeout=12, loses=3)
    rows += each("urc-split", end=TORN, carrier="ccho", timeout=12, loses=3)
    rows += each("wrong-length", end=TORN, carrier="ccho", timeout=12)
    rows += each("urc-split:13", "wrong-length:13")
    return rows


def time():
    """The time-out of one exchange is about 5 s, of an operation here 30 s."""
    rows = each("mute:1500")
    rows += each("mute:600000", end=SILENT, timeout=12)
    rows += sweep("mute-at:{},3000", apart={"CLOSE": {"keeps": 1}, **AT_VERIFY})
    rows += sweep("mute-at:{},3000", ("OPEN", "STATE", "VERIFY", "SIGN", "READ#2", "START"),
                  carrier="ccho", apart=AT_VERIFY)
    rows += sweep("mute-at:{},600000", ("ICCID", "OPEN", "VERIFY", "SIGN", "READ#2", "START"),
                  end=SILENT, timeout=8, keeps=1)
    rows += each("late:100", "late:300")
    rows += each("late:6000", end=TOO_LATE, timeout=15, keeps=1)
    rows += each("late:1500", end=TOO_LATE, timeout=8, keeps=1)
    # The card has done it, but the answer comes when nobody waits for it any more.
    rows += sweep("late-at:{},6500", apart={"CLOSE": {"keeps": 1}, **AT_VERIFY})
    rows += sweep("late-at:{},6500", ("VERIFY", "SIGN", "READ#2", "START"), carrier="ccho", apart=AT_VERIFY)
    # Of a channel whose number never came nobody knows.
    rows += sweep("half-line:{}", apart={"OPEN": {"loses": 1}, "CLOSE": {"keeps": 1}, **AT_VERIFY})
    rows += sweep("half-line:{}", ("STATE", "VERIFY", "SIGN", "READ#2", "START"), carrier="ccho", apart=AT_VERIFY)
    rows += sweep("half-late:{},700")
    rows += sweep("half-late:{},6500", ("OPEN", "STATE", "VERIFY", "SIGN", "READ#2", "START",
                                        "FETCH"), apart=AT_VERIFY)
    # The gap that is needed is found out once.
    for carrier in ("csim", "ccho"):
        rows += each("gap:15", "gap:60", carrier=carrier)
        # a closing that came too soon is refused: the channel is recorded, and closed by the next program
        rows += each("gap-error:15", "gap-error:60", carrier=carrier, keeps=1)
    rows += each("busy:1", "busy:5")
    rows += each("busy:100000", end=BUSY)
    rows += each("busy:100000", end=BUSY, timeout=5)
    # A PIN that the card has not seen goes out again, and is not held against its source.
    pins = ("tls", "typea")
    for carrier in ("csim", "ccho"):
        rows += each("pin-busy:1", "pin-busy:3", "pin-busy:3,515", jobs=pins, carrier=carrier)
        rows += each("pin-busy:4", end=BUSY, jobs=pins, again=True, carrier=carrier)
    return rows


def errors():
    """An error of the modem: the card has not seen the command (cme, error-at), or has done it
    (cme-after)."""
    rows = []
    rows += sweep("cme:{},13", apart=AT_VERIFY)
    # what the modem does not hand on, or is too busy for, goes out again where the tries are as many as before
    rows += sweep("cme:{},3", BUT_CLOSE)
    for code in (0, 4, 14, 22, 50, 100, 515):
        rows += sweep(f"cme:{{}},{code}", SOME, apart={} if code in (4, 14, 515) else AT_VERIFY)
    # Final: what it means, in words. Without its SIM a modem has no channels.
    final = ("OPEN", "SIGN", "READ#2", "START")
    rows += sweep("cme:{},10", final, end=NO_SIM, loses=1)
    rows += sweep("cme:{},11", final, end=Ends("PIN1", PIN))
    rows += sweep("cme:{},12", final, end=Ends("PIN1 is blocked", PIN))
    rows += sweep("cme:{},15", final, end=Ends("rejects this SIM", UNREACHABLE), loses=1)
    rows += sweep("cme:{},16", ("VERIFY",), end=Ends("PIN is wrong", PIN))
    rows += sweep("cme:{},17", ("SIGN",), end=Ends("PIN2", PIN))
    rows += sweep("cme:{},18", ("SIGN",), end=Ends("PUK2", PIN))
    rows += sweep("cme-after:{},13", apart={"OPEN": {"loses": 1}, **AT_VERIFY})
    for code in (0, 100):
        rows += sweep(f"cme-after:{{}},{code}", ("VERIFY", "HASH", "SIGN", "READ#2", "START"), apart=AT_VERIFY)
    rows += sweep("cme-after:{},3", ("VERIFY", "HASH", "SIGN", "READ#2", "START", "POLL"))
    rows += sweep("cme:{},13", ("OPEN", "VERIFY", "SIGN", "READ#2", "START"), carrier="ccho", apart=AT_VERIFY)
    rows += sweep("cme-after:{},13", ("VERIFY", "SIGN", "READ#2", "START"), carrier="ccho", apart=AT_VERIFY)
    rows += sweep("error-at:{}", apart=AT_VERIFY)
    rows += sweep("error-at:{}", ("OPEN", "VERIFY", "SIGN", "READ#2", "START"), carrier="ccho", apart=AT_VERIFY)
    return rows


def card_and_carrier():
    rows = []
    for carrier in ("csim", "ccho"):
        for card, switches in (("p256", ()), ("rsa2048", ("--t0",))):
            rows += each("get-response", "6cxx", "refuse-le", "refuse-le:50", carrier=carrier,
                         card=card, switches=switches)
    # One modem answers 6100 for ever.
    rows += each("6100-forever:1", end=ENDLESS, switches=("--t0",), timeout=12,
                 keeps=1)
    rows += sweep("6100-forever:{}", ("SIGN", "READ", "READ#2", "POLL", "FETCH"), end=ENDLESS,
                  switches=("--t0",), timeout=12, keeps=1)
    rows += sweep("6100-forever:{}", ("SIGN", "READ", "POLL"), end=ENDLESS, carrier="ccho",
                  switches=("--t0",), timeout=12, keeps=1)
    rows += each("no-manage-channel", "no-manage-channel:6E00", "no-manage-channel:6D00",
                 "no-manage-channel:3", "no-manage-channel:4", "no-manage-channel:0")
    for carrier in ("auto", "csim"):
        rows += each("open-le", "open-le:6A86", "open-le:50 plain-error", "no-number", carrier=carrier)
    # What cannot be closed is used again: there are never two.
    rows += each("no-close", keeps=1)
    rows += each("no-close", carrier="csim", keeps=1)
    # It is found by its number.
    rows += each("ccho-error", "ccho-error:13", carrier="ccho",
                 end=Ends("AT.CCHO", REFUSED, ABSENT))
    # Of an applet that is not there it may say anything: mIAS, where IoT SAFE has the keys (faults_iotsafe.py).
    rows += each("ccho-missing no-csim", "ccho-missing:50 no-csim", "ccho-missing:100 no-csim", "ccho-missing:13 no-manage-channel:3")
    rows += each("ccho-missing", "ccho-missing:100", carrier="ccho")
    # Channels that take no commands: the other carrier has some that do.
    channels = [f"no-csim-channels{code}" for code in ("", ":6881", ":6D00", ":0", ":3", ":13", ":100")]
    rows += each(*channels)
    rows += each("select-only", "empty-csim", "select-only plain-error")
    rows += each("select-only no-ccho", timeout=12, end=Ends("pass a command", REFUSED))
    rows += each("empty-csim no-ccho", timeout=12, end=Ends("OK alone", REFUSED))
    rows += each("no-csim-channels plain-error", "no-csim-channels:3 plain-error")
    rows += each("no-csim-channels", "no-csim-channels:3", end=Ends("class|pass a command", REFUSED), carrier="csim")
    rows += each("no-csim-channels no-ccho", "no-csim-channels:3 no-ccho", "no-csim-channels:13 no-ccho", timeout=8,
                 end=Ends("class|pass a command", REFUSED))
    # The class byte goes to the card as it is given, and would lead to the basic channel's PINs.
    rows += each("plain-class", carrier="ccho")
    rows += each("plain-class no-csim", card="rsa2048", switches=("--t0",))
    rows += each("basic-response", "basic-response:6F00", "basic-response:3", switches=("--t0",))
    rows += each("basic-response", card="rsa2048", switches=("--t0",), carrier="csim")
    rows += each("max-line:512", carrier="csim")
    rows += each("max-line:512", carrier="ccho")
    rows += each("quoted-imei", jobs=("safe2",))
    rows += each("no-ccho", "no-csim")
    refused = Ends(r"AT\+CSIM|AT\+CCHO|logical channel|transport", REFUSED)
    rows += each("no-manage-channel:6E00", "no-manage-channel:3", "no-csim", end=refused,
                 carrier="csim")
    rows += each("no-ccho", end=refused, carrier="ccho")
    rows += each("no-csim no-ccho", "no-manage-channel no-ccho", end=refused)
    # Shorter reads get by; a signature and SAFE2's data come in one piece or not at all.
    rows += each("max-length:100", end={"safe2": Ends("CME ERROR: 50", REFUSED, LATE)}, timeout=12)
    rows += each("max-length:220")
    rows += each("max-length:220", jobs=("tls",), card="rsa2048",
                 end=Ends("CME ERROR: 50", REFUSED))
    rows += each("leaked:1", "leaked:2")
    rows += each("leaked")
    rows += each("leaked", carrier="csim")
    rows += each("leaked:2", carrier="ccho")
    return rows


def life():
    # What is gone behind the question for the tries, the PIN is refused for.
    gone = {"STATE": {"end": NOT_AGAIN}}
    rows = sweep("lose-channel:{}", BUT_CLOSE, resets=True, apart=gone)
    rows += sweep("lose-channel:{}", ("OPEN", "STATE", "VERIFY", "MSE", "HASH", "READ#2", "START"),
                  carrier="ccho", resets=True, apart=gone)
    # safe2 leaves a channel alone that answers like somebody else's (see test_safe2.py).
    first = {"tls": BETWEEN["end"]["tls"], "": WORKS} # Type A selects again
    rows += sweep("foreign:{}", BUT_CLOSE, loses={"safe2": 1},
                  apart={"SELECT": {**BETWEEN, "end": first}, "STATE": BETWEEN})
    rows += sweep("foreign:{}", ("OPEN", "VERIFY", "MSE", "HASH", "READ#2", "START"),
                  carrier="ccho", loses={"safe2": 1})  # before a PIN a session is asked whose it is
    rows += sweep("foreign-mse:{}", BUT_CLOSE, loses={"safe2": 1})
    rows += sweep("foreign-mse:{}", ("MSE", "HASH"), jobs=("tls",), card="rsa2048")
    # The second try has no more time than the first left.
    rows += each("foreign-mse:{MSE} late:700", end=TOO_LATE, timeout=8, keeps=1)
    # A job of SAFE2 ends with a reset of the card; one that is done keeps its data.
    cut = {"START": {"end": {"safe2": CUT_SHORT}}, **gone}
    rows += sweep("refresh:{}", BUT_CLOSE, resets=True, apart=cut)
    rows += sweep("refresh:{}", ("VERIFY", "MSE", "HASH", "READ#2"), carrier="ccho", resets=True)
    rows += sweep("modem-reset:{}", resets=True, apart=AT_VERIFY)
    rows += sweep("modem-reset:{},3000", ("ICCID", "VERIFY", "SIGN", "READ#2", "POLL"), resets=True, apart=AT_VERIFY)
    # Announced in other words, or not at all, also by a modem that does not echo afterwards.
    for words in (1, 2, 3, 4):
        rows += sweep(f"modem-reset:{{}} boot-words:{words}", ("SELECT", "STATE", "VERIFY", "SIGN", "READ#2", "START"),
                      resets=True, apart=AT_VERIFY)
    rows += sweep("modem-reset:{} boot-words:4", ("STATE", "MSE", "SIGN", "READ#2", "POLL"), carrier="ccho",
                  resets=True, apart=AT_VERIFY)
    rows += sweep("modem-reset:{}", ("OPEN", "VERIFY", "SIGN", "READ#2"), carrier="ccho",
                  resets=True, apart=AT_VERIFY)
    doubt = {"VERIFY": {"again": False}} # a person has to say that the PIN is right
    done = {"CLOSE": {"end": WORKS}}
    rows += sweep("sim-removed:{}", end=NO_SIM, apart=done, loses=3)  # they are gone with it
    rows += sweep("sim-removed:{},2000", SOME, end=NO_SIM, resets=True, again=True, apart=doubt)
    # At first only the key reference knows which SIM is meant. The other SIM has another PIN.
    other = {"end": OTHER_SIM, "resets": True, "switches": ("--other-card", "{other}")}
    rows += sweep("other-sim:{}", BUT_CLOSE[2:], **other)
    rows += sweep("other-sim:{}", ("ICCID", "OPEN"), jobs=("tls",), **other)
    # An operation ends at once; polling goes on when the modem is back.
    back = {"POLL": {"end": {"safe2": WORKS}, "within": None}}
    rows += sweep("hang-up:{},1000", end=GONE, within=3, again=True, resets=True,
                  apart={**done, **back, **doubt})
    rows += sweep("hang-up:{},1000", ("VERIFY", "SIGN", "READ#2"), end=GONE, within=3, again=True,
                  resets=True, carrier="ccho", apart=doubt)
    return rows


def control():
    """QMI and MBIM: an answer belongs to its request by number, and a channel is opened with its applet."""
    rows = []
    some = ("OPEN", "STATE", "VERIFY", "SIGN", "READ#2", "START")
    gone = {"STATE": {"end": NOT_AGAIN}}
    doubt = {"VERIFY": {"again": False}}
    for way in ("qmi", "mbim"):
        rows += each("late:100", "partial:3", "indications", "together", "build-class", "need-le", "busy:2",
                     "no-slots", "6cxx", carrier=way)
        rows += each("open-denied", end=Ends("access denied|not allowed", REFUSED), carrier=way)
        rows += each("no-service", end=Ends("QMI client id|no device support", REFUSED), carrier=way)
        rows += sweep("mute-at:{},3000", some, carrier=way, apart=AT_VERIFY)
        rows += sweep("late-at:{},6500", some, carrier=way, apart=AT_VERIFY)
        rows += sweep("error-at:{}", some, carrier=way, apart=AT_VERIFY)
        rows += sweep("lose-channel:{}", some, carrier=way, resets=True, apart=gone)
        rows += sweep("refresh:{}", ("VERIFY", "MSE", "HASH", "READ#2"), carrier=way, resets=True)
        rows += sweep("modem-reset:{},500", some, carrier=way, resets=True, apart=AT_VERIFY)
        rows += sweep("sim-removed:{}", some, end=NO_SIM, carrier=way, loses=3)
        rows += sweep("hang-up:{},1000", ("VERIFY", "SIGN", "READ#2"), end=GONE, within=6, again=True,
                      resets=True, carrier=way, apart=doubt)
    rows += each("odd-parts", "long-answer:60", "no-procedure", carrier="qmi")
    rows += sweep("clients-gone:{}", some, carrier="qmi", apart=AT_VERIFY)
    rows += sweep("modem-reset:{},500 sync", some, carrier="qmi", resets=True, apart=AT_VERIFY)
    rows += each("swap-class", "no-fetch", "select-p2:12", "select-p2:0", carrier="mbim")
    return rows


def table():
    return text() + time() + errors() + card_and_carrier() + life() + control()
