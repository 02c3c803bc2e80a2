# SPDX-License-Identifier: Apache-2.0
"""Mutual TLS with `openssl s_client` against `openssl s_server`: every kind of key, carrier,
version, server certificate, by URI and by PEM files."""

import re

from fixture import KEYS, test, with_providers
from tls import CLOSING, COLD, handshake, issued, pki, talk

KINDS = {"rsa2048": "(RSA-PSS|rsa_pss_rsae)", "p256": "ECDSA", "p384": "ECDSA"}
VERSIONS = {"-tls1_2": "TLS 1.2", "-tls1_3": "TLS 1.3"}
CARRIERS = {"csim": "+CSIM", "ccho": "+CCHO"}


def without_responses(words):
    return [w for w in words if w != "GET RESPONSE"]


def matrix():
    for key in KEYS:
        for carrier in CARRIERS:
            for version in VERSIONS:
                for server in ("rsa", "p256"):
                    for files in (False, True):
                        yield key, carrier, version, server, files


def mutual_tls(t, key, carrier, version, server, files):
    sim = t.sim(key)
    cert, reference = t.exported(sim) if files else ("sim:signing", "sim:signing")
    said = handshake(t, sim, cert, reference, server, version,
                     env=t.env(sim, True, SIMKEY_TRANSPORT=carrier))
    t.says(said, [f"Signature type: {KINDS[key]}", VERSIONS[version].replace(" ", "v")])
    sources = {a.source for a in sim.apdus()}
    t.check(sources <= ({"csim"} if carrier == "csim" else {"cgla", "ccho"}),
            f"carried by {sources}")
    if files:
        # a session of AT+CCHO whose name hides its channel is asked once whose it is, before a PIN
        asked = ["STATUS"] if carrier == "ccho" else []
        t.equal(without_responses(sim.words()), COLD[:2] + asked + COLD[2:] + CLOSING, "the APDUs of a cold handshake")


for combination in matrix():
    k, c, v, s, f = combination
    test(name=f"{k} key over {CARRIERS[c]}, {VERSIONS[v]}, server with {s}, "
         + ("PEM files" if f else "URIs"),
         key=k, carrier=c, version=v, server=s, files=f)(mutual_tls)


@test
def the_pem_key_reference_loads_with_the_modem_out(t):
    sim = t.sim("p256")
    _, reference = t.exported(sim)
    wanted = t.openssl(sim, "pkey", "-in", reference, "-pubout")
    t.says(wanted.out, "BEGIN PUBLIC KEY")
    t.equal(sim.words(), [], "APDUs")
    got = t.openssl(None, "pkey", "-in", reference, "-pubout",
                    env=t.env(None, True, SIMKEY_DEVICE="/dev/no-such-modem"))
    t.equal(got.out, wanted.out, "the public key")


@test
def a_server_and_its_second_handshake_need_two_apdus_more(t):
    sim = t.sim("p384")
    _, key = t.exported(sim)
    cert = issued(t, sim, "sim:signing")
    server = t.start("s_server", ["openssl", *with_providers(["s_server"], ("default", "simkey")),
                                  "-accept", "127.0.0.1:0", "-rev", "-cert", cert, "-key", key],
                     t.env(sim, True))
    server.wait_for(lambda: "ACCEPT 127" in server.said(), "listening")
    port = re.search(r"ACCEPT 127\.0\.0\.1:(\d+)", server.said())[1]
    sim.mark()
    for handshakes in (1, 2):
        answered, text, status = talk(t, [
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", pki("ca.pem"),
            "-verify_return_error", "-verify_hostname", "localhost"], t.env())
        t.check(answered and status == 0, text + server.said())
        t.signatures(sim, handshakes)
    t.equal(without_responses(sim.words()), COLD + ["PSO HASH", "PSO CDS"],
            "the APDUs of two handshakes in one process")
    server.stop()
