# SPDX-License-Identifier: Apache-2.0
"""What an upgrade means (provider/README.md, "Upgrades"): for programs that run, the notes that they share,
and key references."""

import os
import shutil
import zlib

from fixture import MODULE, PYTHON, Talk, test
from test_order import conf
from test_pcsc import CLIENT
from tls import demanding_nginx, pki


class Service:
    """A process that makes a handshake for each line, with a module that can be replaced."""

    def __init__(self, t, cert, key, nginx, env):
        self.asked = 0
        self.talk = Talk([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, key], env, t.dir)
        t.running.append(self)

    def stop(self):
        self.talk.end()

    def works(self, t):
        self.asked += 1
        self.talk.say(f"{self.asked}\n")
        t.check(self.talk.hear(f"{self.asked} SUCCESS", 40), f"handshake {self.asked}: {self.talk.text}")


def of_another_version(path):
    """As a program of a later version would have left it."""
    with open(path, "r+b") as file:
        text = file.read().partition(b"\nsum ")[0].replace(b"simkey session 1", b"simkey session 2", 1) + b"\n"
        file.seek(0)
        file.write((text + b"sum %08x\n" % zlib.crc32(text)).ljust(4096, b"\n"))


@test(seconds=120)
def running_programs_keep_their_module_and_share_the_sim_with_new_ones(t):
    sim = t.sim("p256")
    cert, key = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    os.mkdir(t.path("modules"))
    module = shutil.copy(MODULE, t.path("modules/simkey.so"))
    text = t.read(os.path.basename(conf(t, sim, ("default", "simkey")))).decode().replace(MODULE, module)
    env = t.env(sim, True, OPENSSL_CONF=t.write("old.cnf", text))
    old = Service(t, cert, key, nginx, env)
    old.works(t)
    inode = os.stat(module).st_ino
    t.run(["install", "-m", "644", MODULE, module], preload=False)  # as make install does
    t.check(os.stat(module).st_ino != inode, "the file is another one")
    new = Service(t, cert, key, nginx, env)
    new.works(t)
    old.works(t)
    record, = [name for name in os.listdir(t.run_dir) if name.endswith(".session")]
    for service in (old, new, old):
        of_another_version(os.path.join(t.run_dir, record))
        service.works(t)
    t.equal(sim.tries(), 3, "tries")
    old.stop()
    new.stop()
    t.simkey(sim, "close")
    opened, closed = (sum(a.words == f"MANAGE CHANNEL {what}" and a.sw == "9000" for a in sim.apdus())
                      for what in ("OPEN", "CLOSE"))
    t.check(closed >= opened, f"{opened} channels opened, {closed} closed")
