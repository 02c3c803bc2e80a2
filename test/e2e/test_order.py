# SPDX-License-Identifier: Apache-2.0
"""Which provider stands first makes no difference, by options and by openssl.cnf."""

import os

from fixture import KEYS, MODULE, test
from tls import handshake, pki

ORDERS = {"default first": ("default", "simkey"), "simkey first": ("simkey", "default")}

CONF = """openssl_conf = init
[init]
providers = providers
[providers]
{lines}
[section_default]
activate = 1
[section_simkey]
module = {module}
activate = 1
device = {device}
pin-source = {pin}
[req]
distinguished_name = dn
[dn]
"""


def conf(t, sim, providers):
    """An openssl.cnf that activates the providers in this order."""
    lines = "\n".join(f"{name} = section_{name}" for name in providers)
    return t.write("openssl.cnf", CONF.format(lines=lines, module=MODULE, device=sim.device,
                                              pin=t.pin_file()))


def tls_with_p256_only(t, order, by_conf, key):
    sim = t.sim(key)
    providers, env = ORDERS[order], t.env(sim, True)
    if by_conf:
        env = t.env(None, True, OPENSSL_CONF=conf(t, sim, providers))
        providers = ()
    for version, server in (("-tls1_3", "p256"), ("-tls1_3", "rsa"), ("-tls1_2", "p256"),
                            ("-tls1_2", "rsa")):
        sim.mark()
        # TLS 1.2 judges the certificates' curves by the same list.
        groups = ["-groups", "P-256:P-384" if key == "p384" and version == "-tls1_2" else "P-256"]
        handshake(t, sim, server=server, version=version, providers=providers, env=env,
                  arguments=groups, server_arguments=groups)


def keys_are_made(t, order, by_conf):
    sim = t.sim("p256")
    env, options = t.env(sim, True), []
    for name in ORDERS[order]:
        options += ["-provider", name]
    options = ["-provider-path", os.path.dirname(MODULE), *options]
    if by_conf:
        env, options = t.env(None, True, OPENSSL_CONF=conf(t, sim, ORDERS[order])), []
    for kind in (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                 ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                 ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]):
        made = t.run(["openssl", "genpkey", *options, "-algorithm", *kind], env=env)
        t.says(made.out, "BEGIN PRIVATE KEY")
    made = t.run(["openssl", "genrsa", *options, "1024"], env=env)
    t.says(made.out, "BEGIN PRIVATE KEY")
    t.run(["openssl", "req", *options, "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-keyout", t.path("own.key"), "-out",
           t.path("own.pem"), "-subj", "/CN=own"], env=env)
    t.run(["openssl", "verify", *options, "-CAfile", t.path("own.pem"), t.path("own.pem")], env=env)
    for cert in ("server-rsa.pem", "server-p256.pem"):
        t.run(["openssl", "verify", *options, "-CAfile", pki("ca.pem"), pki(cert)], env=env)
    cert = os.path.join(sim.card, "signing-0.pem")
    t.run(["openssl", "verify", *options, "-CAfile", os.path.join(sim.card, "ca.pem"), cert],
          env=env)
    t.equal(sim.words(), [], "APDUs")


for this in ORDERS:
    for from_conf in (False, True):
        where = "in openssl.cnf" if from_conf else "on the command line"
        for card in KEYS:
            test(name=f"TLS with P-256 only, {this} {where}, {card} key", order=this,
                 by_conf=from_conf, key=card)(tls_with_p256_only)
        test(name=f"keys are made and certificates verified, {this} {where}", order=this,
             by_conf=from_conf)(keys_are_made)


def no_default_provider(t, providers):
    sim = t.sim("p256")
    for arguments in (["s_client", "-connect", "127.0.0.1:1"],
                      ["enc", "-aes-128-cbc", "-K", "00", "-iv", "00"]):
        t.openssl(sim, *arguments, providers=providers, expect="failure",
                  says="neither the default nor the fips provider is active")


test(name="-provider simkey alone gives a clear word", providers=["simkey"])(no_default_provider)
test(name="-provider base -provider simkey gives a clear word",
     providers=["base", "simkey"])(no_default_provider)
