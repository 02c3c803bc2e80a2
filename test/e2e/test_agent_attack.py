# SPDX-License-Identifier: Apache-2.0
"""What users of simkey-agent may try against each other, and against what the lines in its configuration say."""

import agent
from agent import WWW
from signer import TWO, none_open
from test_agent import Agent, test


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
