# SPDX-License-Identifier: Apache-2.0
"""simkey devices: every way to a SIM in a line; what is asked, and what is left in peace."""

import json
import os

from fixture import SIMKEY, UNREACHABLE, USAGE, test
from reader import NAMES, Reader, own_mounts

ROOT = os.geteuid() == 0
SYS = "/sys/class"


def devices(t, env, *arguments, expect=0):
    return json.loads(t.run([SIMKEY, "devices", "--json", *arguments], env=env, expect=expect).out)


def only(t, found, name):
    matching = [device for device in found if device["device"] == name]
    t.equal(len(matching), 1, f"lines for {name} in {found}")
    return matching[0]


@test
def a_configured_port_is_asked_for_its_modem_and_no_channel_is_opened(t):
    sim = t.sim("p256")
    env = t.env(sim)
    found = only(t, devices(t, env), sim.device)
    t.equal((found["kind"], found["configured"], found["asked"], found["error"], found["applet"]),
            ("pseudo-terminal", True, True, "", None), "what is known of it")
    t.equal((found["manufacturer"], found["model"], found["imei"]), ("simkey", "simmodem", "356938035643809"),
            "the modem")
    iccid = json.loads(t.simkey(sim, "info", "--json").out)["iccid"]
    t.equal(found["iccid"], iccid, "the ICCID")
    sim.mark()
    lines = t.run([SIMKEY, "devices"], env=env).out.split("\n")
    t.says(lines[0], "^device +kind +driver +held by +modem +ICCID +applets$")
    line = [line for line in lines if line.startswith(sim.device + " ")]
    t.says(line[0], rf"pseudo-terminal +- +- +simkey simmodem +{iccid} +not asked$")
    t.equal(sim.words(), [], "APDUs")


@test
def the_applet_is_known_while_a_channel_to_it_is_open(t):
    sim = t.sim("p256")
    env = t.env(sim, SIMKEY_SESSION="keep")
    t.write("message", "a message")
    t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "-out", t.path("sig"), t.path("message"), SIMKEY_SESSION="keep")
    sim.mark()
    t.equal(only(t, devices(t, env), sim.device)["applet"], "mias", "the applet")
    t.equal(sim.words(), [], "APDUs")


@test
def a_port_that_another_program_has_open_is_named_with_it_and_not_asked(t):
    sim = t.sim("p256")
    sleeper = t.write("picocom", "#!/usr/bin/python3\nimport time\ntime.sleep(100)\n", 0o755)
    port = os.open(sim.device, os.O_RDWR | os.O_NOCTTY)
    process = t.start("picocom", [sleeper], stdin=port, preload=False)
    os.close(port)
    process.wait_for(lambda: open(f"/proc/{process.popen.pid}/comm", encoding="ascii").read() == "picocom\n", "named")
    found = only(t, devices(t, t.env(sim, SIMKEY_TRACE="at,file:" + t.path("trace"))), sim.device)
    t.equal((found["held_by"], found["asked"]), (f"picocom (process {process.popen.pid})", False), "who has it")
    t.says(found["error"], "in use")
    t.check(not os.path.exists(t.path("trace")), "something was said on the port")


@test
def several_modems_and_one_that_is_gone(t):
    sims = [t.sim("p256"), t.sim("p384")]
    conf = t.write("simkey.conf", f"device = {sims[0].device}\npin = 0000\n[second]\ndevice = {sims[1].device}\n"
                                  f"pin = 1111\n[third]\ndevice = /dev/no-such-modem\n")
    found = devices(t, t.env(SIMKEY_CONF=conf))
    iccids = {only(t, found, sim.device)["iccid"] for sim in sims}
    t.equal((len(iccids), "" in iccids), (2, False), "two SIMs")
    gone = only(t, found, "/dev/no-such-modem")
    t.equal((gone["asked"], gone["error"]), (False, "it is not there"), "the one that is gone")
    t.equal([sim.tries() for sim in sims], [3, 3], "tries")


@test
def a_port_on_which_nothing_answers_is_told_in_time(t):
    master, slave = os.openpty()
    found = only(t, devices(t, t.env(SIMKEY_DEVICE=os.ttyname(slave)), "--timeout", "1"), os.ttyname(slave))
    os.close(master)
    os.close(slave)
    t.equal((found["asked"], found["error"]), (True, "does not answer AT"), "a mute port")


@test
def wrong_arguments_and_settings(t):
    t.run([SIMKEY, "devices", "x"], env=t.env(), expect=USAGE, says="takes no")
    t.run([SIMKEY, "devices", "--out", "x"], env=t.env(), expect=USAGE, says="--out")
    t.run([SIMKEY, "devices"], env=t.env(SIMKEY_CONF=t.write("conf", "colour = red\n")), expect=USAGE, says="line 1")
    sim = t.sim("p256")
    t.run(["sh", "-c", f"exec {SIMKEY} devices >/dev/full"], env=t.env(sim), expect="failure", preload=False)


def machine(t, ports, controls=()):
    """A mount namespace in which the kernel has these ports ({name: (driver, pty)}): each is a link to a pty."""
    for folder in ("sys/tty", "sys/usbmisc", "dev/pts", "dev/shm", "dev/serial/by-id", "drivers"):
        os.makedirs(t.path(folder), exist_ok=True)
    for name, (driver, target) in (*ports.items(), *controls):
        folder = f"sys/{'tty' if name in ports else 'usbmisc'}/{name}/device"
        os.makedirs(t.path(folder))
        os.symlink(f"../../../drivers/{driver}", t.path(f"{folder}/driver"))
        os.symlink(target, t.path(f"dev/{name}"))
    mounts = [["--rbind", "/dev/pts", t.path("dev/pts")]]
    for name in ("null", "zero", "urandom", "random", "tty", "full"):
        t.write(f"dev/{name}", "")
        mounts.append(["--bind", f"/dev/{name}", t.path(f"dev/{name}")])
    for arguments in [*mounts, ["--bind", t.path("sys"), SYS], ["--rbind", t.path("dev"), "/dev"]]:
        t.run(["mount", *arguments], preload=False)


@test(left_out=None if ROOT else "only root may have a /dev of his own")
def ports_of_modems_are_asked_and_others_never(t):
    sims = [t.sim("p256"), t.sim("p384"), t.sim("rsa2048")]
    real = [os.path.realpath(sim.device) for sim in sims]
    t.check(own_mounts(t), "a mount namespace")
    machine(t, {"ttyUSB10": ("option1", real[0]), "ttyUSB9": ("ftdi_sio", real[1]), "ttyACM0": ("cdc_acm", real[2]),
                "ttyS0": ("serial8250", "/dev/null"), "ttyUSB3": ("option1", "/dev/not-there")})
    os.symlink(real[0], t.path("dev/serial/by-id/usb-Modem-if02-port0"))
    found = devices(t, t.env())
    t.equal([(device["device"], device["kind"], device["driver"], device["configured"], device["asked"]) for device in found],
            [("/dev/ttyACM0", "serial port", "cdc_acm", False, True), ("/dev/ttyUSB9", "serial port", "ftdi_sio", False, False),
             ("/dev/serial/by-id/usb-Modem-if02-port0", "serial port", "option1", False, True)], "the ports")
    t.equal([device["model"] for device in found], ["simmodem", "", "simmodem"], "the modems")
    t.says(found[1]["error"], "not a modem's driver")
    found = devices(t, t.env(SIMKEY_DEVICE=real[1]))
    t.equal([(device["asked"], device["configured"]) for device in found], [(True, False), (True, True), (True, False)],
            "asked where it is configured")


@test(left_out=None if ROOT else "only root may have a /dev of his own")
def control_devices_are_named_by_what_they_speak_and_left_to_their_proxy(t):
    sims = [t.sim("p256", "--protocol", protocol) for protocol in ("qmi", "mbim")]
    real = [os.path.realpath(sim.device) for sim in sims]
    t.check(own_mounts(t), "a mount namespace")
    machine(t, {}, [("cdc-wdm0", ("qmi_wwan", real[0])), ("cdc-wdm1", ("cdc_mbim", real[1])),
                    ("cdc-wdm2", ("cdc_acm", real[1]))])
    found = devices(t, t.env())
    t.equal([(device["device"], device["kind"], device["driver"], device["asked"], device["error"]) for device in found],
            [("qmi:/dev/cdc-wdm0", "QMI", "qmi_wwan", False, "not asked"),
             ("mbim:/dev/cdc-wdm1", "MBIM", "cdc_mbim", False, "not asked")], "the control devices")
    found = devices(t, t.env(SIMKEY_DEVICE="qmi:/dev/cdc-wdm0,direct"))
    t.equal([(device["device"], device["configured"]) for device in found],
            [("qmi:/dev/cdc-wdm0,direct", True), ("mbim:/dev/cdc-wdm1", False)], "the configured one")
    t.equal((found[0]["asked"], found[0]["model"]), (True, "simmodem"), f"what it says: {found[0]['error']}")


@test(left_out=None if ROOT else "only root may have a /dev of his own")
def without_any_port_or_reader(t):
    t.check(own_mounts(t), "a mount namespace")
    machine(t, {})
    t.run([SIMKEY, "devices"], env=t.env(), expect=UNREACHABLE, says="plug the modem in")


@test(seconds=120)
def card_readers_are_listed_and_not_asked(t):
    sim = t.sim("p256")
    Reader(t, sim)
    sim.mark()
    found = [device for device in devices(t, t.env(SIMKEY_DEVICE=None)) if device["kind"] == "card reader"]
    t.check("pcsc:" + NAMES[0] in [device["device"] for device in found], f"readers: {found}")
    t.equal({(device["driver"], device["asked"], device["error"]) for device in found}, {("PC/SC", False, "not asked")},
            "what is told of them")
    t.equal(sim.words(), [], "APDUs")
