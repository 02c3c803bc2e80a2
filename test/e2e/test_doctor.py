# SPDX-License-Identifier: Apache-2.0
"""simkey doctor: given this modem, this SIM and this setting, it names the step that fails, says what
to do, and spends no try of a PIN that a program would not spend."""

import fcntl
import grp
import json
import os
import pty
import pwd
import re
import select
import shutil
import subprocess
import threading
import time

from fixture import (ABSENT, BUILD, KEYS, MODULE, PIN, REFUSED, SANITIZED, SIMKEY, TIMEOUT, UNREACHABLE,
                     USAGE, VALGRIND, VERIFY, test, with_providers)
from fixture import ROOT as PROJECT
from test_order import conf

STEPS = ["provider", "settings", "run-dir", "ownership", "port", "permission", "holders", "modem", "sim",
         "network", "iccid", "channel", "mias", "typea", "safe2", "pin-source", "pin", "certificate", "key", "signature"]
NOBODY = 65534
ROOT = os.geteuid() == 0
CONF = "/etc/simkey/simkey.conf"
NONE = f"{CONF} names none$" if os.path.exists(CONF) else f"there is no {CONF}$"


def environment(t, sim=None, **more):
    """One in which OpenSSL has the provider."""
    if sim is not None:
        more.setdefault("OPENSSL_CONF", conf(t, sim, ("default", "simkey")))
    return t.env(sim, **more)


def doctor(t, env, expect=0, prefix=(), arguments=()):
    """Its steps by name; each is there once, in the order, with its four words."""
    done = t.run([*prefix, SIMKEY, "doctor", "--json", *arguments], env=env, expect=expect, preload=False)
    found = json.loads(done.out)
    names = [step["step"] for step in found]  # ownership says a line for each problem
    t.equal([name for number, name in enumerate(names) if names[:number][-1:] != [name]], STEPS, "steps")
    for step in found:
        t.equal(set(step), {"step", "result", "text", "remedy"}, "what a step has")
        t.check(step["result"] in ("ok", "warning", "failure", "skipped") and step["text"], f"{step}")
        t.check(step["remedy"] or step["result"] != "failure", f"no remedy: {step}")
        print(f"   {step['result']:8} {step['step']:12} {step['text']}")
    failures = [step for step in found if step["result"] == "failure"]
    t.equal(bool(failures), expect != 0, "whether there is a failure")
    if failures:  # the first one is what the command ends with
        t.check(done.err.startswith(f"simkey: {failures[0]['step']}: "), f"stderr: {done.err}")
    else:
        t.equal(done.err, "", "stderr")
    return {step["step"]: step for step in found}


def results(found, **but):
    """ok for all steps, but for those."""
    wanted = {step: but.get(step.replace("-", "_"), "ok") for step in STEPS}
    return {step: (found[step]["result"], wanted[step]) for step in STEPS
            if found[step]["result"] != wanted[step]}


def judged(t, found, **but):
    t.equal(results(found, **but), {}, "steps with (their result, the wanted one)")


def skipped_after(step):
    """What needs that step, in the words of judged()."""
    return {name.replace("-", "_"): "skipped" for name in STEPS[STEPS.index(step) + 1:]
            if name != "ownership" and (name != "pin-source" or step == "settings")}


def sent_pins(sim):
    return [a for a in sim.apdus() if a.words in ("VERIFY", "CHANGE") and "{" in a.command]


class Puppet(threading.Thread):
    """A modem that answers by a table: the beginning of a command line, and the lines that answer it."""

    def __init__(self, t, **answers):
        super().__init__(daemon=True)
        self.answers = {"AT+CPIN?": "+CPIN: READY", "AT+CGMI": "Puppet", "AT+CGMM": "Mark I",
                        "AT+CGSN": "356938035643809", **answers}
        self.master, self.slave = pty.openpty()
        self.device = t.path("puppet")
        os.symlink(os.ttyname(self.slave), self.device)
        self.ended = False
        self.start()

    def run(self):
        heard = b""
        while not self.ended:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            heard += os.read(self.master, 4096)
            while b"\r" in heard:
                line, _, heard = heard.partition(b"\r")
                os.write(self.master, self.answer(line.decode("latin1")).encode())

    def answer(self, line):
        for start, lines in self.answers.items():
            if line.startswith(start):
                end = "" if "ERROR" in lines else "\r\nOK\r\n"
                return f"\r\n{lines}\r\n{end}"
        return "\r\nERROR\r\n" if "+" in line and "CMEE" not in line else "\r\nOK\r\n"

    def end(self):
        self.ended = True
        self.join()
        os.close(self.master)
        os.close(self.slave)


# All is well

def all_is_well(t, key, switches):
    sim = t.sim(key, *switches)
    found = doctor(t, environment(t, sim))
    judged(t, found)
    t.says(found["provider"]["text"], [re.escape(MODULE), "the order is: default, simkey"])
    t.says(found["settings"]["text"], [re.escape(sim.device) + ", from SIMKEY_DEVICE",
                                       "pin-0000, from SIMKEY_PIN_SOURCE"])
    t.says(found["port"]["text"], os.path.realpath(sim.device))
    t.says(found["holders"]["text"], r"no other program.*at its other end is simmodem \(process "
           + str(sim.popen.pid))
    t.says(found["modem"]["text"], "simkey simmodem, IMEI 356938035643809")
    t.says(found["channel"]["text"], r"AT\+CCHO" if "--no-csim" in switches else r"AT\+CSIM")
    t.says(found["certificate"]["text"], "signing 0.*2046")
    t.says(found["key"]["text"], {"rsa2048": "RSA, 2048", "p256": "EC, 256", "p384": "EC, 384"}[key])
    t.equal([a.sw for a in sim.apdus() if a.words == "PSO CDS" and a.sw[:2] != "6C"], ["9000"], "signatures")
    t.equal((sim.tries(), sim.tries("pin1"), len(sent_pins(sim))), (3, 3, 1), "tries, and PINs sent")


for kind in KEYS:
    test(name=f"all is well with a {kind} card", key=kind, switches=[])(all_is_well)
for name, how in {"without AT+CSIM": ["--no-csim"], "with one channel and one selection":
                  ["--channels", "1", "--single-select"], "with T=0 and short reads":
                  ["--t0", "--max-read", "64"], "that tells the ICCID by its file only":
                  ["--iccid-commands", "+CRSM"]}.items():
    test(name=f"all is well with a SIM {name}", key="p256", switches=how)(all_is_well)


@test
def text_has_the_same_steps_a_line_each_and_their_remedies(t):
    sim = t.sim("p256")
    found = doctor(t, environment(t, sim, SIMKEY_PIN_SOURCE=None))
    done = t.run([SIMKEY, "doctor"], env=environment(t, sim, SIMKEY_PIN_SOURCE=None))
    lines = [line for line in done.out.splitlines() if not line.startswith(" ")]
    t.equal([line.split()[:2] for line in lines],
            [[step["result"], step["step"]] for step in found.values()], "results and steps")
    remedies = [line.strip() for line in done.out.splitlines() if line.startswith(" ")]
    t.equal(remedies, ["-> " + step["remedy"] for step in found.values() if step["remedy"]], "remedies")


@test
def what_cannot_be_printed_is_an_error(t):
    sim = t.sim("p256")
    for how in ("", "--json"):
        t.run(["sh", "-c", f"exec {SIMKEY} doctor {how} >/dev/full"], env=environment(t, sim),
              expect="failure", preload=False)


@test
def usage_errors_are_told_without_steps(t):
    for words in (["doctor", "signing"], ["doctor", "--out", "x"], ["doctor", "--fly"]):
        done = t.simkey(None, *words, env=t.env(), expect=USAGE)
        t.equal(done.out, "", "stdout")


# The provider

@test
def the_provider_is_looked_for_as_programs_do(t):
    sim = t.sim("p256")
    env = t.env(sim)

    def provider(expect=0, **more):
        return doctor(t, dict(env, **more), expect)["provider"]

    found = provider()
    t.equal(found["result"], "warning", "without a configuration")
    t.says(found["remedy"], ["OPENSSL_CONF", "-provider-path"])
    if not os.path.exists("/etc/simkey/openssl.cnf"):
        t.says(found["remedy"], "^sudo install -D -m 644 configs/openssl.cnf /etc/simkey/openssl.cnf; then put ")
    found = provider(OPENSSL_CONF="/nonexistent/openssl.cnf")
    t.equal(found["result"], "warning", "with a configuration that is absent")
    t.says(found["text"], "/nonexistent/openssl.cnf: No such file")
    found = provider(OPENSSL_MODULES=BUILD)
    t.equal(found["result"], "warning", "in the modules directory only")
    t.says(found["text"], [re.escape(MODULE), "only by -provider simkey"])
    found = provider(OPENSSL_CONF=conf(t, sim, ("simkey", "default")))
    t.equal(found["result"], "ok", "with simkey first")
    t.says(found["text"], "default is better put first")
    found = provider(USAGE, OPENSSL_CONF=conf(t, sim, ("simkey",)))
    t.says(found["text"], "neither default nor fips")
    broken = t.write("broken.cnf", t.read("openssl.cnf").decode().replace(MODULE, "/nonexistent/simkey.so"))
    found = provider(USAGE, OPENSSL_CONF=broken)
    t.says(found["text"], ["broken.cnf", "/nonexistent/simkey.so"])


@test(left_out=None if ROOT else "only root can become somebody else")
def a_module_or_openssl_cnf_that_the_user_may_not_read_is_told(t):
    sim = t.sim("p256")
    os.mkdir(t.path("home"), 0o700)
    module = shutil.copy(MODULE, t.path("home"))
    mine = t.write("mine.cnf", "", 0o644)
    conf(t, sim, ("default", "simkey"))
    t.write("mine.cnf", t.read("openssl.cnf").decode().replace(MODULE, module), 0o644)
    found = doctor(t, dict(t.env(sim), OPENSSL_CONF=mine), USAGE, as_nobody())["provider"]
    t.says(found["text"], f"{module}.*Permission denied")
    t.says(found["remedy"], "make install")
    os.chmod(mine, 0o600)
    found = doctor(t, dict(t.env(sim), OPENSSL_CONF=mine), None, as_nobody())["provider"]
    t.says(found["text"], "cannot read OpenSSL's configuration .*Permission denied")
    t.says(found["remedy"], f"sudo chmod a\\+r {re.escape(mine)},")


# The settings

@test
def without_a_device_nothing_more_is_judged(t):
    found = doctor(t, t.env(), USAGE)
    t.says(found["settings"]["text"], "no device is set")
    judged(t, found, provider="warning", settings="failure", **skipped_after("settings"))
    t.says(found["signature"]["text"], "because of the step settings")


@test
def a_bad_setting_is_named_with_its_place(t):
    file = t.write("simkey.conf", "timeout = 5\ncolour = red\n")
    found = doctor(t, t.env(SIMKEY_CONF=file), USAGE)
    t.says(found["settings"]["text"], "simkey.conf, line 2.*colour")
    t.says(found["settings"]["remedy"], "names and values are in provider-simkey")
    found = doctor(t, t.env(SIMKEY_CONF=t.path("absent")), USAGE)
    t.says(found["settings"]["remedy"], "correct SIMKEY_CONF")
    found = doctor(t, t.env(SIMKEY_TRANSPORT="smoke"), USAGE)
    t.says(found["settings"]["text"], "SIMKEY_TRANSPORT.*smoke")


@test(left_out=None if ROOT else "only root has other users")
def settings_that_a_user_may_not_read_are_told_how_to_be_read(t):
    file = t.write("simkey.conf", "device = /dev/ttyS0\n", 0o600)
    found = doctor(t, t.env(SIMKEY_CONF=file), USAGE, as_nobody())
    t.says(found["settings"]["text"], "cannot read the settings in .*Permission denied")
    t.says(found["settings"]["remedy"], f"sudo chmod a\\+r {re.escape(file)},")


@test
def where_device_and_pin_come_from_is_told(t):
    sim = t.sim("p256")
    pin = t.pin_file()
    file = t.write("simkey.conf", f"device = {sim.device}\npin-source = {pin}\n")
    told = doctor(t, t.env(SIMKEY_CONF=file))["settings"]["text"]
    t.equal(told.count(f"from {file}"), 2, f"origins in {told}")
    told = doctor(t, t.env(SIMKEY_CONF=file, SIMKEY_DEVICE=sim.device))["settings"]["text"]
    t.says(told, [f", from SIMKEY_DEVICE; PIN {re.escape(pin)}, from {re.escape(file)}"])
    by_conf = conf(t, sim, ("default", "simkey"))
    told = doctor(t, t.env(SIMKEY_CONF=file, OPENSSL_CONF=by_conf))["settings"]["text"]
    t.equal(told.count("from simkey's section in " + by_conf), 2, f"origins in {told}")
    told = doctor(t, t.env(SIMKEY_CONF=file, SIMKEY_PIN="0000"),
                  arguments=["--device", sim.device])["settings"]["text"]
    t.says(told, ["from --device", "PIN from SIMKEY_PIN$"])
    t.silent(told, "0000")


def pin_source(t, text, says, cure, path="etc/source"):
    """Its remedy, pasted, makes it right."""
    sim = t.sim("p256")
    source = t.write("source", text, 0o600) if text is not None else t.path(path)
    env = environment(t, sim, SIMKEY_PIN_SOURCE="file:" + source)
    found = doctor(t, env, PIN)
    judged(t, found, pin_source="failure", signature="skipped")
    t.says(found["pin-source"]["text"], says)
    t.says(found["pin-source"]["remedy"], cure.replace("FILE", source))
    t.says(found["signature"]["text"], "because of the step pin-source")
    t.equal((sim.tries(), sent_pins(sim)), (3, []), "tries, and PINs sent")
    pasted(t, found["pin-source"]["remedy"])
    judged(t, doctor(t, env))


def pasted(t, remedy):
    """Runs the commands of a remedy."""
    t.write("sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
    t.write("usermod", "#!/bin/sh\n", 0o755)
    commands = re.sub(r"^.*: (?=echo)|, or correct.*|; then log in again.*", "", remedy).replace("<PIN>", "0000")
    if not ROOT or not [group for group in grp.getgrall() if group.gr_name == "dialout"]:
        commands = commands.replace("-g dialout", "")
    t.run(["sh", "-euc", commands], env=t.env(PATH=f"{t.dir}:/usr/sbin:/usr/bin:/sbin:/bin"), preload=False)


for name, how in {"without a PIN": {"text": "secret\n", "says": "is not a PIN", "cure": "sudo tee FILE"},
                  "with a blank before the PIN": {"text": " 0000\n", "says": "is not a PIN", "cure": "no blank"},
                  "absent": {"text": None, "says": "/source: No such file",
                             "cure": "install -D -m 640 -g dialout /dev/stdin FILE"},
                  "absent, with a name that a shell would read": {"text": None, "says": "/a user's pin: No such file",
                                                                  "cure": "/dev/stdin '/", "path": "etc/a user's pin"}
                  }.items():
    test(name=f"a PIN file that is {name} fails before anything is sent, and the remedy mends it", **how)(pin_source)


def pin_owners(t, mode, group, groups, cure):
    """As a service's user: what the file's owner, group and mode want, and nothing else."""
    sim = t.sim("p256")
    source = t.write("source", "0000\n", mode)
    ids = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    os.chown(source, 0, ids[group])
    os.chmod(source, mode)
    os.chmod(os.path.realpath(sim.device), 0o666)
    env = dict(t.env(), SIMKEY_DEVICE=sim.device, SIMKEY_PIN_SOURCE=source, SIMKEY_RUN_DIR=None)
    env = {name: value for name, value in env.items() if value is not None}
    as_user = lambda *more: ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                             f"--groups={','.join(str(ids[name]) for name in (*groups, *more))}"] if groups or more else as_nobody()
    done = t.run([*as_user(), SIMKEY, "doctor", "--json"], env=env, expect=PIN, preload=False)
    found = {step["step"]: step for step in json.loads(done.out)}["pin-source"]
    t.equal(found["result"], "failure", "the step")
    t.says(found["text"], f"it is {mode:o} root:{group}, and this user is nobody")
    wanted = cure.replace("FILE", source)
    t.equal(found["remedy"], wanted, "the remedy")
    pasted(t, found["remedy"])
    done = t.run([*as_user("dialout"), SIMKEY, "doctor", "--json"], env=env, expect=None, preload=False)
    t.equal({step["step"]: step["result"] for step in json.loads(done.out)}["pin-source"], "ok", "afterwards")


IN = "sudo usermod -aG dialout nobody; then log in again, or restart the service"
NO_GROUP = None if ROOT and [group for group in grp.getgrall() if group.gr_name == "dialout"] else "only root can, with dialout"
for name, how in {"of a group that the user is not in": {"mode": 0o640, "group": "dialout", "groups": [], "cure": IN},
                  "that only its owner may read": {"mode": 0o600, "group": "dialout", "groups": ["dialout"],
                                                   "cure": "sudo chmod 640 FILE; " + IN},
                  "of root's group": {"mode": 0o640, "group": "root", "groups": ["dialout"],
                                      "cure": "sudo chgrp dialout FILE; sudo chmod 640 FILE; " + IN},
                  "open to all users": {"mode": 0o644, "group": "dialout", "groups": ["dialout"],
                                        "cure": "sudo chmod 640 FILE; " + IN}}.items():
    test(name=f"a PIN file {name} gets the remedy that fits", left_out=NO_GROUP, **how)(pin_owners)


@test
def the_user_and_the_settings_file_are_told(t):
    found = doctor(t, t.env(), USAGE)["settings"]
    t.says(found["text"], f"no device is set for {pwd.getpwuid(os.geteuid()).pw_name}; /dev/null names none$")
    t.says(found["remedy"], "^simkey devices shows the ports; write a line `device = ` .* into /dev/null$")
    sim = t.sim("p256")
    t.says(doctor(t, environment(t, sim))["settings"]["text"], f"^user {pwd.getpwuid(os.geteuid()).pw_name}; device ")


def with_etc_simkey(t, openssl_cnf):
    """What doctor says to a user without variables, on a machine with this openssl.cnf."""
    etc = t.path("etc-" + str(t.number()))
    os.makedirs(etc + "/simkey", 0o755)
    os.makedirs(etc + "/ssl")
    open(etc + "/ssl/openssl.cnf", "wb").close()
    t.run(["cp", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", etc])
    shutil.copy(openssl_cnf, etc + "/simkey/openssl.cnf")
    done = t.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh", etc, SIMKEY,
                  "doctor", "--json"], env=t.env(SIMKEY_CONF=None), expect=USAGE, preload=False)
    return {step["step"]: step for step in json.loads(done.out)}


@test(left_out=None if ROOT else "only root makes such namespaces")
def a_device_that_only_the_services_openssl_cnf_names_is_told(t):
    steps = with_etc_simkey(t, conf(t, t.sim("p256"), ("default", "simkey")))
    t.says(steps["provider"]["remedy"], "^put OPENSSL_CONF=/etc/simkey/openssl.cnf into the environment of programs")
    found = steps["settings"]
    t.says(found["text"], "no device is set for root, and OPENSSL_CONF is not set; " + NONE)
    t.says(found["remedy"], ["sudo -u www-data OPENSSL_CONF=/etc/simkey/openssl.cnf simkey doctor",
                             "move its lines .* into /etc/simkey/simkey.conf$"])
    found = with_etc_simkey(t, os.path.join(PROJECT, "configs/openssl.cnf"))["settings"]  # which holds none
    t.says(found["text"], "no device is set for root; " + NONE)
    t.says(found["remedy"], "write a line `device = ` with the modem's one into /etc/simkey/simkey.conf$")
    t.silent(found["remedy"], "OPENSSL_CONF")


@test
def a_module_that_is_not_installed_is_told_from_a_line_that_is_wrong(t):
    sim = t.sim("p256")
    text = t.read(os.path.basename(conf(t, sim, ("default", "simkey")))).decode()
    installed = t.write("installed.cnf", re.sub(r"(?m)^module = .*\n", "", text))
    os.mkdir(t.path("modules"))
    found = doctor(t, t.env(sim, OPENSSL_CONF=installed, OPENSSL_MODULES=t.path("modules")), USAGE)["provider"]
    t.says(found["text"], f"there is no {t.path('modules')}/simkey.so")
    t.says(found["remedy"], "install the module")
    shutil.copy(MODULE, t.path("modules/simkey.so"))
    t.equal(doctor(t, t.env(sim, OPENSSL_CONF=installed, OPENSSL_MODULES=t.path("modules")))["provider"]["result"], "ok",
            "where it is installed")


@test
def without_a_pin_all_but_the_signature_is_judged(t):
    sim = t.sim("p256")
    found = doctor(t, environment(t, sim, OPENSSL_CONF=None, SIMKEY_PIN_SOURCE=None))
    judged(t, found, provider="warning", pin_source="warning", signature="skipped")
    t.says(found["signature"]["text"], "no PIN is configured: nothing was signed")
    t.equal((sim.tries(), sent_pins(sim), sim.count("PSO CDS")), (3, [], 0), "tries, PINs, signatures")


# The port

@test
def no_such_device(t):
    found = doctor(t, dict(t.env(), SIMKEY_DEVICE="/dev/no-such-modem", SIMKEY_PIN="0000"), UNREACHABLE)
    judged(t, found, provider="warning", pin_source="warning", port="failure", **skipped_after("port"))
    t.says(found["port"]["text"], "/dev/no-such-modem: No such file")
    t.says(found["port"]["remedy"], "plug the modem in")
    t.equal({found[step]["text"] for step in STEPS[STEPS.index("port") + 1:] if step != "pin-source"},
            {"not judged, because of the step port"},
            "what the others say, of which none names the agent's step")


@test
def a_device_that_is_not_a_path_is_told_apart_from_a_modem_that_is_away(t):
    for device, cure in (("/dev/ttyS0 # the modem", "comment in the settings is a line of its own"),
                         ("ttyUSB77", "such as /dev/ttyUSB77")):
        found = doctor(t, t.env(SIMKEY_CONF=t.write("simkey.conf", f"device = {device}\n")), UNREACHABLE)
        t.says(found["port"]["remedy"], cure)


@test
def what_is_no_serial_port(t):
    for device in (t.write("file", "text"), "/dev/null", t.dir):
        found = doctor(t, t.env(SIMKEY_DEVICE=device), UNREACHABLE)
        t.equal(found["port"]["result"], "failure", device)
        t.says(found["port"]["text"], "is not a serial port")
        t.says(found["port"]["remedy"], "/dev/serial/by-id/")


def as_nobody():
    """Runs a command as somebody who owns nothing."""
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if ROOT else []


@test
def no_permission_names_the_group(t):
    sim = t.sim("p256")
    port = os.path.realpath(sim.device)
    groups = [group for group in grp.getgrall() if group.gr_name == "dialout"] if ROOT else []
    for mode, remedy in ((0o600, 'GROUP="dialout", MODE="0660"'), (0o660, "usermod -aG dialout .*log in again")):
        if mode == 0o660 and not groups:
            continue
        if groups:
            os.chown(port, 0, groups[0].gr_gid)
        os.chmod(port, mode if ROOT else 0)
        env = dict(t.env(), SIMKEY_DEVICE=sim.device)
        found = doctor(t, env, UNREACHABLE, as_nobody())
        judged(t, found, provider="warning", pin_source="warning", permission="failure",
               **dict(skipped_after("permission"), holders=found["holders"]["result"],
                      run_dir=found["run-dir"]["result"]))
        t.says(found["permission"]["text"], ["may not open " + port,
                                             f"belongs to {pwd.getpwuid(os.geteuid()).pw_name} and the group"])
        t.says(found["permission"]["remedy"], remedy)
    t.equal(sim.words(), [], "APDUs")


# Who else has it

SLEEPER = "#!/usr/bin/python3\nimport time\ntime.sleep(100)\n"


def holding(t, sim, name):
    """A program of that name that has the port open."""
    port = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
    process = t.start(name, [t.write(name, SLEEPER, 0o755)], stdin=port, preload=False)
    os.close(port)
    process.wait_for(lambda: open(f"/proc/{process.popen.pid}/comm", encoding="ascii").read().strip() == name,
                     "known by its name")
    return process


# Another container's pseudo-terminals, made until one has this number; it says "there" and stays.
CONTAINER = """
import ctypes, fcntl, os, struct, subprocess, sys, time
ctypes.CDLL(None).unshare(0x00020000)  # CLONE_NEWNS
for arguments in (["--make-rprivate", "/"], ["-t", "devpts", "-o", "newinstance", "devpts", "/dev/pts"]):
    subprocess.run(["mount", *arguments], check=True)
made = []
while not made or os.ttyname(made[-1][1]) != sys.argv[1]:
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, 0x40045431, struct.pack("i", 0))
    made.append((master, os.open(f"/dev/pts/{len(made)}", os.O_RDWR | os.O_NOCTTY)))
print("there", flush=True)
time.sleep(100)
"""


@test(left_out=None if ROOT else "only root may mount")
def a_pseudo_terminal_of_that_number_in_a_container_is_another_one(t):
    sim = t.sim("p256")
    container = t.start("container", ["/usr/bin/python3", "-c", CONTAINER, os.path.realpath(sim.device)],
                        preload=False)
    container.wait_for(lambda: "there" in container.said(), "there")
    found = doctor(t, environment(t, sim))
    judged(t, found)
    t.says(found["holders"]["text"], rf"no other program.*other end is simmodem \(process {sim.popen.pid}")


@test
def modem_manager_is_named_with_the_rule_that_keeps_it_off(t):
    sim = t.sim("p256")
    manager = holding(t, sim, "ModemManager")
    found = doctor(t, environment(t, sim), UNREACHABLE)
    judged(t, found, holders="failure")
    t.says(found["holders"]["text"], rf"ModemManager \(process {manager.popen.pid}\)")
    t.says(found["holders"]["remedy"], ["ID_MM_PORT_IGNORE", r"configs/78-simkey\.rules", "udevadm info",
                                        "USB_INTERFACE_NUM", "systemctl stop ModemManager"])
    manager.stop()
    judged(t, doctor(t, environment(t, sim)))


@test
def every_other_program_that_has_it_open_is_named(t):
    sim = t.sim("p256")
    holders = [holding(t, sim, name) for name in ("minicom", "gpsd")]
    found = doctor(t, environment(t, sim))
    judged(t, found, holders="warning")
    for holder in holders:
        t.says(found["holders"]["text"], rf"{holder.name} \(process {holder.popen.pid}\)")


@test
def a_program_that_waits_its_turn_is_no_rival_but_named_where_it_lasts(t):
    sim = t.sim("p256")
    port = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(port, fcntl.LOCK_EX)
    found = doctor(t, environment(t, sim, SIMKEY_TIMEOUT="1"), UNREACHABLE)
    judged(t, found, modem="failure", **skipped_after("modem"))
    t.says(found["holders"]["text"], rf"process {os.getpid()}\) has it open too, and takes turns")
    t.says(found["modem"]["text"], f"in use by process {os.getpid()} ")
    os.close(port)


@test
def programs_that_sign_at_the_same_time_are_no_rivals(t):
    sim = t.sim("p256", "--sign-ms", "1500")
    signers = [t.start("openssl", ["openssl", *with_providers(
        ["dgst", "-sha256", "-sign", "sim:signing", "-out", t.path(f"sig-{n}"), "/dev/null"],
        ("default", "simkey"))], t.env(sim, True)) for n in range(2)]
    signers[0].wait_for(lambda: sim.count("PSO HASH") >= 1, "signing")
    found = doctor(t, environment(t, sim))
    judged(t, found)
    t.says(found["holders"]["text"], "openssl .process.*takes turns")
    for signer in signers:
        t.equal(signer.wait(), 0, "exit status of openssl")


@test(left_out=None if ROOT else "it needs root to become two users")
def what_only_root_can_see_is_said(t):
    sim = t.sim("p256")
    os.chmod(os.path.realpath(sim.device), 0o666)
    env = dict(environment(t), SIMKEY_DEVICE=sim.device, SIMKEY_RUN_DIR="")
    found = doctor(t, env, prefix=as_nobody())
    t.equal(found["modem"]["result"], "ok", "modem")
    t.says(found["holders"]["text"], r"\d+ processes of other users show their files only to root")
    manager = holding(t, sim, "ModemManager")
    found = doctor(t, env, prefix=as_nobody())
    t.equal(found["holders"]["result"], "warning", "holders")
    t.says(found["holders"]["text"], ["ModemManager runs .process", "shown only to root"])
    t.says(found["holders"]["remedy"], "ID_MM_PORT_IGNORE")
    manager.stop()


# The modem and its SIM

@test
def a_mute_modem(t):
    sim = t.sim("p256", "--fault", "mute:600000")
    began = time.monotonic()
    found = doctor(t, environment(t, sim, SIMKEY_TIMEOUT="4"), (UNREACHABLE, TIMEOUT))
    t.check(time.monotonic() - began < 10, "the deadline was not kept")
    judged(t, found, modem="failure", **skipped_after("modem"))
    t.says(found["modem"]["text"], "nothing answers AT")
    t.says(found["modem"]["remedy"], ["holders", "baud"])


@test
def a_modem_that_vanishes(t):
    sim = t.sim("p256", "--sign-ms", "5000")
    process = t.start("doctor", [SIMKEY, "doctor", "--json"], environment(t, sim), preload=False)
    process.wait_for(lambda: sim.count("PSO HASH") == 1, "signing")
    sim.unplug()
    t.equal(process.wait(10), UNREACHABLE, "exit status")
    t.says(process.said(), '"signature",\\s*"result":\\s*"failure"')


@test
def no_sim_in_the_modem(t):
    sim = t.sim("p256", "--no-sim")
    found = doctor(t, environment(t, sim), UNREACHABLE)
    judged(t, found, sim="failure", **skipped_after("sim"))
    t.says(found["sim"]["text"], "no SIM")


def locked(t, state, cme, says):
    puppet = Puppet(t, **{"AT+CPIN?": f"+CPIN: {state}", "AT+CRSM": f"+CME ERROR: {cme}"})
    found = doctor(t, dict(t.env(), SIMKEY_DEVICE=puppet.device, SIMKEY_PIN="0000"), PIN)
    puppet.end()
    judged(t, found, provider="warning", pin_source="warning", sim="failure", **skipped_after("sim"))
    t.says(found["modem"]["text"], "Puppet Mark I")
    t.says(found["sim"]["text"], says)


test(name="a SIM that waits for PIN1", state="SIM PIN", cme=11, says="waits for its own PIN1")(locked)
test(name="a SIM that waits for its PUK", state="SIM PUK", cme=12, says="PIN1 is blocked")(locked)


@test
def a_modem_without_a_network_and_without_a_way_to_the_sim(t):
    puppet = Puppet(t, **{"AT+CEREG?": "+CEREG: 0,2", "AT+CREG?": "+CREG: 0,3",
                          "AT+CCID": "+CCID: 89880330000000000017"})
    found = doctor(t, dict(t.env(), SIMKEY_DEVICE=puppet.device), REFUSED)
    puppet.end()
    judged(t, found, provider="warning", pin_source="warning", network="warning", channel="failure",
           **skipped_after("channel"))
    t.equal(found["iccid"]["text"], "89880330000000000017", "ICCID")
    t.says(found["channel"]["text"], r"neither AT\+CSIM nor AT\+CCHO")
    t.says(found["network"]["text"], "not registered with a network")


@test
def a_modem_that_tells_nothing_of_itself(t):
    puppet = Puppet(t, **{name: "ERROR" for name in ("AT+CGMI", "AT+CGMM", "AT+CGSN", "AT+CPIN?")})
    found = doctor(t, dict(t.env(), SIMKEY_DEVICE=puppet.device), REFUSED)
    puppet.end()
    judged(t, found, provider="warning", pin_source="warning", modem="warning", sim="warning",
           network="warning", iccid="warning", channel="failure", **skipped_after("channel"))


# The applets

def no_applet(t, switches, carrier):
    sim = t.sim("p256", "--no-applet", *switches)
    found = doctor(t, environment(t, sim), ABSENT)
    judged(t, found, mias="failure", typea="warning", pin="skipped", certificate="skipped", key="skipped", signature="skipped")
    t.says(found["channel"]["text"], carrier)
    t.says(found["typea"]["text"], "older files")


test(name="no mIAS in the SIM", switches=[], carrier=r"AT\+CSIM")(no_applet)
test(name="no mIAS in the SIM, by AT+CCHO", switches=["--no-csim"], carrier=r"AT\+CCHO")(no_applet)


@test
def neither_type_a_nor_safe2_is_no_failure(t):
    sim = t.sim("p256", "--no-objects", "--no-files", "--no-safe2")
    found = doctor(t, environment(t, sim))
    judged(t, found, typea="warning", safe2="warning")


# What a modem may say of AT+CSIM and of AT+CCHO where the SIM does not have the applet.
REFUSALS = {"by ERROR": ("--no-csim", "ccho-missing"), "by a number": ("--no-csim", "ccho-missing:50"),
            "and MANAGE CHANNEL fails": ("no-manage-channel:0", "ccho-missing"),
            "and keeps MANAGE CHANNEL": ("no-manage-channel", "ccho-missing:100"),
            "and passes nothing on": ("no-csim-channels", "ccho-missing"),
            "and is set": ("ccho", "ccho-missing")}


def ccho_refuses_a_missing_safe2(t, refusals):
    how, refusal = refusals
    switches = [how] if how[0] == "-" else [] if how == "ccho" else ["--fault", how]
    sim = t.sim("p256", "--no-safe2", "--fault", refusal, *switches)
    found = doctor(t, environment(t, sim, SIMKEY_TRANSPORT="ccho" if how == "ccho" else "auto", SIMKEY_TIMEOUT="8"))
    judged(t, found, safe2="warning")
    t.says(found["safe2"]["text"], "does not have it")


for words, pair in REFUSALS.items():
    test(name=f"no SAFE2 in a SIM where AT+CCHO refuses it {words} is no failure",
         refusals=pair)(ccho_refuses_a_missing_safe2)


@test
def no_mias_where_ccho_refuses_it_and_csim_passes_nothing_on(t):
    """Type A's objects are mIAS's: where that is missing they are too, whatever the modem says of it."""
    sim = t.sim(t.new_card("--applet", "iotsafe", "--key", "p256"), "--fault", "ccho-missing", "--fault", "empty-csim")
    found = doctor(t, environment(t, sim, SIMKEY_TIMEOUT="8"))
    judged(t, found, typea="warning")


@test
def no_channel_is_free(t):
    sim = t.sim("p256", "--channels", "0")
    found = doctor(t, environment(t, sim), REFUSED)
    judged(t, found, channel="failure", **skipped_after("channel"))
    t.says(found["channel"]["text"], "no free logical channel")


@test
def type_a_behind_the_signing_pin_is_no_failure(t):
    sim = t.sim("p256", "--cert-pin")
    found = doctor(t, environment(t, sim))
    judged(t, found)
    t.says(found["typea"]["text"], "behind the signing PIN")
    t.equal(sim.tries(), 3, "tries")


@test
def type_a_behind_pin1_is_told_and_pin1_is_never_sent(t):
    sim = t.sim("p256", "--no-objects")
    for more, result in (({}, "warning"), ({"SIMKEY_SIM_PIN_SOURCE": t.pin_file("7777")}, "ok")):
        found = doctor(t, environment(t, sim, **more))
        judged(t, found, typea=result)
        t.says(found["typea"]["text"], "behind PIN1")
    t.equal({a.command[6:8] for a in sent_pins(sim)}, {"81"}, "places that got a PIN")
    t.equal((sim.tries(), sim.tries("pin1")), (3, 3), "tries")


# PIN, certificate, key, signature

def with_tries(t, left):
    """A card whose PIN was tried wrongly."""
    sim = t.sim("p256")
    for _ in range(3 - left):
        t.simkey(sim, "pin", "verify", "--spend-last-try", "--pin-source", t.pin_file("9999"), expect=PIN)
    sim.mark()
    t.equal(sim.tries(), left, "tries")
    return sim


def few_tries(t, left, says):
    sim = with_tries(t, left)
    for _ in range(3):
        found = doctor(t, environment(t, sim), PIN)
        judged(t, found, pin="failure", signature="skipped")
        t.says(found["pin"]["text"], says)
    t.says(found["pin"]["remedy"], "pin verify" if left > 0 else "replace")
    t.equal((sim.tries(), sent_pins(sim), sim.count("PSO CDS")), (left, [], 0), "tries, PINs, signatures")


for tries, words in ((2, "2 tries are left"), (1, "1 try is left"), (0, "permanently blocked")):
    test(name=f"with {tries} tries left no PIN is sent", left=tries, says=words)(few_tries)


@test
def a_wrong_pin_costs_one_try_once(t):
    sim = t.sim("p256")
    env = environment(t, sim, SIMKEY_PIN_SOURCE=t.pin_file("9999"))
    found = doctor(t, env, PIN)
    judged(t, found, signature="failure")
    t.says(found["signature"]["text"], "PIN is wrong, 2 tries are left")
    for _ in range(3):
        judged(t, doctor(t, env, PIN), pin="failure", signature="skipped")
    t.equal((sim.tries(), len(sent_pins(sim))), (2, 1), "tries, and PINs sent")


def reissued(t, begin, end):
    """A card whose CA issued the certificate anew with these dates."""
    card = t.new_card("--key", "p256")

    def inside(name):
        return os.path.join(card, name)

    t.write("index", "")
    t.write("ca.cnf", f"""[ca]
default_ca = here
[here]
database = {t.path("index")}
new_certs_dir = {t.dir}
certificate = {inside("ca.pem")}
private_key = {inside("private/ca.key")}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
""")
    csr = t.path("new.csr")
    t.run(["openssl", "req", "-new", "-key", inside("private/signing-0.key"), "-subj", "/CN=dated", "-out", csr])
    t.run(["openssl", "ca", "-batch", "-notext", "-config", t.path("ca.cnf"), "-in", csr, "-startdate", begin,
           "-enddate", end, "-out", inside("signing-0.pem")])
    return card


def dates(t, begin, end, expect, result, says):
    def date(days):
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))

    sim = t.sim(reissued(t, date(begin), date(end)))
    found = doctor(t, environment(t, sim), expect)
    judged(t, found, certificate=result)
    t.says(found["certificate"]["text"], ["dated", says])


for name, how in {
        "expired": {"begin": -100, "end": -1, "expect": VERIFY, "result": "failure", "says": "expired on"},
        "not valid yet": {"begin": 2, "end": 100, "expect": VERIFY, "result": "failure", "says": "not valid before"},
        "about to expire": {"begin": -9, "end": 9, "expect": 0, "result": "warning", "says": "expires on"}}.items():
    test(name=f"a certificate that is {name}", **how)(dates)


if not SANITIZED:
    @test
    def a_clock_that_was_never_set(t):
        source = t.write("time.c", "#include <time.h>\ntime_t time(time_t *at)\n"
                                   "{\n    if (at)\n        *at = 86400;\n    return 86400;\n}\n")
        t.run(["cc", "-shared", "-fPIC", "-o", t.path("time.so"), source])
        sim = t.sim("p256")
        found = doctor(t, environment(t, sim, LD_PRELOAD=t.path("time.so")))
        judged(t, found, certificate="warning")
        t.says(found["certificate"]["text"], "clock was never set")


@test
def a_key_without_pss_is_told_with_the_way_out(t):
    sim = t.sim("rsa2048", "--no-pss")
    found = doctor(t, environment(t, sim))
    judged(t, found, key="warning")
    t.says(found["key"]["text"], "no PSS")


@test
def a_signature_that_does_not_verify(t):
    sim = t.sim("p256", "--wrong-signature", "always")
    found = doctor(t, environment(t, sim), VERIFY)
    judged(t, found, signature="failure")
    t.signatures(sim, 2)
    sim = t.sim("rsa2048", "--wrong-signature", "1")
    judged(t, doctor(t, environment(t, sim)))
    t.signatures(sim, 2)


@test
def it_leaves_no_channel_open(t):
    sim = t.sim("p256")
    doctor(t, environment(t, sim))
    words = sim.words()
    t.equal(words.count("MANAGE CHANNEL OPEN"), words.count("MANAGE CHANNEL CLOSE"), "channels opened, closed")


@test
def a_card_reader_has_no_port_to_look_at(t):
    found = doctor(t, t.env(SIMKEY_DEVICE="pcsc:no such reader", SIMKEY_TIMEOUT="5"), (UNREACHABLE, USAGE, REFUSED))
    judged(t, found, provider="warning", pin_source="warning", permission="skipped", holders="skipped",
           modem="failure", **skipped_after("modem"))


@test(left_out=VALGRIND, seconds=300, long=True)
def valgrind_finds_nothing(t):
    sim = t.sim("rsa2048")
    check = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect",
             "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"]
    for env, expect in ((environment(t, sim), 0), (t.env(), USAGE),
                        (environment(t, t.sim("p256", "--no-sim")), UNREACHABLE)):
        doctor(t, dict(env, SIMKEY_TIMEOUT="60") if "SIMKEY_DEVICE" in env else env, expect, check)


if not SANITIZED:
    @test
    def progress_gives_way_to_the_steps_on_a_terminal(t):
        sim = t.sim("p256", "--sign-ms", "2500")
        master, slave = pty.openpty()
        done = subprocess.Popen([SIMKEY, "doctor"], env=environment(t, sim), stdout=slave, stderr=slave,
                                stdin=subprocess.DEVNULL)
        os.close(slave)
        seen = b""
        while done.poll() is None or select.select([master], [], [], 0)[0]:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 4096)
                except OSError:
                    break
        os.close(master)
        t.equal(done.wait(), 0, "exit status")
        t.says(seen.decode(), "[.][.]\r\x1b\\[Kok +signature")


# Who else can change what programs are configured by

def ownership(t, env, prefix=(), program=SIMKEY):
    """The warnings of that step: (text, remedy)."""
    done = t.run([*prefix, program, "doctor", "--json"], env=env, expect=None, preload=False)
    lines = [step for step in json.loads(done.out) if step["step"] == "ownership"]
    t.check(lines and (len(lines) == 1 or all(line["result"] == "warning" for line in lines)), f"{lines}")
    return [(line["text"], line["remedy"]) for line in lines if line["result"] == "warning"]


def own_folder(t, *names):
    """A folder below the test's, which only this user can change, and a configuration in it."""
    folder = t.path(os.path.join(*names))
    os.makedirs(folder, mode=0o755)
    path = os.path.join(folder, "openssl.cnf")
    with open(path, "w", encoding="ascii") as file:
        file.write("# nothing\n")
    os.chmod(path, 0o644)
    return folder, path


def mended(t, env, problems):
    """Each remedy can be pasted into a shell, and then the line is gone."""
    for _, remedy in problems:
        t.run(["sh", "-c", remedy])
    t.equal(ownership(t, env), [], "what is left after the remedies")


def changeable(t, what):
    folder, path = own_folder(t, "etc", "a b")
    env = t.env(OPENSSL_CONF=path, SIMKEY_DEVICE="/dev/null")
    t.equal(ownership(t, env), [], "problems before")
    t.equal(ownership(t, dict(env, OPENSSL_CONF="/dev/null")), [], "problems of a file that stays empty")
    above = os.path.dirname(folder)
    whose, mode, words, remedy = {
        "owner of the file": (path, None, "changed by user nobody, its owner", f"chown root:root '{path}'"),
        "owner of a folder above": (above, None, f"through the folder {above} by user nobody",
                                    f"chown root:root {above}"),
        "all users": (path, 0o666, "changed by all users", f"chmod go-w '{path}'"),
        "a group above": (above, 0o775, f"through the folder {above} by group dialout", f"chmod g-w {above}"),
    }[what]
    if mode is None:
        os.chown(whose, NOBODY, -1)
    else:
        os.chown(whose, -1, grp.getgrnam("dialout").gr_gid)
        os.chmod(whose, mode)
    problems = ownership(t, env)
    t.equal([line[1] for line in problems], [remedy], "remedies")
    t.says(problems[0][0], re.escape(words))
    mended(t, env, problems)


GIVES = None if ROOT else "only root can give files away"
for kind in ("owner of the file", "owner of a folder above", "all users", "a group above"):
    test(name=f"a configuration that others can change is told: {kind}", what=kind, light=True,
         left_out=GIVES)(changeable)


@test(left_out=GIVES)
def settings_pin_file_and_module_are_looked_at_too(t):
    _, path = own_folder(t, "conf")
    pins, _ = own_folder(t, "pins")
    modules, _ = own_folder(t, "modules")
    module = os.path.join(modules, "simkey.so")
    shutil.copy(MODULE, module)
    settings = t.write("conf/simkey.conf", "device = /dev/null\n")
    with open(path, "w", encoding="ascii") as file:
        file.write("openssl_conf = a\n[a]\nproviders = b\n[b]\ndefault = c\nsimkey = d\n[c]\nactivate = 1\n"
                   f"[d]\nmodule = {module}\nactivate = 1\n")
    env = t.env(OPENSSL_CONF=path, SIMKEY_CONF=settings, SIMKEY_PIN_SOURCE=t.write("pins/pin", "0000\n"))
    t.equal(ownership(t, env), [], "problems before")
    os.chmod(pins, 0o777)
    os.chown(module, NOBODY, -1)
    problems = ownership(t, env)
    t.equal(len(problems), 2, f"problems: {problems}")
    t.says("\n".join(line[0] for line in problems),
           ["the module, .*simkey.so, can be changed by user nobody",
            f"the PIN file, .* through the folder {pins} by all users"])
    mended(t, env, problems)
    os.chmod(settings, 0o646)  # then nothing is taken from it, nor from elsewhere
    problems = ownership(t, env)
    t.equal(len(problems), 1, f"problems: {problems}")
    t.says(problems[0][0], "the settings file, .*by all users")
    mended(t, env, problems)


TRAP = """#include <stdio.h>
__attribute__((constructor)) static void run(void)
{
    FILE *file = fopen("%s", "w");

    if (file != NULL)
        fclose(file);
}
"""


@test(left_out=GIVES)
def nothing_is_loaded_that_others_can_change(t):
    folder, path = own_folder(t, "conf")
    modules, _ = own_folder(t, "modules")
    module, ran = os.path.join(modules, "simkey.so"), t.path("ran")
    t.run(["gcc", "-shared", "-fPIC", "-o", module, t.write("trap.c", TRAP % ran)])
    named = ("openssl_conf = a\n[a]\nproviders = b\n[b]\ndefault = c\nsimkey = d\n[c]\nactivate = 1\n"
             f"[d]\nmodule = {module}\nactivate = 1\n")
    for text, theirs in ((named, folder), (named, path), (named, module), (named, modules), ("# nothing\n", module),
                         (named.replace("simkey = d", "other = d"), path)):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chown(theirs, NOBODY, -1)
        env = t.env(OPENSSL_CONF=path, SIMKEY_DEVICE="/dev/null", OPENSSL_MODULES=modules)
        done = t.run([SIMKEY, "doctor"], env=env, expect=None, preload=False)
        t.check(not os.path.exists(ran), f"code of another user's was run: {theirs}")
        t.says(done.out, ["warning +provider +nothing is loaded: others", "warning +ownership .* user nobody"])
        os.chown(theirs, 0, -1)
    t.run([SIMKEY, "doctor"], env=env, expect=None, preload=False)
    t.check(os.path.exists(ran), "root's own module was not loaded")


@test(left_out=GIVES)
def a_users_own_files_are_his_matter_but_not_roots(t):
    home, path = own_folder(t, "home")
    program = os.path.join(home, "simkey")
    shutil.copy(SIMKEY, program)
    for name in (home, path):
        os.chown(name, NOBODY, -1)
    above = t.dir
    while above.startswith("/tmp/"):  # he must get there; the first one is the run's
        if above != "/tmp":
            os.chmod(above, 0o755)
        above = os.path.dirname(above)
    env = t.env(OPENSSL_CONF=path, SIMKEY_DEVICE="/dev/null", SIMKEY_PIN_SOURCE=None)
    t.equal(len(ownership(t, env)), 2, "problems for root")
    user = ["setpriv", f"--reuid={NOBODY}", "--regid=65534", "--clear-groups"]
    t.equal(ownership(t, env, user, program), [], "problems for the user himself")


@test(left_out=GIVES)
def in_a_sticky_folder_what_belongs_to_others_is_told(t):
    folder, path = own_folder(t, "shared")
    os.chmod(folder, 0o1777)
    t.equal(ownership(t, t.env(OPENSSL_CONF=path, SIMKEY_DEVICE="/dev/null")), [],
            "problems with root's file in a sticky folder")
    link = os.path.join(folder, "link.cnf")
    os.symlink(path, link)
    os.chown(link, NOBODY, -1, follow_symlinks=False)
    problems = ownership(t, t.env(OPENSSL_CONF=link, SIMKEY_DEVICE="/dev/null"))
    t.equal([line[1] for line in problems], [f"chown -h root:root {link}"], "remedies")


# What is sent to others

def reported(t, env, expect=0):
    t.run([SIMKEY, "doctor", "--report", t.path("report")], env=env, expect=expect, preload=False)
    t.equal(os.stat(t.path("report")).st_mode & 0o777, 0o600, "the report's mode")
    return t.read("report").decode()


@test
def the_report_has_versions_modem_steps_and_apdus_and_nothing_secret(t):
    sim = t.sim("rsa2048")
    pin = t.write("pin", "0000\n", 0o600)
    text = reported(t, environment(t, sim, SIMKEY_PIN_SOURCE=pin))
    lines = text.split("\n")
    t.says(text, [r"(?m)^simkey   \d+\.\d+\.\d+$", r"(?m)^OpenSSL  OpenSSL 3\.|OpenSSL 4\.", "(?m)^kernel   Linux ",
                  "(?m)^model    simmodem$"])
    found = [line.split()[:2] for line in lines[lines.index("steps") + 1:lines.index("APDUs") - 1]]
    t.equal(found, [["ok", step] for step in STEPS], "the steps")
    apdus = lines[lines.index("APDUs") + 1:-1]
    t.equal([line for line in apdus if not re.fullmatch(r"[0-9A-F]{8,10}(\.\.\.)? -> [0-9A-F]{4} \d+ ms", line)], [],
            "lines that are not a header and a status word")
    sent = [a for a in sim.apdus() if a.command[:6] != "00C000"]
    t.check(len(apdus) >= len(sent) - 2, f"{len(apdus)} APDUs of {len(sent)}")
    t.check(any(line.startswith("002A9E9A") and " -> 9000" in line for line in apdus), "the signature's APDU")
    t.equal([line for line in apdus if line[2:4] == "20" and len(line.split(" ")[0]) > 11], [], "the PIN's length")
    with open(os.path.join(sim.card, "card"), encoding="ascii") as card:
        iccid = re.search(r"\d{18,20}", card.read())[0]
    t.says(text, [f"(?m)^ICCID    {iccid[:6]}\\.\\.\\.\\(19\\)$", r"(?m)^IMEI     356938\.\.\.\(15\)$"])
    t.silent(text, [iccid[:8], "35693803", "CN=", "-----BEGIN", "0000\n", "[0-9A-Fa-f]{24}"])


@test
def a_report_of_what_fails_is_written_too(t):
    sim = t.sim("p256", "--no-applet")
    text = reported(t, environment(t, sim), ABSENT)
    t.says(text, ["(?m)^failure  mias ", "(?m)^skipped  signature ", r"(?m)^00A4040C0D\.\.\. -> 6A82 "])
    text = reported(t, t.env(), USAGE)
    t.says(text, ["(?m)^failure  settings ", "APDUs\n$"])
    env = environment(t, sim)
    t.run([SIMKEY, "doctor", "--report", t.path("r"), "--trace", "at"], env=env, expect=USAGE, says="leave|without it")
    t.run([SIMKEY, "doctor", "--report", "/nonexistent/r"], env=env, expect="failure", says="/nonexistent/r")
    done = t.run([SIMKEY, "doctor", "--json", "--report", t.path("r")], env=env, expect=ABSENT)
    t.equal([step["step"] for step in json.loads(done.out)][-1], "signature", "JSON beside it")
