# SPDX-License-Identifier: Apache-2.0
"""Several keys in a SIM with IoT SAFE's applet: the applet does not say which public key and which certificate
belong to a key, and names are for one object each only by the book."""

import json
import os

from fixture import ABSENT, TIMEOUT, USAGE, test


def changed(t, change):
    """A SIM whose list of objects is another one: change gets and gives its lines."""
    card = t.new_card("--applet", "iotsafe", "--key", "p256")
    path = os.path.join(card, "iotsafe")
    with open(path, encoding="latin-1") as file:
        lines = file.read().splitlines()
    with open(path, "w", encoding="latin-1") as file:
        file.write("\n".join(change(card, lines)) + "\n")
    return t.sim(card)


def signs(t, sim, uri, certificate):
    """It signs, and openssl verifies with the certificate that was put into the SIM."""
    with open(certificate, encoding="ascii") as file:
        t.equal(t.simkey(sim, "cert", uri).out, file.read(), f"the certificate of {uri}")
    data, signature, public = t.write("data", "what is signed\n"), t.path("signature"), t.path("public")
    t.openssl(sim, "dgst", "-sha256", "-sign", uri, "-out", signature, data)
    t.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey", "-out", public], preload=False)
    t.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, data], preload=False)


@test
def an_rsa_key_beside_an_ec_key_has_its_own_certificate(t):
    """No card tells an RSA key's public half: the certificate is found by the key's size."""
    def with_rsa(card, lines):
        key = os.path.join(card, "private", "rsa.key")
        t.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa", "-keyout", key, "-out",
               os.path.join(card, "rsa.pem"), "-addext", "basicConstraints=critical,CA:FALSE"], preload=False)
        return lines + ["private = 11 type 03 access 00 usage 01 functions 01 hash 0001 sign 01 label Other "
                        "from private/rsa.key", "file = 21 access 01 usage 02 label Further from rsa.pem"]

    sim = changed(t, with_rsa)
    signs(t, sim, "sim:signing;id=%11", os.path.join(sim.card, "rsa.pem"))
    signs(t, sim, "sim:signing;id=%01", os.path.join(sim.card, "iotsafe.pem"))


@test
def a_label_of_two_keys_is_not_enough_to_make_a_new_pair(t):
    sim = changed(t, lambda card, lines: [line.replace("clientsessionKey", "BootstrapKey_1") for line in lines])
    t.simkey(sim, "generate", "signing;object=BootstrapKey_1", "--yes", expect=USAGE, says="several keys of that name")
    for out, says in (("/nonexistent/key", "No such file"), (t.dir, "Is a directory")):
        t.simkey(sim, "generate", "signing;id=%04", "--yes", "--out", out, expect=USAGE, says=says)
    t.equal(sim.count("GENERATE KEY PAIR"), 0, "key pairs made")
    signs(t, sim, "sim:signing;id=%01", os.path.join(sim.card, "iotsafe.pem"))
    t.simkey(sim, "generate", "signing;id=%04", "--yes")


@test
def a_pair_under_an_unknown_id_is_told_to_be_there(t):
    sim = t.sim(t.new_card("--applet", "iotsafe", "--key", "p256"), "--iotsafe-new-ids", "--iotsafe-generated", "key")
    t.simkey(sim, "generate", "signing;id=%04", "--yes", expect=ABSENT, says="has made the key pair under another id")


@test
def a_pair_whose_making_took_too_long_may_be_there(t):
    sim = t.sim(t.new_card("--applet", "iotsafe", "--key", "p256"), "--iotsafe-generate-ms", "1500")
    t.simkey(sim, "generate", "signing;id=%04", "--yes", "--timeout", "1", expect=TIMEOUT,
             says="unknown whether the SIM made the key pair .*`simkey key`.*--timeout")
    t.check("BEGIN SIM KEY REFERENCE" in t.simkey(sim, "key", "signing;id=%04").out, "the key is not there")


@test
def a_label_that_is_no_text_does_not_spoil_the_json(t):
    sim = changed(t, lambda card, lines: [line.replace("BootstrapKey_1", "Key\xff\xc3(") for line in lines])
    told = json.loads(t.simkey(sim, "info", "--json").out)
    t.equal(told["containers"][0]["label"], r"Key\xff\xc3(", "the label")
