# SPDX-License-Identifier: Apache-2.0
"""What goes wrong has its own sentence, in openssl's error output too, and its exit status."""

import fcntl
import os
import subprocess
import time

from fixture import ABSENT, SIMKEY, TIMEOUT, UNREACHABLE, USAGE, test, with_providers

SIGN = ["dgst", "-sha256", "-sign"]


def both(t, says, status, env, uri="sim:signing"):
    """openssl and simkey say it, both within 20 seconds."""
    result = t.openssl(None, *SIGN, uri, "/dev/null", env=dict(t.env(None, True), **env),
                       expect="failure", seconds=20)
    t.says(result.err, [words if "simkey" in words else "simkey:.*" + words for words in says])
    t.equal(result.raw, b"", "output of openssl")
    result = t.simkey(None, "cert", uri, env=dict(t.env(), **env), expect=status, seconds=20)
    t.says(result.err, says)
    t.equal(result.out, "", "output of simkey")


def with_sim(sim, **more):
    return {"SIMKEY_DEVICE": sim.device, "SIMKEY_PIN": "0000", **more}


@test
def no_device_configured(t):
    both(t, ["no device is set"], USAGE, {"SIMKEY_PIN": "0000"})


@test
def no_modem(t):
    both(t, ["/dev/no-such-modem"], UNREACHABLE, {"SIMKEY_DEVICE": "/dev/no-such-modem"})


@test
def a_file_is_no_modem(t):
    both(t, ["not a serial port|no serial port"], UNREACHABLE,
         {"SIMKEY_DEVICE": t.write("file", "text")})


@test
def a_modem_that_says_nothing(t):
    sim = t.sim("p256", "--fault", "mute:600000")
    both(t, ["answer|silent"], (UNREACHABLE, TIMEOUT), with_sim(sim, SIMKEY_TIMEOUT="4"))


@test
def a_port_where_nothing_answers_says_so_each_time_as_fast(t):
    """It may be another port than the modem's. Nothing but AT was said: no answer is owed."""
    for killed in (False, True):
        sim = t.sim("p256", "--fault", "mute:600000")
        env = t.env(sim, SIMKEY_RUN_DIR=t.path(f"run-{killed}"))
        os.makedirs(t.path(f"run-{killed}"), 0o700)
        if killed:
            first = subprocess.Popen([SIMKEY, "info"], env=env, stderr=subprocess.DEVNULL)
            time.sleep(0.8)
            first.kill()
            first.wait()
        for _ in range(2 if killed else 3):
            began = time.monotonic()
            t.run([SIMKEY, "info"], env=env, expect=UNREACHABLE, says="nothing answers AT: check that")
            t.check(time.monotonic() - began < 4, "it took longer than calling the modem")


@test
def no_sim_in_the_modem(t):
    sim = t.sim("p256", "--no-sim")
    both(t, ["no SIM|SIM not inserted|holds no SIM"], UNREACHABLE, with_sim(sim))
    sim = t.sim("p256", "--no-sim", "--fault", "cme-text")
    both(t, ["SIM"], UNREACHABLE, with_sim(sim))


def no_applet(t, carrier):
    sim = t.sim("p256", "--no-applet")
    both(t, ["applet|does not have it"], ABSENT, with_sim(sim, SIMKEY_TRANSPORT=carrier))


for name in ("auto", "csim", "ccho"):
    test(name=f"no applet in the SIM, {name}", carrier=name)(no_applet)


@test
def an_absent_container(t):
    sim = t.sim("p256")
    both(t, ["container 9"], ABSENT, with_sim(sim), "sim:signing;container=9")
    both(t, ["container"], USAGE, with_sim(sim), "sim:signing;container=99")


@test
def another_sim_than_the_uri_names(t):
    sim = t.sim("p256")
    both(t, ["8988399999999999999"], ABSENT, with_sim(sim),
         "sim:signing;iccid=8988399999999999999")


@test
def another_sim_than_the_key_reference_names(t):
    sim, other = t.sim("p256"), t.sim("p384")
    _, key = t.exported(sim)
    result = t.openssl(other, *SIGN, key, "/dev/null", expect="failure",
                       says="simkey:.*the SIM in the modem is \\d+")
    t.equal(result.raw, b"", "output")
    t.signatures(other, 0)
    t.equal(other.tries(), 3, "tries of the other SIM's PIN")


@test
def a_bad_uri(t):
    sim = t.sim("p256")
    for uri, says in (("sim:nothing", "signing"), ("sim:signing;colour=red", "colour"),
                      ("sim:signing?pin=0000", "pin"), ("sim:signing?timeout=never", "timeout"),
                      ("sim:signing;container=0;container=1", "container"),
                      ("sim:signing;key-id=zz", "key-id"), ("sim:", "signing")):
        both(t, [says], USAGE, with_sim(sim), uri)
    t.equal(sim.words(), [], "APDUs")


@test
def a_bad_setting(t):
    sim = t.sim("p256")
    both(t, ["transport.*auto, csim, ccho"], USAGE, with_sim(sim, SIMKEY_TRANSPORT="smoke"))
    both(t, ["simkey.conf, line 2.*colour"], USAGE,
         with_sim(sim, SIMKEY_CONF=t.write("simkey.conf", "timeout = 5\ncolour = red\n")))
    both(t, ["no-such.conf"], USAGE, with_sim(sim, SIMKEY_CONF=t.path("no-such.conf")))
    t.equal(sim.words(), [], "APDUs")


@test
def a_key_reference_without_any_device_says_so(t):
    sim = t.sim("p256")
    _, key = t.exported(sim)
    t.openssl(None, *SIGN, key, "/dev/null", expect="failure", says="simkey:.*no device is set")


@test
def a_broken_key_reference_says_so(t):
    sim = t.sim("p256")
    _, key = t.exported(sim)
    lines = t.read(os.path.basename(key)).decode().splitlines()
    lines[1] = "MAUCAQcMAA=="
    t.openssl(sim, *SIGN, t.write("broken.pem", "\n".join([lines[0], lines[1], lines[-1], ""])),
              "/dev/null", expect="failure", says="simkey:")


@test
def a_busy_port_names_its_holder(t):
    sim = t.sim("p256")
    port = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(port, fcntl.LOCK_EX)
    began = time.monotonic()
    both(t, [f"in use by process {os.getpid()} "], UNREACHABLE, with_sim(sim, SIMKEY_TIMEOUT="2"))
    t.check(3.5 < time.monotonic() - began < 8, "the deadline of 2 s was not kept")
    os.close(port)
    t.openssl(sim, *SIGN, "sim:signing", "/dev/null")


@test
def a_sim_that_is_too_slow_ends_at_the_deadline(t):
    sim = t.sim("p256", "--sign-ms", "6000")
    began = time.monotonic()
    result = t.openssl(None, *SIGN, "sim:signing", "/dev/null", expect="failure",
                       env=t.env(sim, True, SIMKEY_TIMEOUT="2"), says="simkey:.*time-out")
    t.equal(result.raw, b"", "output")
    t.check(time.monotonic() - began < 5, "ended late")


@test
def a_modem_that_vanishes_ends_the_operation_at_once(t):
    sim = t.sim("p256", "--sign-ms", "20000")
    _, key = t.exported(sim)
    signer = t.start("openssl", ["openssl", *with_providers(
        [*SIGN, key, "-out", t.path("sig"), "/dev/null"], ("default", "simkey"))],
        t.env(sim, True))
    signer.wait_for(lambda: sim.count("PSO HASH") == 1, "signing")
    began = time.monotonic()
    sim.unplug()
    t.check(signer.wait(10) != 0, "success without a modem")
    t.check(time.monotonic() - began < 3, "the end was noticed late")
    t.says(signer.said(), "simkey:.*gone")
