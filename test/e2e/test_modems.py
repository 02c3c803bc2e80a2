# SPDX-License-Identifier: Apache-2.0
"""Several modems in one process: sections of the settings file, and how the SIM that is meant is found.
A PIN of one modem never goes to another."""

import os
import time

from fixture import SIMKEY, BUILD, UNREACHABLE, USAGE, ABSENT, test

SAFE2 = os.path.join(BUILD, "safe2")
ICCIDS = ("8988033000000000017", "8988033000000000025", "8988033000000000033")
PINS = ("135790", "246801", "864209")
SIGN = ("dgst", "-sha256", "-sign")


def pins(sim):
    """How often a PIN was sent to a SIM."""
    return sum(a.words == "VERIFY" and "{" in a.command for a in sim.apdus())


class Site:
    """Modems with different SIMs and PINs, a settings file, and a key reference of each SIM."""

    def __init__(self, t, count=2):
        self.t = t
        self.sims = [t.sim(t.new_card("--pin", pin, "--iccid", iccid))
                     for pin, iccid in zip(PINS[:count], ICCIDS[:count])]
        self.names = [None, "second", "third"][:count]
        self.configure([sim.device for sim in self.sims])
        self.refs, self.certs = [], []
        for i, sim in enumerate(self.sims):
            env = t.env(None, SIMKEY_DEVICE=sim.device, SIMKEY_RUN_DIR=self.folder(f"setup-{i}"))
            for what, made in (("key", self.refs), ("cert", self.certs)):
                made.append(t.path(f"{what}-{i}.pem"))
                t.run([SIMKEY, what, "signing", "--out", made[-1]], env=env)
        self.mark()

    def folder(self, name):
        os.makedirs(self.t.path(name), 0o700, exist_ok=True)
        return self.t.path(name)

    def configure(self, devices, more=""):
        text = more
        for name, device, pin in zip(self.names, devices, PINS):
            text += f"[{name}]\n" if name else ""
            text += f"device = {device}\npin-source = {self.t.pin_file(pin)}\n"
        self.env = {"SIMKEY_CONF": self.t.write("simkey.conf", text)}

    def mark(self):
        for sim in self.sims:
            sim.mark()

    def sign(self, key, **how):
        env = {**self.env, **how.pop("more", {})}
        return self.t.openssl(None, *SIGN, key, self.refs[0], env=self.t.env(None, True, **env), **how)

    def tool(self, *arguments, **how):
        env = {**self.env, **how.pop("more", {})}
        return self.t.run([SIMKEY, *arguments], env=self.t.env(**env), **how)

    def whole(self):
        """No SIM has lost a try."""
        self.t.equal([sim.tries() for sim in self.sims], [3] * len(self.sims), "tries left")

    def verified(self, wanted):
        self.t.equal([pins(sim) for sim in self.sims], wanted, "VERIFY at each modem")
        self.whole()


@test
def one_process_signs_with_the_sims_of_two_modems(t):
    site = Site(t)
    signers = []
    for cert, key in zip(site.certs, site.refs):
        signers += ["-signer", cert, "-inkey", key]
    t.openssl(None, "cms", "-sign", "-in", site.refs[0], *signers, "-outform", "DER",
              env=t.env(None, True, **site.env))
    for sim in site.sims:
        t.signatures(sim, 1)
    t.check([pins(sim) for sim in site.sims] == [1, 1], "not one PIN for each SIM")
    site.whole()


@test
def the_reference_chooses_the_modem_and_each_gets_its_own_pin(t):
    site = Site(t, 3)
    for i, ref in enumerate(site.refs):
        site.mark()
        site.sign(ref)
        t.equal([sim.count("PSO CDS") for sim in site.sims], [int(i == j) for j in range(3)], "signatures")
        for j, sim in enumerate(site.sims):
            t.check(i == j or pins(sim) == 0, f"the PIN of {i} went to {j}")
        site.whole()


@test
def a_choice_by_the_records_costs_no_apdu_and_no_look_at_a_device(t):
    site = Site(t)
    site.sign(site.refs[1], more={"SIMKEY_SESSION": "keep"})  # this one asks, and records remain
    site.mark()
    site.sims[0].stop_cleanly()  # nothing could ask it
    t.running.remove(site.sims[0])
    since = time.monotonic()
    site.sign(site.refs[1], more={"SIMKEY_SESSION": "keep", "SIMKEY_TRACE": f"at,file:{t.path('trace')}"})
    t.check(time.monotonic() - since < 5, "it waited for the other modem")
    t.equal(site.sims[1].words(), ["PSO HASH", "PSO CDS"], "APDUs of a warm signature")
    t.silent(t.read("trace").decode("latin1"), ["CCID", "CRSM"])


@test
def a_modem_that_says_nothing_does_not_hide_the_others(t):
    site = Site(t)
    master, slave = os.openpty()
    for device in (os.ttyname(slave), "/dev/no-such-modem"):
        site.configure([device, site.sims[1].device])
        site.mark()
        since = time.monotonic()
        site.sign(site.refs[1], more={"SIMKEY_TIMEOUT": "12", "SIMKEY_RUN_DIR": site.folder(f"run-{len(device)}")})
        t.check(time.monotonic() - since < 12, "it took longer than the operation may")
        t.signatures(site.sims[1], 1)
        site.whole()
    os.close(master)
    os.close(slave)


@test
def a_sim_that_no_modem_has_gets_no_pin_and_a_clear_word(t):
    site = Site(t, 3)
    site.names, site.sims = site.names[:2], site.sims[:2]
    site.configure([sim.device for sim in site.sims])
    for key in (site.refs[2], f"sim:signing;iccid={ICCIDS[2]}"):
        site.sign(key, expect="failure", says=f"none of the 2 configured modems has the SIM {ICCIDS[2]}")
        site.verified([0, 0])
    site.tool("cert", f"sim:signing;iccid={ICCIDS[2]}", expect=ABSENT, says="none of the 2")
    site.configure([site.sims[0].device, "/dev/no-such-modem"])
    site.sign(site.refs[2], expect="failure", says=["no modem was found that has the SIM", "no-such-modem"])
    site.tool("cert", f"sim:signing;iccid={ICCIDS[2]}", expect=UNREACHABLE, says="no-such-modem")
    site.verified([0, 0])


def swap_records(t):
    names = [os.path.join(t.run_dir, name) for name in sorted(os.listdir(t.run_dir)) if name.endswith(".session")]
    t.equal(len(names), 2, "records")
    os.rename(names[0], names[0] + ".x")
    os.rename(names[1], names[0])
    os.rename(names[0] + ".x", names[1])


@test
def records_that_are_wrong_are_not_believed(t):
    """As after a swap of the SIMs: each record names the other's."""
    site = Site(t)
    for ref in site.refs:
        site.sign(ref, more={"SIMKEY_SESSION": "keep"})
    for sim in site.sims:
        t.run([SIMKEY, "close"], env=t.env(None, SIMKEY_DEVICE=sim.device))
    swap_records(t)
    for i, ref in enumerate(site.refs):
        site.mark()
        site.sign(ref)
        t.equal([sim.count("PSO CDS") for sim in site.sims], [int(i == j) for j in range(2)], "signatures")
        t.equal(pins(site.sims[1 - i]), 0, "PINs at the other modem")
        site.whole()


@test
def a_sim_that_was_moved_is_found_where_the_old_modem_is_gone(t):
    site = Site(t)
    for ref in site.refs:
        site.sign(ref, more={"SIMKEY_SESSION": "keep"})
    for sim in site.sims:
        t.run([SIMKEY, "close"], env=t.env(None, SIMKEY_DEVICE=sim.device))
    site.mark()
    swap_records(t)
    site.sims[0].stop_cleanly()
    t.running.remove(site.sims[0])
    site.sign(site.refs[1])
    t.signatures(site.sims[1], 1)
    site.whole()
    # and one that nobody has stays with the modem that had it
    site.sign(site.refs[0], expect="failure", says="no modem was found|No such file")
    t.equal(site.sims[1].count("PSO CDS"), 1, "signatures")
    site.whole()


@test
def decryption_and_the_store_find_the_modem_too(t):
    site = Site(t)
    secret = t.write("secret", "for the second SIM alone")
    t.run(["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", site.certs[1], "-in", secret, "-out",
           t.path("cryptogram")])
    env = t.env(None, True, **site.env)
    plain = t.openssl(None, "pkeyutl", "-decrypt", "-inkey", site.refs[1], "-in", t.path("cryptogram"), env=env)
    t.equal(plain.raw, t.read("secret"), "plain text")
    for what in ("signing", "available"):
        shown = t.openssl(None, "x509", "-in", f"sim:{what};iccid={ICCIDS[1]}", "-noout", "-subject", env=env)
        t.says(shown.out, "subject")
    t.openssl(None, "pkey", "-in", f"sim:available;iccid={ICCIDS[1]}", "-noout", env=env)
    site.whole()


@test
def uris_and_options_name_a_modem(t):
    site = Site(t)
    own = [t.read(name.split("/")[-1]).decode() for name in site.certs]
    t.equal(site.tool("cert", "signing").out, own[0], "the first one")
    t.equal(site.tool("cert", "signing", "--modem", "second").out, own[1], "by --modem")
    t.equal(site.tool("cert", "sim:signing;modem=second").out, own[1], "by ;modem=")
    t.equal(site.tool("cert", f"sim:signing?device={site.sims[1].device}").out, own[1], "by ?device=")
    for i in range(2):
        t.equal(site.tool("cert", f"sim:signing;iccid={ICCIDS[i]}").out, own[i], "by the ICCID")
    t.says(site.tool("info", "--modem", "second").out, ICCIDS[1])
    t.says(site.tool("pin", "status", "--modem", "second").out, "3 tries")
    told = site.tool("doctor", "--modem", "second", expect=None).out
    t.says(told, [site.sims[1].device, r"from \[second\] in .*simkey.conf", ICCIDS[1]])
    site.mark()
    site.sign("sim:signing;modem=second")
    site.sign(f"sim:signing;iccid={ICCIDS[1]}")
    t.signatures(site.sims[1], 2)
    t.signatures(site.sims[0], 0)
    site.whole()
    site.tool("cert", "signing", "--modem", "fourth", expect=USAGE, says="no modem \"fourth\".*second")
    site.sign("sim:signing;modem=fourth", expect="failure", says="no modem \"fourth\".*second")
    site.tool("cert", f"sim:signing;modem=second;iccid={ICCIDS[0]}", expect=ABSENT, says=ICCIDS[0])
    site.tool("info", "--modem", "second", "--device", site.sims[0].device, expect=USAGE, says="give one")
    site.tool("cert", "sim:signing;modem=second", "--modem", "third", expect=USAGE, says="name different modems")
    site.tool("info", "--modem", "../x", expect=USAGE, says="name of a section")


@test
def safe2_takes_the_name_of_a_modem(t):
    site = Site(t)
    site.tool_env = t.env(**site.env)
    t.run([SAFE2, "status", "--modem", "second"], env=site.tool_env, expect=None)
    t.check(site.sims[1].words() and not site.sims[0].words(), "the wrong modem was asked")
    t.run([SAFE2, "status", "--modem", "fourth"], env=site.tool_env, expect=USAGE, says="second")
    t.run([SAFE2, "status", "--modem", "second", "--device", "/dev/x"], env=site.tool_env, expect=USAGE,
          says="give one")


@test
def the_device_of_a_section_never_gets_the_first_ones_pin(t):
    site = Site(t)
    link = t.path("link")
    os.symlink(site.sims[1].device, link)
    for device in (site.sims[1].device, link):
        more = {"SIMKEY_DEVICE": device}
        site.sign("sim:signing", more=more, expect="failure", says=r"section \[second\].*modem=second")
        site.tool("pin", "verify", more=more, expect=USAGE, says="--modem second")
        site.tool("pin", "verify", "--device", device, expect=USAGE, says="--modem second")
        t.run([SAFE2, "status", "--device", device], env=t.env(**site.env), expect=USAGE, says="--modem second")
    site.verified([0, 0])


@test
def credentials_are_not_inherited_but_run_dir_and_time_out_are(t):
    site = Site(t)
    run = site.folder("inherited")
    t.write("simkey.conf", f"device = {site.sims[0].device}\npin-source = {t.pin_file(PINS[0])}\n"
            f"sim-pin-source = {t.pin_file(PINS[0])}\nrun-dir = {run}\ntransport = ccho\n"
            f"[second]\ndevice = {site.sims[1].device}\n")
    env = t.env(None, True, **site.env)
    env.pop("SIMKEY_RUN_DIR")
    t.openssl(None, *SIGN, site.refs[1], site.refs[0], env=env, expect="failure", says="PIN")
    site.verified([0, 0])
    t.equal({a.source for a in site.sims[1].apdus()}, {"csim"}, "how the second modem is talked to")
    t.check(os.listdir(run), "nothing is in the run-dir")
    # the environment describes the first modem
    t.openssl(None, *SIGN, site.refs[1], site.refs[0], expect="failure", says="PIN",
              env={**env, "SIMKEY_PIN": PINS[0]})
    site.verified([0, 0])


@test
def mistakes_in_sections_are_found_by_file_and_line(t):
    sim = t.sim("p256")
    other = t.path("other")
    os.symlink(sim.device, other)
    for text, says in (("device = /dev/x\n[a]\ndevice = /dev/y\n[a]\ndevice = /dev/z\n", "line 4.*already.*line 2"),
                       ("device = /dev/x\n[a]\npin = 1234\n[b]\ndevice = /dev/z\n", r"line 2.*\[a\] has no device"),
                       ("[a]\ndevice = /dev/y\n\n[b]\ndevice = /dev/y\n", r"line 4.*\[a\] and \[b\] have the same device"),
                       (f"device = {sim.device}\n[a]\ndevice = {other}\n", r"line 2.*above the sections"),
                       ("[a\ndevice = /dev/y\n", "line 1.*section"), ("[]\n", "line 1.*name"),
                       ("[a b]\n", "line 1.*name"), (f"[{'x' * 40}]\n", "line 1.*name"),
                       ("[a]\ndevice = /dev/y\ncolour = red\n", "line 3.*colour"),
                       ("".join(f"[m{i}]\ndevice = /dev/{i}\n" for i in range(40)), "more than 31 sections")):
        env = {"SIMKEY_CONF": t.write("simkey.conf", text)}
        t.run([SIMKEY, "info"], env=t.env(**env), expect=USAGE, says=f"simkey.conf, {says}" if "line" in says else says)
        t.openssl(None, "pkey", "-in", "sim:signing", "-noout", env=t.env(None, True, **env), expect="failure",
                  says=says)
    env = {"SIMKEY_CONF": t.write("simkey.conf", f"[a]\ndevice = {sim.device}\n")}
    t.run([SIMKEY, "info"], env=t.env(**env), expect=USAGE, says="only for a: name one")
    t.run([SIMKEY, "info", "--modem", "a"], env=t.env(**env))


@test
def with_one_modem_nothing_is_looked_for(t):
    """An ICCID that is another one's is said as before, after the question that each session asks."""
    site = Site(t)
    site.names, site.sims[1:] = [None], site.sims[1:]
    site.configure([site.sims[0].device])
    site.sign(site.refs[1], expect="failure", says="the SIM in the modem is")
    site.sign(site.refs[0])
    t.equal(site.sims[1].words(), [], "APDUs at the modem that is not configured")
    site.verified([1, 0])
