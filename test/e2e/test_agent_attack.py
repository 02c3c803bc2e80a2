# SPDX-License-Identifier: Apache-2.0
"""What users of simkey-agent may try against each other, and against what the lines in its configuration say."""

import os
import signal
import time

import agent
from agent import OTHER, WWW
from fixture import PYTHON
from signer import TWO, none_open, until
from test_agent import HOSTILE, Agent, children_of, test


@test
def what_the_sim_refuses_one_user_costs_no_other_its_session(t):
    """A flood of such requests would make everybody's signature a cold one, with the PIN sent each time."""
    sim = t.sim("p256")
    one = Agent(t, sim)
    _, key = one.exported()
    one.sign(WWW, key)
    refused = {"a key that is not there": agent.sign_request(container=9, key=b"\x6a"),
               "another type": agent.sign_request(key=b"\x31"),
               "data that the key does not take": agent.request(agent.SIGN, container=0, key=b"\x61", digest=0,
                                                                data=bytes(10)),
               "another SIM's key": agent.sign_request(iccid=b"8949000000000000001"),
               "Type A's file behind PIN1": agent.request(agent.AVAILABLE, option=2)}
    for what, packet in refused.items():
        answer = agent.ask(one.socket, packet)
        t.check(answer and answer[0] != 0, f"{what} was not refused: {answer}")
        sim.mark()
        one.sign(WWW, key)
        t.check(sim.words() in (TWO, ["MSE SET", *TWO]), f"after {what} the next user pays: {sim.words()}")
    t.equal((one.process.stop(), sim.tries()), (0, 3), "the agent's status, and tries")
    none_open(t, sim)


@test
def a_line_for_one_sim_gives_nothing_of_another(t):
    iccid = "89491111000000000017"
    first, second = t.sim("p256"), t.sim(t.new_card("--key", "p256", "--iccid", iccid))
    pin = t.write("second-pin", "0000\n")
    one = Agent(t, first, lines=f"allow = root read,sign signing;iccid={iccid}",
                sections=f"[other]\ndevice = {second.device}\npin-source = {pin}")
    for operation in (agent.LIST, agent.TRIES, agent.IDENTITY):
        first.mark()
        answer = agent.ask(one.socket, agent.request(operation, iccid=iccid.encode()))
        t.equal(answer[:2], (0, ""), f"the answer to operation {operation}")
        t.silent(" ".join(first.words()), "SELECT AID")
    one.process.stop()


@test
def what_is_attached_to_packets_holds_up_nobody_however_slowly_it_closes(t):
    """The kernel closes it with the connection that is sent away: as a rule the first of these is taken, the others
    come too fast."""
    sim = t.sim("p256")
    one = Agent(t, sim, settings="requests = 1")
    _, key = one.exported()
    pid = one.process.popen.pid
    time.sleep(1.1)
    os.kill(pid, signal.SIGSTOP)  # until all of them have come
    client = t.start("hostile", one.user(WWW, PYTHON, HOSTILE, one.socket, "linger", "4"), one.client_env())
    client.wait_for(lambda: "sent" in client.said(), "sending")
    os.kill(pid, signal.SIGCONT)
    until(lambda: "too many requests a second" in one.said(), "sent away")
    began = time.monotonic()
    one.sign(OTHER, key)
    t.check(time.monotonic() - began < 5, "another user was held up")
    children = children_of(pid)
    t.check(children, "nobody waits for the slow sockets: this test shows nothing")
    began = time.monotonic()
    t.equal(one.process.stop(), 0, "the agent's status")
    t.check(time.monotonic() - began < 20, "it took long to end")
    until(lambda: not set(children) & set(children_of(os.getpid())), "its processes ended")
    client.popen.kill()
    client.popen.wait()
    none_open(t, sim)


POLICIES = "/sys/fs/cgroup/devices"
TERMINALS = "c 136:* rw"  # the simulated modem's


@test
def under_a_device_policy_a_modem_may_be_unplugged_and_plugged_in_again(t):
    """The unit's, as systemd makes it of DeviceAllow= with cgroups of the first version."""
    policy = os.path.join(POLICIES, f"simkey-test-{os.getpid()}")
    try:
        os.mkdir(policy)
    except OSError as error:
        print(f"left out: no device policies here: {error}")
        return
    sim = t.sim("p256")
    one = Agent(t, sim)
    _, key = one.exported()
    try:
        for name, text in (("devices.deny", "a"), ("devices.allow", "c 1:* rw"), ("devices.allow", "c 188:* rw"),
                           ("devices.allow", TERMINALS), ("cgroup.procs", str(one.process.popen.pid))):
            with open(os.path.join(policy, name), "w", encoding="ascii") as file:
                file.write(text)
        one.sign(WWW, key)
        sim.unplug()
        one.sign(WWW, key, expect="failure", says="agent-port")
        again = t.sim(sim.card)
        os.unlink(one.port)
        os.symlink(again.device, one.port)
        one.sign(WWW, key)
        with open(os.path.join(policy, "devices.deny"), "w", encoding="ascii") as file:
            file.write(TERMINALS)
        one.sign(WWW, key, expect="failure", says="may not open .*DeviceAllow=")
        with open(os.path.join(policy, "devices.allow"), "w", encoding="ascii") as file:
            file.write(TERMINALS)
        t.equal(one.process.stop(), 0, "the agent's status")
        none_open(t, again)
    finally:
        one.process.popen.kill()
        one.process.popen.wait()
        until(lambda: not children_of(one.process.popen.pid), "rid of its children")
        os.rmdir(policy)
