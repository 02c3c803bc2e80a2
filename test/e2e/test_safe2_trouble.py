# SPDX-License-Identifier: Apache-2.0
"""SAFE2 when the server, the network, the SIM or the device's programs fail: each its own words and
exit status, no channel left open, the file of the last time untouched."""

import os
import signal
import subprocess
import time

from fixture import ABSENT, REFUSED, TIMEOUT, UNREACHABLE, test
from safe2_server import new_key
from test_safe2 import CONFIG, FAST, SAFE2, Site, applier, every_byte

QUICK = ["--safe2-retry-ms", "50"]


def keeps_its_file(site, expect, says, *arguments):
    """A get that fails; what the last one brought stays."""
    t = site.t
    out = t.path("config")
    if not os.path.exists(out):
        t.write("config", "as before", 0o640)
    before = os.stat(out)
    result = site.get("--out", out, "--exec", f"touch {t.path('executed')};:", *arguments,
                      expect=expect, says=says)
    t.equal(result.out, "", "output")
    t.equal(result.err.count("\n"), 1, f"lines of\n{result.err}")
    after = os.stat(out)
    t.equal((t.read(out), after.st_ino, after.st_mode), (b"as before", before.st_ino, before.st_mode),
            "the file")
    t.check(not os.path.exists(t.path("executed")), "the command ran")
    t.equal([n for n in os.listdir(t.dir) if n.startswith("config")], ["config"], "files")
    site.none_open()
    return result


@test
def the_server_refuses(t):
    site = Site(t, *QUICK)
    keeps_its_file(site, REFUSED, "state 0003, result 0404")  # known, but without a configuration
    site.put(CONFIG)
    right = site.key
    site.server.rotate(site.iccid, new_key())
    keeps_its_file(site, REFUSED, "state 000F, result 0004")
    site.server.enrol("remove", site.iccid)
    keeps_its_file(site, REFUSED, "state 000F, result 0004")
    site.server.add(site.iccid, right)
    site.put(CONFIG)
    t.equal(site.get().raw, CONFIG, "configuration")
    t.equal(site.server.put_by_token(b"evil", "0" * 64, site.iccid), 401, "PUT with a wrong token")
    t.equal(site.get().raw, CONFIG, "configuration")
    site.send("-", stdin=b"x" * 10)
    site.server.rotate(site.iccid, new_key())
    site.send("-", stdin=b"x" * 10, expect=REFUSED, says="sending failed .state 000F, result 0004")


@test
def the_answer_is_empty_or_too_long(t):
    site = Site(t, *QUICK)
    site.server.put_unchecked(b"", site.iccid)
    keeps_its_file(site, REFUSED, "empty .state 0003, result 0000")
    for size in (251, 254, 5000):
        site.server.put_unchecked(every_byte(size), site.iccid)
        keeps_its_file(site, REFUSED, "state 000F, result 0008")
    site.sim.stop_cleanly()
    site.sim = site.modem("--safe2-max", "256")
    for size in (254, 255, 256):
        site.server.put_unchecked(every_byte(size), site.iccid)
        t.equal(site.get().raw, every_byte(size), "configuration")
    site.none_open()


@test
def the_connection_breaks_off(t):
    site = Site(t, *QUICK, "--safe2-timeout-ms", "1000", "--safe2-tries", "2")
    site.put(CONFIG)
    for how, result in (("half", "0006"), ("head", "0006"), ("close", "0006"), ("hang", "0003")):
        site.server.break_answers(how)
        keeps_its_file(site, REFUSED, f"state 000F, result {result}")
    site.server.mend_answers()
    t.equal(site.get().raw, CONFIG, "configuration")


@test
def the_name_does_not_resolve_or_nobody_listens(t):
    site = Site(t, *QUICK, "--safe2-host", "server..invalid")
    keeps_its_file(site, REFUSED, "state 000F, result 0001")
    site.sim.stop_cleanly()
    site.sim = site.modem(*QUICK)
    site.server.stop_proxy()
    keeps_its_file(site, REFUSED, "state 000F, result 0002")
    t.equal(site.jobs()[-1].tries, "3", "tries")


@test
def a_server_that_comes_up_later_is_reached(t):
    site = Site(t, "--safe2-tries", "1000", "--safe2-retry-ms", "100")
    site.put(CONFIG)
    site.server.stop_proxy()
    getting = site.start("get")
    time.sleep(0.5)
    site.server.start_proxy()
    t.equal(getting.wait(20), 0, "status: " + getting.said())
    t.equal(getting.said(), CONFIG.decode(), "configuration")
    t.check(int(site.jobs()[0].tries) > 1, "tries")
    site.none_open()


@test
def a_server_that_never_comes_is_a_time_out_and_its_job_goes_on(t):
    site = Site(t, "--safe2-tries", "1000", "--safe2-retry-ms", "100")
    site.put(CONFIG)
    site.server.stop_proxy()
    since = time.monotonic()
    keeps_its_file(site, TIMEOUT, "within 2 s .state 0001, result 0000", "--timeout", "2")
    t.check(1.9 < time.monotonic() - since < 6, "time")
    # The job that nobody waits for any more is outlasted, as that of a killed program is.
    keeps_its_file(site, TIMEOUT, "within 1 s .state 0001, result 0000", "--timeout", "1")
    site.send("--timeout", "1", "-", stdin=b"hello", expect=TIMEOUT, says="within 1 s .state 0001")
    t.says(site.safe2("status").out, ["receive: state 0001 result 0000 .busy", "send: state 0000 "])
    t.equal(len(site.jobs()), 0, "jobs that ended")
    site.server.start_proxy()
    t.equal(site.get("--timeout", "20").raw, CONFIG, "configuration")
    t.equal(len(site.jobs()), 2, "jobs")
    t.equal(site.server.telemetry(site.iccid), [], "telemetry")
    site.none_open()


@test
def a_job_that_somebody_waits_for_is_in_the_way(t):
    site = Site(t, "--safe2-ms", "2500")
    site.put(CONFIG)
    getting = site.start("get")
    since = time.monotonic()
    t.write("config", "as before", 0o640)
    site.get("--out", t.path("config"), expect=REFUSED, says="already running .state 0001")
    site.send("-", stdin=b"hello", expect=REFUSED, says="already running .state 0001")
    t.check(time.monotonic() - since < 2, "time")
    t.equal(t.read("config"), b"as before", "the file")
    t.equal(len(site.open_channels()), 1, "channels of the poll")
    t.equal(getting.wait(20), 0, "status: " + getting.said())
    t.equal(getting.said(), CONFIG.decode(), "configuration")
    site.none_open()


@test
def a_job_of_the_other_kind_is_in_the_way(t):
    site = Site(t, "--safe2-ms", "1500")
    site.put(CONFIG)
    site.send("-", stdin=b"first")
    getting = site.start("get")
    site.send("-", stdin=b"second", expect=REFUSED, says="already running")
    t.equal(getting.wait(20), 0, "status: " + getting.said())
    sending = t.start("safe2", [SAFE2, "send", *FAST, t.write("third", b"third")], t.env(site.sim))
    sending.wait_for(lambda: any(a.command[2:8] == "DA02C1" and a.sw == "9000"
                                 for a in site.sim.apdus()[-3:]), "sending")
    site.get(expect=REFUSED, says="already running")
    t.equal(sending.wait(20), 0, "status: " + sending.said())
    t.equal([b for _, b in site.server.telemetry(site.iccid)], [b"first", b"third"], "telemetry")
    site.none_open()


@test
def a_failed_job_is_tried_again(t):
    site = Site(t, *QUICK)
    result = site.get("--retries", "2", "--retry-delay", "0.1", expect=REFUSED, says="0404")
    t.equal(result.err.count("trying again"), 2, "retries")
    getting = t.start("safe2", [SAFE2, "get", *FAST, "--retries", "100", "--retry-delay", "0.3"],
                      t.env(site.sim))
    getting.wait_for(lambda: "trying again" in getting.said(), "trying again")
    t.equal(site.open_channels(), set(), "channels open in the pause")
    site.put(CONFIG)
    t.equal(getting.wait(20), 0, "status: " + getting.said())
    t.says(getting.said(), '"iot:Alarm"')
    site.none_open()


@test
def there_is_no_applet(t):
    site = Site(t, "--no-safe2", enrolled=False)
    for switches in ([], ["--no-csim"]):
        site.sim.stop_cleanly()
        site.sim = site.modem("--no-safe2", *switches)
        site.get("--out", t.path("config"), expect=ABSENT, says="SAFE2")
        site.send("-", stdin=b"hello", expect=ABSENT, says="SAFE2")
        site.safe2("status", expect=ABSENT, says="SAFE2")
        t.check(not os.path.exists(t.path("config")), "a file")
        t.equal(site.open_channels(), set(), "open channels")


@test
def the_modem_vanishes_in_mid_poll(t):
    site = Site(t, "--safe2-ms", "20000")
    site.put(CONFIG)
    getting = site.start("get", "--timeout", "3")
    site.sim.stop_cleanly()
    t.equal(getting.wait(15), UNREACHABLE, "status: " + getting.said())
    t.says(getting.said(), "within 3 s")


# Ends

def killed(t, carrier):
    site = Site(t, "--safe2-ms", "700")
    site.put(CONFIG)
    for number in range(4):
        polling = site.start("get", "--transport", carrier)
        polling.stop(signal.SIGKILL)
        since = time.monotonic()
        result = site.get("--transport", carrier)
        t.equal(result.raw, CONFIG, f"configuration after kill {number + 1}")
        t.check(time.monotonic() - since < 6, "time")
    t.check(len(site.open_channels()) < 3, f"open channels: {site.open_channels()}")


def killed_thrice(t, carrier):
    """Each closes what the one before it left."""
    site = Site(t, "--safe2-ms", "700")
    site.put(CONFIG)
    for number in range(3):
        polling = site.start("get", "--transport", carrier)
        polling.stop(signal.SIGKILL)
        site.sim.wait_for(lambda: len(site.jobs()) == number + 1, "end of the job")
    t.equal(len(site.open_channels()), 1, "open channels")
    since = time.monotonic()
    t.says(site.safe2("status", "--transport", carrier).out, "receive: state 0007")
    t.check(time.monotonic() - since < 5, "time")
    t.equal(site.get("--transport", carrier).raw, CONFIG, "configuration")


for name in ("csim", "ccho"):
    test(name=f"the next one works at once after a SIGKILL in mid-poll, {name}", carrier=name)(killed)
    test(name=f"three kills leave one channel and the next one works, {name}",
         carrier=name)(killed_thrice)


def told_to_end(t, carrier):
    site = Site(t, "--safe2-ms", "20000")
    site.put(CONFIG)
    site.server.stop_proxy()
    for number, arguments in ((signal.SIGINT, []), (signal.SIGTERM, ["--interval", "50"])):
        site.sim.stop_cleanly()
        site.sim = site.modem("--safe2-ms", "20000")
        polling = site.start("get", *arguments, "--transport", carrier)
        t.equal(len(site.open_channels()), 1, "channels of the poll")
        since = time.monotonic()
        status = polling.stop(number)
        t.check(time.monotonic() - since < 2, "time")
        t.check(status in (-number, 128 + number), f"status {status}")
        site.none_open()
    site.sim.stop_cleanly()
    site.sim = site.modem()
    getting = t.start("safe2", [SAFE2, "get", *FAST, "--retries", "9", "--retry-delay", "100"],
                      t.env(site.sim))
    getting.wait_for(lambda: "trying again" in getting.said(), "trying again", 20)
    status = getting.stop(signal.SIGTERM)
    t.check(status in (-15, 128 + 15), f"status {status}")
    site.none_open()


for name in ("csim", "ccho"):
    test(name=f"SIGINT and SIGTERM close the channel, {name}", carrier=name)(told_to_end)


@test
def a_signal_ends_the_command_of_exec_too(t):
    site = Site(t)
    site.put(CONFIG)
    getting = t.start("safe2", [SAFE2, "get", *FAST, "--out", t.path("config"), "--exec",
                                f"touch {t.path('running')}; exec sleep 50 #"], t.env(site.sim))
    getting.wait_for(lambda: os.path.exists(t.path("running")), "running the command")
    status = getting.stop(signal.SIGTERM)
    t.check(status in (-15, 128 + 15), f"status {status}")
    site.get("--out", t.path("config"), "--exec", f"touch {t.path('again')};:")
    t.check(os.path.exists(t.path("again")), "the command did not run again")
    site.get("--out", t.path("other"), "--exec", "exec sleep 50 #", "--timeout", "1.5",
             expect=(REFUSED, TIMEOUT), says="signal|within")
    site.none_open()


@test(left_out=None if os.geteuid() == 0 else "needs root, who becomes another user")
def a_file_of_another_user_that_says_the_same_is_replaced(t):
    site = Site(t)
    site.put(CONFIG)
    os.mkdir(t.path("shared"))
    os.chmod(t.path("shared"), 0o1777)
    theirs, out = t.path("shared/theirs"), t.path("shared/config")
    with open(theirs, "wb") as file:
        file.write(CONFIG)
    os.chown(theirs, 65534, 65534)
    os.rename(theirs, out)
    with open(out, "r+b") as kept:
        site.get("--out", out, "--exec", applier(t))
        t.equal((os.stat(out).st_uid, t.read("applied")), (0, CONFIG + b"\n"), "whose it is, and what was applied")
        kept.write(b"evil")
    site.get("--out", out, "--exec", applier(t))
    t.equal((t.read(out), t.read("applied")), (CONFIG, CONFIG + b"\n"), "what is there, and was applied once")


@test
def telemetry_from_a_pipe_is_not_awaited_longer_than_the_job(t):
    site = Site(t)
    os.mkfifo(t.path("pipe"))
    site.sim.mark()
    t.run([SAFE2, "send", *FAST, "--timeout", "1", t.path("pipe")], site.sim, expect=TIMEOUT,
          says="nothing could be read", seconds=15)
    t.equal(site.sim.words(), [], "APDUs")
    late = t.start("safe2", [SAFE2, "send", *FAST, t.path("pipe")], t.env(site.sim))
    with open(t.path("pipe"), "wb", buffering=0) as pipe:
        for part in (b"from ", b"a pipe"):
            pipe.write(part)
            time.sleep(0.3)
    t.equal(late.wait(), 0, late.said())
    t.equal([body for _, body in site.server.telemetry(site.iccid)], [b"from a pipe"], "what came")
    t.run(["bash", "-c", f'exec {SAFE2} send {" ".join(FAST)} <(printf substituted)'], site.sim, preload=False)


@test
def a_signal_ends_it_while_it_waits_for_somebody_else(t):
    site = Site(t)
    site.put(CONFIG)
    os.mkfifo(t.path("pipe"))  # that nobody reads
    for arguments in (["send", *FAST, "-"], ["get", *FAST, "--out", t.path("pipe")]):
        for number in (signal.SIGINT, signal.SIGTERM):
            waiting = t.start("safe2", [SAFE2, *arguments], t.env(site.sim), stdin=subprocess.PIPE)
            time.sleep(0.7)
            t.equal(waiting.popen.poll(), None, f"status of {arguments[0]}: {waiting.said()}")
            waiting.popen.send_signal(number)
            status = waiting.wait(3)
            waiting.popen.stdin.close()
            t.check(status in (-number, 128 + number), f"status {status}")
            t.equal(site.open_channels(), set(), "open channels")
