# SPDX-License-Identifier: Apache-2.0
"""Every fault of simmodem that concerns text, time, errors, carrier and card really happens: seen by a
small AT client, without simkey. What simkey makes of them is in test_faults.py."""

import os
import re
import time

from at_client import (BOOTS, Line, MIAS, OPEN, READ_ICCID, SELECT_ICCID, SELECT_UICC, Took,
                       UNKNOWN, lines_of)
from fixture import SIMMODEM, test


# The switch

@test
def the_help_lists_every_fault_in_order(t):
    out = t.run([SIMMODEM, "--help"]).out
    names = re.findall(r"^  ([a-z0-9-]+)(?:\[?:\S+)? ", out[out.index("\nFaults"):
                                                          out.index("\nResult")], re.M)
    t.equal(names, """echo-stays echo-returns lower-case no-quotes no-blank blanks bare-ccho session16 quoted-imei
        no-cchc cme-text plain-error no-compound two-finals garbage open-garbage boot-chatter stale
        stray-ok stray-text stray-error stray-answer ok-first no-answer no-end urc chatter sms-prompt
        urc-split wrong-length slow-lines partial mute mute-at late late-at half-line half-late gap gap-error busy
        pin-busy cme cme-after error-at get-response 6100-forever 6cxx refuse-le no-manage-channel open-le
        no-close no-number no-csim-channels empty-csim select-only ccho-error ccho-missing plain-class basic-response
        no-ccho no-csim max-length max-line leaked lose-channel foreign foreign-mse refresh modem-reset
        boot-words sim-removed
        other-sim hang-up iotsafe-6984 iotsafe-6989 iotsafe-63cf
        clients-gone client-limit sync open-denied no-slots no-procedure long-answer odd-parts indications
        together build-class swap-class no-fetch need-le select-p2 no-service""".split(), "the faults")


@test
def wrong_arguments_are_told(t):
    for fault, says in (("late", "late:MS"), ("late:", "late:MS"), ("late:x", "late:MS"),
                        ("late:-1", "0 to 3600000"), ("late:5,6", "late:MS"),
                        ("late:99999999999999999999", "0 to 3600000"), ("echo-stays:1", "no argument"),
                        ("mute-at:3", "mute-at:N,MS"), ("mute-at:0,5", "1 to 1000000"),
                        ("mute-at:3,5,7", "mute-at:N,MS"), ("cme:1,1000", "0 to 999"),
                        ("hang-up", r"hang-up:N\[,MS\]"), ("hang-up:1,", r"hang-up:N\[,MS\]"),
                        ("urc:0", r"urc\[:N\]"), ("no-manage-channel:9000", "not 9000"),
                        ("no-manage-channel:68810", "4 hexadecimal"), ("leaked:0", "1 to 4096"),
                        ("no-such:1", "no fault is called 'no-such:1'"),
                        ("other-sim:1", "--other-card")):
        t.run([SIMMODEM, "--card", "card", "--link", "link", "--fault", fault], expect=1, says=says)


# Text

@test
def echo_stays(t):
    line = Line(t, "echo-stays", raw=True)
    line.wants("ATE0", ["ATE0", "OK"])
    line.wants("AT", ["AT", "OK"])


@test
def echo_returns(t):
    line = Line(t, "echo-returns:2")
    line.ready()
    line.ready()
    line.wants("ATE0", ["ATE0", "OK"])
    line.ready()


def shape(t, fault, wanted):
    Line(t, fault).wants(f'AT+CSIM=8,"{UNKNOWN}"', [wanted, "OK"])


for words, answer in (("lower-case", '+CSIM: 4,"6d00"'), ("no-quotes", "+CSIM: 4,6D00"),
                      ("no-blank", '+CSIM:4,"6D00"'), ("blanks", '+CSIM:   4,  "6D00"')):
    test(name=words, fault=words, wanted=answer)(shape)


@test
def sessions_of_other_shapes(t):
    t.check(re.fullmatch(r"\d+", Line(t, "bare-ccho").session()), "no bare session")
    t.check(re.fullmatch(r"\+CCHO: [0-9A-F]{16}", Line(t, "session16").session()), "no 16 digits")


@test
def no_cchc(t):
    line = Line(t, "no-cchc")
    line.wants(line.session().replace("+CCHO: ", "AT+CCHC="), ["ERROR"])


@test
def errors_of_other_shapes(t):
    Line(t, "busy:1", "cme-text").wants("AT+CPIN?", ["+CME ERROR: SIM busy"])
    Line(t, "busy:1", "plain-error").wants("AT+CPIN?", ["ERROR"])
    line = Line(t, "busy:1", "two-finals")
    line.say("AT+CPIN?")
    t.equal(lines_of(line.hear(0.2)), ["+CME ERROR: 14", "ERROR"], "both final results")


@test
def no_compound(t):
    line = Line(t, "no-compound", raw=True)
    line.wants("ATE0V1", ["ATE0V1", "ERROR"])


@test
def garbage(t):
    line = Line(t, "garbage:2")
    line.say("AT+CPIN?")
    got = line.hear(0.2)
    for noise in (b"\0\0", b"\xfe", b"\r\r\n", b"\n\n"):
        t.check(noise in got, f"{noise} is missing in {got}")
    t.check(got.index(b"\xfe") < got.index(b"READY") < got.rindex(b"\xfe"), "not around the answer")
    t.check({"+CPIN: READY", "OK"} < set(lines_of(got)), f"no answer in {got}")
    line.ready()


@test
def open_garbage(t):
    line = Line(t, "open-garbage", raw=True)
    for _ in range(2):
        got = line.hear(0.2)
        t.check(got.startswith(b"\0\0\0\xf8"), f"no noise first: {got}")
        t.equal(lines_of(got)[1:], ["^SIMST:1", "SMS DONE", "+CPIN: READY", "PB DONE",
                                    '+CSIM: 4,"9000"', "OK"], "after the noise")
        line.open()


@test
def boot_chatter(t):
    line = Line(t, "boot-chatter:2")
    line.say("AT+CSQ")
    got = lines_of(line.hear(0.2))
    t.equal(got[2:-2], ["+CSQ: 20,99", "OK"], "the answer")
    t.check(set(got[:2] + got[-2:]) < BOOTS, f"no boot lines around it: {got}")
    line.ready()


@test
def stale(t):
    """20 ms after the answer; when that came is known by when it was asked for."""
    def both(line, command, old):
        with Took(t, 0.02, 3):
            line.say(command)
            got = lines_of(line.hear(3, re.compile(rb"OK\r\n.*OK\r\n", re.S)))
        t.equal(got[1:], ["OK", old, "OK"], f"what is said behind {got[0]}")
        return got[0]

    line = Line(t, "stale:2")
    line.ready()
    both(line, f'AT+CCHO="{MIAS}"', '+CSIM: 4,"9000"')
    line = Line(t, "stale:2")
    t.equal(both(line, f'AT+CGLA={line.session()[7:]},8,"{UNKNOWN}"', '+CGLA: 4,"9000"'), '+CGLA: 4,"6D00"',
            "the answer")


@test
def strays(t):
    message = '+CMT: "+4915112345678",,"26/01/01,12:00:00+04"'
    answer = ['+CSIM: 4,"6D00"', "OK"]
    for fault, stray in (("stray-ok", [message, "OK"]), ("stray-error", ["ERROR"]),
                         ("stray-answer", ['+CSIM: 4,"9000"', "OK"]),
                         ("stray-text", [message, *['+CSIM: 4,"9000"'] * 2, "OK", "RDY",
                                         "+CFUN: 1", "ERROR"])):
        line = Line(t, fault + ":1", "late:60")
        line.say('AT+CSIM=10,"00AE000000"')
        t.equal(lines_of(line.hear(0.3)), stray + answer, fault)
        line.ready()


@test
def ok_first(t):
    line = Line(t, "ok-first")
    line.say("AT+CSQ")
    t.equal(lines_of(line.hear(0.2)), ["OK", "+CSQ: 20,99"], "an answer")
    line.say("AT+NONE")
    t.equal(lines_of(line.hear(0.2)), ["ERROR"], "an error")
    line.say("AT+CPIN?")
    t.equal(lines_of(line.hear(0.2)), ["OK", "+CPIN: READY"], "a SIM command")


@test
def channels_that_take_no_commands(t):
    for fault, wanted in (("no-csim-channels", "6E00"), ("no-csim-channels:6881", "6881"),
                          ("no-csim-channels:3", "+CME ERROR: 3")):
        line = Line(t, fault)
        t.equal(line.apdu(OPEN), "019000", "opening")
        t.equal(line.apdu("01A4000C022FE2"), wanted, "a command on the channel")
        t.equal(line.apdu(SELECT_ICCID), "9000", "the same on the basic one")
        t.equal(line.apdu("00708001"), "9000", "closing")
        t.check(line.session(), "no session")


@test
def an_imei_in_quotes(t):
    line = Line(t, "quoted-imei", switches=("--imei", "356938035643809"))
    line.wants("AT+CGSN", ['"356938035643809"', "OK"])


@test
def a_class_that_is_handed_on(t):
    line = Line(t, "plain-class")
    session = line.session()
    t.equal(session, "+CCHO: 1", "the session")
    t.equal(line.apdu("00A4000C022FE2", "AT+CGLA=1,"), "9000", "on the basic channel")
    line.sw("01200081", "63C3", "AT+CGLA=1,")
    line = Line(t)
    number = re.sub(r"\D", "", line.session())
    t.equal(line.apdu("00A4000C022FE2", f"AT+CGLA={number},"), "6A82", "by a modem that puts the channel in")


@test
def a_response_of_any_channel_by_class_00(t):
    line = Line(t, "basic-response", switches=["--t0"])
    line.channel()
    line.sw("01A40004022FE2", "611C")
    line.card("01C000001C", "6E00")
    line.sw("00C000001C", "9000")


@test
def lines_of_a_bounded_length(t):
    line = Line(t, "max-line:58")
    line.wants(f'AT+CSIM=38,"00A404000E{"A0" * 14}"', ["+CSIM: 4,\"6A82\"", "OK"])
    line.wants(f'AT+CSIM=46,"00A4040012{"A0" * 18}"', ["ERROR"])
    line = Line(t, "max-line:40")
    t.equal(len(line.ask('AT+CSIM=16,"00A40004022FE200"')[0]), 40, "the answer's length")


@test
def channels_that_are_opened_otherwise(t):
    line = Line(t, "open-le")
    line.card(OPEN, "6700")
    line.card("0070000000", "019000")
    line.card("0070800100", "6700")
    line.card("00708001", "9000")
    line = Line(t, "open-le:6A86")
    line.card(OPEN, "6A86")
    line.card("0070000000", "019000")
    line = Line(t, "open-le:50", "plain-error")
    line.wants(f'AT+CSIM=10,"{OPEN}"', ["ERROR"])
    line.card("0070000000", "019000")
    line.card("00708001", "9000")
    line = Line(t, "no-number")
    line.card(OPEN, "9000")
    line.card("81F2000C", "9000")
    line = Line(t, "ccho-error")
    line.wants("AT+CMEE=1", ["OK"])
    line.wants(f'AT+CCHO="{MIAS}"', ["+CME ERROR: 100"])
    line.wants('AT+CGLA=1,8,"00200081"', ['+CGLA: 4,"63C3"', "OK"])
    for fault, wanted in (("ccho-missing", "ERROR"), ("ccho-missing:50", "+CME ERROR: 50")):
        line = Line(t, fault)
        line.wants("AT+CMEE=1", ["OK"])
        line.wants('AT+CCHO="A0000000000000"', [wanted])
        line.card("0070000001", "019000")
        t.check(line.session().startswith("+CCHO: "), "no session with an applet that is there")


@test
def channels_that_take_little_or_stay_open(t):
    line = Line(t, "no-close")
    line.card(OPEN, "019000")
    for close in ("0070800100", "00708001", "01708000"):
        line.card(close, "6D00")
    line.card(OPEN, "029000")
    line = Line(t, "empty-csim")
    line.card(OPEN, "019000")
    line.wants('AT+CSIM=8,"81F2000C"', ["OK"])
    line.card("0070800100", "9000")
    line = Line(t, "select-only")
    line.wants("AT+CMEE=1", ["OK"])
    line.card(OPEN, "019000")
    line.card(f"01A4040C0D{MIAS}", "9000")
    line.wants('AT+CSIM=8,"01200081"', ["+CME ERROR: 3"])
    line.card("0070800100", "9000")


@test
def pins_that_meet_a_busy_sim(t):
    line = Line(t, "pin-busy:2,515")
    line.wants("AT+CMEE=1", ["OK"])
    line.card(OPEN, "019000")
    line.card(f"01A4040C0D{MIAS}", "9000")
    for _ in range(2):
        line.wants('AT+CSIM=18,"012000810439393939"', ["+CME ERROR: 515"])
        line.card("01200081", "63C3")
    line.card("012000810439393939", "63C2")


QUESTIONS = (("AT+CGMI", "simkey"), ("AT+CGMM", "simmodem"), ("AT+CGMR", "Revision: simmodem 1.0.0"), ("AT+CGSN", None),
             ("AT+CPIN?", "+CPIN: READY"), ("AT+CRSM=176,12258,0,0,10", None), ("AT+CREG?", "+CREG: 0,1"),
             ("AT+CEREG?", "+CEREG: 0,1"), ("AT+CCID", None))
SETTINGS = ("AT+CMEE=1", "ATE0V1Q0")


@test
def questions_without_an_end(t):
    for number, (question, answer) in enumerate(QUESTIONS, 1):
        line = Line(t, f"no-answer:{number}")
        line.say(question)
        line.silent(0.2)
        line.wants("AT", ["OK"])
        line = Line(t, f"no-end:{number}")
        line.say(question)
        got = lines_of(line.hear(0.2))
        t.check(len(got) == 1 and answer in (None, *got), f"{question}: {got}")
        line.wants("AT", ["OK"])
    for number, setting in enumerate(SETTINGS, len(QUESTIONS) + 1):
        line = Line(t, f"no-answer:{number}", raw=True)
        line.say(setting)
        t.check(b"OK" not in line.hear(0.2), f"an answer to {setting}")
        line.wants("AT", ["AT", "OK"])


@test
def urc(t):
    line = Line(t, "urc:2")
    line.say("AT+CSQ")
    got = lines_of(line.hear(0.2))
    t.check(got[1] == "+CSQ: 20,99" and got[3] == "OK" and len(got) == 5, f"no lines around: {got}")
    line.ready()


@test
def urc_split(t):
    line = Line(t, "urc-split:2")
    line.ready()
    line.wants("AT+CPIN?", ["+CPIN:", "+CREG: 1", " READY", "OK"])
    line.ready()


@test
def wrong_length(t):
    line = Line(t, "wrong-length:2")
    for wanted in (4, 6, 4, 2, 4, 6):
        line.wants(f'AT+CSIM=8,"{UNKNOWN}"', [f'+CSIM: {wanted},"6D00"', "OK"])


@test
def slow_lines(t):
    line = Line(t, "slow-lines:300")
    line.say("AT+CSQ")
    t.equal(lines_of(line.hear(0.2)), ["+CSQ: 20,99"], "the first line")
    line.hears(["OK"], 0, 0.5)


@test
def partial(t):
    line = Line(t, "partial:3")
    with Took(t, 0.012, 1):
        line.ready()


# Time

@test
def mute(t):
    line = Line(t, "mute:600", raw=True)
    line.say("AT")
    line.silent(0.3)
    time.sleep(0.4)
    line.wants("AT", ["AT", "OK"])


@test
def mute_at(t):
    line = Line(t, "mute-at:2,500")
    line.ready()
    with Took(t, 0.5, 2):
        line.say("AT+CPIN?")
        line.say("AT+CSQ")
        line.silent(0.55)
        line.wants("AT", ["OK"])
    line.ready()


@test
def chatter(t):
    line = Line(t, "chatter:20", raw=True)
    got = lines_of(line.hear(0.5))
    t.check(5 < len(got) < 50, f"{len(got)} lines in half a second")
    line.say("AT+CSQ")
    got = lines_of(line.hear(0.3))
    t.equal(got.index("OK") - got.index("+CSQ: 20,99"), 1, f"a line inside the answer: {got}")


@test
def sms_prompt(t):
    line = Line(t, "sms-prompt", raw=True)
    line.say("AT")
    t.equal(line.hear(0.2), b"AT\r\r\n> ", "the prompt")
    os.write(line.fd, b"\x1b")
    t.equal(line.hear(0.2), b"\x1b\r\nOK\r\n", "behind ESC")
    line.wants("AT", ["AT", "OK"])
    line = Line(t, "sms-prompt:2")
    line.ready()
    line.say("AT+CPIN?")
    line.say("AT+CPIN?")
    t.equal(line.hear(0.3), b"\r\n> \r\n> ", "the prompt, twice")


@test
def gap(t):
    line = Line(t, "gap:100")
    time.sleep(0.2)
    for _ in range(2):
        line.ask("AT")
        line.say("AT")
        line.silent(0.2)
    line.wants("AT", ["OK"])
    line = Line(t, "gap-error:100")
    time.sleep(0.2)
    line.wants("AT", ["OK"])
    line.wants("AT", ["ERROR"])
    time.sleep(0.2)
    line.wants("AT", ["OK"])


@test(alone="its answers are told apart by a quarter of a second")
def late(t):
    line = Line(t, "late:200", "late-at:2,300")
    for low, high in ((0.2, 0.45), (0.5, 1.2), (0.2, 0.45)):
        with Took(t, low, high):
            line.ready()
    with Took(t, 0, 0.15):
        line.ask("AT")


@test
def late_at_is_done_at_once(t):
    line = Line(t, "late-at:1,400")
    line.say(f'AT+CSIM=10,"{OPEN}"')
    line.silent(0.3)
    line.seen(1)
    line.hears(['+CSIM: 6,"019000"', "OK"], 0, 0.5)


@test
def half_line(t):
    line = Line(t, "half-line:2")
    line.ready()
    line.say("AT+CPIN?")
    t.equal(line.hear(0.3), b"\r\n+CPIN: RE", "half of it")
    line.wants("AT", ["OK"])


@test
def half_late(t):
    line = Line(t, "half-late:2,300")
    line.ready()
    line.say("AT+CPIN?")
    t.equal(line.hear(0.2), b"\r\n+CPIN: RE", "half of it")
    line.hears(["ADY", "OK"], 0.05, 0.5)


@test
def busy(t):
    line = Line(t, "busy:2")
    line.wants("AT+CPIN?", ["+CME ERROR: 14"])
    line.wants(f'AT+CSIM=10,"{OPEN}"', ["+CME ERROR: 14"])
    line.seen(0)
    line.channel()


# Errors

def one_error(t, fault, wanted, done):
    line = Line(t, fault)
    line.channel()
    line.wants(f'AT+CSIM=10,"{OPEN}"', [wanted])
    line.seen(2 if done else 1)
    line.channel(3 if done else 2)


for words, answer, executed in (("cme:2,100", "+CME ERROR: 100", False),
                                ("cme-after:2,13", "+CME ERROR: 13", True),
                                ("error-at:2", "ERROR", False)):
    test(name=words, fault=words, wanted=answer, done=executed)(one_error)


# Carrier and card

@test
def get_response(t):
    for faults, wanted in (([], "61"), (["get-response"], "62")):
        got = Line(t, *faults, switches=["--t0"]).apdu(SELECT_UICC + "00")
        t.equal(got[:2], wanted, "the answer to SELECT")


@test
def endless_6100(t):
    line = Line(t, "6100-forever:3")
    line.sw(SELECT_ICCID, "9000")
    line.sw(READ_ICCID, "9000")
    line.card(READ_ICCID, "610A")
    for _ in range(40):
        got = line.apdu("00C0000000")
        t.check(len(got) > 4 and got.endswith("6100"), f"the data ended: {got}")
    line.session()


@test
def endless_6100_in_the_modem(t):
    line = Line(t, "6100-forever:1", "get-response")
    line.sw(SELECT_ICCID, "9000")
    t.check(line.apdu(READ_ICCID).endswith("006100"), "the modem does not stop")


@test
def case_2_answers_6cxx_first(t):
    line = Line(t, "6cxx")
    line.card(OPEN, "6C01")
    line.channel()
    line.sw(SELECT_ICCID, "9000")
    for _ in range(2):
        line.card(READ_ICCID, "6C0A")
        t.equal(len(line.apdu(READ_ICCID)), 24, "digits of EF.ICCID")


@test
def refuse_le(t):
    line = Line(t, "refuse-le")
    line.card(SELECT_UICC + "00", "6700")
    line.seen(1)
    line = Line(t, "refuse-le:3")
    line.card(SELECT_UICC + "00", "+CME ERROR: 3")
    line.seen(0)
    t.equal(line.apdu(SELECT_UICC)[:2], "61", "without Le")


@test
def no_manage_channel(t):
    for fault, wanted, seen in (("no-manage-channel", "6881", 1),
                                ("no-manage-channel:6e00", "6E00", 1),
                                ("no-manage-channel:4", "+CME ERROR: 4", 0)):
        line = Line(t, fault)
        line.card(OPEN, wanted)
        line.seen(seen)
        line.session()


@test
def one_carrier_only(t):
    Line(t, "no-csim").card(OPEN, "+CME ERROR: 4")
    Line(t, "no-ccho").wants(f'AT+CCHO="{MIAS}"', ["+CME ERROR: 4"])


@test
def max_length(t):
    line = Line(t, "max-length:11")
    line.card(SELECT_UICC, "+CME ERROR: 50")
    line.seen(0)
    line.sw(SELECT_ICCID, "9000")
    line.card(READ_ICCID, "+CME ERROR: 50")
    line.seen(2)
    t.equal(len(line.apdu("00B0000009")), 22, "digits of nine octets and SW")


@test
def leaked(t):
    line = Line(t, "leaked")
    line.card(OPEN, "6A81")
    line.wants(f'AT+CCHO="{MIAS}"', ["+CME ERROR: 0"])
    line.card("00708003", "9000")
    line.channel(3)
    line = Line(t, "leaked:2")
    line.channel()
    line.card(OPEN, "6A81")
