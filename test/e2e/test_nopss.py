# SPDX-License-Identifier: Apache-2.0
"""A card whose RSA keys cannot do PSS: TLS 1.2 by configuration, a clear word for TLS 1.3, and
never PKCS#1 in place of PSS."""

import os

from fixture import CURL, MODULE, ROOT, test
from tls import demanding_nginx, handshake, no_handshake

CURE = ["PSS", "TLS ?v?1\\.2", "(RSA\\+SHA256|nopss)"]


def shipped(t, name, **values):
    """A file of configs/ with these values in the place of its own."""
    with open(os.path.join(ROOT, "configs", name), encoding="utf-8") as file:
        lines = file.read().splitlines()
    seen, kept = set(), []
    for line in lines:
        word = line.lstrip("# ").split("=")[0].strip()
        if "=" in line and word.replace("-", "_") in values:
            if word not in seen:
                kept.append(f"{word} = {values[word.replace('-', '_')]}")
            seen.add(word)
        else:
            kept.append(line)
    t.equal({word.replace("-", "_") for word in seen}, set(values), f"what configs/{name} lets one set")
    return t.write(name, "\n".join(kept) + "\n")


def as_shipped(t, sim):
    """The environment of a program that is set up by both files."""
    return t.env(None, True, OPENSSL_CONF=shipped(t, "openssl-nopss.cnf", module=MODULE),
                 SIMKEY_CONF=shipped(t, "simkey.conf", device=sim.device, pin_source=t.pin_file()))


def scheme_nibbles(sim):
    """The low nibbles of the algorithms that MSE SET asked for and got: 2 PKCS#1, 5 PSS."""
    return {a.command[15] for a in sim.apdus() if a.words == "MSE SET" and a.sw == "9000"}


def refused_in_words(t, version):
    sim = t.sim("rsa2048", "--no-pss")
    cert, key = t.exported(sim)
    for pair in (("sim:signing", "sim:signing"), (cert, key)):
        no_handshake(t, sim, *pair, version=version, says=CURE)
    t.signatures(sim, 0)
    t.silent(" ".join(sim.words()), "PSO HASH")


test(name="TLS 1.3 fails and names the cure", version="-tls1_3")(refused_in_words)
test(name="TLS 1.2 without the configuration fails and names the cure",
     version="-tls1_2")(refused_in_words)


@test
def tls_1_2_works_with_the_signature_algorithm_named(t):
    sim = t.sim("rsa2048", "--no-pss")
    said = handshake(t, sim, version="-tls1_2", arguments=["-client_sigalgs", "RSA+SHA256"])
    t.says(said, r"(?m)^Signature type: (RSA|rsa_pkcs1_sha256)$")
    t.equal(scheme_nibbles(sim), {"2"}, "the card's algorithms")


@test
def tls_1_2_works_with_the_shipped_configuration(t):
    sim = t.sim("rsa2048", "--no-pss")
    env = as_shipped(t, sim)
    cert, key = t.exported(sim)
    for pair in (("sim:signing", "sim:signing"), (cert, key)):
        for server in ("rsa", "p256"):
            sim.mark()
            handshake(t, sim, *pair, server=server, version="-no_ssl3", providers=(),
                      env=env)


@test(left_out=CURL)
def curl_works_with_the_shipped_configuration_and_tls_max_1_2(t):
    sim = t.sim("rsa2048", "--no-pss")
    env = as_shipped(t, sim)
    cert, key = t.exported(sim)
    nginx = demanding_nginx(t, sim)
    from tls import pki
    result = t.run(["curl", "-sS", "--tls-max", "1.2", "--cacert", pki("ca.pem"), "--cert", cert,
                    "--key", key, nginx.url()], env=env)
    t.says(result.out, "^SUCCESS CN=.*signing 0")
    t.signatures(sim, 1)


@test
def nothing_signs_pkcs1_when_pss_was_asked(t):
    sim = t.sim("rsa2048", "--no-pss")
    for digest in ("sha256", "sha384", "sha512"):
        t.openssl(sim, "dgst", "-" + digest, "-sign", "sim:signing", "-sigopt",
                  "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-out",
                  t.path("sig"), "/dev/null", expect="failure", says="PSS")
    t.signatures(sim, 0)
    t.equal(scheme_nibbles(sim), set(), "algorithms that the card took")


@test
def pkcs1_still_works_on_such_a_card(t):
    sim = t.sim("rsa2048", "--no-pss")
    t.openssl(sim, "req", "-new", "-key", "sim:signing", "-subj", "/CN=me", "-out", t.path("csr"))
    t.run(["openssl", "req", "-verify", "-noout", "-in", t.path("csr")])


@test
def info_does_not_name_pss(t):
    sim = t.sim("rsa2048", "--no-pss")
    result = t.simkey(sim, "info", "--verbose")
    t.says(result.out, "PKCS1-SHA256")
    t.silent(result.out, "PSS-SHA256")
