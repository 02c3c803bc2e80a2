# SPDX-License-Identifier: Apache-2.0
"""Beside ModemManager: QMI and MBIM, directly and through the distribution's proxies."""

import json
import os
import signal
import socket
import time

from control import (Squatter, clients, direct, mbim_done, mbim_words, open_channels, own_network,
                     proxied, start_proxy, stranger, wait_listening, why_not)
from fixture import ABSENT, REFUSED, SIMKEY, TIMEOUT, UNREACHABLE, USAGE, test, with_providers
from test_iotsafe import KEY, iotsafe, signed, verified
from test_safe2 import CONFIG, Site
from tls import CLOSING, COLD, handshake

PROTOCOLS = ("qmi", "mbim")


def each(real=False, **how):
    """A test for each protocol. real: with the distribution's proxy."""

    def register(body):
        for protocol in PROTOCOLS:
            name = body.__name__.replace("_", " ").replace("control", protocol)
            left_out = why_not(protocol) if real else None
            test(name=name, left_out=left_out, protocol=protocol, **how)(body)
        return body

    return register


def signs(t, sim, cert, key):
    """One signature of openssl's, verified."""
    data, signature = t.write("data", "hello"), t.path(f"signature-{t.number()}")
    public = t.path(f"public-{t.number()}.pem")
    t.openssl(sim, "dgst", "-sha256", "-sign", key, "-out", signature, data)
    t.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey", "-out", public])
    t.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, data])


def signing(t, key):
    """A program that signs, to be run beside the test."""
    return ["openssl", *with_providers(["dgst", "-sha256", "-sign", key, "-out", t.path("out"),
                                        t.write("data", "x")], ("default", "simkey"))]


@each()
def a_handshake_by_control_needs_what_it_needs_by_at(t, protocol):
    sim = direct(t, protocol)
    cert, key = t.exported(sim)
    handshake(t, sim, cert, key)
    t.equal(sim.words(), COLD + CLOSING, "APDUs of a handshake")
    sim.mark()
    handshake(t, sim)
    sim.mark()
    handshake(t, sim, cert, key, version="-tls1_2")


@each()
def an_rsa_key_signs_by_control(t, protocol):
    sim = direct(t, protocol, "rsa2048")
    cert, key = t.exported(sim)
    handshake(t, sim, cert, key)
    signs(t, sim, cert, key)


@each(real=True)
def a_handshake_goes_through_the_real_control_proxy(t, protocol):
    sim = proxied(t, protocol, "rsa2048")
    cert, key = t.exported(sim)
    handshake(t, sim, cert, key)
    sim.mark()
    handshake(t, sim, version="-tls1_2")


def told(t, sim):
    info = json.loads(t.simkey(sim, "info", "--json").out)
    t.equal(info["imei"], "356938035643809", "IMEI")
    t.equal(info["sim"], "READY", "state of the SIM")
    t.says(info["iccid"], r"^8988\d{15}$")
    t.equal(info["modem"]["model"], "simmodem", "model")


@each()
def info_tells_the_modem_by_control(t, protocol):
    told(t, direct(t, protocol))


@each()
def type_a_is_read_by_control(t, protocol):
    sim = direct(t, protocol)
    t.says(t.simkey(sim, "cert", "available").out, "BEGIN CERTIFICATE")
    t.simkey(sim, "key", "available", "--out", t.path("available.pem"))


@test(left_out=why_not("qmi"))
def qmicli_agrees_with_simmodem_through_the_real_proxy(t):
    sim = proxied(t, "qmi")
    t.says(stranger(t, sim, "qmi", "--get-service-version-info").out, r"uim \(1\.46\)")
    t.says(stranger(t, sim, "qmi", "--dms-get-ids").out, "IMEI: '356938035643809'")
    t.says(stranger(t, sim, "qmi", "--uim-get-card-status").out,
           ["Card state: 'present'", "Application type: +'usim", "Application state: +'ready'"])
    t.says(stranger(t, sim, "qmi", "--uim-get-slot-status").out,
           ["1 physical slots", "Slot status: active", r"ICCID: 8988\d+"])
    t.says(stranger(t, sim, "qmi", "--uim-read-transparent=0x3F00,0x2FE2").out, "98:88:")
    t.says(stranger(t, sim, "qmi", "--nas-get-serving-system").out, "Registration state: 'registered'")
    told(t, sim)


@test(left_out=why_not("mbim"))
def mbimcli_agrees_with_simmodem_through_the_real_proxy(t):
    sim = proxied(t, "mbim")
    group = "channel-group=1936289131"
    t.says(stranger(t, sim, "mbim", "--query-device-caps").out,
           ["Device ID: '356938035643809'", "Hardware info: 'simmodem'"])
    t.says(stranger(t, sim, "mbim", "--query-subscriber-ready-status").out,
           ["initialized", r"SIM ICCID: '8988\d+'"])
    t.says(stranger(t, sim, "mbim", "--ms-query-uicc-atr").out, "3B:9F:96:80")
    t.says(stranger(t, sim, "mbim", "--ms-set-uicc-open-channel=application-id="
                    f"A0000000188000000006624151,selectp2arg=4,{group}").out,
           ["status: 144", "channel: 1"])
    t.says(stranger(t, sim, "mbim", "--ms-set-uicc-apdu=channel=1,secure-message=none,"
                    "classbyte-type=inter-industry,command=0184000008").out,
           ["status: 144", "response: (..:){7}.."])
    t.says(stranger(t, sim, "mbim", f"--ms-set-uicc-close-channel=channel=1,{group}").out,
           "status: 144")
    told(t, sim)


@test(left_out=why_not("mbim"))
def the_iccid_is_read_after_another_program_asked_for_mbimex_3(t):
    sim = proxied(t, "mbim")
    told(t, sim)
    stranger(t, sim, "mbim", "--device-open-ms-mbimex-v3", "--query-device-caps")
    told(t, sim)


@test
def a_modem_is_opened_once_and_closed_by_close(t):
    sim = direct(t, "mbim")
    cert, key = t.exported(sim)
    for _ in range(3):
        signs(t, sim, cert, key)
    t.equal(mbim_words(sim), ["open"], "what was said before close")
    t.simkey(sim, "close")
    t.equal(mbim_words(sim), ["open", "close"], "what was said")
    signs(t, sim, cert, key)


@test
def one_client_id_is_kept_and_given_back_by_close(t):
    sim = direct(t, "qmi")
    cert, key = t.exported(sim)
    for _ in range(3):
        signs(t, sim, cert, key)
    t.equal(len(clients(sim)), 1, "client ids that are kept")
    t.simkey(sim, "close")
    t.equal(clients(sim), set(), "client ids after close")
    t.equal(open_channels(sim), set(), "channels after close")


@test
def client_ids_that_are_gone_are_allocated_anew(t):
    for number in (1, 3, 6):
        sim = direct(t, "qmi", "p256", "--fault", f"clients-gone:{number}")
        sim.mark()
        handshake(t, sim, signatures=None)
        t.check(sim.count("PSO CDS") >= 1, "no signature")
        t.equal(sim.tries(), 3, "tries")


@test
def a_modem_without_client_ids_says_so(t):
    sim = direct(t, "qmi", "p256", "--fault", "client-limit:1")
    t.run([SIMKEY, "info"], sim)  # one is enough: its own names need another service's
    other = direct(t, "qmi", "p256", "--fault", "client-limit:1")
    t.run([SIMKEY, "info"], other, SIMKEY_RUN_DIR=t.path("first"))
    t.run([SIMKEY, "info"], other, SIMKEY_RUN_DIR=t.path("second"), expect=REFUSED,
          says="no QMI client id left.*error 5")


HABITS = {
    "qmi": ("build-class", "need-le", "no-slots", "no-procedure", "long-answer:100", "odd-parts",
            "indications", "together", "partial:3", "get-response", "6cxx", "busy:2", "late:60"),
    "mbim": ("build-class", "swap-class", "no-fetch", "need-le", "no-slots", "indications", "together",
             "partial:3", "select-p2:4", "select-p2:12", "select-p2:0", "busy:2", "late:60"),
}


@each(seconds=400)
def each_habit_of_a_control_firmware_is_lived_with(t, protocol):
    for habit in HABITS[protocol]:
        sim = direct(t, protocol, "rsa2048", "--fault", habit)
        handshake(t, sim, signatures=None)
        told(t, sim)
        sim.stop_cleanly()


@each(seconds=400)
def losses_by_control_are_repaired(t, protocol):
    for fault in ("lose-channel:3", "foreign:3", "foreign-mse:5", "refresh:4", "error-at:1",
                  "modem-reset:4,200", "hang-up:3,300"):
        more = ["--fault", "sync"] if "reset" in fault else []
        sim = direct(t, protocol, "p256", "--fault", fault, *more)
        result = t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "-out",
                           t.path("signature"), t.write("data", "x"), expect=None, SIMKEY_TIMEOUT="20")
        t.equal(sim.tries(), 3, f"tries after {fault}")
        if not fault.startswith("hang-up"):
            t.equal(result.status, 0, f"signing with {fault}: {result}")
        sim.stop_cleanly()


WORDS = {
    "qmi": ("error 82, access denied.*AT port", "no QMI client id for its service UIM",
            "did not answer in time .QMI UIM 00"),
    "mbim": ("status 28, operation not allowed.*AT port", "status 9, no device support",
             "did not answer in time .MBIM"),
}


@each()
def refusals_by_control_are_sentences(t, protocol):
    denied, service, late = WORDS[protocol]
    for fault, status, words in (("open-denied", REFUSED, denied), ("no-service", REFUSED, service),
                                 ("mute-at:1,60000", TIMEOUT, late)):
        sim = direct(t, protocol, "p256", "--fault", fault)
        t.run([SIMKEY, "cert", "signing"], sim, expect=status, says=words, SIMKEY_TIMEOUT="5")
        sim.stop_cleanly()
    sim = direct(t, protocol, "p256", "--no-sim")
    t.run([SIMKEY, "cert", "signing"], sim, expect=UNREACHABLE, says="no SIM")
    sim = direct(t, protocol, "p256", "--no-applet")
    t.run([SIMKEY, "cert", "signing"], sim, expect=ABSENT, says="applet")


@each()
def a_slot_that_is_not_active_by_control_is_an_error_that_names_the_active_one(t, protocol):
    sim = direct(t, protocol, "p256", "--slots", "2", "--slot", "2")
    t.run([SIMKEY, "info"], sim, expect=UNREACHABLE, says="slot 1 .*not active, slot 2 is active")
    t.run([SIMKEY, "info", "--slot", "2"], sim)
    t.run([SIMKEY, "info"], sim, SIMKEY_SLOT="2")
    t.run([SIMKEY, "info", "--slot", "3"], sim, expect=(USAGE, UNREACHABLE), says="slot 3")
    handshake(t, sim, cert="sim:signing?slot=2", key="sim:signing?slot=2")


@each(real=True)
def a_stranger_with_the_name_of_the_control_proxy_is_told_nothing(t, protocol):
    own_network()
    sim = t.sim("p256", "--protocol", protocol)
    squatter = Squatter(t, f"{protocol}-proxy")
    for device in (f"{protocol}:{sim.device}", f"{protocol}:{sim.device},direct"):
        t.run([SIMKEY, "pin", "verify"], sim, env=t.env(sim, SIMKEY_DEVICE=device),
              expect=UNREACHABLE, says=rf"nothing was sent.*process {squatter.pid} .*uid 65534")
    t.equal(squatter.stolen(), b"", "what the stranger was told")
    t.equal(sim.all_apdus(), [], "APDUs")
    squatter.end()


@each(real=True)
def a_program_without_rights_is_told_the_ways_out_of_control(t, protocol):
    sim = proxied(t, protocol)
    os.chmod(t.dir, 0o755)
    run_dir = t.path("nobody")
    os.mkdir(run_dir)
    os.chown(run_dir, 65534, 65534)
    os.chmod(sim.node, 0o600)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    found = t.run([*nobody, SIMKEY, "doctor", "--json"], sim, expect=None, SIMKEY_RUN_DIR=run_dir, preload=False)
    remedy, = (step["remedy"] for step in json.loads(found.out) if step["step"] == "modem")
    t.says(remedy, "the steps permission and holders")
    t.silent(remedy, "baud|/dev/serial")
    t.run([*nobody, SIMKEY, "info"], sim, expect=UNREACHABLE, SIMKEY_RUN_DIR=run_dir,
          preload=False, says=["lets only root in", "agent", "group", ",direct"])
    sim.proxy.stop()
    wait_listening(f"{protocol}-proxy", False)
    t.run([*nobody, SIMKEY, "info"], sim, expect=UNREACHABLE, SIMKEY_RUN_DIR=run_dir,
          preload=False, says=["lets only root in", "agent"])
    os.chmod(sim.node, 0o666)
    t.run([*nobody, SIMKEY, "info"], sim, SIMKEY_RUN_DIR=run_dir, preload=False,
          SIMKEY_DEVICE=sim.device + ",direct")


@each(real=True)
def the_control_node_is_not_opened_beside_others(t, protocol):
    sim = proxied(t, protocol)
    t.run([SIMKEY, "info"], sim, expect=UNREACHABLE, SIMKEY_DEVICE=sim.device + ",direct",
          says=f"{protocol}-proxy runs .process .*leave out")
    sim.proxy.stop()
    wait_listening(f"{protocol}-proxy", False)
    t.run([SIMKEY, "info"], sim, expect=UNREACHABLE, says=f"no {protocol}-proxy runs, although.*ModemManager")
    holder = t.start("cat", ["cat", sim.node], preload=False)
    time.sleep(0.3)
    t.run([SIMKEY, "info"], sim, expect=UNREACHABLE, SIMKEY_DEVICE=sim.device + ",direct",
          says=rf"open in process {holder.popen.pid} \(cat\)")
    holder.stop(signal.SIGKILL)
    t.run([SIMKEY, "info"], sim, SIMKEY_DEVICE=sim.device + ",direct")


@each(real=True, seconds=240)
def the_end_of_the_control_proxy_is_a_repair_or_one_error(t, protocol):
    sim = proxied(t, protocol, "p256", "--sign-ms", "400")
    cert, key = t.exported(sim)
    for _ in range(3):
        sim.mark()
        process = t.start("openssl", signing(t, key), env=t.env(sim, preload=True))
        process.wait_for(lambda: sim.count("PSO CDS") > 0, "signing")
        sim.proxy.stop(signal.SIGKILL)
        began = time.monotonic()
        status = process.wait(20)
        t.check(time.monotonic() - began < 15, "it took long")
        t.check(status > 0 and f"{protocol}-proxy" in process.said(), f"{status}: {process.said()}")
        wait_listening(f"{protocol}-proxy", False)
        sim.proxy = start_proxy(t, protocol)
        signs(t, sim, cert, key)
    sim.mark()
    process = t.start("openssl", signing(t, key), env=t.env(sim, preload=True))
    process.wait_for(lambda: sim.count("PSO CDS") > 0, "signing")
    sim.proxy.stop(signal.SIGKILL)
    start_proxy(t, protocol)  # as ModemManager does
    t.equal(process.wait(20), 0, f"a proxy that is there again at once: {process.said()}")
    t.equal(sim.tries(), 3, "tries")


@each(real=True, seconds=120)
def a_control_proxy_that_ends_as_a_program_comes_is_tried_once_more(t, protocol):
    """It takes the connection and closes it without a word; the next one, which ModemManager starts, serves."""
    sim = proxied(t, protocol)
    cert, key = t.exported(sim)
    sim.proxy.stop(signal.SIGKILL)
    wait_listening(f"{protocol}-proxy", False)
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind(f"\0{protocol}-proxy")
        ending.listen(1)
        ending.settimeout(10)
        process = t.start("openssl", signing(t, key), env=t.env(sim, preload=True))
        connection, _ = ending.accept()
    connection.close()
    sim.proxy = start_proxy(t, protocol)
    t.equal(process.wait(20), 0, f"the signature: {process.said()}")
    signs(t, sim, cert, key)
    t.equal(sim.tries(), 3, "tries")


@test(left_out=why_not("mbim"), seconds=120)
def an_mbim_proxy_that_is_busy_is_asked_again_and_its_end_is_repaired(t):
    """Another client configures the modem; then it ends before it opened it."""
    sim = proxied(t, "mbim")
    cert, key = t.exported(sim)
    sim.proxy.stop(signal.SIGKILL)
    wait_listening("mbim-proxy", False)
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind("\0mbim-proxy")
        ending.listen(1)
        ending.settimeout(10)
        process = t.start("openssl", signing(t, key), env=t.env(sim, preload=True))
        connection, _ = ending.accept()
    connection.settimeout(10)
    for status in (1, 1, 0):
        command = connection.recv(4096)
        t.equal(command[:4] + command[36:40], b"\3\0\0\0\1\0\0\0", "a configuration")
        connection.sendall(mbim_done(command, status))
    t.equal(connection.recv(4096)[:4], b"\1\0\0\0", "OPEN")
    connection.close()
    sim.proxy = start_proxy(t, "mbim")
    t.equal(process.wait(20), 0, f"the signature: {process.said()}")
    signs(t, sim, cert, key)


@each(real=True, seconds=300, alone="eight programs and a stranger share two cores")
def a_stranger_works_beside_eight_programs_by_control(t, protocol):
    sim = proxied(t, protocol)
    cert, key = t.exported(sim)
    loop = t.write("loop.sh", "set -e\nfor i in $(seq 25); do openssl dgst -sha256 -provider-path "
                   f"{os.path.dirname(SIMKEY)} -provider default -provider simkey -sign {key} "
                   f"-out /dev/null {t.write('data', 'x')}; done\n")
    asking = {"qmi": "qmicli -p --device-open-qmi --uim-get-card-status",
              "mbim": "mbimcli -p --query-subscriber-ready-status"}[protocol]
    ask = t.write("ask.sh", f"set -e\ni=0\nwhile [ ! -e stop ]; do {asking} -d {sim.node} >/dev/null\n"
                  "i=$((i+1)); done\necho asked $i\n")
    asker = t.start("stranger", ["sh", ask], preload=False)
    programs = [t.start("program", ["sh", loop], env=t.env(sim, preload=True)) for _ in range(8)]
    for program in programs:
        t.equal(program.wait(240), 0, f"a program: {program.said()}")
    t.write("stop", "")
    t.equal(asker.wait(20), 0, f"the stranger: {asker.said()[-500:]}")
    t.says(asker.said(), r"asked \d+")
    t.equal(sim.count("PSO CDS"), 200, "signatures")
    t.equal(len(clients(sim)), protocol == "qmi", "client ids")


@each(seconds=400, long=True)
def killed_at_any_step_by_control_nothing_is_lost(t, protocol):
    sim = direct(t, protocol)
    cert, key = t.exported(sim)
    signs(t, sim, cert, key)
    for number in range(200):
        process = t.start("killed", signing(t, key), env=t.env(sim, preload=True))
        time.sleep(0.005 + number % 40 * 0.001)
        process.popen.kill()
        process.popen.wait()
        t.running.remove(process)
    signs(t, sim, cert, key)
    t.equal(len(clients(sim)), protocol == "qmi", "client ids")
    t.equal(sim.tries(), 3, "tries")
    t.simkey(sim, "close")
    t.equal(clients(sim), set(), "client ids after close")
    t.equal(open_channels(sim), set(), "channels after close")


@each(real=True)
def doctor_walks_by_control(t, protocol):
    sim = proxied(t, protocol)
    found = steps(t, sim)
    t.says(found["port"]["text"], f"control device that speaks {protocol.upper()}")
    t.says(found["permission"]["text"], rf"{protocol}-proxy runs \(process \d+, uid 0\)")
    t.says(found["channel"]["text"], f"by {protocol.upper()}")
    t.equal(found["signature"]["result"], "ok", "the last step")
    sim.proxy.stop()
    wait_listening(f"{protocol}-proxy", False)
    t.says(steps(t, sim, UNREACHABLE)["permission"]["text"], f"no {protocol}-proxy runs")
    sim.device += ",direct"
    holder = t.start("cat", ["cat", sim.node], preload=False)
    time.sleep(0.3)
    t.says(steps(t, sim, UNREACHABLE)["holders"]["text"], r"cat \(process")
    holder.stop(signal.SIGKILL)
    squatter = Squatter(t, f"{protocol}-proxy")
    t.says(steps(t, sim, UNREACHABLE)["permission"]["text"], "uid 65534, which would see the PIN")
    squatter.end()
    t.equal(squatter.stolen(), b"", "what the stranger was told")
    sim.stop_cleanly()
    denied = direct(t, protocol, "p256", "--fault", "open-denied")
    found = steps(t, denied, REFUSED)
    t.says(found["channel"]["text"], WORDS[protocol][0])
    t.says(found["channel"]["remedy"], "AT port as `device`")


def steps(t, sim, expect=0):
    return {step["step"]: step for step in json.loads(t.simkey(sim, "doctor", "--json",
                                                               expect=expect).out)}


@each()
def safe2_goes_by_control(t, protocol):
    site = Site(t, "--protocol", protocol)
    site.sim.device = f"{protocol}:{site.sim.device},direct"
    site.put(CONFIG)
    t.equal(site.get().raw, CONFIG, "the configuration")
    site.send(t.write("telemetry", "23.5"))
    t.says(site.safe2("status").out, "0007")


@each()
def iot_safe_goes_by_control(t, protocol):
    sim = iotsafe(t, "--protocol", protocol)
    sim.device = f"{protocol}:{sim.device},direct"
    verified(t, sim, *signed(t, sim, KEY))
    _, key = t.exported(sim)
    t.simkey(sim, "close")
    sim.mark()
    for wanted in (5, 3, 3):  # as over AT
        verified(t, sim, *signed(t, sim, key, SIMKEY_SESSION="keep"))
        t.equal(len(sim.apdus()), wanted, "APDUs of a signature")
        sim.mark()
    t.simkey(sim, "close")
    t.equal(open_channels(sim), set(), "channels after close")
