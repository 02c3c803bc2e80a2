# SPDX-License-Identifier: Apache-2.0
"""Many programs of several users at simkey-agent: how they share the SIM, and what is lost when clients and
the agent are killed. AGENT_SIGNATURES=1000 for more than a look."""

import os
import random
import select
import signal
import subprocess
import time

from agent import OTHER, WWW
from fixture import BUILD
from signer import WORKER, none_open
from test_agent import Agent, test

USERS = (WWW, OTHER, 35)
CLIENTS = 16
SIGNATURES = int(os.environ.get("AGENT_SIGNATURES", "150"))
SIGN_MS = 100
BUSY = 0.95 if SIGNATURES >= 1000 else 0.5  # other tests run beside the short form
PATIENCE = 30  # seconds: the clients' time-out


def as_others():
    """Clients have no precedence where the test has one: their starts are not what is measured."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Crowd:
    """Signing processes of several users, told to go on as soon as they have a signature."""

    def __init__(self, t, one, exported):
        self.t, self.one, self.exported = t, one, exported
        self.done = {number: 0 for number in USERS}
        self.failed, self.longest, self.clients = [], 0, {}
        for number in range(CLIENTS):
            self.add(USERS[number % len(USERS)])

    def add(self, user):
        popen = subprocess.Popen(self.one.user(user, WORKER, BUILD, *self.exported, "0"), env=self.one.client_env(),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.t.dir,
                                 preexec_fn=as_others)
        self.clients[popen.stdout.fileno()] = [popen, user, time.monotonic()]

    def tell(self, client):
        client[2] = time.monotonic()
        client[0].stdin.write(b"sign\n")
        client[0].stdin.flush()

    def hear(self, seconds):
        """What comes within that time: signatures, which must verify."""
        ready = select.select(list(self.clients), [], [], seconds)[0]
        for number in ready:
            client = self.clients[number]
            line = os.read(number, 65536).decode("latin1")
            self.t.check(line.count("\n") == 1, f"a client says {line!r}")
            self.longest = max(self.longest, time.monotonic() - client[2])
            self.t.check(not line.startswith("wrong"), line)
            if line.startswith("sign"):
                self.done[client[1]] += 1
            elif line.startswith("failed"):
                self.failed.append(line)
            self.tell(client)

    def kill_one(self):
        number = random.choice(list(self.clients))
        popen, user, _ = self.clients.pop(number)
        popen.kill()
        popen.wait()
        popen.stdin.close()
        popen.stdout.close()
        self.add(user)

    def go_on(self, until_all):
        """Until there are so many signatures, with a client killed now and then."""
        while self.all() < until_all:
            self.hear(10)
            if random.randrange(10) == 0:
                self.kill_one()

    def all(self):
        return sum(self.done.values())

    def close(self):
        for popen, _, _ in self.clients.values():
            popen.kill()
            popen.wait()


def crowd_of(t):
    sim = t.sim("p256", "--sign-ms", str(SIGN_MS))
    one = Agent(t, sim)
    exported = one.exported()
    crowd = Crowd(t, one, exported)
    while crowd.all() < CLIENTS:  # until all are at it
        crowd.hear(10)
    return sim, one, crowd


def busy_share(sim, began, ended):
    """How much of that time the SIM signed."""
    signed = sum(a.words == "PSO CDS" and began < a.time <= ended for a in sim.all_apdus())
    return signed * SIGN_MS / 1000 / (ended - began)


@test(seconds=900, long=True)
def three_users_share_the_sim_and_it_is_never_idle(t):
    sim, one, crowd = crowd_of(t)
    try:
        before, began = dict(crowd.done), time.monotonic()
        sim.mark()
        while crowd.all() - sum(before.values()) < SIGNATURES:
            crowd.hear(10)
        seconds = time.monotonic() - began
        apdus = sim.apdus()
    finally:
        crowd.close()
    got = [crowd.done[user] - before[user] for user in USERS]
    signed = sum(a.words == "PSO CDS" for a in apdus)
    busy = busy_share(sim, began, began + seconds)
    print(f"{got} signatures in {seconds:.1f} s, {100 * busy:.1f} % of the time in the SIM, "
          f"the longest took {crowd.longest:.1f} s")
    t.check(busy >= BUSY, f"the SIM was busy for {100 * busy:.1f} % of the time")
    t.check(not crowd.failed, f"failed: {crowd.failed}")
    for number in got:
        t.check(abs(number - sum(got) / 3) <= max(2, sum(got) / 30), f"the users got {got}")
    t.check(crowd.longest < PATIENCE, f"one waited {crowd.longest} s")
    t.check(abs(len(apdus) - 2 * signed) <= 1, f"{len(apdus)} APDUs for {signed} signatures")
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)


@test(seconds=900, long=True)
def clients_and_the_agent_are_killed_at_random_and_nothing_wrong_comes_of_it(t):
    sim, one, crowd = crowd_of(t)
    random.seed(16)
    spans = []
    try:
        for step in range(1, 6):
            began = time.monotonic()  # the first has come since the restart
            crowd.go_on(CLIENTS + SIGNATURES * step // 5)
            spans.append((began, time.monotonic()))
            one.process.popen.send_signal(signal.SIGKILL if step % 2 else signal.SIGTERM)
            one.process.popen.wait()
            one.start()
            crowd.go_on(crowd.all() + 1)
        for _ in range(CLIENTS):
            crowd.hear(10)
    finally:
        crowd.close()
    shares = [round(100 * busy_share(sim, *span), 1) for span in spans]
    got = list(crowd.done.values())
    print(f"{got} signatures, {shares} % of the time between restarts in the SIM, the longest took {crowd.longest:.1f} s; "
          f"failed: {crowd.failed}")
    t.check(not crowd.failed, f"failed: {crowd.failed}")
    t.check(min(shares) >= 100 * BUSY, f"the SIM was busy for {shares} % of the time")
    for number in got:
        t.check(abs(number - sum(got) / 3) <= max(8, sum(got) / 30), f"the users got {got}")
    t.check(crowd.longest < PATIENCE, f"one waited {crowd.longest} s")
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")
