# SPDX-License-Identifier: Apache-2.0
"""What a hostile SIM, modem, file or process gets onto a terminal, into an error or into a log: no
byte that a terminal obeys, and no character that turns its neighbours round. Each program has a
terminal of its own here, as a person has it."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unicodedata

from fixture import PIN, SIMKEY, USAGE, VERIFY, test
from hierarchy import rename
from test_doctor import Puppet
from test_safe2 import FAST, SAFE2, Site

EVIL = "\x1b]0;owned\x07\x1b[31m\u009b2J\u202eabc\u2066\x7f"
SHOWN = r"\x1b]0;owned\x07\x1b[31m\xc2\x9b2J\xe2\x80\xaeabc\xe2\x81\xa6\x7f"
OURS = (b"\r\x1b[K", b"\r\n")  # progress gives way; line ends as terminals have them


def harmless(t, seen):
    for ours in OURS:
        seen = seen.replace(ours, b"\n")
    text = re.sub("(?m)^\t+|(?<=\":)\t", "", seen.decode("utf-8"))  # strictly; JSON is indented by tabs
    bad = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"}
    t.check(not bad, f"{bad} in {text!r}")
    return text


def on_terminal(t, command, env, expect=0, seconds=60):
    """Runs it with a controlling terminal as its input, output and errors. Gives what is seen there."""
    print("tty$", *map(ascii, command), flush=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(t.dir)
        os.execve(command[0], command, env)
    seen, end, status = b"", time.monotonic() + seconds, None
    while True:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # its last program has closed it
                break
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            break
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    t.check(time.monotonic() <= end, f"does not end in {seconds} s: {seen!r}")
    text = harmless(t, seen)
    t.check(expect is None or status == expect, f"wanted exit status {expect}, got {status}:\n{text}")
    return text


def evil_card(t):
    """A card whose certificate in container 0 has a name of every kind."""
    card = t.path(f"card-{t.number()}")
    shutil.copytree(os.path.join(os.environ["E2E_SHARED"], "cards", "p256"), card)
    for name in ("signing-0.pem", "available.pem"):
        path = os.path.join(card, name)
        with open(path, encoding="ascii") as file:
            pem = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write(rename(pem, (0x0C, EVIL.encode()), (0x1E, EVIL.encode("utf-16-be")), (0x14, b"\x9b31m\r\n"),
                              (0x13, b"a\0b")))
    return card


@test
def a_certificates_name_does_nothing_on_a_terminal(t):
    sim = t.sim(evil_card(t))
    env = t.env(sim)
    wanted = r"CN=a\\00b,CN=\\9B31m\\0D\\0A".replace(r"\\9B", r"\\C2\\9B")
    t.says(on_terminal(t, [SIMKEY, "info", "--verbose"], env), ["container 0 .*" + wanted, "subject: " + wanted])
    told = json.loads(on_terminal(t, [SIMKEY, "info", "--json"], env))
    t.says(told["containers"][0]["subject"], wanted)
    t.says(on_terminal(t, [SIMKEY, "doctor"], env, expect=None), "ok +certificate +container 0: " + wanted)
    ca = os.path.join(sim.card, "ca.pem")
    t.says(on_terminal(t, [SIMKEY, "verify", "signing", "--CAfile", ca], env, expect=VERIFY),
           ["ok +certificate +" + wanted, "failure +chain +bad signature: " + wanted])
    t.says(on_terminal(t, [SIMKEY, "cert", "signing"], env), "BEGIN CERTIFICATE")
    t.says(on_terminal(t, [SIMKEY, "cert", "signing", "--der"], env, expect=USAGE), "DER is not written to a terminal")
    t.simkey(sim, "cert", "signing", "--der", "--out", t.path("der"))
    t.check(t.read("der").startswith(b"\x30\x82"), "DER in a file")


@test
def a_modems_names_do_nothing_on_a_terminal(t):
    modem = Puppet(t, **{"AT+CGMI": EVIL, "AT+CGMM": "\x1b[2J", "AT+CGMR": "\x9b\r\nRING", "AT+CGSN": "35693\x1b80",
                         "AT+CPIN?": "+CPIN: \x1b[31mNO\u009b"})
    env = t.env(SIMKEY_DEVICE=modem.device, SIMKEY_TIMEOUT="5")
    try:
        t.says(on_terminal(t, [SIMKEY, "doctor"], env, expect=None), r"ok +modem +\?]0;owned\?")
        t.says(on_terminal(t, [SIMKEY, "info"], env, expect=None), "simkey: ")
        seen = on_terminal(t, [SIMKEY, "info", "--trace", "at"], env, expect=None)
        t.check("< " + SHOWN in seen, f"the trace: {seen}")
        t.run([SAFE2, "get"], env=env, expect=USAGE, says="--device-id")
        done = t.run([SIMKEY, "doctor", "--json"], env=env, expect=None)
        harmless(t, done.raw)
        t.says(next(line["text"] for line in json.loads(done.out) if line["step"] == "modem"), r"^\?]0;owned")
    finally:
        modem.end()


@test
def names_of_files_and_words_do_nothing_on_a_terminal(t):
    sim = t.sim()
    evil = t.path(EVIL + "\n")
    for command in ([EVIL], ["pin", EVIL], ["info", EVIL], ["info", "--" + EVIL], ["info", "--device", EVIL],
                    ["cert", EVIL], ["cert", "sim:signing;" + EVIL], ["inventory", evil],
                    ["verify", "signing", "--CAfile", evil], ["apdu", EVIL], ["cert", "signing", "--out", evil + "/x"]):
        seen = on_terminal(t, [SIMKEY, *command], t.env(sim), expect=None)
        t.says(seen, "simkey: ")
        t.equal(seen.count("simkey: "), 1, "sentences")
    for command in ([EVIL], ["get", "--" + EVIL], ["send", evil], ["get", "--device", EVIL]):
        t.says(on_terminal(t, [SAFE2, *command], t.env(), expect=None), "safe2: ")
    # the remedy quotes the path; the bundle's is in each reason of the chain
    doctor = on_terminal(t, [SIMKEY, "doctor"], t.env(sim, SIMKEY_PIN_SOURCE=evil), expect=PIN)
    t.check("/dev/stdin '" + t.path(SHOWN) in doctor, f"the remedy: {doctor}")
    shutil.copy(os.path.join(t.sim("rsa2048").card, "ca.pem"), evil)
    seen = on_terminal(t, [SIMKEY, "verify", "signing", "--CAfile", evil], t.env(sim), expect=VERIFY)
    t.check("failure  chain" in seen and SHOWN in seen, f"the reason: {seen}")


@test
def openssls_errors_are_harmless_in_logs(t):
    sim = t.sim()
    for uri in ("sim:signing;" + EVIL, "sim:signing;iccid=" + EVIL, "sim:" + EVIL, "sim:signing?" + EVIL + "=1"):
        done = t.openssl(sim, "pkey", "-in", uri, "-noout", expect="failure")
        said = "\n".join(line for line in done.err.encode("latin1").decode().split("\n") if "simkey" in line
                         or "sim: URI" in line)
        harmless(t, said.encode())
        t.says(said, "sim: URI")


@test
def a_processes_name_does_nothing_in_doctor(t):
    sim = t.sim()
    name = b"\x1b[31m\nok \x9b2J"
    holder = t.start("holder", ["/usr/bin/python3", "-c", f"""
import os, time
os.open({sim.device!r}, os.O_RDWR | os.O_NOCTTY)
open("/proc/self/comm", "wb").write({name!r})
open({t.path("ready")!r}, "w").close()
time.sleep(60)"""], t.env(), preload=False)
    holder.wait_for(lambda: os.path.exists(t.path("ready")), "ready")
    seen = on_terminal(t, [SIMKEY, "doctor"], t.env(sim), expect=None)
    t.check(r"\x1b[31m\x0aok \x9b2J (process " in seen, f"the holder's name: {seen}")
    t.equal(len(re.findall("(?m)^ok +holders|^warning +holders", seen)), 1, "lines of the step")
    harmless(t, t.simkey(sim, "doctor", "--json", expect=None).raw)


@test
def a_configuration_is_raw_in_a_pipe_and_text_on_a_terminal(t):
    site = Site(t)
    config = b"a=1\n\tb=\x1b[31m\x9b\xc3\xbc\0\n"
    site.put(config)
    t.equal(site.get().raw, config, "in a pipe")
    t.equal(on_terminal_raw(t, site), b"a=1\r\n\tb=\\x1b[31m\\x9b\xc3\xbc\\x00\r\n", "on a terminal")


def on_terminal_raw(t, site):
    """Standard output alone on a terminal."""
    master, slave = pty.openpty()
    done = subprocess.Popen([SAFE2, "get", *FAST], env=t.env(site.sim), stdout=slave, stdin=subprocess.DEVNULL)
    t.equal(done.wait(30), 0, "exit status")
    seen = os.read(master, 65536)
    os.close(slave)
    os.close(master)
    return seen


ENCRYPTED = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"


@test
def encrypted_pem_asks_nobody_for_a_passphrase(t):
    sim = t.sim()
    told = json.loads(t.simkey(sim, "info", "--json").out)
    mark = "-----BEGIN CERTIFICATE-----\n"
    told["containers"][0]["pem"] = told["containers"][0]["pem"].replace(mark, mark + ENCRYPTED)
    record = t.write("record.json", json.dumps(told))
    seen = on_terminal(t, [SIMKEY, "inventory", record], t.env(), expect=USAGE, seconds=15)
    t.says(seen, "container=0 is damaged")
    t.silent(seen, "phrase")
    with open(os.path.join(sim.card, "ca.pem"), encoding="ascii") as file:
        bundle = t.write("bundle.pem", file.read().replace(mark, mark + ENCRYPTED))
    seen = on_terminal(t, [SIMKEY, "verify", "signing", "--CAfile", bundle], t.env(sim), expect=USAGE, seconds=15)
    t.says(seen, "bundle.pem is damaged")
    t.silent(seen, "phrase")
