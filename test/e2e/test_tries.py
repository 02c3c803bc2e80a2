# SPDX-License-Identifier: Apache-2.0
"""Where a PIN is sent, and that a wrong one costs one try: whatever the card says of its tries, in
whatever program, with or without what other programs remember. The rules for people are in
test_pin.py."""

import os
import pty
import re
import select
import shutil
import termios
import threading
import tty

from fixture import PIN, USAGE, test
from foreign import MIAS, UICC, Foreign
from signer import Signer, dgst


class Between(threading.Thread):
    """Passes lines to a modem; a line that matches is answered in its place, or (rules whose name begins
    with "as_if") passed on and its status words are exchanged."""

    def __init__(self, t, sim, **rules):
        super().__init__(daemon=True)
        self.as_if = {re.compile(rules[name][0]): rules.pop(name)[1] for name in list(rules)
                      if name.startswith("as_if")}
        self.instead, self.held = None, b""
        self.rules = [(re.compile(pattern), answer) for pattern, answer in rules.values()]
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        self.modem = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.modem, termios.TCSANOW)
        self.start()

    def run(self):
        rest = b""
        while True:
            for fd in select.select([self.master, self.modem], [], [])[0]:
                data = os.read(fd, 4096)
                if fd == self.modem:
                    self.answer(data)
                    continue
                *lines, rest = (rest + data).split(b"\r")
                for line in lines:
                    self.hear(line)

    def answer(self, data):
        self.held += data
        if self.instead is None or re.search(rb"(OK|ERROR[^\r]*)\r\n$", self.held):
            changed = re.sub(rb'\+CSIM: *4, *"?[0-9A-F]{4}"?', f'+CSIM: 4,"{self.instead}"'.encode(), self.held)
            os.write(self.master, self.held if self.instead is None else changed)
            self.held, self.instead = b"", None

    def hear(self, line):
        for pattern, answer in self.as_if.items():
            if pattern.search(line.decode("latin1")):
                self.instead = answer
        for pattern, answer in self.rules:
            if pattern.search(line.decode("latin1")):
                os.write(self.master, f"\r\n+CSIM: {len(answer)},\"{answer}\"\r\n\r\nOK\r\n".encode())
                return
        os.write(self.modem, line + b"\r")


STATE = r'AT\+CSIM=\d+,"0[123]200081(00)?"'


def sent(sim):
    """The PINs that were sent, and what came before each on its channel."""
    apdus = sim.apdus()
    return [[b.words for b in apdus[:i + 1] if b.command[1] == a.command[1]][-3:]
            for i, a in enumerate(apdus) if a.words == "VERIFY" and "{" in a.command]


def sign(t, reference, device, expect, says=(), **env):
    t.run(dgst(t, reference), env=t.env(None, True, SIMKEY_DEVICE=device, SIMKEY_TRANSPORT="csim", **env),
          expect=expect, says=list(says))


# One try

def a_card_that_lies(t, state, wiped):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    between = Between(t, sim, state=(STATE, state))
    for number in range(6):
        sign(t, reference, between.device, "failure", SIMKEY_PIN_SOURCE=t.pin_file("9999"))
        if wiped:
            shutil.rmtree(t.run_dir)
            os.mkdir(t.run_dir, 0o700)
    t.equal(len(sent(sim)), 1, "PINs sent")
    t.equal(sim.tries(), 2, "tries")
    between.rules.clear()
    env = t.env(sim, SIMKEY_DEVICE=between.device)
    t.says(t.simkey(None, "pin", "status", env=env).out, "programs do not try the PIN of one source")
    t.simkey(None, "pin", "verify", env=env)
    t.silent(t.simkey(None, "pin", "status", env=env).out, "programs")
    t.equal(os.listdir(t.path("state")), [], "what is remembered beyond a reboot")


for says in ("63C3", "63CF"):
    for gone in (False, True):
        test(name=f"a card that always says {says} loses one try over six starts"
                  f"{', the run-dir wiped between them' if gone else ''}", state=says, wiped=gone)(a_card_that_lies)


def a_modem_that_tells_the_number_now_and_then(t, wiped):
    """What is remembered goes by the SIM's number, which a modem may tell or not."""
    sim = t.sim("p256")
    for told in ("all", "none", "all", "none"):
        sim.stop_cleanly()
        sim = t.sim(sim.card, *(["--iccid-commands", "+NONE"] if told == "none" else []))
        between = Between(t, sim, state=(STATE, "63C3"))
        sign(t, "sim:signing", between.device, "failure", SIMKEY_PIN_SOURCE=t.pin_file("9999"))
        if wiped:
            shutil.rmtree(t.run_dir)
            os.mkdir(t.run_dir, 0o700)
    t.equal(sim.tries(), 2, "tries")


for gone in (False, True):
    test(name="a modem that tells the SIM's number now and then loses one try"
              f"{', the run-dir wiped between' if gone else ''}", wiped=gone)(a_modem_that_tells_the_number_now_and_then)


@test
def a_card_that_calls_a_wrong_pin_right_loses_one_try(t):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    between = Between(t, sim, state=(STATE, "63C3"), as_if_right=(r'AT\+CSIM=\d+,"0[123]20008104', "9000"))
    for number in range(4):
        sign(t, reference, between.device, "failure", ["asked for a PIN all the same" if number == 0 else "not tried again"],
             SIMKEY_PIN_SOURCE=t.pin_file("9999"))
    t.equal((len(sent(sim)), sim.tries()), (1, 2), "PINs sent, and tries")
    between.rules.clear()
    between.as_if.clear()
    sign(t, reference, between.device, "failure", ["not tried"], SIMKEY_PIN_SOURCE=t.pin_file("9999"))
    t.simkey(None, "pin", "verify", env=t.env(sim, SIMKEY_DEVICE=between.device))
    sign(t, reference, between.device, 0, SIMKEY_PIN_SOURCE=t.pin_file("0000"))


@test
def a_key_that_the_pin_does_not_open_makes_no_pin_wrong(t):
    """Else whoever hands in a key reference would take the PIN from all others."""
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    between = Between(t, sim, as_if_closed=(r'AT\+CSIM=\d+,"0[123]22', "6982"))
    env = {"SIMKEY_PIN_SOURCE": t.pin_file("0000")}
    for _ in range(2):
        sign(t, reference, between.device, "failure", **env)
    between.as_if.clear()
    sign(t, reference, between.device, 0, **env)
    t.equal(sim.tries(), 3, "tries")


@test
def a_counter_of_ten_loses_one_try_whatever_is_tried(t):
    card = t.new_card("--key", "p256")
    path = os.path.join(card, "private", "pins")
    with open(path, encoding="ascii") as pins:
        text = pins.read()
    with open(path, "w", encoding="ascii") as pins:
        pins.write(re.sub(r"^(applet = \S+) 3 of 3", r"\1 10 of 10", text, flags=re.M))
    sim = t.sim(card)
    reference = t.exported(sim)[1]
    for number in range(5):
        sign(t, reference, sim.device, "failure", SIMKEY_PIN_SOURCE=t.pin_file(str(7000 + number)))
    t.equal(sim.tries(), 9, "tries")
    t.simkey(sim, "pin", "verify")
    sign(t, reference, sim.device, 0, SIMKEY_PIN_SOURCE=t.pin_file("0000"))
    t.equal(sim.tries(), 10, "tries")


@test
def a_corrected_file_is_tried_and_the_wrong_one_is_not(t):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    between = Between(t, sim, state=(STATE, "63C3"))
    wrong = t.write("secret", "9999\n", 0o600)
    sign(t, reference, between.device, "failure", SIMKEY_PIN_SOURCE=wrong)
    sign(t, reference, between.device, "failure", ["not tried again", wrong, "simkey pin verify"],
         SIMKEY_PIN_SOURCE=wrong)
    sign(t, reference, between.device, 0, SIMKEY_PIN_SOURCE=t.write("secret", "0000\n\n", 0o600))
    t.equal(sim.tries(), 3, "tries")


# Where a PIN goes

@test
def the_uiccs_pin2_never_gets_the_signing_pin(t):
    for carrier in ("csim", "ccho"):
        sim = t.sim("p256")
        cert, reference = t.exported(sim)
        for _ in range(2):
            t.simkey(sim, "cert", "signing", "--out", t.path("again.pem"), "--session", "keep",
                     "--transport", carrier)
            with Foreign(sim.device) as foreign:
                for channel in (1, 2, 3):
                    foreign.select(channel, UICC)
            t.run(dgst(t, reference), env=t.env(sim, True, SIMKEY_TRANSPORT=carrier))
        t.equal((sim.tries("pin2"), sim.tries()), (3, 3), f"tries of PIN2 and of the PIN, {carrier}")
        for order in sent(sim) if carrier == "csim" else ():
            t.equal(order, ["SELECT AID", "VERIFY", "VERIFY"], "what comes before a PIN")


@test
def a_channel_found_without_the_pin_costs_at_most_six_apdus(t):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    t.simkey(sim, "cert", "signing", "--out", t.path("again.pem"), "--session", "keep")
    sim.mark()
    t.run(dgst(t, reference), env=t.env(sim, True, SIMKEY_SESSION="keep"))
    t.equal(sim.words(), ["SELECT AID", "VERIFY", "VERIFY", "MSE SET", "PSO HASH", "PSO CDS"], "APDUs")


# Who rides

@test
def four_digits_in_a_file_open_nobody_elses_session(t):
    sim = t.sim("p256")
    exported = t.exported(sim)
    signer = Signer(t, sim, exported)
    signer.sign()
    env = t.env(sim, True, SIMKEY_PIN_SOURCE=t.pin_file("9999"))
    t.run(dgst(t, exported[1]), env=env, expect="failure", says="PIN is wrong")
    t.run(dgst(t, exported[1]), env=env, expect="failure", says="not tried")
    t.equal(sim.tries(), 2, "tries")
    sim.mark()
    signer.sign()
    t.equal(sim.words(), ["PSO HASH", "PSO CDS"], "APDUs of the program whose session it is")
    signer.end()


# Sources

@test
def a_credential_is_a_file_of_systemds_folder(t):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    folder = t.path("credentials")
    os.mkdir(folder, 0o500)
    with open(os.open(os.path.join(folder, "simkey-pin"), os.O_WRONLY | os.O_CREAT, 0o400), "w",
              encoding="ascii") as file:
        file.write("0000\n")
    sign(t, reference, sim.device, 0, SIMKEY_PIN_SOURCE="credential:simkey-pin", CREDENTIALS_DIRECTORY=folder)
    sign(t, reference, sim.device, "failure", ["CREDENTIALS_DIRECTORY is not set", "LoadCredential=simkey-pin"],
         SIMKEY_PIN_SOURCE="credential:simkey-pin")
    for name in ("../credentials/simkey-pin", ".simkey-pin", ""):
        sign(t, reference, sim.device, "failure", ["is not a file's name"],
             SIMKEY_PIN_SOURCE=f"credential:{name}", CREDENTIALS_DIRECTORY=folder)
    t.equal(sim.tries(), 3, "tries")


@test
def a_source_that_would_hang_holds_nothing(t):
    sim = t.sim("p256")
    reference = t.exported(sim)[1]
    os.mkfifo(t.path("fifo"), 0o600)
    sim.mark()
    t.run(dgst(t, reference), env=t.env(sim, True, SIMKEY_PIN_SOURCE=t.path("fifo")), expect="failure",
          says="not a regular file", seconds=5)
    t.equal(sim.tries(), 3, "tries")


# Another SIM

@test
def doctor_tries_no_pin_on_another_sim_than_the_file_names(t):
    first, other = t.sim("p256"), t.sim("p256")
    reference = t.exported(first)[1]
    for switches in ((), ("--iccid-commands", "")):
        sim = t.sim(t.new_card("--key", "p256"), *switches)
        told = t.simkey(sim, "doctor", reference, expect=None)
        t.says(told.out, ["failure +iccid .*no PIN is tried", "skipped +signature .*because of the step iccid"])
        t.equal((sim.tries(), sent(sim)), (3, []), "tries, and PINs sent")
    t.says(t.simkey(first, "doctor", reference, expect=None).out, ["ok +iccid .*as ", "ok +signature"])
    certificate = t.path("sim.crt")
    t.simkey(first, "cert", "sim:signing;container=3", "--out", certificate)
    t.says(t.simkey(first, "doctor", certificate, expect=None).out, ["ok +certificate +container 3: ", "ok +signature"])
    sim = t.sim(t.new_card("--key", "p256"))
    told = t.simkey(sim, "doctor", certificate, expect=3)
    t.says(told.out, ["failure +certificate .*no PIN is tried", "simkey key signing --out sim.key",
                      "skipped +signature .*because of the step certificate"])
    t.equal((sim.tries(), sent(sim)), (3, []), "tries, and PINs sent")
    t.simkey(other, "doctor", t.write("none", "text"), expect=USAGE, says="neither a key reference")
    half = t.write("half.pem", t.read(reference)[:-60])
    t.simkey(other, "doctor", half, expect=USAGE, says="key reference in .*half.pem is cut off or damaged")
    os.mkfifo(t.path("pipe"))  # that nobody writes
    t.simkey(other, "doctor", t.path("pipe"), expect=USAGE, says="a FIFO, not a file", seconds=10)
    t.simkey(other, "doctor", "SIM:signing;iccid=89880330000000000017", expect=3, says="no PIN is tried")
    t.simkey(other, "doctor", "sim:signing;iccid=89880330000000000017", expect=3, says="no PIN is tried")
    t.equal(sent(other), [], "PINs sent")


# The echo

@test
def a_modem_that_repeats_what_it_is_sent_gets_no_pin(t):
    for carrier in ("csim", "ccho"):
        sim = t.sim("p256", "--fault", "echo-stays")
        reference = t.exported(sim)[1]
        t.run(dgst(t, reference), env=t.env(sim, True, SIMKEY_TRANSPORT=carrier), expect="failure",
              says=["repeats what it is sent", "fuser"])
        t.simkey(sim, "pin", "verify", expect=PIN, says="repeats what it is sent")
        for head in ("00200081", "80240081", "002C0081"):
            t.simkey(sim, "apdu", "--force", "--aid", MIAS, head + "0430303030", expect=PIN, says="repeats what it is sent")
        t.equal(t.simkey(sim, "apdu", "--force", "--aid", MIAS, "00200081", expect=None).out.strip(), "63C3", "a question")
        t.equal((sim.tries(), sent(sim)), (3, []), "tries, and PINs sent")
