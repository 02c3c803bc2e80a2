# SPDX-License-Identifier: Apache-2.0
"""sim:available: a certificate and a private key that are read from the SIM and used as software
objects."""

import os

from fixture import PIN, SIMKEY, test
from tls import handshake

FORMS = {
    "new labels": [], "old labels": ["--labels", "old"], "padded labels": ["--label-pad"],
    "a PKCS#8 key": ["--typea-key", "pkcs8"], "a PEM key": ["--typea-key", "pem"],
    "a chain": ["--chain", "ca"], "a chain that is broken after the leaf": ["--chain", "broken"],
    "old labels, a PEM key and a broken chain":
        ["--labels", "old", "--typea-key", "pem", "--chain", "broken"],
    "no files beside the objects": ["--no-files"], "reads of 100 octets": ["--max-read", "100"],
    "T=0 answers": ["--t0"], "the certificate behind the PIN too": ["--cert-pin"],
}


def with_pin1(t, sim, pin="1234"):
    return t.env(sim, True, SIMKEY_SIM_PIN_SOURCE=t.pin_file(pin))


def mutual_tls(t, switches, carrier):
    sim = t.sim("rsa2048", *switches)
    env = dict(with_pin1(t, sim), SIMKEY_TRANSPORT=carrier)
    for version in ("-tls1_3", "-tls1_2"):
        sim.mark()
        said = handshake(t, sim, "sim:available", "sim:available", version=version, env=env,
                         signatures=0)
        t.says(said, "Peer certificate: .*CN *= *\\d+ available")
    t.equal(sim.tries(), 3, "tries of the applet's PIN")
    t.equal(sim.tries("pin1"), 3, "tries of PIN1")


for words, options in FORMS.items():
    for by in ("csim", "ccho"):
        test(name=f"TLS with the key from the data objects, {words}, {by}", switches=options,
             carrier=by)(mutual_tls)
        if "--cert-pin" not in options and "--no-files" not in options and "--labels" not in options and words != "padded labels":
            test(name=f"TLS with the key from the files, {words}, {by}",
                 switches=["--no-objects", *options], carrier=by)(mutual_tls)


@test
def the_leaf_is_what_comes_out_of_a_broken_chain(t):
    sim = t.sim("p256", "--chain", "broken")
    result = t.openssl(sim, "x509", "-in", "sim:available", "-outform", "PEM")
    with open(os.path.join(sim.card, "available.pem"), encoding="ascii") as leaf:
        t.equal(result.out.strip(), leaf.read().strip(), "the certificate")


@test
def a_certificate_behind_the_pin_is_read_with_it(t):
    sim = t.sim("p256", "--cert-pin")
    got = t.openssl(sim, "x509", "-in", "sim:available")
    with open(os.path.join(sim.card, "available.pem"), encoding="ascii") as leaf:
        t.equal(got.out.strip(), leaf.read().strip(), "the certificate")
    t.equal(sim.tries(), 3, "tries of the applet's PIN")
    bare = t.env(None, SIMKEY_DEVICE=sim.device, SIMKEY_RUN_DIR=t.path("bare"))
    t.run([SIMKEY, "cert", "available"], env=bare, expect=PIN, says="PIN")
    t.equal(sim.tries(), 3, "tries without a PIN")


@test
def the_key_can_be_taken_out_and_is_the_cards(t):
    sim = t.sim("p256")
    got = t.openssl(sim, "pkey", "-in", "sim:available")
    wanted = t.run(["openssl", "pkey", "-in", os.path.join(sim.card, "private", "available.key")])
    t.equal(got.out, wanted.out, "the key")


@test
def store_files_reads_the_files_though_there_are_objects(t):
    sim = t.sim("p256")
    t.openssl(None, "pkey", "-in", "sim:available;store=files", "-noout", env=with_pin1(t, sim))
    t.silent(" ".join(a.command for a in sim.apdus()), "A0000000188000000006624151")
    t.equal(sim.tries("pin1"), 3, "tries of PIN1")


@test
def store_objects_does_not_fall_back_to_the_files(t):
    sim = t.sim("p256", "--no-objects")
    t.openssl(None, "pkey", "-in", "sim:available;store=objects", "-noout", env=with_pin1(t, sim),
              expect="failure", says="simkey:")


def disabled_pin1(t, state):
    sim = t.sim("p256", "--no-objects", "--pin1-state", state)
    t.openssl(sim, "pkey", "-in", "sim:available", "-noout")
    sent = [a.command for a in sim.apdus() if a.words == "VERIFY" and "{" in a.command]
    t.check(not [c for c in sent if c[6:8] == "01"], "PIN1 was sent though none is needed")


test(name="a PIN1 that is disabled is not asked for", state="disabled")(disabled_pin1)
test(name="a PIN1 that is disabled and says 6984 is not asked for", state="6984")(disabled_pin1)


@test
def the_files_certificate_and_key_need_pin1_and_say_so(t):
    sim = t.sim("p256", "--no-objects")
    t.openssl(sim, "pkey", "-in", "sim:available", "-noout", expect="failure",
              says="sim-pin-source")
    t.equal(sim.tries("pin1"), 3, "tries of PIN1")
    t.equal(sim.tries(), 3, "tries of the applet's PIN")


@test
def a_wrong_pin1_costs_one_try_over_ten_starts(t):
    sim = t.sim("p256", "--no-objects")
    for _ in range(10):
        t.openssl(None, "pkey", "-in", "sim:available", "-noout", env=with_pin1(t, sim, "9999"),
                  expect="failure", says="PIN1")
    t.equal(sim.tries("pin1"), 2, "tries of PIN1")
    t.equal(sim.tries(), 3, "tries of the applet's PIN")


@test
def simkey_writes_certificate_and_key_as_files(t):
    sim = t.sim("rsa2048")
    t.simkey(sim, "cert", "available", "--out", t.path("cert.pem"))
    t.simkey(sim, "key", "available", "--out", t.path("key.pem"))
    t.equal(os.stat(t.path("key.pem")).st_mode & 0o777, 0o600, "the key's mode")
    handshake(t, sim, t.path("cert.pem"), t.path("key.pem"), providers=(), signatures=0,
              env=t.env())


@test
def the_key_is_not_written_to_a_terminal_or_pipe_unasked(t):
    sim = t.sim("rsa2048")
    result = t.simkey(sim, "key", "available", expect="failure")
    t.silent(result.out, "PRIVATE KEY")
