# SPDX-License-Identifier: Apache-2.0
"""The openssl command's other doings with a key in the SIM."""

import hashlib
import os
import re

from fixture import KEYS, test

RSA_EXCHANGE = "sim:signing;container=6"  # of every simulated card
DIGESTS = ("sha1", "sha224", "sha256", "sha384", "sha512")
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
CARD_KEY_WORK = {"VERIFY", "MSE SET", "PSO HASH", "PSO CDS", "PSO DECIPHER"}


def public_key(t, sim, uri="sim:signing"):
    pub = t.path("pub.pem")
    t.openssl(sim, "pkey", "-in", uri, "-pubout", "-out", pub)
    return pub


def self_signed(t, key):
    sim = t.sim(key)
    t.openssl(sim, "req", "-new", "-x509", "-key", "sim:signing", "-subj", "/CN=me", "-out",
              t.path("me.pem"), "-days", "3")
    t.run(["openssl", "verify", "-CAfile", t.path("me.pem"), t.path("me.pem")])
    t.signatures(sim, 1)


def request(t, key):
    sim = t.sim(key)
    for digest in ("sha256", "sha384"):
        t.openssl(sim, "req", "-new", "-" + digest, "-key", "sim:signing", "-subj", "/CN=me",
                  "-out", t.path("me.csr"))
        t.run(["openssl", "req", "-verify", "-noout", "-in", t.path("me.csr")])
    t.openssl(sim, "x509", "-req", "-in", t.path("me.csr"), "-key", "sim:signing", "-out",
              t.path("me.pem"))
    t.run(["openssl", "verify", "-CAfile", t.path("me.pem"), t.path("me.pem")])


def cms(t, key):
    sim = t.sim(key)
    text = t.write("text", "the text\n" * 1000)
    t.openssl(sim, "cms", "-sign", "-in", text, "-signer", "sim:signing", "-inkey", "sim:signing",
              "-out", t.path("text.cms"), "-nodetach", "-binary")
    t.run(["openssl", "cms", "-verify", "-in", t.path("text.cms"), "-CAfile",
           os.path.join(sim.card, "ca.pem"), "-purpose", "any", "-binary", "-out", t.path("back")])
    t.equal(t.read("back"), t.read("text"), "the text")
    t.signatures(sim, 1)


def digest_signatures(t, key):
    sim = t.sim(key)
    text, pub, sig = t.write("text", b"\0text\n" * 5000), public_key(t, sim), t.path("sig")
    for digest in DIGESTS:
        for options in ([], PSS) if key == "rsa2048" else ([],):
            sim.mark()
            t.openssl(sim, "dgst", "-" + digest, *options, "-sign", "sim:signing", "-out", sig, text)
            t.run(["openssl", "dgst", "-" + digest, *options, "-verify", pub, "-signature", sig,
                   text])
            t.signatures(sim, 1)


def raw_signatures(t, key):
    sim = t.sim(key)
    pub, sig = public_key(t, sim), t.path("sig")
    for digest in DIGESTS:
        value = t.write("digest", hashlib.new(digest, b"text").digest())
        kinds = [["-pkeyopt", f"digest:{digest}"]]
        if key == "rsa2048":
            kinds.append(kinds[0] + ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt",
                                     "rsa_pss_saltlen:digest"])
        for options in kinds:
            sim.mark()
            t.openssl(sim, "pkeyutl", "-sign", "-inkey", "sim:signing", "-in", value, "-out", sig,
                      *options)
            t.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pub, "-in", value,
                   "-sigfile", sig, *options])
            t.signatures(sim, 1)


for card in KEYS:
    test(name=f"req -new -x509 with a {card} key verifies", key=card)(self_signed)
    test(name=f"req -new and x509 -req with a {card} key verify", key=card)(request)
    test(name=f"cms -sign with a {card} key verifies", key=card)(cms)
    test(name=f"dgst -sign with a {card} key verifies, every digest", key=card)(digest_signatures)
    test(name=f"pkeyutl -sign with a {card} key verifies, every digest", key=card)(raw_signatures)


@test
def pkeyutl_signs_data_without_a_digest_as_pkcs1_does(t):
    sim = t.sim("rsa2048")
    pub, text, sig = public_key(t, sim), t.write("text", "forty letters at most"), t.path("sig")
    t.openssl(sim, "pkeyutl", "-sign", "-inkey", "sim:signing", "-in", text, "-out", sig)
    back = t.run(["openssl", "pkeyutl", "-verifyrecover", "-pubin", "-inkey", pub, "-in", sig])
    t.equal(back.out, "forty letters at most", "what was signed")


def decryption(t, options):
    sim = t.sim("rsa2048")
    for uri in ("sim:signing", RSA_EXCHANGE):
        pub, secret = public_key(t, sim, uri), t.write("secret", b"\0a secret\xff" * 3)
        t.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", pub, "-in", secret, "-out",
               t.path("cryptogram"), *options])
        sim.mark()
        t.openssl(sim, "pkeyutl", "-decrypt", "-inkey", uri, "-in", t.path("cryptogram"), "-out",
                  t.path("back"), *options)
        t.equal(t.read("back"), t.read("secret"), "the secret")
        t.check(sim.count("PSO DECIPHER") >= 2, "not deciphered in two pieces by the card")


test(name="pkeyutl -decrypt undoes PKCS#1", options=[])(decryption)
for name in ("sha1", "sha256", "sha384", "sha512"):
    test(name=f"pkeyutl -decrypt undoes OAEP with {name}",
         options=["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}",
                  "-pkeyopt", f"rsa_mgf1_md:{name}"])(decryption)


def decryption_by_short_lines(t, carrier, fault):
    """The modem takes no line of 540 characters: that is learnt once, or from the certificate's lines, which it cuts."""
    sim = t.sim("rsa2048", "--fault", fault, "--trace-at")
    env = t.env(sim, True, SIMKEY_TRANSPORT=carrier)
    pub = t.path("pub.pem")
    t.openssl(None, "pkey", "-pubin", "-in", "sim:signing", "-pubout", "-out", pub, env=env)
    secret = t.write("secret", b"a secret")
    t.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", pub, "-in", secret, "-out", t.path("cryptogram")])
    for refused in (0 if fault.startswith("max-line") else 1, 0):
        before = long_lines(sim)
        t.openssl(None, "pkeyutl", "-decrypt", "-inkey", "sim:signing", "-in", t.path("cryptogram"), "-out",
                  t.path("back"), env=env)
        t.equal(t.read("back"), b"a secret", "the secret")
        t.equal(long_lines(sim) - before, refused, "lines of more than 512 characters")
    t.equal(sim.tries(), 3, "tries")


def long_lines(sim):
    with open(sim.trace, encoding="latin1") as trace:
        return sum(int(digits) > 490 for digits in re.findall(r" AT\+C(?:SIM=|GLA=\d+,)(\d+),", trace.read()))


for way in ("csim", "ccho"):
    for what in ("max-line:512", "max-length:250"):
        test(name=f"pkeyutl -decrypt with {what}, {way}", carrier=way, fault=what)(decryption_by_short_lines)


@test
def a_broken_cryptogram_gives_an_error_and_no_text(t):
    sim = t.sim("rsa2048")
    broken = t.write("cryptogram", b"\x17" * 256)
    result = t.openssl(sim, "pkeyutl", "-decrypt", "-inkey", "sim:signing", "-in", broken,
                       expect="failure")
    t.equal(result.out, "", "what came out")


@test
def x509_in_touches_no_key_and_asks_for_no_pin(t):
    for key in KEYS:
        sim = t.sim(key)
        result = t.openssl(None, "x509", "-in", "sim:signing", "-noout", "-subject",
                           env=t.env(sim, True, SIMKEY_PIN_SOURCE=None))
        t.says(result.out, "subject=.*signing 0")
        t.equal(set(sim.words()) & CARD_KEY_WORK, set(), "work with the key")


@test
def pkey_pubout_asks_for_no_pin(t):
    for key in KEYS:
        sim = t.sim(key)
        result = t.openssl(None, "pkey", "-in", "sim:signing", "-pubout",
                           env=t.env(sim, True, SIMKEY_PIN_SOURCE=None))
        wanted = t.run(["openssl", "x509", "-in", os.path.join(sim.card, "signing-0.pem"),
                        "-noout", "-pubkey"])
        t.equal(result.out, wanted.out, "the public key")
        t.equal(set(sim.words()) & CARD_KEY_WORK, set(), "work with the key")


@test
def a_private_key_never_comes_out(t):
    for key in KEYS:
        sim = t.sim(key)
        for arguments in (["pkey", "-in", "sim:signing"],
                          ["pkey", "-in", "sim:signing", "-outform", "DER"],
                          ["pkey", "-in", "sim:signing", "-text", "-noout"],
                          ["storeutl", "-keys", "sim:signing"]):
            result = t.openssl(sim, *arguments, expect=None)
            t.silent(result.out, ["BEGIN .*PRIVATE KEY", "priv:\n", "prime1"])
            if "DER" in arguments:
                t.equal(result.raw, b"", "DER")


@test
def storeutl_lists_certificate_and_key(t):
    sim = t.sim("p384")
    result = t.openssl(sim, "storeutl", "-noout", "-text", "sim:signing")
    t.says(result.out, ["Certificate:", "Total found: 2"])
    result = t.openssl(sim, "storeutl", "-certs", "sim:signing")
    t.says(result.out, ["BEGIN CERTIFICATE", "Total found: 1"])
    result = t.openssl(sim, "storeutl", "-noout", "sim:signing;type=cert")
    t.says(result.out, "Total found: 1")


@test
def the_other_containers_sign_too(t):
    sim = t.sim("p256")
    text = t.write("text", "text")
    for container in (2, 3, 4, 6):
        uri = f"sim:signing;container={container}"
        pub = public_key(t, sim, uri)
        t.openssl(sim, "dgst", "-sha256", "-sign", uri, "-out", t.path("sig"), text)
        t.run(["openssl", "dgst", "-sha256", "-verify", pub, "-signature", t.path("sig"), text])


@test
def a_signature_only_key_does_not_decrypt_and_says_so(t):
    sim = t.sim("p256")
    uri = "sim:signing;container=2"
    pub, secret = public_key(t, sim, uri), t.write("secret", "secret")
    t.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", pub, "-in", secret, "-out",
           t.path("cryptogram")])
    result = t.openssl(sim, "pkeyutl", "-decrypt", "-inkey", uri, "-in", t.path("cryptogram"),
                       expect="failure", says="simkey:")
    t.equal(result.out, "", "what came out")


@test
def an_explicit_salt_length_other_than_the_digests_is_refused(t):
    sim = t.sim("rsa2048")
    t.openssl(sim, "dgst", "-sha256", "-sign", "sim:signing", "-sigopt", "rsa_padding_mode:pss",
              "-sigopt", "rsa_pss_saltlen:20", "-out", t.path("sig"), "/dev/null",
              expect="failure", says="salt")
    t.signatures(sim, 0)
