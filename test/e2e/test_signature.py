# SPDX-License-Identifier: Apache-2.0
"""A card that answers a wrong signature is caught: redone once, then an error; never returned."""

from fixture import KEYS, test
from tls import handshake, no_handshake


def one_wrong(t, key):
    sim = t.sim(key, "--wrong-signature", "1")
    handshake(t, sim, signatures=2)


def always_wrong(t, key):
    sim = t.sim(key, "--wrong-signature", "always")
    no_handshake(t, sim, says="simkey:.*(does not verify|wrong signature|do not verify)")
    t.signatures(sim, 2)
    sim.mark()
    for options in (["-sha256"], ["-sha384"]):
        result = t.openssl(sim, "dgst", *options, "-sign", "sim:signing", "/dev/null",
                           expect="failure", says="simkey:")
        t.equal(result.raw, b"", "what came out")
    t.signatures(sim, 4)


def two_wrong(t, key):
    sim = t.sim(key, "--wrong-signature", "2")
    result = t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "/dev/null",
                       expect="failure", says="simkey:")
    t.equal(result.raw, b"", "what came out")
    t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "/dev/null")
    t.signatures(sim, 3)


for name in KEYS:
    test(name=f"one wrong signature of a {name} key is redone", key=name)(one_wrong)
    test(name=f"wrong signatures of a {name} key are never returned", key=name)(always_wrong)
    test(name=f"two wrong signatures of a {name} key are one error", key=name)(two_wrong)
