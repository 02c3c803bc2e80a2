# SPDX-License-Identifier: Apache-2.0
"""Servers and programs that run as www-data, with simkey-agent in the place of port and PIN; and the agent
at a card reader."""

import grp
import os
import subprocess

import tls
from agent import OTHER, WWW
from fixture import BUILD, CURL, PYTHON
from fixture import test as any_test
from reader import Reader
from signer import verified
from test_agent import Agent, ROOT_ONLY, test
from test_processes import CLIENT
from tls import Nginx, demanding_nginx, issued, pki


def openssl_cnf(t, one):
    """As configs/openssl.cnf: the module and the device, for programs that clear their environment."""
    return t.write("agent.cnf", "nodejs_conf = c\nopenssl_conf = c\n[c]\nproviders = p\n[p]\ndefault = d\nsimkey = s\n"
                   f"[d]\nactivate = 1\n[s]\nactivate = 1\nmodule = {BUILD}/simkey.so\ndevice = agent:{one.socket}\n", 0o644)


@any_test(left_out=ROOT_ONLY or CURL, seconds=180)
def nginx_with_four_workers_of_www_data_signs_by_the_agent(t):
    sim = t.sim("p256", "--sign-ms", "50")
    cert = issued(t, sim, "sim:signing")
    one = Agent(t, sim)
    key = one.exported()[1]
    tls.NGINX = tls.NGINX.replace("worker_processes 1", "worker_processes 4")
    group = grp.getgrgid(os.stat(one.socket).st_gid).gr_name
    nginx = Nginx(t, cert, key, "", user=f"user www-data {group};",
                  env=t.env(preload=False, OPENSSL_CONF=openssl_cnf(t, one), SIMKEY_CONF="/dev/null"))
    sim.mark()
    clients = [subprocess.Popen(["curl", "-sS", "--cacert", pki("ca.pem"), nginx.url()], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env=t.env(preload=False)) for _ in range(12)]
    said = [client.communicate(timeout=60)[0] for client in clients]
    t.equal([client.returncode for client in clients], [0] * 12, f"curl's statuses: {said}")
    t.signatures(sim, 12)
    t.says(one.said(), r"\(nginx\) of www-data: sign container 0, key id 61: done")
    t.equal(sim.tries(), 3, "tries")


@test(seconds=180)
def python_of_two_users_does_handshakes_by_the_agent(t):
    sim = t.sim("p256")
    one = Agent(t, sim)
    cert, key = one.exported()
    nginx = demanding_nginx(t, sim)
    for user in (WWW, OTHER):
        t.run(one.user(user, PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, key, "3"),
              env=t.env(preload=True, HOME="/", OPENSSL_CONF=openssl_cnf(t, one), SIMKEY_CONF="/dev/null"))
    t.signatures(sim, 6)


@test(seconds=180)
def the_agent_works_with_a_card_reader(t):
    sim = t.sim("p256")
    Reader(t, sim)
    one = Agent(t, sim, device="pcsc:0")
    cert, key = one.exported()
    one.sign(WWW, key)
    verified(t, cert)
    one.sign(OTHER, key)
    verified(t, cert)
    t.equal((one.process.stop(), sim.tries()), (0, 3), "the agent's status, and tries")
