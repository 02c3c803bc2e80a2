# SPDX-License-Identifier: Apache-2.0
"""What happens to simkey-agent: it is killed, ended, told to read its settings anew; its modem goes, its PIN is
wrong, there is no room; and it runs as a user of its own."""

import grp
import os
import signal
import subprocess
import time

import agent
from agent import OTHER, WWW
from fixture import USAGE
from signer import dgst, none_open, until, verified
from test_agent import AGENT, Agent, children_of, test
from tls import COLD


@test(seconds=180)
def an_agent_that_is_killed_and_started_again_is_waited_for(t):
    sim = t.sim("p256", "--sign-ms", "300")
    one = Agent(t, sim)
    cert, key = one.exported()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        sim.mark()
        os.chmod(t.write("sig", ""), 0o666)
        client = t.start("openssl", one.user(WWW, *dgst(t, key)), one.client_env())
        until(lambda: sim.count("PSO HASH") > 0, "signing")
        one.process.popen.send_signal(number)
        one.process.popen.wait()
        time.sleep(0.5)
        one.start()
        t.equal(client.wait(), 0, f"the client's status: {client.said()}")
        verified(t, cert)
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


@test
def sigterm_in_mid_operation_leaves_no_channel(t):
    sim = t.sim("p256", "--sign-ms", "1000")
    one = Agent(t, sim)
    cert, key = one.exported()
    sim.mark()
    os.chmod(t.write("sig", ""), 0o666)
    client = t.start("openssl", one.user(WWW, *dgst(t, key)), one.client_env())
    until(lambda: sim.count("PSO HASH") > 0, "signing")
    t.equal(one.process.stop(), 0, "the agent's status")
    t.equal(client.wait(), 0, f"the client's status: {client.said()}")
    verified(t, cert)
    none_open(t, sim)
    began = time.monotonic()
    one.sign(WWW, key, expect="failure", says="simkey-agent does not run")
    t.check(time.monotonic() - began < 6, "it took long to say so")


@test
def sigterm_while_the_modem_is_silent_ends_it_all_the_same(t):
    sim = t.sim("p256", "--sign-ms", "20000")
    one = Agent(t, sim)
    _, key = one.exported()
    sim.mark()
    os.chmod(t.write("sig", ""), 0o666)
    client = t.start("openssl", one.user(WWW, *dgst(t, key)), one.client_env())
    until(lambda: sim.count("PSO HASH") > 0, "signing")
    began = time.monotonic()
    t.equal(one.process.stop(seconds=40), 0, "the agent's status")
    t.check(time.monotonic() - began < 35, "it took long to end")
    client.popen.kill()
    client.popen.wait()


@test
def a_modem_that_comes_back_under_another_number_goes_on(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    one.sign(WWW, key)
    sim.unplug()
    one.sign(WWW, key, expect="failure", says="agent-port")
    again = t.sim(sim.card)
    os.unlink(one.port)
    os.symlink(again.device, one.port)
    one.sign(WWW, key)
    verified(t, cert)
    t.equal(again.words(), COLD, "APDUs after the replug")
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, again)


@test
def a_modem_that_starts_anew_in_the_middle_is_repaired(t):
    sim = t.sim("p256", "--fault", "modem-reset:40,300")
    one = Agent(t, sim)
    cert, key = one.exported()
    sim.mark()
    for _ in range(40):
        one.sign(WWW, key)
        verified(t, cert)
        if sim.count("VERIFY") > 2:
            break
    t.check(sim.count("VERIFY") > 2, "the modem was never started anew")
    t.equal((one.process.stop(), sim.tries()), (0, 3), "the agent's status, and tries")
    none_open(t, sim)


@test
def another_sim_in_the_modem_s_place_is_told_and_used_if_it_is_meant(t):
    sim, other = t.sim("p256"), t.sim(t.new_card("--key", "p256"))
    one = Agent(t, sim)
    cert, key = one.exported()
    one.sign(WWW, key)
    os.unlink(one.port)
    os.symlink(other.device, one.port)
    one.sign(WWW, key, expect="failure", says="SIM")
    t.signatures(other, 0)
    one.sign(WWW, "sim:signing")
    verified(t, os.path.join(other.card, "signing-0.pem"))
    one.sign(WWW, key, expect="failure", says="SIM")
    t.signatures(other, 1)
    t.equal((one.process.stop(), sim.tries(), other.tries()), (0, 3, 3), "the agent's status, and tries")
    none_open(t, other)


@test
def a_wrong_pin_in_its_file_costs_one_try_whoever_asks(t):
    sim = t.sim("p256")
    one = Agent(t, sim, pin="9999")
    _, key = one.exported()
    one.sign(WWW, key, expect="failure", says=["PIN is wrong", "2 tries"])
    for number in (WWW, OTHER) * 5:
        one.sign(number, key, expect="failure", says="not tried")
    one.process.stop()
    one.start()
    one.sign(WWW, key, expect="failure", says="not tried")
    t.equal((sim.tries(), sim.tries("pin1")), (2, 3), "tries of the PIN and of PIN1")
    t.silent(one.said(), "9999")


@test
def a_wrong_file_at_sighup_changes_nothing_and_at_start_is_an_error(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    _, key = one.exported()
    one.configure("allow = www-data sing *")
    one.process.popen.send_signal(signal.SIGHUP)
    one.process.wait_for(lambda: "stay as they were" in one.said(), "refusing the file")
    t.says(one.said(), r"agent.conf, line 4: `allow` has .*\"sing\"")
    one.sign(WWW, key)
    one.process.stop()
    t.run([AGENT, "--socket", one.socket, "--config", t.path("agent.conf")], expect=USAGE, says="line 4: `allow`")


@test
def a_second_agent_does_not_take_the_first_one_s_socket(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    t.run([AGENT, "--socket", one.socket, "--config", t.path("agent.conf")], expect=USAGE, says="another agent listens")


@test
def without_room_for_its_record_each_signature_is_whole_all_the_same(t):
    sim = t.sim("p256")
    one = Agent(t, sim, settings=f"run-dir = {t.path('small')}") if mounted(t) else None
    if one is None:
        return
    cert, key = one.exported()
    one.sign(WWW, key)
    verified(t, cert)
    one.sign(WWW, key)
    verified(t, cert)
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


def mounted(t):
    """A folder without room, where a mount is allowed."""
    os.mkdir(t.path("small"), 0o700)
    if t.run(["unshare", "-m", "true"], expect=None, preload=False).status != 0:
        print("left out: no mount namespaces here")
        return False
    from reader import own_mounts
    own_mounts(t)
    t.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "tmpfs", t.path("small")], preload=False)
    t.write("small/full", "x" * 4096)
    return True


@test
def the_agent_works_as_a_user_of_its_own_without_any_capability(t):
    """What the unit does to it, as far as it can be done by hand."""
    sim = t.sim("p256")
    os.chmod(t.dir, 0o755)
    group = grp.getgrnam("dialout").gr_gid
    os.chown(os.path.realpath(sim.device), -1, group)
    os.chmod(os.path.realpath(sim.device), 0o660)
    for name in ("own", "state-own"):
        os.mkdir(t.path(name), 0o755)
        os.chown(t.path(name), 7, 7)
    pin = t.write("own-pin", "0000\n")
    os.chown(pin, 7, 7)
    conf = t.write("own.conf", f"device = {sim.device}\npin-source = {pin}\nallow = www-data sign,read *\n", 0o644)
    path = t.path("own/socket")
    server = t.start("simkey-agent", [
        "setpriv", "--reuid=7", "--regid=7", "--groups", str(group), "--bounding-set=-all", "--inh-caps=-all",
        "--no-new-privs", "--", AGENT, "--socket", path, "--config", conf],
        t.env(preload=False, SIMKEY_STATE_DIR=t.path("state-own")))
    server.wait_for(lambda: "ready at" in server.said(), "ready")
    t.says(server.said(), r"there is no group simkey, .*: make it \(groupadd --system simkey\)")
    os.chmod(path, 0o666)
    with agent.connect(path):  # no other process of its user looks into them, and no core file is written
        until(lambda: children_of(server.popen.pid), "serving")
        for pid in (server.popen.pid, *children_of(server.popen.pid)):
            until(lambda pid=pid: os.stat(f"/proc/{pid}/mem").st_uid == 0, f"process {pid} kept to itself", 3)
    env = t.env(preload=True, SIMKEY_DEVICE="agent:" + path, SIMKEY_CONF="/dev/null", HOME="/")
    sig = t.write("sig", "", 0o666)
    os.chmod(sig, 0o666)
    client = ["setpriv", f"--reuid={WWW}", f"--regid={WWW}", "--clear-groups", "--"]
    t.run([*client, *dgst(t, "sim:signing")], env=env)
    t.run([*client[:1], f"--reuid={OTHER}", *client[2:], *dgst(t, "sim:signing")], env=env, expect="failure",
          says="who may do what")
    t.signatures(sim, 1)
    t.equal(server.stop(), 0, "the agent's status")
    none_open(t, sim)


@test
def what_was_ignored_where_it_was_started_is_not_ignored(t):
    """Else the end of no child would be told, and a user had soon as many connections as it may."""
    sim = t.sim("p256")
    one = Agent(t, sim, settings="connections = 2", prefix=["env", "--ignore-signal=CHLD,TERM,HUP"])
    _, key = one.exported()
    for _ in range(4):
        one.sign(WWW, key)
    t.equal(one.process.stop(), 0, "the agent's status")
    none_open(t, sim)


@test
def a_log_that_nobody_reads_holds_up_no_signature(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    one.process.stop()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    server = subprocess.Popen([AGENT, "--socket", one.socket, "--config", t.path("agent.conf")], stderr=writer,
                              env=t.env(preload=False, **one.env))
    try:
        until(lambda: agent_answers(one.socket), "listening")
        one.sign(WWW, key)
        os.close(writer)
        os.close(reader)
        one.sign(WWW, key)
        verified(t, cert)
    finally:
        server.terminate()
        t.equal(server.wait(20), 0, "the agent's status")


def agent_answers(path):
    try:
        return agent.ask(path, agent.request(agent.TRIES)) is not None
    except OSError:
        return False
