# SPDX-License-Identifier: Apache-2.0
"""What configs/README.md says of a replaced SIM, cron, a unit of one's own and containers."""

import os
import re
import shutil

from fixture import PATH, SANITIZED, SIMKEY, SYSTEMD, USAGE, test
from signer import Signer, TWO, dgst
from test_readme import Machine, tagged

ROOT = os.geteuid() == 0


def set_up(t, machine, card):
    """The files of the ten lines, for this card."""
    machine.furnish()
    machine.outside(card)
    machine.modem(card)
    text = machine.local("""
install -d /etc/simkey
(umask 027; echo 0000 > /etc/simkey/pin)
chgrp dialout /etc/simkey/pin
cp configs/simkey.conf configs/openssl.cnf /etc/simkey/
export OPENSSL_CONF=/etc/simkey/openssl.cnf
build/simkey cert signing --out /etc/simkey/sim.crt
build/simkey key signing --out /etc/simkey/sim.key
""")
    t.run(["bash", "-euo", "pipefail", t.write("block", text)], env=t.env())


if not SANITIZED:  # as in test_readme.py
    @test(seconds=120)
    def a_replaced_sim_is_told_and_set_up_without_a_try(t):
        machine = Machine(t)
        try:
            set_up(t, machine, t.new_card("--key", "p256"))
            machine.modem(t.new_card("--key", "p256"))
            env = t.env(PATH=f"{t.path('bin')}:{PATH}", DIR=t.dir, ROOT=os.getcwd(),
                        OPENSSL_CONF=t.path("etc/simkey/openssl.cnf"))
            text, = tagged("replaced")
            first, rest = text.split("\n", 1)
            done = t.run(["bash", "-euo", "pipefail", t.write("block", machine.local(first))], env=env)
            t.says(done.out, ["(?m)^failure +iccid .*no PIN is tried", "another SIM: status 3"])
            t.equal((machine.sim.tries(), machine.sim.count("VERIFY") - machine.sim.count("PSO CDS")), (3, 1),
                    "tries, and a VERIFY that only asks")
            done = t.run(["bash", "-euo", "pipefail", t.write("block", machine.local(rest))], env=env)
            t.says(done.out, ["(?m)^ok +iccid .*as ", "(?m)^ok +signature"])
            t.equal(machine.sim.tries(), 3, "tries")
        finally:
            machine.close()

    @test(seconds=120)
    def cron_s_lines_work_with_cron_s_environment(t):
        machine = Machine(t)
        try:
            set_up(t, machine, t.new_card("--key", "p256"))
            shutil.copy(t.path("sim-cas.pem"), t.path("etc/simkey/sim-cas.pem"))
            lines = machine.local(tagged("cron")[0]).splitlines()
            t.equal(len(lines), 2, "lines")
            for number, line in enumerate(lines):
                match = re.fullmatch(r"(?:[0-9*/]+ ){5}gateway (.*)", line)
                t.check(match, f"a line of a crontab: {line}")
                machine.sim.mark()
                command = match[1].replace("curl ", "curl --cacert " + os.environ["E2E_SHARED"] + "/pki/ca.pem ")
                t.run(["env", "-i", *(f"{name}={value}" for name, value in t.usual.items()), "HOME=" + t.dir, f"PATH={os.path.dirname(SIMKEY)}:/usr/bin:/bin", "SHELL=/bin/sh",
                       "sh", "-c", command], preload=False)
                t.signatures(machine.sim, 1)
            t.run(["env", "-i", "SIMKEY_CONF=/dev/null", "sh", "-c", f"{SIMKEY} doctor"], expect=USAGE, preload=False)
        finally:
            machine.close()


@test(left_out=SYSTEMD)
def the_unit_of_one_s_own_is_one_that_systemd_takes(t):
    text, = tagged("unit")
    unit = t.write("gateway.service", text.replace("User=gateway", "User=root").replace("dialout", "root"))
    done = t.run(["systemd-analyze", "verify", unit], preload=False, expect=None)
    t.silent(done.err, ["gateway.service.*(Unknown|Failed|Invalid|ignoring)"])
    t.says(text, ["(?m)^Environment=OPENSSL_CONF=/etc/simkey/openssl.cnf$", "(?m)^SupplementaryGroups=dialout$"])


@test(left_out=None if ROOT else "only root makes such namespaces", seconds=120)
def a_container_takes_turns_with_programs_outside(t):
    """Numbers of processes of its own, another run-dir: the shared channel outside stays as it was."""
    sim = t.sim("p256")
    exported = t.exported(sim)
    outside = Signer(t, sim, exported)
    outside.sign()
    options = dict(re.findall(r"--env (\w+)=(\S+)", tagged("container")[0]))
    t.equal(options["SIMKEY_SESSION"], "private", "the session in the document")
    os.mkdir(t.path("inside-run"), 0o700)
    for _ in range(2):
        t.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *dgst(t, exported[1])],
              env=t.env(sim, True, SIMKEY_SESSION="private", SIMKEY_RUN_DIR=t.path("inside-run")), preload=False)
        sim.mark()
        outside.sign()
        t.equal(sim.words(), TWO, "the next signature outside")
    outside.end()
    t.equal(sim.tries(), 3, "tries")
