# SPDX-License-Identifier: Apache-2.0
"""The PIN's tries are few and precious."""

from fixture import PIN, test

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
        "empty": {"text": "", "mode": 0o600, "says": "is no PIN"},
        "of letters": {"text": "secret\n", "mode": 0o600, "says": "is no PIN"},
        "too short": {"text": "123\n", "mode": 0o600, "says": "is no PIN"},
        "too long": {"text": "0" * 40 + "\n", "mode": 0o600, "says": "is no PIN"},
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
