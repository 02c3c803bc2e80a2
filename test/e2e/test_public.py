# SPDX-License-Identifier: Apache-2.0
"""Programs that verify and encrypt with the private key's object: the SIM is not needed for it."""

from fixture import KEYS, test

GOOD = "(Verified OK|Signature Verified Successfully)"
BAD = "(Verification failure|Signature Verification Failure)"


def commands(t, sim):
    """A signature by the SIM, and what a program asks of it with the key."""
    cert, reference = t.exported(sim)
    text = t.write("text", "what is signed\n")
    signature = t.path("signature")
    t.openssl(sim, "dgst", "-sha256", "-sign", reference, "-out", signature, text)
    verify = [["dgst", "-sha256", "-prverify", reference, "-signature", signature, text],
              ["pkeyutl", "-verify", "-inkey", reference, "-rawin", "-digest", "sha256", "-in", text,
               "-sigfile", signature]]
    return cert, reference, text, signature, verify


def without_modem(t, key):
    sim = t.sim(key)
    _, reference, text, signature, verify = commands(t, sim)
    other = t.write("other", "what is not signed\n")
    sim.mark()
    for command in verify:
        t.says(t.openssl(sim, *command).out, GOOD)
        wrong = [other if word == text else word for word in command]
        t.says(t.openssl(sim, *wrong, expect="failure").out, BAD)
    if key.startswith("rsa"):
        recovered = t.openssl(sim, "pkeyutl", "-verifyrecover", "-inkey", reference, "-pkeyopt",
                              "digest:sha256", "-in", signature)
        t.equal(len(recovered.raw), 32, "bytes of the recovered digest")
        for options in ([], ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"]):
            secret = t.path("secret")
            t.openssl(sim, "pkeyutl", "-encrypt", "-inkey", reference, "-in", text, "-out", secret,
                      *options)
    t.equal(sim.apdus(), [], "what was sent to the SIM")
    sim.stop_cleanly()
    for command in verify:
        t.says(t.openssl(sim, *command).out, GOOD)


def decrypts_again(t):
    sim = t.sim("rsa2048")
    _, reference, text, _, _ = commands(t, sim)
    secret = t.path("secret")
    for options in ([], ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"]):
        t.openssl(sim, "pkeyutl", "-encrypt", "-inkey", reference, "-in", text, "-out", secret, *options)
        back = t.openssl(sim, "pkeyutl", "-decrypt", "-inkey", reference, "-in", secret, *options)
        t.equal(back.raw, t.read("text"), "what was decrypted")


def request(t, key):
    sim = t.sim(key)
    config = t.write("req.cnf", "[req]\ndistinguished_name = n\n[n]\n")
    for options in ([], ["-sigopt", "rsa_padding_mode:pss"])[:2 if key.startswith("rsa") else 1]:
        done = t.openssl(sim, "req", "-new", "-config", config, "-key", "sim:signing", "-subj", "/CN=x",
                         "-verify", "-noout", *options)
        t.says(done.out + done.err, "verify OK")  # stderr, from 3.2 on stdout


for name in KEYS:
    test(name=f"dgst -prverify and pkeyutl with a {name} key ask the SIM nothing", key=name)(without_modem)
    test(name=f"req -new -verify with a {name} key verifies what it has signed", key=name)(request)
test(name="what pkeyutl has encrypted with the SIM's key the SIM decrypts")(decrypts_again)
