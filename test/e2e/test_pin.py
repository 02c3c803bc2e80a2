# SPDX-License-Identifier: Apache-2.0
"""The PIN's tries are few and precious."""

import os
import pty
import re
import select
import signal
import termios
import time

from fixture import PIN, REFUSED, SIMKEY, USAGE, test

STARTS = 20
SIGN = ["dgst", "-sha256", "-sign", "sim:signing", "/dev/null"]


def sign(t, sim, pin, expect="failure", **how):
    env = t.env(sim, True, SIMKEY_PIN_SOURCE=None, SIMKEY_PIN=pin)
    return t.openssl(None, *SIGN, env=env, expect=expect, **how)


@test
def one_wrong_pin_over_twenty_starts_costs_exactly_one_try(t):
    sim = t.sim("p256")
    first = sign(t, sim, "9999", says=["PIN is wrong", "2 tries"])
    for _ in range(STARTS - 1):
        sign(t, sim, "9999", says=["not tried", "2 tries", "simkey pin verify"])
    t.says(t.simkey(sim, "pin", "status").out, "2 tries left")
    t.equal((sim.tries(), sim.tries("pin1")), (2, 3), "tries of the PIN and of PIN1")
    t.silent(first.err, "9999")


@test
def many_wrong_pins_over_twenty_starts_cost_exactly_one_try(t):
    sim = t.sim("p256")
    for number in range(STARTS):
        sign(t, sim, str(5000 + number))
    t.equal((sim.tries(), sim.tries("pin1")), (2, 3), "tries of the PIN and of PIN1")


@test
def wrong_pins_from_files_and_in_handshakes_cost_one_try_as_well(t):
    from tls import no_handshake
    sim = t.sim("p256")
    for number in range(4):
        env = t.env(sim, True, SIMKEY_PIN_SOURCE=t.pin_file(str(6000 + number)))
        no_handshake(t, sim, env=env, says="simkey:.*PIN")
    t.equal(sim.tries(), 2, "tries")


@test
def below_three_tries_the_right_pin_is_not_tried_either_until_a_person_verifies_it(t):
    sim = t.sim("p256")
    sign(t, sim, "9999")
    sign(t, sim, "0000", says=["not tried", "simkey pin verify"])
    t.equal(sim.tries(), 2, "tries")
    t.simkey(sim, "pin", "verify")
    t.equal(sim.tries(), 3, "tries after simkey pin verify")
    sign(t, sim, "0000", expect=0)


@test
def pin_verify_with_the_wrong_pin_spends_down_to_the_last_but_not_the_last(t):
    sim = t.sim("p256")
    wrong = ["pin", "verify", "--pin-source", t.pin_file("9999")]
    t.simkey(sim, *wrong, expect=PIN, says="2 tries")
    t.simkey(sim, *wrong, expect=PIN, says="1 try")
    for _ in range(3):
        t.simkey(sim, *wrong, expect=PIN, says="--spend-last-try")
    t.equal(sim.tries(), 1, "tries")
    t.simkey(sim, "pin", "verify", "--spend-last-try")
    t.equal(sim.tries(), 3, "tries after the right one")


def blocked(t):
    sim = t.sim("p256")
    wrong = ["pin", "verify", "--spend-last-try", "--pin-source", t.pin_file("9999")]
    for _ in range(3):
        t.simkey(sim, *wrong, expect=PIN)
    t.equal(sim.tries(), 0, "tries")
    return sim


@test
def a_blocked_pin_has_a_sentence_of_its_own(t):
    sim = blocked(t)
    sim.mark()
    sign(t, sim, "0000", says="simkey:.*blocked")
    t.simkey(sim, "pin", "status", expect=PIN, says="blocked")
    t.simkey(sim, "pin", "verify", expect=PIN, says="blocked")
    t.equal([a.command for a in sim.apdus() if a.words == "VERIFY" and "{" in a.command], [],
            "PINs sent to a blocked card")


@test
def a_card_keeps_its_tries_when_the_modem_restarts(t):
    sim = t.sim("p256")
    sign(t, sim, "9999")
    sim.stop_cleanly()
    again = t.sim(sim.card)
    t.says(t.simkey(again, "pin", "status").out, "2 tries left")
    sign(t, again, "8888", says="not tried")
    t.equal(again.tries(), 2, "tries")


@test
def a_missing_pin_has_a_sentence_of_its_own(t):
    sim = t.sim("p256")
    t.openssl(None, *SIGN, env=t.env(sim, True, SIMKEY_PIN_SOURCE=None), expect="failure",
              says=["simkey:.*PIN", "SIMKEY_PIN_SOURCE"])
    t.simkey(None, "pin", "verify", env=t.env(sim, SIMKEY_PIN_SOURCE=None), expect=PIN,
             says="PIN")
    t.equal(sim.tries(), 3, "tries")


def bad_source(t, text, mode, says):
    sim = t.sim("p256")
    source = t.write("source", text, mode) if text is not None else "/nonexistent/pin"
    env = t.env(sim, True, SIMKEY_PIN_SOURCE=source)
    t.openssl(None, *SIGN, env=env, expect="failure", says=says)
    t.simkey(None, "pin", "verify", env=t.env(sim, SIMKEY_PIN_SOURCE=source), expect=PIN, says=says)
    t.equal(sim.tries(), 3, "tries")


for name, how in {
        "open to all users": {"text": "0000\n", "mode": 0o644, "says": "open to all"},
        "empty": {"text": "", "mode": 0o600, "says": "is not a PIN"},
        "of letters": {"text": "secret\n", "mode": 0o600, "says": "is not a PIN"},
        "too short": {"text": "123\n", "mode": 0o600, "says": "is not a PIN"},
        "too long": {"text": "0" * 40 + "\n", "mode": 0o600, "says": "is not a PIN"},
        "absent": {"text": None, "mode": 0, "says": "cannot read the PIN"}}.items():
    test(name=f"a PIN file that is {name} is refused and nothing sent", **how)(bad_source)


@test
def pin_status_costs_nothing_and_needs_no_pin(t):
    sim = t.sim("p256")
    for _ in range(5):
        result = t.simkey(None, "pin", "status", env=t.env(sim, SIMKEY_PIN_SOURCE=None))
        t.says(result.out, "^3 tries left")
    t.equal(sim.tries(), 3, "tries")


@test
def pin1_never_gets_the_applets_pin(t):
    sim = t.sim("rsa2048", "--no-objects")
    for pin in ("0000", "9999"):
        sign(t, sim, pin, expect=None)
        t.openssl(None, "pkey", "-in", "sim:available", "-noout",
                  env=t.env(sim, True, SIMKEY_PIN_SOURCE=None, SIMKEY_PIN=pin), expect="failure")
    sent = [a.command[6:8] for a in sim.apdus() if a.words == "VERIFY" and "{" in a.command]
    t.equal(set(sent), {"81"}, "places that got a PIN")
    t.equal(sim.tries("pin1"), 3, "tries of PIN1")


@test
def another_pin_of_eight_digits_works(t):
    sim = t.sim(t.new_card("--key", "p256", "--pin", "80417263"))
    sign(t, sim, "80417263", expect=0)
    t.equal(sim.tries(), 3, "tries")


def other_program_signs(t, sim, **env):
    """Leaves a channel with the PIN verified."""
    t.openssl(None, *SIGN, env=t.env(sim, True, SIMKEY_SESSION="keep", **env))
    sim.mark()


@test
def pin_status_and_verify_look_behind_a_session_that_is_verified(t):
    sim = t.sim("p256")
    other_program_signs(t, sim)
    t.says(t.simkey(sim, "pin", "status").out, "^3 tries left")
    for _ in range(2):
        t.simkey(sim, "pin", "verify", "--pin-source", t.pin_file("9999"), expect=PIN)
    t.simkey(sim, "pin", "verify", "--pin-source", t.pin_file("9999"), expect=PIN, says="--spend-last-try")
    t.says(t.simkey(sim, "pin", "status").out, "^1 try left")
    t.equal(sim.tries(), 1, "tries")


# Change

def change(t, sim, old, new, *more, **how):
    """By files."""
    return t.simkey(sim, "pin", "change", "--old-source", t.pin_file(old), "--new-source", t.pin_file(new),
                    *more, **how)


def changes(sim):
    return [a for a in sim.apdus() if a.command[2:4] == "24"]


@test
def a_changed_pin_is_the_only_right_one(t):
    sim = t.sim("p256")
    result = change(t, sim, "0000", "471199", "--trace", "at")
    t.says(result.out, ["the PIN is changed: 3 tries left", "pin-source"])
    t.says(result.err, ["a single, unconfirmed source", r"AT.CSIM"])
    t.silent(result.out + result.err, ["471199", "343731313939", "30303030"])
    t.equal((sim.tries(), len(changes(sim))), (3, 1), "tries, and CHANGEs")
    sign(t, sim, "471199", expect=0)
    sign(t, sim, "0000", says=["PIN is wrong", "2 tries"])
    t.simkey(sim, "pin", "verify", "--pin-source", t.pin_file("471199"))
    t.equal(sim.tries(), 3, "tries")


@test
def a_changed_pin_is_kept_by_the_card_and_changes_back(t):
    sim = t.sim("p256")
    change(t, sim, "0000", "87654321")
    sim.stop_cleanly()
    again = t.sim(sim.card)
    change(t, again, "87654321", "0000", "--transport", "ccho")
    sign(t, again, "0000", expect=0)
    t.equal((again.tries(), again.tries("pin1")), (3, 3), "tries")


@test
def a_change_while_another_program_goes_on(t):
    sim = t.sim("p256")
    other_program_signs(t, sim)
    change(t, sim, "0000", "4711")
    sim.mark()
    other_program_signs(t, sim, SIMKEY_PIN_SOURCE=t.pin_file("4711"))
    t.equal(sim.tries(), 3, "tries")


@test
def a_wrong_old_pin_costs_one_try_and_no_second_attempt_is_made(t):
    sim = t.sim("p256")
    result = change(t, sim, "9999", "4711", expect=PIN, says=["not changed", "SW 63C2", "2 tries are left"])
    t.silent(result.err, ["9999", "4711"])
    t.equal((sim.tries(), len(changes(sim))), (2, 1), "tries, and CHANGEs")
    for old in ("9999", "0000"):
        change(t, sim, old, "4711", expect=PIN, says=["not changed", "only 2", "pin verify"])
    t.equal((sim.tries(), len(changes(sim))), (2, 1), "tries, and CHANGEs")
    t.simkey(sim, "pin", "verify")
    change(t, sim, "0000", "4711")


@test
def a_blocked_pin_is_not_changed(t):
    sim = blocked(t)
    change(t, sim, "0000", "4711", expect=PIN, says="permanently blocked")
    t.equal(changes(sim), [], "CHANGEs")


def no_change(t, old, new, expect, says):
    sim = t.sim("p256")
    sources = [t.write(name, *source) if source is not None else "/nonexistent/pin"
               for name, source in (("old", old), ("new", new))]
    t.simkey(sim, "pin", "change", "--old-source", sources[0], "--new-source", sources[1], expect=expect,
             says=says)
    t.equal((sim.tries(), sim.count("VERIFY"), changes(sim)), (3, 0, []), "tries, VERIFYs and CHANGEs")


GOOD, OTHER = ("0000\n",), ("4711\n",)
for name, how in {
        "is the old one": {"old": GOOD, "new": ("0000",), "expect": USAGE, "says": "is the same as the old one"},
        "has three digits": {"old": GOOD, "new": ("471\n",), "expect": PIN, "says": "--new-source gives is not a PIN"},
        "has nine digits": {"old": GOOD, "new": ("1" * 9,), "expect": USAGE, "says": "4 to 8 digits"},
        "has letters": {"old": GOOD, "new": ("secret",), "expect": PIN, "says": "--new-source gives is not a PIN"},
        "is in a file open to all": {"old": GOOD, "new": ("4711", 0o644), "expect": PIN, "says": "open to all"},
        "is in no file": {"old": GOOD, "new": None, "expect": PIN, "says": "cannot read.*correct --new-source"},
        "comes with an old one in a file open to all":
        {"old": ("0000", 0o604), "new": OTHER, "expect": PIN, "says": "open to all"},
        "comes with an old one that is none":
        {"old": ("",), "new": OTHER, "expect": PIN, "says": "--old-source gives is not a PIN"}}.items():
    test(name=f"a new PIN that {name} is refused and nothing sent", **how)(no_change)


@test
def a_change_whose_answer_got_lost_is_not_repeated_and_the_doubt_is_told(t):
    # the fifth command that reaches the SIM: ICCID, channel, applet, state, change
    sim = t.sim("p256", "--fault", "cme-after:5,13")
    change(t, sim, "0000", "4711", expect=REFUSED, says=["3 tries are left", "it is unknown whether the PIN was changed", "new one.*pin verify"])
    t.equal(len(changes(sim)), 1, "CHANGEs")
    t.simkey(sim, "pin", "verify", "--pin-source", t.pin_file("4711"))
    t.equal(sim.tries(), 3, "tries")


@test
def change_needs_both_sources_or_a_terminal(t):
    sim = t.sim("p256")
    for source, says in ((["--old-source", t.pin_file()], "--new-source"),
                         (["--new-source", t.pin_file("4711")], "--old-source"), ([], "--old-source")):
        t.simkey(sim, "pin", "change", *source, expect=PIN, says=["no terminal", says])
    for words in (["verify", "--old-source", t.pin_file()], ["change", "--spend-last-try"], ["change", "now"]):
        t.simkey(sim, "pin", *words, expect=USAGE)
    t.equal((sim.tries(), sim.words()), (3, []), "tries, and APDUs")


class Terminal:
    """simkey with a terminal of its own, as a person has it."""

    def __init__(self, t, sim, *arguments):
        env = t.env(sim, SIMKEY_PIN_SOURCE=None)
        self.heard = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(SIMKEY, [SIMKEY, *arguments], env)

    def hear(self, t, wanted, seconds=10):
        end = time.monotonic() + seconds
        while not re.search(wanted, self.heard):
            t.check(time.monotonic() < end, f"\"{wanted}\" was not said: {self.heard}")
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.heard += os.read(self.fd, 4096).decode("latin1")
                except OSError:
                    break
        t.says(self.heard, wanted)

    def shows_what_is_typed(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, t, prompt, text):
        self.hear(t, prompt + "$")
        t.check(not self.shows_what_is_typed(), "the terminal shows what is typed")
        os.write(self.fd, text.encode())

    def end(self, t, seconds=10):
        """Its exit status, negative for a signal."""
        end = time.monotonic() + seconds
        done = 0
        while not done:
            t.check(time.monotonic() < end, f"does not end: {self.heard}")
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.heard += os.read(self.fd, 4096).decode("latin1")
                except OSError:
                    pass
            done, status = os.waitpid(self.pid, os.WNOHANG)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@test
def a_person_is_asked_on_the_terminal_and_nothing_typed_is_shown(t):
    sim = t.sim("p256")
    terminal = Terminal(t, sim, "pin", "change")
    terminal.type(t, "old PIN: ", "0000\n")
    terminal.type(t, "new PIN: ", "4712\x7f1\n")
    terminal.type(t, "new PIN again: ", "4711\n")
    terminal.hear(t, "the PIN is changed: 3 tries left")
    t.check(terminal.shows_what_is_typed(), "the terminal stays mute")
    t.equal(terminal.end(t), 0, "exit status")
    t.silent(terminal.heard, ["0000", "4711", "4712"])
    terminal = Terminal(t, sim, "pin", "verify")
    terminal.type(t, "PIN: ", "4711\n")
    terminal.hear(t, "the PIN is right: 3 tries left")
    t.equal(terminal.end(t), 0, "exit status")


@test
def what_is_not_typed_twice_the_same_changes_nothing(t):
    sim = t.sim("p256")
    for typed, status, says in ((["0000", "4711", "4712"], USAGE, "not the same both times"),
                                (["0000", ""], PIN, "no PIN was entered"),
                                (["0" * 17], PIN, "too long"), (["0000", "x" * 300], PIN, "too long"),
                                (["0000", "0000", "0000"], USAGE, "is the same as the old one")):
        terminal = Terminal(t, sim, "pin", "change")
        for prompt, text in zip(("old PIN: ", "new PIN: ", "new PIN again: "), typed):
            terminal.type(t, prompt, text + "\n")
        terminal.hear(t, says)
        t.equal(terminal.end(t), status, "exit status")
    t.equal((sim.tries(), sim.count("VERIFY"), changes(sim)), (3, 0, []), "tries, VERIFYs and CHANGEs")


@test
def signals_find_the_terminal_as_it_was(t):
    sim = t.sim("p256")
    for number, key in ((signal.SIGINT, "\x03"), (signal.SIGTERM, None), (signal.SIGHUP, None),
                        (signal.SIGQUIT, "\x1c")):
        terminal = Terminal(t, sim, "pin", "change")
        terminal.type(t, "old PIN: ", "00")
        if key is not None:
            os.write(terminal.fd, key.encode())
        else:
            os.kill(terminal.pid, number)
        terminal.hear(t, "old PIN: [^ ]*\n")
        t.check(terminal.shows_what_is_typed(), f"the terminal is mute after signal {number}")
        t.equal(terminal.end(t), -number, "exit status")
    t.equal((sim.tries(), sim.words()), (3, []), "tries, and APDUs")


@test
def a_person_who_waits_before_typing_sees_no_dots_of_progress(t):
    sim = t.sim("p256")
    terminal = Terminal(t, sim, "pin", "change")
    terminal.hear(t, "old PIN: ")
    time.sleep(2.5)
    terminal.type(t, "old PIN: ", "0000\n")
    terminal.type(t, "new PIN: ", "4711\n")
    terminal.type(t, "new PIN again: ", "4711\n")
    terminal.hear(t, "the PIN is changed")
    t.equal(terminal.end(t), 0, "exit status")
