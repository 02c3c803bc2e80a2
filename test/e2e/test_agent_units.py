# SPDX-License-Identifier: Apache-2.0
"""simkey-agent's set-up as the documents have it, its units, its man page, and what the doctor says of it."""

import grp
import os
import re

from agent import WWW
from fixture import PATH, REFUSED, ROOT, SANITIZED, SIMKEY, SYSTEMD, UNREACHABLE
from fixture import test as any_test
from signer import dgst, verified
from test_agent import AGENT, Agent, test
from test_readme import tagged

UNITS = os.path.join(ROOT, "configs/agent")
EXPOSURE = 2.0
CLIENT_ROOM = 8000


def text_of(*name):
    with open(os.path.join(ROOT, *name), encoding="utf-8") as file:
        return file.read()


def units(t, *drop_ins):
    """The units as systemd would have them, with this build's program. Gives the folder."""
    folder = t.path("units")
    os.makedirs(os.path.join(folder, "simkey-agent.service.d"), exist_ok=True)
    for name in ("simkey-agent.service", "simkey-agent.socket"):
        t.write("units/" + name, text_of(UNITS, name).replace("/usr/local/bin/simkey-agent", AGENT), 0o644)
    for name in drop_ins:
        t.write("units/simkey-agent.service.d/" + name, text_of(UNITS, name), 0o644)
    return folder


@any_test(left_out=SYSTEMD)
def systemd_finds_no_fault_in_the_units_and_little_exposed(t):
    for drop_ins in ((), ("simkey-agent-root.conf",)):
        folder = units(t, *drop_ins)
        service = os.path.join(folder, "simkey-agent.service")
        t.equal(t.run(["systemd-analyze", "verify", "--man=no", service, os.path.join(folder, "simkey-agent.socket")],
                      preload=False).err, "", "what systemd-analyze verify says")
        said = t.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", service], expect=None,
                     preload=False).out
        exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])
        t.check(exposure <= EXPOSURE, f"the exposure is {exposure}:\n{said}")


@any_test
def the_units_have_what_the_agent_needs_and_no_more(t):
    service, socket = text_of(UNITS, "simkey-agent.service"), text_of(UNITS, "simkey-agent.socket")
    path = re.search(r'AGENT_SOCKET +"(.*)"', text_of("apdu/agent/protocol.h"))[1]
    t.says(socket, [f"(?m)^ListenSequentialPacket={path}$", "(?m)^SocketGroup=simkey$", "(?m)^SocketMode=0660$",
                    "(?m)^DirectoryMode=0755$"])
    t.says(service, [r"(?m)^RuntimeDirectory=simkey-agent/session$", "(?m)^RuntimeDirectoryMode=0700$",
                     "(?m)^CapabilityBoundingSet=$", "(?m)^RestrictAddressFamilies=AF_UNIX$", "(?m)^LimitCORE=0$",
                     "(?m)^DeviceAllow=char-ttyUSB rw$", "(?m)^KillMode=mixed$", "(?m)^User=simkey-agent$"])
    t.silent(service, ["(?m)^PrivateNetwork=y", "(?m)^PrivateUsers=y", "(?m)^ProcSubset=pid"])
    users = text_of(UNITS, "sysusers.conf")
    t.says(users, ["(?m)^g simkey -$", "(?m)^u simkey-agent ", "(?m)^m simkey-agent dialout$"])
    for name in os.listdir(UNITS):
        if name not in ("sysusers.conf", "simkey-agent.socket", "simkey-agent.service"):
            t.check(f"agent/{name}" in text_of("configs/README.md"), f"no document tells of configs/agent/{name}")


@test
def every_command_of_its_set_up_works(t):
    """With other names for /etc/simkey and the socket, and without systemd."""
    sim = t.sim("p256")
    os.chmod(t.dir, 0o755)
    os.makedirs(t.path("etc"), 0o755)
    group = "simkey-agent" if "simkey-agent" in [g.gr_name for g in grp.getgrall()] else "dialout"
    stand_ins = {"sudo": 'exec "$@"', "systemd-sysusers": '[ "$*" = simkey-agent.conf ]', "adduser":
                 '[ "$*" = "www-data simkey" ]', "systemctl": 'case $* in daemon-reload | "enable --now simkey-agent.socket") ;; '
                 '*) exit 1 ;; esac'}
    os.mkdir(t.path("bin"))
    for name, text in stand_ins.items():
        t.write("bin/" + name, f"#!/bin/sh\n{text}\n", 0o755)
    for text in tagged("agent") + tagged("agent-user"):
        text = text.replace("/etc/simkey", t.path("etc/simkey")).replace("configs/", ROOT + "/configs/")
        t.run(["bash", "-euo", "pipefail", t.write("block", text.replace("-g simkey-agent", "-g " + group))],
              env=t.env(PATH=f"{t.path('bin')}:{PATH}"), preload=False)
    pin = os.stat(t.path("etc/simkey/pin"))
    t.equal((pin.st_mode & 0o777, grp.getgrgid(pin.st_gid).gr_name), (0o640, group), "the PIN file")
    for name, old, new in (("agent.conf", "/dev/ttyUSB2", sim.device), ("agent.conf", "/etc/simkey", t.path("etc/simkey")),
                           ("simkey.conf", "device = agent", "device = agent:" + t.path("agent/socket"))):
        conf = t.read("etc/simkey/" + name).decode()
        t.check(old in conf, f"{name} has no {old}")
        t.write("etc/simkey/" + name, conf.replace(old, new), 0o644)
    server = t.start("simkey-agent", [AGENT, "--socket", t.path("agent/socket"), "--config",
                                      t.path("etc/simkey/agent.conf")], t.env(preload=False))
    server.wait_for(lambda: "ready at" in server.said(), "ready")
    os.chmod(t.write("sig", ""), 0o666)
    user = ["setpriv", f"--reuid={WWW}", f"--regid={WWW}", "--groups", str(os.stat(t.path("agent/socket")).st_gid), "--"]
    t.run([*user, *dgst(t, "sim:signing")], env=t.env(preload=True, HOME="/", SIMKEY_CONF=t.path("etc/simkey/simkey.conf")))
    t.signatures(sim, 1)
    t.equal(server.stop(), 0, "the agent's status")


@any_test
def its_page_and_its_help_name_the_same(t):
    page = os.path.join(ROOT, "apdu/agent/simkey-agent.8")
    t.run(["mandoc", "-T", "lint", "-W", "warning", page], preload=False)
    said = t.run([AGENT, "--help"], preload=False).out
    t.equal(set(re.findall(r"(?m)^\.It Fl -(\w+)", text_of(page))), set(re.findall(r"--(\w+)", said)), "options")
    for setting in ("idle", "connections", "requests", "allow"):
        t.says(text_of(page), rf"(?m)^\.It Cm {setting}$")
        t.says(text_of("apdu/agent/conf.c"), f'"{setting}"')
    t.says(t.run([AGENT, "--version"], preload=False).out, r"^simkey-agent \d")


@test
def the_doctor_says_that_the_agent_is_in_use(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    told = one.run(WWW, SIMKEY, "doctor", key, more={"SIMKEY_PIN_SOURCE": "/nowhere"}, expect=None).out
    t.says(told, ["(?m)^ok +settings +user \\S+; device agent:.*from SIMKEY_DEVICE", "(?m)^ok +agent .*pin-source.*mean nothing",
                  "(?m)^ok +pin +3 tries", "(?m)^ok +signature +the SIM signed"])
    t.silent(told, r"(?m)^\w+ +(port|holders|pin-source|channel) ")
    one.sign(WWW, key)
    verified(t, cert)
    one.process.stop()
    told = one.run(WWW, SIMKEY, "doctor", expect=UNREACHABLE).out
    t.says(told, "(?m)^failure +agent +simkey-agent does not run")


@test
def the_doctor_says_where_the_agent_has_its_settings(t):
    one = Agent(t, t.sim("p256"), device="/dev/no-such-modem")
    told = one.run(WWW, SIMKEY, "doctor", expect=UNREACHABLE).out
    t.says(told, [r"(?m)^failure +agent +simkey-agent: cannot open the modem's port /dev/no-such-modem",
                  "-> simkey-agent has settings of its own .*/etc/simkey/agent.conf"])


@test
def the_doctor_does_not_blame_a_line_that_lets_a_user_sign_alone(t):
    one = Agent(t, t.sim("p256"))
    cert, key = one.exported()
    one.process.stop()
    one.configure(f"allow = {WWW} sign *")
    one.start()
    told = one.run(WWW, SIMKEY, "doctor", key, expect=0).out
    t.says(told, [r"(?m)^warning +certificate +.*\(list, which `read` allows\).*`sign` will do$", "add `read`",
                  "(?m)^skipped +signature +not judged, because of the step certificate"])
    one.sign(WWW, key)
    verified(t, cert)


@test
def no_key_pair_is_called_lost_that_the_agent_does_not_replace(t):
    sim = t.sim(t.new_card("--applet", "iotsafe"))
    done = Agent(t, sim).run(WWW, SIMKEY, "generate", "sim:signing;id=%01", "--yes", "--replace", expect=REFUSED,
                             says="no key pair is made through simkey-agent: it can be done where the modem is")
    t.silent(done.err, "lost|come with the SIM")
    t.equal(sim.count("GENERATE KEY PAIR"), 0, "key pairs made")


@test
def the_doctor_does_not_guess_by_the_agent_why_no_pin_is_needed(t):
    one = Agent(t, t.sim(t.new_card("--applet", "iotsafe")))
    t.says(one.run(WWW, SIMKEY, "doctor", expect=None).out, ["(?m)^ok +pin +no PIN is needed$", "(?m)^ok +signature"])
    t.says(one.run(WWW, SIMKEY, "pin", "status").out, "^no PIN is needed$")


@any_test(left_out="sanitizers make code longer" if SANITIZED else None)
def the_client_takes_little_room_in_the_module(t):
    objects = [t.path(name + ".o") for name in ("client", "client_packet")]
    for name, to in zip(("client", "client_packet"), objects):
        t.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-I", ROOT, "-Os", "-fPIC", "-c",
               os.path.join(ROOT, f"apdu/agent/{name}.c"), "-o", to], preload=False)
    sizes = [line.split()[:2] for line in t.run(["size", *objects], preload=False).out.split("\n")[1:3]]
    room = sum(int(text) + int(data) for text, data in sizes)
    if "X86-64" in t.run(["readelf", "-h", objects[0]], preload=False).out:  # whose figure it is
        t.check(room <= CLIENT_ROOM, f"the client's code has {room} bytes")


@test
def a_library_that_few_requests_need_is_loaded_by_those(t):
    """By each child, it would cost more than a signature. That of card readers is in test_agent_programs.py."""
    t.silent(t.run(["ldd", AGENT], preload=False).out, r"libz|libpcsclite")
    sim = t.sim(t.new_card("--key", "p256"), "--cert", "compressed")
    one = Agent(t, sim)
    one.exported()
    same = [t.run(["openssl", "x509", "-in", name, "-outform", "DER"], preload=False).out
            for name in (t.path("cert.pem"), os.path.join(sim.card, "signing-0.pem"))]
    t.equal(same[0], same[1], "the certificate")
